/* SPDX-License-Identifier: MIT */
/* When the pump may go on: its clock, the delay before another try, the rate limit. */
#ifndef P2P_PACE_H
#define P2P_PACE_H

#include <stdint.h>

/* Nanoseconds of CLOCK_MONOTONIC. */
uint64_t p2p_now(void);

void p2p_nap(uint64_t nanoseconds);

/*
 * Delay before another try, after @attempts of them (from 1): @first_ms,
 * doubled with each, at most 5 s or @first_ms where that is more.
 * Return: nanoseconds.
 */
uint64_t p2p_retry_delay(uint32_t first_ms, uint32_t attempts);

/*
 * A token bucket that may be overdrawn by one chunk, so that a chunk larger
 * than what flows in meanwhile is only late, not impossible.
 */
struct p2p_bucket {
	double bytes;		/* below 0: a debt that holds the next chunk back */
	uint64_t filled_at;	/* p2p_now() */
};

/* Lets in what @rate (bytes a second; 0: no limit) has brought since the last call. */
void p2p_bucket_fill(struct p2p_bucket *bucket, uint64_t rate, uint64_t now);

/* Return: nanoseconds until the next chunk may start; 0: now. */
uint64_t p2p_bucket_wait(const struct p2p_bucket *bucket, uint64_t rate);

static inline void p2p_bucket_take(struct p2p_bucket *bucket, uint32_t bytes)
{
	bucket->bytes -= bytes;
}

#endif
