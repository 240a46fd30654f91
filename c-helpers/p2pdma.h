/* SPDX-License-Identifier: MIT */
/*
 * The C side of p2pdma: everything that needs liburing, a signal handler or a
 * tight loop. Called through FFI, so structures are flat and fixed-width,
 * addresses travel as uint64_t, and results are 0 or a negative errno.
 */
#ifndef P2PDMA_H
#define P2PDMA_H

#include <stddef.h>
#include <stdint.h>

#define P2P_ABI_VERSION 3
#define P2P_EXPORT __attribute__((visibility("default")))

/** Version of this interface; the caller compares it with P2P_ABI_VERSION. */
P2P_EXPORT uint32_t p2p_abi_version(void);

/** One piece of the copy. All three are in bytes and multiples of both block sizes. */
struct p2p_extent {
	uint64_t src_offset;
	uint64_t dst_offset;
	uint64_t length;
};

enum p2p_direction {
	P2P_READ = 0,	/* source into staging slot */
	P2P_WRITE = 1,	/* staging slot to destination */
	P2P_COMPARE = 2,	/* staging slot with destination, by the drive */
};

#define P2P_DIRECTIONS 3

/** What is done with each chunk, in this order. */
enum p2p_stages {
	P2P_STAGES_COPY = 0,		/* read, write */
	P2P_STAGES_COPY_COMPARE = 1,	/* read, write, compare */
	P2P_STAGES_COMPARE = 2,		/* read, compare */
};

/**
 * A chunk that failed for good, after all its retries; or, with direction
 * P2P_COMPARE and EILSEQ, a run of LBAs that differ: offsets and length are the
 * run's then, and a chunk may have several.
 */
struct p2p_pump_error {
	uint64_t chunk;		/* index in the bitmap */
	uint64_t src_offset;	/* start of the chunk, bytes */
	uint64_t dst_offset;
	uint64_t length;	/* of the chunk, bytes */
	int32_t error;		/* positive errno */
	uint32_t direction;	/* enum p2p_direction */
	uint32_t attempts;	/* tries made in that direction */
	uint32_t flags;		/* P2P_ERROR_* */
};

/*
 * The file or device moved no further twice in a row without naming an error:
 * ENODATA on a source that ends early, EIO on a destination. Without this flag
 * ENODATA is the block layer's word for a medium error.
 */
#define P2P_ERROR_NO_PROGRESS	(1u << 0)
/* It would meet every other chunk, too: the pump starts nothing new after it. */
#define P2P_ERROR_FATAL		(1u << 1)
/* A run from where a difference was seen to the chunk's end, without a closer look. */
#define P2P_ERROR_ROUGH		(1u << 2)

#define P2P_PUMP_FIXED_BUFFERS	(1u << 0)	/* register the slots; falls back when the kernel refuses */
#define P2P_PUMP_STOP_ON_ERROR	(1u << 1)	/* start nothing new after the first chunk that failed or differs */
#define P2P_PUMP_COMPARE_IOCTL	(1u << 2)	/* compare by ioctl, one at a time, also where io_uring can */

#define P2P_CANCEL_DRAIN	1	/* read nothing new, write what was read */
#define P2P_CANCEL_ABORT	2	/* start nothing new at all, wait for what is in flight */

/**
 * Progress and control, in memory shared with the caller while the pump runs.
 * The pump zeroes its fields on entry and writes them with relaxed atomics; an
 * error record is complete before @errors_logged counts it. The caller's fields
 * may change at any time and are heard within a tenth of a second.
 */
struct p2p_pump_status {
	uint64_t bytes_read;
	uint64_t bytes_written;
	uint64_t bytes_compared;	/* each once, however often locating a difference compares it */
	uint64_t chunks_done;		/* set in the bitmap by this run */
	uint64_t chunks_failed;
	uint64_t chunks_differing;	/* not among the failed ones */
	uint64_t chunks_waiting;	/* for another try, now */
	uint64_t retries;
	uint64_t short_transfers;	/* continued, not lost */
	uint64_t in_flight;		/* requests with the kernel now */
	uint64_t max_in_flight;
	uint64_t enters;		/* io_uring_enter calls made */
	uint64_t errors_logged;		/* records valid in the error log */
	uint64_t fixed_buffers;		/* 1 when registered buffers are in use */
	uint64_t fixed_files;		/* 1 when registered files are in use */
	uint64_t compare_ioctl;		/* 1 when compares go by ioctl */
	uint64_t latency_ns[P2P_DIRECTIONS];	/* sum over the requests completed */
	uint64_t requests[P2P_DIRECTIONS];	/* completed, well or not */
	/* The caller's: */
	uint64_t cancel;		/* 0 or P2P_CANCEL_* */
	uint64_t rate;			/* bytes started a second; 0: no limit */
	uint64_t depth_limit;		/* chunks in work; 0: as many as slots */
};

/**
 * A namespace that a direction's requests go to as NVMe commands, around the
 * block layer and the page cache. Namespaces with metadata are not supported.
 */
struct p2p_namespace {
	int32_t fd;		/* /dev/ngXnY, with write access where it is written to */
	uint32_t nsid;		/* 0: requests go to the job's files instead */
	uint32_t lba_bytes;	/* power of two, at most block_bytes */
	uint32_t max_bytes;	/* of one command, whole LBAs, at most 65536 of them */
	uint64_t base;		/* where the range of the job's offsets begins in the namespace: a partition's start, bytes */
};

/**
 * A copy job. Everything pointed to stays the caller's and must outlive the
 * call. Addresses of arrays and structures are multiples of 8 (the bitmap's may
 * be odd); an address may be 0 where its count is 0.
 */
struct p2p_pump_job {
	uint32_t abi;			/* P2P_ABI_VERSION */
	uint32_t flags;			/* P2P_PUMP_* */
	int32_t src_fd;
	int32_t dst_fd;
	uint32_t slot_count;		/* chunks in flight, 1 to 4096 */
	uint32_t chunk_bytes;		/* size of a slot, multiple of block_bytes */
	uint32_t block_bytes;		/* larger of the two block sizes, power of two */
	uint32_t retries;		/* extra tries per chunk and direction */
	uint64_t slots;			/* const uint64_t[slot_count]: slot addresses */
	uint64_t extents;		/* const struct p2p_extent[extent_count] */
	uint64_t extent_count;
	uint64_t bitmap;		/* uint8_t[bitmap_bytes], bit n of byte n/8: chunk n is on the destination */
	uint64_t bitmap_bytes;
	uint64_t errors;		/* struct p2p_pump_error[error_capacity] */
	uint64_t error_capacity;
	uint64_t status;		/* struct p2p_pump_status */
	uint32_t stages;		/* enum p2p_stages */
	uint32_t retry_delay_ms;	/* before the second try; doubles up to 5 s, or stays where it is more */
	uint32_t io_priority;		/* of reads and writes, as ioprio_set(2) has it; 0: the thread's. Not of NVMe commands */
	uint32_t reserved;		/* 0 */
	uint64_t cpus;			/* const uint8_t[cpu_bytes], bit n of byte n/8: the thread may run on CPU n */
	uint64_t cpu_bytes;		/* 0: it stays where it is */
	struct p2p_namespace nvme[P2P_DIRECTIONS]; /* reads and writes may, compares must go there; max_bytes of the former is at least chunk_bytes */
};

/**
 * Copies every chunk whose bit is clear on entry, and sets its bit once the
 * write has completed (not yet flushed). Chunks are numbered through all
 * extents in order; the last chunk of an extent may be short. Slots hold at
 * most 1 GiB each, and no extent ends above 2^63 bytes.
 *
 * A try that fails is repeated @retries times in its own direction from where
 * the transfer stood, after a delay that holds up no other slot. Errors that
 * cannot change by themselves (EREMOTEIO, EINVAL, EBADF, ENOSPC, ENODEV and
 * their like, or no progress) are not repeated: they are fatal, nothing new is
 * started. What waits for another try when the pump is cancelled or stops is
 * given up, its bit clear. EINTR and EAGAIN are no failed tries, up to a
 * thousand in a row.
 *
 * The error log keeps the first records and has one to spare for a fatal error;
 * the bitmap and the counts are complete however many fail.
 *
 * Comparing: the drive compares the slot with what it would answer to a read.
 * The write has completed by then; whether that is its medium or its cache is
 * the drive's business, so flush first where that matters. A chunk that differs
 * is compared again in smaller pieces down to single LBAs, and neighbouring ones
 * are logged as one run; at most 64 a chunk, the last one rough, and none when
 * the log is full.
 *
 * Reads and writes as NVMe commands: the caller keeps the page cache out of it,
 * and what they cannot do is fatal: -EOPNOTSUPP without NVMe commands over
 * io_uring (Linux 5.19). Before Linux 6.7 a command that the kernel could not
 * send may look like one that succeeded.
 *
 * Return: 0 when every chunk is done; -EIO when chunks failed (see the error
 * log); -EILSEQ when none failed but some differ; -ECANCELED when cancelled
 * with chunks left to do; -EINVAL for a job that makes no sense; another
 * negative errno when the ring could not be set up or broke down. No request is
 * in flight after the return, except when a broken ring (never one of these)
 * refused for a second to give them back: @in_flight then stays above 0 and the
 * slots must stay mapped.
 */
P2P_EXPORT int p2p_pump_run(const struct p2p_pump_job *job);

/**
 * Number of chunks a job has, for sizing the bitmap.
 * Return: the count, or UINT64_MAX when the sum does not fit or an argument is
 * unusable.
 */
P2P_EXPORT uint64_t p2p_chunk_count(const struct p2p_extent *extents, uint64_t extent_count,
				    uint32_t chunk_bytes);

/**
 * Copies the last @length bytes of a range that ends inside a block: the
 * source block is read into @src_slot, the destination block into @dst_slot,
 * @length bytes are merged by CPU inside the slots, and the destination block
 * is written. Where the destination file ends earlier, the rest is zeros.
 * Both slots hold at least one block of either side and do not overlap;
 * @length is 1 to the larger block, and the offsets are multiples of the block
 * of their side. Only the destination's last, partly replaced block is read.
 *
 * Return: 0 or a negative errno; -ENODATA when the source ends early; -EINVAL
 * for arguments that make no sense.
 */
P2P_EXPORT int p2p_copy_tail(int src_fd, int dst_fd, uint64_t src_offset, uint64_t dst_offset,
			     uint32_t length, uint32_t src_block, uint32_t dst_block,
			     uint64_t src_slot, uint64_t dst_slot);

/**
 * Touches one byte in every page of a mapping, from this thread, with SIGBUS
 * caught: p2pmem of kernels that allocate on first touch runs out that way.
 * The handler is the process's while the call runs: other faults are passed on
 * to the one before it, calls from several threads take turns, and nobody else
 * may change the SIGBUS handler meanwhile.
 *
 * Return: 0; -ENOMEM when a touch raised SIGBUS; -EINVAL for a range that
 * wraps, or an address or page size that is not aligned.
 */
P2P_EXPORT int p2p_prefault(uint64_t address, uint64_t length, uint32_t page_bytes);

/* The caller builds these by offset, in another language. */
_Static_assert(sizeof(struct p2p_extent) == 24, "p2p_extent");
_Static_assert(sizeof(struct p2p_pump_error) == 48, "p2p_pump_error");
_Static_assert(offsetof(struct p2p_pump_error, error) == 32, "p2p_pump_error.error");
_Static_assert(offsetof(struct p2p_pump_error, flags) == 44, "p2p_pump_error.flags");
_Static_assert(sizeof(struct p2p_pump_status) == 200, "p2p_pump_status");
_Static_assert(offsetof(struct p2p_pump_status, errors_logged) == 96, "p2p_pump_status.errors_logged");
_Static_assert(offsetof(struct p2p_pump_status, latency_ns) == 128, "p2p_pump_status.latency_ns");
_Static_assert(offsetof(struct p2p_pump_status, cancel) == 176, "p2p_pump_status.cancel");
_Static_assert(sizeof(struct p2p_pump_job) == 200, "p2p_pump_job");
_Static_assert(offsetof(struct p2p_pump_job, slot_count) == 16, "p2p_pump_job.slot_count");
_Static_assert(offsetof(struct p2p_pump_job, slots) == 32, "p2p_pump_job.slots");
_Static_assert(offsetof(struct p2p_pump_job, status) == 88, "p2p_pump_job.status");
_Static_assert(offsetof(struct p2p_pump_job, nvme) == 128, "p2p_pump_job.nvme");
_Static_assert(sizeof(struct p2p_namespace) == 24, "p2p_namespace");

/* CPU access to device memory: every word is one load or store of its own width, in order. */

enum p2p_pattern {
	P2P_PATTERN_CONSTANT = 0, /* every word is @seed */
	P2P_PATTERN_WALKING = 1, /* one bit set, the next one in the next word; @seed turns them all */
	P2P_PATTERN_ADDRESS = 2, /* every word is its own address plus @seed */
	P2P_PATTERN_RANDOM = 3, /* splitmix64 of @seed and the word's address */
};

#define P2P_MEMORY_INVERT (1u << 0) /* the complement of the pattern */

/** Words that did not hold what was written, and what lies between them. */
struct p2p_bad_range {
	uint64_t offset; /* from the job's address, bytes */
	uint64_t length; /* up to the end of the last bad word, bytes */
	uint64_t bad_words;
	uint64_t expected; /* of the first bad word */
	uint64_t got; /* the same word as it was read */
	uint64_t bad_bits; /* every bit that was wrong in any of the words */
};

/**
 * Progress and control of a pass, in memory shared with the caller while it
 * runs. The pass zeroes every field but @cancel on entry; the ranges are
 * counted, and their records valid, when it has returned.
 */
struct p2p_memory_status {
	uint64_t bytes_done;
	uint64_t bad_words;
	uint64_t all_ones; /* bad words that read as all ones: a device that is gone answers so */
	uint64_t bad_ranges; /* found, also those that had no room in the log */
	uint64_t bad_logged; /* records valid in the log */
	uint64_t cancel; /* written by the caller: not 0 ends the pass */
};

/** One pass over a range of memory. Everything pointed to stays the caller's. */
struct p2p_memory_job {
	uint64_t address; /* first byte, multiple of 8 */
	uint64_t length; /* bytes, multiple of 8 */
	uint64_t base; /* what the patterns take for the address of the first byte, multiple of 8 */
	uint64_t seed;
	uint32_t pattern; /* enum p2p_pattern */
	uint32_t flags; /* P2P_MEMORY_* */
	uint64_t merge_bytes; /* bad words with at most so much good memory between them are one range */
	uint64_t bad; /* struct p2p_bad_range[bad_capacity]; 0 where that is 0 */
	uint64_t bad_capacity;
	uint64_t status; /* struct p2p_memory_status */
};

/**
 * Writes the pattern to all of the range.
 *
 * Return: 0; -ECANCELED; -EINVAL for a job that makes no sense.
 */
P2P_EXPORT int p2p_memory_fill(const struct p2p_memory_job *job);

/**
 * Reads the range and compares every word with the pattern. Bad words are no
 * error of the pass: see the status and the log.
 *
 * Return: 0 when all was read; -ECANCELED, with what was found so far; -EINVAL
 * for a job that makes no sense.
 */
P2P_EXPORT int p2p_memory_verify(const struct p2p_memory_job *job);

/**
 * Copies between device memory and an ordinary buffer, in either direction.
 * Addresses and length are multiples of 8, and the two ranges do not overlap.
 *
 * Return: 0 or -EINVAL.
 */
P2P_EXPORT int p2p_memory_copy(uint64_t to, uint64_t from, uint64_t length);

/**
 * Reads @count registers of 32 bits at @offsets (bytes, multiples of 4) from a
 * mapped register block into @values, and touches nothing else.
 *
 * Return: 0 or -EINVAL.
 */
P2P_EXPORT int p2p_register_read(uint64_t address, const uint32_t *offsets, uint32_t *values,
				 uint32_t count);

_Static_assert(sizeof(struct p2p_bad_range) == 48, "p2p_bad_range");
_Static_assert(sizeof(struct p2p_memory_status) == 48, "p2p_memory_status");
_Static_assert(offsetof(struct p2p_memory_status, cancel) == 40, "p2p_memory_status.cancel");
_Static_assert(sizeof(struct p2p_memory_job) == 72, "p2p_memory_job");
_Static_assert(offsetof(struct p2p_memory_job, pattern) == 32, "p2p_memory_job.pattern");
_Static_assert(offsetof(struct p2p_memory_job, status) == 64, "p2p_memory_job.status");

/**
 * fallocate(2), repeated when a signal interrupts it.
 *
 * Return: 0 or a negative errno.
 */
P2P_EXPORT int p2p_fallocate(int fd, int mode, uint64_t offset, uint64_t length);

/**
 * fdatasync(2), repeated when a signal interrupts it.
 *
 * Return: 0 or a negative errno.
 */
P2P_EXPORT int p2p_fdatasync(int fd);

/**
 * pread(2), repeated when a signal interrupts it.
 *
 * Return: bytes read, fewer than @length at the end of the file or where the kernel cut it; or a negative errno.
 */
P2P_EXPORT int64_t p2p_pread(int fd, void *buffer, uint64_t length, uint64_t offset);

/** Room for the state of a hash in the making, at an address that is a multiple of 64. */
#define P2P_HASH_STATE_BYTES 1024

/**
 * XXH3 of 64 bits over any number of pieces. @state is the caller's room.
 *
 * Return: 0, or -EINVAL for an address that makes no sense.
 */
P2P_EXPORT int p2p_hash_begin(uint64_t state);
P2P_EXPORT int p2p_hash_update(uint64_t state, uint64_t address, uint64_t length);
P2P_EXPORT int p2p_hash_end(uint64_t state, uint64_t *digest);

/** Progress and control of p2p_nvme_copy(), in memory shared with the caller while it runs. */
struct p2p_nvme_copy_status {
	uint64_t bytes_done;
	uint64_t chunks_done;		/* set in the bitmap by this run */
	uint64_t commands;
	uint64_t error_status;		/* NVMe status of the command that failed; 0 for an errno */
	uint64_t error_src_offset;	/* of that command, bytes, without the base */
	uint64_t error_dst_offset;
	uint64_t error_length;
	uint64_t cancel;		/* written by the caller: not 0 ends the copy */
};

/**
 * A copy within one namespace by its own Copy command. Offsets are in bytes;
 * they, the bases and the chunk size are multiples of the LBA size. Everything
 * pointed to stays the caller's and must outlive the call.
 */
struct p2p_nvme_copy_job {
	int32_t fd;		/* the namespace: /dev/ngXnY, or the whole block device */
	uint32_t nsid;
	uint32_t lba_bytes;	/* power of two */
	uint32_t workers;	/* commands in flight, 1 to 64 */
	uint32_t range_lbas;	/* MSSRL: LBAs in one source range, 1 to 65536 */
	uint32_t command_lbas;	/* MCL: LBAs in one command */
	uint32_t ranges;	/* MSRC + 1: source ranges in one command, 1 to 256 */
	uint32_t chunk_bytes;	/* a bit of the bitmap; also the most of one command */
	uint64_t src_base;	/* where the source begins in the namespace, bytes: a partition's start */
	uint64_t dst_base;
	uint64_t extents;	/* const struct p2p_extent[extent_count]; source and destination do not overlap */
	uint64_t extent_count;
	uint64_t bitmap;	/* uint8_t[bitmap_bytes], as the pump's */
	uint64_t bitmap_bytes;
	uint64_t status;	/* struct p2p_nvme_copy_status */
};

/**
 * Lets the drive copy every chunk whose bit is clear on entry, and sets its bit
 * once the drive has said so (not yet flushed). Ends at the first failure; the
 * other commands in flight are waited for.
 *
 * Return: 0 when every chunk is done; -EIO when the drive refused a command
 * (@error_status); -ECANCELED with chunks left to do; -EINVAL for a job that
 * makes no sense; another negative errno when the kernel did not send a command.
 */
P2P_EXPORT int p2p_nvme_copy(const struct p2p_nvme_copy_job *job);

_Static_assert(sizeof(struct p2p_nvme_copy_status) == 64, "p2p_nvme_copy_status");
_Static_assert(offsetof(struct p2p_nvme_copy_status, cancel) == 56, "p2p_nvme_copy_status.cancel");
_Static_assert(sizeof(struct p2p_nvme_copy_job) == 88, "p2p_nvme_copy_job");
_Static_assert(offsetof(struct p2p_nvme_copy_job, src_base) == 32, "p2p_nvme_copy_job.src_base");
_Static_assert(offsetof(struct p2p_nvme_copy_job, status) == 80, "p2p_nvme_copy_job.status");

/*
 * Histograms of request times in nanoseconds, in the layout of HDR histograms
 * with three significant digits: below 2048 each value has a bucket of its own,
 * above that there are 1024 buckets to each power of two, up to 2^42 (73 min),
 * where all that took longer is counted, too.
 */
#define P2P_BENCH_BUCKETS	33792
#define P2P_BENCH_ERRORS	16
#define P2P_BENCH_DIRECTIONS	2	/* P2P_READ, P2P_WRITE */

enum p2p_bench_kind {
	P2P_BENCH_READ = 0,
	P2P_BENCH_WRITE = 1,
	P2P_BENCH_COPY = 2,	/* each slot reads from the source, then writes to the destination */
};

#define P2P_BENCH_RANDOM	(1u << 0)	/* offsets by @seed instead of one after the other */
#define P2P_BENCH_FIXED_BUFFERS	(1u << 1)	/* register the slots; falls back when the kernel refuses */

struct p2p_bench_error {
	int32_t error;		/* positive errno; 0: an unused entry */
	uint32_t direction;	/* enum p2p_direction */
	uint64_t count;
};

/** What was measured between the end of the warm-up and the end of the time or size. */
struct p2p_bench_result {
	uint64_t elapsed_ns;
	uint64_t bytes[P2P_BENCH_DIRECTIONS];
	uint64_t requests[P2P_BENCH_DIRECTIONS];	/* completed without an error */
	uint64_t latency_ns[P2P_BENCH_DIRECTIONS];	/* sum over these */
	uint64_t least_ns[P2P_BENCH_DIRECTIONS];
	uint64_t most_ns[P2P_BENCH_DIRECTIONS];
	uint64_t short_transfers;	/* counted with the bytes they moved, not continued */
	uint64_t enters;		/* io_uring_enter calls */
	uint64_t user_ns;		/* CPU time of the calling thread */
	uint64_t system_ns;
	uint64_t voluntary_switches;
	uint64_t involuntary_switches;
	uint64_t fixed_buffers;		/* 1 when registered buffers are in use */
	uint64_t failed;		/* requests, also during the warm-up */
	struct p2p_bench_error errors[P2P_BENCH_ERRORS]; /* by errno and direction; further kinds are only in @failed */
	uint64_t in_flight;		/* above 0 after a ring broke down: the slots must stay mapped */
	uint64_t bytes_now;		/* moved so far, the warm-up included: progress */
	uint64_t cancel;		/* written by the caller: not 0 ends the run */
};

/**
 * One workload. Everything pointed to stays the caller's and must outlive the
 * call; arrays and structures lie at multiples of 8. Requests are whole chunks
 * within @range_bytes, from @src_offset (reads) and @dst_offset (writes) on; the
 * range is gone through again from its start when it is used up.
 */
struct p2p_bench_job {
	uint32_t abi;			/* P2P_ABI_VERSION */
	uint32_t kind;			/* enum p2p_bench_kind */
	int32_t src_fd;			/* -1 where nothing is read */
	int32_t dst_fd;			/* -1 where nothing is written */
	uint32_t slot_count;		/* requests in flight, 1 to 4096 */
	uint32_t chunk_bytes;		/* of one request, at most 1 GiB */
	uint32_t flags;			/* P2P_BENCH_* */
	uint32_t vectors_per_slot;	/* 0: requests go to the slots as they are; not for copies */
	uint64_t slots;			/* const uint64_t[slot_count]: slot addresses */
	uint64_t vectors;		/* const struct iovec[slot_count][vectors_per_slot], a chunk together */
	uint64_t src_offset;
	uint64_t dst_offset;
	uint64_t range_bytes;		/* at least a chunk */
	uint64_t seed;
	uint64_t warmup_ns;
	uint64_t time_ns;		/* how long is measured; 0: until the size is reached */
	uint64_t size_bytes;		/* how much is measured; 0: until the time is up */
	uint64_t most_errors;		/* the run ends after so many; 0: after the first */
	uint64_t result;		/* struct p2p_bench_result */
	uint64_t histograms;		/* uint64_t[P2P_BENCH_DIRECTIONS][P2P_BENCH_BUCKETS], of the measured requests */
};

/**
 * Keeps @slot_count requests in flight until the time or size is reached, and
 * measures. Failed requests are counted and not repeated.
 *
 * Return: 0, also with failed requests; -ECANCELED; -EINVAL for a job that makes
 * no sense; another negative errno when the ring could not be set up or broke
 * down.
 */
P2P_EXPORT int p2p_bench_run(const struct p2p_bench_job *job);

_Static_assert(sizeof(struct p2p_bench_result) == 432, "p2p_bench_result");
_Static_assert(offsetof(struct p2p_bench_result, errors) == 152, "p2p_bench_result.errors");
_Static_assert(offsetof(struct p2p_bench_result, cancel) == 424, "p2p_bench_result.cancel");
_Static_assert(sizeof(struct p2p_bench_job) == 128, "p2p_bench_job");
_Static_assert(offsetof(struct p2p_bench_job, slots) == 32, "p2p_bench_job.slots");
_Static_assert(offsetof(struct p2p_bench_job, histograms) == 120, "p2p_bench_job.histograms");

#endif
