/* SPDX-License-Identifier: MIT */
#include "job.h"

#include <errno.h>
#include <string.h>

/* One past the last byte that a file or device can have: loff_t is signed. */
#define MAX_END (1ull << 63)

uint32_t p2p_abi_version(void)
{
	return P2P_ABI_VERSION;
}

static uint64_t chunks_in(uint64_t length, uint32_t chunk_bytes)
{
	return length / chunk_bytes + (length % chunk_bytes != 0);
}

uint64_t p2p_chunk_count(const struct p2p_extent *extents, uint64_t extent_count,
			 uint32_t chunk_bytes)
{
	uint64_t count = 0;

	if (!chunk_bytes || (!extents && extent_count))
		return UINT64_MAX;

	for (uint64_t i = 0; i < extent_count; i++) {
		if (__builtin_add_overflow(count, chunks_in(extents[i].length, chunk_bytes), &count))
			return UINT64_MAX;
	}
	return count;
}

static bool is_array(uint64_t address, uint64_t count)
{
	return (address || !count) && address % sizeof(uint64_t) == 0;
}

static bool check_sizes(const struct p2p_pump_job *job)
{
	return p2p_is_power_of_two(job->block_bytes) && job->chunk_bytes &&
	       job->chunk_bytes <= P2P_MAX_CHUNK_BYTES &&
	       job->chunk_bytes % job->block_bytes == 0 && job->slot_count &&
	       job->slot_count <= P2P_MAX_SLOTS;
}

static bool check_addresses(const struct p2p_pump_job *job)
{
	const uint64_t *slots = (const uint64_t *)(uintptr_t)job->slots;

	if (!is_array(job->slots, job->slot_count) || !is_array(job->status, 1) ||
	    !is_array(job->extents, job->extent_count) ||
	    !is_array(job->errors, job->error_capacity) || (!job->bitmap && job->bitmap_bytes) ||
	    (!job->cpus && job->cpu_bytes))
		return false;

	for (uint32_t i = 0; i < job->slot_count; i++) {
		if (!slots[i])
			return false;
	}
	return true;
}

static bool check_range(uint64_t offset, uint64_t length, uint32_t block_bytes)
{
	return offset % block_bytes == 0 && offset <= MAX_END && length <= MAX_END - offset;
}

static bool check_extents(const struct p2p_pump_job *job)
{
	const struct p2p_extent *extents = (const struct p2p_extent *)(uintptr_t)job->extents;

	for (uint64_t i = 0; i < job->extent_count; i++) {
		const struct p2p_extent *extent = &extents[i];

		if (extent->length % job->block_bytes ||
		    !check_range(extent->src_offset, extent->length, job->block_bytes) ||
		    !check_range(extent->dst_offset, extent->length, job->block_bytes))
			return false;
	}
	return true;
}

static bool check_bitmap(const struct p2p_pump_job *job)
{
	uint64_t chunks = p2p_chunk_count((const struct p2p_extent *)(uintptr_t)job->extents,
					  job->extent_count, job->chunk_bytes);

	return chunks != UINT64_MAX && chunks_in(chunks, 8) <= job->bitmap_bytes;
}

/* A command has 16 bits for its number of LBAs, less one. */
static bool check_namespace(const struct p2p_pump_job *job, enum p2p_direction direction)
{
	const struct p2p_namespace *space = &job->nvme[direction];
	const uint32_t lba = space->lba_bytes, most = space->max_bytes;

	return space->fd >= 0 && p2p_is_power_of_two(lba) && lba <= job->block_bytes &&
	       check_range(space->base, 0, lba) && most && most % lba == 0 &&
	       most / lba <= UINT16_MAX + 1u &&
	       (direction == P2P_COMPARE || most >= job->chunk_bytes);
}

static bool check_namespaces(const struct p2p_pump_job *job)
{
	if (job->stages > P2P_STAGES_COMPARE ||
	    (job->stages != P2P_STAGES_COPY && !job->nvme[P2P_COMPARE].nsid))
		return false;
	for (int i = 0; i < P2P_DIRECTIONS; i++) {
		if (job->nvme[i].nsid && !check_namespace(job, (enum p2p_direction)i))
			return false;
	}
	return true;
}

int p2p_job_check(const struct p2p_pump_job *job)
{
	const uint32_t known = P2P_PUMP_FIXED_BUFFERS | P2P_PUMP_STOP_ON_ERROR |
			       P2P_PUMP_COMPARE_IOCTL;

	if (!job || job->abi != P2P_ABI_VERSION || job->flags & ~known || job->src_fd < 0 ||
	    job->dst_fd < 0 || job->io_priority > UINT16_MAX || job->reserved)
		return -EINVAL;
	if (!check_sizes(job) || !check_addresses(job) || !check_extents(job) ||
	    !check_bitmap(job) || !check_namespaces(job))
		return -EINVAL;
	return 0;
}

void p2p_cursor_init(struct p2p_cursor *cursor, const struct p2p_pump_job *job)
{
	*cursor = (struct p2p_cursor){
		.extents = (const struct p2p_extent *)(uintptr_t)job->extents,
		.bitmap = (const uint8_t *)(uintptr_t)job->bitmap,
		.chunk_bytes = job->chunk_bytes,
	};
	cursor->chunk_count = p2p_chunk_count(cursor->extents, job->extent_count, job->chunk_bytes);
}

/* First clear bit at or after @from, or @end. Full words are skipped: a resumed copy has many. */
static uint64_t find_clear_bit(const uint8_t *bitmap, uint64_t from, uint64_t end)
{
	uint64_t word;

	while (from < end) {
		if (from % 64 == 0 && end - from >= 64) {
			memcpy(&word, bitmap + from / 8, sizeof(word));
			if (word == UINT64_MAX) {
				from += 64;
				continue;
			}
		}
		if (!(bitmap[from / 8] & (1u << from % 8)))
			return from;
		from++;
	}
	return end;
}

bool p2p_cursor_has_next(struct p2p_cursor *cursor)
{
	cursor->next = find_clear_bit(cursor->bitmap, cursor->next, cursor->chunk_count);
	return cursor->next < cursor->chunk_count;
}

bool p2p_cursor_next(struct p2p_cursor *cursor, struct p2p_chunk *chunk)
{
	const struct p2p_extent *extent;
	uint64_t index, chunks, offset, rest;

	if (!p2p_cursor_has_next(cursor))
		return false;
	index = cursor->next++;

	extent = &cursor->extents[cursor->extent];
	for (;;) {
		chunks = chunks_in(extent->length, cursor->chunk_bytes);
		if (index - cursor->extent_first < chunks)
			break;
		cursor->extent_first += chunks;
		cursor->extent++;
		extent++;
	}

	offset = (index - cursor->extent_first) * cursor->chunk_bytes;
	rest = extent->length - offset;
	*chunk = (struct p2p_chunk){
		.index = index,
		.src_offset = extent->src_offset + offset,
		.dst_offset = extent->dst_offset + offset,
		.length = rest < cursor->chunk_bytes ? (uint32_t)rest : cursor->chunk_bytes,
	};
	return true;
}
