/* SPDX-License-Identifier: MIT */
/* A pump job with slots, bitmap, error log and status of its own, for tests to bend. */
#ifndef P2P_TESTS_FIXTURE_H
#define P2P_TESTS_FIXTURE_H

#include <sys/mman.h>

#include "kit.h"
#include "p2pdma.h"

struct fixture {
	struct p2p_pump_job job;
	struct p2p_pump_status status;
	uint8_t *memory;	/* of all slots */
	size_t memory_bytes;
	uint64_t *slots;
	uint8_t *bitmap;
	struct p2p_pump_error *errors;
};

#define FIXTURE_ERRORS 256

static inline bool bit_is_set(const struct fixture *fixture, uint64_t chunk)
{
	return fixture->bitmap[chunk / 8] & (1u << chunk % 8);
}

static inline void set_bit(struct fixture *fixture, uint64_t chunk)
{
	fixture->bitmap[chunk / 8] |= (uint8_t)(1u << chunk % 8);
}

static inline uint64_t chunk_count(const struct fixture *fixture)
{
	return p2p_chunk_count((const struct p2p_extent *)(uintptr_t)fixture->job.extents,
			       fixture->job.extent_count, fixture->job.chunk_bytes);
}

static inline void fixture_use_memory(struct fixture *fixture, void *memory)
{
	fixture->memory = memory;
	for (uint32_t i = 0; i < fixture->job.slot_count; i++)
		fixture->slots[i] =
			(uint64_t)(uintptr_t)memory + (uint64_t)i * fixture->job.chunk_bytes;
}

/* The descriptors are left to the caller; the extents stay the caller's. */
static inline void fixture_open(struct fixture *fixture, const struct p2p_extent *extents,
				uint64_t extent_count, uint32_t slot_count, uint32_t chunk_bytes,
				uint32_t block_bytes)
{
	struct p2p_pump_job *job = &fixture->job;

	*fixture = (struct fixture){ .memory_bytes = (size_t)slot_count * chunk_bytes };
	*job = (struct p2p_pump_job){
		.abi = P2P_ABI_VERSION,
		.slot_count = slot_count,
		.chunk_bytes = chunk_bytes,
		.block_bytes = block_bytes,
		.extents = (uint64_t)(uintptr_t)extents,
		.extent_count = extent_count,
		.error_capacity = FIXTURE_ERRORS,
		.status = (uint64_t)(uintptr_t)&fixture->status,
	};
	job->bitmap_bytes = (chunk_count(fixture) + 7) / 8;
	fixture->bitmap = calloc(job->bitmap_bytes + 1, 1);
	fixture->slots = calloc(slot_count, sizeof(uint64_t));
	fixture->errors = calloc(FIXTURE_ERRORS, sizeof(struct p2p_pump_error));
	MUST(fixture->bitmap && fixture->slots && fixture->errors);
	job->bitmap = (uint64_t)(uintptr_t)fixture->bitmap;
	job->slots = (uint64_t)(uintptr_t)fixture->slots;
	job->errors = (uint64_t)(uintptr_t)fixture->errors;

	fixture_use_memory(fixture, mmap(NULL, fixture->memory_bytes, PROT_READ | PROT_WRITE,
					 MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
	MUST(fixture->memory != MAP_FAILED);
}

static inline void fixture_close(struct fixture *fixture)
{
	munmap(fixture->memory, fixture->memory_bytes);
	free(fixture->bitmap);
	free(fixture->slots);
	free(fixture->errors);
}

/* The record of @chunk in the error log, or NULL. */
static inline const struct p2p_pump_error *find_error(const struct fixture *fixture, uint64_t chunk)
{
	for (uint64_t i = 0; i < fixture->status.errors_logged; i++) {
		if (fixture->errors[i].chunk == chunk)
			return &fixture->errors[i];
	}
	return NULL;
}

#endif
