/* SPDX-License-Identifier: MIT */
/* ring.c over the real kernel, with liburing's calls made to fail where told. */
#include <fcntl.h>
#include <liburing.h>

#include "fixture.h"
#include "job.h"
#include "ring.h"

#define WAIT_NS	(20u * 1000 * 1000)

/* Results that stand in for the real ones; 0: really call. */
static struct {
	int setup_errors;	/* first so many setups answer -EINVAL */
	bool small_entries;	/* setups with large entries answer -EINVAL */
	int setups;
	uint32_t setup_flags;	/* of the last */
	int setup_error;	/* answer of all others */
	int buffers;
	int files;
} forced;

int __real_io_uring_queue_init(unsigned int entries, struct io_uring *uring, unsigned int flags);
int __real_io_uring_register_buffers(struct io_uring *uring, const struct iovec *vectors,
				     unsigned int count);
int __real_io_uring_register_files(struct io_uring *uring, const int *files, unsigned int count);
int __wrap_io_uring_queue_init(unsigned int entries, struct io_uring *uring, unsigned int flags);
int __wrap_io_uring_register_buffers(struct io_uring *uring, const struct iovec *vectors,
				     unsigned int count);
int __wrap_io_uring_register_files(struct io_uring *uring, const int *files, unsigned int count);

int __wrap_io_uring_queue_init(unsigned int entries, struct io_uring *uring, unsigned int flags)
{
	forced.setup_flags = flags;
	if (forced.small_entries && flags & (IORING_SETUP_SQE128 | IORING_SETUP_CQE32))
		return -EINVAL;
	if (forced.setups++ < forced.setup_errors)
		return -EINVAL;
	if (forced.setup_error)
		return forced.setup_error;
	return __real_io_uring_queue_init(entries, uring, flags);
}

int __wrap_io_uring_register_buffers(struct io_uring *uring, const struct iovec *vectors,
				     unsigned int count)
{
	return forced.buffers ? forced.buffers
			      : __real_io_uring_register_buffers(uring, vectors, count);
}

int __wrap_io_uring_register_files(struct io_uring *uring, const int *files, unsigned int count)
{
	return forced.files ? forced.files : __real_io_uring_register_files(uring, files, count);
}

static const struct p2p_extent extent = { 0, 0, 65536 };

static void open_zeros(struct fixture *fixture)
{
	memset(&forced, 0, sizeof(forced));
	fixture_open(fixture, &extent, 1, 3, 8192, 4096);
	fixture->job.src_fd = open("/dev/zero", O_RDONLY);
	fixture->job.dst_fd = open("/dev/null", O_WRONLY);
	MUST(fixture->job.src_fd >= 0 && fixture->job.dst_fd >= 0);
	memset(fixture->memory, 0xff, fixture->memory_bytes);
}

static void close_zeros(struct fixture *fixture)
{
	close(fixture->job.src_fd);
	close(fixture->job.dst_fd);
	fixture_close(fixture);
}

static void wait_for(struct p2p_ring *ring, uint32_t wanted, int32_t result)
{
	struct p2p_completion completions[3];
	uint32_t seen = 0, slots = 0;

	while (seen < wanted) {
		int count = p2p_ring_wait(ring, WAIT_NS, completions);

		CHECK(count >= 0);
		if (count < 0)
			return;
		for (int i = 0; i < count; i++) {
			CHECK_EQ(completions[i].result, result);
			slots |= 1u << completions[i].slot;
		}
		seen += (uint32_t)count;
	}
	CHECK_EQ(slots, (1u << wanted) - 1);
}

/* One read in every slot, one write in every slot. */
static void use_ring(struct fixture *fixture)
{
	struct p2p_ring *ring;
	int ret = p2p_ring_open(&fixture->job, &ring);

	CHECK_EQ(ret, 0);
	if (ret)
		return;
	for (int direction = P2P_READ; direction <= P2P_WRITE; direction++) {
		for (uint32_t slot = 0; slot < 3; slot++)
			p2p_ring_queue(ring, &(struct p2p_request){
				.address = fixture->slots[slot] + 4096,
				.offset = slot * 4096,
				.length = 4096,
				.slot = slot,
				.direction = (enum p2p_direction)direction });
		wait_for(ring, 3, 4096);
	}
	p2p_ring_close(ring);
	for (uint32_t slot = 0; slot < 3; slot++) {
		CHECK_EQ(fixture->memory[slot * 8192 + 4095], 0xff);
		CHECK_EQ(fixture->memory[slot * 8192 + 4096], 0);
		CHECK_EQ(fixture->memory[slot * 8192 + 8191], 0);
	}
	CHECK(fixture->status.enters >= 2);
}

static void uses_all_there_is(void)
{
	struct fixture fixture;

	open_zeros(&fixture);
	fixture.job.flags = P2P_PUMP_FIXED_BUFFERS;
	use_ring(&fixture);
	CHECK_EQ(fixture.status.fixed_files, 1);
	CHECK_EQ(fixture.status.fixed_buffers, 1);
	close_zeros(&fixture);
}

static void registers_buffers_on_request_only(void)
{
	struct fixture fixture;

	open_zeros(&fixture);
	use_ring(&fixture);
	CHECK_EQ(fixture.status.fixed_buffers, 0);
	close_zeros(&fixture);
}

static void does_with_older_kernels(void)
{
	struct fixture fixture;
	uint32_t flags[3];

	for (int errors = 0; errors < 3; errors++) {
		open_zeros(&fixture);
		forced.setup_errors = errors;
		use_ring(&fixture);
		flags[errors] = forced.setup_flags;
		close_zeros(&fixture);
	}
	CHECK(flags[0] & IORING_SETUP_DEFER_TASKRUN);
	CHECK(!(flags[1] & IORING_SETUP_DEFER_TASKRUN) && flags[1]);
	CHECK_EQ(flags[2], 0);
}

static void says_why_there_is_no_ring(void)
{
	static const int errors[] = { -EPERM, -ENOSYS, -ENOMEM };
	struct p2p_ring *ring = NULL;
	struct fixture fixture;

	for (size_t i = 0; i < COUNT(errors); i++) {
		open_zeros(&fixture);
		forced.setup_error = errors[i];
		CHECK_EQ(p2p_ring_open(&fixture.job, &ring), errors[i]);
		CHECK(!ring);
		CHECK_EQ(forced.setups, 1);
		close_zeros(&fixture);
	}
}

static void does_without_registration(void)
{
	static const int errors[] = { -EFAULT, -EOPNOTSUPP, -EREMOTEIO, -ENOMEM };
	struct fixture fixture;

	for (size_t i = 0; i < COUNT(errors); i++) {
		open_zeros(&fixture);
		fixture.job.flags = P2P_PUMP_FIXED_BUFFERS;
		forced.buffers = errors[i];
		forced.files = i % 2 ? errors[i] : 0;
		use_ring(&fixture);
		CHECK_EQ(fixture.status.fixed_buffers, 0);
		CHECK_EQ(fixture.status.fixed_files, !(i % 2));
		close_zeros(&fixture);
	}
}

static void does_without_pinned_memory(void)
{
	struct fixture fixture;

	/* The kernel's own refusal, of memory that may not be written. */
	open_zeros(&fixture);
	MUST(!mprotect(fixture.memory, fixture.memory_bytes, PROT_READ));
	fixture.job.flags = P2P_PUMP_FIXED_BUFFERS;
	struct p2p_ring *ring;

	CHECK_EQ(p2p_ring_open(&fixture.job, &ring), 0);
	CHECK_EQ(fixture.status.fixed_buffers, 0);
	p2p_ring_queue(ring, &(struct p2p_request){ fixture.slots[0], 0, 4096, 0, P2P_READ, 0 });
	wait_for(ring, 1, -EFAULT);
	p2p_ring_close(ring);
	close_zeros(&fixture);
}

/* Whoever closes a device after the copy must find nobody else holding it. */
static void lets_go_of_the_files(void)
{
	struct fixture fixture;
	int ends[2];
	char bytes[4096];
	ssize_t ret;

	for (int round = 0; round < 50; round++) {
		open_zeros(&fixture);
		MUST(!pipe2(ends, O_NONBLOCK));
		close(fixture.job.dst_fd);
		fixture.job.dst_fd = ends[1];
		use_ring(&fixture);
		close(ends[1]);
		/* The pipe has an end only when the ring has let go of the other one. */
		do
			ret = read(ends[0], bytes, sizeof(bytes));
		while (ret > 0);
		CHECK_EQ(ret, 0);
		close(ends[0]);
		fixture.job.dst_fd = open("/dev/null", O_WRONLY);
		close_zeros(&fixture);
	}
}

static void waits_in_vain(void)
{
	struct p2p_completion completions[3];
	struct fixture fixture;
	struct p2p_ring *ring;
	int ends[2];

	open_zeros(&fixture);
	MUST(!pipe(ends));
	close(fixture.job.src_fd);
	fixture.job.src_fd = ends[0];
	CHECK_EQ(p2p_ring_open(&fixture.job, &ring), 0);
	p2p_ring_queue(ring, &(struct p2p_request){ fixture.slots[0], 0, 4096, 0, P2P_READ, 0 });
	CHECK_EQ(p2p_ring_wait(ring, WAIT_NS, completions), 0);
	CHECK_EQ(p2p_ring_wait(ring, WAIT_NS, completions), 0);
	MUST(write(ends[1], fixture.memory, 4096) == 4096);
	wait_for(ring, 1, 4096);
	p2p_ring_close(ring);
	close(ends[1]);
	close_zeros(&fixture);
}

/* Compares in all slots while the first also reads; all must come back, whatever way they take. */
static void compare_all(struct fixture *fixture, int32_t wanted)
{
	struct p2p_completion completions[3];
	uint32_t seen = 0, slots = 0;
	struct p2p_ring *ring;

	fixture->job.stages = P2P_STAGES_COMPARE;
	fixture->job.nvme[P2P_COMPARE].nsid = 1;
	fixture->job.nvme[P2P_COMPARE].lba_bytes = 512;
	fixture->job.nvme[P2P_COMPARE].max_bytes = 8192;
	MUST(!p2p_job_check(&fixture->job));
	CHECK_EQ(p2p_ring_open(&fixture->job, &ring), 0);
	for (uint32_t slot = 0; slot < 3; slot++)
		p2p_ring_queue(ring, &(struct p2p_request){
			.address = fixture->slots[slot],
			.length = 4096,
			.slot = slot,
			.direction = slot ? P2P_COMPARE : P2P_READ });
	while (seen < 3) {
		int count = p2p_ring_wait(ring, WAIT_NS, completions);

		MUST(count >= 0);
		for (int i = 0; i < count; i++) {
			CHECK_EQ(completions[i].result, completions[i].slot ? wanted : 4096);
			slots |= 1u << completions[i].slot;
		}
		seen += (uint32_t)count;
	}
	CHECK_EQ(slots, 7);
	p2p_ring_close(ring);
}

/* /dev/null takes any command of this kind and says it went well (Linux 6.1). */
static void compares_over_the_ring(void)
{
	struct fixture fixture;

	open_zeros(&fixture);
	fixture.job.nvme[P2P_COMPARE].fd = fixture.job.dst_fd;
	compare_all(&fixture, 4096);
	CHECK_EQ(fixture.status.compare_ioctl, 0);
	CHECK_EQ(forced.setup_flags & IORING_SETUP_SQE128, IORING_SETUP_SQE128);
	CHECK_EQ(forced.setup_flags & IORING_SETUP_CQE32, IORING_SETUP_CQE32);
	close_zeros(&fixture);
}

/* No ioctl works on /dev/null, and so its answer tells that one was made. */
static void compares_by_ioctl_when_told(void)
{
	struct fixture fixture;

	open_zeros(&fixture);
	fixture.job.nvme[P2P_COMPARE].fd = fixture.job.dst_fd;
	fixture.job.flags = P2P_PUMP_COMPARE_IOCTL;
	compare_all(&fixture, -ENOTTY);
	CHECK_EQ(fixture.status.compare_ioctl, 1);
	CHECK_EQ(forced.setup_flags & IORING_SETUP_SQE128, 0);
	close_zeros(&fixture);
}

static void compares_by_ioctl_without_large_entries(void)
{
	struct fixture fixture;

	open_zeros(&fixture);
	fixture.job.nvme[P2P_COMPARE].fd = fixture.job.dst_fd;
	forced.small_entries = true;
	compare_all(&fixture, -ENOTTY);
	CHECK_EQ(fixture.status.compare_ioctl, 1);
	close_zeros(&fixture);
}

static void compares_by_ioctl_where_the_ring_cannot(void)
{
	struct fixture fixture;
	int ends[2];

	open_zeros(&fixture);
	MUST(!pipe(ends));
	fixture.job.nvme[P2P_COMPARE].fd = ends[0];
	compare_all(&fixture, -ENOTTY);
	CHECK_EQ(fixture.status.compare_ioctl, 1);
	close(ends[0]);
	close(ends[1]);
	close_zeros(&fixture);
}

static void submits_without_waiting(void)
{
	struct p2p_completion completions[3];
	struct fixture fixture;
	struct p2p_ring *ring;

	open_zeros(&fixture);
	CHECK_EQ(p2p_ring_open(&fixture.job, &ring), 0);
	p2p_ring_submit(ring, 1);
	CHECK_EQ(fixture.status.enters, 0);
	p2p_ring_queue(ring, &(struct p2p_request){ fixture.slots[0], 0, 4096, 0, P2P_READ, 0 });
	p2p_ring_submit(ring, 2);
	CHECK_EQ(fixture.status.enters, 0);
	p2p_ring_submit(ring, 1);
	p2p_ring_submit(ring, 1);
	CHECK_EQ(fixture.status.enters, 1);
	p2p_ring_queue(ring, &(struct p2p_request){ fixture.slots[1], 0, 4096, 1, P2P_READ, 0 });
	for (int seen = 0; seen < 2;) {
		int count = p2p_ring_wait(ring, WAIT_NS, completions);

		MUST(count > 0);
		seen += count;
	}
	p2p_ring_close(ring);
	close_zeros(&fixture);
}

static void ask_for_commands(struct fixture *fixture)
{
	for (int i = P2P_READ; i <= P2P_WRITE; i++)
		fixture->job.nvme[i] = (struct p2p_namespace){
			.fd = fixture->job.dst_fd,
			.nsid = 1,
			.lba_bytes = 512,
			.max_bytes = fixture->job.chunk_bytes };
	MUST(!p2p_job_check(&fixture->job));
}

/* /dev/null answers a read with 0 bytes, but the command with success: all of it. */
static void reads_and_writes_by_command(void)
{
	struct fixture fixture;
	struct p2p_ring *ring;

	open_zeros(&fixture);
	ask_for_commands(&fixture);
	CHECK_EQ(p2p_ring_open(&fixture.job, &ring), 0);
	CHECK_EQ(forced.setup_flags & IORING_SETUP_SQE128, IORING_SETUP_SQE128);
	for (int i = P2P_READ; i <= P2P_WRITE; i++) {
		p2p_ring_queue(ring, &(struct p2p_request){ fixture.slots[0], 0, 4096, 0,
							    (enum p2p_direction)i, 0 });
		wait_for(ring, 1, 4096);
	}
	p2p_ring_close(ring);
	close_zeros(&fixture);
}

static void has_no_other_way_for_commands(void)
{
	struct fixture fixture;
	struct p2p_ring *ring;
	int ends[2];

	open_zeros(&fixture);
	ask_for_commands(&fixture);
	forced.small_entries = true;
	CHECK_EQ(p2p_ring_open(&fixture.job, &ring), -EOPNOTSUPP);
	forced.small_entries = false;
	MUST(!pipe(ends));
	fixture.job.nvme[P2P_READ].fd = ends[0];
	CHECK_EQ(p2p_ring_open(&fixture.job, &ring), 0);
	p2p_ring_queue(ring, &(struct p2p_request){ fixture.slots[0], 0, 4096, 0, P2P_READ, 0 });
	wait_for(ring, 1, -EOPNOTSUPP);
	p2p_ring_close(ring);
	close(ends[0]);
	close(ends[1]);
	close_zeros(&fixture);
}

/* The kernel knows three classes; the highest three bits have room for eight. */
static void passes_the_priority_on(void)
{
	static const struct {
		uint32_t priority;
		int32_t wanted;
	} cases[] = { { 0, 4096 }, { 2u << 13 | 7, 4096 }, { 3u << 13, 4096 }, { 6u << 13, -EINVAL } };
	struct fixture fixture;
	struct p2p_ring *ring;

	for (size_t i = 0; i < COUNT(cases); i++) {
		open_zeros(&fixture);
		fixture.job.io_priority = cases[i].priority;
		CHECK_EQ(p2p_ring_open(&fixture.job, &ring), 0);
		p2p_ring_queue(ring, &(struct p2p_request){ fixture.slots[0], 0, 4096, 0, P2P_READ, 0 });
		wait_for(ring, 1, cases[i].wanted);
		p2p_ring_close(ring);
		close_zeros(&fixture);
	}
}

int main(void)
{
	static const struct kit_test tests[] = {
		{ "p2p_ring_open() uses all there is", uses_all_there_is },
		{ "p2p_ring_open() registers buffers on request only",
		  registers_buffers_on_request_only },
		{ "p2p_ring_open() does with older kernels", does_with_older_kernels },
		{ "p2p_ring_open() says why there is no ring", says_why_there_is_no_ring },
		{ "p2p_ring_open() does without registration", does_without_registration },
		{ "p2p_ring_open() does without pinned memory", does_without_pinned_memory },
		{ "p2p_ring_close() lets go of the files", lets_go_of_the_files },
		{ "p2p_ring_queue() compares over the ring", compares_over_the_ring },
		{ "p2p_ring_queue() compares by ioctl when told", compares_by_ioctl_when_told },
		{ "p2p_ring_queue() compares by ioctl without large entries",
		  compares_by_ioctl_without_large_entries },
		{ "p2p_ring_queue() compares by ioctl where the ring cannot",
		  compares_by_ioctl_where_the_ring_cannot },
		{ "p2p_ring_queue() reads and writes by command", reads_and_writes_by_command },
		{ "p2p_ring_queue() has no other way for commands", has_no_other_way_for_commands },
		{ "p2p_ring_submit() submits without waiting", submits_without_waiting },
		{ "p2p_ring_queue() passes the priority on", passes_the_priority_on },
		{ "p2p_ring_wait() comes back from a wait in vain", waits_in_vain },
	};

	return kit_main(tests, COUNT(tests));
}
