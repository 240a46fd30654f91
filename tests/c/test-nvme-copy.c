/* SPDX-License-Identifier: MIT */
#include <fcntl.h>
#include <linux/nvme_ioctl.h>
#include <pthread.h>
#include <stdarg.h>
#include <sys/ioctl.h>

#include "kit.h"
#include "p2pdma.h"

#define LBA 512u
#define DISK_LBAS 4096u
#define CHUNK (16u * LBA)
#define BASE 1024u /* LBA where the destination's partition begins */

static struct p2p_nvme_copy_status status;

/* A namespace in memory that knows Copy. Each LBA is one number. */
static struct {
	pthread_mutex_t lock;
	uint32_t lbas[DISK_LBAS];
	uint32_t range_lbas, command_lbas, ranges; /* its limits */
	uint32_t commands;
	uint32_t now, most; /* in flight */
	uint64_t bad_lba; /* a source LBA that can't be read, or UINT64_MAX */
	int error; /* the kernel sends nothing and says this, or 0 */
	uint32_t cancel_at; /* the command that sets the caller's cancel field; 0: none */
} disk;

int __wrap_ioctl(int fd, unsigned long request, ...);

/* Ranges as the specification has them: 32 bytes each, the LBA at 8, the count from 0 at 16. */
static int do_copy(const struct nvme_passthru_cmd *command)
{
	const uint8_t *range = (const uint8_t *)(uintptr_t)command->addr;
	uint64_t to = command->cdw10 | (uint64_t)command->cdw11 << 32;
	uint32_t count = (command->cdw12 & 0xff) + 1, total = 0;

	CHECK_EQ(command->opcode, 0x19);
	CHECK_EQ(command->nsid, 7);
	CHECK_EQ(command->cdw12 >> 8, 0);
	CHECK_EQ(command->data_len, count * 32);
	if (count > disk.ranges)
		return 0x183;
	for (uint32_t i = 0; i < count; i++, range += 32) {
		uint64_t from;
		uint16_t lbas;

		memcpy(&from, range + 8, sizeof(from));
		memcpy(&lbas, range + 16, sizeof(lbas));
		total += lbas + 1u;
		if (lbas + 1u > disk.range_lbas || total > disk.command_lbas)
			return 0x183;
		for (uint32_t lba = 0; lba <= lbas; lba++) {
			if (from + lba == disk.bad_lba)
				return 0x281;
			disk.lbas[to++] = disk.lbas[from + lba];
		}
	}
	return 0;
}

int __wrap_ioctl(int fd, unsigned long request, ...)
{
	struct nvme_passthru_cmd *command;
	va_list arguments;
	int ret;

	va_start(arguments, request);
	command = va_arg(arguments, struct nvme_passthru_cmd *);
	va_end(arguments);
	pthread_mutex_lock(&disk.lock);
	CHECK_EQ(fd, 42);
	CHECK(request == NVME_IOCTL_IO_CMD);
	disk.now++;
	disk.most = disk.now > disk.most ? disk.now : disk.most;
	pthread_mutex_unlock(&disk.lock);
	usleep(2000);
	pthread_mutex_lock(&disk.lock);
	disk.now--;
	if (++disk.commands == disk.cancel_at)
		__atomic_store_n(&status.cancel, 1, __ATOMIC_RELAXED);
	errno = disk.error;
	ret = disk.error ? -1 : do_copy(command);
	pthread_mutex_unlock(&disk.lock);
	return ret;
}

static struct p2p_extent extent;
static uint8_t bitmap[8];
static struct p2p_nvme_copy_job job;

static uint64_t address_of(const void *pointer)
{
	return (uint64_t)(uintptr_t)pointer;
}

/* 200 LBAs from LBA 100 to LBA 8 of a partition: 12 chunks and a half. */
static void reset(void)
{
	memset(&disk, 0, sizeof(disk));
	pthread_mutex_init(&disk.lock, NULL);
	for (uint32_t i = 0; i < DISK_LBAS; i++)
		disk.lbas[i] = i;
	disk.range_lbas = 5;
	disk.command_lbas = 12;
	disk.ranges = 4;
	disk.bad_lba = UINT64_MAX;
	memset(&status, 0, sizeof(status));
	memset(bitmap, 0, sizeof(bitmap));
	extent = (struct p2p_extent){ 100 * LBA, 8 * LBA, 200 * LBA };
	job = (struct p2p_nvme_copy_job){
		.fd = 42,
		.nsid = 7,
		.lba_bytes = LBA,
		.workers = 4,
		.range_lbas = 5,
		.command_lbas = 12,
		.ranges = 4,
		.chunk_bytes = CHUNK,
		.dst_base = BASE * LBA,
		.extents = address_of(&extent),
		.extent_count = 1,
		.bitmap = address_of(bitmap),
		.bitmap_bytes = sizeof(bitmap),
		.status = address_of(&status),
	};
}

/* Return: LBAs of the destination that hold the source's content; what lies around must be as it was. */
static uint32_t copied(void)
{
	uint32_t count = 0;

	for (uint32_t i = 0; i < DISK_LBAS; i++) {
		bool is_inside = i >= BASE + 8 && i < BASE + 208;

		if (is_inside && disk.lbas[i] == i - BASE - 8 + 100)
			count++;
		else
			CHECK_EQ(disk.lbas[i], i);
	}
	return count;
}

static void copies_within_the_drives_limits(void)
{
	reset();
	CHECK_EQ(p2p_nvme_copy(&job), 0);
	CHECK_EQ(copied(), 200);
	CHECK_EQ(status.bytes_done, 200 * LBA);
	CHECK_EQ(status.chunks_done, 13);
	/* A chunk of 16 LBAs is 12 and 4, and the last one has 8. */
	CHECK_EQ(status.commands, 12 * 2 + 1);
	CHECK_EQ(bitmap[0], 0xff);
	CHECK_EQ(bitmap[1], 0x1f);
	CHECK(disk.most > 1 && disk.most <= 4);
}

static void few_ranges_limit_a_command_too(void)
{
	reset();
	job.ranges = disk.ranges = 1;
	CHECK_EQ(p2p_nvme_copy(&job), 0);
	CHECK_EQ(copied(), 200);
	CHECK_EQ(status.commands, 12 * 4 + 2);
}

static void skips_what_is_done(void)
{
	reset();
	bitmap[0] = 0xfe;
	bitmap[1] = 0x1f;
	CHECK_EQ(p2p_nvme_copy(&job), 0);
	CHECK_EQ(copied(), 16);
	CHECK_EQ(status.chunks_done, 1);
}

static void tells_where_the_drive_refused(void)
{
	reset();
	disk.bad_lba = 150;
	CHECK_EQ(p2p_nvme_copy(&job), -EIO);
	CHECK_EQ(status.error_status, 0x281);
	CHECK(status.error_src_offset <= 150 * LBA);
	CHECK(status.error_src_offset + status.error_length > 150 * LBA);
	CHECK_EQ(status.error_dst_offset, status.error_src_offset - 92 * LBA);
	/* LBA 150 is in the fourth chunk. */
	CHECK(!(bitmap[0] & 8));
	copied();
}

static void a_command_that_was_not_sent_is_an_errno(void)
{
	reset();
	disk.error = EACCES;
	CHECK_EQ(p2p_nvme_copy(&job), -EACCES);
	CHECK_EQ(status.error_status, 0);
	CHECK_EQ(copied(), 0);
	CHECK(disk.commands <= 4);
}

static void a_cancel_stops_it_and_it_can_go_on(void)
{
	uint32_t chunks;

	reset();
	disk.cancel_at = 3;
	CHECK_EQ(p2p_nvme_copy(&job), -ECANCELED);
	CHECK(disk.commands <= 8);
	chunks = (uint32_t)status.chunks_done;
	disk.cancel_at = 0;
	status.cancel = 0;
	CHECK_EQ(p2p_nvme_copy(&job), 0);
	CHECK_EQ(status.chunks_done + chunks, 13);
	CHECK_EQ(copied(), 200);
}

static void a_cancel_inside_the_last_chunk_leaves_it_to_do(void)
{
	reset();
	extent.length = 16 * LBA;
	disk.cancel_at = 1;
	CHECK_EQ(p2p_nvme_copy(&job), -ECANCELED);
	CHECK_EQ(status.chunks_done, 0);
	CHECK_EQ(bitmap[0], 0);
	CHECK_EQ(copied(), 12);
}

static void a_cancel_from_the_start_sends_nothing(void)
{
	reset();
	status.cancel = 1;
	CHECK_EQ(p2p_nvme_copy(&job), -ECANCELED);
	CHECK_EQ(disk.commands, 0);
}

static void refuses_jobs_that_make_no_sense(void)
{
#define REFUSES(change)                                  \
	do {                                             \
		reset();                                 \
		change;                                  \
		CHECK_EQ(p2p_nvme_copy(&job), -EINVAL);  \
		CHECK_EQ(disk.commands, 0);              \
	} while (0)
	CHECK_EQ(p2p_nvme_copy(NULL), -EINVAL);
	REFUSES(job.fd = -1);
	REFUSES(job.lba_bytes = 0);
	REFUSES(job.lba_bytes = 520);
	REFUSES(job.workers = 0);
	REFUSES(job.workers = 65);
	REFUSES(job.range_lbas = 0);
	REFUSES(job.range_lbas = 65537);
	REFUSES(job.command_lbas = 0);
	REFUSES(job.ranges = 0);
	REFUSES(job.ranges = 257);
	REFUSES(job.chunk_bytes = 0);
	REFUSES(job.chunk_bytes = LBA + 1);
	REFUSES(job.dst_base = 1);
	REFUSES(extent.src_offset = 1);
	REFUSES(extent.length = LBA + 1);
	REFUSES(job.bitmap_bytes = 1);
	REFUSES(job.bitmap = 0);
	REFUSES(job.status = 0);
	REFUSES(job.extents = 0);
#undef REFUSES
}

static void punches_and_tells_errno(void)
{
	char path[] = "/var/tmp/p2pdma-punch-XXXXXX";
	int fd = mkstemp(path);
	char bytes[8192], zeroes[4096] = { 0 };

	MUST(fd >= 0);
	unlink(path);
	memset(bytes, 1, sizeof(bytes));
	MUST(write(fd, bytes, sizeof(bytes)) == sizeof(bytes));
	CHECK_EQ(p2p_fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 4096, 4096), 0);
	MUST(pread(fd, bytes, sizeof(bytes), 0) == sizeof(bytes));
	CHECK(bytes[4095] == 1);
	CHECK(memcmp(bytes + 4096, zeroes, sizeof(zeroes)) == 0);
	CHECK_EQ(p2p_fallocate(-1, 0, 0, 1), -EBADF);
	CHECK_EQ(p2p_fdatasync(fd), 0);
	CHECK_EQ(p2p_fdatasync(-1), -EBADF);
	memset(bytes, 2, sizeof(bytes));
	CHECK_EQ(p2p_pread(fd, bytes, sizeof(bytes), 4000), 4192);
	CHECK(bytes[95] == 1 && bytes[96] == 0 && bytes[4191] == 0 && bytes[4192] == 2);
	CHECK_EQ(p2p_pread(fd, bytes, sizeof(bytes), 8192), 0);
	CHECK_EQ(p2p_pread(-1, bytes, sizeof(bytes), 0), -EBADF);
	close(fd);
}

int main(void)
{
	static const struct kit_test tests[] = {
		{ "copies within the drive's limits", copies_within_the_drives_limits },
		{ "few ranges limit a command, too", few_ranges_limit_a_command_too },
		{ "skips what is done", skips_what_is_done },
		{ "tells where the drive refused", tells_where_the_drive_refused },
		{ "a command that was not sent is an errno", a_command_that_was_not_sent_is_an_errno },
		{ "a cancel stops it, and it can go on", a_cancel_stops_it_and_it_can_go_on },
		{ "a cancel inside the last chunk leaves it to do",
		  a_cancel_inside_the_last_chunk_leaves_it_to_do },
		{ "a cancel from the start sends nothing", a_cancel_from_the_start_sends_nothing },
		{ "refuses jobs that make no sense", refuses_jobs_that_make_no_sense },
		{ "punches a hole, and tells errno", punches_and_tells_errno },
	};

	return kit_main(tests, COUNT(tests));
}
