/* SPDX-License-Identifier: MIT */
/*
 * Stands in for ring.c: two devices in memory that misbehave as told, and
 * completions that come back late and in any order, the same for one seed.
 */
#ifndef P2P_TESTS_FAKE_RING_H
#define P2P_TESTS_FAKE_RING_H

#include <stdbool.h>
#include <stddef.h>

#include "p2pdma.h"

/* A block that never works. */
struct fake_bad {
	enum p2p_direction direction;
	uint64_t offset;	/* in the file */
	int error;
};

/* How the devices behave; set by the test before the pump runs. */
struct fake_plan {
	uint64_t seed;
	uint8_t *source;		/* bytes from @base on */
	uint8_t *destination;
	uint64_t bytes;			/* of either */
	uint64_t base;			/* offset of the first byte */
	uint64_t source_end;		/* reads end here; 0: at the end */
	uint32_t block_bytes;		/* what O_DIRECT wants */
	uint32_t most_bytes;		/* moved by one request; 0: no limit */
	uint32_t short_pct;		/* of requests that move less */
	uint32_t transient_pct;		/* of requests that fail once with EIO */
	uint32_t soft_pct;		/* of requests that return EINTR or EAGAIN */
	uint32_t idle_pct;		/* of waits that bring nothing */
	bool soft_forever;		/* every request returns EAGAIN */
	bool writes_nothing;		/* every write returns 0 */
	const struct fake_bad *bad;
	size_t bad_count;
	uint64_t cancel_after;		/* requests served before @cancel is set; 0: never */
	uint64_t cancel;
	uint64_t break_after;		/* waits before they fail with @break_error; 0: never */
	uint64_t break_count;		/* how many fail */
	int break_error;
	uint64_t wait_ns;		/* of virtual time that a wait takes that brings something */
	void (*on_wait)(void);		/* called at each wait and each nap */
};

/* What the pump did. */
struct fake_seen {
	uint64_t reads, writes, compares; /* requests served */
	uint64_t compared_bytes;	/* of all these compares */
	uint64_t transients, softs;	/* errors invented */
	uint64_t waits;
	uint64_t queued_after_cancel[P2P_DIRECTIONS];
	uint64_t queued_after_break;
	uint32_t pending;		/* not yet given back */
	uint32_t max_pending;
	bool opened, closed;
	bool has_broken, has_cancelled;
};

/*
 * The pump's clock: p2p_now() reads it, naps and waits let it go on, so that
 * seconds pass in no time and to the nanosecond.
 */
extern uint64_t fake_now;

extern struct fake_plan fake_plan;
extern struct fake_seen fake_seen;

#endif
