// SPDX-License-Identifier: MIT
#include <errno.h>
#include <unistd.h>

#include "lab.h"

/* Counters run on from one command to the next: both ends count since boot. */
void relay_reset(struct relay *relay, int from, int to)
{
	relay->from = from;
	relay->to = to;
	relay->ended = from < 0;
	relay->broken = to < 0;
	relay->skip_until = 0;
	relay->read_stop = UINT64_MAX;
	relay->head = relay->tail = 0;
}

static bool wants_input(const struct relay *relay)
{
	return !relay->ended && relay->head == relay->tail && relay->read < relay->read_stop;
}

static bool wants_output(const struct relay *relay)
{
	return relay->head < relay->tail && !relay->broken;
}

/*
 * A relay that has nothing to write still watches its sink: a reader that
 * went away must become the command's SIGPIPE even while it is silent.
 */
void relay_poll(const struct relay *relay, struct pollfd fds[2])
{
	fds[0] = (struct pollfd){ .fd = wants_input(relay) ? relay->from : -1, .events = POLLIN };
	fds[1] = (struct pollfd){ .fd = relay->broken ? -1 : relay->to };
	if (wants_output(relay))
		fds[1].events = POLLOUT;
}

static void fill(struct relay *relay)
{
	bool skipping = relay->read < relay->skip_until;
	uint64_t allowed = (skipping ? relay->skip_until : relay->read_stop) - relay->read;
	size_t room = allowed < sizeof(relay->buf) ? allowed : sizeof(relay->buf);
	ssize_t n = read(relay->from, relay->buf, room);

	if (n > 0) {
		relay->read += n;
		relay->head = 0;
		relay->tail = skipping ? 0 : n;
	} else if (n == 0 || (errno != EAGAIN && errno != EINTR)) {
		relay->ended = true; /* EIO: the last process left the terminal */
	}
}

static void drain(struct relay *relay)
{
	ssize_t n = write(relay->to, relay->buf + relay->head, relay->tail - relay->head);

	if (n > 0) {
		relay->head += n;
		relay->written += n;
	} else if (n < 0 && errno != EAGAIN && errno != EINTR) {
		relay->broken = true;
	}
}

void relay_move(struct relay *relay)
{
	if (wants_input(relay))
		fill(relay);
	if (wants_output(relay))
		drain(relay);
	if (relay->broken)
		relay->head = relay->tail;
}

bool relay_done(const struct relay *relay)
{
	return relay->head == relay->tail && (relay->ended || relay->read >= relay->read_stop);
}
