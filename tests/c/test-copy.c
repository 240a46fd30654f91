/* SPDX-License-Identifier: MIT */
/* Pump and ring together, over the real kernel, on files. */
#include <fcntl.h>
#include <pthread.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include "fixture.h"

#define CHUNK		(64u * 1024)
#define BLOCK		4096u
#define FILE_BYTES	(4u << 20)
#define GIB		(1ull << 30)

struct files {
	char folder[400];
	char src_path[420], dst_path[420];
	int src, dst;
	uint8_t *bytes;		/* of the source */
};

static void files_create(struct files *files)
{
	const char *folder = getenv("TMPDIR");
	int fd;

	snprintf(files->folder, sizeof(files->folder), "%s/p2pdma-copy-XXXXXX",
		 folder ? folder : "/tmp");
	MUST(mkdtemp(files->folder));
	snprintf(files->src_path, sizeof(files->src_path), "%s/src", files->folder);
	snprintf(files->dst_path, sizeof(files->dst_path), "%s/dst", files->folder);
	files->bytes = malloc(FILE_BYTES);
	MUST(files->bytes);
	kit_fill(files->bytes, FILE_BYTES, 5);

	fd = open(files->src_path, O_WRONLY | O_CREAT, 0600);
	MUST(fd >= 0 && write(fd, files->bytes, FILE_BYTES) == FILE_BYTES);
	close(fd);
	fd = open(files->dst_path, O_WRONLY | O_CREAT, 0600);
	MUST(fd >= 0 && !ftruncate(fd, FILE_BYTES));
	close(fd);
	files->src = files->dst = -1;
}

/* Return: false when the file system has no O_DIRECT. */
static bool files_open(struct files *files, int flags)
{
	files->src = open(files->src_path, O_RDONLY | flags);
	files->dst = open(files->dst_path, O_RDWR | flags);
	return files->src >= 0 && files->dst >= 0;
}

static void files_remove(struct files *files)
{
	if (files->src >= 0)
		close(files->src);
	if (files->dst >= 0)
		close(files->dst);
	unlink(files->src_path);
	unlink(files->dst_path);
	rmdir(files->folder);
	free(files->bytes);
}

/* Bytes of the destination, read past the page cache's back and whatever its flags. */
static void read_destination(const struct files *files, uint8_t *bytes, size_t length,
			     uint64_t offset)
{
	int fd = open(files->dst_path, O_RDONLY);

	MUST(fd >= 0 && pread(fd, bytes, length, (off_t)offset) == (ssize_t)length);
	close(fd);
}

static void use_files(struct fixture *fixture, const struct files *files)
{
	fixture->job.src_fd = files->src;
	fixture->job.dst_fd = files->dst;
}

static bool is_zero(const uint8_t *bytes, size_t length)
{
	return !*bytes && !memcmp(bytes, bytes + 1, length - 1);
}

/* Out of order, moved about, of many sizes, one empty, with gaps on either side. */
static const struct p2p_extent scattered[] = {
	{ 2 << 20, 0, 1 << 20 },
	{ 0, 3 << 20, 5 * BLOCK },
	{ 0, 0, 0 },
	{ 1 << 20, (1 << 20) + BLOCK, CHUNK + BLOCK },
	{ 3 << 20, 2 << 20, (1 << 20) - BLOCK },
	{ 8 * BLOCK, (3 << 20) + 8 * BLOCK, BLOCK },
};

static void check_extents(const struct files *files, const struct p2p_extent *extents, size_t count)
{
	uint8_t *found = malloc(FILE_BYTES), *wanted = calloc(FILE_BYTES, 1);

	MUST(found && wanted);
	for (size_t i = 0; i < count; i++)
		memcpy(wanted + extents[i].dst_offset, files->bytes + extents[i].src_offset,
		       extents[i].length);
	read_destination(files, found, FILE_BYTES, 0);
	CHECK(!memcmp(found, wanted, FILE_BYTES));
	free(found);
	free(wanted);
}

static uint64_t total_bytes(const struct p2p_extent *extents, size_t count)
{
	uint64_t bytes = 0;

	for (size_t i = 0; i < count; i++)
		bytes += extents[i].length;
	return bytes;
}

static void copy_scattered(int open_flags, uint32_t job_flags, uint32_t slots)
{
	const uint64_t bytes = total_bytes(scattered, COUNT(scattered));
	struct fixture fixture;
	struct files files;

	files_create(&files);
	if (!files_open(&files, open_flags)) {
		kit_skip("this file system has no O_DIRECT");
		files_remove(&files);
		return;
	}
	fixture_open(&fixture, scattered, COUNT(scattered), slots, CHUNK, BLOCK);
	use_files(&fixture, &files);
	fixture.job.flags = job_flags;
	CHECK_EQ(p2p_pump_run(&fixture.job), 0);
	CHECK_EQ(fixture.status.bytes_read, bytes);
	CHECK_EQ(fixture.status.bytes_written, bytes);
	CHECK_EQ(fixture.status.chunks_done, chunk_count(&fixture));
	CHECK_EQ(fixture.status.in_flight, 0);
	CHECK_EQ(fixture.status.fixed_files, 1);
	/* An ordinary user's limit of locked memory may be too low for registered buffers. */
	CHECK(fixture.status.fixed_buffers == !!job_flags || geteuid());
	CHECK(fixture.status.enters > 0);
	check_extents(&files, scattered, COUNT(scattered));
	fixture_close(&fixture);
	files_remove(&files);
}

static void copies_buffered(void)
{
	copy_scattered(0, 0, 1);
	copy_scattered(0, 0, 16);
	copy_scattered(0, P2P_PUMP_FIXED_BUFFERS, 16);
}

static void copies_directly(void)
{
	copy_scattered(O_DIRECT, 0, 1);
	copy_scattered(O_DIRECT, 0, 16);
	copy_scattered(O_DIRECT, P2P_PUMP_FIXED_BUFFERS, 5);
	copy_scattered(O_DIRECT, P2P_PUMP_FIXED_BUFFERS, 256);
}

static void copies_above_4_gib(void)
{
	const struct p2p_extent extents[] = {
		{ 5 * GIB + BLOCK, 9 * GIB, 256 * 1024 },
		{ 4 * GIB - CHUNK, 4 * GIB - BLOCK, 2 * CHUNK },
		{ 0, 0, BLOCK },
	};
	static uint8_t wanted[256 * 1024], found[256 * 1024];
	struct fixture fixture;
	struct files files;

	files_create(&files);
	MUST(!truncate(files.src_path, 6 * GIB) && !truncate(files.dst_path, 10 * GIB));
	files.src = open(files.src_path, O_RDWR);
	kit_fill(wanted, sizeof(wanted), 6);
	MUST(pwrite(files.src, wanted, 256 * 1024, 5 * GIB + BLOCK) == 256 * 1024);
	MUST(pwrite(files.src, wanted, 2 * CHUNK, 4 * GIB - CHUNK) == 2 * CHUNK);
	close(files.src);
	if (!files_open(&files, O_DIRECT))
		MUST(files_open(&files, 0));

	fixture_open(&fixture, extents, COUNT(extents), 4, CHUNK, BLOCK);
	use_files(&fixture, &files);
	CHECK_EQ(p2p_pump_run(&fixture.job), 0);
	read_destination(&files, found, 256 * 1024, 9 * GIB);
	CHECK(!memcmp(found, wanted, 256 * 1024));
	read_destination(&files, found, 2 * CHUNK, 4 * GIB - BLOCK);
	CHECK(!memcmp(found, wanted, 2 * CHUNK));
	fixture_close(&fixture);
	files_remove(&files);
}

static const struct p2p_extent whole = { 0, 0, FILE_BYTES };

static void open_whole(struct fixture *fixture, struct files *files, uint32_t slots)
{
	files_create(files);
	if (!files_open(files, O_DIRECT))
		MUST(files_open(files, 0));
	fixture_open(fixture, &whole, 1, slots, CHUNK, BLOCK);
	use_files(fixture, files);
}

static void close_whole(struct fixture *fixture, struct files *files)
{
	fixture_close(fixture);
	files_remove(files);
}

static void resumes(void)
{
	uint8_t *found = malloc(FILE_BYTES);
	struct fixture fixture;
	struct files files;

	open_whole(&fixture, &files, 4);
	for (uint64_t i = 0; i < chunk_count(&fixture); i += 3)
		set_bit(&fixture, i);
	CHECK_EQ(p2p_pump_run(&fixture.job), 0);
	MUST(found);
	read_destination(&files, found, FILE_BYTES, 0);
	for (uint64_t i = 0; i < chunk_count(&fixture); i++) {
		CHECK(bit_is_set(&fixture, i));
		if (i % 3)
			CHECK(!memcmp(found + i * CHUNK, files.bytes + i * CHUNK, CHUNK));
		else
			CHECK(is_zero(found + i * CHUNK, CHUNK));
	}
	free(found);
	close_whole(&fixture, &files);
}

static void reports_a_truncated_source(void)
{
	const struct p2p_pump_error *error;
	struct fixture fixture;
	struct files files;
	uint64_t last;

	open_whole(&fixture, &files, 8);
	last = chunk_count(&fixture) - 1;
	MUST(!truncate(files.src_path, (off_t)(last * CHUNK + 2 * BLOCK + 100)));
	CHECK_EQ(p2p_pump_run(&fixture.job), -EIO);
	CHECK_EQ(fixture.status.chunks_failed, 1);
	CHECK_EQ(fixture.status.chunks_done, last);
	CHECK_EQ(fixture.status.bytes_read, last * CHUNK + 2 * BLOCK);
	error = find_error(&fixture, last);
	MUST(error);
	CHECK_EQ(error->error, ENODATA);
	CHECK_EQ(error->direction, P2P_READ);
	CHECK_EQ(error->flags, P2P_ERROR_NO_PROGRESS | P2P_ERROR_FATAL);
	CHECK_EQ(error->src_offset, last * CHUNK);
	close_whole(&fixture, &files);
}

/* What was begun fails alike, and nothing else is begun. */
static void check_all_failed(struct fixture *fixture, enum p2p_direction direction, int wanted)
{
	const uint64_t failed = fixture->job.slot_count;

	fixture->job.retries = 2;
	CHECK_EQ(p2p_pump_run(&fixture->job), -EIO);
	CHECK_EQ(fixture->status.chunks_failed, failed);
	CHECK_EQ(fixture->status.errors_logged, failed);
	CHECK_EQ(fixture->status.chunks_done, 0);
	for (uint64_t i = 0; i < fixture->status.errors_logged; i++) {
		CHECK_EQ(fixture->errors[i].flags, P2P_ERROR_FATAL);
		CHECK_EQ(fixture->errors[i].error, wanted);
		CHECK_EQ(fixture->errors[i].direction, direction);
		CHECK_EQ(fixture->errors[i].attempts, 1);
	}
}

static void reports_descriptors_of_the_wrong_kind(void)
{
	struct fixture fixture;
	struct files files;

	open_whole(&fixture, &files, 4);
	fixture.job.dst_fd = files.src;
	check_all_failed(&fixture, P2P_WRITE, EBADF);
	fixture.job.src_fd = open(files.src_path, O_WRONLY);
	MUST(fixture.job.src_fd >= 0);
	check_all_failed(&fixture, P2P_READ, EBADF);
	close(fixture.job.src_fd);
	/* No descriptor at all: nothing to register, and the same answer. */
	fixture.job.src_fd = 9999;
	check_all_failed(&fixture, P2P_READ, EBADF);
	CHECK_EQ(fixture.status.fixed_files, 0);
	close_whole(&fixture, &files);
}

static void reports_a_full_device(void)
{
	struct fixture fixture;
	struct files files;

	open_whole(&fixture, &files, 4);
	fixture.job.dst_fd = open("/dev/full", O_WRONLY);
	MUST(fixture.job.dst_fd >= 0);
	check_all_failed(&fixture, P2P_WRITE, ENOSPC);
	close(fixture.job.dst_fd);
	close_whole(&fixture, &files);
}

static void reports_a_size_limit(void)
{
	const uint64_t limit = 20 * CHUNK + 3 * BLOCK;
	struct rlimit before, small;
	struct fixture fixture;
	struct files files;

	open_whole(&fixture, &files, 4);
	MUST(!getrlimit(RLIMIT_FSIZE, &before));
	small = (struct rlimit){ limit, before.rlim_max };
	signal(SIGXFSZ, SIG_IGN);
	MUST(!setrlimit(RLIMIT_FSIZE, &small));
	CHECK_EQ(p2p_pump_run(&fixture.job), -EIO);
	MUST(!setrlimit(RLIMIT_FSIZE, &before));
	signal(SIGXFSZ, SIG_DFL);

	CHECK_EQ(fixture.status.chunks_done, 20);
	CHECK(fixture.status.chunks_failed >= 1 && fixture.status.chunks_failed <= 4);
	CHECK_EQ(fixture.status.bytes_written, limit);
	for (uint64_t i = 0; i < fixture.status.errors_logged; i++) {
		CHECK_EQ(fixture.errors[i].error, EFBIG);
		CHECK(fixture.errors[i].chunk >= 20);
	}
	close_whole(&fixture, &files);
}

static void copies_through_memory_that_cannot_be_pinned(void)
{
	struct fixture fixture;
	struct files files;
	char path[440];
	int fd;

	open_whole(&fixture, &files, 4);
	snprintf(path, sizeof(path), "%s/slots", files.folder);
	fd = open(path, O_RDWR | O_CREAT, 0600);
	MUST(fd >= 0 && !unlink(path) && !ftruncate(fd, (off_t)fixture.memory_bytes));
	munmap(fixture.memory, fixture.memory_bytes);
	fixture_use_memory(&fixture, mmap(NULL, fixture.memory_bytes, PROT_READ | PROT_WRITE,
					  MAP_SHARED, fd, 0));
	MUST(fixture.memory != MAP_FAILED);
	fixture.job.flags = P2P_PUMP_FIXED_BUFFERS;
	CHECK_EQ(p2p_pump_run(&fixture.job), 0);
	check_extents(&files, &whole, 1);
	if (fixture.status.fixed_buffers)
		kit_skip("this kernel pins file mappings, so there was nothing to fall back from");
	close(fd);
	close_whole(&fixture, &files);
}

static void *run_job(void *argument)
{
	return (void *)(intptr_t)p2p_pump_run(argument);
}

static int join(pthread_t thread)
{
	void *result;

	MUST(!pthread_join(thread, &result));
	return (int)(intptr_t)result;
}

static uint64_t read_field(const uint64_t *field)
{
	return __atomic_load_n(field, __ATOMIC_RELAXED);
}

/* The other side of a pump that reads from a pipe: a source as slow as the test wants. */
struct slow {
	struct fixture fixture;
	struct files files;
	pthread_t thread;
	int feed;
};

static const struct p2p_extent eight = { 0, 0, 8 * BLOCK };

static void slow_open(struct slow *slow)
{
	int ends[2];

	files_create(&slow->files);
	MUST(files_open(&slow->files, 0) && !pipe(ends));
	fixture_open(&slow->fixture, &eight, 1, 1, BLOCK, BLOCK);
	slow->fixture.job.src_fd = ends[0];
	slow->fixture.job.dst_fd = slow->files.dst;
	slow->feed = ends[1];
	MUST(!pthread_create(&slow->thread, NULL, run_job, &slow->fixture.job));
}

static void slow_feed(struct slow *slow, uint32_t blocks, uint64_t wanted)
{
	MUST(write(slow->feed, slow->files.bytes, blocks * BLOCK) == (ssize_t)(blocks * BLOCK));
	while (read_field(&slow->fixture.status.chunks_done) < wanted ||
	       read_field(&slow->fixture.status.in_flight) != 1)
		usleep(1000);
}

static void slow_cancel(struct slow *slow, uint64_t cancel)
{
	__atomic_store_n(&slow->fixture.status.cancel, cancel, __ATOMIC_RELAXED);
	usleep(250 * 1000);
	/* The read in flight holds the slot, so the pump must still be there. */
	CHECK_EQ(read_field(&slow->fixture.status.in_flight), 1);
}

static void slow_close(struct slow *slow)
{
	close(slow->feed);
	close(slow->fixture.job.src_fd);
	fixture_close(&slow->fixture);
	files_remove(&slow->files);
}

static void drains_a_slow_source(void)
{
	struct slow slow;

	slow_open(&slow);
	slow_feed(&slow, 2, 2);
	slow_cancel(&slow, P2P_CANCEL_DRAIN);
	MUST(write(slow.feed, slow.files.bytes, BLOCK) == BLOCK);
	CHECK_EQ(join(slow.thread), -ECANCELED);
	CHECK_EQ(slow.fixture.bitmap[0], 0x07);
	CHECK_EQ(slow.fixture.status.bytes_written, 3 * BLOCK);
	CHECK_EQ(slow.fixture.status.in_flight, 0);
	slow_close(&slow);
}

static void aborts_a_slow_source(void)
{
	struct slow slow;

	slow_open(&slow);
	slow_feed(&slow, 2, 2);
	slow_cancel(&slow, P2P_CANCEL_ABORT);
	MUST(write(slow.feed, slow.files.bytes, BLOCK) == BLOCK);
	CHECK_EQ(join(slow.thread), -ECANCELED);
	CHECK_EQ(slow.fixture.bitmap[0], 0x03);
	CHECK_EQ(slow.fixture.status.bytes_read, 3 * BLOCK);
	CHECK_EQ(slow.fixture.status.bytes_written, 2 * BLOCK);
	CHECK_EQ(slow.fixture.status.chunks_failed, 0);
	CHECK_EQ(slow.fixture.status.in_flight, 0);
	slow_close(&slow);
}

static void check_set_bits(const struct fixture *fixture, const struct files *files)
{
	uint8_t *found = malloc(FILE_BYTES);
	uint64_t set = 0;

	MUST(found);
	read_destination(files, found, FILE_BYTES, 0);
	for (uint64_t i = 0; i < chunk_count(fixture); i++) {
		if (bit_is_set(fixture, i)) {
			set++;
			CHECK(!memcmp(found + i * CHUNK, files->bytes + i * CHUNK, CHUNK));
		}
	}
	CHECK_EQ(set, fixture->status.chunks_done);
	free(found);
}

/* Cancelled from another thread at some point or other, then resumed to the end. */
static void stops_in_the_middle_and_resumes(void)
{
	struct fixture fixture;
	struct files files;
	unsigned int cancelled = 0;

	for (unsigned int round = 0; round < 20; round++) {
		uint64_t cancel = 1 + round % 2, done = round % 10 * 4;
		pthread_t thread;
		int ret;

		open_whole(&fixture, &files, 4);
		MUST(!pthread_create(&thread, NULL, run_job, &fixture.job));
		while (read_field(&fixture.status.chunks_done) < done)
			;
		__atomic_store_n(&fixture.status.cancel, cancel, __ATOMIC_RELAXED);
		ret = join(thread);
		CHECK(ret == 0 || ret == -ECANCELED);
		cancelled += ret == -ECANCELED;
		CHECK_EQ(fixture.status.in_flight, 0);
		if (cancel == P2P_CANCEL_DRAIN)
			CHECK_EQ(fixture.status.bytes_read, fixture.status.bytes_written);
		check_set_bits(&fixture, &files);

		fixture.status.cancel = 0;
		CHECK_EQ(p2p_pump_run(&fixture.job), 0);
		check_extents(&files, &whole, 1);
		close_whole(&fixture, &files);
	}
	CHECK(cancelled > 0);
}

static void copies_several_at_once(void)
{
	struct fixture fixtures[4];
	struct files files[4];
	pthread_t threads[4];

	for (size_t i = 0; i < 4; i++) {
		open_whole(&fixtures[i], &files[i], 8);
		MUST(!pthread_create(&threads[i], NULL, run_job, &fixtures[i].job));
	}
	for (size_t i = 0; i < 4; i++) {
		CHECK_EQ(join(threads[i]), 0);
		check_extents(&files[i], &whole, 1);
		close_whole(&fixtures[i], &files[i]);
	}
}

static void takes_the_largest_number_of_slots(void)
{
	struct fixture fixture;
	struct files files;

	files_create(&files);
	MUST(files_open(&files, 0));
	fixture_open(&fixture, &whole, 1, 4096, 512, 512);
	use_files(&fixture, &files);
	fixture.job.flags = P2P_PUMP_FIXED_BUFFERS;
	CHECK_EQ(p2p_pump_run(&fixture.job), 0);
	CHECK_EQ(fixture.status.max_in_flight, 4096);
	check_extents(&files, &whole, 1);
	close_whole(&fixture, &files);
}

int main(void)
{
	static const struct kit_test tests[] = {
		{ "p2p_pump_run() copies scattered extents, buffered", copies_buffered },
		{ "p2p_pump_run() copies scattered extents, O_DIRECT", copies_directly },
		{ "p2p_pump_run() copies above 4 GiB", copies_above_4_gib },
		{ "p2p_pump_run() resumes from a bitmap", resumes },
		{ "p2p_pump_run() reports a truncated source", reports_a_truncated_source },
		{ "p2p_pump_run() reports descriptors of the wrong kind",
		  reports_descriptors_of_the_wrong_kind },
		{ "p2p_pump_run() reports a full device", reports_a_full_device },
		{ "p2p_pump_run() reports a size limit", reports_a_size_limit },
		{ "p2p_pump_run() copies through memory that cannot be pinned",
		  copies_through_memory_that_cannot_be_pinned },
		{ "p2p_pump_run() drains a slow source", drains_a_slow_source },
		{ "p2p_pump_run() aborts a slow source", aborts_a_slow_source },
		{ "p2p_pump_run() stops in the middle and resumes",
		  stops_in_the_middle_and_resumes },
		{ "p2p_pump_run() copies several at once", copies_several_at_once },
		{ "p2p_pump_run() takes the largest number of slots",
		  takes_the_largest_number_of_slots },
	};

	return kit_main(tests, COUNT(tests));
}
