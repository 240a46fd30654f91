/* SPDX-License-Identifier: MIT */
/* locate.c against a plain comparison, LBA by LBA. */
#include "kit.h"
#include "locate.h"

#define LBA		512u
#define MAX_LBAS	300u

/* What a chunk looks like: which LBAs differ, and what the locator said. */
struct chunk {
	bool differs[MAX_LBAS], found[MAX_LBAS];
	uint32_t lbas;
	uint32_t commands;
	uint32_t runs;
};

static void note(struct chunk *chunk, struct p2p_run run)
{
	if (!run.length)
		return;
	CHECK_EQ(run.offset % LBA, 0);
	CHECK_EQ(run.length % LBA, 0);
	chunk->runs++;
	for (uint32_t i = run.offset / LBA; i < (run.offset + run.length) / LBA; i++)
		chunk->found[i] = true;
}

static void locate(struct chunk *chunk, uint32_t max_bytes)
{
	struct p2p_locator locator;

	p2p_locator_init(&locator, LBA, max_bytes);
	while (locator.done < chunk->lbas * LBA) {
		uint32_t bytes = p2p_locator_next(&locator, chunk->lbas * LBA);
		bool differs = false;

		MUST(bytes && bytes % LBA == 0 && bytes <= max_bytes);
		for (uint32_t i = 0; i < bytes / LBA; i++)
			differs |= chunk->differs[locator.done / LBA + i];
		chunk->commands++;
		if (differs)
			p2p_locator_differs(&locator, bytes);
		else
			note(chunk, p2p_locator_equal(&locator, bytes));
	}
	note(chunk, locator.run);
}

static uint32_t count_runs(const struct chunk *chunk)
{
	uint32_t runs = 0;

	for (uint32_t i = 0; i < chunk->lbas; i++)
		runs += chunk->differs[i] && (!i || !chunk->differs[i - 1]);
	return runs;
}

static void finds_every_lba(void)
{
	uint64_t seed = 77;

	for (int round = 0; round < 5000 && !kit.bad_checks; round++) {
		uint64_t density = kit_below(&seed, 4) ? 2 : kit_below(&seed, 101);
		struct chunk chunk = { .lbas = 1 + (uint32_t)kit_below(&seed, MAX_LBAS) };

		for (uint32_t i = 0; i < chunk.lbas; i++)
			chunk.differs[i] = kit_below(&seed, 100) < density;
		locate(&chunk, LBA * (1 + (uint32_t)kit_below(&seed, MAX_LBAS)));
		CHECK(!memcmp(chunk.found, chunk.differs, sizeof(chunk.found)));
		CHECK_EQ(chunk.runs, count_runs(&chunk));
	}
}

static void takes_few_commands(void)
{
	struct chunk equal = { .lbas = 256 }, all = { .lbas = 256 };

	locate(&equal, 64 * LBA);
	CHECK_EQ(equal.commands, 4);
	/* Down to the LBA and up again. */
	for (uint32_t at = 0; at < 256; at++) {
		struct chunk one = { .lbas = 256 };

		one.differs[at] = true;
		locate(&one, 256 * LBA);
		CHECK(one.commands <= 8 * 9 / 2 + 8);
	}
	memset(all.differs, true, 256);
	locate(&all, 256 * LBA);
	CHECK_EQ(all.commands, 8 + 256);
	CHECK_EQ(all.runs, 1);
}

int main(void)
{
	static const struct kit_test tests[] = {
		{ "p2p_locator_next() finds every LBA that differs", finds_every_lba },
		{ "p2p_locator_next() takes few commands", takes_few_commands },
	};

	return kit_main(tests, COUNT(tests));
}
