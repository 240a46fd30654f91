// SPDX-License-Identifier: MIT
#define _GNU_SOURCE
#include <ctype.h>
#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lab.h"

#define CONTROLLERS "/sys/class/nvme"
#define DRIVER "/sys/bus/pci/drivers/nvme"
#define STEP_US 5000
#define STEPS 4000 /* 20 s */

struct drive {
	const char *serial;
	char controller[NAME_MAX + 1]; /* nvme0; empty while it has not appeared */
	char bdf[32];
};

static size_t count_drives(char **serials)
{
	size_t count = 0;

	while (serials[count])
		count++;
	return count;
}

/* Ready means that its first namespace has a device node. */
static bool has_namespace(const char *controller)
{
	char path[PATH_MAX];

	snprintf(path, sizeof(path), "/dev/%sn1", controller);
	return access(path, F_OK) == 0;
}

static void read_bdf(struct drive *drive)
{
	char path[PATH_MAX], target[PATH_MAX];
	ssize_t len;

	snprintf(path, sizeof(path), CONTROLLERS "/%s/device", drive->controller);
	len = readlink(path, target, sizeof(target) - 1);
	target[len > 0 ? len : 0] = '\0';
	snprintf(drive->bdf, sizeof(drive->bdf), "%.31s", basename(target));
}

static bool find_drive(struct drive *drive)
{
	DIR *directory = opendir(CONTROLLERS);
	struct dirent *entry;
	bool found = false;

	while (directory && !found && (entry = readdir(directory))) {
		char serial[64];

		read_attribute(serial, sizeof(serial), CONTROLLERS, entry->d_name, "serial");
		if (strcmp(serial, drive->serial) || !has_namespace(entry->d_name))
			continue;
		strcpy(drive->controller, entry->d_name);
		read_bdf(drive);
		found = true;
	}
	if (directory)
		closedir(directory);
	return found;
}

/* Waits for all together; true when they all are there. */
static bool await(struct drive *drives, size_t count)
{
	size_t found = 0;

	for (int step = 0; step < STEPS; step++) {
		while (found < count && find_drive(&drives[found]))
			found++;
		if (found == count)
			return true;
		usleep(STEP_US);
	}
	return false;
}

static bool is_in_order(const struct drive *drives, size_t count)
{
	char expected[32];

	for (size_t i = 0; i < count; i++) {
		snprintf(expected, sizeof(expected), "nvme%zu", i);
		if (strcmp(drives[i].controller, expected))
			return false;
	}
	return true;
}

static void tell_driver(const char *what, const struct drive *drive)
{
	char path[PATH_MAX];
	int fd;

	snprintf(path, sizeof(path), DRIVER "/%s", what);
	fd = open(path, O_WRONLY | O_CLOEXEC);
	if (fd < 0)
		return;
	if (write(fd, drive->bdf, strlen(drive->bdf)) < 0)
		system_log("%s of %s failed", what, drive->bdf);
	close(fd);
}

/*
 * The driver probes in the background, so that the numbers it gives are a
 * race. A lab whose nvme0 is not always drive A would be a trap for commands
 * that write, hence: take them all away, and bring them back one by one.
 */
static bool renumber(struct drive *drives, size_t count)
{
	for (size_t i = 0; i < count; i++)
		tell_driver("unbind", &drives[i]);
	for (size_t i = 0; i < count; i++)
		tell_driver("bind", &drives[i]);
	return await(drives, count) && is_in_order(drives, count);
}

static void link_device(const char *path, const char *controller)
{
	char target[PATH_MAX];

	snprintf(target, sizeof(target), "/dev/%sn1", controller);
	if (symlink(target, path))
		system_log("cannot make %s", path);
}

/* The name udev would give, and a short one: /dev/lab/A for P2PLAB-A. */
static void link_drive(const struct drive *drive)
{
	const char *dash = strrchr(drive->serial, '-');
	char model[64], path[PATH_MAX];

	read_attribute(model, sizeof(model), CONTROLLERS, drive->controller, "model");
	for (char *c = model; *c; c++)
		if (isspace((unsigned char)*c))
			*c = '_';
	snprintf(path, sizeof(path), "/dev/disk/by-id/nvme-%s_%s", model, drive->serial);
	link_device(path, drive->controller);
	snprintf(path, sizeof(path), "/dev/lab/%s", dash ? dash + 1 : drive->serial);
	link_device(path, drive->controller);
}

/* A command may rely on all drives being there, under the names they always have. */
void drives_await(struct control *control, char **serials)
{
	size_t count = count_drives(serials);
	struct drive *drives = calloc(count + 1, sizeof(*drives));

	if (!drives || count == 0)
		return;
	for (size_t i = 0; i < count; i++)
		drives[i].serial = serials[i];
	if (!await(drives, count))
		control_send(control, "warning not all drives appeared");
	else if (!is_in_order(drives, count) && !renumber(drives, count))
		control_send(control, "warning drive A is not nvme0: use /dev/lab/A and so on");

	mkdir("/dev/disk", 0755);
	mkdir("/dev/disk/by-id", 0755);
	mkdir("/dev/lab", 0755);
	for (size_t i = 0; i < count; i++)
		if (drives[i].controller[0])
			link_drive(&drives[i]);
	free(drives);
}
