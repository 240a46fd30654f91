/* SPDX-License-Identifier: MIT */
/* What the pump knows about its job before any I/O: is it sound, which chunk is next. */
#ifndef P2P_JOB_H
#define P2P_JOB_H

#include <stdbool.h>
#include <stdint.h>

#include "p2pdma.h"

#define P2P_MAX_SLOTS		4096u
#define P2P_MAX_CHUNK_BYTES	(1u << 30)

struct p2p_chunk {
	uint64_t index;		/* in the bitmap */
	uint64_t src_offset;	/* bytes */
	uint64_t dst_offset;
	uint32_t length;	/* bytes, at most the job's chunk_bytes */
};

/* Walks the chunks whose bits are clear, each once, in order. */
struct p2p_cursor {
	const struct p2p_extent *extents;
	const uint8_t *bitmap;
	uint64_t chunk_count;
	uint64_t next;		/* first chunk not looked at yet */
	uint64_t extent;	/* the extent that chunk may lie in, or a later one */
	uint64_t extent_first;	/* first chunk of that extent */
	uint32_t chunk_bytes;
};

static inline bool p2p_is_power_of_two(uint32_t value)
{
	return value && !(value & (value - 1));
}

static inline uint64_t p2p_status_get(const uint64_t *field)
{
	return __atomic_load_n(field, __ATOMIC_RELAXED);
}

/* Fields of the status have one writer, so load and store need not be one step. */
static inline void p2p_status_set(uint64_t *field, uint64_t value)
{
	__atomic_store_n(field, value, __ATOMIC_RELAXED);
}

static inline uint64_t p2p_status_add(uint64_t *field, uint64_t value)
{
	value += p2p_status_get(field);
	p2p_status_set(field, value);
	return value;
}

/* Return: 0, or -EINVAL for a job that makes no sense. */
int p2p_job_check(const struct p2p_pump_job *job);

void p2p_cursor_init(struct p2p_cursor *cursor, const struct p2p_pump_job *job);

/* Return: false when no chunk is left. */
bool p2p_cursor_has_next(struct p2p_cursor *cursor);
bool p2p_cursor_next(struct p2p_cursor *cursor, struct p2p_chunk *chunk);

#endif
