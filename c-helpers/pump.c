/* SPDX-License-Identifier: MIT */
/*
 * The copy loop. Every slot carries one chunk at a time, first READ then
 * WRITE, with one request in flight; slots know nothing of each other. READ
 * and WRITE are two submissions rather than a linked pair: a short read breaks
 * a link, and since all that became ready in a round is submitted together
 * with the next wait, linking would not save a system call per chunk.
 */
#include <errno.h>
#include <stdlib.h>
#include <time.h>

#include "job.h"
#include "ring.h"

#define MAX_SOFT_ERRORS	1000	/* EINTR, EAGAIN in a row on one slot */
#define MAX_WAIT_ERRORS	1000	/* failed waits in a row, about a millisecond apart */
#define MAX_STALLS	2	/* transfers without progress in a row */

struct slot {
	struct p2p_chunk chunk;
	uint64_t address;
	uint32_t done;		/* bytes moved in this direction, whole blocks */
	uint32_t attempts;	/* tries made in this direction */
	uint32_t soft_errors;
	uint32_t stalls;
	enum p2p_direction direction;
};

struct pump {
	const struct p2p_pump_job *job;
	struct p2p_pump_status *status;
	struct p2p_pump_error *errors;
	uint8_t *bitmap;
	struct p2p_cursor cursor;
	struct p2p_ring *ring;
	struct slot *slots;
	struct p2p_completion *completions;
	uint32_t in_flight;	/* requests queued or with the kernel */
	uint32_t soft_errors;	/* of the completions being handled */
	bool stopping;		/* start no new chunk */
	bool aborting;		/* submit nothing at all */
	bool dropped;		/* a started chunk was given up by an abort */
};

static void nap(long nanoseconds)
{
	struct timespec time = { .tv_nsec = nanoseconds };

	nanosleep(&time, NULL);
}

static void set_in_flight(struct pump *pump, uint32_t count)
{
	pump->in_flight = count;
	p2p_status_set(&pump->status->in_flight, count);
	if (count > pump->status->max_in_flight)
		p2p_status_set(&pump->status->max_in_flight, count);
}

/* Asks for what is missing of the slot's chunk in its present direction. */
static void submit(struct pump *pump, struct slot *slot)
{
	const struct p2p_chunk *chunk = &slot->chunk;
	uint64_t offset = slot->direction == P2P_READ ? chunk->src_offset : chunk->dst_offset;
	struct p2p_request request = {
		.address = slot->address + slot->done,
		.offset = offset + slot->done,
		.length = chunk->length - slot->done,
		.slot = (uint32_t)(slot - pump->slots),
		.direction = slot->direction,
	};

	if (pump->aborting) {
		pump->dropped = true;
		return;
	}
	p2p_ring_queue(pump->ring, &request);
	set_in_flight(pump, pump->in_flight + 1);
}

static void begin(struct pump *pump, struct slot *slot, enum p2p_direction direction)
{
	slot->direction = direction;
	slot->done = 0;
	slot->attempts = 1;
	slot->soft_errors = 0;
	slot->stalls = 0;
	submit(pump, slot);
}

static void start_next_chunk(struct pump *pump, struct slot *slot)
{
	if (!pump->stopping && p2p_cursor_next(&pump->cursor, &slot->chunk))
		begin(pump, slot, P2P_READ);
}

static void finish_chunk(struct pump *pump, struct slot *slot)
{
	uint8_t *byte = &pump->bitmap[slot->chunk.index / 8];

	__atomic_store_n(byte, *byte | (1u << slot->chunk.index % 8), __ATOMIC_RELAXED);
	p2p_status_add(&pump->status->chunks_done, 1);
	start_next_chunk(pump, slot);
}

static void fail_chunk(struct pump *pump, struct slot *slot, int error, uint32_t flags)
{
	uint64_t logged = pump->status->errors_logged;

	if (logged < pump->job->error_capacity) {
		pump->errors[logged] = (struct p2p_pump_error){
			.chunk = slot->chunk.index,
			.src_offset = slot->chunk.src_offset,
			.dst_offset = slot->chunk.dst_offset,
			.length = slot->chunk.length,
			.error = error,
			.direction = slot->direction,
			.attempts = slot->attempts,
			.flags = flags,
		};
		__atomic_store_n(&pump->status->errors_logged, logged + 1, __ATOMIC_RELEASE);
	}
	p2p_status_add(&pump->status->chunks_failed, 1);
	if (pump->job->flags & P2P_PUMP_STOP_ON_ERROR)
		pump->stopping = true;
	start_next_chunk(pump, slot);
}

/* Errors that no repetition cures; EREMOTEIO and EINVAL: no peer-to-peer path. */
static bool is_permanent(int error)
{
	switch (error) {
	case EREMOTEIO:
	case EINVAL:
	case EBADF:
	case EFAULT:
	case EACCES:
	case EPERM:
	case EROFS:
	case ENOSPC:
	case EFBIG:
	case EISDIR:
	case ESPIPE:
	case EOPNOTSUPP:
		return true;
	default:
		return false;
	}
}

static void handle_error(struct pump *pump, struct slot *slot, int error)
{
	if (error == EINTR || error == EAGAIN) {
		pump->soft_errors++;
		if (++slot->soft_errors < MAX_SOFT_ERRORS) {
			submit(pump, slot);
			return;
		}
	}
	if (is_permanent(error) || slot->attempts > pump->job->retries) {
		fail_chunk(pump, slot, error, 0);
		return;
	}
	if (!pump->aborting) {
		slot->attempts++;
		p2p_status_add(&pump->status->retries, 1);
	}
	slot->soft_errors = 0;
	submit(pump, slot);
}

/*
 * O_DIRECT goes on at a block boundary only, so a part of a block counts as
 * not moved. That is how the end of a file looks, too: hence the second try.
 */
static bool has_stalled(struct pump *pump, struct slot *slot, uint32_t reached)
{
	if (reached > slot->done)
		slot->stalls = 0;
	else if (++slot->stalls == MAX_STALLS)
		return true;
	p2p_status_add(&pump->status->short_transfers, 1);
	return false;
}

static void handle_progress(struct pump *pump, struct slot *slot, uint32_t bytes)
{
	const bool reading = slot->direction == P2P_READ;
	uint32_t reached = slot->done + bytes;
	bool stalled = false;

	slot->soft_errors = 0;
	if (reached < slot->chunk.length) {
		reached &= ~(pump->job->block_bytes - 1);
		stalled = has_stalled(pump, slot, reached);
	}
	p2p_status_add(reading ? &pump->status->bytes_read : &pump->status->bytes_written,
		       reached - slot->done);
	slot->done = reached;

	if (stalled)
		fail_chunk(pump, slot, reading ? ENODATA : EIO, P2P_ERROR_NO_PROGRESS);
	else if (reached < slot->chunk.length)
		submit(pump, slot);
	else if (reading)
		begin(pump, slot, P2P_WRITE);
	else
		finish_chunk(pump, slot);
}

static void handle_completions(struct pump *pump, int count)
{
	pump->soft_errors = 0;
	for (int i = 0; i < count; i++) {
		const struct p2p_completion *completion = &pump->completions[i];
		struct slot *slot = &pump->slots[completion->slot];

		set_in_flight(pump, pump->in_flight - 1);
		if (completion->result < 0)
			handle_error(pump, slot, -completion->result);
		else
			handle_progress(pump, slot, (uint32_t)completion->result);
	}
	/* A device that has no time for anybody is not asked again at once. */
	if (count && pump->soft_errors == (uint32_t)count)
		nap(100 * 1000);
}

static void read_cancel(struct pump *pump)
{
	uint64_t cancel = __atomic_load_n(&pump->status->cancel, __ATOMIC_RELAXED);

	if (!cancel)
		return;
	pump->stopping = true;
	pump->aborting |= cancel != P2P_CANCEL_DRAIN;
}

/*
 * Goes round until every request has come back, also when the ring breaks
 * down: the slots must not be unmapped under a transfer.
 */
static int run(struct pump *pump)
{
	int failures = 0, broken = 0;

	read_cancel(pump);
	for (uint32_t i = 0; i < pump->job->slot_count; i++)
		start_next_chunk(pump, &pump->slots[i]);

	while (pump->in_flight && failures < MAX_WAIT_ERRORS) {
		int count = p2p_ring_wait(pump->ring, pump->completions);

		read_cancel(pump);
		if (count >= 0) {
			failures = 0;
			handle_completions(pump, count);
			continue;
		}
		failures++;
		if (failures == MAX_WAIT_ERRORS || (count != -EAGAIN && count != -EBUSY)) {
			broken = count;
			pump->stopping = true;
			pump->aborting = true;
		}
		nap(1000 * 1000);
	}
	return broken;
}

static int open_pump(struct pump *pump)
{
	const uint64_t *addresses = (const uint64_t *)(uintptr_t)pump->job->slots;
	uint32_t count = pump->job->slot_count;
	int ret = -ENOMEM;

	pump->slots = calloc(count, sizeof(*pump->slots));
	if (!pump->slots)
		return ret;
	for (uint32_t i = 0; i < count; i++)
		pump->slots[i].address = addresses[i];

	pump->completions = calloc(count, sizeof(*pump->completions));
	if (!pump->completions)
		goto free_slots;
	ret = p2p_ring_open(pump->job, &pump->ring);
	if (ret)
		goto free_completions;
	return 0;

free_completions:
	free(pump->completions);
free_slots:
	free(pump->slots);
	return ret;
}

static void close_pump(struct pump *pump)
{
	p2p_ring_close(pump->ring);
	free(pump->completions);
	free(pump->slots);
}

static bool has_chunks_left(const struct pump *pump)
{
	struct p2p_cursor cursor = pump->cursor;
	struct p2p_chunk chunk;

	return pump->dropped || p2p_cursor_next(&cursor, &chunk);
}

static void clear_status(struct p2p_pump_status *status)
{
	uint64_t *fields = (uint64_t *)status;

	for (size_t i = 0; i < offsetof(struct p2p_pump_status, cancel) / sizeof(*fields); i++)
		p2p_status_set(&fields[i], 0);
}

int p2p_pump_run(const struct p2p_pump_job *job)
{
	struct pump pump = { .job = job };
	int ret = p2p_job_check(job);

	if (ret)
		return ret;
	pump.status = (struct p2p_pump_status *)(uintptr_t)job->status;
	pump.errors = (struct p2p_pump_error *)(uintptr_t)job->errors;
	pump.bitmap = (uint8_t *)(uintptr_t)job->bitmap;
	clear_status(pump.status);
	p2p_cursor_init(&pump.cursor, job);
	if (!has_chunks_left(&pump))
		return 0;

	ret = open_pump(&pump);
	if (ret)
		return ret;
	ret = run(&pump);
	close_pump(&pump);
	if (ret)
		return ret;
	if (__atomic_load_n(&pump.status->cancel, __ATOMIC_RELAXED) && has_chunks_left(&pump))
		return -ECANCELED;
	return pump.status->chunks_failed ? -EIO : 0;
}
