/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <linux/nvme_ioctl.h>
#include <pthread.h>
#include <string.h>
#include <sys/ioctl.h>

#include "job.h"

#define NVME_COPY 0x19
#define MOST_WORKERS 64
#define MOST_RANGES 256
#define MOST_RANGE_LBAS 65536

/* Source range descriptor of format 0: NVM Command Set Specification 1.0, figure 38. */
struct source_range {
	uint64_t reserved;
	uint64_t start_lba;
	uint16_t lbas; /* counted from 0 */
	uint8_t unused[14]; /* protection information */
};

_Static_assert(sizeof(struct source_range) == 32, "source_range");

/* What the workers share. The lock is around the cursor and the first failure. */
struct copy {
	const struct p2p_nvme_copy_job *job;
	struct p2p_nvme_copy_status *status;
	struct p2p_cursor cursor;
	uint32_t command_bytes;
	pthread_mutex_t lock;
	int result;
};

static uint32_t smaller(uint64_t a, uint64_t b)
{
	return (uint32_t)(a < b ? a : b);
}

/* A contiguous piece as the fewest ranges that the drive takes. */
static uint32_t fill_ranges(const struct p2p_nvme_copy_job *job, struct source_range *ranges,
			    uint64_t lba, uint32_t lbas)
{
	uint32_t count = 0;

	memset(ranges, 0, sizeof(*ranges) * MOST_RANGES);
	while (lbas) {
		uint32_t part = smaller(lbas, job->range_lbas);

		ranges[count].start_lba = lba;
		ranges[count++].lbas = (uint16_t)(part - 1);
		lba += part;
		lbas -= part;
	}
	return count;
}

/* Return: 0, the drive's status, or -errno. */
static int send_copy(const struct p2p_nvme_copy_job *job, uint64_t src, uint64_t dst,
		     uint32_t length)
{
	struct source_range ranges[MOST_RANGES];
	uint64_t to = (job->dst_base + dst) / job->lba_bytes;
	uint32_t count = fill_ranges(job, ranges, (job->src_base + src) / job->lba_bytes,
				     length / job->lba_bytes);
	struct nvme_passthru_cmd command = {
		.opcode = NVME_COPY,
		.nsid = job->nsid,
		.addr = (uint64_t)(uintptr_t)ranges,
		.data_len = (uint32_t)(count * sizeof(*ranges)),
		.cdw10 = (uint32_t)to,
		.cdw11 = (uint32_t)(to >> 32),
		.cdw12 = count - 1,
	};
	int ret = ioctl(job->fd, NVME_IOCTL_IO_CMD, &command);

	return ret < 0 ? -errno : ret;
}

static bool is_over(const struct copy *copy)
{
	return __atomic_load_n(&copy->status->cancel, __ATOMIC_RELAXED) ||
	       __atomic_load_n(&copy->result, __ATOMIC_RELAXED);
}

/* The first failure is the one that is told. */
static void note_failure(struct copy *copy, int error, uint64_t src, uint64_t dst, uint32_t length)
{
	struct p2p_nvme_copy_status *status = copy->status;

	pthread_mutex_lock(&copy->lock);
	if (!copy->result) {
		status->error_src_offset = src;
		status->error_dst_offset = dst;
		status->error_length = length;
		status->error_status = error > 0 ? (uint64_t)error : 0;
		__atomic_store_n(&copy->result, error > 0 ? -EIO : error, __ATOMIC_RELAXED);
	}
	pthread_mutex_unlock(&copy->lock);
}

/* Return: whether all of the chunk was copied. */
static bool copy_chunk(struct copy *copy, const struct p2p_chunk *chunk)
{
	uint32_t done = 0;

	while (done < chunk->length) {
		uint32_t length = smaller(chunk->length - done, copy->command_bytes);
		int ret;

		if (is_over(copy))
			return false;
		ret = send_copy(copy->job, chunk->src_offset + done, chunk->dst_offset + done,
				length);
		if (ret) {
			note_failure(copy, ret, chunk->src_offset + done, chunk->dst_offset + done,
				     length);
			return false;
		}
		done += length;
		__atomic_fetch_add(&copy->status->commands, 1, __ATOMIC_RELAXED);
		__atomic_fetch_add(&copy->status->bytes_done, length, __ATOMIC_RELAXED);
	}
	return true;
}

/* The bitmap is read by the cursor, so bits are set under its lock. */
static void note_done(struct copy *copy, uint64_t index)
{
	uint8_t *bitmap = (uint8_t *)(uintptr_t)copy->job->bitmap;

	pthread_mutex_lock(&copy->lock);
	bitmap[index / 8] |= (uint8_t)(1u << index % 8);
	p2p_status_add(&copy->status->chunks_done, 1);
	pthread_mutex_unlock(&copy->lock);
}

static bool take_chunk(struct copy *copy, struct p2p_chunk *chunk)
{
	bool has_chunk;

	pthread_mutex_lock(&copy->lock);
	has_chunk = !is_over(copy) && p2p_cursor_next(&copy->cursor, chunk);
	pthread_mutex_unlock(&copy->lock);
	return has_chunk;
}

static void *work(void *argument)
{
	struct copy *copy = argument;
	struct p2p_chunk chunk;

	while (take_chunk(copy, &chunk) && copy_chunk(copy, &chunk))
		note_done(copy, chunk.index);
	return NULL;
}

static bool check_extents(const struct p2p_nvme_copy_job *job)
{
	const struct p2p_extent *extents = (const struct p2p_extent *)(uintptr_t)job->extents;
	uint64_t chunks = p2p_chunk_count(extents, job->extent_count, job->chunk_bytes);

	for (uint64_t i = 0; i < job->extent_count; i++) {
		if ((extents[i].src_offset | extents[i].dst_offset | extents[i].length) %
		    job->lba_bytes)
			return false;
	}
	return chunks != UINT64_MAX && chunks / 8 + (chunks % 8 != 0) <= job->bitmap_bytes;
}

static bool is_job(const struct p2p_nvme_copy_job *job)
{
	return job && job->fd >= 0 && job->workers && job->workers <= MOST_WORKERS &&
	       p2p_is_power_of_two(job->lba_bytes) && job->chunk_bytes &&
	       job->chunk_bytes <= P2P_MAX_CHUNK_BYTES && job->chunk_bytes % job->lba_bytes == 0 &&
	       job->range_lbas && job->range_lbas <= MOST_RANGE_LBAS && job->command_lbas &&
	       job->ranges && job->ranges <= MOST_RANGES &&
	       (job->src_base | job->dst_base) % job->lba_bytes == 0 && job->status &&
	       job->status % 8 == 0 && (job->extents || !job->extent_count) &&
	       (job->bitmap || !job->bitmap_bytes) && check_extents(job);
}

static void rewind_cursor(struct copy *copy)
{
	struct p2p_pump_job chunks = {
		.extents = copy->job->extents,
		.extent_count = copy->job->extent_count,
		.bitmap = copy->job->bitmap,
		.chunk_bytes = copy->job->chunk_bytes,
	};

	p2p_cursor_init(&copy->cursor, &chunks);
}

static void start(struct copy *copy, const struct p2p_nvme_copy_job *job)
{
	uint64_t most = (uint64_t)job->range_lbas * job->ranges;

	*copy = (struct copy){
		.job = job,
		.status = (struct p2p_nvme_copy_status *)(uintptr_t)job->status,
		.lock = PTHREAD_MUTEX_INITIALIZER,
	};
	most = most < job->command_lbas ? most : job->command_lbas;
	copy->command_bytes = smaller(most * job->lba_bytes, job->chunk_bytes);
	memset(copy->status, 0, offsetof(struct p2p_nvme_copy_status, cancel));
	rewind_cursor(copy);
}

int p2p_nvme_copy(const struct p2p_nvme_copy_job *job)
{
	pthread_t threads[MOST_WORKERS];
	struct p2p_chunk left;
	struct copy copy;
	uint32_t started = 0;

	if (!is_job(job))
		return -EINVAL;
	start(&copy, job);
	/* This thread is a worker, too: where no more can be had it is only slower. */
	while (started < job->workers - 1 && !pthread_create(&threads[started], NULL, work, &copy))
		started++;
	work(&copy);
	while (started)
		pthread_join(threads[--started], NULL);
	if (copy.result)
		return copy.result;
	rewind_cursor(&copy);
	return p2p_cursor_next(&copy.cursor, &left) ? -ECANCELED : 0;
}
