// SPDX-License-Identifier: GPL-2.0-only
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "p2pmem_kit.h"

/* How far apart the words of a pattern are. */
#define STRIDE 256

static bool failed;
static const char *skipped;

/* ---- TAP ---- */

static void print_line(const char *prefix, const char *format, va_list args)
{
	char text[512];

	vsnprintf(text, sizeof(text), format, args);
	printf("%s%s\n", prefix, text);
	fflush(stdout);
}

bool check_at(bool ok, const char *file, int line, const char *format, ...)
{
	char prefix[PATH_MAX];
	va_list args;

	if (ok)
		return true;
	failed = true;
	snprintf(prefix, sizeof(prefix), "# %s:%d: failed: ", file, line);
	va_start(args, format);
	print_line(prefix, format, args);
	va_end(args);
	return false;
}

void skip(const char *why)
{
	skipped = why;
}

void note(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	print_line("# ", format, args);
	va_end(args);
}

void bail_out(const char *what)
{
	printf("Bail out! %s: %s\n", what, strerror(errno));
	fflush(stdout);
	exit(1);
}

static void too_late(int number)
{
	static const char text[] = "Bail out! it hangs\n";

	(void)number;
	if (write(STDOUT_FILENO, text, sizeof(text) - 1))
		_exit(1);
	_exit(1);
}

void deadline(unsigned int seconds)
{
	signal(SIGALRM, too_late);
	alarm(seconds);
}

static bool is_chosen(const struct p2pmem_test *test)
{
	const char *only = getenv("P2PMEM_ONLY");

	return !only || strstr(test->name, only);
}

int run_tests(struct p2pmem *m, const struct p2pmem_test *tests, int count)
{
	int chosen = 0, number = 0, pass = 0, fail = 0, skips = 0;

	for (int i = 0; i < count; i++)
		chosen += is_chosen(&tests[i]);
	printf("TAP version 13\n1..%d\n", chosen);
	note("%s, %zu bytes available", m->file, m->start);
	for (int i = 0; i < count; i++) {
		if (!is_chosen(&tests[i]))
			continue;
		failed = false;
		skipped = NULL;
		tests[i].run(m);
		check(available_becomes(m, m->start), "%zu of %zu bytes are available again",
		      available(m), m->start);
		fail += failed;
		skips += !failed && skipped;
		pass += !failed && !skipped;
		printf("%s %d %s%s%s\n", failed ? "not ok" : "ok", ++number, tests[i].name,
		       skipped ? " # SKIP " : "", skipped ? skipped : "");
		fflush(stdout);
	}
	printf("# Totals: pass:%d fail:%d xfail:0 xpass:0 skip:%d error:0\n", pass, fail, skips);
	return fail ? 1 : 0;
}

/* ---- memory ---- */

void p2pmem_open(struct p2pmem *m, const char *file, const char *dir)
{
	if (!realpath(file, m->file))
		bail_out(file);
	if (!realpath(dir, m->dir))
		bail_out(dir);
	memcpy(m->pci, m->dir, sizeof(m->pci));
	dirname(m->pci);
	m->is_sysfs = !strncmp(m->file, m->dir, strlen(m->dir));
	m->fd = open(m->file, O_RDWR);
	if (m->fd < 0)
		bail_out(m->file);
	m->start = available(m);
}

size_t available(const struct p2pmem *m)
{
	char path[PATH_MAX + 16], text[32];

	snprintf(path, sizeof(path), "%s/available", m->dir);
	return read_text(path, text, sizeof(text)) ? strtoull(text, NULL, 10) : 0;
}

bool available_becomes(const struct p2pmem *m, size_t bytes)
{
	for (int i = 0; i < 500; i++) {
		if (available(m) == bytes)
			return true;
		usleep(10000);
	}
	return false;
}

void *map(const struct p2pmem *m, size_t length)
{
	return mmap(NULL, length, PROT_READ | PROT_WRITE, MAP_SHARED, m->fd, 0);
}

void *must_map(const struct p2pmem *m, size_t length)
{
	void *p = map(m, length);

	if (p == MAP_FAILED)
		bail_out("mmap");
	return p;
}

/* Well mixed, so that no two words are alike by chance. */
uint64_t pattern_word(size_t offset, uint64_t seed)
{
	uint64_t z = (offset + 1) * 0x9e3779b97f4a7c15ULL + seed * 0xbf58476d1ce4e5b9ULL;

	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ULL;
	z = (z ^ (z >> 27)) * 0x94d049bb133111ebULL;
	return z ^ (z >> 31);
}

void fill(void *p, size_t length, uint64_t seed)
{
	for (size_t i = 0; i < length; i += STRIDE)
		*(volatile uint64_t *)((char *)p + i) = pattern_word(i, seed);
}

bool holds(const void *p, size_t from, size_t to, uint64_t seed)
{
	for (size_t i = from; i < to; i += STRIDE)
		if (*(const volatile uint64_t *)((const char *)p + i) != pattern_word(i, seed))
			return false;
	return true;
}

/* ---- signals ---- */

static __thread sigjmp_buf on_fault;

static void fault_handler(int number)
{
	siglongjmp(on_fault, number);
}

/* The handlers stay: another thread may be about to need them. */
static void catch_faults(void)
{
	struct sigaction action = { .sa_handler = fault_handler };

	sigaction(SIGBUS, &action, NULL);
	sigaction(SIGSEGV, &action, NULL);
}

int signal_of_read(const void *p)
{
	int number;

	catch_faults();
	number = sigsetjmp(on_fault, 1);
	if (!number)
		(void)*(const volatile uint8_t *)p;
	return number;
}

int signal_of_write(void *p)
{
	int number;

	catch_faults();
	number = sigsetjmp(on_fault, 1);
	if (!number)
		*(volatile uint8_t *)p = 0x5a;
	return number;
}

/* ---- children ---- */

pid_t fork_waiting(int *to_child)
{
	int ends[2];
	pid_t pid;
	char byte;

	if (pipe(ends))
		bail_out("pipe");
	pid = fork();
	if (pid < 0)
		bail_out("fork");
	if (!pid) {
		close(ends[1]);
		_exit(read(ends[0], &byte, 1) < 0);
	}
	close(ends[0]);
	*to_child = ends[1];
	return pid;
}

bool child_succeeds(pid_t pid)
{
	int status;

	if (pid < 0)
		bail_out("fork");
	if (waitpid(pid, &status, 0) != pid)
		bail_out("waitpid");
	return WIFEXITED(status) && !WEXITSTATUS(status);
}

/* ---- files ---- */

int write_text(const char *path, const char *text)
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

bool tell_kernel(const char *path, const char *text, unsigned int seconds)
{
	pid_t pid = fork();
	int status;

	if (!pid) {
		execl("/bin/sh", "sh", "-c", "printf %s \"$1\" > \"$0\"", path, text, NULL);
		_exit(1);
	}
	for (unsigned int i = 0; i < seconds * 100; i++) {
		if (waitpid(pid, &status, WNOHANG) == pid)
			return WIFEXITED(status) && !WEXITSTATUS(status);
		usleep(10000);
	}
	errno = ETIMEDOUT;
	bail_out(path);
}

bool read_text(const char *path, char *text, size_t size)
{
	int fd = open(path, O_RDONLY);
	ssize_t n;

	if (fd < 0)
		return false;
	n = read(fd, text, size - 1);
	close(fd);
	if (n < 0)
		return false;
	text[n] = '\0';
	text[strcspn(text, "\n")] = '\0';
	return true;
}
