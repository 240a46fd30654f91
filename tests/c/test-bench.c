/* SPDX-License-Identifier: MIT */
/* bench.c in virtual time, over devices whose speed is known to the nanosecond. */
#include "bench-fixture.h"
#include "devices.h"

static void plan(enum p2p_bench_kind kind)
{
	plan_devices(7, 0);
	fake_plan.wait_ns = MS;
	bench_plan(kind, DEVICE_BYTES);
}

static int run(void)
{
	int ret = p2p_bench_run(&bench.job);

	CHECK_EQ(fake_seen.pending, 0);
	CHECK(fake_seen.closed);
	return ret;
}

static void sorts_every_time_into_its_bucket(void)
{
	for (uint64_t ns = 0; ns < 2048; ns++)
		CHECK_EQ(p2p_bench_bucket(ns), ns);
	for (uint32_t bits = 11; bits < 42; bits++) {
		const uint64_t first = 1ull << bits, width = 1ull << (bits - 10);

		CHECK_EQ(p2p_bench_bucket(first), p2p_bench_bucket(first - 1) + 1);
		CHECK_EQ(p2p_bench_bucket(first + width - 1), p2p_bench_bucket(first));
		CHECK_EQ(p2p_bench_bucket(first + width), p2p_bench_bucket(first) + 1);
	}
	CHECK_EQ(p2p_bench_bucket(P2P_BENCH_MAX_NS), P2P_BENCH_BUCKETS - 1);
	CHECK_EQ(p2p_bench_bucket(UINT64_MAX), P2P_BENCH_BUCKETS - 1);
}

static void measures_what_the_clock_says(void)
{
	plan(P2P_BENCH_READ);
	bench.job.slot_count = 1;
	bench.job.warmup_ns = 5 * MS;
	CHECK_EQ(run(), 0);
	CHECK_EQ(fake_seen.reads, 5 + 10 + 1);
	CHECK_EQ(bench.result.elapsed_ns, 10 * MS);
	CHECK_EQ(bench.result.requests[P2P_READ], 10);
	CHECK_EQ(bench.result.bytes[P2P_READ], 10 * BENCH_CHUNK);
	CHECK_EQ(bench.result.bytes_now, 16 * BENCH_CHUNK);
	CHECK_EQ(bench.result.latency_ns[P2P_READ], 10 * MS);
	CHECK_EQ(bench.result.least_ns[P2P_READ], MS);
	CHECK_EQ(bench.result.most_ns[P2P_READ], MS);
	CHECK_EQ(bench.histograms[P2P_READ][p2p_bench_bucket(MS)], 10);
	CHECK_EQ(bench_recorded(P2P_READ), 10);
	CHECK_EQ(bench.result.requests[P2P_WRITE], 0);
	CHECK_EQ(bench_recorded(P2P_WRITE), 0);
}

/* Requests in flight x time = sum of their times: Little's law, but for those cut off at either end. */
static void keeps_every_slot_busy(void)
{
	uint64_t slot_ns, all;

	plan(P2P_BENCH_WRITE);
	bench.job.time_ns = 1000 * MS;
	CHECK_EQ(run(), 0);
	CHECK_EQ(fake_seen.max_pending, BENCH_SLOTS);
	CHECK_EQ(bench_recorded(P2P_WRITE), bench.result.requests[P2P_WRITE]);
	slot_ns = BENCH_SLOTS * bench.result.elapsed_ns;
	all = bench.result.latency_ns[P2P_WRITE];
	CHECK(all > slot_ns / 100 * 98 && all <= slot_ns);
}

static void copies_what_it_reads(void)
{
	plan(P2P_BENCH_COPY);
	bench.job.time_ns = 0;
	bench.job.size_bytes = DEVICE_BYTES;
	CHECK_EQ(run(), 0);
	CHECK(bench.result.bytes[P2P_WRITE] >= DEVICE_BYTES);
	CHECK(bench.result.bytes[P2P_WRITE] < DEVICE_BYTES + BENCH_SLOTS * BENCH_CHUNK);
	CHECK_EQ(bench_recorded(P2P_READ), bench.result.requests[P2P_READ]);
	CHECK_EQ(bench_recorded(P2P_WRITE), bench.result.requests[P2P_WRITE]);
	CHECK(!memcmp(source, destination, DEVICE_BYTES));
}

static void moves_the_range_on_each_side(void)
{
	plan(P2P_BENCH_COPY);
	bench.job.src_offset = 2 * BENCH_CHUNK;
	bench.job.dst_offset = 8 * BENCH_CHUNK;
	bench.job.range_bytes = 4 * BENCH_CHUNK + 1;
	bench.job.time_ns = 50 * MS;
	CHECK_EQ(run(), 0);
	CHECK(is_untouched(0, 8 * BENCH_CHUNK));
	CHECK(!memcmp(destination + 8 * BENCH_CHUNK, source + 2 * BENCH_CHUNK, 4 * BENCH_CHUNK));
	CHECK(is_untouched(12 * BENCH_CHUNK, DEVICE_BYTES - 12 * BENCH_CHUNK));
}

/* Chunks written by ten random writes, one bit each. */
static uint64_t touched_by(uint64_t seed, uint64_t time_ns)
{
	uint64_t touched = 0;

	plan(P2P_BENCH_WRITE);
	bench.job.flags = P2P_BENCH_RANDOM;
	bench.job.seed = seed;
	bench.job.slot_count = 1;
	bench.job.time_ns = time_ns;
	CHECK_EQ(run(), 0);
	for (uint64_t i = 0; i < DEVICE_BYTES / BENCH_CHUNK; i++)
		touched |= (uint64_t)!is_untouched(i * BENCH_CHUNK, BENCH_CHUNK) << i;
	return touched;
}

static void jumps_as_the_seed_says(void)
{
	CHECK_EQ(touched_by(1, 10 * MS), touched_by(1, 10 * MS));
	CHECK(touched_by(1, 10 * MS) != touched_by(2, 10 * MS));
	CHECK_EQ(touched_by(0, 2000 * MS), UINT64_MAX);
}

static void counts_errors_by_kind(void)
{
	static const struct fake_bad bad[] = {
		{ P2P_READ, 0, EIO },
		{ P2P_READ, 4 * BENCH_CHUNK, ENODATA },
		{ P2P_WRITE, 8 * BENCH_CHUNK, EIO },
	};

	plan(P2P_BENCH_COPY);
	bench.job.slot_count = 1;
	bench.job.time_ns = 0;
	bench.job.size_bytes = 2 * DEVICE_BYTES - 6 * BENCH_CHUNK;
	bench.job.most_errors = 100;
	fake_plan.bad = bad;
	fake_plan.bad_count = COUNT(bad);
	CHECK_EQ(run(), 0);
	CHECK_EQ(bench.result.failed, 6);
	for (size_t i = 0; i < COUNT(bad); i++) {
		CHECK_EQ(bench.result.errors[i].error, bad[i].error);
		CHECK_EQ(bench.result.errors[i].direction, bad[i].direction);
		CHECK_EQ(bench.result.errors[i].count, 2);
	}
	CHECK_EQ(bench.result.errors[3].error, 0);
	CHECK_EQ(bench_recorded(P2P_WRITE), bench.result.requests[P2P_WRITE]);
}

static void ends_when_errors_are_too_many(void)
{
	plan(P2P_BENCH_READ);
	fake_plan.soft_forever = true;
	bench.job.slot_count = 1;
	bench.job.most_errors = 5;
	CHECK_EQ(run(), 0);
	CHECK_EQ(bench.result.failed, 6);
	CHECK_EQ(bench.result.requests[P2P_READ], 0);
}

static void counts_short_transfers(void)
{
	plan(P2P_BENCH_READ);
	fake_plan.most_bytes = 512;
	bench.job.slot_count = 1;
	CHECK_EQ(run(), 0);
	CHECK_EQ(bench.result.short_transfers, 10);
	CHECK_EQ(bench.result.bytes[P2P_READ], 10 * 512);
}

static void cancel_soon(void)
{
	bench.result.cancel = fake_seen.waits >= 20;
}

static void hears_a_cancel(void)
{
	plan(P2P_BENCH_READ);
	bench.job.time_ns = 1000000 * MS;
	fake_plan.on_wait = cancel_soon;
	CHECK_EQ(run(), -ECANCELED);
	CHECK(fake_seen.waits < 20 + 4 * BENCH_SLOTS);
	CHECK(bench.result.elapsed_ns >= 19 * MS);
}

static void gives_all_back_when_the_ring_breaks(void)
{
	plan(P2P_BENCH_READ);
	fake_plan.break_after = 3;
	fake_plan.break_count = 2;
	fake_plan.break_error = EBADF;
	CHECK_EQ(run(), -EBADF);
	CHECK_EQ(bench.result.in_flight, 0);
}

static void keeps_count_of_what_a_broken_ring_holds(void)
{
	plan(P2P_BENCH_READ);
	fake_plan.break_after = 3;
	fake_plan.break_count = UINT64_MAX - 3;
	fake_plan.break_error = EAGAIN;
	CHECK_EQ(p2p_bench_run(&bench.job), -EIO);
	CHECK_EQ(bench.result.in_flight, fake_seen.pending);
	CHECK(bench.result.in_flight > 0);
}

#define REFUSES(field, value)					\
	do {							\
		plan(P2P_BENCH_COPY);				\
		bench.job.field = (value);			\
		CHECK_EQ(p2p_bench_run(&bench.job), -EINVAL);	\
	} while (0)

static void refuses_a_job_without_sense(void)
{
	CHECK_EQ(p2p_bench_run(NULL), -EINVAL);
	REFUSES(abi, P2P_ABI_VERSION + 1);
	REFUSES(kind, P2P_BENCH_COPY + 1);
	REFUSES(src_fd, -1);
	REFUSES(dst_fd, -1);
	REFUSES(slot_count, 0);
	REFUSES(slot_count, 4097);
	REFUSES(chunk_bytes, 0);
	REFUSES(flags, 4);
	REFUSES(vectors_per_slot, 2);
	REFUSES(slots, 0);
	REFUSES(slots, bench.job.slots + 4);
	REFUSES(range_bytes, BENCH_CHUNK - 1);
	REFUSES(src_offset, UINT64_MAX - BENCH_CHUNK);
	REFUSES(time_ns, 0);
	REFUSES(result, 0);
	REFUSES(histograms, 0);
}

int main(void)
{
	static const struct kit_test tests[] = {
		{ "p2p_bench_bucket() sorts every time into its bucket",
		  sorts_every_time_into_its_bucket },
		{ "p2p_bench_run() measures what the clock says", measures_what_the_clock_says },
		{ "p2p_bench_run() keeps every slot busy", keeps_every_slot_busy },
		{ "p2p_bench_run() copies what it reads", copies_what_it_reads },
		{ "p2p_bench_run() moves the range on each side", moves_the_range_on_each_side },
		{ "p2p_bench_run() jumps as the seed says", jumps_as_the_seed_says },
		{ "p2p_bench_run() counts errors by kind", counts_errors_by_kind },
		{ "p2p_bench_run() ends when errors are too many", ends_when_errors_are_too_many },
		{ "p2p_bench_run() counts short transfers", counts_short_transfers },
		{ "p2p_bench_run() hears a cancel", hears_a_cancel },
		{ "p2p_bench_run() gives all back when the ring breaks",
		  gives_all_back_when_the_ring_breaks },
		{ "p2p_bench_run() keeps count of what a broken ring holds",
		  keeps_count_of_what_a_broken_ring_holds },
		{ "p2p_bench_run() refuses a job without sense", refuses_a_job_without_sense },
	};

	return kit_main(tests, COUNT(tests));
}
