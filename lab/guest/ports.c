// SPDX-License-Identifier: MIT
#define _GNU_SOURCE
#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "lab.h"

#define STEP_US 10000
#define PORTS_STEPS 1000 /* 10 s */

/* A file of sysfs without its trailing spaces; empty when it cannot be read. */
void read_attribute(char *value, size_t size, const char *directory, const char *name,
		    const char *attribute)
{
	char path[PATH_MAX];
	ssize_t len;
	int fd;

	snprintf(path, sizeof(path), "%s/%s/%s", directory, name, attribute);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	len = fd < 0 ? 0 : read(fd, value, size - 1);
	if (fd >= 0)
		close(fd);
	while (len > 0 && isspace((unsigned char)value[len - 1]))
		len--;
	value[len > 0 ? len : 0] = '\0';
}

static int find_port(const char *wanted)
{
	static const char ports[] = "/sys/class/virtio-ports";
	DIR *directory = opendir(ports);
	struct dirent *entry;
	int fd = -1;

	while (directory && fd < 0 && (entry = readdir(directory))) {
		char name[64], path[PATH_MAX];

		read_attribute(name, sizeof(name), ports, entry->d_name, "name");
		if (strcmp(name, wanted))
			continue;
		snprintf(path, sizeof(path), "/dev/%s", entry->d_name);
		fd = open(path, O_RDWR | O_NONBLOCK | O_CLOEXEC);
	}
	if (directory)
		closedir(directory);
	return fd;
}

/* The host end counts as gone until the device has said otherwise. */
static bool is_connected(int fd)
{
	struct pollfd poller = { .fd = fd, .events = POLLOUT };

	return poll(&poller, 1, 0) >= 0 && !(poller.revents & POLLHUP);
}

int ports_open(int fds[PORT_COUNT])
{
	static const char *const names[PORT_COUNT] = {
		[PORT_CONTROL] = "p2pdma.control",
		[PORT_STDIN] = "p2pdma.stdin",
		[PORT_STDOUT] = "p2pdma.stdout",
		[PORT_STDERR] = "p2pdma.stderr",
	};
	int opened = 0;

	for (int step = 0; step < PORTS_STEPS; step++) {
		while (opened < PORT_COUNT && (fds[opened] = find_port(names[opened])) >= 0)
			opened++;
		if (opened == PORT_COUNT && is_connected(fds[PORT_CONTROL]) &&
		    is_connected(fds[PORT_STDIN]) && is_connected(fds[PORT_STDOUT]) &&
		    is_connected(fds[PORT_STDERR]))
			return 0;
		usleep(STEP_US);
	}
	return -ENODEV;
}
