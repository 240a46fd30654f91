/* SPDX-License-Identifier: MIT */
/* Stages that compare, over devices in memory. */
#include "devices.h"

static void open_compare(struct fixture *fixture, uint64_t seed, enum p2p_stages stages)
{
	open_straight(fixture, seed);
	fixture->job.stages = stages;
	fixture->job.nvme[P2P_COMPARE].nsid = 1;
	fixture->job.nvme[P2P_COMPARE].lba_bytes = BLOCK;
	fixture->job.nvme[P2P_COMPARE].max_bytes = 3 * BLOCK;
	memset(&fake_seen, 0, sizeof(fake_seen));
	if (stages == P2P_STAGES_COMPARE)
		memcpy(destination, source, sizeof(destination));
}

static void finds_equal_data_equal(void)
{
	struct fixture fixture;

	for (uint64_t seed = 1; seed < 50; seed++) {
		open_compare(&fixture, seed, P2P_STAGES_COMPARE);
		fake_plan.transient_pct = 20;
		fake_plan.short_pct = 20;
		fake_plan.soft_pct = 20;
		fixture.job.retries = 50;
		CHECK_EQ(p2p_pump_run(&fixture.job), 0);
		check_straight(&fixture);
		CHECK_EQ(fixture.status.chunks_done, 16);
		CHECK_EQ(fixture.status.chunks_differing, 0);
		CHECK_EQ(fixture.status.bytes_read, 16 * CHUNK);
		CHECK_EQ(fixture.status.bytes_compared, 16 * CHUNK);
		CHECK_EQ(fixture.status.bytes_written, 0);
		CHECK_EQ(fake_seen.writes, 0);
		/* 8 LBAs in pieces of at most 3. */
		CHECK_EQ(fake_seen.compares, 16 * 3);
		CHECK(fixture.status.requests[P2P_COMPARE] >= 16 * 3);
		fixture_close(&fixture);
	}
}

static void compares_what_it_wrote(void)
{
	struct fixture fixture;

	open_compare(&fixture, 2, P2P_STAGES_COPY_COMPARE);
	CHECK_EQ(p2p_pump_run(&fixture.job), 0);
	check_straight(&fixture);
	CHECK_EQ(fixture.status.chunks_done, 16);
	CHECK_EQ(fixture.status.bytes_written, 16 * CHUNK);
	CHECK_EQ(fixture.status.bytes_compared, 16 * CHUNK);
	fixture_close(&fixture);
}

static void locates_one_bit(void)
{
	struct fixture fixture;
	uint64_t seed = 3;

	for (int round = 0; round < 100; round++) {
		uint64_t at = kit_below(&seed, 16 * CHUNK);

		open_compare(&fixture, kit_random(&seed) | 1, P2P_STAGES_COMPARE);
		destination[at] ^= (uint8_t)(1u << kit_below(&seed, 8));
		CHECK_EQ(p2p_pump_run(&fixture.job), -EILSEQ);
		CHECK_EQ(fixture.status.chunks_done, 15);
		CHECK_EQ(fixture.status.chunks_failed, 0);
		CHECK_EQ(fixture.status.chunks_differing, 1);
		CHECK(!bit_is_set(&fixture, at / CHUNK));
		CHECK_EQ(fixture.status.bytes_compared, 16 * CHUNK);
		CHECK_EQ(fixture.status.errors_logged, 1);
		CHECK_EQ(fixture.errors[0].chunk, at / CHUNK);
		CHECK_EQ(fixture.errors[0].src_offset, at / BLOCK * BLOCK);
		CHECK_EQ(fixture.errors[0].dst_offset, at / BLOCK * BLOCK);
		CHECK_EQ(fixture.errors[0].length, BLOCK);
		CHECK_EQ(fixture.errors[0].error, EILSEQ);
		CHECK_EQ(fixture.errors[0].direction, P2P_COMPARE);
		CHECK_EQ(fixture.errors[0].flags, 0);
		fixture_close(&fixture);
	}
}

/* The differing LBAs by the log, against those by memcmp. */
static void check_runs(const struct fixture *fixture)
{
	bool is_logged[16 * CHUNK / BLOCK] = { false };

	for (uint64_t i = 0; i < fixture->status.errors_logged; i++) {
		const struct p2p_pump_error *error = &fixture->errors[i];

		CHECK_EQ(error->direction, P2P_COMPARE);
		CHECK_EQ(error->dst_offset / CHUNK, error->chunk);
		for (uint64_t at = 0; at < error->length; at += BLOCK) {
			CHECK(!is_logged[(error->dst_offset + at) / BLOCK]);
			is_logged[(error->dst_offset + at) / BLOCK] = true;
		}
		/* Neighbours in one chunk are one run. */
		if (error->dst_offset % CHUNK)
			CHECK(!memcmp(source + error->src_offset - BLOCK,
				      destination + error->dst_offset - BLOCK, BLOCK));
	}
	for (uint64_t lba = 0; lba < COUNT(is_logged); lba++)
		CHECK_EQ(is_logged[lba],
			 !!memcmp(source + lba * BLOCK, destination + lba * BLOCK, BLOCK));
}

static void merges_neighbours(void)
{
	struct fixture fixture;
	uint64_t seed = 4;

	for (int round = 0; round < 200 && !kit.bad_checks; round++) {
		uint64_t density = kit_below(&seed, 101);

		open_compare(&fixture, kit_random(&seed) | 1, P2P_STAGES_COMPARE);
		for (uint64_t lba = 0; lba < 16 * CHUNK / BLOCK; lba++)
			destination[lba * BLOCK + kit_below(&seed, BLOCK)] ^=
				kit_below(&seed, 100) < density;
		p2p_pump_run(&fixture.job);
		check_straight(&fixture);
		check_runs(&fixture);
		CHECK_EQ(fixture.status.chunks_done + fixture.status.chunks_differing, 16);
		CHECK_EQ(fixture.status.bytes_compared, 16 * CHUNK);
		fixture_close(&fixture);
	}
}

static const struct p2p_extent large = { 0, 0, DEVICE_BYTES };

/* One chunk of 512 LBAs of which every other one differs. */
static void ends_with_a_rough_run(void)
{
	struct fixture fixture;

	open_compare(&fixture, 5, P2P_STAGES_COMPARE);
	fixture_close(&fixture);
	fixture_open(&fixture, &large, 1, 1, DEVICE_BYTES, BLOCK);
	fixture.job.stages = P2P_STAGES_COMPARE;
	fixture.job.nvme[P2P_COMPARE].nsid = 1;
	fixture.job.nvme[P2P_COMPARE].lba_bytes = BLOCK;
	fixture.job.nvme[P2P_COMPARE].max_bytes = DEVICE_BYTES;
	for (uint64_t at = 0; at < DEVICE_BYTES; at += 2 * BLOCK)
		destination[at] ^= 1;
	CHECK_EQ(p2p_pump_run(&fixture.job), -EILSEQ);
	CHECK_EQ(fixture.status.errors_logged, 64);
	CHECK_EQ(fixture.status.chunks_differing, 1);
	CHECK_EQ(fixture.status.bytes_compared, DEVICE_BYTES);
	for (uint64_t i = 0; i < 63; i++) {
		CHECK_EQ(fixture.errors[i].dst_offset, i * 2 * BLOCK);
		CHECK_EQ(fixture.errors[i].length, BLOCK);
		CHECK_EQ(fixture.errors[i].flags, 0);
	}
	CHECK(fixture.errors[63].dst_offset <= 63 * 2 * BLOCK);
	CHECK_EQ(fixture.errors[63].dst_offset + fixture.errors[63].length, DEVICE_BYTES);
	CHECK_EQ(fixture.errors[63].flags, P2P_ERROR_ROUGH);
	fixture_close(&fixture);
}

static void only_counts_when_the_log_is_full(void)
{
	struct fixture fixture;

	open_compare(&fixture, 6, P2P_STAGES_COMPARE);
	fixture.job.error_capacity = 3;
	fixture.job.slot_count = 1;
	for (uint64_t at = 0; at < 16 * CHUNK; at += CHUNK)
		destination[at + 2 * BLOCK] ^= 1;
	CHECK_EQ(p2p_pump_run(&fixture.job), -EILSEQ);
	CHECK_EQ(fixture.status.errors_logged, 2);
	CHECK_EQ(fixture.errors[1].chunk, 1);
	CHECK_EQ(fixture.errors[1].length, BLOCK);
	CHECK_EQ(fixture.status.chunks_differing, 16);
	CHECK_EQ(fixture.status.bytes_compared, 16 * CHUNK);
	CHECK_EQ(fixture.bitmap[0] | fixture.bitmap[1], 0);
	/* Two chunks located, one command each for the rest. */
	CHECK(fake_seen.compares < 2 * 8 + 14 + 4);
	fixture_close(&fixture);
}

static void stops_at_the_first_difference(void)
{
	struct fixture fixture;

	open_compare(&fixture, 7, P2P_STAGES_COMPARE);
	destination[0] ^= 1;
	fixture.job.flags = P2P_PUMP_STOP_ON_ERROR;
	fixture.job.slot_count = 1;
	CHECK_EQ(p2p_pump_run(&fixture.job), -EILSEQ);
	CHECK_EQ(fake_seen.reads, 1);
	CHECK_EQ(fixture.status.chunks_differing, 1);
	CHECK_EQ(fixture.status.errors_logged, 1);
	fixture_close(&fixture);
}

/* A difference found before the chunk fails stays in the log. */
static void tells_failure_from_difference(void)
{
	static const struct fake_bad bad = { P2P_COMPARE, 2 * CHUNK + 3 * BLOCK, ENODATA };
	struct fixture fixture;

	open_compare(&fixture, 8, P2P_STAGES_COMPARE);
	fake_plan.bad = &bad;
	fake_plan.bad_count = 1;
	fixture.job.retries = 2;
	destination[2 * CHUNK + BLOCK] ^= 1;
	destination[2 * CHUNK + 2 * BLOCK] ^= 1;
	destination[7 * CHUNK] ^= 1;
	CHECK_EQ(p2p_pump_run(&fixture.job), -EIO);
	CHECK_EQ(fixture.status.chunks_failed, 1);
	CHECK_EQ(fixture.status.chunks_differing, 1);
	CHECK_EQ(fixture.status.chunks_done, 14);
	CHECK_EQ(fixture.status.retries, 2);
	CHECK_EQ(fixture.status.errors_logged, 3);
	for (uint64_t i = 0; i < 3; i++) {
		const struct p2p_pump_error *error = &fixture.errors[i];

		if (error->error == EILSEQ) {
			CHECK_EQ(error->length, error->chunk == 2 ? 2 * BLOCK : BLOCK);
			continue;
		}
		CHECK_EQ(error->error, ENODATA);
		CHECK_EQ(error->direction, P2P_COMPARE);
		CHECK_EQ(error->dst_offset, 2 * CHUNK);
		CHECK_EQ(error->length, CHUNK);
		CHECK_EQ(error->attempts, 3);
	}
	fixture_close(&fixture);
}

static void ends_where_compare_is_missing(void)
{
	static const struct fake_bad bad = { P2P_COMPARE, 0, EOPNOTSUPP };
	struct fixture fixture;

	open_compare(&fixture, 9, P2P_STAGES_COPY_COMPARE);
	fake_plan.bad = &bad;
	fake_plan.bad_count = 1;
	fixture.job.retries = 5;
	CHECK_EQ(p2p_pump_run(&fixture.job), -EIO);
	CHECK_EQ(fixture.status.retries, 0);
	CHECK_EQ(fixture.errors[0].error, EOPNOTSUPP);
	CHECK_EQ(fixture.errors[0].direction, P2P_COMPARE);
	CHECK_EQ(fixture.errors[0].flags, P2P_ERROR_FATAL);
	CHECK(!bit_is_set(&fixture, 0));
	fixture_close(&fixture);
}

static void aborts_when_told(void)
{
	struct fixture fixture;
	int ret;

	for (uint64_t seed = 1; seed < 60; seed++) {
		open_compare(&fixture, seed, P2P_STAGES_COPY_COMPARE);
		fake_plan.cancel_after = 1 + seed % 30;
		fake_plan.cancel = seed % 2 ? P2P_CANCEL_ABORT : P2P_CANCEL_DRAIN;
		ret = p2p_pump_run(&fixture.job);
		CHECK_EQ(ret, fixture.status.chunks_done == 16 ? 0 : -ECANCELED);
		check_straight(&fixture);
		CHECK_EQ(fake_seen.queued_after_cancel[P2P_READ], 0);
		if (seed % 2)
			CHECK_EQ(fake_seen.queued_after_cancel[P2P_COMPARE], 0);
		else
			CHECK_EQ(fixture.status.bytes_compared, fixture.status.bytes_read);
		fixture_close(&fixture);
	}
}

int main(void)
{
	static const struct kit_test tests[] = {
		{ "p2p_pump_run() finds equal data equal", finds_equal_data_equal },
		{ "p2p_pump_run() compares what it wrote", compares_what_it_wrote },
		{ "p2p_pump_run() locates one bit to the LBA", locates_one_bit },
		{ "p2p_pump_run() merges neighbouring LBAs that differ", merges_neighbours },
		{ "p2p_pump_run() ends with a rough run", ends_with_a_rough_run },
		{ "p2p_pump_run() only counts differences when the log is full",
		  only_counts_when_the_log_is_full },
		{ "p2p_pump_run() stops at the first difference when asked to",
		  stops_at_the_first_difference },
		{ "p2p_pump_run() tells failure from difference", tells_failure_from_difference },
		{ "p2p_pump_run() ends where Compare is missing", ends_where_compare_is_missing },
		{ "p2p_pump_run() cancels what compares", aborts_when_told },
	};

	return kit_main(tests, COUNT(tests));
}
