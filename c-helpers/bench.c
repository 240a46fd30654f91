/* SPDX-License-Identifier: MIT */
/*
 * The measuring loop: the pump's ring without its journal, retries and limits.
 * Each slot has one request in flight, or one chunk on its way from read to
 * write; a request's time runs from the round that queues it to the round that
 * sees it completed, as an application sees it.
 */
#include "bench.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/uio.h>

#include "job.h"
#include "pace.h"
#include "ring.h"

#define MAX_WAIT_NS	(250u * 1000 * 1000) /* so soon is a cancel heard; shorter waits would be calls that count */
#define MAX_WAIT_ERRORS	1000	/* failed waits in a row, about a millisecond apart */

struct bench_slot {
	uint64_t chunk;		/* in the range */
	uint64_t queued_at;	/* p2p_now() */
	enum p2p_direction direction;
};

enum phase {
	WARM_UP,
	MEASURE,
	DRAIN,	/* wait for what is in flight, start nothing */
};

struct bench {
	const struct p2p_bench_job *job;
	struct p2p_bench_result *result;
	uint64_t *histograms[P2P_BENCH_DIRECTIONS];
	const uint64_t *addresses;
	const struct iovec *vectors;
	struct p2p_pump_job ring_job;
	struct p2p_pump_status status;	/* the ring's */
	struct p2p_ring *ring;
	struct bench_slot *slots;
	struct p2p_completion *completions;
	struct rusage usage;	/* when measuring began */
	uint64_t enters;	/* then */
	uint64_t began_at;	/* of the phase */
	uint64_t now;		/* p2p_now() when the last wait ended */
	uint64_t chunks;	/* in the range */
	uint64_t next;
	uint64_t random;
	uint32_t in_flight;
	enum phase phase;
};

static enum p2p_direction first_direction(const struct bench *bench)
{
	return bench->job->kind == P2P_BENCH_WRITE ? P2P_WRITE : P2P_READ;
}

static enum p2p_direction last_direction(const struct bench *bench)
{
	return bench->job->kind == P2P_BENCH_READ ? P2P_READ : P2P_WRITE;
}

/* xorshift64*, and the upper half of a product instead of a remainder. */
static uint64_t random_below(uint64_t *state, uint64_t limit)
{
	*state ^= *state >> 12;
	*state ^= *state << 25;
	*state ^= *state >> 27;
	return (uint64_t)(((unsigned __int128)(*state * 0x2545f4914f6cdd1dull) * limit) >> 64);
}

static uint64_t next_chunk(struct bench *bench)
{
	if (bench->job->flags & P2P_BENCH_RANDOM)
		return random_below(&bench->random, bench->chunks);
	return bench->next++ % bench->chunks;
}

static void queue(struct bench *bench, uint32_t index)
{
	const struct p2p_bench_job *job = bench->job;
	struct bench_slot *slot = &bench->slots[index];
	struct p2p_request request = {
		.address = bench->addresses[index],
		.offset = (slot->direction == P2P_READ ? job->src_offset : job->dst_offset) +
			  slot->chunk * job->chunk_bytes,
		.length = job->chunk_bytes,
		.slot = index,
		.vectors = job->vectors_per_slot,
		.direction = slot->direction,
	};

	if (job->vectors_per_slot)
		request.address = (uint64_t)(uintptr_t)(bench->vectors +
							(size_t)index * job->vectors_per_slot);
	slot->queued_at = bench->now;
	bench->in_flight++;
	p2p_ring_queue(bench->ring, &request);
}

static void start(struct bench *bench, uint32_t index)
{
	if (bench->phase == DRAIN)
		return;
	bench->slots[index].chunk = next_chunk(bench);
	bench->slots[index].direction = first_direction(bench);
	queue(bench, index);
}

static uint64_t ns_of(const struct timeval *time)
{
	return (uint64_t)time->tv_sec * 1000000000 + (uint64_t)time->tv_usec * 1000;
}

static void begin_measuring(struct bench *bench)
{
	bench->phase = MEASURE;
	bench->began_at = bench->now;
	bench->enters = bench->status.enters;
	getrusage(RUSAGE_THREAD, &bench->usage);
}

static void end_measuring(struct bench *bench)
{
	struct p2p_bench_result *result = bench->result;
	const struct rusage *was = &bench->usage;
	struct rusage is;

	if (bench->phase == MEASURE) {
		getrusage(RUSAGE_THREAD, &is);
		result->elapsed_ns = bench->now - bench->began_at;
		result->enters = bench->status.enters - bench->enters;
		result->user_ns = ns_of(&is.ru_utime) - ns_of(&was->ru_utime);
		result->system_ns = ns_of(&is.ru_stime) - ns_of(&was->ru_stime);
		result->voluntary_switches = (uint64_t)(is.ru_nvcsw - was->ru_nvcsw);
		result->involuntary_switches = (uint64_t)(is.ru_nivcsw - was->ru_nivcsw);
	}
	bench->phase = DRAIN;
}

static bool is_enough(const struct bench *bench)
{
	const struct p2p_bench_job *job = bench->job;

	if (job->time_ns && bench->now - bench->began_at >= job->time_ns)
		return true;
	return job->size_bytes && bench->result->bytes[last_direction(bench)] >= job->size_bytes;
}

static void change_phase(struct bench *bench)
{
	if (p2p_status_get(&bench->result->cancel) || bench->result->failed > bench->job->most_errors)
		end_measuring(bench);
	else if (bench->phase == WARM_UP && bench->now - bench->began_at >= bench->job->warmup_ns)
		begin_measuring(bench);
	else if (bench->phase == MEASURE && is_enough(bench))
		end_measuring(bench);
}

static void count_error(struct bench *bench, enum p2p_direction direction, int error)
{
	bench->result->failed++;
	for (uint32_t i = 0; i < P2P_BENCH_ERRORS; i++) {
		struct p2p_bench_error *entry = &bench->result->errors[i];

		if (!entry->count)
			*entry = (struct p2p_bench_error){ .error = error, .direction = direction };
		if (entry->error == error && entry->direction == direction) {
			entry->count++;
			return;
		}
	}
}

static void measure(struct bench *bench, const struct bench_slot *slot, uint32_t bytes)
{
	const uint64_t ns = bench->now - slot->queued_at;
	const enum p2p_direction direction = slot->direction;
	struct p2p_bench_result *result = bench->result;

	bench->histograms[direction][p2p_bench_bucket(ns)]++;
	if (!result->requests[direction]++ || ns < result->least_ns[direction])
		result->least_ns[direction] = ns;
	if (ns > result->most_ns[direction])
		result->most_ns[direction] = ns;
	result->latency_ns[direction] += ns;
	result->bytes[direction] += bytes;
	result->short_transfers += bytes < bench->job->chunk_bytes;
}

static void handle_completion(struct bench *bench, const struct p2p_completion *completion)
{
	struct bench_slot *slot = &bench->slots[completion->slot];

	bench->in_flight--;
	if (completion->result < 0) {
		if (bench->phase != DRAIN)
			count_error(bench, slot->direction, -completion->result);
		start(bench, completion->slot);
		return;
	}
	if (bench->phase == MEASURE)
		measure(bench, slot, (uint32_t)completion->result);
	p2p_status_add(&bench->result->bytes_now, (uint64_t)completion->result);
	if (slot->direction == last_direction(bench)) {
		start(bench, completion->slot);
	} else if (bench->phase != DRAIN) {
		slot->direction = P2P_WRITE;
		queue(bench, completion->slot);
	}
}

/* Goes round until every request has come back: the slots must not be unmapped under a transfer. */
static int run(struct bench *bench)
{
	int failures = 0, broken = 0;

	bench->now = p2p_now();
	bench->began_at = bench->now;
	change_phase(bench);
	for (uint32_t i = 0; i < bench->job->slot_count; i++)
		start(bench, i);
	while (bench->in_flight && failures < MAX_WAIT_ERRORS) {
		int count = p2p_ring_wait(bench->ring, MAX_WAIT_NS, bench->completions);

		bench->now = p2p_now();
		if (count < 0) {
			failures++;
			if (count != -EAGAIN && count != -EBUSY) {
				broken = count;
				bench->phase = DRAIN;
			}
			p2p_nap(1000 * 1000);
			continue;
		}
		failures = 0;
		for (int i = 0; i < count; i++)
			handle_completion(bench, &bench->completions[i]);
		change_phase(bench);
	}
	bench->result->in_flight = bench->in_flight;
	return broken || !bench->in_flight ? broken : -EIO;
}

static bool is_address(uint64_t address)
{
	return address && address % sizeof(uint64_t) == 0;
}

static bool check_memory(const struct p2p_bench_job *job)
{
	if (!is_address(job->slots) || !is_address(job->result) || !is_address(job->histograms) ||
	    (job->vectors_per_slot && !is_address(job->vectors)))
		return false;
	for (uint32_t i = 0; i < job->slot_count; i++) {
		if (!((const uint64_t *)(uintptr_t)job->slots)[i])
			return false;
	}
	return true;
}

static bool check_range(const struct p2p_bench_job *job)
{
	const uint64_t most = INT64_MAX;

	return job->chunk_bytes && job->chunk_bytes <= P2P_MAX_CHUNK_BYTES &&
	       job->range_bytes >= job->chunk_bytes && job->range_bytes <= most &&
	       job->src_offset <= most - job->range_bytes &&
	       job->dst_offset <= most - job->range_bytes;
}

static int check(const struct p2p_bench_job *job)
{
	const uint32_t known = P2P_BENCH_RANDOM | P2P_BENCH_FIXED_BUFFERS;

	if (!job || job->abi != P2P_ABI_VERSION || job->kind > P2P_BENCH_COPY || job->flags & ~known ||
	    !job->slot_count || job->slot_count > P2P_MAX_SLOTS || !(job->time_ns || job->size_bytes))
		return -EINVAL;
	if ((job->kind != P2P_BENCH_WRITE && job->src_fd < 0) ||
	    (job->kind != P2P_BENCH_READ && job->dst_fd < 0) || !check_range(job))
		return -EINVAL;
	if (job->vectors_per_slot &&
	    (job->kind == P2P_BENCH_COPY || job->flags & P2P_BENCH_FIXED_BUFFERS))
		return -EINVAL;
	return check_memory(job) ? 0 : -EINVAL;
}

static void init(struct bench *bench, const struct p2p_bench_job *job)
{
	*bench = (struct bench){
		.job = job,
		.result = (struct p2p_bench_result *)(uintptr_t)job->result,
		.addresses = (const uint64_t *)(uintptr_t)job->slots,
		.vectors = (const struct iovec *)(uintptr_t)job->vectors,
		.chunks = job->range_bytes / job->chunk_bytes,
		.random = job->seed * 2 + 1,	/* never 0, where xorshift would stay */
		.ring_job = {
			.flags = job->flags & P2P_BENCH_FIXED_BUFFERS ? P2P_PUMP_FIXED_BUFFERS : 0,
			.src_fd = job->src_fd,
			.dst_fd = job->dst_fd,
			.slot_count = job->slot_count,
			.chunk_bytes = job->chunk_bytes,
			.block_bytes = 1,
			.slots = job->slots,
		},
	};
	bench->ring_job.status = (uint64_t)(uintptr_t)&bench->status;
	for (uint32_t i = 0; i < P2P_BENCH_DIRECTIONS; i++)
		bench->histograms[i] = (uint64_t *)(uintptr_t)job->histograms + i * P2P_BENCH_BUCKETS;
	memset(bench->result, 0, offsetof(struct p2p_bench_result, cancel));
	memset(bench->histograms[0], 0, sizeof(uint64_t) * P2P_BENCH_DIRECTIONS * P2P_BENCH_BUCKETS);
}

int p2p_bench_run(const struct p2p_bench_job *job)
{
	struct bench bench;
	int ret = check(job);

	if (ret)
		return ret;
	init(&bench, job);
	bench.slots = calloc(job->slot_count, sizeof(*bench.slots));
	bench.completions = calloc(job->slot_count, sizeof(*bench.completions));
	ret = bench.slots && bench.completions ? p2p_ring_open(&bench.ring_job, &bench.ring) : -ENOMEM;
	if (ret)
		goto free_tables;
	bench.result->fixed_buffers = bench.status.fixed_buffers;

	ret = run(&bench);
	p2p_ring_close(bench.ring);
	if (!ret && p2p_status_get(&bench.result->cancel))
		ret = -ECANCELED;
free_tables:
	free(bench.slots);
	free(bench.completions);
	return ret;
}
