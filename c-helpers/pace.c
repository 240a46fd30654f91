/* SPDX-License-Identifier: MIT */
#include "pace.h"

#include <time.h>

#define NS_PER_S	1000000000ull
#define NS_PER_MS	1000000ull
#define MAX_DELAY_MS	5000u
#define BURST_S		0.1	/* of the rate may be saved up */

uint64_t p2p_now(void)
{
	struct timespec time;

	clock_gettime(CLOCK_MONOTONIC, &time);
	return (uint64_t)time.tv_sec * NS_PER_S + (uint64_t)time.tv_nsec;
}

void p2p_nap(uint64_t nanoseconds)
{
	struct timespec time = {
		.tv_sec = (time_t)(nanoseconds / NS_PER_S),
		.tv_nsec = (long)(nanoseconds % NS_PER_S),
	};

	nanosleep(&time, NULL);
}

uint64_t p2p_retry_delay(uint32_t first_ms, uint32_t attempts)
{
	uint64_t delay = first_ms, most = first_ms > MAX_DELAY_MS ? first_ms : MAX_DELAY_MS;

	while (--attempts && delay && delay < most)
		delay *= 2;
	return (delay < most ? delay : most) * NS_PER_MS;
}

void p2p_bucket_fill(struct p2p_bucket *bucket, uint64_t rate, uint64_t now)
{
	const double most = (double)rate * BURST_S;

	bucket->bytes += (double)(now - bucket->filled_at) / NS_PER_S * (double)rate;
	bucket->filled_at = now;
	/* Without a limit there is no debt either, should one be set later. */
	if (!rate || bucket->bytes > most)
		bucket->bytes = most;
}

uint64_t p2p_bucket_wait(const struct p2p_bucket *bucket, uint64_t rate)
{
	if (!rate || bucket->bytes >= 0)
		return 0;
	/* Rounded up, and bounded: the caller looks again before long anyway. */
	return -bucket->bytes < (double)rate ? (uint64_t)(-bucket->bytes / (double)rate * NS_PER_S) + 1
					     : NS_PER_S;
}
