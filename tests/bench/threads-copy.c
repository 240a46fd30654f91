/* SPDX-License-Identifier: MIT */
/*
 * The copy to measure the pump against: threads, each with a slot of its own,
 * each one chunk at a time with pread() and pwrite(), O_DIRECT. Writes the
 * first total-bytes of src to dst and prints what it took.
 *
 * threads-copy SRC DST BUFFER-FILE CHUNK THREADS TOTAL-BYTES
 * BUFFER-FILE is a p2pmem/allocate file or the like, or "-" for plain RAM.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

struct copy {
	int src, dst;
	uint64_t chunk_bytes, total_bytes;
	uint64_t next;		/* offset nobody has taken yet; atomic */
	int error;		/* the first errno; atomic */
};

struct worker {
	struct copy *copy;
	uint8_t *slot;
	pthread_t thread;
};

static int move(struct copy *copy, uint8_t *slot, uint64_t offset, size_t length)
{
	if (pread(copy->src, slot, length, (off_t)offset) != (ssize_t)length ||
	    pwrite(copy->dst, slot, length, (off_t)offset) != (ssize_t)length)
		return errno ? errno : EIO;
	return 0;
}

static void *work(void *argument)
{
	struct worker *worker = argument;
	struct copy *copy = worker->copy;

	while (!__atomic_load_n(&copy->error, __ATOMIC_RELAXED)) {
		uint64_t offset = __atomic_fetch_add(&copy->next, copy->chunk_bytes,
						     __ATOMIC_RELAXED);
		uint64_t rest = copy->total_bytes - offset;
		int error;

		if (offset >= copy->total_bytes)
			break;
		errno = 0;
		error = move(copy, worker->slot, offset,
			     rest < copy->chunk_bytes ? rest : copy->chunk_bytes);
		if (error)
			__atomic_store_n(&copy->error, error, __ATOMIC_RELAXED);
	}
	return NULL;
}

static double now(void)
{
	struct timespec time;

	clock_gettime(CLOCK_MONOTONIC, &time);
	return (double)time.tv_sec + (double)time.tv_nsec / 1e9;
}

static int run(struct copy *copy, uint8_t *buffer, unsigned int threads)
{
	struct worker *workers = calloc(threads, sizeof(*workers));
	unsigned int started = 0;

	if (!workers)
		return ENOMEM;
	for (; started < threads; started++) {
		struct worker *worker = &workers[started];

		worker->copy = copy;
		worker->slot = buffer + started * copy->chunk_bytes;
		if (pthread_create(&worker->thread, NULL, work, worker)) {
			__atomic_store_n(&copy->error, EAGAIN, __ATOMIC_RELAXED);
			break;
		}
	}
	for (unsigned int i = 0; i < started; i++)
		pthread_join(workers[i].thread, NULL);
	free(workers);
	return copy->error;
}

static uint8_t *map_buffer(const char *path, size_t length)
{
	bool is_ram = !strcmp(path, "-");
	int fd = is_ram ? -1 : open(path, O_RDWR);
	void *buffer = MAP_FAILED;

	if (is_ram)
		buffer = mmap(NULL, length, PROT_READ | PROT_WRITE,
			      MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
	else if (fd >= 0)
		buffer = mmap(NULL, length, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	return buffer == MAP_FAILED ? NULL : buffer;
}

static int fail(const char *what, int error)
{
	fprintf(stderr, "threads-copy: %s: %s\n", what, strerror(error));
	return 1;
}

int main(int count, char **arguments)
{
	struct copy copy = { 0 };
	unsigned int threads;
	uint8_t *buffer;
	double start, seconds;

	if (count != 7) {
		fprintf(stderr, "usage: threads-copy SRC DST BUFFER-FILE|- CHUNK THREADS "
				"TOTAL-BYTES\n");
		return 2;
	}
	copy.chunk_bytes = strtoull(arguments[4], NULL, 0);
	threads = (unsigned int)strtoul(arguments[5], NULL, 0);
	copy.total_bytes = strtoull(arguments[6], NULL, 0);
	copy.src = open(arguments[1], O_RDONLY | O_DIRECT);
	if (copy.src < 0)
		return fail(arguments[1], errno);
	copy.dst = open(arguments[2], O_WRONLY | O_DIRECT);
	if (copy.dst < 0)
		return fail(arguments[2], errno);
	buffer = map_buffer(arguments[3], copy.chunk_bytes * threads);
	if (!buffer)
		return fail(arguments[3], errno);

	start = now();
	if (run(&copy, buffer, threads))
		return fail("copy", copy.error);
	seconds = now() - start;
	printf("%" PRIu64 " bytes in %.3f s, %.1f MB/s\n", copy.total_bytes, seconds,
	       (double)copy.total_bytes / seconds / 1e6);
	return 0;
}
