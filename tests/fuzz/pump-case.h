/* SPDX-License-Identifier: MIT */
/*
 * A pump job made of fuzzer input: mostly sound, sometimes spoiled in a way
 * that the pump has to refuse, and never one that breaks the caller's part of
 * the contract (arrays as long as it says). After the run: what must hold
 * whatever happened.
 */
#ifndef P2P_FUZZ_PUMP_CASE_H
#define P2P_FUZZ_PUMP_CASE_H

#include <sys/mman.h>

#include "job.h"
#include "kit.h"

#define DEVICE_BYTES	(64u * 1024)
#define CANARY		0x5a
#define CANARY_BYTES	4096u
#define MAX_EXTENTS	4u
#define UNTOUCHED	0xa5

/* Where the data are to be found for a look from outside. */
struct device_pair {
	const uint8_t *source;
	const uint8_t *destination;
	uint64_t base;	/* offset of their first byte */
};

struct pump_case {
	struct p2p_pump_job job;
	struct p2p_pump_status *status;
	struct p2p_extent *extents;
	struct p2p_pump_error *errors;
	uint64_t *slots;
	uint8_t *bitmap, *bitmap_before;
	uint8_t *cpus;
	uint8_t *memory;	/* of the slots, each between canaries */
	size_t memory_bytes;
	bool is_spoiled;
};

static inline uint64_t pick_offset(struct input *input, uint32_t block, uint64_t length)
{
	uint64_t blocks = (DEVICE_BYTES - length) / block;

	return take_below(input, blocks + 1) * block;
}

static inline void make_extents(struct input *input, struct pump_case *test, uint64_t base)
{
	const uint32_t block = test->job.block_bytes;

	test->job.extent_count = take_below(input, MAX_EXTENTS + 1);
	test->extents = make_array(test->job.extent_count, sizeof(*test->extents));
	for (uint64_t i = 0; i < test->job.extent_count; i++) {
		uint64_t length = take_below(input, DEVICE_BYTES / block + 1) * block;

		test->extents[i] = (struct p2p_extent){
			.src_offset = base + pick_offset(input, block, length),
			.dst_offset = base + pick_offset(input, block, length),
			.length = length,
		};
	}
	test->job.extents = address_of(test->extents);
}

static inline void make_bitmap(struct input *input, struct pump_case *test)
{
	uint64_t chunks = p2p_chunk_count(test->extents, test->job.extent_count,
					  test->job.chunk_bytes);
	uint64_t seed = take_bytes(input, 2) * 2 + 1;

	test->job.bitmap_bytes = (chunks + 7) / 8;
	test->bitmap = make_array(test->job.bitmap_bytes, 1);
	test->bitmap_before = make_array(test->job.bitmap_bytes, 1);
	if (take_chance(input, 40)) {
		for (uint64_t i = 0; i < test->job.bitmap_bytes; i++)
			test->bitmap[i] = (uint8_t)(kit_random(&seed) >> 32);
	}
	memcpy(test->bitmap_before, test->bitmap, test->job.bitmap_bytes);
	test->job.bitmap = address_of(test->bitmap);
}

static inline uint64_t slot_stride(const struct pump_case *test)
{
	return (test->job.chunk_bytes + 4095) / 4096 * 4096 + CANARY_BYTES;
}

static inline void make_slots(struct pump_case *test)
{
	const uint64_t stride = slot_stride(test);

	test->slots = make_array(test->job.slot_count, sizeof(*test->slots));
	test->memory_bytes = CANARY_BYTES + stride * test->job.slot_count;
	test->memory = mmap(NULL, test->memory_bytes, PROT_READ | PROT_WRITE,
			    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	MUST(test->memory != MAP_FAILED);
	memset(test->memory, CANARY, test->memory_bytes);
	for (uint32_t i = 0; i < test->job.slot_count; i++)
		test->slots[i] = address_of(test->memory) + CANARY_BYTES + i * stride;
	test->job.slots = address_of(test->slots);
}

static inline void make_compare(struct input *input, struct p2p_pump_job *job)
{
	uint32_t lba = job->block_bytes >> take_below(input, 3);

	job->stages = (uint32_t)take_below(input, 3);
	job->nvme[P2P_COMPARE].fd = job->dst_fd;
	job->nvme[P2P_COMPARE].nsid = 1;
	job->nvme[P2P_COMPARE].lba_bytes = lba < 512 ? 512 : lba;
	job->nvme[P2P_COMPARE].base = take_below(input, 5) * job->nvme[P2P_COMPARE].lba_bytes;
	job->nvme[P2P_COMPARE].max_bytes = (uint32_t)(1 + take_below(input, 64)) * job->nvme[P2P_COMPARE].lba_bytes;
}

/* Reads or writes as NVMe commands, which a file refuses; devices in memory do not tell them apart. */
static inline void make_commands(struct input *input, struct p2p_pump_job *job)
{
	const enum p2p_direction direction = take_chance(input, 50) ? P2P_READ : P2P_WRITE;

	if (take_chance(input, 90))
		return;
	job->nvme[direction] = (struct p2p_namespace){
		.fd = direction == P2P_READ ? job->src_fd : job->dst_fd,
		.nsid = 1,
		.lba_bytes = 512,
		.base = take_below(input, 5) * 512,
		.max_bytes = job->chunk_bytes + (uint32_t)take_below(input, 8) * 512,
	};
}

static inline void make_cpus(struct input *input, struct pump_case *test)
{
	test->job.cpu_bytes = take_chance(input, 10) ? take_below(input, 256) : 0;
	test->cpus = make_array(test->job.cpu_bytes, 1);
	for (uint64_t i = 0; i < test->job.cpu_bytes; i++)
		test->cpus[i] = (uint8_t)take_bytes(input, 1);
	test->job.cpus = address_of(test->cpus);
}

/* One thing that a sound job never has; some numbers happen to be sound after all. */
static inline void spoil(struct input *input, struct pump_case *test)
{
	struct p2p_pump_job *job = &test->job;
	const uint64_t number = take_number(input);

	test->is_spoiled = true;
	switch (take_below(input, 20)) {
	case 0: job->abi = (uint32_t)number; break;
	case 1: job->flags = (uint32_t)number; break;
	case 2: job->src_fd = -1 - (int32_t)(number & INT32_MAX); break;
	case 3: job->dst_fd = -1 - (int32_t)(number & INT32_MAX); break;
	case 4: job->slot_count = number & 1 ? 0 : P2P_MAX_SLOTS + 1 + (uint32_t)(number >> 33); break;
	case 5: job->chunk_bytes = number & 1 ? 0 : P2P_MAX_CHUNK_BYTES + 1 + (uint32_t)(number >> 34); break;
	case 6: job->chunk_bytes += 1 + (uint32_t)(number % 511); break;
	case 7: job->block_bytes = (uint32_t)number | 3; break;
	case 8: job->slots = number & 1 ? 0 : job->slots + 4; break;
	case 9: test->slots[number % job->slot_count] = 0; break;
	case 10: job->status = number & 1 ? 0 : job->status + 1; break;
	case 11: job->bitmap_bytes = job->bitmap_bytes ? number % job->bitmap_bytes : 0; break;
	case 12: job->extents = number & 1 ? 0 : job->extents + 2; break;
	case 13: job->errors = number & 1 ? 0 : job->errors + 4; break;
	case 14: job->stages = (uint32_t)number; break;
	case 15: job->io_priority = (uint32_t)number | 1u << 16; break;
	case 16: job->reserved = (uint32_t)number; break;
	case 17: job->cpus = job->cpu_bytes ? 0 : job->cpus; break;
	case 18: (&job->nvme[take_below(input, P2P_DIRECTIONS)].nsid)[number % 2] = take_number(input) & UINT32_MAX; break;
	case 19:
		if (job->extent_count)
			(&test->extents->src_offset)[number % (3 * job->extent_count)] = take_number(input);
		break;
	}
}

/* The descriptors are the target's. */
static inline void case_open(struct input *input, struct pump_case *test, uint64_t base, int src, int dst)
{
	uint32_t block = 512u << take_below(input, 4);

	*test = (struct pump_case){ .job = {
		.abi = P2P_ABI_VERSION,
		.flags = (uint32_t)take_below(input, 8),
		.src_fd = src,
		.dst_fd = dst,
		.slot_count = (uint32_t)(1 + take_below(input, 8)),
		.chunk_bytes = block * (uint32_t)(1 + take_below(input, 8)),
		.block_bytes = block,
		.retries = (uint32_t)take_below(input, 4),
		.error_capacity = take_below(input, 5),
	} };
	make_extents(input, test, base);
	make_bitmap(input, test);
	make_slots(test);
	make_compare(input, &test->job);
	make_commands(input, &test->job);
	make_cpus(input, test);
	test->status = make_array(1, sizeof(*test->status));
	test->errors = make_array(test->job.error_capacity, sizeof(*test->errors));
	test->job.status = address_of(test->status);
	test->job.errors = address_of(test->errors);
	if (take_chance(input, 20))
		spoil(input, test);
}

static inline void case_close(struct pump_case *test)
{
	munmap(test->memory, test->memory_bytes);
	free(test->slots);
	free(test->extents);
	free(test->errors);
	free(test->status);
	free(test->bitmap);
	free(test->bitmap_before);
	free(test->cpus);
}

static inline bool has_bit(const uint8_t *bitmap, uint64_t bit)
{
	return bitmap[bit / 8] & 1u << bit % 8;
}

static inline void check_canaries(const struct pump_case *test)
{
	const uint64_t stride = slot_stride(test);
	const uint8_t *canary = test->memory;

	for (uint32_t i = 0; i <= test->job.slot_count; i++, canary += stride)
		CHECK(*canary == CANARY && !memcmp(canary, canary + 1, CANARY_BYTES - 1));
}

static inline void check_bitmap(const struct pump_case *test)
{
	uint64_t chunks = p2p_chunk_count(test->extents, test->job.extent_count,
					  test->job.chunk_bytes);
	uint64_t fresh = 0;

	for (uint64_t bit = 0; bit < test->job.bitmap_bytes * 8; bit++) {
		CHECK(!has_bit(test->bitmap_before, bit) || has_bit(test->bitmap, bit));
		if (has_bit(test->bitmap, bit) && !has_bit(test->bitmap_before, bit)) {
			CHECK(bit < chunks);
			fresh++;
		}
	}
	CHECK(fresh == test->status->chunks_done);
}

static inline void check_errors(const struct pump_case *test)
{
	CHECK(test->status->errors_logged <= test->job.error_capacity);
	for (uint64_t i = 0; i < test->status->errors_logged; i++) {
		const struct p2p_pump_error *error = &test->errors[i];

		CHECK(error->length && error->length <= test->job.chunk_bytes);
		CHECK(error->error > 0 && error->direction < P2P_DIRECTIONS);
		CHECK(!has_bit(test->bitmap, error->chunk));
	}
}

static inline bool is_all_done(const struct pump_case *test)
{
	uint64_t chunks = p2p_chunk_count(test->extents, test->job.extent_count,
					  test->job.chunk_bytes);

	for (uint64_t bit = 0; bit < chunks; bit++) {
		if (!has_bit(test->bitmap, bit))
			return false;
	}
	return true;
}

static inline bool do_meet(uint64_t one, uint64_t other, uint64_t one_bytes, uint64_t other_bytes)
{
	return one < other + other_bytes && other < one + one_bytes;
}

static inline bool is_alone(const struct pump_case *test, uint64_t index)
{
	const struct p2p_extent *one = &test->extents[index];

	for (uint64_t i = 0; i < test->job.extent_count; i++) {
		const struct p2p_extent *other = &test->extents[i];

		if (i != index && do_meet(one->dst_offset, other->dst_offset, one->length, other->length))
			return false;
	}
	return true;
}

/* A chunk whose bit this run has set is on the destination, unless another extent writes there, too. */
static inline void check_data(const struct pump_case *test, const struct device_pair *devices)
{
	const uint32_t chunk_bytes = test->job.chunk_bytes;
	uint64_t bit = 0;

	for (uint64_t i = 0; i < test->job.extent_count; i++) {
		const struct p2p_extent *extent = &test->extents[i];
		const bool alone = is_alone(test, i);

		for (uint64_t at = 0; at < extent->length; at += chunk_bytes, bit++) {
			uint64_t rest = extent->length - at;

			if (!alone || !has_bit(test->bitmap, bit) || has_bit(test->bitmap_before, bit))
				continue;
			CHECK(!memcmp(devices->source + (extent->src_offset - devices->base) + at,
				      devices->destination + (extent->dst_offset - devices->base) + at,
				      rest < chunk_bytes ? rest : chunk_bytes));
		}
	}
}

/* What no extent covers is as it was. */
static inline void check_untouched(const struct pump_case *test, const struct device_pair *devices)
{
	static uint8_t rest[DEVICE_BYTES];

	memcpy(rest, devices->destination, DEVICE_BYTES);
	for (uint64_t i = 0; i < test->job.extent_count; i++)
		memset(rest + (test->extents[i].dst_offset - devices->base), UNTOUCHED,
		       test->extents[i].length);
	CHECK(*rest == UNTOUCHED && !memcmp(rest, rest + 1, DEVICE_BYTES - 1));
}

/*
 * @devices: where the data are; NULL where the destination began equal to the
 * source or misbehaves on purpose
 */
static inline void case_check(const struct pump_case *test, int result,
			      const struct device_pair *devices)
{
	if (result == -EINVAL) {
		CHECK(test->is_spoiled);
		CHECK(!memcmp(test->bitmap, test->bitmap_before, test->job.bitmap_bytes));
		return;
	}
	CHECK(!test->status->in_flight && !test->status->chunks_waiting);
	check_canaries(test);
	check_bitmap(test);
	check_errors(test);
	if (!result)
		CHECK(is_all_done(test));
	if (devices && !test->is_spoiled) {
		check_data(test, devices);
		if (test->job.stages != P2P_STAGES_COMPARE)
			check_untouched(test, devices);
	}
}

#endif
