/* SPDX-License-Identifier: MIT */
/* bench.c over the real ring: requests of several pieces, and what the kernel counts. */
#include <fcntl.h>
#include <sys/uio.h>

#include "bench-fixture.h"

#define PIECE		(BENCH_CHUNK / 4)
#define PIECES		4u
#define FILE_BYTES	(8u * BENCH_CHUNK)

static uint8_t content[FILE_BYTES];

static int open_file(void)
{
	char path[] = "/tmp/p2pdma-bench-XXXXXX";
	int fd = mkstemp(path);

	MUST(fd >= 0);
	unlink(path);
	kit_fill(content, sizeof(content), 3);
	MUST(write(fd, content, sizeof(content)) == (ssize_t)sizeof(content));
	return fd;
}

/* Each slot's pieces back to front, so that nobody mistakes them for a plain slot. */
static struct iovec vectors[BENCH_SLOTS][PIECES];

static void plan_vectors(enum p2p_bench_kind kind, int fd)
{
	bench_plan(kind, FILE_BYTES);
	bench.job.src_fd = fd;
	bench.job.dst_fd = fd;
	bench.job.vectors_per_slot = PIECES;
	bench.job.vectors = (uint64_t)(uintptr_t)vectors;
	bench.job.time_ns = 0;
	bench.job.size_bytes = FILE_BYTES;
	for (uint32_t slot = 0; slot < BENCH_SLOTS; slot++) {
		for (uint32_t i = 0; i < PIECES; i++)
			vectors[slot][i] = (struct iovec){
				.iov_base = bench.memory[slot] + (PIECES - 1 - i) * PIECE,
				.iov_len = PIECE };
	}
}

static void reads_into_pieces(void)
{
	int fd = open_file();

	plan_vectors(P2P_BENCH_READ, fd);
	bench.job.slot_count = 1;
	bench.job.src_offset = 2 * BENCH_CHUNK;
	bench.job.range_bytes = BENCH_CHUNK;
	CHECK_EQ(p2p_bench_run(&bench.job), 0);
	CHECK_EQ(bench.result.bytes[P2P_READ], FILE_BYTES);
	for (uint32_t i = 0; i < PIECES; i++)
		CHECK(!memcmp(vectors[0][i].iov_base, content + 2 * BENCH_CHUNK + i * PIECE, PIECE));
	close(fd);
}

static void writes_from_pieces(void)
{
	static uint8_t found[FILE_BYTES];
	int fd = open_file();

	plan_vectors(P2P_BENCH_WRITE, fd);
	for (uint32_t slot = 0; slot < BENCH_SLOTS; slot++) {
		for (uint32_t i = 0; i < PIECES; i++)
			memset(vectors[slot][i].iov_base, (int)(i + 1), PIECE);
	}
	CHECK_EQ(p2p_bench_run(&bench.job), 0);
	MUST(pread(fd, found, sizeof(found), 0) == (ssize_t)sizeof(found));
	for (uint32_t at = 0; at < FILE_BYTES; at++)
		CHECK_EQ(found[at], at % BENCH_CHUNK / PIECE + 1);
	close(fd);
}

static void counts_what_the_kernel_was_asked(void)
{
	int fd = open_file();

	bench_plan(P2P_BENCH_READ, FILE_BYTES);
	bench.job.src_fd = fd;
	bench.job.dst_fd = -1;
	bench.job.flags = P2P_BENCH_FIXED_BUFFERS;
	bench.job.slot_count = 1;
	bench.job.time_ns = 100 * MS;
	CHECK_EQ(p2p_bench_run(&bench.job), 0);
	CHECK_EQ(bench.result.enters, bench.result.requests[P2P_READ]);
	CHECK(bench.result.elapsed_ns >= 100 * MS);
	CHECK(bench.result.user_ns + bench.result.system_ns > 0);
	CHECK(bench.result.user_ns + bench.result.system_ns <= bench.result.elapsed_ns + 20 * MS);
	close(fd);
}

int main(void)
{
	static const struct kit_test tests[] = {
		{ "p2p_bench_run() reads into pieces", reads_into_pieces },
		{ "p2p_bench_run() writes from pieces", writes_from_pieces },
		{ "p2p_bench_run() counts what the kernel was asked", counts_what_the_kernel_was_asked },
	};

	return kit_main(tests, COUNT(tests));
}
