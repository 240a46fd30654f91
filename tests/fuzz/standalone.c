/* SPDX-License-Identifier: MIT */
/*
 * Plays inputs without libFuzzer, which only clang has: the files named as
 * arguments, or COUNT random ones, the same for the same SEED.
 */
#include "targets.h"

#define MOST_BYTES 4096

static uint8_t bytes[MOST_BYTES];

static void play(size_t length)
{
	/* Of its own size, so that a read beyond the end is seen. */
	uint8_t *data = malloc(length ? length : 1);
	struct input input = { data, length };

	MUST(data);
	memcpy(data, bytes, length);
	fuzz_one(&input);
	free(data);
}

static void play_file(const char *path)
{
	FILE *file = fopen(path, "rb");

	MUST(file);
	play(fread(bytes, 1, sizeof(bytes), file));
	fclose(file);
}

int main(int argc, char **argv)
{
	uint64_t seed, count;

	MUST(argc > 1);
	fuzz_setup();
	if (strcmp(argv[1], "--random")) {
		for (int i = 1; i < argc; i++)
			play_file(argv[i]);
		return 0;
	}
	MUST(argc == 4);
	count = strtoull(argv[2], NULL, 10);
	seed = strtoull(argv[3], NULL, 10) * 2 + 1;
	for (uint64_t i = 0; i < count; i++) {
		size_t length = kit_below(&seed, 512);

		kit_fill(bytes, length, kit_random(&seed));
		play(length);
	}
	printf("%" PRIu64 " inputs played\n", count);
	return 0;
}
