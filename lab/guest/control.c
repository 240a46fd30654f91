// SPDX-License-Identifier: MIT
#define _GNU_SOURCE
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lab.h"

#define PAYLOAD_MAX (16u << 20)

int control_open(struct control *control, int fd)
{
	*control = (struct control){ .fd = fd, .capacity = 4096 };
	control->buf = malloc(control->capacity);
	return control->buf ? 0 : -ENOMEM;
}

/* Drop the message handed out last, then make room for @need bytes in all. */
static int reserve(struct control *control, size_t need)
{
	char *larger;

	if (control->capacity >= need)
		return 0;
	larger = realloc(control->buf, need);
	if (!larger)
		return -ENOMEM;
	control->buf = larger;
	control->capacity = need;
	return 0;
}

static int receive(struct control *control)
{
	ssize_t n;

	if (control->len == control->capacity) {
		int ret = reserve(control, 2 * control->capacity);

		if (ret)
			return ret;
	}
	n = read(control->fd, control->buf + control->len, control->capacity - control->len);
	if (n > 0) {
		control->len += n;
		return 0;
	}
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return -EAGAIN;
	return -EPIPE;
}

static void forget_consumed(struct control *control)
{
	control->len -= control->consumed;
	memmove(control->buf, control->buf + control->consumed, control->len);
	control->consumed = 0;
}

static bool has_payload(const struct message *message)
{
	return !strcmp(message->verb, "setup") || !strcmp(message->verb, "start");
}

/* One whole message out of the buffer; -EAGAIN when more bytes are needed. */
static int parse(struct control *control, struct message *message)
{
	char *end = memchr(control->buf, '\n', control->len);
	size_t line;

	if (!end)
		return -EAGAIN;
	line = end - control->buf + 1;
	memset(message, 0, sizeof(*message));
	*end = '\0';
	if (sscanf(control->buf, "%15s %lu %lu", message->verb, &message->number[0],
		   &message->number[1]) < 1)
		return -EPROTO;
	*end = '\n'; /* the line is parsed again if its payload is not all here */

	control->consumed = line;
	if (!has_payload(message))
		return 0;
	if (message->number[0] == 0 || message->number[0] > PAYLOAD_MAX)
		return -EPROTO;
	message->payload_len = message->number[0];
	control->consumed += message->payload_len;
	if (control->len < control->consumed) {
		int ret = reserve(control, control->consumed);

		control->consumed = 0;
		return ret ? ret : -EAGAIN;
	}
	message->payload = control->buf + line;
	message->payload[message->payload_len - 1] = '\0';
	return 0;
}

/*
 * The next message, valid until the next call. Returns 0, -EAGAIN when there
 * is none yet, or another error when the host is gone.
 */
int control_next(struct control *control, struct message *message)
{
	int ret;

	forget_consumed(control);
	while ((ret = parse(control, message)) == -EAGAIN) {
		ret = receive(control);
		if (ret)
			return ret;
	}
	return ret;
}

/* Lines are short and the host always reads them, so waiting here is safe. */
void control_send(struct control *control, const char *format, ...)
{
	char line[512];
	size_t done = 0, len;
	va_list args;

	va_start(args, format);
	len = vsnprintf(line, sizeof(line) - 1, format, args);
	va_end(args);
	if (len > sizeof(line) - 2)
		len = sizeof(line) - 2;
	line[len++] = '\n';

	while (done < len) {
		struct pollfd fd = { .fd = control->fd, .events = POLLOUT };
		ssize_t n = write(control->fd, line + done, len - done);

		if (n > 0)
			done += n;
		else if (errno != EAGAIN && errno != EINTR)
			return;
		else if (poll(&fd, 1, 1000) > 0 && (fd.revents & POLLHUP))
			return;
	}
}
