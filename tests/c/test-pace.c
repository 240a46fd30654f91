/* SPDX-License-Identifier: MIT */
/* pace.c: delays and the token bucket are plain arithmetic. */
#include "kit.h"
#include "pace.h"

#define MS	1000000ull
#define SECOND	1000000000ull

static void doubles_up_to_five_seconds(void)
{
	static const uint64_t wanted[] = { 100, 200, 400, 800, 1600, 3200, 5000, 5000 };

	for (uint32_t i = 0; i < COUNT(wanted); i++)
		CHECK_EQ(p2p_retry_delay(100, i + 1), wanted[i] * MS);
	CHECK_EQ(p2p_retry_delay(100, UINT32_MAX), 5000 * MS);
	CHECK_EQ(p2p_retry_delay(0, 1), 0);
	CHECK_EQ(p2p_retry_delay(0, UINT32_MAX), 0);
}

static void keeps_a_longer_first_delay(void)
{
	CHECK_EQ(p2p_retry_delay(30000, 1), 30000 * MS);
	CHECK_EQ(p2p_retry_delay(30000, 9), 30000 * MS);
	CHECK_EQ(p2p_retry_delay(UINT32_MAX, 9), UINT32_MAX * MS);
}

/* Chunks of any size, looked at whenever the bucket says, and late by chance. */
static void holds_the_rate(void)
{
	static const uint64_t rates[] = { 1000, 1 << 20, 3ull << 30, 1ull << 40 };
	uint64_t seed = 31;

	for (size_t i = 0; i < COUNT(rates); i++) {
		const uint64_t start = 5 * SECOND;
		struct p2p_bucket bucket = { .filled_at = start };
		uint64_t now = start, bytes = 0;
		uint32_t most = rates[i] / 10 < 1 << 30 ? (uint32_t)(rates[i] / 10) : 1 << 30;

		while (now < start + 100 * SECOND) {
			uint64_t wait;

			p2p_bucket_fill(&bucket, rates[i], now);
			wait = p2p_bucket_wait(&bucket, rates[i]);
			if (wait) {
				now += wait + kit_below(&seed, 2 * MS);
				continue;
			}
			bytes += most;
			p2p_bucket_take(&bucket, most);
			/* Never ahead by more than the burst and one chunk. */
			CHECK((double)bytes <= ((double)(now - start) / 1e9 + 0.1) *
						       (double)rates[i] + most + 1);
		}
		CHECK((double)bytes >= 98.0 * (double)rates[i]);
	}
}

static void hears_of_a_new_rate(void)
{
	struct p2p_bucket bucket = { .filled_at = SECOND };

	/* No limit, no debt. */
	p2p_bucket_take(&bucket, 1u << 30);
	CHECK_EQ(p2p_bucket_wait(&bucket, 0), 0);
	CHECK(p2p_bucket_wait(&bucket, 1000) > 0);
	p2p_bucket_fill(&bucket, 0, SECOND);
	CHECK_EQ(p2p_bucket_wait(&bucket, 1000), 0);

	/* A debt of 1000 s at the old rate is one of a second at the new one. */
	p2p_bucket_take(&bucket, 1000000);
	p2p_bucket_fill(&bucket, 1000, SECOND);
	CHECK_EQ(p2p_bucket_wait(&bucket, 1000), SECOND);
	p2p_bucket_fill(&bucket, 1000000, SECOND + SECOND / 2);
	CHECK(p2p_bucket_wait(&bucket, 1000000) <= SECOND / 2 + 1);
	p2p_bucket_fill(&bucket, 1000000, 2 * SECOND + 1);
	CHECK_EQ(p2p_bucket_wait(&bucket, 1000000), 0);
}

int main(void)
{
	static const struct kit_test tests[] = {
		{ "p2p_retry_delay() doubles up to 5 s", doubles_up_to_five_seconds },
		{ "p2p_retry_delay() keeps a first delay that is longer",
		  keeps_a_longer_first_delay },
		{ "p2p_bucket_wait() holds the rate", holds_the_rate },
		{ "p2p_bucket_fill() hears of a new rate", hears_of_a_new_rate },
	};

	return kit_main(tests, COUNT(tests));
}
