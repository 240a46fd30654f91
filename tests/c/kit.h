/* SPDX-License-Identifier: MIT */
/*
 * A small test kit: checks that report and go on, a deadline per test, and
 * "N passed, N failed" as the last line.
 */
#ifndef P2P_TESTS_KIT_H
#define P2P_TESTS_KIT_H

#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define KIT_DEADLINE_SECONDS	120	/* sanitizers on a busy machine are slow */
#define KIT_MAX_REPORTS		10	/* failed checks shown per test */

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

struct kit_test {
	const char *name;	/* function plus behaviour */
	void (*run)(void);
};

static struct {
	const char *test;
	unsigned int passed, failed, skipped, bad_checks;
	bool is_skipped;
} kit;

static inline void kit_fail(const char *file, int line, const char *text)
{
	if (kit.bad_checks++ < KIT_MAX_REPORTS)
		printf("    %s:%d: %s\n", file, line, text);
}

static inline void kit_compare(const char *file, int line, const char *text, int64_t found,
			       int64_t wanted)
{
	char message[256];

	if (found == wanted)
		return;
	snprintf(message, sizeof(message), "%s: found %" PRId64 ", wanted %" PRId64, text, found,
		 wanted);
	kit_fail(file, line, message);
}

#define CHECK(condition)						\
	do {								\
		if (!(condition))					\
			kit_fail(__FILE__, __LINE__, #condition);	\
	} while (0)

#define CHECK_EQ(found, wanted) \
	kit_compare(__FILE__, __LINE__, #found, (int64_t)(found), (int64_t)(wanted))

/* For what the test itself needs; without it nothing sensible can follow. */
#define MUST(condition)								\
	do {									\
		if (!(condition)) {						\
			printf("    %s:%d: cannot go on: %s: %s\n", __FILE__,	\
			       __LINE__, #condition, strerror(errno));		\
			kit_finish_early();					\
		}								\
	} while (0)

/* Marks the running test as skipped; the caller returns. */
static inline void kit_skip(const char *reason)
{
	kit.is_skipped = true;
	printf("skip  %s: %s\n", kit.test, reason);
}

static inline void kit_finish_early(void)
{
	printf("FAIL  %s\n%u passed, %u failed\n", kit.test, kit.passed, kit.failed + 1);
	fflush(stdout);
	_exit(1);
}

static inline void kit_on_alarm(int number)
{
	(void)number;
	printf("    deadline of %d s missed\n", KIT_DEADLINE_SECONDS);
	kit_finish_early();
}

static inline void kit_run(const struct kit_test *test)
{
	kit.test = test->name;
	kit.bad_checks = 0;
	kit.is_skipped = false;
	alarm(KIT_DEADLINE_SECONDS);
	test->run();
	alarm(0);

	if (kit.bad_checks) {
		kit.failed++;
		printf("FAIL  %s\n", test->name);
	} else if (kit.is_skipped) {
		kit.skipped++;
	} else {
		kit.passed++;
		printf("ok    %s\n", test->name);
	}
	fflush(stdout);
}

/* Return: what main() returns. */
static inline int kit_main(const struct kit_test *tests, size_t count)
{
	signal(SIGALRM, kit_on_alarm);
	for (size_t i = 0; i < count; i++)
		kit_run(&tests[i]);
	if (kit.skipped)
		printf("%u skipped\n", kit.skipped);
	printf("%u passed, %u failed\n", kit.passed, kit.failed);
	return kit.failed ? 1 : 0;
}

/* xorshift64*: the same numbers for the same seed everywhere. */
static inline uint64_t kit_random(uint64_t *state)
{
	*state ^= *state >> 12;
	*state ^= *state << 25;
	*state ^= *state >> 27;
	return *state * 0x2545f4914f6cdd1dull;
}

/* 0 to @limit - 1 */
static inline uint64_t kit_below(uint64_t *state, uint64_t limit)
{
	return (kit_random(state) >> 11) % limit;
}

static inline void kit_fill(uint8_t *bytes, size_t length, uint64_t seed)
{
	for (size_t i = 0; i < length; i++)
		bytes[i] = (uint8_t)(kit_random(&seed) >> 40);
}

#endif
