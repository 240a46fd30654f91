// SPDX-License-Identifier: GPL-2.0-only
/*
 * p2pmem in user space, taken away while it is in use: the driver unbound, the
 * device removed, the card pulled. What was mapped must raise SIGBUS from then
 * on, whatever comes in the place of the device, and all memory must be there
 * again when it is back.
 *
 *   p2pmem_remove [-w] [-d BLOCKDEV]... FILE P2PMEM_DIR
 *
 *   -d BLOCKDEV  a drive, not the provider's own, that reads into the memory
 *                meanwhile; nothing is written to it
 *   -w           instead of all that, wait for somebody to pull the card and to
 *                plug it in again, when told to
 *
 * Nobody else may use the provider meanwhile, nor what it stores. The rest as
 * with p2pmem_mmap.
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/aio_abi.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "p2pmem_kit.h"

#define LENGTH (8 * PAGE)
#define READ_LENGTH (16 * PAGE)
#define READERS_PER_DRIVE 2
#define MAX_READERS (READERS_PER_DRIVE * (MAX_DRIVES + 1))
#define THREADS 4
#define REBINDS 10
#define PATIENCE 120

/* ---- the provider, its driver and its drive ---- */

static char driver[PATH_MAX], serial[64];

/* The only folder in @dir whose name begins with @prefix. */
static bool find_entry(const char *dir, const char *prefix, char *name, size_t size)
{
	struct dirent *entry;
	bool found = false;
	DIR *d = opendir(dir);

	while (d && !found && (entry = readdir(d))) {
		found = !strncmp(entry->d_name, prefix, strlen(prefix));
		if (found)
			snprintf(name, size, "%.60s", entry->d_name);
	}
	if (d)
		closedir(d);
	return found;
}

static bool nvme_name(const struct p2pmem *m, char *name, size_t size)
{
	char path[PATH_MAX + 16];

	snprintf(path, sizeof(path), "%s/nvme", m->pci);
	return find_entry(path, "nvme", name, size);
}

static void remember_provider(const struct p2pmem *m)
{
	char path[2 * PATH_MAX], name[64];

	snprintf(path, sizeof(path), "%s/driver", m->pci);
	if (!realpath(path, driver))
		bail_out(path);
	if (!nvme_name(m, name, sizeof(name)))
		return;
	snprintf(path, sizeof(path), "%s/nvme/%s/serial", m->pci, name);
	read_text(path, serial, sizeof(serial));
}

/* The provider's own drive, if it is one; its name may change with every binding. */
static bool own_drive(char *device, size_t size)
{
	struct dirent *entry;
	DIR *d = opendir("/sys/block");
	char path[PATH_MAX], found[64];
	bool ok = false;

	while (serial[0] && d && !ok && (entry = readdir(d))) {
		snprintf(path, sizeof(path), "/sys/block/%.60s/device/serial", entry->d_name);
		if (!read_text(path, found, sizeof(found)) || strcmp(found, serial))
			continue;
		snprintf(device, size, "/dev/%.60s", entry->d_name);
		ok = !access(device, R_OK);
	}
	if (d)
		closedir(d);
	return ok;
}

static void tell_driver(const struct p2pmem *m, const char *what)
{
	char path[PATH_MAX + 16];

	snprintf(path, sizeof(path), "%s/%s", driver, what);
	check(tell_kernel(path, strrchr(m->pci, '/') + 1, PATIENCE), "%s", what);
}

static bool find_file_again(struct p2pmem *m)
{
	char name[64];

	if (!m->is_sysfs) {
		if (!nvme_name(m, name, sizeof(name)))
			return false;
		snprintf(m->file, sizeof(m->file), "/dev/%s", name);
	}
	m->fd = open(m->file, O_RDWR);
	return m->fd >= 0;
}

/* Probing goes on in the background: waits until memory and drive are there again. */
static bool wait_for_provider(struct p2pmem *m)
{
	char device[PATH_MAX];

	for (int i = 0; i < PATIENCE * 10; i++) {
		if (available(m) == m->start && (!serial[0] || own_drive(device, sizeof(device))) &&
		    find_file_again(m))
			return true;
		usleep(100000);
	}
	return check(false, "the provider is back, with all its memory");
}

/* ---- what uses the memory meanwhile ---- */

struct reader {
	pthread_t thread;
	char drive[64];
	int fd;
	char *p;
	atomic_int reads;
	atomic_bool ended;
	int error;	/* 0: the end of the drive, which is where one that is gone begins */
};

/* Direct I/O into the memory until it fails. */
static void *keep_reading(void *data)
{
	struct reader *r = data;
	ssize_t n;

	do {
		n = pread(r->fd, r->p, READ_LENGTH, 0);
		r->reads += n > 0;
	} while (n > 0);
	r->error = n < 0 ? errno : 0;
	r->ended = true;
	return NULL;
}

struct readers {
	char *p;
	size_t length;
	int count;
	struct reader list[MAX_READERS];
};

static void add_readers(struct readers *r, const char *drive)
{
	for (int i = 0; i < READERS_PER_DRIVE && r->count < MAX_READERS; i++) {
		struct reader *one = &r->list[r->count++];

		snprintf(one->drive, sizeof(one->drive), "%s", drive);
		one->fd = open(drive, O_RDONLY | O_DIRECT);
		if (one->fd < 0)
			bail_out(drive);
	}
}

/* Returns when every reader has read at least twice. */
static struct readers *start_readers(struct p2pmem *m)
{
	struct readers *r = calloc(1, sizeof(*r));
	char device[PATH_MAX];

	for (int i = 0; i < m->nr_drives; i++)
		add_readers(r, m->drives[i]);
	if (own_drive(device, sizeof(device)))
		add_readers(r, device);
	r->length = (r->count + 1) * READ_LENGTH;
	r->p = must_map(m, r->length);
	for (int i = 0; i < r->count; i++) {
		r->list[i].p = r->p + i * READ_LENGTH;
		pthread_create(&r->list[i].thread, NULL, keep_reading, &r->list[i]);
	}
	deadline(PATIENCE);
	for (int i = 0; i < r->count; i++)
		while (r->list[i].reads < 2 && !r->list[i].ended)
			usleep(1000);
	deadline(0);
	return r;
}

static void end_readers(struct readers *r)
{
	deadline(PATIENCE);
	for (int i = 0; i < r->count; i++) {
		struct reader *one = &r->list[i];

		pthread_join(one->thread, NULL);
		check(one->reads >= 2, "%s read into it before: %s", one->drive,
		      strerror(one->error));
		note("%s: %d reads, then %s", one->drive, one->reads,
		     one->error ? strerror(one->error) : "no drive");
		close(one->fd);
	}
	deadline(0);
	munmap(r->p, r->length);
	free(r);
}

/* A read that is under way; a slow drive makes it last. */
struct flight {
	aio_context_t aio;
	int fd;
	long count;
};

static void take_off(struct flight *f, const char *drive, char *p)
{
	struct iocb request = {
		.aio_lio_opcode = IOCB_CMD_PREAD,
		.aio_buf = (uintptr_t)p,
		.aio_nbytes = READ_LENGTH,
	}, *list[] = { &request };

	f->fd = open(drive, O_RDONLY | O_DIRECT);
	f->aio = 0;
	if (f->fd < 0 || syscall(SYS_io_setup, 1, &f->aio))
		bail_out(drive);
	request.aio_fildes = (uint32_t)f->fd;
	f->count = syscall(SYS_io_submit, f->aio, 1, list);
}

/* None may be under way any more. */
static void check_landed(struct flight *f, const char *drive)
{
	struct timespec at_once = { 0, 0 };
	struct io_event event;

	check(f->count == 1 && syscall(SYS_io_getevents, f->aio, 1, 1, &event, &at_once) == 1,
	      "the read from %s has ended", drive);
	syscall(SYS_io_destroy, f->aio);
	close(f->fd);
}

static atomic_bool stop;

/* Without touching it: the memory may go away at any time. */
static void *keep_mapping(void *data)
{
	while (!stop) {
		void *p = map(data, 4 * PAGE);

		if (p != MAP_FAILED)
			munmap(p, 4 * PAGE);
	}
	return NULL;
}

static void *keep_forking(void *data)
{
	(void)data;
	while (!stop) {
		pid_t pid = fork();

		if (!pid)
			_exit(0);
		waitpid(pid, NULL, 0);
	}
	return NULL;
}

/* Returns after the first access that failed, with its signal. */
static void *keep_touching(void *data)
{
	intptr_t number = 0;

	while (!stop && !number)
		number = signal_of_write(data);
	return (void *)number;
}

/* ---- checks ---- */

/* A child that finds out, when told to, whether the memory is gone for it, too. */
static pid_t fork_sentinel(const char *p, int *to_child)
{
	int ends[2];
	pid_t pid;
	char byte;

	if (pipe(ends))
		bail_out("pipe");
	pid = fork();
	if (!pid) {
		close(ends[1]);
		_exit(read(ends[0], &byte, 1) != 0 || signal_of_read(p) != SIGBUS);
	}
	close(ends[0]);
	*to_child = ends[1];
	return pid;
}

static void check_dead(const struct p2pmem *m, char *p, size_t length)
{
	int zero = open("/dev/zero", O_RDONLY);

	check(signal_of_read(p) == SIGBUS, "reading raises SIGBUS");
	check(signal_of_write(p + length - PAGE) == SIGBUS, "writing raises SIGBUS");
	check(read(zero, p, PAGE) < 0 && errno == EFAULT, "read() into it is EFAULT");
	for (int i = 0; i < m->nr_drives; i++) {
		int fd = open(m->drives[i], O_RDONLY | O_DIRECT);

		check(pread(fd, p, PAGE, 0) < 0 && errno == EFAULT, "DMA from %s is EFAULT, not %s",
		      m->drives[i], strerror(errno));
		close(fd);
	}
	close(zero);
}

static void check_new_memory(struct p2pmem *m)
{
	void *p = map(m, LENGTH);

	if (!check(p != MAP_FAILED, "it can be mapped again: %s", strerror(errno)))
		return;
	fill(p, LENGTH, 22);
	check(holds(p, 0, LENGTH, 22), "and written to");
	munmap(p, LENGTH);
}

/* Takes the provider away with @take and gives it back with @give. */
static void take_while_mapped(struct p2pmem *m, void (*take)(struct p2pmem *m),
			      void (*give)(struct p2pmem *m))
{
	char *p = must_map(m, LENGTH), *moved;
	int old = m->fd, to_child;
	pid_t pid = fork_sentinel(p, &to_child);

	fill(p, LENGTH, 21);
	take(m);
	check_dead(m, p, LENGTH);
	close(to_child);
	check(child_succeeds(pid), "SIGBUS in a child, too");
	check(map(m, PAGE) == MAP_FAILED && errno == ENODEV, "mmap() is ENODEV, not %s",
	      strerror(errno));
	moved = mremap(p + PAGE, PAGE, PAGE, MREMAP_MAYMOVE);
	check(moved == MAP_FAILED || signal_of_read(moved) == SIGBUS, "moving it does not help");

	give(m);
	if (!wait_for_provider(m))
		return;
	check_dead(m, p, PAGE);
	check(mmap(NULL, PAGE, PROT_READ, MAP_SHARED, old, 0) == MAP_FAILED && errno == ENODEV,
	      "a file opened before does not lead to the new memory");
	close(old);
	munmap(p, LENGTH);
	check(available(m) == m->start, "unmapping what is dead gives nothing");
	check_new_memory(m);
}

static void take_while_reading(struct p2pmem *m, void (*take)(struct p2pmem *m),
			       void (*give)(struct p2pmem *m))
{
	struct readers *r = start_readers(m);
	struct flight flights[MAX_DRIVES];
	char *targets = must_map(m, MAX_DRIVES * READ_LENGTH);
	int old = m->fd;

	for (int i = 0; i < m->nr_drives; i++)
		take_off(&flights[i], m->drives[i], targets + i * READ_LENGTH);
	take(m);
	for (int i = 0; i < m->nr_drives; i++)
		check_landed(&flights[i], m->drives[i]);
	check_dead(m, targets, MAX_DRIVES * READ_LENGTH);
	munmap(targets, MAX_DRIVES * READ_LENGTH);
	check_dead(m, r->p, r->length);
	end_readers(r);
	close(old);
	give(m);
	if (wait_for_provider(m))
		check_new_memory(m);
}

/* ---- the driver is unbound ---- */

static void unbind(struct p2pmem *m)
{
	tell_driver(m, "unbind");
}

static void bind(struct p2pmem *m)
{
	tell_driver(m, "bind");
}

static void test_unbind_mapped(struct p2pmem *m)
{
	take_while_mapped(m, unbind, bind);
}

static void test_unbind_reading(struct p2pmem *m)
{
	take_while_reading(m, unbind, bind);
}

static void test_unbind_busy(struct p2pmem *m)
{
	void *(*const jobs[])(void *) = { keep_mapping, keep_mapping, keep_forking, keep_touching };
	char *p = must_map(m, LENGTH);
	pthread_t threads[ARRAY_SIZE(jobs)];
	void *result;

	stop = false;
	for (size_t i = 0; i < ARRAY_SIZE(jobs); i++)
		pthread_create(&threads[i], NULL, jobs[i],
			       jobs[i] == keep_touching ? (void *)p : (void *)m);
	usleep(100000);
	unbind(m);
	check_dead(m, p, LENGTH);
	stop = true;
	for (size_t i = 0; i < ARRAY_SIZE(jobs); i++)
		pthread_join(threads[i], &result);
	check((intptr_t)result == SIGBUS, "the thread that wrote to it met SIGBUS");
	munmap(p, LENGTH);
	close(m->fd);
	bind(m);
	wait_for_provider(m);
}

static void test_rebinds(struct p2pmem *m)
{
	for (int i = 0; i < REBINDS; i++) {
		void *p = must_map(m, (1 + i) * PAGE);

		close(m->fd);
		unbind(m);
		check(signal_of_read(p) == SIGBUS, "SIGBUS in round %d", i);
		bind(m);
		if (!wait_for_provider(m))
			return;
		munmap(p, (1 + i) * PAGE);
	}
}

/* ---- the device is removed ---- */

static void remove_device(struct p2pmem *m)
{
	char path[PATH_MAX + 16];

	snprintf(path, sizeof(path), "%s/remove", m->pci);
	check(tell_kernel(path, "1", PATIENCE), "removing it");
	check(access(m->pci, F_OK), "the device is gone");
}

static void rescan(struct p2pmem *m)
{
	(void)m;
	check(tell_kernel("/sys/bus/pci/rescan", "1", PATIENCE), "rescanning the bus");
}

static void test_remove_mapped(struct p2pmem *m)
{
	take_while_mapped(m, remove_device, rescan);
}

static void test_remove_reading(struct p2pmem *m)
{
	take_while_reading(m, remove_device, rescan);
}

/* ---- the controller is reset ---- */

static void test_reset(struct p2pmem *m)
{
	char path[2 * PATH_MAX], name[64], device[PATH_MAX];
	char *p = must_map(m, LENGTH);
	int fd = -1;

	if (!nvme_name(m, name, sizeof(name)) || !own_drive(device, sizeof(device))) {
		skip("the provider is no NVMe drive");
		munmap(p, LENGTH);
		return;
	}
	snprintf(path, sizeof(path), "%s/nvme/%s/reset_controller", m->pci, name);
	check(tell_kernel(path, "1", PATIENCE), "resetting it");
	deadline(PATIENCE);
	check(!signal_of_write(p), "the mapping stays");
	fill(p, LENGTH, 23);
	check(holds(p, 0, LENGTH, 23), "and works");
	fd = open(device, O_RDONLY | O_DIRECT);
	check(pread(fd, p, LENGTH, 0) == (ssize_t)LENGTH, "DMA into it works: %s", strerror(errno));
	deadline(0);
	close(fd);
	munmap(p, LENGTH);
}

/* ---- the card is pulled ---- */

static void wait_for_pulling(struct p2pmem *m)
{
	note("pull it now");
	deadline(PATIENCE);
	while (!access(m->pci, F_OK))
		usleep(10000);
	deadline(0);
}

static void ask_for_it(struct p2pmem *m)
{
	(void)m;
	note("plug it in now");
}

static void test_pull_mapped(struct p2pmem *m)
{
	take_while_mapped(m, wait_for_pulling, ask_for_it);
}

static void test_pull_reading(struct p2pmem *m)
{
	take_while_reading(m, wait_for_pulling, ask_for_it);
}

static const struct p2pmem_test tests[] = {
	{ "driver unbound while mapped", test_unbind_mapped },
	{ "driver unbound while drives read into it", test_unbind_reading },
	{ "driver unbound while threads map, fork and write", test_unbind_busy },
	{ "driver unbound ten times", test_rebinds },
	{ "controller reset while mapped", test_reset },
	{ "device removed while mapped", test_remove_mapped },
	{ "device removed while drives read into it", test_remove_reading },
};

static const struct p2pmem_test pull_tests[] = {
	{ "card pulled while mapped", test_pull_mapped },
	{ "card pulled while drives read into it", test_pull_reading },
};

int main(int argc, char **argv)
{
	struct p2pmem m = { 0 };
	bool pull = false;
	int option;

	while ((option = getopt(argc, argv, "wd:")) != -1) {
		if (option == 'w')
			pull = true;
		else if (option == 'd' && m.nr_drives < MAX_DRIVES)
			m.drives[m.nr_drives++] = optarg;
		else
			optind = argc + 1;
	}
	if (argc - optind != 2) {
		fputs("usage: p2pmem_remove [-w] [-d BLOCKDEV]... FILE P2PMEM_DIR\n", stderr);
		return 2;
	}
	p2pmem_open(&m, argv[optind], argv[optind + 1]);
	remember_provider(&m);
	return pull ? run_tests(&m, pull_tests, ARRAY_SIZE(pull_tests)) :
		      run_tests(&m, tests, ARRAY_SIZE(tests));
}
