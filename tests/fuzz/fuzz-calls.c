/* SPDX-License-Identifier: MIT */
/*
 * The small calls of the interface: chunk counts, the tail, the drive's own
 * copy, hashes, fallocate, prefaulting, and CPU access to device memory. The
 * system calls below them answer as the input says.
 */
#include <fcntl.h>
#include <linux/falloc.h>
#include <linux/nvme_ioctl.h>
#include <pthread.h>
#include <stdarg.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/resource.h>

#include "locate.h"
#include "p2pdma.h"
#include "targets.h"

#define FILE_BYTES	(64u * 1024)
#define MOST_BLOCK	8192u
#define DISK_LBAS	1024u

static int file;
static uint8_t *content;	/* of the file, mapped */

static uint8_t pristine[FILE_BYTES];

static void fill_content(void)
{
	MUST(!ftruncate(file, FILE_BYTES));
	memcpy(content, pristine, FILE_BYTES);
}

static void run_chunk_count(struct input *input)
{
	uint64_t count = take_below(input, 5);
	uint32_t chunk = (uint32_t)take_number(input);
	struct p2p_extent *extents = make_array(count, sizeof(*extents));
	unsigned __int128 sum = 0;

	for (uint64_t i = 0; i < count; i++) {
		extents[i].length = take_number(input);
		if (chunk)
			sum += extents[i].length / chunk + (extents[i].length % chunk != 0);
	}
	CHECK(p2p_chunk_count(extents, count, chunk) ==
	      (!chunk || sum > UINT64_MAX ? UINT64_MAX : (uint64_t)sum));
	free(extents);
}

/* The tail: short transfers and interruptions of the system calls, by the input. */

static struct input *fate; /* of pread and pwrite; NULL: they do as they are told */
static bool was_short;

ssize_t __real_pread(int fd, void *memory, size_t length, off_t offset);
ssize_t __real_pwrite(int fd, const void *memory, size_t length, off_t offset);
ssize_t __wrap_pread(int fd, void *memory, size_t length, off_t offset);
ssize_t __wrap_pwrite(int fd, const void *memory, size_t length, off_t offset);

/* Return: bytes to move, or -1 with errno. Two short ones in a row would be the end of a file. */
static ssize_t decide(size_t length)
{
	static const int errors[] = { EIO, EINTR, EAGAIN, EREMOTEIO };
	uint64_t way = fate && fate->left ? take_below(fate, 8) : 8;

	if (way == 0) {
		errno = errors[take_below(fate, COUNT(errors))];
		return -1;
	}
	was_short = way == 1 && !was_short;
	return was_short ? (ssize_t)take_below(fate, length + 1) : (ssize_t)length;
}

ssize_t __wrap_pread(int fd, void *memory, size_t length, off_t offset)
{
	ssize_t bytes = decide(length);

	return bytes < 0 ? bytes : __real_pread(fd, memory, (size_t)bytes, offset);
}

ssize_t __wrap_pwrite(int fd, const void *memory, size_t length, off_t offset)
{
	ssize_t bytes = decide(length);

	return bytes < 0 ? bytes : __real_pwrite(fd, memory, (size_t)bytes, offset);
}

static uint32_t take_block(struct input *input)
{
	return take_chance(input, 5) ? (uint32_t)take_number(input) : 512u << take_below(input, 5);
}

static void run_tail(struct input *input)
{
	const uint32_t src_block = take_block(input), dst_block = take_block(input);
	const uint32_t larger = src_block > dst_block ? src_block : dst_block;
	const bool is_usable = larger <= MOST_BLOCK;
	const uint32_t length = take_chance(input, 5) ? (uint32_t)take_number(input)
						     : 1 + (uint32_t)take_below(input, MOST_BLOCK);
	const uint64_t src = take_below(input, 3) * 8192, dst = 32768 + take_below(input, 3) * 8192;
	const uint32_t shift = (uint32_t)take_below(input, 8);
	uint8_t *src_slot = make_array(larger > MOST_BLOCK ? 1 : larger + shift, 1);
	uint8_t *dst_slot = make_array(larger > MOST_BLOCK ? 1 : larger, 1);
	const bool is_odd = take_chance(input, 5);
	int ret;

	/* Slots of no use only where the call has to refuse before it looks at them. */
	if (!is_usable && src_block && !(src_block & (src_block - 1)) && dst_block &&
	    !(dst_block & (dst_block - 1)) && larger <= 1u << 30 && length && length <= larger)
		goto out;
	fate = input;
	was_short = false;
	ret = p2p_copy_tail(is_odd ? -1 : file, file, src + is_odd, dst, length, src_block, dst_block,
			    address_of(src_slot + shift), address_of(dst_slot));
	fate = NULL;
	if (!ret) {
		CHECK(!memcmp(content + dst, pristine + src, length));
		CHECK(!memcmp(content + dst + length, pristine + dst + length, FILE_BYTES - dst - length));
	}
	CHECK(!memcmp(content, pristine, dst));
out:
	free(src_slot);
	free(dst_slot);
}

/* The drive's own copy: a namespace where each LBA is a number. */

static struct {
	pthread_mutex_t lock;
	uint32_t lbas[DISK_LBAS];
	uint32_t commands, fails_at;
	const struct p2p_nvme_copy_job *job;
	int answer;
} disk = { .lock = PTHREAD_MUTEX_INITIALIZER };

int __wrap_ioctl(int fd, unsigned long request, ...);

static int copy_ranges(const struct nvme_passthru_cmd *command)
{
	const uint8_t *range = (const uint8_t *)(uintptr_t)command->addr;
	uint64_t to = command->cdw10 | (uint64_t)command->cdw11 << 32;
	uint32_t count = (command->cdw12 & 0xff) + 1, total = 0;

	CHECK(command->opcode == 0x19 && command->data_len == count * 32 && count <= disk.job->ranges);
	for (uint32_t i = 0; i < count; i++, range += 32) {
		uint64_t from;
		uint16_t lbas;

		memcpy(&from, range + 8, sizeof(from));
		memcpy(&lbas, range + 16, sizeof(lbas));
		total += lbas + 1u;
		CHECK(lbas < disk.job->range_lbas && total <= disk.job->command_lbas);
		if (from > DISK_LBAS || lbas >= DISK_LBAS - from || to > DISK_LBAS || lbas >= DISK_LBAS - to)
			return 0x080;
		for (uint32_t lba = 0; lba <= lbas; lba++)
			disk.lbas[to++] = disk.lbas[from + lba];
	}
	return 0;
}

int __wrap_ioctl(int fd, unsigned long request, ...)
{
	const struct nvme_passthru_cmd *command;
	va_list arguments;
	int ret;

	va_start(arguments, request);
	command = va_arg(arguments, const struct nvme_passthru_cmd *);
	va_end(arguments);
	CHECK(fd == disk.job->fd && request == NVME_IOCTL_IO_CMD);
	pthread_mutex_lock(&disk.lock);
	ret = ++disk.commands == disk.fails_at ? disk.answer : copy_ranges(command);
	pthread_mutex_unlock(&disk.lock);
	if (ret >= 0)
		return ret;
	errno = -ret;
	return -1;
}

static void spoil_copy(struct input *input, struct p2p_nvme_copy_job *job)
{
	const uint64_t number = take_number(input);

	switch (take_below(input, 10)) {
	case 0: job->fd = -1; break;
	case 1: job->lba_bytes = (uint32_t)number; break;
	case 2: job->workers = number & 1 ? 0 : 65; break;
	case 3: job->range_lbas = (uint32_t)number; break;
	case 4: job->command_lbas = (uint32_t)number; break;
	case 5: job->ranges = (uint32_t)number; break;
	case 6: job->chunk_bytes = (uint32_t)number; break;
	case 7: job->src_base = number; break;
	case 8: job->bitmap_bytes = 0; break;
	case 9: job->status = number & 1 ? 0 : job->status + 4; break;
	}
}

static void run_nvme_copy(struct input *input)
{
	const uint32_t lba = 512u << take_below(input, 4);
	const uint64_t lbas = take_below(input, DISK_LBAS / 2 - 2); /* up to where the copy goes */
	struct p2p_nvme_copy_status *status = make_array(1, sizeof(*status));
	struct p2p_extent *extent = make_array(1, sizeof(*extent));
	struct p2p_nvme_copy_job job = {
		.fd = 7,
		.nsid = 1,
		.lba_bytes = lba,
		.workers = 1 + (uint32_t)take_below(input, 3),
		.range_lbas = 1 + (uint32_t)take_below(input, 300),
		.command_lbas = 1 + (uint32_t)take_below(input, 600),
		.ranges = 1 + (uint32_t)take_below(input, 256),
		.chunk_bytes = lba * (1 + (uint32_t)take_below(input, 64)),
		.src_base = take_below(input, 3) * lba,
		.dst_base = DISK_LBAS / 2 * lba,
		.extents = address_of(extent),
		.extent_count = 1,
		.status = address_of(status),
	};
	const bool is_spoiled = take_chance(input, 20);
	uint8_t *bitmap;
	int ret;

	extent->length = lbas * lba;
	job.bitmap_bytes = (p2p_chunk_count(extent, 1, job.chunk_bytes) + 7) / 8;
	bitmap = make_array(job.bitmap_bytes, 1);
	job.bitmap = address_of(bitmap);
	status->cancel = take_chance(input, 5);
	for (uint32_t i = 0; i < DISK_LBAS; i++)
		disk.lbas[i] = i;
	disk.commands = 0;
	disk.fails_at = take_chance(input, 20) ? 1 + (uint32_t)take_below(input, 8) : 0;
	disk.answer = take_chance(input, 50) ? -EIO : 1 + (int)take_below(input, 0x7ff);
	disk.job = &job;
	if (is_spoiled)
		spoil_copy(input, &job);
	ret = p2p_nvme_copy(&job);
	CHECK(ret != -EINVAL || is_spoiled);
	for (uint64_t i = 0; !ret && !is_spoiled && i < lbas; i++)
		CHECK(disk.lbas[DISK_LBAS / 2 + i] == i + job.src_base / lba);
	free(bitmap);
	free(extent);
	free(status);
}

static void run_hash(struct input *input)
{
	uint8_t *room = make_array(P2P_HASH_STATE_BYTES + 64, 1);
	uint64_t state = (address_of(room) + 63) / 64 * 64, whole, parts = 0;
	uint64_t length = take_below(input, FILE_BYTES), done = 0;

	if (take_chance(input, 5)) {
		CHECK(p2p_hash_begin(state + 1 + take_below(input, 63)) == -EINVAL);
		CHECK(p2p_hash_update(0, address_of(content), 1) == -EINVAL);
		CHECK(p2p_hash_end(state, NULL) == -EINVAL);
	}
	CHECK(!p2p_hash_begin(state) && !p2p_hash_update(state, address_of(content), length));
	CHECK(!p2p_hash_end(state, &whole));
	CHECK(!p2p_hash_begin(state));
	while (done < length) {
		uint64_t piece = 1 + take_below(input, length - done), kept = done;
		uint8_t *copy = make_array(piece, 1);

		memcpy(copy, content + kept, piece);
		CHECK(!p2p_hash_update(state, address_of(copy), piece));
		done += piece;
		free(copy);
		if (!input->left && done < length) {
			CHECK(!p2p_hash_update(state, address_of(content + done), length - done));
			done = length;
		}
	}
	CHECK(!p2p_hash_end(state, &parts) && parts == whole);
	free(room);
}

static void run_fallocate(struct input *input)
{
	static const int modes[] = {
		0, FALLOC_FL_KEEP_SIZE, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, FALLOC_FL_ZERO_RANGE,
		FALLOC_FL_PUNCH_HOLE, FALLOC_FL_COLLAPSE_RANGE,
	};
	int mode = take_chance(input, 10) ? (int)take_number(input) : modes[take_below(input, COUNT(modes))];
	int ret = p2p_fallocate(take_chance(input, 5) ? -1 : file, mode, take_number(input), take_number(input));

	CHECK(ret <= 0 && ret != -EINTR);
}

static void run_pread(struct input *input)
{
	const uint64_t length = take_below(input, 4096), offset = take_chance(input, 80)
		? take_below(input, FILE_BYTES) : take_number(input);
	uint8_t *bytes = make_array(length, 1);
	int64_t ret;

	fate = input;
	was_short = false;
	ret = p2p_pread(take_chance(input, 5) ? -1 : file, bytes, length, offset);
	fate = NULL;
	CHECK(ret <= (int64_t)length && ret != -EINTR && ret >= -4095);
	if (ret > 0)
		CHECK(!memcmp(bytes, pristine + offset, (size_t)ret));
	CHECK(p2p_fdatasync(take_chance(input, 50) ? file : -1) <= 0);
	free(bytes);
}

static void run_prefault(struct input *input)
{
	const uint64_t pages = take_below(input, 24), page = 4096;
	uint64_t length = take_chance(input, 5) ? take_number(input) : pages * page - take_below(input, 2);
	uint32_t step = take_chance(input, 5) ? (uint32_t)take_number(input) : (uint32_t)page;
	uint64_t address = address_of(content) + take_chance(input, 5) * take_below(input, page);
	uint64_t mapped = 32 * page;
	int ret;

	/* Only what lies in the mapping; a range that wraps is refused unseen. */
	if (length > mapped - page && length <= UINTPTR_MAX - address)
		length = pages * page;
	MUST(!ftruncate(file, FILE_BYTES));
	ret = p2p_prefault(take_chance(input, 2) ? 0 : address, length, step);
	CHECK(ret == 0 || ret == -ENOMEM || ret == -EINVAL);
	if (ret == -ENOMEM)
		CHECK(address + length > address_of(content) + FILE_BYTES);
}

static void break_words(struct input *input, uint64_t *words, uint64_t count)
{
	for (uint64_t i = take_below(input, 6); count && i--;) {
		uint64_t *word = &words[take_below(input, count)];

		*word ^= 1ull << take_below(input, 64);
	}
}

static uint64_t differing(const uint64_t *one, const uint64_t *other, uint64_t count)
{
	uint64_t words = 0;

	for (uint64_t i = 0; i < count; i++)
		words += one[i] != other[i];
	return words;
}

static void run_memory(struct input *input)
{
	const uint64_t words = take_below(input, 8192), capacity = take_below(input, 6);
	uint64_t *memory = make_array(words, 8), *filled = make_array(words, 8);
	struct p2p_bad_range *bad = make_array(capacity, sizeof(*bad));
	struct p2p_memory_status *status = make_array(1, sizeof(*status));
	struct p2p_memory_job job = {
		.address = address_of(memory),
		.length = words * 8,
		.base = take_number(input) & (take_chance(input, 95) ? ~7ull : ~0ull),
		.seed = take_number(input),
		.pattern = (uint32_t)take_below(input, 5),
		.flags = (uint32_t)take_below(input, 3),
		.merge_bytes = take_number(input),
		.bad = address_of(bad),
		.bad_capacity = capacity,
		.status = address_of(status),
	};

	if (p2p_memory_fill(&job)) {
		CHECK(job.base % 8 || job.pattern > P2P_PATTERN_RANDOM || job.flags > 1);
		goto out;
	}
	CHECK(!p2p_memory_copy(address_of(filled), job.address, job.length) &&
	      !memcmp(memory, filled, job.length));
	break_words(input, memory, words);
	status->cancel = take_chance(input, 5);
	if (p2p_memory_verify(&job)) {
		CHECK(status->cancel);
		goto out;
	}
	CHECK(status->bad_words == differing(memory, filled, words));
	CHECK(status->bad_logged <= capacity && status->bad_logged <= status->bad_ranges);
	for (uint64_t i = 0; i < status->bad_logged; i++)
		CHECK(bad[i].length && bad[i].offset + bad[i].length <= job.length && bad[i].bad_bits);
out:
	free(memory);
	free(filled);
	free(bad);
	free(status);
}

static void run_registers(struct input *input)
{
	const uint32_t count = (uint32_t)take_below(input, 16);
	uint32_t *registers = make_array(256, 4);
	uint32_t *offsets = make_array(count, 4), *values = make_array(count, 4);
	bool is_odd = false;
	int ret;

	for (uint32_t i = 0; i < 256; i++)
		registers[i] = i;
	for (uint32_t i = 0; i < count; i++) {
		offsets[i] = (uint32_t)take_below(input, 256) * 4 + take_chance(input, 2);
		is_odd |= offsets[i] % 4;
	}
	ret = p2p_register_read(address_of(registers), offsets, values, count);
	CHECK(ret == (is_odd ? -EINVAL : 0));
	for (uint32_t i = 0; !ret && i < count; i++)
		CHECK(values[i] == offsets[i] / 4);
	free(registers);
	free(offsets);
	free(values);
}

/* The locator against a chunk where it is known which LBAs differ. */
static void run_locator(struct input *input)
{
	const uint32_t lba = 512u << take_below(input, 4), lbas = 1 + (uint32_t)take_below(input, 128);
	const uint32_t most = (1 + (uint32_t)take_below(input, 128)) * lba;
	bool differs[128] = { false }, found[128] = { false };
	struct p2p_locator locator;
	struct p2p_run run;

	for (uint64_t i = take_below(input, 12); i--;)
		differs[take_below(input, lbas)] = true;
	p2p_locator_init(&locator, lba, most);
	while (locator.done < lbas * lba) {
		uint32_t piece = p2p_locator_next(&locator, lbas * lba), at = locator.done / lba;
		bool is_equal = true;

		CHECK(piece && piece <= most && piece % lba == 0 && locator.done + piece <= lbas * lba);
		for (uint32_t i = at; i < at + piece / lba; i++)
			is_equal &= !differs[i];
		if (!is_equal) {
			p2p_locator_differs(&locator, piece);
			continue;
		}
		run = p2p_locator_equal(&locator, piece);
		for (uint32_t i = 0; i < run.length / lba; i++)
			found[run.offset / lba + i] = true;
	}
	for (uint32_t i = 0; i < locator.run.length / lba; i++)
		found[locator.run.offset / lba + i] = true;
	CHECK(!memcmp(differs, found, sizeof(found)));
}

static const struct target targets[] = {
	{ "chunk-count", run_chunk_count },
	{ "tail", run_tail },
	{ "nvme-copy", run_nvme_copy },
	{ "hash", run_hash },
	{ "fallocate", run_fallocate },
	{ "pread", run_pread },
	{ "prefault", run_prefault },
	{ "memory", run_memory },
	{ "registers", run_registers },
	{ "locator", run_locator },
};

void fuzz_setup(void)
{
	const struct rlimit limit = { 64u << 20, 64u << 20 };
	const char *folder = getenv("TMPDIR");
	char path[400];

	/* An fallocate of absurd size must not fill the machine's memory. */
	signal(SIGXFSZ, SIG_IGN);
	MUST(!setrlimit(RLIMIT_FSIZE, &limit));
	snprintf(path, sizeof(path), "%s/p2pdma-fuzz-XXXXXX", folder ? folder : "/dev/shm");
	file = mkstemp(path);
	MUST(file >= 0 && !ftruncate(file, FILE_BYTES));
	unlink(path);
	/* More than the file has: what lies behind its end raises SIGBUS. */
	content = mmap(NULL, 2 * FILE_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
	MUST(content != MAP_FAILED);
	kit_fill(pristine, FILE_BYTES, 3);
}

void fuzz_one(struct input *input)
{
	fill_content();
	targets[take_below(input, COUNT(targets))].run(input);
}
