/* SPDX-License-Identifier: MIT */
/*
 * The copy loop. Every slot carries one chunk at a time through the job's
 * stages, with one request in flight; slots know nothing of each other. READ
 * and WRITE are two submissions rather than a linked pair: a short read breaks
 * a link, and since all that became ready in a round is submitted together
 * with the next wait, linking would not save a system call per chunk.
 *
 * A slot is idle, or has its request in flight, or waits for another try. What
 * waits needs no thread of its own: each round wakes what is due, starts as
 * many chunks as rate and depth permit, and waits no longer than to the next
 * such moment.
 */
#include <errno.h>
#include <stdlib.h>

#include "job.h"
#include "locate.h"
#include "pace.h"
#include "ring.h"

#define MAX_WAIT_NS	(50u * 1000 * 1000) /* so soon are the caller's fields heard */
#define MAX_SOFT_ERRORS	1000	/* EINTR, EAGAIN in a row on one slot */
#define MAX_WAIT_ERRORS	1000	/* failed waits in a row, about a millisecond apart */
#define MAX_STALLS	2	/* transfers without progress in a row */
#define MAX_RUNS	64	/* records of one chunk that differs */

struct slot {
	struct p2p_chunk chunk;
	uint64_t address;
	uint64_t submitted_at;	/* p2p_now() */
	uint64_t wake_at;	/* for another try; 0: does not wait */
	struct p2p_locator locator;
	uint32_t runs;		/* of differing LBAs, logged */
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
	uint32_t *idle;		/* slots without a chunk, a stack */
	uint32_t idle_count;
	struct p2p_completion *completions;
	struct p2p_bucket bucket;
	uint64_t now;		/* p2p_now() when the last wait ended */
	uint64_t wake_at;	/* of the slot that waits shortest */
	uint64_t held_ns;	/* until the rate permits the next chunk; 0: it does */
	uint32_t in_flight;	/* requests queued or with the kernel */
	uint32_t waiting;	/* slots with a wake_at */
	uint32_t soft_errors;	/* of the completions being handled */
	bool stopping;		/* start no new chunk */
	bool aborting;		/* submit nothing at all */
	bool dropped;		/* a started chunk was given up */
};

static void set_in_flight(struct pump *pump, uint32_t count)
{
	pump->in_flight = count;
	p2p_status_set(&pump->status->in_flight, count);
	if (count > pump->status->max_in_flight)
		p2p_status_set(&pump->status->max_in_flight, count);
}

static void set_waiting(struct pump *pump, uint32_t count)
{
	pump->waiting = count;
	p2p_status_set(&pump->status->chunks_waiting, count);
}

static void make_idle(struct pump *pump, struct slot *slot)
{
	pump->idle[pump->idle_count++] = (uint32_t)(slot - pump->slots);
}

static void give_up(struct pump *pump, struct slot *slot)
{
	pump->dropped = true;
	make_idle(pump, slot);
}

/* Asks for what is missing of the slot's chunk in its present direction. */
static void submit(struct pump *pump, struct slot *slot)
{
	const struct p2p_chunk *chunk = &slot->chunk;
	const bool comparing = slot->direction == P2P_COMPARE;
	uint32_t done = comparing ? slot->locator.done : slot->done;
	uint64_t offset = slot->direction == P2P_READ ? chunk->src_offset : chunk->dst_offset;
	struct p2p_request request = {
		.address = slot->address + done,
		.offset = offset + done,
		.length = comparing ? p2p_locator_next(&slot->locator, chunk->length)
				    : chunk->length - done,
		.slot = (uint32_t)(slot - pump->slots),
		.direction = slot->direction,
	};

	if (pump->aborting) {
		give_up(pump, slot);
		return;
	}
	slot->submitted_at = pump->now;
	p2p_ring_queue(pump->ring, &request);
	set_in_flight(pump, pump->in_flight + 1);
}

static void submit_later(struct pump *pump, struct slot *slot, uint64_t delay_ns)
{
	slot->wake_at = pump->now + delay_ns;
	if (!pump->waiting || slot->wake_at < pump->wake_at)
		pump->wake_at = slot->wake_at;
	set_waiting(pump, pump->waiting + 1);
}

/* A pump that stops waits for nobody: these chunks stay undone then. */
static void wake_slots(struct pump *pump)
{
	if (!pump->waiting || (!pump->stopping && pump->now < pump->wake_at))
		return;
	pump->wake_at = UINT64_MAX;
	for (uint32_t i = 0; i < pump->job->slot_count; i++) {
		struct slot *slot = &pump->slots[i];

		if (!slot->wake_at)
			continue;
		if (!pump->stopping && pump->now < slot->wake_at) {
			if (slot->wake_at < pump->wake_at)
				pump->wake_at = slot->wake_at;
			continue;
		}
		slot->wake_at = 0;
		set_waiting(pump, pump->waiting - 1);
		if (pump->stopping)
			give_up(pump, slot);
		else
			submit(pump, slot);
	}
}

static void begin(struct pump *pump, struct slot *slot, enum p2p_direction direction)
{
	slot->direction = direction;
	slot->done = 0;
	slot->attempts = 1;
	slot->soft_errors = 0;
	slot->stalls = 0;
	if (direction == P2P_COMPARE) {
		p2p_locator_init(&slot->locator, pump->job->compare_lba_bytes,
				 pump->job->compare_max_bytes);
		slot->runs = 0;
	}
	submit(pump, slot);
}

static void start_chunks(struct pump *pump)
{
	const uint64_t rate = p2p_status_get(&pump->status->rate);
	const uint64_t limit = p2p_status_get(&pump->status->depth_limit);

	pump->held_ns = 0;
	p2p_bucket_fill(&pump->bucket, rate, pump->now);
	while (!pump->stopping && pump->idle_count && p2p_cursor_has_next(&pump->cursor)) {
		struct slot *slot = &pump->slots[pump->idle[pump->idle_count - 1]];

		if (limit && pump->job->slot_count - pump->idle_count >= limit)
			return;
		pump->held_ns = p2p_bucket_wait(&pump->bucket, rate);
		if (pump->held_ns)
			return;
		pump->idle_count--;
		p2p_cursor_next(&pump->cursor, &slot->chunk);
		p2p_bucket_take(&pump->bucket, slot->chunk.length);
		begin(pump, slot, P2P_READ);
	}
}

static void finish_chunk(struct pump *pump, struct slot *slot)
{
	uint8_t *byte = &pump->bitmap[slot->chunk.index / 8];

	__atomic_store_n(byte, *byte | (1u << slot->chunk.index % 8), __ATOMIC_RELAXED);
	p2p_status_add(&pump->status->chunks_done, 1);
	make_idle(pump, slot);
}

/* The last record is for what ends the run, however much went wrong before. */
static bool has_room(const struct pump *pump, uint32_t flags)
{
	uint64_t capacity = pump->job->error_capacity;

	if (capacity > 1 && !(flags & P2P_ERROR_FATAL))
		capacity--;
	return pump->status->errors_logged < capacity;
}

static void log_error(struct pump *pump, const struct slot *slot, struct p2p_run run, int error,
		      uint32_t flags)
{
	uint64_t logged = pump->status->errors_logged;

	if (!has_room(pump, flags))
		return;
	pump->errors[logged] = (struct p2p_pump_error){
		.chunk = slot->chunk.index,
		.src_offset = slot->chunk.src_offset + run.offset,
		.dst_offset = slot->chunk.dst_offset + run.offset,
		.length = run.length,
		.error = error,
		.direction = slot->direction,
		.attempts = slot->attempts,
		.flags = flags,
	};
	__atomic_store_n(&pump->status->errors_logged, logged + 1, __ATOMIC_RELEASE);
}

static void log_run(struct pump *pump, struct slot *slot, struct p2p_run run, uint32_t flags)
{
	if (!run.length)
		return;
	log_error(pump, slot, run, EILSEQ, flags);
	slot->runs++;
}

static void end_badly(struct pump *pump, struct slot *slot, uint64_t *counter)
{
	p2p_status_add(counter, 1);
	if (pump->job->flags & P2P_PUMP_STOP_ON_ERROR)
		pump->stopping = true;
	make_idle(pump, slot);
}

static void fail_chunk(struct pump *pump, struct slot *slot, int error, uint32_t flags)
{
	const struct p2p_run all = { 0, slot->chunk.length };

	if (slot->direction == P2P_COMPARE)
		log_run(pump, slot, slot->locator.run, 0);
	log_error(pump, slot, all, error, flags);
	if (flags & P2P_ERROR_FATAL)
		pump->stopping = true;
	end_badly(pump, slot, &pump->status->chunks_failed);
}

/* Errors that no repetition cures and no other chunk escapes; EREMOTEIO and EINVAL: no peer-to-peer path. */
static bool is_fatal(int error)
{
	switch (error) {
	case EREMOTEIO:
	case EINVAL:
	case EBADF:
	case EFAULT:
	case EACCES:
	case EPERM:
	case EROFS:
	case ENODEV:
	case ENXIO:
	case ENOMEDIUM:
	case ENOSPC:
	case EDQUOT:
	case EFBIG:
	case EISDIR:
	case ESPIPE:
	case EOPNOTSUPP:
		return true;
	default:
		return false;
	}
}

static void try_again(struct pump *pump, struct slot *slot)
{
	uint64_t delay = p2p_retry_delay(pump->job->retry_delay_ms, slot->attempts);

	if (!pump->aborting) {
		slot->attempts++;
		p2p_status_add(&pump->status->retries, 1);
	}
	slot->soft_errors = 0;
	if (delay)
		submit_later(pump, slot, delay);
	else
		submit(pump, slot);
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
	if (is_fatal(error) || slot->attempts > pump->job->retries) {
		fail_chunk(pump, slot, error, is_fatal(error) ? P2P_ERROR_FATAL : 0);
		return;
	}
	try_again(pump, slot);
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

static void end_stage(struct pump *pump, struct slot *slot)
{
	const uint32_t stages = pump->job->stages;

	if (slot->direction == P2P_READ && stages != P2P_STAGES_COMPARE)
		begin(pump, slot, P2P_WRITE);
	else if (stages == P2P_STAGES_COPY)
		finish_chunk(pump, slot);
	else
		begin(pump, slot, P2P_COMPARE);
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
		fail_chunk(pump, slot, reading ? ENODATA : EIO,
			   P2P_ERROR_NO_PROGRESS | P2P_ERROR_FATAL);
	else if (reached < slot->chunk.length)
		submit(pump, slot);
	else
		end_stage(pump, slot);
}

/* Where it pays no more to look closely: the rest of the chunk counts as different. */
static bool is_known_enough(const struct pump *pump, const struct slot *slot)
{
	return !has_room(pump, 0) || (slot->runs == MAX_RUNS - 1 && !slot->locator.run.length);
}

static void go_on_comparing(struct pump *pump, struct slot *slot)
{
	struct p2p_locator *locator = &slot->locator;

	if (locator->done < slot->chunk.length) {
		submit(pump, slot);
		return;
	}
	log_run(pump, slot, locator->run, 0);
	if (locator->differs)
		end_badly(pump, slot, &pump->status->chunks_differing);
	else
		finish_chunk(pump, slot);
}

static void handle_equal(struct pump *pump, struct slot *slot, uint32_t bytes)
{
	slot->soft_errors = 0;
	p2p_status_add(&pump->status->bytes_compared, bytes);
	log_run(pump, slot, p2p_locator_equal(&slot->locator, bytes), 0);
	go_on_comparing(pump, slot);
}

static void handle_difference(struct pump *pump, struct slot *slot)
{
	struct p2p_locator *locator = &slot->locator;
	const uint32_t length = slot->chunk.length, before = locator->done;

	slot->soft_errors = 0;
	if (is_known_enough(pump, slot)) {
		log_run(pump, slot, (struct p2p_run){ before, length - before }, P2P_ERROR_ROUGH);
		locator->differs = true;
		locator->done = length;
	} else {
		p2p_locator_differs(locator, p2p_locator_next(locator, length));
	}
	p2p_status_add(&pump->status->bytes_compared, locator->done - before);
	go_on_comparing(pump, slot);
}

static void measure(struct pump *pump, const struct slot *slot)
{
	p2p_status_add(&pump->status->latency_ns[slot->direction], pump->now - slot->submitted_at);
	p2p_status_add(&pump->status->requests[slot->direction], 1);
}

static void handle_completions(struct pump *pump, int count)
{
	pump->soft_errors = 0;
	for (int i = 0; i < count; i++) {
		const struct p2p_completion *completion = &pump->completions[i];
		struct slot *slot = &pump->slots[completion->slot];

		set_in_flight(pump, pump->in_flight - 1);
		measure(pump, slot);
		if (slot->direction == P2P_COMPARE && completion->result == -EILSEQ)
			handle_difference(pump, slot);
		else if (completion->result < 0)
			handle_error(pump, slot, -completion->result);
		else if (slot->direction == P2P_COMPARE)
			handle_equal(pump, slot, (uint32_t)completion->result);
		else
			handle_progress(pump, slot, (uint32_t)completion->result);
	}
	/* A device that has no time for anybody is not asked again at once. */
	if (count && pump->soft_errors == (uint32_t)count)
		p2p_nap(100 * 1000);
}

static void read_cancel(struct pump *pump)
{
	uint64_t cancel = p2p_status_get(&pump->status->cancel);

	if (!cancel)
		return;
	pump->stopping = true;
	pump->aborting |= cancel != P2P_CANCEL_DRAIN;
}

/* Until a request completes, a slot is due, the rate permits the next chunk, or the caller should be heard. */
static int wait(struct pump *pump)
{
	uint64_t limit = MAX_WAIT_NS;

	if (pump->waiting && pump->wake_at < pump->now + limit)
		limit = pump->wake_at > pump->now ? pump->wake_at - pump->now : 0;
	if (pump->held_ns && pump->held_ns < limit)
		limit = pump->held_ns;
	if (pump->in_flight)
		return p2p_ring_wait(pump->ring, limit, pump->completions);
	p2p_nap(limit);
	return 0;
}

/*
 * Goes round until every request has come back, also when the ring breaks
 * down: the slots must not be unmapped under a transfer.
 */
static int run(struct pump *pump)
{
	int failures = 0, broken = 0;

	pump->now = p2p_now();
	pump->bucket.filled_at = pump->now;
	read_cancel(pump);
	while (failures < MAX_WAIT_ERRORS) {
		int count;

		wake_slots(pump);
		start_chunks(pump);
		if (!pump->in_flight && !pump->waiting && !pump->held_ns)
			break;
		count = wait(pump);
		pump->now = p2p_now();
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
		p2p_nap(1000 * 1000);
	}
	return broken;
}

static void free_tables(struct pump *pump)
{
	free(pump->slots);
	free(pump->idle);
	free(pump->completions);
}

static int open_pump(struct pump *pump)
{
	const uint64_t *addresses = (const uint64_t *)(uintptr_t)pump->job->slots;
	uint32_t count = pump->job->slot_count;
	int ret = -ENOMEM;

	pump->slots = calloc(count, sizeof(*pump->slots));
	pump->idle = calloc(count, sizeof(*pump->idle));
	pump->completions = calloc(count, sizeof(*pump->completions));
	if (pump->slots && pump->idle && pump->completions)
		ret = p2p_ring_open(pump->job, &pump->ring);
	if (ret) {
		free_tables(pump);
		return ret;
	}
	for (uint32_t i = count; i--;) {
		pump->slots[i].address = addresses[i];
		make_idle(pump, &pump->slots[i]);
	}
	return 0;
}

static void close_pump(struct pump *pump)
{
	p2p_ring_close(pump->ring);
	free_tables(pump);
}

static bool has_chunks_left(struct pump *pump)
{
	return pump->dropped || p2p_cursor_has_next(&pump->cursor);
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
	if (p2p_status_get(&pump.status->cancel) && has_chunks_left(&pump))
		return -ECANCELED;
	if (pump.status->chunks_failed)
		return -EIO;
	return pump.status->chunks_differing ? -EILSEQ : 0;
}
