/* SPDX-License-Identifier: MIT */
/* A bench job with slots, result and histograms of its own, for tests to bend. */
#ifndef P2P_TESTS_BENCH_FIXTURE_H
#define P2P_TESTS_BENCH_FIXTURE_H

#include "bench.h"
#include "kit.h"

#define BENCH_CHUNK	4096u
#define BENCH_SLOTS	4u
#define MS		1000000ull

struct bench_fixture {
	struct p2p_bench_job job;
	struct p2p_bench_result result;
	uint64_t slots[BENCH_SLOTS];
	uint64_t histograms[P2P_BENCH_DIRECTIONS][P2P_BENCH_BUCKETS];
	uint8_t memory[BENCH_SLOTS][BENCH_CHUNK] __attribute__((aligned(BENCH_CHUNK)));
};

static struct bench_fixture bench;

static inline void bench_plan(enum p2p_bench_kind kind, uint64_t range_bytes)
{
	memset(&bench, 0, sizeof(bench));
	for (uint32_t i = 0; i < BENCH_SLOTS; i++)
		bench.slots[i] = (uint64_t)(uintptr_t)bench.memory[i];
	bench.job = (struct p2p_bench_job){
		.abi = P2P_ABI_VERSION,
		.kind = kind,
		.slot_count = BENCH_SLOTS,
		.chunk_bytes = BENCH_CHUNK,
		.slots = (uint64_t)(uintptr_t)bench.slots,
		.range_bytes = range_bytes,
		.time_ns = 10 * MS,
		.result = (uint64_t)(uintptr_t)&bench.result,
		.histograms = (uint64_t)(uintptr_t)bench.histograms,
	};
}

static inline uint64_t bench_recorded(enum p2p_direction direction)
{
	uint64_t sum = 0;

	for (uint32_t i = 0; i < P2P_BENCH_BUCKETS; i++)
		sum += bench.histograms[direction][i];
	return sum;
}

#endif
