/* SPDX-License-Identifier: MIT */
#include <pthread.h>
#include <sys/mman.h>

#include "kit.h"
#include "p2pdma.h"

#define PAGE 4096u
#define WORDS (64 * 1024 / 8)

static const enum p2p_pattern patterns[] = { P2P_PATTERN_CONSTANT, P2P_PATTERN_WALKING,
					     P2P_PATTERN_ADDRESS, P2P_PATTERN_RANDOM };

/* Ordinary memory in the place of a device's, and all that a pass over it needs. */
struct bench {
	uint64_t words[WORDS + 2]; /* the first and the last one are guards */
	struct p2p_bad_range bad[8];
	struct p2p_memory_status status;
	struct p2p_memory_job job;
};

#define GUARD 0x5a5a5a5a5a5a5a5aull

static uint64_t address_of(const void *pointer)
{
	return (uint64_t)(uintptr_t)pointer;
}

static struct bench *make_bench(enum p2p_pattern pattern, uint32_t flags, uint64_t seed)
{
	struct bench *bench = calloc(1, sizeof(*bench));

	MUST(bench);
	bench->words[0] = bench->words[WORDS + 1] = GUARD;
	bench->job = (struct p2p_memory_job){
		.address = address_of(&bench->words[1]),
		.length = WORDS * 8,
		.base = 0xf4000000,
		.seed = seed,
		.pattern = pattern,
		.flags = flags,
		.bad = address_of(bench->bad),
		.bad_capacity = COUNT(bench->bad),
		.status = address_of(&bench->status),
	};
	return bench;
}

static void drop_bench(struct bench *bench)
{
	CHECK(bench->words[0] == GUARD);
	CHECK(bench->words[WORDS + 1] == GUARD);
	free(bench);
}

/* The word of the range under test, by its number. */
static uint64_t *word(struct bench *bench, size_t index)
{
	return &bench->words[index + 1];
}

static void finds_good_memory_good(void)
{
	for (size_t i = 0; i < COUNT(patterns); i++) {
		for (uint32_t flags = 0; flags <= P2P_MEMORY_INVERT; flags++) {
			struct bench *bench = make_bench(patterns[i], flags, 42);

			CHECK_EQ(p2p_memory_fill(&bench->job), 0);
			CHECK_EQ(bench->status.bytes_done, WORDS * 8);
			CHECK_EQ(p2p_memory_verify(&bench->job), 0);
			CHECK_EQ(bench->status.bytes_done, WORDS * 8);
			CHECK_EQ(bench->status.bad_words, 0);
			CHECK_EQ(bench->status.bad_ranges, 0);
			drop_bench(bench);
		}
	}
}

static void writes_the_patterns_it_promises(void)
{
	struct bench *bench = make_bench(P2P_PATTERN_CONSTANT, 0, 0xefbeadde);

	CHECK_EQ(p2p_memory_fill(&bench->job), 0);
	CHECK(*word(bench, 0) == 0xefbeadde && *word(bench, WORDS - 1) == 0xefbeadde);

	bench->job.pattern = P2P_PATTERN_ADDRESS;
	bench->job.seed = 0;
	CHECK_EQ(p2p_memory_fill(&bench->job), 0);
	CHECK(*word(bench, 0) == 0xf4000000 && *word(bench, 5) == 0xf4000028);

	bench->job.pattern = P2P_PATTERN_WALKING;
	CHECK_EQ(p2p_memory_fill(&bench->job), 0);
	for (size_t i = 0; i < 130; i++)
		CHECK(*word(bench, i) == 1ull << (i % 64));
	bench->job.seed = 63;
	bench->job.flags = P2P_MEMORY_INVERT;
	CHECK_EQ(p2p_memory_fill(&bench->job), 0);
	CHECK(*word(bench, 0) == ~(1ull << 63) && *word(bench, 1) == ~1ull);
	drop_bench(bench);
}

static void makes_random_words_that_depend_on_seed_and_place(void)
{
	struct bench *one = make_bench(P2P_PATTERN_RANDOM, 0, 1);
	struct bench *other = make_bench(P2P_PATTERN_RANDOM, 0, 2);
	unsigned int same = 0, repeated = 0;

	/* splitmix64 of seed 0 starts with this number everywhere. */
	one->job.base = 0;
	one->job.seed = 0;
	CHECK_EQ(p2p_memory_fill(&one->job), 0);
	CHECK(*word(one, 0) == 0xe220a8397b1dcdafull);

	CHECK_EQ(p2p_memory_fill(&other->job), 0);
	for (size_t i = 0; i < WORDS; i++) {
		same += *word(one, i) == *word(other, i);
		repeated += i > 0 && *word(one, i) == *word(one, i - 1);
	}
	CHECK_EQ(same, 0);
	CHECK_EQ(repeated, 0);
	drop_bench(one);
	drop_bench(other);
}

/* A bit that flips between write and read: every bit of a word, with every pattern. */
static void finds_every_flipped_bit(void)
{
	for (size_t i = 0; i < COUNT(patterns); i++) {
		struct bench *bench = make_bench(patterns[i], 0, 7);

		CHECK_EQ(p2p_memory_fill(&bench->job), 0);
		for (unsigned int bit = 0; bit < 64; bit++) {
			size_t at = bit * 101;
			uint64_t good = *word(bench, at);

			*word(bench, at) ^= 1ull << bit;
			CHECK_EQ(p2p_memory_verify(&bench->job), 0);
			CHECK_EQ(bench->status.bad_words, 1);
			CHECK_EQ(bench->status.bad_logged, 1);
			CHECK_EQ(bench->bad[0].offset, at * 8);
			CHECK_EQ(bench->bad[0].length, 8);
			CHECK_EQ(bench->bad[0].bad_words, 1);
			CHECK(bench->bad[0].bad_bits == 1ull << bit);
			CHECK(bench->bad[0].expected == good);
			CHECK(bench->bad[0].got == (good ^ 1ull << bit));
			*word(bench, at) = good;
		}
		drop_bench(bench);
	}
}

/* A bit that is stuck is as it should be in half of the words of any one pass. */
static void finds_stuck_bits_with_a_pattern_and_its_complement(void)
{
	for (int stuck = 0; stuck <= 1; stuck++) {
		unsigned int found = 0;

		for (uint32_t flags = 0; flags <= P2P_MEMORY_INVERT; flags++) {
			struct bench *bench = make_bench(P2P_PATTERN_WALKING, flags, 0);

			CHECK_EQ(p2p_memory_fill(&bench->job), 0);
			if (stuck)
				*word(bench, 1000) |= 1ull << 17;
			else
				*word(bench, 1000) &= ~(1ull << 17);
			CHECK_EQ(p2p_memory_verify(&bench->job), 0);
			found += bench->status.bad_words;
			drop_bench(bench);
		}
		CHECK_EQ(found, 1);
	}
}

/* Two pages of addresses that lead to one page of memory, as a broken address line has it. */
static void finds_aliased_addresses(void)
{
	int fd = memfd_create("aliased", 0);
	uint8_t *memory;

	MUST(fd >= 0 && !ftruncate(fd, PAGE));
	memory = mmap(NULL, 2 * PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	MUST(memory != MAP_FAILED);
	for (size_t i = 0; i < 2; i++)
		MUST(mmap(memory + i * PAGE, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED,
			  fd, 0) != MAP_FAILED);
	close(fd);

	for (size_t i = 0; i < COUNT(patterns); i++) {
		struct bench *bench = make_bench(patterns[i], 0, 0);
		bool can_see =
			patterns[i] == P2P_PATTERN_ADDRESS || patterns[i] == P2P_PATTERN_RANDOM;

		bench->job.address = address_of(memory);
		bench->job.length = 2 * PAGE;
		CHECK_EQ(p2p_memory_fill(&bench->job), 0);
		CHECK_EQ(p2p_memory_verify(&bench->job), 0);
		CHECK_EQ(bench->status.bad_words, can_see ? PAGE / 8 : 0);
		if (can_see)
			CHECK(bench->bad[0].offset == 0 && bench->bad[0].length == PAGE);
		drop_bench(bench);
	}
	munmap(memory, 2 * PAGE);
}

static void merges_ranges_as_told(void)
{
	struct bench *bench = make_bench(P2P_PATTERN_RANDOM, 0, 3);
	static const size_t bad[] = { 0, 1, 2, 10, 11, 700, WORDS - 1 };
	static const struct {
		uint64_t merge_bytes, ranges;
	} cases[] = { { 0, 4 }, { 55, 4 }, { 56, 3 }, { 4096, 3 }, { 688 * 8, 2 }, { 1 << 20, 1 } };

	CHECK_EQ(p2p_memory_fill(&bench->job), 0);
	for (size_t i = 0; i < COUNT(bad); i++)
		*word(bench, bad[i]) ^= 0x10ull << i;
	for (size_t i = 0; i < COUNT(cases); i++) {
		bench->job.merge_bytes = cases[i].merge_bytes;
		CHECK_EQ(p2p_memory_verify(&bench->job), 0);
		CHECK_EQ(bench->status.bad_ranges, cases[i].ranges);
		CHECK_EQ(bench->status.bad_words, COUNT(bad));
	}
	CHECK_EQ(bench->bad[0].offset, 0);
	CHECK_EQ(bench->bad[0].length, WORDS * 8);
	CHECK_EQ(bench->bad[0].bad_words, COUNT(bad));
	CHECK_EQ(bench->bad[0].bad_bits, 0x7f0);
	drop_bench(bench);
}

static void counts_what_the_log_cannot_hold(void)
{
	struct bench *bench = make_bench(P2P_PATTERN_ADDRESS, 0, 0);

	CHECK_EQ(p2p_memory_fill(&bench->job), 0);
	for (size_t i = 0; i < 100; i++)
		*word(bench, i * 2) = UINT64_MAX;
	bench->job.bad_capacity = 3;
	bench->bad[3].offset = 77;
	CHECK_EQ(p2p_memory_verify(&bench->job), 0);
	CHECK_EQ(bench->status.bad_ranges, 100);
	CHECK_EQ(bench->status.bad_logged, 3);
	CHECK_EQ(bench->status.bad_words, 100);
	CHECK_EQ(bench->status.all_ones, 100);
	CHECK_EQ(bench->bad[2].offset, 32);
	CHECK_EQ(bench->bad[3].offset, 77);

	bench->job.bad_capacity = 0;
	bench->job.bad = 0;
	CHECK_EQ(p2p_memory_verify(&bench->job), 0);
	CHECK_EQ(bench->status.bad_ranges, 100);
	CHECK_EQ(bench->status.bad_logged, 0);
	drop_bench(bench);
}

static void ends_when_cancelled(void)
{
	struct bench *bench = make_bench(P2P_PATTERN_ADDRESS, 0, 0);

	bench->status.cancel = 1;
	CHECK_EQ(p2p_memory_fill(&bench->job), -ECANCELED);
	CHECK_EQ(bench->status.bytes_done, 0);
	CHECK_EQ(*word(bench, 0), 0);
	CHECK_EQ(p2p_memory_verify(&bench->job), -ECANCELED);
	drop_bench(bench);
}

static void *repeat_until_cancelled(void *argument)
{
	struct bench *bench = argument;

	while (!p2p_memory_fill(&bench->job))
		;
	return NULL;
}

static void ends_when_cancelled_meanwhile(void)
{
	struct bench *bench = make_bench(P2P_PATTERN_RANDOM, 0, 0);
	pthread_t thread;

	MUST(!pthread_create(&thread, NULL, repeat_until_cancelled, bench));
	usleep(20 * 1000);
	__atomic_store_n(&bench->status.cancel, 1, __ATOMIC_RELAXED);
	pthread_join(thread, NULL);
	drop_bench(bench);
}

static void judges_its_job(void)
{
	struct bench *bench = make_bench(P2P_PATTERN_RANDOM, 0, 0);
	const struct p2p_memory_job good = bench->job;
	struct p2p_memory_job bad[] = { good, good, good, good, good, good, good, good, good };

	bad[0].address = 0;
	bad[1].address += 4;
	bad[2].length += 4;
	bad[3].length = UINT64_MAX - 7;
	bad[4].base = 12;
	bad[5].pattern = P2P_PATTERN_RANDOM + 1;
	bad[6].flags = 2;
	bad[7].status = 0;
	bad[8].bad = 0;
	for (size_t i = 0; i < COUNT(bad); i++) {
		CHECK_EQ(p2p_memory_fill(&bad[i]), -EINVAL);
		CHECK_EQ(p2p_memory_verify(&bad[i]), -EINVAL);
	}
	CHECK_EQ(p2p_memory_fill(NULL), -EINVAL);
	bench->job.length = 0;
	CHECK_EQ(p2p_memory_fill(&bench->job), 0);
	CHECK_EQ(p2p_memory_verify(&bench->job), 0);
	drop_bench(bench);
}

static void copies_words(void)
{
	uint64_t from[34], to[34];

	kit_fill((uint8_t *)from, sizeof(from), 9);
	memset(to, 0, sizeof(to));
	CHECK_EQ(p2p_memory_copy(address_of(&to[1]), address_of(&from[1]), 32 * 8), 0);
	CHECK(!memcmp(&to[1], &from[1], 32 * 8));
	CHECK(to[0] == 0 && to[33] == 0);
	CHECK_EQ(p2p_memory_copy(address_of(to), address_of(from), 0), 0);
	CHECK_EQ(p2p_memory_copy(address_of(to) + 1, address_of(from), 8), -EINVAL);
	CHECK_EQ(p2p_memory_copy(address_of(to), address_of(from), 12), -EINVAL);
	CHECK_EQ(p2p_memory_copy(address_of(to), 0, 8), -EINVAL);
	CHECK_EQ(p2p_memory_copy(address_of(&to[1]), address_of(to), 16), -EINVAL);
	CHECK_EQ(p2p_memory_copy(address_of(&to[2]), address_of(to), 16), 0);
}

static void reads_registers(void)
{
	uint32_t block[8] = { 10, 11, 12, 13, 14, 15, 16, 17 };
	uint32_t offsets[] = { 28, 0, 8 }, odd[] = { 4, 6 }, values[4] = { 0 };

	CHECK_EQ(p2p_register_read(address_of(block), offsets, values, 3), 0);
	CHECK(values[0] == 17 && values[1] == 10 && values[2] == 12 && values[3] == 0);
	CHECK_EQ(p2p_register_read(address_of(block), odd, values, 2), -EINVAL);
	CHECK_EQ(p2p_register_read(address_of(block) + 2, offsets, values, 1), -EINVAL);
	CHECK_EQ(p2p_register_read(0, offsets, values, 1), -EINVAL);
}

int main(void)
{
	static const struct kit_test tests[] = {
		{ "p2p_memory_verify() finds good memory good", finds_good_memory_good },
		{ "p2p_memory_fill() writes the patterns it promises",
		  writes_the_patterns_it_promises },
		{ "p2p_memory_fill() makes random words that depend on seed and place",
		  makes_random_words_that_depend_on_seed_and_place },
		{ "p2p_memory_verify() finds every flipped bit", finds_every_flipped_bit },
		{ "p2p_memory_verify() finds stuck bits with a pattern and its complement",
		  finds_stuck_bits_with_a_pattern_and_its_complement },
		{ "p2p_memory_verify() finds aliased addresses", finds_aliased_addresses },
		{ "p2p_memory_verify() merges ranges as told", merges_ranges_as_told },
		{ "p2p_memory_verify() counts what the log cannot hold",
		  counts_what_the_log_cannot_hold },
		{ "a pass ends when cancelled", ends_when_cancelled },
		{ "a pass ends when cancelled meanwhile", ends_when_cancelled_meanwhile },
		{ "a pass judges its job", judges_its_job },
		{ "p2p_memory_copy() copies words", copies_words },
		{ "p2p_register_read() reads registers", reads_registers },
	};

	return kit_main(tests, COUNT(tests));
}
