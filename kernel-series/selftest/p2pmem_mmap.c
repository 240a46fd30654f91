// SPDX-License-Identifier: GPL-2.0-only
/*
 * p2pmem in user space: what can be mapped, and what becomes of a mapping.
 * Through a character device (pci_mmap_p2pmem(), patches 2 and 3) or sysfs
 * (mainline): both have to behave alike.
 *
 *   p2pmem_mmap FILE P2PMEM_DIR
 *
 *   FILE         /dev/nvme0, or the file "allocate" in P2PMEM_DIR
 *   P2PMEM_DIR   /sys/bus/pci/devices/0000:03:00.0/p2pmem
 *
 * Nobody else may use that memory meanwhile. Root only. Exit status: 0 all
 * passed, 1 some failed, 2 wrong use.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
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

#define STRESS_THREADS 4
#define STRESS_ROUNDS 200
#define CYCLES 10000
#define HOGS 8

#ifndef MREMAP_DONTUNMAP
#define MREMAP_DONTUNMAP 4
#endif
#ifndef MADV_POPULATE_READ
#define MADV_POPULATE_READ 22
#define MADV_POPULATE_WRITE 23
#endif
#ifndef MADV_COLLAPSE
#define MADV_COLLAPSE 25
#endif

/* ---- what mmap() accepts and refuses ---- */

static bool refused(struct p2pmem *m, size_t length, int flags, off_t offset, int error)
{
	void *p = mmap(NULL, length, PROT_READ | PROT_WRITE, flags, m->fd, offset);

	if (p == MAP_FAILED)
		return errno == error;
	munmap(p, length);
	return false;
}

static void test_arguments(struct p2pmem *m)
{
	size_t length = 256 * PAGE;
	void *p = must_map(m, length);

	fill(p, length, 1);
	check(holds(p, 0, length, 1), "memory keeps what is written to it");
	check(available(m) == m->start - length, "a mapping takes its length");
	munmap(p, length);
	check(available_becomes(m, m->start), "munmap() gives it back");

	check(refused(m, PAGE, MAP_PRIVATE, 0, EINVAL), "MAP_PRIVATE is EINVAL");
	check(refused(m, PAGE, MAP_SHARED, PAGE, EINVAL), "an offset is EINVAL");
	check(refused(m, m->start + PAGE, MAP_SHARED, 0, ENOMEM), "more than there is is ENOMEM");
	check(refused(m, 1UL << 40, MAP_SHARED, 0, ENOMEM), "far more than there is is ENOMEM");
	check(available(m) == m->start, "refusals cost nothing");
}

static void test_read_only(struct p2pmem *m)
{
	int fd = open(m->file, O_RDONLY);
	void *p;

	if (fd < 0)
		bail_out(m->file);
	p = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	check(p == MAP_FAILED && errno == EACCES, "writable, of a file opened for reading: EACCES");
	p = mmap(NULL, PAGE, PROT_READ, MAP_SHARED, fd, 0);
	if (!check(p != MAP_FAILED, "readable: %s", strerror(errno)))
		return;
	check(!signal_of_read(p), "it can be read");
	check(signal_of_write(p) == SIGSEGV, "writing to it is SIGSEGV");
	check(mprotect(p, PAGE, PROT_WRITE) && errno == EACCES, "and stays so: EACCES");
	munmap(p, PAGE);
	close(fd);
}

static void test_closed_file(struct p2pmem *m)
{
	void *p = must_map(m, 4 * PAGE);

	close(m->fd);
	fill(p, 4 * PAGE, 4);
	check(holds(p, 0, 4 * PAGE, 4), "a mapping outlives its file descriptor");
	munmap(p, 4 * PAGE);
	check(available_becomes(m, m->start), "and still gives its memory back");
	m->fd = open(m->file, O_RDWR);
	if (m->fd < 0)
		bail_out(m->file);
}

/* ---- all of it ---- */

static void test_exhaustion(struct p2pmem *m)
{
	void *p = map(m, m->start);

	if (!check(p != MAP_FAILED, "all of it can be mapped at once: %s", strerror(errno)))
		return;
	check(available(m) == 0, "nothing is left then");
	check(refused(m, PAGE, MAP_SHARED, 0, ENOMEM), "one page more is ENOMEM");
	munmap((char *)p + m->start / 2, PAGE);
	check(available_becomes(m, PAGE), "a page in the middle comes back");
	check(refused(m, 2 * PAGE, MAP_SHARED, 0, ENOMEM), "two pages are ENOMEM then");
	munmap(p, m->start);
}

/* Shared by the processes that take all memory together. */
struct hogs {
	atomic_int full;	/* how many have met ENOMEM */
	atomic_int checked;
	atomic_size_t pages;
	atomic_int odd_errors;
	atomic_int not_mine;	/* pages that another one wrote to */
};

/* Takes page after page until there is none, then looks whether they are its own. */
static void hog(const struct p2pmem *m, struct hogs *hogs, uint64_t id)
{
	uint64_t **pages = calloc(m->start / PAGE, sizeof(*pages));
	size_t count = 0;

	while (pages && count < m->start / PAGE) {
		void *p = map(m, PAGE);

		if (p == MAP_FAILED) {
			hogs->odd_errors += errno != ENOMEM;
			break;
		}
		pages[count] = p;
		*(volatile uint64_t *)p = id << 32 | count;
		count++;
	}
	hogs->pages += count;
	hogs->full++;
	while (hogs->full < HOGS)
		usleep(1000);
	for (size_t i = 0; i < count; i++)
		hogs->not_mine += *(volatile uint64_t *)pages[i] != (id << 32 | i);
	hogs->checked++;
	if (id % 2)
		_exit(0);
	pause();
}

static void test_hogs(struct p2pmem *m)
{
	struct hogs *hogs = mmap(NULL, PAGE, PROT_READ | PROT_WRITE,
				 MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	pid_t pids[HOGS];

	if (hogs == MAP_FAILED)
		bail_out("mmap");
	for (int i = 0; i < HOGS; i++) {
		pids[i] = fork();
		if (!pids[i])
			hog(m, hogs, i);
	}
	while (hogs->checked < HOGS)
		usleep(10000);
	check(available(m) == 0 || hogs->pages == m->start / PAGE, "they took all there is");
	for (int i = 0; i < HOGS; i++) {
		if (i % 2 == 0)
			kill(pids[i], SIGKILL);
		waitpid(pids[i], NULL, 0);
	}
	check(hogs->pages == m->start / PAGE, "together %zu of %zu pages", (size_t)hogs->pages,
	      m->start / PAGE);
	check(!hogs->odd_errors, "the end of it is ENOMEM");
	check(!hogs->not_mine, "no page was given to two processes");
	munmap(hogs, PAGE);
}

static void test_cycles(struct p2pmem *m)
{
	int refusals = 0;

	for (int i = 0; i < CYCLES; i++) {
		size_t length = (1 + i % 7) * PAGE;
		volatile uint8_t *p = map(m, length);

		if (p == MAP_FAILED) {
			refusals++;
			continue;
		}
		p[0] = (uint8_t)i;
		p[length - 1] = (uint8_t)i;
		munmap((void *)p, length);
	}
	check(!refusals, "%d of %d were refused", refusals, CYCLES);
	note("%d cycles of mmap() and munmap()", CYCLES);
}

static void *stress(void *data)
{
	const struct p2pmem *m = data;
	intptr_t wrong = 0;

	for (int i = 0; i < STRESS_ROUNDS; i++) {
		size_t length = (1 + i % 7) * PAGE;
		volatile uint8_t *p = map(m, length);

		if (p == MAP_FAILED)
			continue;
		p[0] = (uint8_t)i;
		p[length - 1] = (uint8_t)i;
		wrong += p[0] != (uint8_t)i;
		munmap((void *)p, length);
	}
	return (void *)wrong;
}

static void test_threads(struct p2pmem *m)
{
	pthread_t threads[STRESS_THREADS];
	intptr_t wrong = 0;

	for (int i = 0; i < STRESS_THREADS; i++)
		pthread_create(&threads[i], NULL, stress, m);
	for (int i = 0; i < STRESS_THREADS; i++) {
		void *result;

		pthread_join(threads[i], &result);
		wrong += (intptr_t)result;
	}
	check(!wrong, "threads that map at once get memory of their own");
}

/* ---- parts of a mapping ---- */

static void test_pieces(struct p2pmem *m)
{
	size_t length = 16 * PAGE;
	char *p = must_map(m, length);

	fill(p, length, 2);
	munmap(p, 2 * PAGE);
	check(available_becomes(m, m->start - length + 2 * PAGE), "the head comes back");
	munmap(p + 7 * PAGE, 3 * PAGE);
	check(available_becomes(m, m->start - length + 5 * PAGE), "the middle comes back");
	munmap(p + 14 * PAGE, 2 * PAGE);
	check(available_becomes(m, m->start - length + 7 * PAGE), "the tail comes back");
	check(holds(p, 2 * PAGE, 7 * PAGE, 2) && holds(p, 10 * PAGE, 14 * PAGE, 2),
	      "the other pages keep their content");
	check(signal_of_read(p + 8 * PAGE) == SIGSEGV, "the hole is one");
	munmap(p, length);
}

static void test_mremap_move(struct p2pmem *m)
{
	size_t length = 16 * PAGE;
	char *p = must_map(m, length), *place, *moved;

	fill(p, length, 3);
	place = mmap(NULL, length, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	moved = mremap(p, length, length, MREMAP_MAYMOVE | MREMAP_FIXED, place);
	check(moved == place && holds(place, 0, length, 3), "all of it moves");
	check(signal_of_read(p) == SIGSEGV, "and leaves nothing");

	moved = mremap(place + 4 * PAGE, 4 * PAGE, 4 * PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, p);
	check(moved == p && *(uint64_t *)p == pattern_word(4 * PAGE, 3), "a part of it moves");
	check(holds(place, 0, 4 * PAGE, 3) && holds(place, 8 * PAGE, length, 3), "the rest stays");
	check(available(m) == m->start - length, "moving takes and gives nothing");
	munmap(p, 4 * PAGE);
	check(available_becomes(m, m->start - length + 4 * PAGE), "the part comes back");

	/* glibc passes the last argument with MREMAP_FIXED only */
	moved = (char *)syscall(SYS_mremap, place, 4 * PAGE, 4 * PAGE,
				MREMAP_MAYMOVE | MREMAP_DONTUNMAP, 0);
	if (check(moved != MAP_FAILED, "MREMAP_DONTUNMAP: %s", strerror(errno))) {
		check(holds(moved, 0, 4 * PAGE, 3), "takes the pages along");
		check(signal_of_read(place) == SIGBUS, "and leaves none behind");
		munmap(moved, 4 * PAGE);
	}
	munmap(place, length);
}

static void test_mremap_resize(struct p2pmem *m)
{
	size_t length = 16 * PAGE, kept = 8 * PAGE;
	char *p = must_map(m, length), *other;

	fill(p, length, 4);
	check(mremap(p, length, kept, 0) == p && available_becomes(m, m->start - kept),
	      "shrinking gives back");
	other = mremap(p, kept, kept + 4 * PAGE, MREMAP_MAYMOVE);
	if (other != MAP_FAILED) {
		p = other;
		check(signal_of_read(p + kept) == SIGBUS && signal_of_write(p + kept) == SIGBUS,
		      "what it grows by is SIGBUS");
	}
	check(holds(p, 0, kept, 4), "what was there stays");
	check(available(m) == m->start - kept, "growing does not allocate");

	other = mremap(p, 0, kept, MREMAP_MAYMOVE);
	if (other != MAP_FAILED) {
		check(signal_of_read(other) == SIGBUS, "a duplicate has no memory");
		munmap(other, kept);
	}
	munmap(p, kept + 4 * PAGE);
}

static void test_mprotect(struct p2pmem *m)
{
	size_t length = 8 * PAGE;
	char *p = must_map(m, length);

	fill(p, length, 5);
	mprotect(p + 2 * PAGE, 2 * PAGE, PROT_NONE);
	check(signal_of_read(p + 2 * PAGE) == SIGSEGV, "PROT_NONE in the middle is SIGSEGV");
	check(!signal_of_read(p + PAGE) && !signal_of_read(p + 4 * PAGE), "and nowhere else");
	mprotect(p, length, PROT_READ);
	check(signal_of_write(p) == SIGSEGV && holds(p, 0, length, 5),
	      "PROT_READ is no more than that");
	mprotect(p, length, PROT_READ | PROT_WRITE);
	check(holds(p, 0, length, 5), "everything stays");
	fill(p, length, 6);
	check(holds(p, 0, length, 6), "and can be written again");
	check(available(m) == m->start - length, "nothing is taken or given");
	munmap(p, length);
}

/* Advice that may be taken or refused, but changes nothing that can be seen. */
static void check_harmless(struct p2pmem *m, char *p, size_t length)
{
	static const struct {
		int advice;
		const char *name;
	} harmless[] = {
		{ MADV_NORMAL, "NORMAL" },
		{ MADV_RANDOM, "RANDOM" },
		{ MADV_SEQUENTIAL, "SEQUENTIAL" },
		{ MADV_WILLNEED, "WILLNEED" },
		{ MADV_FREE, "FREE" },
		{ MADV_REMOVE, "REMOVE" },
		{ MADV_MERGEABLE, "MERGEABLE" },
		{ MADV_HUGEPAGE, "HUGEPAGE" },
		{ MADV_COLLAPSE, "COLLAPSE" },
		{ MADV_COLD, "COLD" },
		{ MADV_PAGEOUT, "PAGEOUT" },
		{ MADV_DONTDUMP, "DONTDUMP" },
		{ MADV_WIPEONFORK, "WIPEONFORK" },
		{ MADV_POPULATE_READ, "POPULATE_READ" },
		{ MADV_POPULATE_WRITE, "POPULATE_WRITE" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(harmless); i++) {
		int ret = madvise(p + PAGE, length - 2 * PAGE, harmless[i].advice);

		note("MADV_%s: %s", harmless[i].name, ret ? strerror(errno) : "taken");
		check(holds(p, 0, length, 7) && available(m) == m->start - length,
		      "MADV_%s does no harm", harmless[i].name);
	}
}

static void test_madvise(struct p2pmem *m)
{
	size_t length = 8 * PAGE;
	char *p = must_map(m, length);
	pid_t pid;

	fill(p, length, 7);
	check_harmless(m, p, length);

	check(!madvise(p, length, MADV_DONTFORK), "MADV_DONTFORK");
	pid = fork();
	if (!pid)
		_exit(signal_of_read(p) != SIGSEGV);
	check(child_succeeds(pid), "a child does not have it");
	check(!madvise(p, length, MADV_DOFORK), "MADV_DOFORK");
	pid = fork();
	if (!pid)
		_exit(!holds(p, 0, length, 7));
	check(child_succeeds(pid), "a child has it again");

	check(!madvise(p + 2 * PAGE, 2 * PAGE, MADV_DONTNEED), "MADV_DONTNEED");
	check(available_becomes(m, m->start - length + 2 * PAGE), "gives the pages back");
	check(signal_of_read(p + 2 * PAGE) == SIGBUS && signal_of_write(p + 3 * PAGE) == SIGBUS,
	      "and never brings any again");
	check(holds(p, 0, 2 * PAGE, 7) && holds(p, 4 * PAGE, length, 7), "the others stay");
	munmap(p, length);
}

/* The kernel has no business to lock, sync or migrate this memory. */
static void test_other_calls(struct p2pmem *m)
{
	size_t length = 8 * PAGE;
	char *p = must_map(m, length);
	unsigned char resident[8];
	void *pages[1] = { p };
	unsigned long nodes = 1;
	int node = 0, status = 0;

	fill(p, length, 8);
	mlock(p, length);
	munlock(p, length);
	mlockall(MCL_CURRENT | MCL_FUTURE);
	munlockall();
	msync(p, length, MS_SYNC);
	msync(p, length, MS_ASYNC | MS_INVALIDATE);
	check(!mincore(p, length, resident), "mincore(): %s", strerror(errno));
	syscall(SYS_mbind, p, length, 2, &nodes, 64, 2 | 1); /* MPOL_BIND, MOVE | STRICT */
	syscall(SYS_move_pages, 0, 1, pages, &node, &status, 2);
	note("move_pages() says %d", status);
	check(holds(p, 0, length, 8), "everything stays");
	check(available(m) == m->start - length, "nothing is taken or given");
	/* Of the sysfs file it is a new mapping, which is fine. */
	if (!m->is_sysfs)
		check(syscall(SYS_remap_file_pages, p, PAGE, 0, 1, 0),
		      "remap_file_pages() is refused");
	munmap(p, length);
}

/* ---- several processes ---- */

static void test_fork(struct p2pmem *m)
{
	size_t length = 8 * PAGE;
	char *p = must_map(m, length);
	int to_child;
	pid_t pid;

	pid = fork_waiting(&to_child);
	close(to_child);
	waitpid(pid, NULL, 0);
	fill(p, length, 9);
	check(holds(p, 0, length, 9) && available(m) == m->start - length,
	      "the parent keeps the memory when its child ends");

	pid = fork();
	if (!pid) {
		fill(p, length, 10);
		munmap(p, 4 * PAGE);
		_exit(0);
	}
	check(child_succeeds(pid) && holds(p, 0, length, 10), "they share it");
	check(available(m) == m->start - length, "what the child unmaps the parent keeps");

	pid = fork_waiting(&to_child);
	munmap(p, length);
	check(available(m) == m->start - length,
	      "the child keeps the memory when its parent unmaps it");
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	close(to_child);
	check(available_becomes(m, m->start), "killing the child gives it back");
}

/* Each generation unmaps a page and leaves the rest to the next. */
static void test_generations(struct p2pmem *m)
{
	char *p = must_map(m, 8 * PAGE), verdict;
	int ends[2];
	pid_t pid;

	if (pipe(ends))
		bail_out("pipe");
	fill(p, 8 * PAGE, 11);
	pid = fork();
	for (int i = 0; !pid && i < 7; i++) {
		munmap(p + i * PAGE, PAGE);
		if (fork())
			_exit(0);
		if (i == 6 && write(ends[1], holds(p, 7 * PAGE, 8 * PAGE, 11) ? "y" : "n", 1) == 1)
			_exit(0);
	}
	if (!pid)
		_exit(0);
	waitpid(pid, NULL, 0);
	munmap(p, 8 * PAGE);
	close(ends[1]);
	check(read(ends[0], &verdict, 1) == 1 && verdict == 'y', "the last one has the last page");
	close(ends[0]);
}

static void test_exec(struct p2pmem *m)
{
	pid_t pid = fork();

	if (!pid) {
		must_map(m, 8 * PAGE);
		execl("/bin/true", "true", NULL);
		_exit(1);
	}
	check(child_succeeds(pid), "exec()");
}

static const struct p2pmem_test tests[] = {
	{ "mmap() takes what it should and refuses the rest", test_arguments },
	{ "a file opened for reading", test_read_only },
	{ "the file is closed while mapped", test_closed_file },
	{ "all of it, in one piece", test_exhaustion },
	{ "all of it, by 8 processes at once", test_hogs },
	{ "10000 cycles", test_cycles },
	{ "threads", test_threads },
	{ "munmap() of head, middle and tail", test_pieces },
	{ "mremap() moves", test_mremap_move },
	{ "mremap() shrinks, grows and duplicates", test_mremap_resize },
	{ "mprotect()", test_mprotect },
	{ "madvise()", test_madvise },
	{ "locking, syncing, migrating, remapping", test_other_calls },
	{ "fork(), and either one ends first", test_fork },
	{ "eight generations of processes", test_generations },
	{ "exec()", test_exec },
};

int main(int argc, char **argv)
{
	struct p2pmem m = { 0 };

	if (argc != 3) {
		fputs("usage: p2pmem_mmap FILE P2PMEM_DIR\n", stderr);
		return 2;
	}
	deadline(900);
	p2pmem_open(&m, argv[1], argv[2]);
	return run_tests(&m, tests, ARRAY_SIZE(tests));
}
