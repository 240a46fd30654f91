// SPDX-License-Identifier: MIT
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <pty.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "lab.h"

/* One "key=value" string of a start message; argv and env keep their order. */
static void parse_entry(char *entry, struct command *command, size_t *argc, size_t *envc)
{
	if (!strncmp(entry, "arg=", 4))
		command->argv[(*argc)++] = entry + 4;
	else if (!strncmp(entry, "env=", 4))
		command->env[(*envc)++] = entry + 4;
	else if (!strncmp(entry, "cwd=", 4))
		command->cwd = entry + 4;
	else if (!strncmp(entry, "stdin=", 6))
		command->stdin_base = strtoull(entry + 6, NULL, 10);
	else if (!strncmp(entry, "tty=", 4))
		command->tty = sscanf(entry + 4, "%hux%hu", &command->rows, &command->columns) == 2;
}

int command_parse(struct message *message, struct command *command)
{
	char *end = message->payload + message->payload_len;
	size_t entries = 0, argc = 0, envc = 0;

	memset(command, 0, sizeof(*command));
	for (char *c = message->payload; c < end; c += strlen(c) + 1)
		entries++;
	command->argv = calloc(entries + 1, sizeof(char *));
	command->env = calloc(entries + 1, sizeof(char *));
	command->cwd = "/";
	if (!command->argv || !command->env) {
		command_free(command);
		return -ENOMEM;
	}
	for (char *c = message->payload; c < end; c += strlen(c) + 1)
		parse_entry(c, command, &argc, &envc);
	return argc ? 0 : -EPROTO;
}

void command_free(struct command *command)
{
	free(command->argv);
	free(command->env);
}

/* Shell manners: 127 when the program is not there, 126 when it cannot run. */
static void __attribute__((noreturn)) run(const struct command *command)
{
	sigset_t none;

	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	signal(SIGPIPE, SIG_DFL);
	if (chdir(command->cwd)) {
		dprintf(STDERR_FILENO, "p2pdma lab: Cannot enter \"%s\" in the guest: %s\n",
			command->cwd, strerror(errno));
		_exit(126);
	}
	environ = command->env;
	execvp(command->argv[0], command->argv);
	dprintf(STDERR_FILENO, "p2pdma lab: Cannot run \"%s\" in the guest: %s\n", command->argv[0],
		strerror(errno));
	_exit(errno == ENOENT ? 127 : 126);
}

static void close_both(int pair[2])
{
	close(pair[0]);
	close(pair[1]);
}

static int open_pipes(int pipes[3][2])
{
	for (int i = 0; i < 3; i++) {
		if (pipe2(pipes[i], O_CLOEXEC)) {
			int ret = -errno;

			while (i--)
				close_both(pipes[i]);
			return ret;
		}
		fcntl(pipes[i][i == 0], F_SETFL, O_NONBLOCK);
	}
	return 0;
}

static int spawn_on_pipes(const struct command *command, struct child *child)
{
	int pipes[3][2];
	int ret = open_pipes(pipes);

	if (ret)
		return ret;
	child->pid = fork();
	if (child->pid == 0) {
		setsid();
		dup2(pipes[0][0], STDIN_FILENO);
		dup2(pipes[1][1], STDOUT_FILENO);
		dup2(pipes[2][1], STDERR_FILENO);
		run(command);
	}
	ret = child->pid < 0 ? -errno : 0;
	for (int i = 0; i < 3; i++)
		close(pipes[i][i != 0]);
	child->in = pipes[0][1];
	child->out = pipes[1][0];
	child->err = pipes[2][0];
	return ret;
}

static int spawn_on_terminal(const struct command *command, struct child *child)
{
	struct winsize size = { .ws_row = command->rows, .ws_col = command->columns };
	int master;

	child->pid = forkpty(&master, NULL, NULL, &size);
	if (child->pid == 0)
		run(command);
	if (child->pid < 0)
		return -errno;
	fcntl(master, F_SETFD, FD_CLOEXEC);
	fcntl(master, F_SETFL, O_NONBLOCK);
	child->in = child->out = master;
	child->err = -1;
	return 0;
}

int command_spawn(const struct command *command, struct child *child)
{
	child->tty = command->tty;
	return command->tty ? spawn_on_terminal(command, child) : spawn_on_pipes(command, child);
}

void command_resize(const struct child *child, unsigned short rows, unsigned short columns)
{
	struct winsize size = { .ws_row = rows, .ws_col = columns };

	if (child->tty)
		ioctl(child->out, TIOCSWINSZ, &size);
}
