/* SPDX-License-Identifier: MIT */
/*
 * The pump from inside. A slot carries one chunk at a time through the job's
 * stages: it is idle, or has its one request in flight, or waits for another
 * try. Slots know nothing of each other.
 */
#ifndef P2P_SLOT_H
#define P2P_SLOT_H

#include "job.h"
#include "locate.h"
#include "pace.h"
#include "ring.h"

struct p2p_slot {
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

struct p2p_pump {
	const struct p2p_pump_job *job;
	struct p2p_pump_status *status;
	struct p2p_pump_error *errors;
	uint8_t *bitmap;
	struct p2p_cursor cursor;
	struct p2p_ring *ring;
	struct p2p_slot *slots;
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
	bool eager;		/* submit a few requests at a time, not all of a round */
	bool stopping;		/* start no new chunk */
	bool aborting;		/* submit nothing at all */
	bool cancelled;		/* by the caller, who may have taken it back since */
	bool dropped;		/* a started chunk was given up */
};

/* slot.c: what a slot does next. */

void p2p_set_in_flight(struct p2p_pump *pump, uint32_t count);
void p2p_slot_make_idle(struct p2p_pump *pump, struct p2p_slot *slot);

/* Asks for what is missing of the slot's chunk in its present direction. */
void p2p_slot_submit(struct p2p_pump *pump, struct p2p_slot *slot);
void p2p_slot_submit_later(struct p2p_pump *pump, struct p2p_slot *slot, uint64_t delay_ns);
void p2p_slot_begin(struct p2p_pump *pump, struct p2p_slot *slot, enum p2p_direction direction);
void p2p_slot_finish(struct p2p_pump *pump, struct p2p_slot *slot);

/* The chunk's bit stays clear; @counter of the status says why. */
void p2p_slot_end_badly(struct p2p_pump *pump, struct p2p_slot *slot, uint64_t *counter);

/* Submits what is due. A pump that stops waits for nobody: these chunks stay undone then. */
void p2p_slots_wake(struct p2p_pump *pump);

/* Starts as many chunks as rate and depth permit. */
void p2p_slots_start(struct p2p_pump *pump);

/* outcome.c: what comes of a request. */

void p2p_handle_error(struct p2p_pump *pump, struct p2p_slot *slot, int error);
void p2p_handle_progress(struct p2p_pump *pump, struct p2p_slot *slot, uint32_t bytes);
void p2p_handle_equal(struct p2p_pump *pump, struct p2p_slot *slot, uint32_t bytes);
void p2p_handle_difference(struct p2p_pump *pump, struct p2p_slot *slot);

#endif
