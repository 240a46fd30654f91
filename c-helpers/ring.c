/* SPDX-License-Identifier: MIT */
#include "ring.h"

#include <errno.h>
#include <liburing.h>
#include <stdlib.h>
#include <string.h>

#include "job.h"
#include "nvme.h"

/* Registered files are the job's, at the index of their direction. */
struct p2p_ring {
	struct io_uring uring;
	const struct p2p_pump_job *job;
	struct p2p_pump_status *status;
	int fds[P2P_DIRECTIONS];
	uint32_t pending;	/* queued or with the kernel */
	bool fixed_files;
	bool fixed_buffers;
	bool by_ioctl;		/* compares */
	struct p2p_request *commands;	/* the NVMe command of each slot; length 0: none */
	uint32_t *to_compare;	/* slots whose compare awaits its ioctl, in a circle */
	uint32_t to_compare_first, to_compare_count;
};

/* The best set of flags comes first; a kernel that lacks one answers EINVAL. */
static int setup_best(struct io_uring *uring, uint32_t entries, uint32_t more)
{
	static const uint32_t flags[] = {
		IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN |
			IORING_SETUP_COOP_TASKRUN | IORING_SETUP_SUBMIT_ALL,
		IORING_SETUP_COOP_TASKRUN | IORING_SETUP_SUBMIT_ALL,
		0,
	};
	int ret = -EINVAL;

	for (size_t i = 0; i < sizeof(flags) / sizeof(flags[0]) && ret == -EINVAL; i++)
		ret = io_uring_queue_init(entries, uring, flags[i] | more);
	return ret;
}

static bool compares(const struct p2p_pump_job *job)
{
	return job->stages != P2P_STAGES_COPY;
}

static bool moves_by_command(const struct p2p_pump_job *job)
{
	return job->nvme[P2P_READ].nsid || job->nvme[P2P_WRITE].nsid;
}

/* NVMe commands need the large entries, of Linux 5.19. Compares can do without. */
static int setup(struct p2p_ring *ring)
{
	const struct p2p_pump_job *job = ring->job;
	int ret = -EINVAL;

	ring->by_ioctl = job->flags & P2P_PUMP_COMPARE_IOCTL;
	if (moves_by_command(job) || (compares(job) && !ring->by_ioctl)) {
		ret = setup_best(&ring->uring, job->slot_count,
				 IORING_SETUP_SQE128 | IORING_SETUP_CQE32);
		if (ret == -EINVAL && moves_by_command(job))
			return -EOPNOTSUPP;
		ring->by_ioctl |= ret == -EINVAL;
	}
	return ret == -EINVAL ? setup_best(&ring->uring, job->slot_count, 0) : ret;
}

static int open_commands(struct p2p_ring *ring)
{
	ring->commands = calloc(ring->job->slot_count, sizeof(*ring->commands));
	ring->to_compare = calloc(ring->job->slot_count, sizeof(*ring->to_compare));
	return ring->commands && ring->to_compare ? 0 : -ENOMEM;
}

static void free_ring(struct p2p_ring *ring)
{
	free(ring->commands);
	free(ring->to_compare);
	free(ring);
}

/*
 * Registered buffers are pinned for long, which the kernel refuses for p2pmem
 * (EFAULT) and for some file mappings; plain requests work with all of them.
 */
static bool register_buffers(struct io_uring *uring, const struct p2p_pump_job *job)
{
	const uint64_t *slots = (const uint64_t *)(uintptr_t)job->slots;
	struct iovec *vectors = calloc(job->slot_count, sizeof(*vectors));
	int ret;

	if (!vectors)
		return false;
	for (uint32_t i = 0; i < job->slot_count; i++) {
		vectors[i].iov_base = (void *)(uintptr_t)slots[i];
		vectors[i].iov_len = job->chunk_bytes;
	}
	ret = io_uring_register_buffers(uring, vectors, job->slot_count);
	free(vectors);
	return ret == 0;
}

int p2p_ring_open(const struct p2p_pump_job *job, struct p2p_ring **out)
{
	struct p2p_ring *ring = calloc(1, sizeof(*ring));
	int ret;

	if (!ring)
		return -ENOMEM;
	ring->job = job;
	ret = compares(job) || moves_by_command(job) ? open_commands(ring) : 0;
	if (!ret)
		ret = setup(ring);
	if (ret) {
		free_ring(ring);
		return ret;
	}

	/* Each of these only saves time, so the ring is as good without. */
	io_uring_register_ring_fd(&ring->uring);
	ring->fds[P2P_READ] = job->nvme[P2P_READ].nsid ? job->nvme[P2P_READ].fd : job->src_fd;
	ring->fds[P2P_WRITE] = job->nvme[P2P_WRITE].nsid ? job->nvme[P2P_WRITE].fd : job->dst_fd;
	ring->fds[P2P_COMPARE] = compares(job) ? job->nvme[P2P_COMPARE].fd : -1;
	ring->fixed_files = io_uring_register_files(&ring->uring, ring->fds, P2P_DIRECTIONS) == 0;
	if (job->flags & P2P_PUMP_FIXED_BUFFERS)
		ring->fixed_buffers = register_buffers(&ring->uring, job);

	ring->status = (struct p2p_pump_status *)(uintptr_t)job->status;
	p2p_status_set(&ring->status->fixed_files, ring->fixed_files);
	p2p_status_set(&ring->status->fixed_buffers, ring->fixed_buffers);
	p2p_status_set(&ring->status->compare_ioctl, compares(job) && ring->by_ioctl);
	*out = ring;
	return 0;
}

void p2p_ring_close(struct p2p_ring *ring)
{
	/*
	 * The kernel takes a closed ring down later, in a worker of its own. What
	 * the caller wants back (devices opened exclusively, p2pmem) is let go of
	 * here and now; with requests pending that could block, so leave it then.
	 */
	if (ring->fixed_buffers && !ring->pending)
		io_uring_unregister_buffers(&ring->uring);
	if (ring->fixed_files && !ring->pending)
		io_uring_unregister_files(&ring->uring);
	io_uring_queue_exit(&ring->uring);
	free_ring(ring);
}

static struct io_uring_sqe *next_entry(struct p2p_ring *ring, const struct p2p_request *request)
{
	/* Never NULL: the queue has an entry for every slot. */
	struct io_uring_sqe *sqe = io_uring_get_sqe(&ring->uring);

	memset(sqe, 0, sizeof(*sqe));
	sqe->fd = ring->fixed_files ? (int)request->direction : ring->fds[request->direction];
	if (ring->fixed_files)
		sqe->flags = IOSQE_FIXED_FILE;
	io_uring_sqe_set_data64(sqe, request->slot);
	return sqe;
}

static void queue_transfer(struct p2p_ring *ring, const struct p2p_request *request)
{
	static const uint8_t plain[] = { IORING_OP_READ, IORING_OP_WRITE };
	static const uint8_t fixed[] = { IORING_OP_READ_FIXED, IORING_OP_WRITE_FIXED };
	const enum p2p_direction direction = request->direction;
	struct io_uring_sqe *sqe = next_entry(ring, request);

	sqe->opcode = ring->fixed_buffers ? fixed[direction] : plain[direction];
	sqe->addr = request->address;
	sqe->len = request->length;
	sqe->off = request->offset;
	sqe->ioprio = (uint16_t)ring->job->io_priority;
	if (ring->fixed_buffers)
		sqe->buf_index = (uint16_t)request->slot;
	if (request->vectors) {
		sqe->opcode = direction == P2P_READ ? IORING_OP_READV : IORING_OP_WRITEV;
		sqe->len = request->vectors;
	}
}

static void await_ioctl(struct p2p_ring *ring, uint32_t slot)
{
	uint32_t end = ring->to_compare_first + ring->to_compare_count++;

	ring->to_compare[end % ring->job->slot_count] = slot;
}

static void queue_command(struct p2p_ring *ring, const struct p2p_request *request)
{
	struct nvme_uring_cmd command = p2p_nvme_command(ring->job, request);
	struct io_uring_sqe *sqe;

	ring->commands[request->slot] = *request;
	if (request->direction == P2P_COMPARE && ring->by_ioctl) {
		await_ioctl(ring, request->slot);
		return;
	}
	sqe = next_entry(ring, request);
	sqe->opcode = IORING_OP_URING_CMD;
	sqe->cmd_op = NVME_URING_CMD_IO;
	memcpy((uint8_t *)sqe + offsetof(struct io_uring_sqe, cmd), &command, sizeof(command));
}

void p2p_ring_queue(struct p2p_ring *ring, const struct p2p_request *request)
{
	ring->pending++;
	if (ring->job->nvme[request->direction].nsid)
		queue_command(ring, request);
	else
		queue_transfer(ring, request);
}

void p2p_ring_submit(struct p2p_ring *ring, uint32_t least)
{
	if (io_uring_sq_ready(&ring->uring) < least)
		return;
	/* An error comes back at the next wait, should it last. */
	io_uring_submit(&ring->uring);
	p2p_status_add(&ring->status->enters, 1);
}

/* Return: false for a compare that has to be made again, by ioctl. */
static bool take(struct p2p_ring *ring, const struct io_uring_cqe *cqe,
		 struct p2p_completion *completion)
{
	const uint32_t slot = (uint32_t)io_uring_cqe_get_data64(cqe);
	struct p2p_request *command = ring->commands ? &ring->commands[slot] : NULL;

	*completion = (struct p2p_completion){ .slot = slot, .result = cqe->res };
	if (!command || !command->length)
		return true;
	if (cqe->res == -EOPNOTSUPP && command->direction == P2P_COMPARE) {
		ring->by_ioctl = true;
		p2p_status_set(&ring->status->compare_ioctl, 1);
		await_ioctl(ring, slot);
		return false;
	}
	completion->result = p2p_nvme_result(cqe->res, command->length);
	command->length = 0;
	return true;
}

static int reap(struct p2p_ring *ring, struct p2p_completion *completions)
{
	struct io_uring_cqe *cqe;
	unsigned int head, seen = 0, count = 0;

	io_uring_for_each_cqe(&ring->uring, head, cqe) {
		seen++;
		count += take(ring, cqe, &completions[count]);
	}
	io_uring_cq_advance(&ring->uring, seen);
	ring->pending -= count;
	return (int)count;
}

static void compare_one(struct p2p_ring *ring, struct p2p_completion *completion)
{
	const uint32_t slot = ring->to_compare[ring->to_compare_first];
	struct p2p_request *compare = &ring->commands[slot];

	ring->to_compare_first = (ring->to_compare_first + 1) % ring->job->slot_count;
	ring->to_compare_count--;
	completion->slot = slot;
	completion->result = p2p_nvme_compare_now(ring->job, compare);
	compare->length = 0;
	ring->pending--;
}

static int submit_and_wait(struct p2p_ring *ring, uint64_t wait_ns)
{
	struct __kernel_timespec timeout = {
		.tv_sec = (long long)(wait_ns / 1000000000),
		.tv_nsec = (long long)(wait_ns % 1000000000),
	};
	unsigned int queued = io_uring_sq_ready(&ring->uring);
	struct io_uring_cqe *first;
	int ret = io_uring_submit_and_wait_timeout(&ring->uring, &first, 1, &timeout, NULL);

	/* liburing enters again for the wait when the submission has used up its own. */
	p2p_status_add(&ring->status->enters, ret == -ETIME && queued ? 2 : 1);
	return ret;
}

/* What is queued goes first, so that the kernel works while an ioctl does. */
static int submit_and_compare(struct p2p_ring *ring, struct p2p_completion *completions)
{
	/* An error here comes back at the next wait, should it last. */
	io_uring_submit_and_get_events(&ring->uring);
	p2p_status_add(&ring->status->enters, 1);
	compare_one(ring, completions);
	return 1 + reap(ring, completions + 1);
}

int p2p_ring_wait(struct p2p_ring *ring, uint64_t wait_ns, struct p2p_completion *completions)
{
	int ret, count;

	if (ring->to_compare_count)
		return submit_and_compare(ring, completions);
	ret = submit_and_wait(ring, wait_ns);
	count = reap(ring, completions);
	if (count || ret >= 0 || ret == -ETIME || ret == -EINTR)
		return count;
	return ret;
}
