/* SPDX-License-Identifier: MIT */
#ifndef P2PDMA_LAB_H
#define P2PDMA_LAB_H

#include <poll.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/*
 * The first process of the lab guest. The runner on the host (lab/session.ts)
 * talks to it through four virtio-serial ports: "control" carries the lines
 * described in lab/protocol.ts, the other three carry the bytes of the
 * command's standard streams.
 */
#define LAB_PROTOCOL 1

enum port { PORT_CONTROL, PORT_STDIN, PORT_STDOUT, PORT_STDERR, PORT_COUNT };

/* A message of the host: its words, and the bytes that followed the line. */
struct message {
	char verb[16];
	uint64_t number[2];
	char *payload; /* NUL-separated strings, or NULL */
	size_t payload_len;
};

struct control {
	int fd;
	char *buf;
	size_t len, capacity, consumed;
};

/* Bytes on their way from one descriptor to another, both non-blocking. */
struct relay {
	int from, to;
	bool ended; /* nothing more will be read */
	bool broken; /* nobody takes what is written: discard */
	uint64_t read; /* bytes taken from `from` since boot */
	uint64_t written; /* bytes given to `to` since boot */
	uint64_t skip_until; /* read and drop the bytes before this one */
	uint64_t read_stop; /* read no further than this */
	size_t head, tail;
	char buf[64 * 1024];
};

/* What to run, pointing into the payload of a "start" message. */
struct command {
	char **argv, **env;
	char *cwd;
	bool tty;
	unsigned short rows, columns;
	uint64_t stdin_base; /* bytes of stdin that belong to earlier commands */
};

struct child {
	pid_t pid;
	int in, out, err; /* our ends; out == in and err == -1 on a terminal */
	bool tty;
};

/* control.c */
int control_open(struct control *control, int fd);
int control_next(struct control *control, struct message *message);
void control_send(struct control *control, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

/* relay.c */
void relay_reset(struct relay *relay, int from, int to);
void relay_poll(const struct relay *relay, struct pollfd fds[2]);
void relay_move(struct relay *relay);
bool relay_done(const struct relay *relay);

/* system.c */
void system_log(const char *format, ...) __attribute__((format(printf, 1, 2)));
void system_mount_early(void);
int system_mount_root(void);
int system_mount_share(const char *tag, const char *path);
void system_limits(void);
void system_power_off(struct control *control) __attribute__((noreturn));

/* ports.c */
void read_attribute(char *value, size_t size, const char *directory, const char *name,
		    const char *attribute);
int ports_open(int fds[PORT_COUNT]);

/* drives.c */
void drives_await(struct control *control, char **serials);

/* command.c */
int command_parse(struct message *message, struct command *command);
void command_free(struct command *command);
int command_spawn(const struct command *command, struct child *child);
void command_resize(const struct child *child, unsigned short rows, unsigned short columns);

#endif
