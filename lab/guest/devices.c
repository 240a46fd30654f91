// SPDX-License-Identifier: MIT
#define _GNU_SOURCE
#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lab.h"

#define STEP_US 10000
#define PORTS_STEPS 1000  /* 10 s */
#define DRIVES_STEPS 2000 /* 20 s */

/* First word-trimmed line of a sysfs file; empty when it cannot be read. */
static void read_attribute(char *value, size_t size, const char *directory, const char *name,
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
	struct pollfd poller = {.fd = fd, .events = POLLOUT};

	return poll(&poller, 1, 0) >= 0 && !(poller.revents & POLLHUP);
}

int devices_open_ports(int fds[PORT_COUNT])
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

/* The first namespace of a controller, once the driver has found it. */
static bool find_namespace(const char *controller, char *name, size_t size)
{
	char path[PATH_MAX];

	snprintf(name, size, "%sn1", controller);
	snprintf(path, sizeof(path), "/dev/%s", name);
	return access(path, F_OK) == 0;
}

static void link_device(const char *path, const char *device)
{
	char target[PATH_MAX];

	snprintf(target, sizeof(target), "/dev/%s", device);
	symlink(target, path);
}

/* The names udev would give, and a short one: /dev/lab/A for P2PLAB-A. */
static void link_drive(const char *controller, const char *serial, const char *device)
{
	char model[64], path[PATH_MAX];
	const char *dash = strrchr(serial, '-');

	read_attribute(model, sizeof(model), "/sys/class/nvme", controller, "model");
	for (char *c = model; *c; c++)
		if (isspace((unsigned char)*c))
			*c = '_';
	mkdir("/dev/disk", 0755);
	mkdir("/dev/disk/by-id", 0755);
	mkdir("/dev/lab", 0755);
	snprintf(path, sizeof(path), "/dev/disk/by-id/nvme-%s_%s", model, serial);
	link_device(path, device);
	snprintf(path, sizeof(path), "/dev/lab/%s", dash ? dash + 1 : serial);
	link_device(path, device);
}

static bool find_drive(const char *serial)
{
	DIR *directory = opendir("/sys/class/nvme");
	struct dirent *entry;
	bool found = false;

	while (directory && !found && (entry = readdir(directory))) {
		char seen[64], device[NAME_MAX + 8];

		read_attribute(seen, sizeof(seen), "/sys/class/nvme", entry->d_name, "serial");
		if (strcmp(seen, serial) || !find_namespace(entry->d_name, device, sizeof(device)))
			continue;
		link_drive(entry->d_name, serial, device);
		found = true;
	}
	if (directory)
		closedir(directory);
	return found;
}

/* Drives are probed in the background; a command may rely on all of them. */
void devices_await_drives(struct control *control, char **serials)
{
	int step = 0;

	for (; *serials; serials++) {
		while (!find_drive(*serials) && step++ < DRIVES_STEPS)
			usleep(STEP_US);
		if (step >= DRIVES_STEPS)
			control_send(control, "warning drive %s did not appear", *serials);
	}
}
