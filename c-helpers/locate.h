/* SPDX-License-Identifier: MIT */
/*
 * Finds the LBAs of a chunk that differ, by comparing ever smaller pieces: a
 * piece that differs is halved, one that is equal lets the next be twice as
 * large. After a differing LBA the next one is tried alone, so that a chunk
 * that differs all over costs one command an LBA.
 */
#ifndef P2P_LOCATE_H
#define P2P_LOCATE_H

#include <stdbool.h>
#include <stdint.h>

/* Offsets and lengths in bytes from the start of the chunk. */
struct p2p_run {
	uint32_t offset;
	uint32_t length;	/* 0: none */
};

struct p2p_locator {
	uint32_t lba_bytes;
	uint32_t max_bytes;	/* of one command */
	uint32_t done;		/* everything before is known */
	uint32_t piece;		/* to compare next, at most */
	struct p2p_run run;	/* differing LBAs that end at @done */
	bool differs;
};

void p2p_locator_init(struct p2p_locator *locator, uint32_t lba_bytes, uint32_t max_bytes);

/* Return: length of the next piece, which begins at @done, of a chunk of @length bytes. */
uint32_t p2p_locator_next(const struct p2p_locator *locator, uint32_t length);

/*
 * The piece of @bytes is equal.
 * Return: the run of differing LBAs that has ended before it.
 */
struct p2p_run p2p_locator_equal(struct p2p_locator *locator, uint32_t bytes);

/* The piece of @bytes differs somewhere. */
void p2p_locator_differs(struct p2p_locator *locator, uint32_t bytes);

#endif
