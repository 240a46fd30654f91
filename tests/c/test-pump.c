/* SPDX-License-Identifier: MIT */
/* The copy loop over devices that misbehave: pump.c and job.c over fake-ring.c. */
#include "devices.h"

static void copies_in_any_order(void)
{
	struct fixture fixture;

	open_straight(&fixture, 7);
	fake_plan.idle_pct = 20;
	CHECK_EQ(p2p_pump_run(&fixture.job), 0);
	check_straight(&fixture);
	CHECK_EQ(fixture.status.chunks_done, 16);
	CHECK_EQ(fixture.status.bytes_read, 16 * CHUNK);
	CHECK_EQ(fixture.status.bytes_written, 16 * CHUNK);
	CHECK_EQ(fixture.status.max_in_flight, 4);
	CHECK_EQ(fake_seen.max_pending, 4);
	CHECK_EQ(fixture.bitmap[0] & fixture.bitmap[1], 0xff);
	CHECK(is_untouched(16 * CHUNK, CHUNK));
	fixture_close(&fixture);
}

static void needs_no_ring_for_nothing(void)
{
	struct fixture fixture;

	open_straight(&fixture, 7);
	fake_seen.opened = false;
	fixture.status.chunks_failed = 99;
	memset(fixture.bitmap, 0xff, 2);
	CHECK_EQ(p2p_pump_run(&fixture.job), 0);
	CHECK(!fake_seen.opened);
	CHECK_EQ(fixture.status.chunks_failed, 0);
	fixture_close(&fixture);
}

static void skips_done_chunks(void)
{
	struct fixture fixture;

	open_straight(&fixture, 8);
	fixture.bitmap[0] = 0x5a;
	fixture.bitmap[1] = 0xff;
	CHECK_EQ(p2p_pump_run(&fixture.job), 0);
	CHECK_EQ(fixture.status.chunks_done, 4);
	for (uint64_t i = 0; i < 16; i++) {
		if (i < 8 && !(0x5a & (1 << i)))
			CHECK(!memcmp(destination + i * CHUNK, source + i * CHUNK, CHUNK));
		else
			CHECK(is_untouched(i * CHUNK, CHUNK));
	}
	fixture_close(&fixture);
}

static void reports_an_early_end(void)
{
	struct fixture fixture;
	const struct p2p_pump_error *error;

	open_straight(&fixture, 9);
	fake_plan.source_end = 14 * CHUNK + 700;
	fixture.job.retries = 3;
	CHECK_EQ(p2p_pump_run(&fixture.job), -EIO);
	check_straight(&fixture);
	CHECK_EQ(fixture.status.chunks_done, 14);
	CHECK_EQ(fixture.status.chunks_failed, 2);
	CHECK_EQ(fixture.status.retries, 0);
	CHECK_EQ(fixture.status.bytes_read, 14 * CHUNK + BLOCK);
	error = find_error(&fixture, 14);
	MUST(error);
	CHECK_EQ(error->error, ENODATA);
	CHECK_EQ(error->direction, P2P_READ);
	CHECK_EQ(error->flags, P2P_ERROR_NO_PROGRESS | P2P_ERROR_FATAL);
	CHECK_EQ(error->attempts, 1);
	CHECK_EQ(error->src_offset, 14 * CHUNK);
	CHECK_EQ(error->length, CHUNK);
	CHECK(find_error(&fixture, 15));
	fixture_close(&fixture);
}

static void reports_writes_of_nothing(void)
{
	struct fixture fixture;

	open_straight(&fixture, 10);
	fake_plan.writes_nothing = true;
	CHECK_EQ(p2p_pump_run(&fixture.job), -EIO);
	CHECK_EQ(fixture.status.chunks_failed, 4);
	CHECK_EQ(fixture.errors[3].error, EIO);
	CHECK_EQ(fixture.errors[3].direction, P2P_WRITE);
	CHECK_EQ(fixture.errors[3].flags, P2P_ERROR_NO_PROGRESS | P2P_ERROR_FATAL);
	CHECK_EQ(fake_seen.writes, 8);
	CHECK_EQ(fixture.status.short_transfers, 4);
	fixture_close(&fixture);
}

static void retries_as_often_as_told(void)
{
	static const struct fake_bad bad[] = {
		{ P2P_READ, 2 * CHUNK + BLOCK, ENODATA },
		{ P2P_WRITE, 5 * CHUNK, EIO },
	};
	const struct p2p_pump_error *error;
	struct fixture fixture;

	open_straight(&fixture, 11);
	fake_plan.bad = bad;
	fake_plan.bad_count = COUNT(bad);
	fixture.job.retries = 3;
	CHECK_EQ(p2p_pump_run(&fixture.job), -EIO);
	check_straight(&fixture);
	CHECK_EQ(fixture.status.chunks_done, 14);
	CHECK_EQ(fixture.status.retries, 6);
	/* A write tried again is not read again. */
	CHECK_EQ(fake_seen.reads, 15);
	CHECK_EQ(fake_seen.writes, 14);

	error = find_error(&fixture, 2);
	MUST(error);
	CHECK_EQ(error->error, ENODATA);
	CHECK_EQ(error->flags, 0);
	CHECK_EQ(error->attempts, 4);
	error = find_error(&fixture, 5);
	MUST(error);
	CHECK_EQ(error->direction, P2P_WRITE);
	CHECK_EQ(error->attempts, 4);
	CHECK_EQ(error->dst_offset, 5 * CHUNK);
	fixture_close(&fixture);
}

static void ends_at_a_fatal_error(void)
{
	static const int errors[] = { EREMOTEIO, EINVAL, EBADF, ENOSPC, EFBIG, EFAULT,
				      ENODEV,	 ENXIO,	 EROFS, EPERM,	EDQUOT };
	struct fixture fixture;

	for (size_t i = 0; i < COUNT(errors); i++) {
		const struct fake_bad bad = { P2P_READ, 3 * CHUNK, errors[i] };

		open_straight(&fixture, 12);
		fake_plan.bad = &bad;
		fake_plan.bad_count = 1;
		fixture.job.retries = 5;
		CHECK_EQ(p2p_pump_run(&fixture.job), -EIO);
		check_straight(&fixture);
		CHECK_EQ(fixture.status.retries, 0);
		CHECK_EQ(fixture.status.chunks_failed, 1);
		CHECK_EQ(fixture.errors[0].attempts, 1);
		CHECK_EQ(fixture.errors[0].error, errors[i]);
		CHECK_EQ(fixture.errors[0].flags, P2P_ERROR_FATAL);
		CHECK(fixture.status.chunks_done < 15);
		/* What was read is still written. */
		CHECK_EQ(fixture.status.bytes_read, fixture.status.bytes_written);
		fixture_close(&fixture);
	}
}

static void gives_up_on_endless_eagain(void)
{
	struct fixture fixture;

	open_straight(&fixture, 13);
	fake_plan.soft_forever = true;
	CHECK_EQ(p2p_pump_run(&fixture.job), -EIO);
	CHECK_EQ(fixture.status.chunks_failed, 16);
	CHECK_EQ(fixture.status.retries, 0);
	CHECK_EQ(fixture.errors[0].error, EAGAIN);
	CHECK_EQ(fixture.errors[0].attempts, 1);
	fixture_close(&fixture);
}

/* Far more of them than the limit, but never that many in a row. */
static void outlives_scattered_eagain(void)
{
	const struct p2p_extent extent = { 0, 0, DEVICE_BYTES };
	struct fixture fixture;

	plan_devices(19, 0);
	fixture_open(&fixture, &extent, 1, 2, DEVICE_BYTES, BLOCK);
	fake_plan.most_bytes = BLOCK;
	fake_plan.soft_pct = 80;
	CHECK_EQ(p2p_pump_run(&fixture.job), 0);
	CHECK(fake_seen.softs > 3000);
	CHECK(!memcmp(destination, source, DEVICE_BYTES));
	fixture_close(&fixture);
}

/* EIO everywhere, and at last something fatal. */
static void counts_beyond_the_log(void)
{
	struct fake_bad bad[15];
	struct fixture fixture;

	open_straight(&fixture, 14);
	for (uint32_t i = 0; i < COUNT(bad); i++)
		bad[i] = (struct fake_bad){ P2P_READ, i * CHUNK, i < 14 ? EIO : EREMOTEIO };
	fake_plan.bad = bad;
	fake_plan.bad_count = COUNT(bad);
	fixture.job.slot_count = 1;
	fixture.job.error_capacity = 5;
	CHECK_EQ(p2p_pump_run(&fixture.job), -EIO);
	CHECK_EQ(fixture.status.errors_logged, 5);
	CHECK_EQ(fixture.status.chunks_failed, 15);
	for (uint32_t i = 0; i < 4; i++)
		CHECK_EQ(fixture.errors[i].chunk, i);
	CHECK_EQ(fixture.errors[4].chunk, 14);
	CHECK_EQ(fixture.errors[4].flags, P2P_ERROR_FATAL);
	CHECK_EQ(fixture.errors[5].error, 0);
	CHECK_EQ(fixture.bitmap[0] | fixture.bitmap[1], 0);

	/* Without a fatal error its place stays free. */
	fake_plan.bad_count = 14;
	CHECK_EQ(p2p_pump_run(&fixture.job), -EIO);
	CHECK_EQ(fixture.status.errors_logged, 4);
	CHECK_EQ(fixture.status.chunks_failed, 14);
	CHECK_EQ(fixture.bitmap[1], 0xc0);
	fixture.bitmap[1] = 0;

	fixture.job.error_capacity = 1;
	CHECK_EQ(p2p_pump_run(&fixture.job), -EIO);
	CHECK_EQ(fixture.status.errors_logged, 1);
	CHECK_EQ(fixture.errors[0].chunk, 0);
	fixture.bitmap[1] = 0;

	fixture.job.error_capacity = 0;
	fixture.job.errors = 0;
	CHECK_EQ(p2p_pump_run(&fixture.job), -EIO);
	CHECK_EQ(fixture.status.errors_logged, 0);
	CHECK_EQ(fixture.status.chunks_failed, 14);
	fixture_close(&fixture);
}

static void stops_at_the_first_error(void)
{
	static const struct fake_bad bad = { P2P_READ, 0, EINVAL };
	struct fixture fixture;

	open_straight(&fixture, 15);
	fake_plan.bad = &bad;
	fake_plan.bad_count = 1;
	fixture.job.flags = P2P_PUMP_STOP_ON_ERROR;
	fixture.job.slot_count = 1;
	CHECK_EQ(p2p_pump_run(&fixture.job), -EIO);
	CHECK_EQ(fake_seen.reads + fake_seen.writes, 0);
	CHECK_EQ(fixture.status.chunks_failed, 1);

	/* What the other slots have begun is finished. */
	fixture.job.slot_count = 4;
	CHECK_EQ(p2p_pump_run(&fixture.job), -EIO);
	CHECK_EQ(fixture.status.chunks_failed, 1);
	CHECK(fixture.status.chunks_done >= 3);
	CHECK_EQ(fixture.status.bytes_read, fixture.status.bytes_written);
	check_straight(&fixture);
	fixture_close(&fixture);
}

static void drains_when_told(void)
{
	struct fixture fixture;
	int ret;

	for (uint64_t seed = 1; seed < 100; seed++) {
		open_straight(&fixture, seed);
		fake_plan.short_pct = 30;
		fake_plan.cancel_after = 1 + seed % 32;
		fake_plan.cancel = P2P_CANCEL_DRAIN;
		ret = p2p_pump_run(&fixture.job);
		CHECK_EQ(ret, fixture.status.chunks_done == 16 ? 0 : -ECANCELED);
		check_straight(&fixture);
		CHECK_EQ(fixture.status.bytes_read, fixture.status.bytes_written);
		CHECK_EQ(fixture.status.bytes_read, fixture.status.chunks_done * CHUNK);
		CHECK_EQ(fixture.status.chunks_failed, 0);
		fixture_close(&fixture);
	}
}

static void aborts_when_told(void)
{
	struct fixture fixture;
	int ret;

	for (uint64_t seed = 1; seed < 100; seed++) {
		open_straight(&fixture, seed);
		fake_plan.short_pct = 30;
		fake_plan.transient_pct = 10;
		fixture.job.retries = 100;
		fake_plan.cancel_after = 1 + seed % 32;
		fake_plan.cancel = P2P_CANCEL_ABORT;
		ret = p2p_pump_run(&fixture.job);
		CHECK_EQ(ret, fixture.status.chunks_done == 16 ? 0 : -ECANCELED);
		check_straight(&fixture);
		CHECK_EQ(fake_seen.queued_after_cancel[P2P_READ], 0);
		CHECK_EQ(fake_seen.queued_after_cancel[P2P_WRITE], 0);
		CHECK_EQ(fixture.status.retries <= fake_seen.transients, true);
		fixture_close(&fixture);
	}
}

static void does_nothing_when_cancelled_before(void)
{
	struct fixture fixture;

	for (uint64_t cancel = P2P_CANCEL_DRAIN; cancel <= P2P_CANCEL_ABORT; cancel++) {
		open_straight(&fixture, 16);
		fixture.status.cancel = cancel;
		CHECK_EQ(p2p_pump_run(&fixture.job), -ECANCELED);
		CHECK_EQ(fake_seen.waits, 0);
		CHECK_EQ(fixture.status.max_in_flight, 0);
		check_straight(&fixture);
		fixture_close(&fixture);
	}
}

static void reaps_after_a_breakdown(void)
{
	struct fixture fixture;

	for (uint64_t seed = 1; seed < 30; seed++) {
		open_straight(&fixture, seed);
		fake_plan.break_after = 1 + seed % 7;
		fake_plan.break_count = 5;
		fake_plan.break_error = EBADR;
		CHECK_EQ(p2p_pump_run(&fixture.job), -EBADR);
		check_straight(&fixture);
		CHECK_EQ(fake_seen.queued_after_break, 0);
		fixture_close(&fixture);
	}
}

static void outlives_a_busy_ring(void)
{
	struct fixture fixture;

	open_straight(&fixture, 17);
	fake_plan.break_after = 2;
	fake_plan.break_count = 20;
	fake_plan.break_error = EBUSY;
	CHECK_EQ(p2p_pump_run(&fixture.job), 0);
	CHECK_EQ(fixture.status.chunks_done, 16);
	check_straight(&fixture);
	fixture_close(&fixture);
}

static void leaves_a_dead_ring(void)
{
	static const int errors[] = { EBADR, EAGAIN };
	struct fixture fixture;

	for (size_t i = 0; i < COUNT(errors); i++) {
		open_straight(&fixture, 18);
		fake_plan.break_after = 3;
		fake_plan.break_count = UINT64_MAX / 2;
		fake_plan.break_error = errors[i];
		CHECK_EQ(p2p_pump_run(&fixture.job), -errors[i]);
		CHECK(fixture.status.in_flight > 0);
		CHECK_EQ(fixture.status.in_flight, fake_seen.pending);
		CHECK(fake_seen.closed);
		fixture_close(&fixture);
	}
}

/* A random job over devices of random temper; the rounds below judge the outcome. */
struct round {
	struct fixture fixture;
	struct p2p_extent extents[24];
	size_t count;
	uint8_t had_bit[DEVICE_BYTES / BLOCK];	/* by chunk */
	uint64_t todo;				/* chunks */
	uint64_t todo_bytes;
};

/* Extents share neither a source nor a destination block, in shuffled order. */
static void plan_extents(struct round *round, uint64_t *seed)
{
	uint64_t at = 0;

	round->count = 0;
	while (round->count < COUNT(round->extents)) {
		uint64_t length = kit_below(seed, 5) ? kit_below(seed, 60) * BLOCK : 0;

		at += kit_below(seed, 20) * BLOCK;
		if (at + length > DEVICE_BYTES)
			break;
		round->extents[round->count++] = (struct p2p_extent){
			fake_plan.base + DEVICE_BYTES - at - length, fake_plan.base + at, length };
		at += length;
	}
	for (size_t i = round->count; i > 1; i--) {
		size_t other = kit_below(seed, i);
		struct p2p_extent extent = round->extents[i - 1];

		round->extents[i - 1] = round->extents[other];
		round->extents[other] = extent;
	}
}

typedef void chunk_visitor(struct round *round, const struct p2p_extent *chunk, uint64_t index);

/* A chunk looks like an extent here. */
static void each_chunk(struct round *round, chunk_visitor *visit)
{
	uint64_t index = 0;

	for (size_t e = 0; e < round->count; e++) {
		const struct p2p_extent *extent = &round->extents[e];

		for (uint64_t at = 0; at < extent->length; at += round->fixture.job.chunk_bytes) {
			struct p2p_extent chunk = { extent->src_offset + at,
						    extent->dst_offset + at, extent->length - at };

			if (chunk.length > round->fixture.job.chunk_bytes)
				chunk.length = round->fixture.job.chunk_bytes;
			visit(round, &chunk, index++);
		}
	}
}

static void count_todo(struct round *round, const struct p2p_extent *chunk, uint64_t index)
{
	if (!round->had_bit[index]) {
		round->todo++;
		round->todo_bytes += chunk->length;
	}
}

static void open_round(struct round *round, uint64_t *seed)
{
	/* From 0, across 4 GiB, and up to the largest offset. */
	const uint64_t bases[] = { 0, (1ull << 32) - DEVICE_BYTES / 2,
				   (1ull << 63) - DEVICE_BYTES };
	uint64_t density = kit_below(seed, 4) ? 0 : kit_below(seed, 100), chunks;

	memset(round, 0, sizeof(*round));
	plan_devices(kit_random(seed) | 1, bases[kit_below(seed, COUNT(bases))]);
	plan_extents(round, seed);
	fixture_open(&round->fixture, round->extents, round->count, 1 + kit_below(seed, 16),
		     BLOCK * (1 + kit_below(seed, 24)), BLOCK);
	chunks = chunk_count(&round->fixture);
	for (uint64_t i = 0; i < chunks; i++) {
		if (kit_below(seed, 100) < density) {
			round->had_bit[i] = 1;
			set_bit(&round->fixture, i);
		}
	}
	each_chunk(round, count_todo);
	fake_plan.short_pct = kit_below(seed, 60);
	fake_plan.transient_pct = kit_below(seed, 30);
	fake_plan.soft_pct = kit_below(seed, 30);
	fake_plan.idle_pct = kit_below(seed, 30);
	round->fixture.job.retries = 200;
}

/* Copied if its bit was clear and it did not fail; otherwise not as much as touched. */
static void check_chunk(struct round *round, const struct p2p_extent *chunk, uint64_t index)
{
	uint64_t src = chunk->src_offset - fake_plan.base, dst = chunk->dst_offset - fake_plan.base;
	bool has_failed = find_error(&round->fixture, index);

	CHECK_EQ(bit_is_set(&round->fixture, index), !has_failed);
	if (round->had_bit[index])
		CHECK(is_untouched(dst, chunk->length));
	else if (!has_failed)
		CHECK(!memcmp(destination + dst, source + src, chunk->length));
}

static void check_round(struct round *round)
{
	const struct p2p_pump_status *status = &round->fixture.status;

	each_chunk(round, check_chunk);
	CHECK_EQ(status->chunks_done + status->chunks_failed, round->todo);
	CHECK_EQ(status->in_flight, 0);
	CHECK_EQ(fake_seen.pending, 0);
	CHECK(status->max_in_flight <= round->fixture.job.slot_count);
}

static void copies_through_any_trouble(void)
{
	static struct round round;
	uint64_t seed = 20;

	for (int i = 0; i < 400 && !kit.bad_checks; i++) {
		memset(&fake_seen, 0, sizeof(fake_seen));
		open_round(&round, &seed);
		CHECK_EQ(p2p_pump_run(&round.fixture.job), 0);
		check_round(&round);
		CHECK_EQ(round.fixture.status.chunks_failed, 0);
		CHECK_EQ(round.fixture.status.bytes_read, round.todo_bytes);
		CHECK_EQ(round.fixture.status.bytes_written, round.todo_bytes);
		CHECK_EQ(round.fixture.status.retries, fake_seen.transients);
		fixture_close(&round.fixture);
	}
}

static struct fake_bad planned[FIXTURE_ERRORS];
static size_t planned_count;
static uint64_t planning_seed;

/* A third of the chunks get one bad block, on one side. */
static void plan_bad_block(struct round *round, const struct p2p_extent *chunk, uint64_t index)
{
	static const int errors[] = { EIO, ENODATA, ETIMEDOUT, EILSEQ };
	enum p2p_direction direction = (enum p2p_direction)kit_below(&planning_seed, 2);
	uint64_t at = kit_below(&planning_seed, chunk->length / BLOCK) * BLOCK;

	if (round->had_bit[index] || kit_below(&planning_seed, 3) || planned_count == COUNT(planned))
		return;
	planned[planned_count++] = (struct fake_bad){
		.direction = direction,
		.offset = at + (direction == P2P_READ ? chunk->src_offset : chunk->dst_offset),
		.error = errors[kit_below(&planning_seed, COUNT(errors))],
	};
}

static void check_logged(struct round *round, const struct p2p_extent *chunk, uint64_t index)
{
	const struct p2p_pump_error *error = find_error(&round->fixture, index);
	const struct fake_bad *bad = NULL;

	for (size_t i = 0; i < planned_count && !bad; i++) {
		uint64_t start = planned[i].direction == P2P_READ ? chunk->src_offset
								  : chunk->dst_offset;

		if (planned[i].offset >= start && planned[i].offset < start + chunk->length)
			bad = &planned[i];
	}
	CHECK_EQ(!!error, !!bad && !round->had_bit[index]);
	if (!error || !bad)
		return;
	CHECK_EQ(error->error, bad->error);
	CHECK_EQ(error->direction, bad->direction);
	CHECK_EQ(error->src_offset, chunk->src_offset);
	CHECK_EQ(error->dst_offset, chunk->dst_offset);
	CHECK_EQ(error->length, chunk->length);
	CHECK_EQ(error->attempts, 3);
}

/*
 * Source and destination offsets of a round overlap in number, so a bad block
 * is told apart by direction; with no other errors about, the log is exact.
 */
static void logs_what_cannot_be_copied(void)
{
	static struct round round;
	uint64_t seed = 21;

	for (int i = 0; i < 400 && !kit.bad_checks; i++) {
		memset(&fake_seen, 0, sizeof(fake_seen));
		open_round(&round, &seed);
		planning_seed = kit_random(&seed) | 1;
		planned_count = 0;
		each_chunk(&round, plan_bad_block);
		fake_plan.bad = planned;
		fake_plan.bad_count = planned_count;
		fake_plan.transient_pct = 0;
		round.fixture.job.retries = 2;
		CHECK_EQ(p2p_pump_run(&round.fixture.job), planned_count ? -EIO : 0);
		CHECK_EQ(round.fixture.status.chunks_failed, planned_count);
		CHECK_EQ(round.fixture.status.errors_logged, planned_count);
		check_round(&round);
		each_chunk(&round, check_logged);
		fixture_close(&round.fixture);
	}
}

int main(void)
{
	static const struct kit_test tests[] = {
		{ "p2p_pump_run() copies in any order of completion", copies_in_any_order },
		{ "p2p_pump_run() needs no ring for nothing", needs_no_ring_for_nothing },
		{ "p2p_pump_run() leaves chunks alone whose bit is set", skips_done_chunks },
		{ "p2p_pump_run() reports a source that ends early", reports_an_early_end },
		{ "p2p_pump_run() reports writes of nothing", reports_writes_of_nothing },
		{ "p2p_pump_run() retries as often as told, without reading again",
		  retries_as_often_as_told },
		{ "p2p_pump_run() ends at a fatal error without another try",
		  ends_at_a_fatal_error },
		{ "p2p_pump_run() gives up on endless EAGAIN", gives_up_on_endless_eagain },
		{ "p2p_pump_run() outlives scattered EAGAIN", outlives_scattered_eagain },
		{ "p2p_pump_run() counts errors beyond the log", counts_beyond_the_log },
		{ "p2p_pump_run() stops at the first error when asked to",
		  stops_at_the_first_error },
		{ "p2p_pump_run() drains when told", drains_when_told },
		{ "p2p_pump_run() aborts when told", aborts_when_told },
		{ "p2p_pump_run() does nothing when cancelled before",
		  does_nothing_when_cancelled_before },
		{ "p2p_pump_run() reaps all requests after a breakdown", reaps_after_a_breakdown },
		{ "p2p_pump_run() outlives a busy ring", outlives_a_busy_ring },
		{ "p2p_pump_run() leaves a dead ring and says so", leaves_a_dead_ring },
		{ "p2p_pump_run() copies through any trouble that passes",
		  copies_through_any_trouble },
		{ "p2p_pump_run() logs exactly what cannot be copied",
		  logs_what_cannot_be_copied },
	};

	return kit_main(tests, COUNT(tests));
}
