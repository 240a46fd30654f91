/* SPDX-License-Identifier: MIT */
#include "fixture.h"
#include "job.h"

#define GIB (1ull << 30)

static const struct p2p_extent one_extent = { 0, 0, 64 * 1024 };

/* Every case changes one thing in a sound job. */
struct change {
	const char *what;
	void (*apply)(struct fixture *fixture);
	int wanted;
};

static struct p2p_extent bent;

static void bend(struct fixture *fixture, uint64_t src, uint64_t dst, uint64_t length)
{
	bent = (struct p2p_extent){ src, dst, length };
	fixture->job.extents = (uint64_t)(uintptr_t)&bent;
}

#define CHANGE(name, statement)							\
	static void name(struct fixture *fixture)				\
	{									\
		struct p2p_pump_job *job = &fixture->job;			\
		(void)job;							\
		statement;							\
	}

CHANGE(nothing, (void)0)
CHANGE(wrong_abi, job->abi++)
CHANGE(unknown_flag, job->flags = 1u << 31)
CHANGE(known_flags, job->flags = P2P_PUMP_FIXED_BUFFERS | P2P_PUMP_STOP_ON_ERROR)
CHANGE(no_source, job->src_fd = -1)
CHANGE(no_destination, job->dst_fd = -1)
CHANGE(no_slots, job->slot_count = 0)
CHANGE(too_many_slots, job->slot_count = 4097)
CHANGE(chunk_zero, job->chunk_bytes = 0)
CHANGE(chunk_uneven, job->chunk_bytes = 4096 + 512)
CHANGE(chunk_huge, { job->chunk_bytes = 1u << 31; })
CHANGE(chunk_largest, { job->chunk_bytes = 1u << 30; })
CHANGE(block_zero, job->block_bytes = 0)
CHANGE(block_odd, { job->block_bytes = 4096 * 3; job->chunk_bytes = 4096 * 12; })
CHANGE(src_unaligned, bend(fixture, 512, 0, 4096))
CHANGE(dst_unaligned, bend(fixture, 0, 512, 4096))
CHANGE(length_unaligned, bend(fixture, 0, 0, 512))
CHANGE(src_wraps, bend(fixture, UINT64_MAX - 4095, 0, 8192))
CHANGE(dst_wraps, bend(fixture, 0, UINT64_MAX - 4095, 8192))
CHANGE(src_past_loff, bend(fixture, (1ull << 63) - 4096, 0, 8192))
CHANGE(src_at_loff, bend(fixture, (1ull << 63) - 4096, 0, 4096))
CHANGE(length_zero, bend(fixture, 4096, 8192, 0))
CHANGE(bitmap_small, job->bitmap_bytes--)
CHANGE(bitmap_null, job->bitmap = 0)
CHANGE(slots_null, job->slots = 0)
CHANGE(slot_null, fixture->slots[1] = 0)
CHANGE(slots_odd, job->slots += 4)
CHANGE(extents_null, job->extents = 0)
CHANGE(errors_null, job->errors = 0)
CHANGE(errors_null_unused, { job->errors = 0; job->error_capacity = 0; })
CHANGE(status_null, job->status = 0)
CHANGE(status_odd, job->status += 1)
CHANGE(nothing_to_copy, { job->extents = 0; job->extent_count = 0; job->bitmap = 0;
			  job->bitmap_bytes = 0; })

/* A sound job with NVMe commands in one direction, less what the rest of the line changes. */
#define COMMANDS(direction, ...)				\
	{							\
		struct p2p_namespace *space = &job->nvme[direction]; \
								\
		space->nsid = 1;				\
		space->lba_bytes = 512;				\
		space->base = 512;				\
		space->max_bytes = 8192;			\
		__VA_ARGS__;					\
	}
#define COMPARES(...)	COMMANDS(P2P_COMPARE, job->stages = P2P_STAGES_COMPARE; __VA_ARGS__)

CHANGE(priority_largest, job->io_priority = 65535)
CHANGE(priority_wide, job->io_priority = 65536)
CHANGE(reserved_used, job->reserved = 1)
CHANGE(stages_unknown, COMPARES(job->stages = 3))
CHANGE(compares, COMPARES())
CHANGE(copies_and_compares, COMPARES(job->stages = P2P_STAGES_COPY_COMPARE))
CHANGE(compare_no_fd, COMPARES(space->fd = -1))
CHANGE(compare_no_nsid, COMPARES(space->nsid = 0))
CHANGE(compare_lba_zero, COMPARES(space->lba_bytes = 0))
CHANGE(compare_lba_odd, COMPARES(space->lba_bytes = 520))
CHANGE(compare_lba_above_block, COMPARES(space->lba_bytes = 8192; space->max_bytes = 8192))
CHANGE(compare_base_unaligned, COMPARES(space->base = 100))
CHANGE(compare_max_zero, COMPARES(space->max_bytes = 0))
CHANGE(compare_max_uneven, COMPARES(space->max_bytes = 700))
CHANGE(compare_max_largest, COMPARES(space->max_bytes = 65536 * 512))
CHANGE(compare_max_below_chunk, COMPARES(space->max_bytes = 512))
CHANGE(reads, COMMANDS(P2P_READ, (void)space))
CHANGE(read_max_below_chunk, COMMANDS(P2P_READ, space->max_bytes = job->chunk_bytes - 512))
CHANGE(writes, COMMANDS(P2P_WRITE, (void)space))
CHANGE(write_no_fd, COMMANDS(P2P_WRITE, space->fd = -1))
CHANGE(write_base_unaligned, COMMANDS(P2P_WRITE, space->base = 100))
CHANGE(write_max_below_chunk, COMMANDS(P2P_WRITE, space->max_bytes = job->chunk_bytes - 512))
CHANGE(compare_max_wide, COMPARES(space->max_bytes = 65537 * 512))

static const struct change changes[] = {
	{ "a sound job", nothing, 0 },
	{ "abi", wrong_abi, -EINVAL },
	{ "unknown flag", unknown_flag, -EINVAL },
	{ "known flags", known_flags, 0 },
	{ "src_fd -1", no_source, -EINVAL },
	{ "dst_fd -1", no_destination, -EINVAL },
	{ "0 slots", no_slots, -EINVAL },
	{ "4097 slots", too_many_slots, -EINVAL },
	{ "chunk 0", chunk_zero, -EINVAL },
	{ "chunk not a multiple of block", chunk_uneven, -EINVAL },
	{ "chunk above 1 GiB", chunk_huge, -EINVAL },
	{ "chunk of 1 GiB", chunk_largest, 0 },
	{ "block 0", block_zero, -EINVAL },
	{ "block no power of two", block_odd, -EINVAL },
	{ "source offset unaligned", src_unaligned, -EINVAL },
	{ "destination offset unaligned", dst_unaligned, -EINVAL },
	{ "length unaligned", length_unaligned, -EINVAL },
	{ "source wraps", src_wraps, -EINVAL },
	{ "destination wraps", dst_wraps, -EINVAL },
	{ "source ends past 2^63", src_past_loff, -EINVAL },
	{ "source ends at 2^63", src_at_loff, 0 },
	{ "empty extent", length_zero, 0 },
	{ "bitmap too small", bitmap_small, -EINVAL },
	{ "no bitmap", bitmap_null, -EINVAL },
	{ "no slot array", slots_null, -EINVAL },
	{ "a slot at 0", slot_null, -EINVAL },
	{ "slot array unaligned", slots_odd, -EINVAL },
	{ "no extents but a count", extents_null, -EINVAL },
	{ "no error log but a capacity", errors_null, -EINVAL },
	{ "no error log, no capacity", errors_null_unused, 0 },
	{ "no status", status_null, -EINVAL },
	{ "status unaligned", status_odd, -EINVAL },
	{ "nothing to copy", nothing_to_copy, 0 },
	{ "priority of 16 bits", priority_largest, 0 },
	{ "priority of more", priority_wide, -EINVAL },
	{ "reserved field used", reserved_used, -EINVAL },
	{ "unknown stages", stages_unknown, -EINVAL },
	{ "comparing", compares, 0 },
	{ "copying and comparing", copies_and_compares, 0 },
	{ "compare_fd -1", compare_no_fd, -EINVAL },
	{ "nsid 0", compare_no_nsid, -EINVAL },
	{ "LBA 0", compare_lba_zero, -EINVAL },
	{ "LBA no power of two", compare_lba_odd, -EINVAL },
	{ "LBA above the block", compare_lba_above_block, -EINVAL },
	{ "partition inside an LBA", compare_base_unaligned, -EINVAL },
	{ "compare at most 0", compare_max_zero, -EINVAL },
	{ "compare at most half an LBA", compare_max_uneven, -EINVAL },
	{ "compare at most 65536 LBAs", compare_max_largest, 0 },
	{ "compare at most 65537 LBAs", compare_max_wide, -EINVAL },
	{ "compare less than a chunk at once", compare_max_below_chunk, 0 },
	{ "reads by command", reads, 0 },
	{ "a read carries less than a chunk", read_max_below_chunk, -EINVAL },
	{ "writes by command", writes, 0 },
	{ "writes by command to fd -1", write_no_fd, -EINVAL },
	{ "a partition for writes inside an LBA", write_base_unaligned, -EINVAL },
	{ "a write carries less than a chunk", write_max_below_chunk, -EINVAL },
};

static void judges_each_field(void)
{
	struct fixture fixture;
	char message[128];

	for (size_t i = 0; i < COUNT(changes); i++) {
		fixture_open(&fixture, &one_extent, 1, 4, 8192, 4096);
		changes[i].apply(&fixture);
		if (p2p_job_check(&fixture.job) != changes[i].wanted) {
			snprintf(message, sizeof(message), "case: %s", changes[i].what);
			kit_fail(__FILE__, __LINE__, message);
		}
		fixture_close(&fixture);
	}
	CHECK_EQ(p2p_job_check(NULL), -EINVAL);
}

static void counts_chunks(void)
{
	const struct p2p_extent few[] = {
		{ 0, 0, 0 }, { 0, 0, 1 }, { 0, 0, 4096 }, { 0, 0, 4097 }, { 0, 0, 1ull << 63 },
	};
	const struct p2p_extent many[] = {
		{ 0, 0, UINT64_MAX }, { 0, 0, 1 }, { 0, 0, UINT64_MAX },
	};

	CHECK_EQ(p2p_chunk_count(NULL, 0, 4096), 0);
	CHECK_EQ(p2p_chunk_count(few, 1, 4096), 0);
	CHECK_EQ(p2p_chunk_count(few, 4, 4096), 4);
	CHECK_EQ(p2p_chunk_count(few, 5, 4096), 4 + (1ull << 51));
	CHECK_EQ(p2p_chunk_count(few, 1, 0), UINT64_MAX);
	CHECK_EQ(p2p_chunk_count(NULL, 1, 4096), UINT64_MAX);
	CHECK_EQ(p2p_chunk_count(many, 3, 1), UINT64_MAX);
	CHECK_EQ(p2p_chunk_count(many, 3, UINT32_MAX), 4294967297ull * 2 + 1);
	CHECK_EQ(p2p_abi_version(), P2P_ABI_VERSION);
}

static void walks_far_extents(void)
{
	const struct p2p_extent extents[] = {
		{ 5 * GIB, 9 * GIB, 4 * GIB + 512 },
		{ 0, 0, 0 },
		{ (1ull << 63) - 1024, 1ull << 62, 1024 },
	};
	struct p2p_cursor cursor;
	struct p2p_chunk chunk;
	struct fixture fixture;

	fixture_open(&fixture, extents, COUNT(extents), 1, 1u << 20, 512);
	CHECK_EQ(chunk_count(&fixture), 4096 + 1 + 1);
	memset(fixture.bitmap, 0xff, 512);
	CHECK_EQ(p2p_job_check(&fixture.job), 0);

	p2p_cursor_init(&cursor, &fixture.job);
	CHECK(p2p_cursor_next(&cursor, &chunk));
	CHECK_EQ(chunk.index, 4096);
	CHECK_EQ(chunk.src_offset, 9 * GIB);
	CHECK_EQ(chunk.dst_offset, 13 * GIB);
	CHECK_EQ(chunk.length, 512);
	CHECK(p2p_cursor_next(&cursor, &chunk));
	CHECK_EQ(chunk.src_offset, (1ull << 63) - 1024);
	CHECK_EQ(chunk.dst_offset, 1ull << 62);
	CHECK_EQ(chunk.length, 1024);
	CHECK(!p2p_cursor_next(&cursor, &chunk));
	CHECK(!p2p_cursor_next(&cursor, &chunk));
	fixture_close(&fixture);
}

/* The plain way to say what the cursor must bring, chunk by chunk. */
static void compare_walk(const struct p2p_extent *extents, size_t count, struct fixture *fixture)
{
	const uint32_t chunk_bytes = fixture->job.chunk_bytes;
	struct p2p_cursor cursor;
	struct p2p_chunk chunk;
	uint64_t index = 0;

	p2p_cursor_init(&cursor, &fixture->job);
	for (size_t e = 0; e < count; e++) {
		for (uint64_t at = 0; at < extents[e].length; at += chunk_bytes, index++) {
			uint64_t rest = extents[e].length - at;

			if (bit_is_set(fixture, index))
				continue;
			CHECK(p2p_cursor_next(&cursor, &chunk));
			CHECK_EQ(chunk.index, index);
			CHECK_EQ(chunk.src_offset, extents[e].src_offset + at);
			CHECK_EQ(chunk.dst_offset, extents[e].dst_offset + at);
			CHECK_EQ(chunk.length, rest < chunk_bytes ? rest : chunk_bytes);
			/* As the pump does, though not so soon. */
			set_bit(fixture, index);
		}
	}
	CHECK(!p2p_cursor_next(&cursor, &chunk));
}

static void walks_like_the_plain_loop(void)
{
	struct p2p_extent extents[40];
	uint64_t seed = 42;
	struct fixture fixture;

	for (int round = 0; round < 500; round++) {
		size_t count = 1 + kit_below(&seed, COUNT(extents));
		uint64_t density = kit_below(&seed, 101), chunks;

		for (size_t e = 0; e < count; e++) {
			extents[e].src_offset = kit_below(&seed, 1u << 30) * 512;
			extents[e].dst_offset = kit_below(&seed, 1u << 30) * 512;
			extents[e].length = kit_below(&seed, 3) ? kit_below(&seed, 100) * 512 : 0;
		}
		fixture_open(&fixture, extents, count, 1, 1024, 512);
		chunks = chunk_count(&fixture);
		/* Single bits, or runs that fill words and end anywhere in one. */
		for (uint64_t i = 0; i < chunks; i++) {
			uint64_t run = round % 2 ? 1 : kit_below(&seed, 300);

			if (kit_below(&seed, 100) < density) {
				while (run-- && i < chunks)
					set_bit(&fixture, i++);
			}
		}
		compare_walk(extents, count, &fixture);
		fixture_close(&fixture);
	}
}

/* 2^27 chunks and one bit left: quick only if full words are skipped. */
static void skips_full_words(void)
{
	const struct p2p_extent extent = { 0, 0, 1ull << 39 };
	const uint64_t chunks = 1ull << 27;
	struct p2p_cursor cursor;
	struct p2p_chunk chunk;
	struct fixture fixture;

	fixture_open(&fixture, &extent, 1, 1, 4096, 4096);
	CHECK_EQ(chunk_count(&fixture), chunks);
	memset(fixture.bitmap, 0xff, fixture.job.bitmap_bytes);
	fixture.bitmap[fixture.job.bitmap_bytes - 2] = 0xbf;
	p2p_cursor_init(&cursor, &fixture.job);
	CHECK(p2p_cursor_next(&cursor, &chunk));
	CHECK_EQ(chunk.index, chunks - 10);
	CHECK_EQ(chunk.src_offset, (chunks - 10) * 4096);
	CHECK(!p2p_cursor_next(&cursor, &chunk));
	fixture_close(&fixture);
}

int main(void)
{
	static const struct kit_test tests[] = {
		{ "p2p_job_check() judges each field", judges_each_field },
		{ "p2p_chunk_count() counts, and says when it cannot", counts_chunks },
		{ "p2p_cursor_next() walks extents above 4 GiB", walks_far_extents },
		{ "p2p_cursor_next() walks like the plain loop", walks_like_the_plain_loop },
		{ "p2p_cursor_next() skips full words of the bitmap", skips_full_words },
	};

	return kit_main(tests, COUNT(tests));
}
