/* SPDX-License-Identifier: MIT */
/* tail.c on real files, with pread() and pwrite() that can be told to move less. */
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include "kit.h"
#include "p2pdma.h"

#define BLOCK 4096u

static struct {
	uint64_t seed;		/* 0: behave */
	uint32_t block_bytes;	/* shortened to this or more, after a stall */
	bool has_stalled;
	bool writes_nothing;
	uint64_t reads;
} temper;

ssize_t __real_pread(int fd, void *memory, size_t length, off_t offset);
ssize_t __real_pwrite(int fd, const void *memory, size_t length, off_t offset);
ssize_t __wrap_pread(int fd, void *memory, size_t length, off_t offset);
ssize_t __wrap_pwrite(int fd, const void *memory, size_t length, off_t offset);

/* Return: the length to use instead, or -1 for EINTR. */
static ssize_t shorten(size_t length)
{
	size_t least = temper.has_stalled ? temper.block_bytes : 0;

	if (!temper.seed)
		return (ssize_t)length;
	if (kit_below(&temper.seed, 4) == 0) {
		errno = EINTR;
		return -1;
	}
	if (least > length)
		least = length;
	length = least + kit_below(&temper.seed, length - least + 1);
	temper.has_stalled = length < temper.block_bytes;
	return (ssize_t)length;
}

ssize_t __wrap_pread(int fd, void *memory, size_t length, off_t offset)
{
	ssize_t use = shorten(length);

	temper.reads++;
	return use <= 0 ? use : __real_pread(fd, memory, (size_t)use, offset);
}

ssize_t __wrap_pwrite(int fd, const void *memory, size_t length, off_t offset)
{
	ssize_t use = temper.writes_nothing ? 0 : shorten(length);

	return use <= 0 ? use : __real_pwrite(fd, memory, (size_t)use, offset);
}

struct files {
	int src, dst;
	bool is_direct;
	uint8_t *slots;		/* two of a block each */
	uint8_t src_bytes[4 * BLOCK], dst_bytes[4 * BLOCK];
	uint8_t found[8 * BLOCK];
};

static int open_temporary(const uint8_t *bytes, size_t length, bool direct)
{
	const char *folder = getenv("TMPDIR");
	char path[512];
	int fd;

	snprintf(path, sizeof(path), "%s/p2pdma-tail-XXXXXX", folder ? folder : "/tmp");
	fd = mkstemp(path);
	MUST(fd >= 0);
	MUST(__real_pwrite(fd, bytes, length, 0) == (ssize_t)length);
	if (direct) {
		close(fd);
		fd = open(path, O_RDWR | O_DIRECT);
	}
	unlink(path);
	return fd;
}

static void files_open(struct files *files, size_t src_length, size_t dst_length, bool direct)
{
	memset(&temper, 0, sizeof(temper));
	memset(files, 0, sizeof(*files));
	kit_fill(files->src_bytes, sizeof(files->src_bytes), 3);
	kit_fill(files->dst_bytes, sizeof(files->dst_bytes), 4);
	files->src = open_temporary(files->src_bytes, src_length, direct);
	files->dst = open_temporary(files->dst_bytes, dst_length, direct);
	files->is_direct = files->src >= 0 && files->dst >= 0;
	files->slots = mmap(NULL, 2 * BLOCK, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS,
			    -1, 0);
	MUST(files->slots != MAP_FAILED);
	memset(files->slots, 0xee, 2 * BLOCK);
}

static void files_close(struct files *files)
{
	munmap(files->slots, 2 * BLOCK);
	close(files->src);
	close(files->dst);
}

static int copy_tail(struct files *files, uint64_t src, uint64_t dst, uint32_t length,
		     uint32_t src_block, uint32_t dst_block)
{
	return p2p_copy_tail(files->src, files->dst, src, dst, length, src_block, dst_block,
			     (uint64_t)(uintptr_t)files->slots,
			     (uint64_t)(uintptr_t)files->slots + BLOCK);
}

/* Whole destination: old bytes, the tail, old bytes again up to its end, zeros to @length. */
static void check_destination(struct files *files, uint64_t src, uint64_t dst, uint32_t tail,
			      size_t old_length, size_t length)
{
	uint8_t wanted[8 * BLOCK] = { 0 };
	struct stat stat;
	int fd = files->dst;
	char path[64];

	memcpy(wanted, files->dst_bytes, old_length);
	memcpy(wanted + dst, files->src_bytes + src, tail);
	MUST(!fstat(fd, &stat));
	CHECK_EQ(stat.st_size, length);
	snprintf(path, sizeof(path), "/proc/self/fd/%d", files->dst);
	fd = open(path, O_RDONLY);
	MUST(fd >= 0);
	memset(files->found, 0xdd, sizeof(files->found));
	CHECK_EQ(__real_pread(fd, files->found, sizeof(files->found), 0), length);
	CHECK(!memcmp(files->found, wanted, length));
	close(fd);
}

static const struct {
	uint32_t src, dst;
} blocks[] = { { 512, 512 }, { 512, 4096 }, { 4096, 512 }, { 4096, 4096 } };

static void copies_every_length(void)
{
	static struct files files;

	for (size_t b = 0; b < COUNT(blocks); b++) {
		uint32_t larger = blocks[b].src > blocks[b].dst ? blocks[b].src : blocks[b].dst;

		for (uint32_t length = 1; length <= larger; length += length % 128 < 3 ? 1 : 61) {
			files_open(&files, 4 * BLOCK, 4 * BLOCK, false);
			CHECK_EQ(copy_tail(&files, 4096, 8192, length, blocks[b].src,
					   blocks[b].dst), 0);
			check_destination(&files, 4096, 8192, length, 4 * BLOCK, 4 * BLOCK);
			files_close(&files);
		}
	}
}

static void copies_with_direct_io(void)
{
	static const uint32_t lengths[] = { 1, 7, 8, 511, 512, 513, 2000, 4088, 4095, 4096 };
	static struct files files;

	for (size_t i = 0; i < COUNT(lengths); i++) {
		/* Both files end in the middle of a block. */
		files_open(&files, 4096 + lengths[i], 8192 + 100, true);
		if (!files.is_direct) {
			kit_skip("this file system has no O_DIRECT");
			files_close(&files);
			return;
		}
		CHECK_EQ(copy_tail(&files, 4096, 8192, lengths[i], BLOCK, BLOCK), 0);
		check_destination(&files, 4096, 8192, lengths[i], 8192 + 100, 8192 + 4096);
		files_close(&files);
	}
}

static void keeps_what_follows_and_adds_zeros(void)
{
	static const size_t ends[] = { 8192, 8192 + 1, 8192 + 99, 8192 + 100, 8192 + 101,
				       8192 + 4000, 8192 + 4096, 8192 + 4097 };
	static struct files files;

	for (size_t i = 0; i < COUNT(ends); i++) {
		files_open(&files, 4 * BLOCK, ends[i], false);
		CHECK_EQ(copy_tail(&files, 0, 8192, 100, 512, 4096), 0);
		check_destination(&files, 0, 8192, 100, ends[i],
				  ends[i] > 8192 + 4096 ? ends[i] : 8192 + 4096);
		files_close(&files);
	}
}

static void needs_only_the_tail_of_the_source(void)
{
	static struct files files;

	files_open(&files, 4096 + 700, 4 * BLOCK, false);
	CHECK_EQ(copy_tail(&files, 4096, 0, 700, 512, 4096), 0);
	check_destination(&files, 4096, 0, 700, 4 * BLOCK, 4 * BLOCK);
	CHECK_EQ(copy_tail(&files, 4096, 4096, 701, 512, 4096), -ENODATA);
	CHECK_EQ(copy_tail(&files, 8192, 4096, 1, 512, 4096), -ENODATA);
	check_destination(&files, 4096, 0, 700, 4 * BLOCK, 4 * BLOCK);
	files_close(&files);
}

static void reads_only_what_it_keeps(void)
{
	static struct files files;
	char path[64];
	int both;

	files_open(&files, 4 * BLOCK, 4 * BLOCK, false);
	both = files.dst;
	snprintf(path, sizeof(path), "/proc/self/fd/%d", both);
	files.dst = open(path, O_WRONLY);
	MUST(files.dst >= 0);
	CHECK_EQ(copy_tail(&files, 0, 4096, 4096, 4096, 4096), 0);
	CHECK_EQ(copy_tail(&files, 512, 4608, 1024, 512, 512), -EINVAL);
	CHECK_EQ(copy_tail(&files, 4096, 8192, 1024, 4096, 512), 0);
	CHECK_EQ(copy_tail(&files, 0, 4096, 4095, 4096, 4096), -EBADF);
	close(files.dst);
	files.dst = both;
	memcpy(files.dst_bytes + 4096, files.src_bytes, 4096);
	check_destination(&files, 4096, 8192, 1024, 4 * BLOCK, 4 * BLOCK);
	files_close(&files);
}

static void goes_on_after_short_transfers(void)
{
	static struct files files;

	for (uint64_t seed = 1; seed < 300; seed++) {
		uint32_t length = 1 + (uint32_t)(seed * 37 % 4096);

		files_open(&files, 4 * BLOCK, 4 * BLOCK, false);
		temper.seed = seed;
		temper.block_bytes = 4096;
		CHECK_EQ(copy_tail(&files, 4096, 8192, length, 4096 >> seed % 4, 4096), 0);
		check_destination(&files, 4096, 8192, length, 4 * BLOCK, 4 * BLOCK);
		files_close(&files);
	}
}

static void reports_errors(void)
{
	static struct files files;
	int dst;

	files_open(&files, 4 * BLOCK, 4 * BLOCK, false);
	temper.writes_nothing = true;
	CHECK_EQ(copy_tail(&files, 0, 0, 100, 512, 512), -EIO);
	temper.writes_nothing = false;
	dst = files.dst;
	files.dst = open("/dev/full", O_RDWR);
	CHECK_EQ(copy_tail(&files, 0, 0, 100, 512, 512), -ENOSPC);
	close(files.dst);
	files.dst = 9999;
	CHECK_EQ(copy_tail(&files, 0, 0, 100, 512, 512), -EBADF);
	files.dst = dst;
	files_close(&files);
}

static void judges_its_arguments(void)
{
	static struct files files;
	uint64_t slot;

	files_open(&files, 4 * BLOCK, 4 * BLOCK, false);
	slot = (uint64_t)(uintptr_t)files.slots;
	CHECK_EQ(copy_tail(&files, 0, 0, 0, 512, 512), -EINVAL);
	CHECK_EQ(copy_tail(&files, 0, 0, 513, 512, 512), -EINVAL);
	CHECK_EQ(copy_tail(&files, 0, 0, 1, 0, 512), -EINVAL);
	CHECK_EQ(copy_tail(&files, 0, 0, 1, 512, 1000), -EINVAL);
	CHECK_EQ(copy_tail(&files, 100, 0, 1, 512, 512), -EINVAL);
	CHECK_EQ(copy_tail(&files, 0, 512, 1, 512, 4096), -EINVAL);
	CHECK_EQ(copy_tail(&files, UINT64_MAX - 511, 0, 1, 512, 512), -EINVAL);
	CHECK_EQ(copy_tail(&files, 1ull << 63, 0, 1, 512, 512), -EINVAL);
	CHECK_EQ(p2p_copy_tail(-1, files.dst, 0, 0, 1, 512, 512, slot, slot + BLOCK), -EINVAL);
	CHECK_EQ(p2p_copy_tail(files.src, files.dst, 0, 0, 1, 512, 512, 0, slot), -EINVAL);
	CHECK_EQ(p2p_copy_tail(files.src, files.dst, 0, 0, 1, 512, 512, slot, 0), -EINVAL);
	CHECK_EQ(p2p_copy_tail(files.src, files.dst, 0, 0, 1, 512, 512, slot, slot), -EINVAL);
	CHECK_EQ(p2p_copy_tail(files.src, files.dst, 0, 0, 1, 512, 4096, slot + 512, slot),
		 -EINVAL);
	CHECK_EQ(temper.reads, 0);
	files_close(&files);
}

int main(void)
{
	static const struct kit_test tests[] = {
		{ "p2p_copy_tail() copies tails of every length", copies_every_length },
		{ "p2p_copy_tail() copies with O_DIRECT", copies_with_direct_io },
		{ "p2p_copy_tail() keeps what follows and adds zeros",
		  keeps_what_follows_and_adds_zeros },
		{ "p2p_copy_tail() needs only the tail of the source",
		  needs_only_the_tail_of_the_source },
		{ "p2p_copy_tail() reads only what it keeps", reads_only_what_it_keeps },
		{ "p2p_copy_tail() goes on after short transfers", goes_on_after_short_transfers },
		{ "p2p_copy_tail() reports errors", reports_errors },
		{ "p2p_copy_tail() judges its arguments", judges_its_arguments },
	};

	return kit_main(tests, COUNT(tests));
}
