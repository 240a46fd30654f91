/* SPDX-License-Identifier: MIT */
/* Two devices in memory behind fake-ring.c, and a plain job over them. */
#ifndef P2P_TESTS_DEVICES_H
#define P2P_TESTS_DEVICES_H

#include "fake-ring.h"
#include "fixture.h"

#define DEVICE_BYTES	(256u * 1024)
#define CHUNK		4096u
#define BLOCK		512u
#define UNTOUCHED	0xa5

static uint8_t source[DEVICE_BYTES], destination[DEVICE_BYTES];

static inline void plan_devices(uint64_t seed, uint64_t base)
{
	fake_plan = (struct fake_plan){
		.seed = seed,
		.source = source,
		.destination = destination,
		.bytes = DEVICE_BYTES,
		.base = base,
		.block_bytes = BLOCK,
	};
	kit_fill(source, sizeof(source), seed + 1);
	memset(destination, UNTOUCHED, sizeof(destination));
}

/* 16 chunks of 4 KiB, straight, in 4 slots. */
static const struct p2p_extent straight = { 0, 0, 16 * CHUNK };

static inline void open_straight(struct fixture *fixture, uint64_t seed)
{
	plan_devices(seed, 0);
	fixture_open(fixture, &straight, 1, 4, CHUNK, BLOCK);
}

/* Every chunk is either copied with its bit set or, bit clear, of no interest. */
static inline void check_straight(const struct fixture *fixture)
{
	for (uint64_t i = 0; i < 16; i++) {
		if (bit_is_set(fixture, i))
			CHECK(!memcmp(destination + i * CHUNK, source + i * CHUNK, CHUNK));
	}
	CHECK_EQ(fixture->status.in_flight, 0);
	CHECK_EQ(fake_seen.pending, 0);
	CHECK(fake_seen.closed);
}

static inline bool is_untouched(uint64_t at, uint64_t length)
{
	for (uint64_t i = at; i < at + length; i++) {
		if (destination[i] != UNTOUCHED)
			return false;
	}
	return true;
}

#endif
