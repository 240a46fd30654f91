/* SPDX-License-Identifier: MIT */
/*
 * The copy loop. READ and WRITE of a chunk are two submissions rather than a
 * linked pair: a short read breaks a link, and since all that became ready in a
 * round is submitted together with the next wait, linking would not save a
 * system call per chunk.
 *
 * What waits for its time needs no thread of its own: each round wakes what is
 * due, starts as many chunks as rate and depth permit, and waits no longer than
 * to the next such moment.
 */
#include <errno.h>
#include <stdlib.h>

#include "pin.h"
#include "slot.h"

#define MAX_WAIT_NS	(50u * 1000 * 1000) /* so soon are the caller's fields heard */
/*
 * With so much time for each completion of a round there is time for a few more
 * system calls, too. Devices that answer all slots at once get the first
 * requests of the next round that much earlier, and the slots come apart;
 * together, each would wait until all are made ready.
 */
#define EAGER_NS	(150u * 1000)
#define MAX_WAIT_ERRORS	1000	/* failed waits in a row, about a millisecond apart */

static void measure(struct p2p_pump *pump, const struct p2p_slot *slot)
{
	p2p_status_add(&pump->status->latency_ns[slot->direction], pump->now - slot->submitted_at);
	p2p_status_add(&pump->status->requests[slot->direction], 1);
}

static void handle_completions(struct p2p_pump *pump, int count)
{
	pump->soft_errors = 0;
	for (int i = 0; i < count; i++) {
		const struct p2p_completion *completion = &pump->completions[i];
		struct p2p_slot *slot = &pump->slots[completion->slot];

		p2p_set_in_flight(pump, pump->in_flight - 1);
		measure(pump, slot);
		if (slot->direction == P2P_COMPARE && completion->result == -EILSEQ)
			p2p_handle_difference(pump, slot);
		else if (completion->result < 0)
			p2p_handle_error(pump, slot, -completion->result);
		else if (slot->direction == P2P_COMPARE)
			p2p_handle_equal(pump, slot, (uint32_t)completion->result);
		else
			p2p_handle_progress(pump, slot, (uint32_t)completion->result);
	}
	/* A device that has no time for anybody is not asked again at once. */
	if (count && pump->soft_errors == (uint32_t)count)
		p2p_nap(100 * 1000);
}

static void read_cancel(struct p2p_pump *pump)
{
	uint64_t cancel = p2p_status_get(&pump->status->cancel);

	if (!cancel)
		return;
	pump->cancelled = true;
	pump->stopping = true;
	pump->aborting |= cancel != P2P_CANCEL_DRAIN;
}

/*
 * Until a request completes, a slot is due, the rate permits the next chunk, or
 * the caller should be heard.
 */
static int wait(struct p2p_pump *pump)
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
static int run(struct p2p_pump *pump)
{
	int failures = 0, broken = 0;
	uint64_t before;

	pump->now = p2p_now();
	pump->bucket.filled_at = pump->now;
	read_cancel(pump);
	while (failures < MAX_WAIT_ERRORS) {
		int count;

		p2p_slots_wake(pump);
		p2p_slots_start(pump);
		if (!pump->in_flight && !pump->waiting && !pump->held_ns)
			break;
		before = pump->now;
		count = wait(pump);
		pump->now = p2p_now();
		pump->eager = count > 1 && pump->now - before > (uint64_t)count * EAGER_NS;
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

static void free_tables(struct p2p_pump *pump)
{
	free(pump->slots);
	free(pump->idle);
	free(pump->completions);
}

static int open_pump(struct p2p_pump *pump)
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
		p2p_slot_make_idle(pump, &pump->slots[i]);
	}
	return 0;
}

static void close_pump(struct p2p_pump *pump)
{
	p2p_ring_close(pump->ring);
	free_tables(pump);
}

static bool has_chunks_left(struct p2p_pump *pump)
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
	struct p2p_pump pump = { .job = job };
	struct p2p_pin pin;
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

	p2p_pin(job, &pin);
	ret = open_pump(&pump);
	if (!ret) {
		ret = run(&pump);
		close_pump(&pump);
	}
	p2p_unpin(&pin);
	if (ret)
		return ret;
	if (pump.cancelled && has_chunks_left(&pump))
		return -ECANCELED;
	if (pump.status->chunks_failed)
		return -EIO;
	return pump.status->chunks_differing ? -EILSEQ : 0;
}
