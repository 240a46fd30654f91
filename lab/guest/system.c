// SPDX-License-Identifier: MIT
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/reboot.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lab.h"

#define NEW_ROOT "/newroot"
#define P9_OPTIONS "trans=virtio,version=9p2000.L,msize=512000"

/* To the kernel log, hence to the console tail that the runner keeps. */
void system_log(const char *format, ...)
{
	char line[512] = "<4>p2pdma-lab: ";
	size_t prefix = strlen(line);
	va_list args;
	int fd = open("/dev/kmsg", O_WRONLY | O_CLOEXEC);

	if (fd < 0)
		return;
	va_start(args, format);
	vsnprintf(line + prefix, sizeof(line) - prefix, format, args);
	va_end(args);
	if (write(fd, line, strlen(line)) < 0) {
		/* nothing left to tell it to */
	}
	close(fd);
}

static int make_mount(const char *source, const char *target, const char *type, unsigned long flags,
		      const char *options)
{
	mkdir(target, 0755);
	return mount(source, target, type, flags, options) ? -errno : 0;
}

void system_mount_early(void)
{
	make_mount("devtmpfs", "/dev", "devtmpfs", MS_NOSUID, "mode=755");
	make_mount("proc", "/proc", "proc", MS_NOSUID | MS_NODEV | MS_NOEXEC, NULL);
	make_mount("sysfs", "/sys", "sysfs", MS_NOSUID | MS_NODEV | MS_NOEXEC, NULL);
	mount("debugfs", "/sys/kernel/debug", "debugfs", 0, NULL);
	mount("tracefs", "/sys/kernel/tracing", "tracefs", 0, NULL);
	make_mount("devpts", "/dev/pts", "devpts", MS_NOSUID | MS_NOEXEC,
		   "gid=5,mode=620,ptmxmode=666");
	make_mount("shm", "/dev/shm", "tmpfs", MS_NOSUID | MS_NODEV, "mode=1777");
	symlink("/proc/self/fd", "/dev/fd");
	symlink("/proc/self/fd/0", "/dev/stdin");
	symlink("/proc/self/fd/1", "/dev/stdout");
	symlink("/proc/self/fd/2", "/dev/stderr");
}

/* The host's files below, a tmpfs above: everything readable, writes stay here. */
static int mount_overlay(void)
{
	int ret = make_mount("host", "/lower", "9p", MS_RDONLY, P9_OPTIONS ",cache=loose");

	if (ret)
		return ret;
	ret = make_mount("upper", "/upper", "tmpfs", 0, "mode=755");
	if (ret)
		return ret;
	mkdir("/upper/files", 0755);
	mkdir("/upper/work", 0755);
	return make_mount("root", NEW_ROOT, "overlay", 0,
			  "lowerdir=/lower,upperdir=/upper/files,workdir=/upper/work");
}

static int move_mount_point(const char *path)
{
	char target[64];

	snprintf(target, sizeof(target), NEW_ROOT "%s", path);
	mkdir(target, 0755);
	return mount(path, target, NULL, MS_MOVE, NULL) ? -errno : 0;
}

/* The initramfs cannot be pivoted away, so the new root is moved over it. */
int system_mount_root(void)
{
	static const char *const kept[] = { "/dev", "/proc", "/sys" };
	int ret = mount_overlay();

	for (size_t i = 0; !ret && i < sizeof(kept) / sizeof(kept[0]); i++)
		ret = move_mount_point(kept[i]);
	if (ret)
		return ret;
	if (chdir(NEW_ROOT) || mount(".", "/", NULL, MS_MOVE, NULL) || chroot(".") || chdir("/"))
		return -errno;
	ret = make_mount("run", "/run", "tmpfs", MS_NOSUID | MS_NODEV, "mode=755");
	if (ret)
		return ret;
	return make_mount("scratch", "/run/p2pdma", "tmpfs", MS_NOSUID | MS_NODEV, "mode=1777");
}

static void make_parents(const char *path)
{
	char partial[4096];

	snprintf(partial, sizeof(partial), "%s", path);
	for (char *slash = strchr(partial + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
		*slash = '\0';
		mkdir(partial, 0755);
		*slash = '/';
	}
}

/*
 * A directory of the host that the guest may write. cache=mmap writes back
 * when a file is closed, so nothing waits for the guest to power off.
 */
int system_mount_share(const char *tag, const char *path)
{
	make_parents(path);
	return make_mount(tag, path, "9p", 0, P9_OPTIONS ",cache=mmap");
}

static void raise_limit(int resource, rlim_t soft, rlim_t hard)
{
	struct rlimit limit = { .rlim_cur = soft, .rlim_max = hard };

	setrlimit(resource, &limit);
}

static void loopback_up(void)
{
	struct ifreq request = { .ifr_name = "lo", .ifr_flags = IFF_UP | IFF_RUNNING };
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	if (fd < 0)
		return; /* a kernel without IP has no use for it */
	ioctl(fd, SIOCSIFFLAGS, &request);
	close(fd);
}

void system_limits(void)
{
	raise_limit(RLIMIT_NOFILE, 65536, 1048576);
	raise_limit(RLIMIT_MEMLOCK, RLIM_INFINITY, RLIM_INFINITY);
	raise_limit(RLIMIT_CORE, 0, RLIM_INFINITY);
	loopback_up();
	if (sethostname("p2pdma-lab", strlen("p2pdma-lab")))
		system_log("cannot set the host name: %s", strerror(errno));
}

/* Unmount what the command mounted, last first; busy ones are left to sync(). */
static void unmount_all(void)
{
	static char table[64 * 1024];
	int fd = open("/proc/self/mounts", O_RDONLY | O_CLOEXEC);
	ssize_t len = fd < 0 ? -1 : read(fd, table, sizeof(table) - 1);

	if (fd >= 0)
		close(fd);
	for (char *line = table + len; len > 0 && line > table;) {
		char path[4096];

		*--line = '\0';
		while (line > table && line[-1] != '\n')
			line--;
		if (sscanf(line, "/dev/%*s %4095s", path) == 1)
			umount2(path, 0);
	}
}

void system_power_off(struct control *control)
{
	kill(-1, SIGKILL);
	while (wait(NULL) > 0)
		;
	sync();
	unmount_all();
	control_send(control, "off");
	reboot(RB_POWER_OFF);
	for (;;)
		pause();
}
