/* SPDX-License-Identifier: MIT */
/*
 * All that the pump wants from io_uring, and nothing else of it: a test puts
 * another implementation of these functions in its place.
 */
#ifndef P2P_RING_H
#define P2P_RING_H

#include <stdint.h>

#include "p2pdma.h"

struct p2p_ring;

struct p2p_request {
	uint64_t address;	/* in the slot; of an array that outlives the request where there are @vectors */
	uint64_t offset;	/* in the file or device, bytes */
	uint32_t length;	/* bytes */
	uint32_t slot;		/* comes back in the completion */
	enum p2p_direction direction;
	uint32_t vectors;	/* struct iovec at @address; 0: the data lie there */
};

struct p2p_completion {
	uint32_t slot;
	int32_t result;		/* bytes moved or found equal, or a negative errno; -EILSEQ: they differ */
};

/*
 * Opens a ring with room for one request per slot, for use by this thread
 * only, and says in the job's status what could be registered.
 * Return: 0 or a negative errno.
 */
int p2p_ring_open(const struct p2p_pump_job *job, struct p2p_ring **out);
void p2p_ring_close(struct p2p_ring *ring);

/* Queues a request; at most one per slot is queued or with the kernel. */
void p2p_ring_queue(struct p2p_ring *ring, const struct p2p_request *request);

/*
 * Submits what is queued, if it is @least requests or more, and does not wait.
 * What the kernel has no room for stays queued.
 */
void p2p_ring_submit(struct p2p_ring *ring, uint32_t least);

/*
 * Submits what is queued and waits, @wait_ns at most, until at least one
 * request has completed. Compares that go by ioctl are made here, one a call,
 * and take their time. @completions has room for one per slot.
 * Return: number of completions, 0 after a wait in vain, or a negative errno.
 */
int p2p_ring_wait(struct p2p_ring *ring, uint64_t wait_ns, struct p2p_completion *completions);

#endif
