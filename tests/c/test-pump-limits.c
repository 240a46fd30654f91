/* SPDX-License-Identifier: MIT */
/* What makes the pump wait: delays before another try, rate and depth limits; in virtual time. */
#include "devices.h"

#define MS	1000000ull
#define SECOND	1000000000ull

/* For what a test does while the pump runs. */
static struct p2p_pump_status *watched;
static uint64_t started;

static void open_watched(struct fixture *fixture, uint64_t seed)
{
	open_straight(fixture, seed);
	fake_plan.wait_ns = MS / 100;
	memset(&fake_seen, 0, sizeof(fake_seen));
	watched = &fixture->status;
	started = fake_now;
}

static uint64_t elapsed(void)
{
	return fake_now - started;
}

static const struct fake_bad bad_read = { P2P_READ, 2 * CHUNK, EIO };

static void doubles_the_delay(void)
{
	struct fixture fixture;

	open_watched(&fixture, 1);
	fake_plan.bad = &bad_read;
	fake_plan.bad_count = 1;
	fixture.job.retries = 8;
	fixture.job.retry_delay_ms = 66;
	CHECK_EQ(p2p_pump_run(&fixture.job), -EIO);
	check_straight(&fixture);
	CHECK_EQ(fixture.errors[0].attempts, 9);
	CHECK_EQ(fixture.status.chunks_done, 15);
	CHECK_EQ(fixture.status.chunks_waiting, 0);
	/* 66, 132, ... 4224, 5000 */
	CHECK(elapsed() >= 13382 * MS && elapsed() < 13392 * MS);
	fixture_close(&fixture);
}

static uint64_t others_done_at;

static void see_others_done(void)
{
	if (!others_done_at && watched->chunks_done == 15) {
		others_done_at = fake_now;
		CHECK_EQ(watched->chunks_waiting, 1);
		CHECK_EQ(watched->in_flight, 0);
	}
}

static void holds_up_no_other_slot(void)
{
	struct fixture fixture;

	open_watched(&fixture, 2);
	others_done_at = 0;
	fake_plan.on_wait = see_others_done;
	fake_plan.bad = &bad_read;
	fake_plan.bad_count = 1;
	fixture.job.retries = 1;
	fixture.job.retry_delay_ms = 2000;
	CHECK_EQ(p2p_pump_run(&fixture.job), -EIO);
	/* Seen at the end of the first nap. */
	CHECK(others_done_at && others_done_at - started < 60 * MS);
	CHECK(elapsed() >= 2000 * MS);
	fixture_close(&fixture);
}

static void gets_through_with_delays(void)
{
	struct fixture fixture;

	for (uint64_t seed = 1; seed < 60; seed++) {
		open_watched(&fixture, seed);
		fake_plan.transient_pct = 40;
		fake_plan.short_pct = 30;
		fake_plan.idle_pct = 20;
		fixture.job.retries = 100;
		fixture.job.retry_delay_ms = 1 + seed % 50;
		CHECK_EQ(p2p_pump_run(&fixture.job), 0);
		check_straight(&fixture);
		CHECK_EQ(fixture.status.chunks_done, 16);
		CHECK_EQ(fixture.status.retries, fake_seen.transients);
		CHECK(elapsed() >= (1 + seed % 50) * MS);
		fixture_close(&fixture);
	}
}

static uint64_t cancel_with, cancelled_at;

static void cancel_the_waiting(void)
{
	if (cancelled_at || watched->in_flight || !watched->chunks_waiting)
		return;
	cancelled_at = fake_now;
	__atomic_store_n(&watched->cancel, cancel_with, __ATOMIC_RELAXED);
}

static void gives_up_the_waiting_when_cancelled(void)
{
	struct fixture fixture;

	for (cancel_with = P2P_CANCEL_DRAIN; cancel_with <= P2P_CANCEL_ABORT; cancel_with++) {
		open_watched(&fixture, 3);
		cancelled_at = 0;
		fake_plan.on_wait = cancel_the_waiting;
		fake_plan.bad = &bad_read;
		fake_plan.bad_count = 1;
		fixture.job.retries = 3;
		fixture.job.retry_delay_ms = 60000;
		CHECK_EQ(p2p_pump_run(&fixture.job), -ECANCELED);
		check_straight(&fixture);
		CHECK(cancelled_at && fake_now - cancelled_at <= 100 * MS);
		CHECK_EQ(fixture.status.chunks_done, 15);
		CHECK_EQ(fixture.status.chunks_failed, 0);
		CHECK_EQ(fixture.status.chunks_waiting, 0);
		CHECK(!bit_is_set(&fixture, 2));
		fixture_close(&fixture);
	}
}

static void gives_up_the_waiting_when_it_stops(void)
{
	static const struct fake_bad bad[] = {
		{ P2P_READ, 2 * CHUNK, EIO },
		{ P2P_WRITE, 9 * CHUNK, ENODEV },
	};
	struct fixture fixture;

	open_watched(&fixture, 4);
	fake_plan.bad = bad;
	fake_plan.bad_count = 2;
	fixture.job.retries = 3;
	fixture.job.retry_delay_ms = 60000;
	CHECK_EQ(p2p_pump_run(&fixture.job), -EIO);
	check_straight(&fixture);
	CHECK(elapsed() < 100 * MS);
	CHECK_EQ(fixture.status.chunks_failed, 1);
	CHECK_EQ(fixture.errors[0].error, ENODEV);
	CHECK_EQ(fixture.errors[0].flags, P2P_ERROR_FATAL);
	CHECK(!bit_is_set(&fixture, 2));
	fixture_close(&fixture);
}

static void holds_the_rate(void)
{
	struct fixture fixture;

	open_watched(&fixture, 5);
	fixture.status.rate = CHUNK;
	CHECK_EQ(p2p_pump_run(&fixture.job), 0);
	check_straight(&fixture);
	CHECK_EQ(fixture.status.chunks_done, 16);
	/* The first is free, each other waits for the debt of the one before. */
	CHECK(elapsed() >= 15 * SECOND && elapsed() < 15 * SECOND + 100 * MS);
	CHECK_EQ(fixture.status.rate, CHUNK);
	fixture_close(&fixture);
}

static void lift_the_limit(void)
{
	if (elapsed() >= 3 * SECOND)
		__atomic_store_n(&watched->rate, 0, __ATOMIC_RELAXED);
}

static void hears_of_a_new_rate(void)
{
	struct fixture fixture;

	open_watched(&fixture, 6);
	fake_plan.on_wait = lift_the_limit;
	fixture.status.rate = 100;
	CHECK_EQ(p2p_pump_run(&fixture.job), 0);
	CHECK_EQ(fixture.status.chunks_done, 16);
	CHECK(elapsed() >= 3 * SECOND && elapsed() < 3 * SECOND + 100 * MS);
	fixture_close(&fixture);
}

static void cancel_after_a_second(void)
{
	if (cancelled_at || elapsed() < SECOND)
		return;
	cancelled_at = fake_now;
	__atomic_store_n(&watched->cancel, cancel_with, __ATOMIC_RELAXED);
}

static void cancel_and_take_back(void)
{
	__atomic_store_n(&watched->cancel, cancelled_at ? 0 : P2P_CANCEL_DRAIN, __ATOMIC_RELAXED);
	cancelled_at = fake_now;
}

/* Chunks are missing by then, whatever the field says in the end. */
static void stays_cancelled(void)
{
	struct fixture fixture;

	open_watched(&fixture, 8);
	cancelled_at = 0;
	fake_plan.on_wait = cancel_and_take_back;
	CHECK_EQ(p2p_pump_run(&fixture.job), -ECANCELED);
	CHECK(fixture.status.chunks_done < 16);
	CHECK_EQ(fixture.status.cancel, 0);
	fixture_close(&fixture);
}

static void hears_cancel_while_held_back(void)
{
	struct fixture fixture;

	for (cancel_with = P2P_CANCEL_DRAIN; cancel_with <= P2P_CANCEL_ABORT; cancel_with++) {
		open_watched(&fixture, 7);
		cancelled_at = 0;
		fake_plan.on_wait = cancel_after_a_second;
		fixture.status.rate = 1;
		CHECK_EQ(p2p_pump_run(&fixture.job), -ECANCELED);
		CHECK_EQ(fixture.status.chunks_done, 1);
		CHECK(cancelled_at && fake_now - cancelled_at <= 100 * MS);
		fixture_close(&fixture);
	}
}

/* A rate that no chunk is left for holds nothing up. */
static void does_not_wait_for_nothing(void)
{
	struct fixture fixture;

	open_watched(&fixture, 8);
	fixture.status.rate = 1;
	memset(fixture.bitmap, 0xff, 2);
	fixture.bitmap[1] = 0x7f;
	CHECK_EQ(p2p_pump_run(&fixture.job), 0);
	CHECK_EQ(fixture.status.chunks_done, 1);
	CHECK(elapsed() < 100 * MS);
	fixture_close(&fixture);
}

static void keeps_to_the_depth(void)
{
	struct fixture fixture;

	for (uint64_t limit = 0; limit < 6; limit++) {
		open_watched(&fixture, 9);
		fixture.status.depth_limit = limit;
		CHECK_EQ(p2p_pump_run(&fixture.job), 0);
		check_straight(&fixture);
		CHECK_EQ(fixture.status.chunks_done, 16);
		CHECK_EQ(fake_seen.max_pending, limit && limit < 4 ? limit : 4);
		CHECK_EQ(fixture.status.depth_limit, limit);
		fixture_close(&fixture);
	}
}

static uint64_t deepest_after;

static void change_the_depth(void)
{
	if (watched->chunks_done >= 4 && watched->chunks_done < 8)
		__atomic_store_n(&watched->depth_limit, 1, __ATOMIC_RELAXED);
	if (watched->chunks_done >= 6 && watched->chunks_done < 8 &&
	    fake_seen.pending > deepest_after)
		deepest_after = fake_seen.pending;
	if (watched->chunks_done >= 8)
		__atomic_store_n(&watched->depth_limit, 3, __ATOMIC_RELAXED);
}

static void hears_of_a_new_depth(void)
{
	struct fixture fixture;

	for (uint64_t seed = 1; seed < 40; seed++) {
		open_watched(&fixture, seed);
		deepest_after = 0;
		fake_plan.on_wait = change_the_depth;
		fixture.status.depth_limit = 2;
		CHECK_EQ(p2p_pump_run(&fixture.job), 0);
		CHECK_EQ(deepest_after, 1);
		CHECK_EQ(fake_seen.max_pending, 3);
		fixture_close(&fixture);
	}
}

/* A chunk that waits for another try is in work. */
static void counts_the_waiting_as_deep(void)
{
	struct fixture fixture;

	open_watched(&fixture, 10);
	fake_plan.bad = &bad_read;
	fake_plan.bad_count = 1;
	fixture.job.retries = 1;
	fixture.job.retry_delay_ms = 1000;
	fixture.status.depth_limit = 1;
	CHECK_EQ(p2p_pump_run(&fixture.job), -EIO);
	CHECK_EQ(fixture.status.chunks_done, 15);
	CHECK_EQ(fake_seen.max_pending, 1);
	fixture_close(&fixture);
}

static void measures_latency(void)
{
	struct fixture fixture;

	open_watched(&fixture, 11);
	fixture.job.slot_count = 1;
	fake_plan.wait_ns = 3 * MS;
	CHECK_EQ(p2p_pump_run(&fixture.job), 0);
	CHECK_EQ(fixture.status.requests[P2P_READ], 16);
	CHECK_EQ(fixture.status.requests[P2P_WRITE], 16);
	CHECK_EQ(fixture.status.requests[P2P_COMPARE], 0);
	CHECK_EQ(fixture.status.latency_ns[P2P_READ], 16 * 3 * MS);
	CHECK_EQ(fixture.status.latency_ns[P2P_WRITE], 16 * 3 * MS);
	CHECK_EQ(fixture.status.latency_ns[P2P_COMPARE], 0);
	fixture_close(&fixture);
}

int main(void)
{
	static const struct kit_test tests[] = {
		{ "p2p_pump_run() doubles the delay before each try", doubles_the_delay },
		{ "p2p_pump_run() holds up no other slot by a delay", holds_up_no_other_slot },
		{ "p2p_pump_run() gets through with delays", gets_through_with_delays },
		{ "p2p_pump_run() gives up what waits when cancelled",
		  gives_up_the_waiting_when_cancelled },
		{ "p2p_pump_run() gives up what waits when it stops",
		  gives_up_the_waiting_when_it_stops },
		{ "p2p_pump_run() holds the rate", holds_the_rate },
		{ "p2p_pump_run() hears of a new rate", hears_of_a_new_rate },
		{ "p2p_pump_run() hears cancel while held back", hears_cancel_while_held_back },
		{ "p2p_pump_run() stays cancelled when that is taken back", stays_cancelled },
		{ "p2p_pump_run() does not wait for nothing", does_not_wait_for_nothing },
		{ "p2p_pump_run() keeps to the depth limit", keeps_to_the_depth },
		{ "p2p_pump_run() hears of a new depth limit", hears_of_a_new_depth },
		{ "p2p_pump_run() counts what waits as in work", counts_the_waiting_as_deep },
		{ "p2p_pump_run() measures latency", measures_latency },
	};

	return kit_main(tests, COUNT(tests));
}
