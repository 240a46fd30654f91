// SPDX-License-Identifier: GPL-2.0-only
/*
 * Selftest of p2pmem in user space, mapped through a character device
 * (pci_mmap_p2pmem(), patches 2 and 3) or through sysfs (mainline): both have
 * to behave alike.
 *
 *   p2pmem_mmap [-u] [-d BLOCKDEV]... FILE P2PMEM_DIR
 *
 *   FILE         /dev/nvme0, or the file "allocate" in P2PMEM_DIR
 *   P2PMEM_DIR   /sys/bus/pci/devices/0000:03:00.0/p2pmem
 *   -d BLOCKDEV  also read from this drive into the memory, with O_DIRECT
 *   -u           also unbind the provider's driver while its memory is mapped
 *
 * Nothing is written to any drive. Root only. Exit status: 0 all passed,
 * 1 some failed, 2 wrong use.
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <limits.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define PAGE 4096UL
#define MAX_DRIVES 8
#define STRESS_THREADS 4
#define STRESS_ROUNDS 200

struct ctx {
	char file[PATH_MAX];	/* what is mapped */
	char dir[PATH_MAX];	/* P2PMEM_DIR */
	char pci[PATH_MAX];	/* the PCI function's folder in sysfs */
	bool is_sysfs;		/* file is P2PMEM_DIR/allocate */
	int fd;
	size_t start;		/* what was available at the beginning */
	int passed, failed;
};

static void check(struct ctx *ctx, bool ok, const char *format, ...)
{
	va_list args;

	if (ok)
		ctx->passed++;
	else
		ctx->failed++;

	printf("%s %d - ", ok ? "ok" : "not ok", ctx->passed + ctx->failed);
	va_start(args, format);
	vprintf(format, args);
	va_end(args);
	putchar('\n');
	fflush(stdout);
}

static void die(const char *what)
{
	perror(what);
	exit(2);
}

/* ---- memory ---- */

static size_t available(const struct ctx *ctx)
{
	char path[PATH_MAX + 16];
	size_t bytes = 0;
	FILE *f;

	snprintf(path, sizeof(path), "%s/available", ctx->dir);
	f = fopen(path, "r");
	if (!f)
		return 0;
	if (fscanf(f, "%zu", &bytes) != 1)
		bytes = 0;
	fclose(f);
	return bytes;
}

/* Pages come back when the last reference drops, which may be a moment later. */
static bool available_becomes(const struct ctx *ctx, size_t bytes)
{
	for (int i = 0; i < 100; i++) {
		if (available(ctx) == bytes)
			return true;
		usleep(10000);
	}
	return false;
}

static uint8_t *map(const struct ctx *ctx, size_t length)
{
	return mmap(NULL, length, PROT_READ | PROT_WRITE, MAP_SHARED, ctx->fd, 0);
}

static uint8_t *must_map(const struct ctx *ctx, size_t length)
{
	uint8_t *p = map(ctx, length);

	if (p == MAP_FAILED)
		die("mmap");
	return p;
}

static uint8_t pattern(size_t i, uint8_t seed)
{
	return (uint8_t)(i * 31 + (i >> 12) + seed);
}

static void fill(volatile uint8_t *p, size_t length, uint8_t seed)
{
	for (size_t i = 0; i < length; i++)
		p[i] = pattern(i, seed);
}

static bool holds(const volatile uint8_t *p, size_t from, size_t to, uint8_t seed)
{
	for (size_t i = from; i < to; i++)
		if (p[i] != pattern(i, seed))
			return false;
	return true;
}

static sigjmp_buf on_sigbus;

static void sigbus_handler(int number)
{
	(void)number;
	siglongjmp(on_sigbus, 1);
}

static bool touch_raises_sigbus(volatile uint8_t *p)
{
	struct sigaction action = { .sa_handler = sigbus_handler }, old;
	volatile bool raised = true;

	sigaction(SIGBUS, &action, &old);
	if (!sigsetjmp(on_sigbus, 1)) {
		(void)*p;
		raised = false;
	}
	sigaction(SIGBUS, &old, NULL);
	return raised;
}

/* ---- what mmap accepts and refuses ---- */

static bool refused(struct ctx *ctx, size_t length, int flags, off_t offset, int error)
{
	void *p = mmap(NULL, length, PROT_READ | PROT_WRITE, flags, ctx->fd, offset);

	if (p == MAP_FAILED)
		return errno == error;
	munmap(p, length);
	return false;
}

static void test_arguments(struct ctx *ctx)
{
	size_t length = 256 * PAGE;
	uint8_t *p = must_map(ctx, length);

	fill(p, length, 1);
	check(ctx, holds(p, 0, length, 1), "memory keeps what is written to it");
	check(ctx, available(ctx) == ctx->start - length, "a mapping takes its length");
	munmap(p, length);
	check(ctx, available_becomes(ctx, ctx->start), "munmap() gives it back");

	check(ctx, refused(ctx, PAGE, MAP_PRIVATE, 0, EINVAL), "MAP_PRIVATE is EINVAL");
	check(ctx, refused(ctx, PAGE, MAP_SHARED, PAGE, EINVAL), "an offset is EINVAL");
	check(ctx, refused(ctx, ctx->start + PAGE, MAP_SHARED, 0, ENOMEM),
	      "more than there is is ENOMEM");
	check(ctx, available(ctx) == ctx->start, "refusals cost nothing");
}

static void test_exhaustion(struct ctx *ctx)
{
	uint8_t *p = map(ctx, ctx->start);

	check(ctx, p != MAP_FAILED, "all of it can be mapped at once");
	if (p == MAP_FAILED)
		return;
	check(ctx, available(ctx) == 0, "nothing is left then");
	check(ctx, refused(ctx, PAGE, MAP_SHARED, 0, ENOMEM), "one page more is ENOMEM");
	munmap(p, ctx->start);
	check(ctx, available_becomes(ctx, ctx->start), "all of it comes back");
}

/* ---- lifetimes ---- */

static void test_pieces(struct ctx *ctx)
{
	size_t length = 16 * PAGE;
	uint8_t *p = must_map(ctx, length);

	fill(p, length, 2);
	munmap(p + 4 * PAGE, 2 * PAGE);
	check(ctx, available_becomes(ctx, ctx->start - length + 2 * PAGE),
	      "munmap() in the middle gives back two pages");
	check(ctx, holds(p, 0, 4 * PAGE, 2) && holds(p, 6 * PAGE, length, 2),
	      "the pages around the hole keep their content");

	mprotect(p + 8 * PAGE, PAGE, PROT_NONE);
	mprotect(p + 8 * PAGE, PAGE, PROT_READ | PROT_WRITE);
	check(ctx, holds(p, 6 * PAGE, length, 2), "mprotect() leaves them alone");

	munmap(p, 4 * PAGE);
	munmap(p + 6 * PAGE, 10 * PAGE);
	check(ctx, available_becomes(ctx, ctx->start), "the rest comes back");
}

static void test_mremap(struct ctx *ctx)
{
	size_t length = 16 * PAGE, kept = 8 * PAGE;
	uint8_t *p = must_map(ctx, length), *place, *grown;

	fill(p, length, 3);
	place = mmap(NULL, length, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	p = mremap(p, length, length, MREMAP_MAYMOVE | MREMAP_FIXED, place);
	check(ctx, p == place && holds(p, 0, length, 3), "mremap() moves it");
	p = mremap(p, length, kept, 0);
	check(ctx, p == place && available_becomes(ctx, ctx->start - kept), "mremap() shrinks it");

	grown = mremap(p, kept, kept + PAGE, MREMAP_MAYMOVE);
	if (grown != MAP_FAILED)
		p = grown;
	check(ctx, grown == MAP_FAILED || touch_raises_sigbus(p + kept),
	      "mremap() does not allocate");
	munmap(p, kept + PAGE);
	check(ctx, available_becomes(ctx, ctx->start), "all of it comes back");
}

static void test_closed_file(struct ctx *ctx)
{
	uint8_t *p;

	p = must_map(ctx, 4 * PAGE);
	close(ctx->fd);
	fill(p, 4 * PAGE, 4);
	check(ctx, holds(p, 0, 4 * PAGE, 4), "a mapping outlives its file descriptor");
	munmap(p, 4 * PAGE);
	check(ctx, available_becomes(ctx, ctx->start), "and still gives its memory back");
	ctx->fd = open(ctx->file, O_RDWR);
	if (ctx->fd < 0)
		die(ctx->file);
}

/* Forks; the child waits for a byte from the parent and then runs off or dies. */
static pid_t fork_waiting(int *to_child)
{
	int ends[2];
	pid_t pid;
	char byte;

	if (pipe(ends))
		die("pipe");
	pid = fork();
	if (pid < 0)
		die("fork");
	if (!pid) {
		close(ends[1]);
		_exit(read(ends[0], &byte, 1) == 1 ? 0 : 1);
	}
	close(ends[0]);
	*to_child = ends[1];
	return pid;
}

static void test_fork(struct ctx *ctx)
{
	size_t length = 8 * PAGE;
	uint8_t *p = must_map(ctx, length);
	int to_child;
	pid_t pid;

	pid = fork_waiting(&to_child);
	close(to_child);
	waitpid(pid, NULL, 0);
	fill(p, length, 5);
	check(ctx, holds(p, 0, length, 5) && available(ctx) == ctx->start - length,
	      "the parent keeps the memory when its child ends");

	pid = fork_waiting(&to_child);
	munmap(p, length);
	check(ctx, available(ctx) == ctx->start - length,
	      "the child keeps the memory when its parent unmaps it");
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	close(to_child);
	check(ctx, available_becomes(ctx, ctx->start), "killing the child gives it back");
}

static void *stress(void *data)
{
	const struct ctx *ctx = data;
	intptr_t wrong = 0;

	for (int i = 0; i < STRESS_ROUNDS; i++) {
		size_t length = (1 + i % 7) * PAGE;
		volatile uint8_t *p = map(ctx, length);

		if (p == MAP_FAILED)
			continue;
		p[0] = (uint8_t)i;
		p[length - 1] = (uint8_t)i;
		wrong += p[0] != (uint8_t)i;
		munmap((void *)p, length);
	}
	return (void *)wrong;
}

static void test_threads(struct ctx *ctx)
{
	pthread_t threads[STRESS_THREADS];
	intptr_t wrong = 0;

	for (int i = 0; i < STRESS_THREADS; i++)
		pthread_create(&threads[i], NULL, stress, ctx);
	for (int i = 0; i < STRESS_THREADS; i++) {
		void *result;

		pthread_join(threads[i], &result);
		wrong += (intptr_t)result;
	}
	check(ctx, !wrong, "threads that map at once get memory of their own");
	check(ctx, available_becomes(ctx, ctx->start), "and lose none of it");
}

/* ---- DMA ---- */

static void test_read(struct ctx *ctx, const char *drive)
{
	size_t length = 1 << 20;
	uint8_t *p = must_map(ctx, length), *ram = aligned_alloc(PAGE, length);
	int fd = open(drive, O_RDONLY | O_DIRECT);
	ssize_t n;

	if (fd < 0 || !ram)
		die(drive);
	memset(p, 0xa5, length);
	n = pread(fd, p, length, 0);
	check(ctx, n == (ssize_t)length, "O_DIRECT read from %s: %s", drive,
	      n < 0 ? strerror(errno) : "whole");
	n = pread(fd, ram, length, 0);
	check(ctx, n == (ssize_t)length && !memcmp(p, ram, length),
	      "what %s put there is what it puts into RAM", drive);
	close(fd);
	free(ram);
	munmap(p, length);
	check(ctx, available_becomes(ctx, ctx->start), "all of it comes back");
}

/* ---- taking the provider away ---- */

static int write_text(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY);
	ssize_t n;

	if (fd < 0)
		return -errno;
	n = write(fd, text, strlen(text));
	n = n < 0 ? -errno : 0;
	close(fd);
	return (int)n;
}

/* Writes the function's name to a file of its driver; a hang ends the test. */
static bool tell_driver(const char *driver, const char *what, const char *name)
{
	char path[PATH_MAX + 16];
	int ret;

	snprintf(path, sizeof(path), "%s/%s", driver, what);
	alarm(60);
	ret = write_text(path, name);
	alarm(0);
	return !ret;
}

/* The drive's number may change with every binding. */
static bool find_file_again(struct ctx *ctx)
{
	char path[PATH_MAX + 16];
	struct dirent *entry;
	DIR *dir;

	if (!ctx->is_sysfs) {
		snprintf(path, sizeof(path), "%s/nvme", ctx->pci);
		dir = opendir(path);
		if (!dir)
			return false;
		while ((entry = readdir(dir)))
			if (entry->d_name[0] != '.')
				snprintf(ctx->file, sizeof(ctx->file), "/dev/%.64s", entry->d_name);
		closedir(dir);
	}
	ctx->fd = open(ctx->file, O_RDWR);
	return ctx->fd >= 0;
}

/* Probing goes on in the background: waits until all memory is there again. */
static bool wait_for_provider(struct ctx *ctx)
{
	for (int i = 0; i < 100; i++) {
		if (available(ctx) == ctx->start && find_file_again(ctx))
			return true;
		usleep(100000);
	}
	return false;
}

static atomic_bool stop_mapping;

/* Without touching it: the memory may go away at any time. */
static void *keep_mapping(void *data)
{
	while (!atomic_load(&stop_mapping)) {
		void *p = map(data, 4 * PAGE);

		if (p != MAP_FAILED)
			munmap(p, 4 * PAGE);
	}
	return NULL;
}

static void test_unbind(struct ctx *ctx)
{
	char link[PATH_MAX + 16], driver[PATH_MAX];
	const char *name = strrchr(ctx->pci, '/') + 1;
	pthread_t threads[STRESS_THREADS];
	uint8_t *p = must_map(ctx, 8 * PAGE);
	int to_child;
	pid_t pid;

	snprintf(link, sizeof(link), "%s/driver", ctx->pci);
	if (!realpath(link, driver))
		die(link);

	pid = fork_waiting(&to_child);
	check(ctx, tell_driver(driver, "unbind", name), "unbinding ends while memory is mapped");
	check(ctx, touch_raises_sigbus(p), "the mapping raises SIGBUS then");
	check(ctx, map(ctx, PAGE) == MAP_FAILED && errno == ENODEV, "and mmap() is ENODEV");
	close(to_child);
	waitpid(pid, NULL, 0);
	munmap(p, 8 * PAGE);
	close(ctx->fd);

	check(ctx, tell_driver(driver, "bind", name) && wait_for_provider(ctx),
	      "binding again restores all memory");
	p = must_map(ctx, PAGE);
	fill(p, PAGE, 6);
	check(ctx, holds(p, 0, PAGE, 6), "which can be mapped");
	munmap(p, PAGE);

	atomic_store(&stop_mapping, false);
	for (int i = 0; i < STRESS_THREADS; i++)
		pthread_create(&threads[i], NULL, keep_mapping, ctx);
	usleep(50000);
	check(ctx, tell_driver(driver, "unbind", name), "unbinding ends while threads map");
	atomic_store(&stop_mapping, true);
	for (int i = 0; i < STRESS_THREADS; i++)
		pthread_join(threads[i], NULL);
	close(ctx->fd);
	check(ctx, tell_driver(driver, "bind", name) && wait_for_provider(ctx),
	      "binding again restores all memory");
}

static int usage(void)
{
	fputs("usage: p2pmem_mmap [-u] [-d BLOCKDEV]... FILE P2PMEM_DIR\n", stderr);
	return 2;
}

int main(int argc, char **argv)
{
	struct ctx ctx = { 0 };
	const char *drives[MAX_DRIVES];
	int nr_drives = 0, option;
	bool unbind = false;

	while ((option = getopt(argc, argv, "ud:")) != -1) {
		if (option == 'u')
			unbind = true;
		else if (option == 'd' && nr_drives < MAX_DRIVES)
			drives[nr_drives++] = optarg;
		else
			return usage();
	}
	if (argc - optind != 2)
		return usage();
	if (!realpath(argv[optind], ctx.file))
		die(argv[optind]);
	if (!realpath(argv[optind + 1], ctx.dir))
		die(argv[optind + 1]);
	memcpy(ctx.pci, ctx.dir, sizeof(ctx.pci));
	dirname(ctx.pci);
	ctx.is_sysfs = !strncmp(ctx.file, ctx.dir, strlen(ctx.dir));
	ctx.fd = open(ctx.file, O_RDWR);
	if (ctx.fd < 0)
		die(ctx.file);
	ctx.start = available(&ctx);

	printf("# %s, %zu bytes available\n", ctx.file, ctx.start);
	test_arguments(&ctx);
	test_exhaustion(&ctx);
	test_pieces(&ctx);
	test_mremap(&ctx);
	test_closed_file(&ctx);
	test_fork(&ctx);
	test_threads(&ctx);
	for (int i = 0; i < nr_drives; i++)
		test_read(&ctx, drives[i]);
	if (unbind)
		test_unbind(&ctx);

	printf("1..%d\n%d passed, %d failed\n", ctx.passed + ctx.failed, ctx.passed, ctx.failed);
	return ctx.failed ? 1 : 0;
}
