/* SPDX-License-Identifier: MIT */
#include "ring.h"

#include <liburing.h>
#include <stdlib.h>

#include "job.h"

/* Long enough to cost nothing, short enough that a cancelled copy looks alive. */
#define WAIT_NS (100 * 1000 * 1000)

/* Registered files are the job's two, at the index of their direction. */
struct p2p_ring {
	struct io_uring uring;
	struct p2p_pump_status *status;
	int fds[2];
	uint32_t pending;	/* queued or with the kernel */
	bool fixed_files;
	bool fixed_buffers;
};

/* The best set of flags comes first; a kernel that lacks one answers EINVAL. */
static int setup(struct io_uring *uring, uint32_t entries)
{
	static const uint32_t flags[] = {
		IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN |
			IORING_SETUP_COOP_TASKRUN | IORING_SETUP_SUBMIT_ALL,
		IORING_SETUP_COOP_TASKRUN | IORING_SETUP_SUBMIT_ALL,
		0,
	};
	int ret = -EINVAL;

	for (size_t i = 0; i < sizeof(flags) / sizeof(flags[0]) && ret == -EINVAL; i++)
		ret = io_uring_queue_init(entries, uring, flags[i]);
	return ret;
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
	ret = setup(&ring->uring, job->slot_count);
	if (ret)
		goto free_ring;

	/* Each of these only saves time, so the ring is as good without. */
	io_uring_register_ring_fd(&ring->uring);
	ring->fds[P2P_READ] = job->src_fd;
	ring->fds[P2P_WRITE] = job->dst_fd;
	ring->fixed_files = io_uring_register_files(&ring->uring, ring->fds, 2) == 0;
	if (job->flags & P2P_PUMP_FIXED_BUFFERS)
		ring->fixed_buffers = register_buffers(&ring->uring, job);

	ring->status = (struct p2p_pump_status *)(uintptr_t)job->status;
	p2p_status_set(&ring->status->fixed_files, ring->fixed_files);
	p2p_status_set(&ring->status->fixed_buffers, ring->fixed_buffers);
	*out = ring;
	return 0;

free_ring:
	free(ring);
	return ret;
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
	free(ring);
}

void p2p_ring_queue(struct p2p_ring *ring, const struct p2p_request *request)
{
	static const uint8_t plain[] = { IORING_OP_READ, IORING_OP_WRITE };
	static const uint8_t fixed[] = { IORING_OP_READ_FIXED, IORING_OP_WRITE_FIXED };
	const enum p2p_direction direction = request->direction;
	/* Never NULL: the queue has an entry for every slot. */
	struct io_uring_sqe *sqe = io_uring_get_sqe(&ring->uring);

	io_uring_prep_rw(ring->fixed_buffers ? fixed[direction] : plain[direction], sqe,
			 ring->fixed_files ? (int)direction : ring->fds[direction],
			 (const void *)(uintptr_t)request->address, request->length,
			 request->offset);
	if (ring->fixed_files)
		sqe->flags = IOSQE_FIXED_FILE;
	if (ring->fixed_buffers)
		sqe->buf_index = (uint16_t)request->slot;
	io_uring_sqe_set_data64(sqe, request->slot);
	ring->pending++;
}

static int reap(struct p2p_ring *ring, struct p2p_completion *completions)
{
	struct io_uring_cqe *cqe;
	unsigned int head, count = 0;

	io_uring_for_each_cqe(&ring->uring, head, cqe) {
		completions[count].slot = (uint32_t)io_uring_cqe_get_data64(cqe);
		completions[count].result = cqe->res;
		count++;
	}
	io_uring_cq_advance(&ring->uring, count);
	ring->pending -= count;
	return (int)count;
}

int p2p_ring_wait(struct p2p_ring *ring, struct p2p_completion *completions)
{
	struct __kernel_timespec timeout = { .tv_nsec = WAIT_NS };
	unsigned int queued = io_uring_sq_ready(&ring->uring);
	struct io_uring_cqe *first;
	int ret, count;

	ret = io_uring_submit_and_wait_timeout(&ring->uring, &first, 1, &timeout, NULL);
	/* liburing enters again for the wait when the submission has used up its own. */
	p2p_status_add(&ring->status->enters, ret == -ETIME && queued ? 2 : 1);

	count = reap(ring, completions);
	if (count || ret >= 0 || ret == -ETIME || ret == -EINTR)
		return count;
	return ret;
}
