/* SPDX-License-Identifier: MIT */
#include "slot.h"

#include <errno.h>

#define MAX_SOFT_ERRORS	1000	/* EINTR, EAGAIN in a row on one slot */
#define MAX_STALLS	2	/* transfers without progress in a row */
#define MAX_RUNS	64	/* records of one chunk that differs */

/* The last record is for what ends the run, however much went wrong before. */
static bool has_room(const struct p2p_pump *pump, uint32_t flags)
{
	uint64_t capacity = pump->job->error_capacity;

	if (capacity > 1 && !(flags & P2P_ERROR_FATAL))
		capacity--;
	return pump->status->errors_logged < capacity;
}

static void log_error(struct p2p_pump *pump, const struct p2p_slot *slot, struct p2p_run run,
		      int error, uint32_t flags)
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

static void log_run(struct p2p_pump *pump, struct p2p_slot *slot, struct p2p_run run,
		    uint32_t flags)
{
	if (!run.length)
		return;
	log_error(pump, slot, run, EILSEQ, flags);
	slot->runs++;
}

static void fail_chunk(struct p2p_pump *pump, struct p2p_slot *slot, int error, uint32_t flags)
{
	const struct p2p_run all = { 0, slot->chunk.length };

	if (slot->direction == P2P_COMPARE)
		log_run(pump, slot, slot->locator.run, 0);
	log_error(pump, slot, all, error, flags);
	if (flags & P2P_ERROR_FATAL)
		pump->stopping = true;
	p2p_slot_end_badly(pump, slot, &pump->status->chunks_failed);
}

/*
 * Errors that no repetition cures and no other chunk escapes. EREMOTEIO and
 * EINVAL: no peer-to-peer path.
 */
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
	case ENOTTY:
		return true;
	default:
		return false;
	}
}

static void try_again(struct p2p_pump *pump, struct p2p_slot *slot)
{
	uint64_t delay = p2p_retry_delay(pump->job->retry_delay_ms, slot->attempts);

	if (!pump->aborting) {
		slot->attempts++;
		p2p_status_add(&pump->status->retries, 1);
	}
	slot->soft_errors = 0;
	if (delay)
		p2p_slot_submit_later(pump, slot, delay);
	else
		p2p_slot_submit(pump, slot);
}

void p2p_handle_error(struct p2p_pump *pump, struct p2p_slot *slot, int error)
{
	if (error == EINTR || error == EAGAIN) {
		pump->soft_errors++;
		if (++slot->soft_errors < MAX_SOFT_ERRORS) {
			p2p_slot_submit(pump, slot);
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
static bool has_stalled(struct p2p_pump *pump, struct p2p_slot *slot, uint32_t reached)
{
	if (reached > slot->done)
		slot->stalls = 0;
	else if (++slot->stalls == MAX_STALLS)
		return true;
	p2p_status_add(&pump->status->short_transfers, 1);
	return false;
}

static void end_stage(struct p2p_pump *pump, struct p2p_slot *slot)
{
	const uint32_t stages = pump->job->stages;

	if (slot->direction == P2P_READ && stages != P2P_STAGES_COMPARE)
		p2p_slot_begin(pump, slot, P2P_WRITE);
	else if (stages == P2P_STAGES_COPY)
		p2p_slot_finish(pump, slot);
	else
		p2p_slot_begin(pump, slot, P2P_COMPARE);
}

void p2p_handle_progress(struct p2p_pump *pump, struct p2p_slot *slot, uint32_t bytes)
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
		p2p_slot_submit(pump, slot);
	else
		end_stage(pump, slot);
}

/* Where it pays no more to look closely: the rest of the chunk counts as different. */
static bool is_known_enough(const struct p2p_pump *pump, const struct p2p_slot *slot)
{
	return !has_room(pump, 0) || (slot->runs == MAX_RUNS - 1 && !slot->locator.run.length);
}

static void go_on_comparing(struct p2p_pump *pump, struct p2p_slot *slot)
{
	struct p2p_locator *locator = &slot->locator;

	if (locator->done < slot->chunk.length) {
		p2p_slot_submit(pump, slot);
		return;
	}
	log_run(pump, slot, locator->run, 0);
	if (locator->differs)
		p2p_slot_end_badly(pump, slot, &pump->status->chunks_differing);
	else
		p2p_slot_finish(pump, slot);
}

void p2p_handle_equal(struct p2p_pump *pump, struct p2p_slot *slot, uint32_t bytes)
{
	slot->soft_errors = 0;
	p2p_status_add(&pump->status->bytes_compared, bytes);
	log_run(pump, slot, p2p_locator_equal(&slot->locator, bytes), 0);
	go_on_comparing(pump, slot);
}

void p2p_handle_difference(struct p2p_pump *pump, struct p2p_slot *slot)
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
