/* SPDX-License-Identifier: MIT */
/*
 * The pump and the measuring loop over the real io_uring, on real files. The
 * files lie in TMPDIR, else in /dev/shm; O_DIRECT where that has it.
 */
#include <fcntl.h>
#include <linux/nvme_ioctl.h>
#include <stdarg.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <sys/uio.h>

#include "pump-case.h"
#include "targets.h"

static struct {
	int src, dst, directory;
	uint8_t *source, *destination;	/* mapped */
	uint64_t compare_base;
	int status;	/* that the drive answers instead of comparing; 0: it compares */
} files;

int __wrap_ioctl(int fd, unsigned long request, ...);

/* The file is the namespace: what the drive would do, seen from the command it gets. */
static int compare_with_file(const struct nvme_passthru_cmd *command)
{
	uint64_t lba = command->cdw10 | (uint64_t)command->cdw11 << 32;
	uint64_t lba_bytes = command->data_len / (command->cdw12 + 1);
	uint64_t at = lba * lba_bytes - files.compare_base;

	CHECK(command->opcode == 0x05 && command->data_len % (command->cdw12 + 1) == 0);
	if (at > DEVICE_BYTES || command->data_len > DEVICE_BYTES - at)
		return 0x080;
	if (files.status)
		return files.status;
	return memcmp((const void *)(uintptr_t)command->addr, files.destination + at, command->data_len)
		       ? 0x285 : 0;
}

int __wrap_ioctl(int fd, unsigned long request, ...)
{
	const struct nvme_passthru_cmd *command;
	va_list arguments;

	va_start(arguments, request);
	command = va_arg(arguments, const struct nvme_passthru_cmd *);
	va_end(arguments);
	CHECK(fd == files.dst && request == NVME_IOCTL_IO_CMD);
	return compare_with_file(command);
}

static int open_file(uint8_t **bytes)
{
	const char *folder = getenv("TMPDIR");
	char path[400];
	int fd, direct;

	snprintf(path, sizeof(path), "%s/p2pdma-fuzz-XXXXXX", folder ? folder : "/dev/shm");
	fd = mkstemp(path);
	MUST(fd >= 0 && !ftruncate(fd, DEVICE_BYTES));
	*bytes = mmap(NULL, DEVICE_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	MUST(*bytes != MAP_FAILED);
	direct = open(path, O_RDWR | O_DIRECT);
	unlink(path);
	if (direct < 0)
		return fd;
	close(fd);
	return direct;
}

void fuzz_setup(void)
{
	/* Extents of absurd offsets must not fill the machine's memory. */
	const struct rlimit limit = { 64u << 20, 64u << 20 };

	signal(SIGXFSZ, SIG_IGN);
	MUST(!setrlimit(RLIMIT_FSIZE, &limit));
	files.src = open_file(&files.source);
	files.dst = open_file(&files.destination);
	files.directory = open("/", O_RDONLY | O_DIRECTORY);
	MUST(files.directory >= 0);
	kit_fill(files.source, DEVICE_BYTES, 1);
}

static void reset_destination(struct input *input, const struct p2p_pump_job *job)
{
	MUST(!ftruncate(files.dst, DEVICE_BYTES));
	memset(files.destination, UNTOUCHED, DEVICE_BYTES);
	if (job->stages != P2P_STAGES_COMPARE || !take_chance(input, 50))
		return;
	memcpy(files.destination, files.source, DEVICE_BYTES);
	files.destination[take_below(input, DEVICE_BYTES)] ^= 1;
}

static void run_pump(struct input *input)
{
	static const int statuses[] = { 0x001, 0x002, 0x00b, 0x080, 0x082, 0x281, 0x286, 0x006, 0x7ff };
	const struct device_pair devices = { files.source, files.destination, 0 };
	const bool has_odd_file = take_chance(input, 5);
	struct pump_case test;
	int result;

	case_open(input, &test, 0, files.src, files.dst);
	if (has_odd_file)
		*(take_chance(input, 50) ? &test.job.src_fd : &test.job.dst_fd) = files.directory;
	files.compare_base = test.job.nvme[P2P_COMPARE].base;
	files.status = take_chance(input, 10) ? statuses[take_below(input, COUNT(statuses))] : 0;
	test.status->depth_limit = take_below(input, 4);
	test.status->cancel = take_chance(input, 5) ? 1 + take_below(input, 3) : 0;
	reset_destination(input, &test.job);
	result = p2p_pump_run(&test.job);
	case_check(&test, result, has_odd_file ? NULL : &devices);
	case_close(&test);
}

struct bench_memory {
	uint64_t *slots;
	struct iovec *vectors;
	uint8_t *bytes;
	size_t length;
};

static void open_memory(struct bench_memory *memory, const struct p2p_bench_job *job)
{
	const uint32_t pieces = job->vectors_per_slot;
	size_t stride = (job->chunk_bytes + 4095) / 4096 * 4096;

	memory->length = stride * job->slot_count;
	memory->bytes = mmap(NULL, memory->length, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	MUST(memory->bytes != MAP_FAILED);
	memory->slots = make_array(job->slot_count, sizeof(*memory->slots));
	memory->vectors = make_array((size_t)job->slot_count * pieces, sizeof(*memory->vectors));
	for (uint32_t i = 0; i < job->slot_count; i++) {
		memory->slots[i] = address_of(memory->bytes + i * stride);
		for (uint32_t piece = 0; piece < pieces; piece++)
			memory->vectors[i * pieces + piece] = (struct iovec){
				memory->bytes + i * stride + piece * (job->chunk_bytes / pieces),
				job->chunk_bytes / pieces,
			};
	}
}

static void close_memory(struct bench_memory *memory)
{
	munmap(memory->bytes, memory->length);
	free(memory->slots);
	free(memory->vectors);
}

static void spoil_bench(struct input *input, struct p2p_bench_job *job)
{
	const uint64_t number = take_number(input);

	switch (take_below(input, 10)) {
	case 0: job->abi = (uint32_t)number; break;
	case 1: job->kind = (uint32_t)number; break;
	case 2: job->flags = (uint32_t)number; break;
	case 3: job->slot_count = number & 1 ? 0 : P2P_MAX_SLOTS + 1 + (uint32_t)(number >> 33); break;
	case 4: job->chunk_bytes = number & 1 ? 0 : P2P_MAX_CHUNK_BYTES + 1 + (uint32_t)(number >> 34); break;
	case 5: job->range_bytes = number; break;
	case 6: job->src_offset = number; break;
	case 7: job->dst_offset = number; break;
	case 8: job->result += number & 7; break;
	case 9: job->histograms = number & 1 ? 0 : job->histograms + 4; break;
	}
}

static void run_bench(struct input *input)
{
	static const uint32_t pieces[] = { 0, 0, 1, 2, 4 };
	static uint64_t histograms[P2P_BENCH_DIRECTIONS][P2P_BENCH_BUCKETS];
	const int descriptors[] = { files.src, files.dst, files.directory, -1 };
	struct p2p_bench_result *result = make_array(1, sizeof(*result));
	struct bench_memory memory;
	struct p2p_bench_job job = {
		.abi = P2P_ABI_VERSION,
		.kind = (uint32_t)take_below(input, 3),
		.src_fd = descriptors[take_below(input, 4) * take_chance(input, 10)],
		.dst_fd = take_chance(input, 10) ? descriptors[take_below(input, 4)] : files.dst,
		.slot_count = 1 + (uint32_t)take_below(input, 8),
		.chunk_bytes = 512u << take_below(input, 5),
		.flags = (uint32_t)take_below(input, 4),
		.vectors_per_slot = pieces[take_below(input, COUNT(pieces))],
		.src_offset = take_below(input, 16) * 4096,
		.dst_offset = take_below(input, 16) * 4096,
		.range_bytes = 8192 + take_below(input, DEVICE_BYTES - 8192),
		.seed = take_number(input),
		.warmup_ns = take_below(input, 200000),
		.time_ns = take_below(input, 400000),
		.size_bytes = take_chance(input, 50) ? take_below(input, DEVICE_BYTES) : 0,
		.most_errors = take_below(input, 32),
		.result = address_of(result),
		.histograms = address_of(histograms),
	};

	open_memory(&memory, &job);
	job.slots = address_of(memory.slots);
	job.vectors = address_of(memory.vectors);
	/* Where nothing is to be read, a size is never reached. */
	if (job.size_bytes)
		job.time_ns |= 1 << 16;
	if (take_chance(input, 20))
		spoil_bench(input, &job);
	if (p2p_bench_run(&job) != -EINVAL) {
		CHECK(!result->in_flight);
		for (uint32_t i = 0; i < P2P_BENCH_DIRECTIONS; i++)
			CHECK(result->bytes[i] <= result->requests[i] * job.chunk_bytes);
	}
	close_memory(&memory);
	free(result);
}

static const struct target targets[] = {
	{ "pump", run_pump },
	{ "pump", run_pump },
	{ "bench", run_bench },
};

void fuzz_one(struct input *input)
{
	targets[take_below(input, COUNT(targets))].run(input);
}
