/* SPDX-License-Identifier: MIT */
/*
 * What all targets share: the test kit's checks, which end the process here so
 * that the fuzzer keeps the input, and numbers taken from that input.
 */
#ifndef P2P_FUZZ_KIT_H
#define P2P_FUZZ_KIT_H

#include "../c/kit.h"

#undef CHECK
#undef MUST
#define CHECK(condition)								\
	do {										\
		if (!(condition)) {							\
			fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #condition);	\
			abort();							\
		}									\
	} while (0)
#define MUST(condition) CHECK(condition)

/* An input that has been used up gives zeros. */
struct input {
	const uint8_t *at;
	size_t left;
};

static inline uint64_t take_bytes(struct input *input, unsigned int count)
{
	uint64_t value = 0;

	for (unsigned int i = 0; i < count && input->left; i++, input->left--)
		value |= (uint64_t)*input->at++ << 8 * i;
	return value;
}

/* 0 to @limit - 1 */
static inline uint64_t take_below(struct input *input, uint64_t limit)
{
	return take_bytes(input, limit > 256 ? 4 : 1) % limit;
}

static inline bool take_chance(struct input *input, uint32_t pct)
{
	return take_below(input, 100) >= 100 - pct;
}

/* Any number, with a taste for those at which sums and checks break. */
static inline uint64_t take_number(struct input *input)
{
	static const uint64_t edges[] = {
		0, 1, 7, 8, 511, 512, 4095, 4096, 65535, 65536, 1u << 30, (1u << 30) + 1,
		INT32_MAX, UINT32_MAX, 1ull << 32, 1ull << 42, INT64_MAX, 1ull << 63, UINT64_MAX,
	};
	uint64_t way = take_below(input, 32);

	if (way < COUNT(edges))
		return edges[way];
	return take_bytes(input, way % 8 + 1);
}

/* An array of its own size exactly, so that a step beyond it is seen; never NULL. */
static inline void *make_array(size_t count, size_t size)
{
	void *array = calloc(count ? count : 1, size);

	MUST(array);
	return array;
}

static inline uint64_t address_of(const void *pointer)
{
	return (uint64_t)(uintptr_t)pointer;
}

/* Each target plays one input. */
struct target {
	const char *name;
	void (*run)(struct input *input);
};

#endif
