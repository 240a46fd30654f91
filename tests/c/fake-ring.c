/* SPDX-License-Identifier: MIT */
#include "fake-ring.h"

#include <time.h>

#include "kit.h"
#include "pace.h"
#include "ring.h"

struct fake_plan fake_plan;
struct fake_seen fake_seen;
uint64_t fake_now = 1000000000;

int __wrap_clock_gettime(clockid_t clock, struct timespec *time);
int __wrap_nanosleep(const struct timespec *time, struct timespec *rest);

int __wrap_clock_gettime(clockid_t clock, struct timespec *time)
{
	MUST(clock == CLOCK_MONOTONIC);
	time->tv_sec = (time_t)(fake_now / 1000000000);
	time->tv_nsec = (long)(fake_now % 1000000000);
	return 0;
}

int __wrap_nanosleep(const struct timespec *time, struct timespec *rest)
{
	(void)rest;
	fake_now += (uint64_t)time->tv_sec * 1000000000 + (uint64_t)time->tv_nsec;
	if (fake_plan.on_wait)
		fake_plan.on_wait();
	return 0;
}

struct p2p_ring {
	const struct p2p_pump_job *job;
	struct p2p_pump_status *status;
	struct p2p_request *pending;	/* fake_seen.pending of them, in no order */
	bool *is_busy;			/* by slot */
	bool *has_stalled;		/* by slot: moved nothing last time */
};

static bool chance(uint32_t pct)
{
	return kit_below(&fake_plan.seed, 100) < pct;
}

int p2p_ring_open(const struct p2p_pump_job *job, struct p2p_ring **out)
{
	struct p2p_ring *ring = calloc(1, sizeof(*ring));

	MUST(ring);
	ring->job = job;
	ring->status = (struct p2p_pump_status *)(uintptr_t)job->status;
	ring->pending = calloc(job->slot_count, sizeof(*ring->pending));
	ring->is_busy = calloc(job->slot_count, sizeof(*ring->is_busy));
	ring->has_stalled = calloc(job->slot_count, sizeof(*ring->has_stalled));
	MUST(ring->pending && ring->is_busy && ring->has_stalled);
	memset(&fake_seen, 0, sizeof(fake_seen));
	fake_seen.opened = true;
	*out = ring;
	return 0;
}

void p2p_ring_close(struct p2p_ring *ring)
{
	fake_seen.closed = true;
	free(ring->pending);
	free(ring->is_busy);
	free(ring->has_stalled);
	free(ring);
}

/* What every request must obey, whatever went wrong before it. */
static void check_request(struct p2p_ring *ring, const struct p2p_request *request)
{
	const struct p2p_pump_job *job = ring->job;
	uint64_t slot = ((const uint64_t *)(uintptr_t)job->slots)[request->slot];
	uint32_t mask = job->block_bytes - 1;

	MUST(request->slot < job->slot_count);
	CHECK(!ring->is_busy[request->slot]);
	if (request->direction == P2P_COMPARE) {
		CHECK(request->length <= job->nvme[P2P_COMPARE].max_bytes);
		mask = job->nvme[P2P_COMPARE].lba_bytes - 1;
	}
	CHECK(request->length && !(request->length & mask));
	CHECK(!(request->offset & mask));
	MUST(request->address >= slot &&
	     request->address - slot + request->length <= job->chunk_bytes);
	MUST(request->offset >= fake_plan.base &&
	     request->offset - fake_plan.base + request->length <= fake_plan.bytes);
}

void p2p_ring_queue(struct p2p_ring *ring, const struct p2p_request *request)
{
	check_request(ring, request);
	if (fake_seen.has_cancelled)
		fake_seen.queued_after_cancel[request->direction]++;
	if (fake_seen.has_broken)
		fake_seen.queued_after_break++;
	ring->is_busy[request->slot] = true;
	ring->pending[fake_seen.pending++] = *request;
	if (fake_seen.pending > fake_seen.max_pending)
		fake_seen.max_pending = fake_seen.pending;
}

static int find_bad(const struct p2p_request *request)
{
	for (size_t i = 0; i < fake_plan.bad_count; i++) {
		const struct fake_bad *bad = &fake_plan.bad[i];

		if (bad->direction == request->direction && bad->offset >= request->offset &&
		    bad->offset < request->offset + request->length)
			return bad->error;
	}
	return 0;
}

static int invent_error(const struct p2p_request *request)
{
	int bad = find_bad(request);

	if (fake_plan.soft_forever)
		return EAGAIN;
	if (chance(fake_plan.soft_pct)) {
		fake_seen.softs++;
		return chance(50) ? EAGAIN : EINTR;
	}
	if (bad)
		return bad;
	if (chance(fake_plan.transient_pct)) {
		fake_seen.transients++;
		return EIO;
	}
	return 0;
}

/* Short by any number of bytes, also to nothing and into the middle of a block. */
static uint32_t invent_length(struct p2p_ring *ring, const struct p2p_request *request)
{
	bool *has_stalled = &ring->has_stalled[request->slot];
	uint64_t end = fake_plan.source_end ? fake_plan.source_end
					    : fake_plan.base + fake_plan.bytes;
	uint64_t length = request->length;

	if (request->direction == P2P_READ && request->offset + length > end)
		length = request->offset < end ? end - request->offset : 0;
	if (request->direction == P2P_WRITE && fake_plan.writes_nothing)
		length = 0;
	if (fake_plan.most_bytes && length > fake_plan.most_bytes)
		length = fake_plan.most_bytes;
	if (length && chance(fake_plan.short_pct)) {
		/* One stall is nothing, two in a row are an end. */
		uint64_t least = *has_stalled ? fake_plan.block_bytes : 0;

		if (least > length)
			least = length;
		length = least + kit_below(&fake_plan.seed, length - least + 1);
	}
	*has_stalled = length < fake_plan.block_bytes;
	return (uint32_t)length;
}

static int32_t serve(struct p2p_ring *ring, const struct p2p_request *request)
{
	uint64_t at = request->offset - fake_plan.base;
	void *memory = (void *)(uintptr_t)request->address;
	int error = invent_error(request);
	uint32_t length;

	if (error)
		return -error;
	if (request->direction == P2P_COMPARE) {
		fake_seen.compares++;
		fake_seen.compared_bytes += request->length;
		return memcmp(memory, fake_plan.destination + at, request->length) ?
			       -EILSEQ : (int32_t)request->length;
	}
	length = invent_length(ring, request);
	if (request->direction == P2P_READ) {
		memcpy(memory, fake_plan.source + at, length);
		fake_seen.reads++;
	} else {
		memcpy(fake_plan.destination + at, memory, length);
		fake_seen.writes++;
	}
	return (int32_t)length;
}

static struct p2p_completion complete_one(struct p2p_ring *ring)
{
	uint64_t pick = kit_below(&fake_plan.seed, fake_seen.pending);
	struct p2p_request request = ring->pending[pick];

	ring->pending[pick] = ring->pending[--fake_seen.pending];
	ring->is_busy[request.slot] = false;
	return (struct p2p_completion){ .slot = request.slot, .result = serve(ring, &request) };
}

static bool is_broken(void)
{
	if (!fake_plan.break_after || fake_seen.waits <= fake_plan.break_after ||
	    fake_seen.waits > fake_plan.break_after + fake_plan.break_count)
		return false;
	fake_seen.has_broken = true;
	return true;
}

void p2p_ring_submit(struct p2p_ring *ring, uint32_t least)
{
	(void)ring;
	(void)least;
}

int p2p_ring_wait(struct p2p_ring *ring, uint64_t wait_ns, struct p2p_completion *completions)
{
	uint64_t count, served = fake_seen.reads + fake_seen.writes;

	fake_seen.waits++;
	MUST(fake_seen.pending);
	if (fake_plan.on_wait)
		fake_plan.on_wait();
	if (is_broken())
		return -fake_plan.break_error;
	if (fake_plan.cancel_after && served >= fake_plan.cancel_after) {
		fake_seen.has_cancelled = true;
		__atomic_store_n(&ring->status->cancel, fake_plan.cancel, __ATOMIC_RELAXED);
	}
	if (chance(fake_plan.idle_pct) || wait_ns < fake_plan.wait_ns) {
		fake_now += wait_ns;
		return 0;
	}
	fake_now += fake_plan.wait_ns;
	count = 1 + kit_below(&fake_plan.seed, fake_seen.pending);
	for (uint64_t i = 0; i < count; i++)
		completions[i] = complete_one(ring);
	return (int)count;
}
