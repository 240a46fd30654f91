/* SPDX-License-Identifier: MIT */
#include "slot.h"

#define EAGER_REQUESTS	4	/* at a time: near enough to one by one, for a quarter of the calls */

void p2p_set_in_flight(struct p2p_pump *pump, uint32_t count)
{
	pump->in_flight = count;
	p2p_status_set(&pump->status->in_flight, count);
	if (count > pump->status->max_in_flight)
		p2p_status_set(&pump->status->max_in_flight, count);
}

static void set_waiting(struct p2p_pump *pump, uint32_t count)
{
	pump->waiting = count;
	p2p_status_set(&pump->status->chunks_waiting, count);
}

void p2p_slot_make_idle(struct p2p_pump *pump, struct p2p_slot *slot)
{
	pump->idle[pump->idle_count++] = (uint32_t)(slot - pump->slots);
}

static void give_up(struct p2p_pump *pump, struct p2p_slot *slot)
{
	pump->dropped = true;
	p2p_slot_make_idle(pump, slot);
}

void p2p_slot_submit(struct p2p_pump *pump, struct p2p_slot *slot)
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
	if (pump->eager)
		p2p_ring_submit(pump->ring, EAGER_REQUESTS);
	p2p_ring_queue(pump->ring, &request);
	p2p_set_in_flight(pump, pump->in_flight + 1);
}

void p2p_slot_submit_later(struct p2p_pump *pump, struct p2p_slot *slot, uint64_t delay_ns)
{
	slot->wake_at = pump->now + delay_ns;
	if (!pump->waiting || slot->wake_at < pump->wake_at)
		pump->wake_at = slot->wake_at;
	set_waiting(pump, pump->waiting + 1);
}

void p2p_slots_wake(struct p2p_pump *pump)
{
	if (!pump->waiting || (!pump->stopping && pump->now < pump->wake_at))
		return;
	pump->wake_at = UINT64_MAX;
	for (uint32_t i = 0; i < pump->job->slot_count; i++) {
		struct p2p_slot *slot = &pump->slots[i];

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
			p2p_slot_submit(pump, slot);
	}
}

void p2p_slot_begin(struct p2p_pump *pump, struct p2p_slot *slot, enum p2p_direction direction)
{
	slot->direction = direction;
	slot->done = 0;
	slot->attempts = 1;
	slot->soft_errors = 0;
	slot->stalls = 0;
	if (direction == P2P_COMPARE) {
		p2p_locator_init(&slot->locator, pump->job->nvme[P2P_COMPARE].lba_bytes,
				 pump->job->nvme[P2P_COMPARE].max_bytes);
		slot->runs = 0;
	}
	p2p_slot_submit(pump, slot);
}

void p2p_slots_start(struct p2p_pump *pump)
{
	const uint64_t rate = p2p_status_get(&pump->status->rate);
	const uint64_t limit = p2p_status_get(&pump->status->depth_limit);

	pump->held_ns = 0;
	p2p_bucket_fill(&pump->bucket, rate, pump->now);
	while (!pump->stopping && pump->idle_count && p2p_cursor_has_next(&pump->cursor)) {
		struct p2p_slot *slot = &pump->slots[pump->idle[pump->idle_count - 1]];

		if (limit && pump->job->slot_count - pump->idle_count >= limit)
			return;
		pump->held_ns = p2p_bucket_wait(&pump->bucket, rate);
		if (pump->held_ns)
			return;
		pump->idle_count--;
		p2p_cursor_next(&pump->cursor, &slot->chunk);
		p2p_bucket_take(&pump->bucket, slot->chunk.length);
		p2p_slot_begin(pump, slot, P2P_READ);
	}
}

void p2p_slot_finish(struct p2p_pump *pump, struct p2p_slot *slot)
{
	uint8_t *byte = &pump->bitmap[slot->chunk.index / 8];

	__atomic_store_n(byte, *byte | (1u << slot->chunk.index % 8), __ATOMIC_RELAXED);
	p2p_status_add(&pump->status->chunks_done, 1);
	p2p_slot_make_idle(pump, slot);
}

void p2p_slot_end_badly(struct p2p_pump *pump, struct p2p_slot *slot, uint64_t *counter)
{
	p2p_status_add(counter, 1);
	if (pump->job->flags & P2P_PUMP_STOP_ON_ERROR)
		pump->stopping = true;
	p2p_slot_make_idle(pump, slot);
}
