// SPDX-License-Identifier: MIT
/*
 * The guest's /init: makes the guest look like the host, then runs one command
 * after another for the runner. It never returns: when the runner says so, or
 * is gone, the guest powers off.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "lab.h"

struct lab {
	int ports[PORT_COUNT];
	int signals;
	struct control control;
	struct relay in, out, err;
	struct child child;
	bool running;
	int status;
};

static struct lab lab = { .control = { .fd = -1 }, .child = { .in = -1, .out = -1, .err = -1 } };

static void __attribute__((noreturn)) fail(const char *what, int error)
{
	system_log("%s: %s", what, strerror(-error));
	if (lab.control.buf)
		control_send(&lab.control, "fatal %s: %s", what, strerror(-error));
	system_power_off(&lab.control);
}

/* Payload strings that begin with @key; the caller frees the array. */
static char **values_of(struct message *message, const char *key)
{
	char *end = message->payload + message->payload_len;
	char **values = calloc(message->payload_len + 1, sizeof(*values));
	size_t count = 0, len = strlen(key);

	if (!values)
		fail("setup", -ENOMEM);
	for (char *c = message->payload; c < end; c += strlen(c) + 1)
		if (!strncmp(c, key, len))
			values[count++] = c + len;
	return values;
}

/* The machine's clock counts whole seconds; files would come from the future. */
static void set_clock(struct message *message)
{
	char **clocks = values_of(message, "clock=");
	uint64_t ms = *clocks ? strtoull(*clocks, NULL, 10) : 0;
	struct timespec now = { .tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000 };

	if (ms && clock_settime(CLOCK_REALTIME, &now))
		system_log("cannot set the clock: %s", strerror(errno));
	free(clocks);
}

static void handle_setup(struct message *message)
{
	char **shares = values_of(message, "share=");
	char **drives = values_of(message, "drive=");

	set_clock(message);
	for (char **share = shares; *share; share++) {
		char *path = strchr(*share, ':');
		int ret;

		*path++ = '\0';
		ret = system_mount_share(*share, path);
		if (ret)
			fail(path, ret);
	}
	drives_await(&lab.control, drives);
	free(shares);
	free(drives);
	control_send(&lab.control, "ready");
}

static void report_exit(void)
{
	bool signalled = WIFSIGNALED(lab.status);

	control_send(&lab.control, "%s %d %lu %lu", signalled ? "signal" : "exit",
		     signalled ? WTERMSIG(lab.status) : WEXITSTATUS(lab.status), lab.out.written,
		     lab.err.written);
}

static void handle_start(struct message *message)
{
	struct command command;
	int ret = command_parse(message, &command);

	if (ret)
		fail("start", ret);
	ret = command_spawn(&command, &lab.child);
	if (ret)
		fail("start", ret);
	lab.running = true;
	relay_reset(&lab.in, lab.ports[PORT_STDIN], lab.child.in);
	relay_reset(&lab.out, lab.child.out, lab.ports[PORT_STDOUT]);
	relay_reset(&lab.err, lab.child.err, lab.ports[PORT_STDERR]);
	lab.in.skip_until = command.stdin_base;
	command_free(&command);
	control_send(&lab.control, "started");
}

static void handle_message(struct message *message)
{
	if (!strcmp(message->verb, "setup"))
		handle_setup(message);
	else if (!strcmp(message->verb, "start") && !lab.child.pid)
		handle_start(message);
	else if (!strcmp(message->verb, "signal") && lab.running)
		kill(-lab.child.pid, message->number[0]);
	else if (!strcmp(message->verb, "size") && lab.child.pid)
		command_resize(&lab.child, message->number[0], message->number[1]);
	else if (!strcmp(message->verb, "eof") && lab.child.pid)
		lab.in.read_stop = message->number[0];
	else if (!strcmp(message->verb, "poweroff"))
		system_power_off(&lab.control);
}

static void handle_control(void)
{
	struct message message;
	int ret;

	while (!(ret = control_next(&lab.control, &message)))
		handle_message(&message);
	if (ret != -EAGAIN)
		system_power_off(&lab.control); /* the runner is gone */
}

/*
 * What a command leaves in the background ends with it: its output could not
 * be told from that of the next command.
 */
static void reap(void)
{
	struct signalfd_siginfo info;
	int status;
	pid_t pid;

	if (read(lab.signals, &info, sizeof(info)) < 0)
		return;
	while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
		if (!lab.running || pid != lab.child.pid)
			continue;
		lab.status = status;
		lab.running = false;
		kill(-1, SIGKILL);
	}
}

/* A terminal is one descriptor for both directions: close it once. */
static void close_input(void)
{
	if (!lab.child.tty && lab.child.in >= 0)
		close(lab.child.in);
	lab.child.in = -1;
	lab.in.to = -1;
	lab.in.broken = true;
}

static void close_output(struct relay *relay, int *fd)
{
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
	relay->from = -1;
	relay->ended = true;
}

/* Between commands: input that nobody took is read and dropped. */
static void rest(void)
{
	close_input();
	relay_reset(&lab.in, lab.ports[PORT_STDIN], -1);
	relay_reset(&lab.out, -1, -1);
	relay_reset(&lab.err, -1, -1);
	lab.child = (struct child){ .in = -1, .out = -1, .err = -1 };
}

static void settle_streams(void)
{
	if (lab.child.in >= 0 && (lab.in.broken || relay_done(&lab.in)))
		close_input();
	if (lab.out.broken || relay_done(&lab.out)) {
		if (lab.child.tty)
			close_input();
		close_output(&lab.out, &lab.child.out);
	}
	if (lab.err.broken || relay_done(&lab.err))
		close_output(&lab.err, &lab.child.err);
	if (lab.running || !relay_done(&lab.out) || !relay_done(&lab.err))
		return;
	report_exit();
	rest();
}

static void note_hangup(struct relay *relay, const struct pollfd *sink)
{
	if (sink->revents & (POLLHUP | POLLERR))
		relay->broken = true;
}

static void serve(void)
{
	struct pollfd fds[8] = {
		{ .fd = lab.ports[PORT_CONTROL], .events = POLLIN },
		{ .fd = lab.signals, .events = POLLIN },
	};

	relay_poll(&lab.in, &fds[2]);
	relay_poll(&lab.out, &fds[4]);
	relay_poll(&lab.err, &fds[6]);
	if (poll(fds, 8, -1) < 0)
		return;
	if (fds[1].revents)
		reap();
	if (fds[0].revents)
		handle_control();
	note_hangup(&lab.in, &fds[3]);
	note_hangup(&lab.out, &fds[5]);
	note_hangup(&lab.err, &fds[7]);
	relay_move(&lab.in);
	relay_move(&lab.out);
	relay_move(&lab.err);
	if (lab.child.pid)
		settle_streams();
}

static void listen_to_signals(void)
{
	sigset_t children;

	signal(SIGPIPE, SIG_IGN);
	sigemptyset(&children);
	sigaddset(&children, SIGCHLD);
	sigprocmask(SIG_BLOCK, &children, NULL);
	lab.signals = signalfd(-1, &children, SFD_CLOEXEC | SFD_NONBLOCK);
}

int main(void)
{
	int ret;

	system_mount_early();
	ret = ports_open(lab.ports);
	if (!ret)
		ret = control_open(&lab.control, lab.ports[PORT_CONTROL]);
	if (ret)
		fail("ports to the runner", ret);
	control_send(&lab.control, "hello %d", LAB_PROTOCOL);
	ret = system_mount_root();
	if (ret)
		fail("root file system", ret);
	system_limits();
	listen_to_signals();
	rest();
	for (;;)
		serve();
}
