/* SPDX-License-Identifier: MIT */
/* What a measured request time counts as. */
#ifndef P2P_BENCH_H
#define P2P_BENCH_H

#include <stdint.h>

#include "p2pdma.h"

#define P2P_BENCH_LINEAR_BITS	11	/* values of so many bits have a bucket each */
#define P2P_BENCH_MAX_NS	((1ull << 42) - 1)

/* Return: the bucket's index, see P2P_BENCH_BUCKETS. */
static inline uint32_t p2p_bench_bucket(uint64_t ns)
{
	uint64_t value = ns < P2P_BENCH_MAX_NS ? ns : P2P_BENCH_MAX_NS;
	uint32_t bits = 64 - (uint32_t)__builtin_clzll(value | 1);
	uint32_t shift = bits > P2P_BENCH_LINEAR_BITS ? bits - P2P_BENCH_LINEAR_BITS : 0;

	return (shift << (P2P_BENCH_LINEAR_BITS - 1)) + (uint32_t)(value >> shift);
}

#endif
