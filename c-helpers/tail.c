/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <unistd.h>

#include "job.h"

/* One side's bytes: a few whole blocks of its file or device, and where they go in memory. */
struct span {
	int fd;
	uint64_t offset;	/* multiple of block_bytes */
	uint32_t length;	/* multiple of block_bytes */
	uint32_t block_bytes;
	uint64_t address;
};

static uint32_t round_down(uint32_t value, uint32_t block_bytes)
{
	return value & ~(block_bytes - 1);
}

static uint32_t round_up(uint32_t value, uint32_t block_bytes)
{
	return round_down(value + block_bytes - 1, block_bytes);
}

/*
 * Moves the span, going on after short transfers from the last whole block, as
 * O_DIRECT wants it, and ending when two in a row brought nothing new: a file
 * ends there. Bytes moved, also of a broken block, go to @moved.
 */
static int transfer(const struct span *span, enum p2p_direction direction, uint32_t *moved)
{
	uint32_t reached = 0;
	int stalls = 0;

	while (reached < span->length && stalls < 2) {
		uint32_t start = round_down(reached, span->block_bytes);
		void *memory = (void *)(uintptr_t)(span->address + start);
		size_t length = span->length - start;
		off_t offset = (off_t)(span->offset + start);
		ssize_t ret = direction == P2P_READ ? pread(span->fd, memory, length, offset) :
						      pwrite(span->fd, memory, length, offset);

		if (ret < 0 && errno == EINTR)
			continue;
		if (ret < 0)
			return -errno;
		stalls = start + (uint32_t)ret > reached ? 0 : stalls + 1;
		if (!stalls)
			reached = start + (uint32_t)ret;
	}
	*moved = reached;
	return 0;
}

/*
 * The slots may be device memory: plain loads and stores of 1 or 8 bytes, in
 * order, each address once, which memcpy() and memset() do not promise.
 */
static void copy_bytes(uint64_t to, uint64_t from, uint32_t length)
{
	uint32_t i = 0;

	if (to % 8 == 0 && from % 8 == 0) {
		for (; length - i >= 8; i += 8)
			*(volatile uint64_t *)(uintptr_t)(to + i) =
				*(const volatile uint64_t *)(uintptr_t)(from + i);
	}
	for (; i < length; i++)
		*(volatile uint8_t *)(uintptr_t)(to + i) =
			*(const volatile uint8_t *)(uintptr_t)(from + i);
}

static void zero_bytes(uint64_t to, uint32_t length)
{
	for (uint32_t i = 0; i < length; i++)
		*(volatile uint8_t *)(uintptr_t)(to + i) = 0;
}

/* Reads the block of @dst that the tail replaces in part, zeros behind the file's end. */
static int read_last_block(const struct span *dst, uint32_t length)
{
	uint32_t start = round_down(length, dst->block_bytes), got;
	struct span last = *dst;
	int ret;

	if (start == length)
		return 0;
	last.offset += start;
	last.address += start;
	last.length = dst->block_bytes;
	ret = transfer(&last, P2P_READ, &got);
	if (!ret)
		zero_bytes(last.address + got, last.length - got);
	return ret;
}

static bool is_span(const struct span *span)
{
	return span->fd >= 0 && span->address && span->offset % span->block_bytes == 0 &&
	       span->offset <= (uint64_t)INT64_MAX - span->length;
}

static bool do_overlap(uint64_t one, uint64_t other, uint32_t length)
{
	return one < other ? other - one < length : one - other < length;
}

int p2p_copy_tail(int src_fd, int dst_fd, uint64_t src_offset, uint64_t dst_offset,
		  uint32_t length, uint32_t src_block, uint32_t dst_block, uint64_t src_slot,
		  uint64_t dst_slot)
{
	uint32_t larger = src_block > dst_block ? src_block : dst_block;
	struct span src = { src_fd, src_offset, 0, src_block, src_slot };
	struct span dst = { dst_fd, dst_offset, 0, dst_block, dst_slot };
	uint32_t moved;
	int ret;

	if (!p2p_is_power_of_two(src_block) || !p2p_is_power_of_two(dst_block) ||
	    larger > P2P_MAX_CHUNK_BYTES || !length || length > larger)
		return -EINVAL;
	src.length = round_up(length, src_block);
	dst.length = round_up(length, dst_block);
	if (!is_span(&src) || !is_span(&dst) || do_overlap(src_slot, dst_slot, larger))
		return -EINVAL;

	ret = transfer(&src, P2P_READ, &moved);
	if (ret)
		return ret;
	if (moved < length)
		return -ENODATA;
	ret = read_last_block(&dst, length);
	if (ret)
		return ret;
	copy_bytes(dst_slot, src_slot, length);
	ret = transfer(&dst, P2P_WRITE, &moved);
	if (ret)
		return ret;
	return moved < dst.length ? -EIO : 0;
}
