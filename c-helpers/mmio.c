/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <stdbool.h>

#include "job.h"

/* Between two looks at the cancel field: some milliseconds where a read crosses PCIe. */
#define STEP_BYTES (32u * 1024)

/* What a verification knows while it runs. */
struct findings {
	const struct p2p_memory_job *job;
	struct p2p_bad_range *current; /* the record that may still grow, or NULL */
	uint64_t ranges; /* all, also those there was no room for */
	uint64_t last_end; /* end of the last bad word */
};

/* splitmix64: any word can be had without those before it. */
static uint64_t random_word(uint64_t seed, uint64_t index)
{
	uint64_t word = seed + (index + 1) * 0x9e3779b97f4a7c15ull;

	word = (word ^ (word >> 30)) * 0xbf58476d1ce4e5b9ull;
	word = (word ^ (word >> 27)) * 0x94d049bb133111ebull;
	return word ^ (word >> 31);
}

static uint64_t pattern_word(const struct p2p_memory_job *job, uint64_t offset)
{
	uint64_t flip = job->flags & P2P_MEMORY_INVERT ? UINT64_MAX : 0;
	uint64_t at = job->base + offset;

	switch (job->pattern) {
	case P2P_PATTERN_WALKING:
		return flip ^ (1ull << ((at / 8 + job->seed) % 64));
	case P2P_PATTERN_ADDRESS:
		return flip ^ (at + job->seed);
	case P2P_PATTERN_RANDOM:
		return flip ^ random_word(job->seed, at / 8);
	default:
		return flip ^ job->seed;
	}
}

static volatile uint64_t *word_at(uint64_t address)
{
	return (volatile uint64_t *)(uintptr_t)address;
}

static bool is_range(uint64_t address, uint64_t length)
{
	return address && address % 8 == 0 && length % 8 == 0 && length <= UINTPTR_MAX - address;
}

static bool is_job(const struct p2p_memory_job *job)
{
	return job && is_range(job->address, job->length) && job->base % 8 == 0 && job->status &&
	       job->status % 8 == 0 && job->pattern <= P2P_PATTERN_RANDOM &&
	       !(job->flags & ~P2P_MEMORY_INVERT) &&
	       (!job->bad_capacity || (job->bad && job->bad % 8 == 0));
}

static struct p2p_memory_status *status_of(const struct p2p_memory_job *job)
{
	return (struct p2p_memory_status *)(uintptr_t)job->status;
}

static void start_status(struct p2p_memory_status *status)
{
	p2p_status_set(&status->bytes_done, 0);
	p2p_status_set(&status->bad_words, 0);
	p2p_status_set(&status->all_ones, 0);
	p2p_status_set(&status->bad_ranges, 0);
	p2p_status_set(&status->bad_logged, 0);
}

static bool is_cancelled(const struct p2p_memory_status *status)
{
	return __atomic_load_n(&status->cancel, __ATOMIC_RELAXED) != 0;
}

static void open_range(struct findings *findings, uint64_t offset, uint64_t expected, uint64_t got)
{
	struct p2p_bad_range *records = (struct p2p_bad_range *)(uintptr_t)findings->job->bad;

	findings->current = NULL;
	if (findings->ranges < findings->job->bad_capacity) {
		findings->current = &records[findings->ranges];
		*findings->current = (struct p2p_bad_range){
			.offset = offset,
			.expected = expected,
			.got = got,
		};
	}
	findings->ranges++;
}

static void note_bad(struct findings *findings, uint64_t offset, uint64_t expected, uint64_t got)
{
	struct p2p_memory_status *status = status_of(findings->job);
	bool is_near =
		findings->ranges && offset - findings->last_end <= findings->job->merge_bytes;

	if (!is_near)
		open_range(findings, offset, expected, got);
	findings->last_end = offset + 8;
	if (findings->current) {
		findings->current->length = findings->last_end - findings->current->offset;
		findings->current->bad_words++;
		findings->current->bad_bits |= expected ^ got;
	}
	p2p_status_add(&status->bad_words, 1);
	if (got == UINT64_MAX)
		p2p_status_add(&status->all_ones, 1);
}

int p2p_memory_fill(const struct p2p_memory_job *job)
{
	struct p2p_memory_status *status;
	uint64_t done = 0;

	if (!is_job(job))
		return -EINVAL;
	status = status_of(job);
	start_status(status);
	while (done < job->length) {
		uint64_t end = job->length - done < STEP_BYTES ? job->length : done + STEP_BYTES;

		if (is_cancelled(status))
			return -ECANCELED;
		for (; done < end; done += 8)
			*word_at(job->address + done) = pattern_word(job, done);
		p2p_status_set(&status->bytes_done, done);
	}
	/* Nothing may linger in write-combining buffers when the caller goes on to DMA. */
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	return 0;
}

int p2p_memory_verify(const struct p2p_memory_job *job)
{
	struct findings findings = { .job = job };
	struct p2p_memory_status *status;
	uint64_t done = 0, logged;
	int ret = 0;

	if (!is_job(job))
		return -EINVAL;
	status = status_of(job);
	start_status(status);
	while (done < job->length) {
		uint64_t end = job->length - done < STEP_BYTES ? job->length : done + STEP_BYTES;

		if (is_cancelled(status)) {
			ret = -ECANCELED;
			break;
		}
		for (; done < end; done += 8) {
			uint64_t got = *word_at(job->address + done);
			uint64_t expected = pattern_word(job, done);

			if (got != expected)
				note_bad(&findings, done, expected, got);
		}
		p2p_status_set(&status->bytes_done, done);
	}
	logged = findings.ranges < job->bad_capacity ? findings.ranges : job->bad_capacity;
	p2p_status_set(&status->bad_ranges, findings.ranges);
	p2p_status_set(&status->bad_logged, logged);
	return ret;
}

int p2p_memory_copy(uint64_t to, uint64_t from, uint64_t length)
{
	if (!is_range(to, length) || !is_range(from, length) ||
	    (to < from ? from - to : to - from) < length)
		return -EINVAL;
	for (uint64_t done = 0; done < length; done += 8)
		*word_at(to + done) = *word_at(from + done);
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	return 0;
}

int p2p_register_read(uint64_t address, const uint32_t *offsets, uint32_t *values, uint32_t count)
{
	if (!address || address % 4 || !offsets || !values)
		return -EINVAL;
	for (uint32_t i = 0; i < count; i++) {
		if (offsets[i] % 4)
			return -EINVAL;
		values[i] = *(const volatile uint32_t *)(uintptr_t)(address + offsets[i]);
	}
	return 0;
}
