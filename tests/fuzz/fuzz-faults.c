/* SPDX-License-Identifier: MIT */
/*
 * The pump and the measuring loop over devices in memory that misbehave as the
 * input says: errors, short transfers, late completions, a broken ring, and a
 * caller who changes its mind meanwhile. Time is virtual.
 */
#include "kit.h"

#include "../c/fake-ring.h"
#include "bench.h"
#include "pump-case.h"
#include "targets.h"

static uint8_t source[DEVICE_BYTES], destination[DEVICE_BYTES];
static struct fake_bad bad[4];

static void plan_bad(struct input *input, uint64_t base)
{
	static const int errors[] = { EIO, ENODATA, EREMOTEIO, ENOSPC, EINTR, EAGAIN, EBADF, ETIMEDOUT };

	fake_plan.bad = bad;
	fake_plan.bad_count = take_below(input, COUNT(bad) + 1);
	for (size_t i = 0; i < fake_plan.bad_count; i++)
		bad[i] = (struct fake_bad){
			.direction = (enum p2p_direction)take_below(input, P2P_DIRECTIONS),
			.offset = base + take_below(input, DEVICE_BYTES),
			.error = errors[take_below(input, COUNT(errors))],
		};
}

static void plan_devices(struct input *input, uint64_t base)
{
	fake_plan = (struct fake_plan){
		.seed = take_bytes(input, 2) * 2 + 1,
		.source = source,
		.destination = destination,
		.bytes = DEVICE_BYTES,
		.base = base,
		.short_pct = (uint32_t)take_below(input, 60),
		.transient_pct = (uint32_t)take_below(input, 40),
		.soft_pct = (uint32_t)take_below(input, 40),
		.idle_pct = (uint32_t)take_below(input, 40),
		.soft_forever = take_chance(input, 2),
		.writes_nothing = take_chance(input, 2),
		.cancel_after = take_chance(input, 20) ? take_below(input, 64) : 0,
		.cancel = 1 + take_below(input, 3),
		.wait_ns = take_below(input, 40000000), /* the pump waits 50 ms at most */
	};
	if (take_chance(input, 10)) {
		fake_plan.break_after = 1 + take_below(input, 20);
		fake_plan.break_count = take_below(input, 1100);
		fake_plan.break_error = take_chance(input, 50) ? EBADR : EAGAIN;
	}
	if (take_chance(input, 10))
		fake_plan.source_end = base + take_below(input, DEVICE_BYTES);
	plan_bad(input, base);
}

/* Comparing finds something to do only where little differs. */
static void fill_destination(struct input *input, const struct pump_case *test)
{
	memset(destination, UNTOUCHED, sizeof(destination));
	if (test->job.stages != P2P_STAGES_COMPARE || test->is_spoiled)
		return;
	for (uint64_t i = 0; i < test->job.extent_count; i++) {
		const struct p2p_extent *extent = &test->extents[i];

		memcpy(destination + (extent->dst_offset - fake_plan.base),
		       source + (extent->src_offset - fake_plan.base), extent->length);
	}
	for (uint64_t i = take_below(input, 8); i--;)
		destination[take_below(input, DEVICE_BYTES)] ^= 1;
}

/* A moment of the caller's while the pump runs: rate, depth or cancel. */
static struct {
	struct input input;
	struct p2p_pump_status *status;
} caller;

static void on_wait(void)
{
	struct p2p_pump_status *status = caller.status;

	if (!caller.input.left)
		return;
	switch (take_below(&caller.input, 16)) {
	case 0: p2p_status_set(&status->rate, 65536 * take_below(&caller.input, 256)); break;
	case 1: p2p_status_set(&status->depth_limit, take_number(&caller.input)); break;
	case 2: p2p_status_set(&status->cancel, take_below(&caller.input, 4)); break;
	default: break;
	}
}

static bool is_inside(const struct pump_case *test, uint64_t base)
{
	for (uint64_t i = 0; i < test->job.extent_count; i++) {
		const struct p2p_extent *extent = &test->extents[i];

		if (extent->length > DEVICE_BYTES || extent->src_offset - base > DEVICE_BYTES - extent->length ||
		    extent->dst_offset - base > DEVICE_BYTES - extent->length)
			return false;
	}
	return true;
}

static void run_pump(struct input *input)
{
	const struct device_pair devices = { source, destination,
					     take_chance(input, 20) ? (1ull << 63) - DEVICE_BYTES
								    : take_below(input, 1u << 20) * 4096 };
	struct pump_case test;
	int result;

	plan_devices(input, devices.base);
	case_open(input, &test, devices.base, 3, 4);
	test.job.retry_delay_ms = (uint32_t)take_below(input, 20000);
	fake_plan.block_bytes = test.job.block_bytes;
	if (take_chance(input, 10))
		fake_plan.most_bytes = (uint32_t)take_below(input, 8192) + test.job.block_bytes;
	if (!is_inside(&test, devices.base) && !p2p_job_check(&test.job)) {
		case_close(&test);
		return;
	}
	fill_destination(input, &test);
	caller.status = test.status;
	caller.input = *input;
	fake_plan.on_wait = on_wait;
	result = p2p_pump_run(&test.job);
	if (result == -EINVAL || !test.status->in_flight)
		case_check(&test, result, &devices);
	else
		CHECK(fake_seen.has_broken && result < 0);
	case_close(&test);
}

static void check_bench(const struct p2p_bench_job *job, const struct p2p_bench_result *result,
			const uint64_t *histograms)
{
	for (uint32_t direction = 0; direction < P2P_BENCH_DIRECTIONS; direction++) {
		uint64_t sum = 0;

		for (uint32_t i = 0; i < P2P_BENCH_BUCKETS; i++)
			sum += histograms[direction * P2P_BENCH_BUCKETS + i];
		CHECK(sum == result->requests[direction]);
		CHECK(result->bytes[direction] <= sum * job->chunk_bytes);
		CHECK(result->least_ns[direction] <= result->most_ns[direction]);
	}
}

static void run_bench(struct input *input)
{
	static uint64_t histograms[P2P_BENCH_DIRECTIONS][P2P_BENCH_BUCKETS];
	struct p2p_bench_result *result = make_array(1, sizeof(*result));
	const uint32_t chunk = 512u << take_below(input, 5), count = 1 + (uint32_t)take_below(input, 8);
	uint64_t *slots = make_array(count, sizeof(*slots));
	uint8_t *memory = make_array(count, chunk);
	struct p2p_bench_job job;
	int ret;

	plan_devices(input, 0);
	fake_plan.block_bytes = 1;
	fake_plan.wait_ns |= 1024; /* or the virtual clock would stand still */
	job = (struct p2p_bench_job){
		.abi = P2P_ABI_VERSION,
		.kind = (uint32_t)take_below(input, 4),
		.src_fd = (int32_t)take_below(input, 9) - 1,
		.dst_fd = (int32_t)take_below(input, 9) - 1,
		.slot_count = take_chance(input, 95) ? count : 0,
		.chunk_bytes = chunk,
		.flags = (uint32_t)take_below(input, 2),
		.slots = address_of(slots),
		.src_offset = take_below(input, DEVICE_BYTES / 2 / chunk) * chunk,
		.dst_offset = take_below(input, DEVICE_BYTES / 2 / chunk) * chunk,
		.range_bytes = take_chance(input, 5) ? take_number(input)
						     : chunk + take_below(input, DEVICE_BYTES / 2 - chunk),
		.seed = take_number(input),
		.warmup_ns = take_below(input, 10000000),
		.time_ns = take_below(input, 20000000),
		.size_bytes = take_chance(input, 50) ? take_below(input, 4 * DEVICE_BYTES) : 0,
		.most_errors = take_below(input, 32),
		.result = address_of(result),
		.histograms = address_of(histograms),
	};
	for (uint32_t i = 0; i < count; i++)
		slots[i] = address_of(memory + (size_t)i * chunk);
	/* Longer than the device must be refused by itself, where it goes past the end of all files. */
	const uint64_t last = INT64_MAX - (job.src_offset > job.dst_offset ? job.src_offset : job.dst_offset);
	if (job.range_bytes > DEVICE_BYTES / 2 && job.range_bytes <= last)
		job.range_bytes = 0;
	/* A device that moves nothing never brings a size about. */
	if (job.size_bytes)
		job.time_ns |= 1 << 20;
	ret = p2p_bench_run(&job);
	if (ret != -EINVAL)
		check_bench(&job, result, histograms[0]);
	free(memory);
	free(slots);
	free(result);
}

static const struct target targets[] = {
	{ "pump", run_pump },
	{ "pump", run_pump },
	{ "pump", run_pump },
	{ "bench", run_bench },
};

void fuzz_setup(void)
{
	kit_fill(source, sizeof(source), 1);
}

void fuzz_one(struct input *input)
{
	targets[take_below(input, COUNT(targets))].run(input);
}
