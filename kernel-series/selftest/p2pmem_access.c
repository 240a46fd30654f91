// SPDX-License-Identifier: GPL-2.0-only
/*
 * p2pmem in user space: who gets at a mapping. Drives do, by direct I/O; the
 * kernel's other ways to a process's memory have to refuse it, for they would
 * keep its pages or hand them to what cannot reach a device.
 *
 *   p2pmem_access [-d BLOCKDEV]... FILE P2PMEM_DIR
 *
 *   -d BLOCKDEV  a drive that reads into the memory; nothing is written to it
 *
 * The rest as with p2pmem_mmap.
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/aio_abi.h>
#include <linux/io_uring.h>
#include <linux/userfaultfd.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "p2pmem_kit.h"

#define LENGTH (8 * PAGE)
#define READ_LENGTH (64 * PAGE)
#define READS 8

/* ---- other ways in ---- */

static void test_proc_mem(struct p2pmem *m)
{
	char *p = must_map(m, LENGTH);
	int fd = open("/proc/self/mem", O_RDWR);
	uint64_t word = 0;

	if (fd < 0)
		bail_out("/proc/self/mem");
	fill(p, LENGTH, 1);
	check(pread(fd, &word, 8, (off_t)(uintptr_t)p) < 0 && errno == EIO, "reading is EIO");
	check(pwrite(fd, &word, 8, (off_t)(uintptr_t)p) < 0 && errno == EIO, "writing is EIO");
	check(holds(p, 0, LENGTH, 1), "the memory stays");
	close(fd);
	munmap(p, LENGTH);
}

/* A tracer cannot read the memory of the traced, a third process even less. */
static void test_ptrace(struct p2pmem *m)
{
	char *p = must_map(m, LENGTH);
	struct iovec local, remote = { p, 8 };
	uint64_t word = 0;
	pid_t pid;

	fill(p, LENGTH, 2);
	pid = fork();
	if (!pid) {
		ptrace(PTRACE_TRACEME, 0, NULL, NULL);
		raise(SIGSTOP);
		_exit(!holds(p, 0, LENGTH, 2));
	}
	munmap(p, LENGTH);
	waitpid(pid, NULL, 0);
	errno = 0;
	check(ptrace(PTRACE_PEEKDATA, pid, p, NULL) == -1 && errno == EIO, "PEEKDATA is EIO");
	check(ptrace(PTRACE_POKEDATA, pid, p, 0) == -1 && errno == EIO, "POKEDATA is EIO");
	local = (struct iovec){ &word, 8 };
	if (process_vm_readv(pid, &local, 1, &remote, 1, 0) < 0 && errno == ENOSYS)
		note("no process_vm_readv() here");
	else
		check(errno == EFAULT, "process_vm_readv() is EFAULT");
	if (process_vm_writev(pid, &local, 1, &remote, 1, 0) >= 0)
		check(false, "process_vm_writev() is refused");
	ptrace(PTRACE_CONT, pid, NULL, 0);
	check(child_succeeds(pid), "the traced process still has its memory");
}

/* The only file in a folder; the caller frees it. */
static char *slurp(const char *dir, size_t *size)
{
	struct dirent *entry;
	DIR *d = opendir(dir);
	char path[PATH_MAX], *bytes = NULL;
	int fd = -1;

	*size = 0;
	while (d && (entry = readdir(d))) {
		if (entry->d_name[0] == '.')
			continue;
		snprintf(path, sizeof(path), "%s/%s", dir, entry->d_name);
		fd = open(path, O_RDONLY);
		unlink(path);
	}
	if (d)
		closedir(d);
	if (fd < 0)
		return NULL;
	*size = lseek(fd, 0, SEEK_END);
	bytes = malloc(*size);
	if (bytes && pread(fd, bytes, *size, 0) != (ssize_t)*size)
		*size = 0;
	close(fd);
	return bytes;
}

static bool has_pattern(const char *bytes, size_t size, uint64_t seed)
{
	uint64_t words[2] = { pattern_word(0, seed), pattern_word(256, seed) };

	for (size_t i = 0; i + 264 <= size; i += 8)
		if (!memcmp(bytes + i, &words[0], 8) && !memcmp(bytes + i + 256, &words[1], 8))
			return true;
	return false;
}

static void __attribute__((noreturn)) crash(const struct p2pmem *m, const char *dir)
{
	struct rlimit unlimited = { RLIM_INFINITY, RLIM_INFINITY };
	void *ram = mmap(NULL, LENGTH, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	fill(must_map(m, LENGTH), LENGTH, 31);
	fill(ram, LENGTH, 32);
	setrlimit(RLIMIT_CORE, &unlimited);
	write_text("/proc/self/coredump_filter", "0xff");
	if (chdir(dir))
		_exit(1);
	signal(SIGABRT, SIG_DFL);
	abort();
}

static void test_core_dump(struct p2pmem *m)
{
	char dir[] = "/tmp/p2pmem-XXXXXX", old[256], *core;
	size_t size;
	int status;
	pid_t pid;

	if (!read_text("/proc/sys/kernel/core_pattern", old, sizeof(old)) || !mkdtemp(dir)) {
		skip("no core dumps here");
		return;
	}
	write_text("/proc/sys/kernel/core_pattern", "core");
	pid = fork();
	if (!pid)
		crash(m, dir);
	waitpid(pid, &status, 0);
	check(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT, "the process crashed");
	check(WCOREDUMP(status), "and dumped core");
	core = slurp(dir, &size);
	check(core && has_pattern(core, size, 32), "shared memory is in the core");
	check(core && !has_pattern(core, size, 31), "p2pmem is not");
	free(core);
	write_text("/proc/sys/kernel/core_pattern", old);
	rmdir(dir);
}

static void test_vmsplice(struct p2pmem *m)
{
	char *p = must_map(m, LENGTH);
	struct iovec part = { p, LENGTH };
	int ends[2];
	uint64_t word = 0;

	if (pipe(ends))
		bail_out("pipe");
	fill(p, LENGTH, 4);
	check(vmsplice(ends[1], &part, 1, 0) < 0, "the pages do not get into a pipe");
	note("vmsplice(): %s", strerror(errno));
	/* A copy by the CPU is something else. */
	check(write(ends[1], p, 8) == 8 && read(ends[0], &word, 8) == 8 &&
	      word == pattern_word(0, 4),
	      "their content does");
	close(ends[0]);
	close(ends[1]);
	munmap(p, LENGTH);
}

static void test_registered_buffers(struct p2pmem *m)
{
	struct io_uring_params params = { 0 };
	int ring = (int)syscall(SYS_io_uring_setup, 4, &params);
	struct iovec buffer = { NULL, LENGTH };
	char *p;

	if (ring < 0) {
		skip("no io_uring here");
		return;
	}
	p = must_map(m, LENGTH);
	buffer.iov_base = p;
	check(syscall(SYS_io_uring_register, ring, IORING_REGISTER_BUFFERS, &buffer, 1) < 0,
	      "registering it is refused");
	note("io_uring_register(): %s", strerror(errno));
	buffer.iov_base = p + PAGE;
	buffer.iov_len = PAGE;
	check(syscall(SYS_io_uring_register, ring, IORING_REGISTER_BUFFERS, &buffer, 1) < 0,
	      "registering a part of it is refused");
	close(ring);
	munmap(p, LENGTH);
}

static void test_userfaultfd(struct p2pmem *m)
{
	struct uffdio_register range = { .mode = UFFDIO_REGISTER_MODE_MISSING };
	struct uffdio_api api = { .api = UFFD_API };
	int fd = (int)syscall(SYS_userfaultfd, O_CLOEXEC);
	char *p;

	if (fd < 0) {
		skip("no userfaultfd() here");
		return;
	}
	p = must_map(m, LENGTH);
	range.range.start = (uintptr_t)p;
	range.range.len = LENGTH;
	check(!ioctl(fd, UFFDIO_API, &api) && ioctl(fd, UFFDIO_REGISTER, &range), "it is refused");
	close(fd);
	munmap(p, LENGTH);
}

/* Whoever looks at address spaces must cope with this one. */
static void test_proc_files(struct p2pmem *m)
{
	static const char *const files[] = {
		"maps", "smaps", "smaps_rollup", "numa_maps", "pagemap"
	};
	char path[64], buffer[4096], *p = must_map(m, LENGTH);

	fill(p, LENGTH, 5);
	for (size_t i = 0; i < ARRAY_SIZE(files); i++) {
		int fd;

		snprintf(path, sizeof(path), "/proc/self/%s", files[i]);
		fd = open(path, O_RDONLY);
		if (i == 4)
			lseek(fd, (uintptr_t)p / PAGE * 8, SEEK_SET);
		for (int n = 0; fd >= 0 && n < 64 && read(fd, buffer, sizeof(buffer)) > 0; n++)
			;
		close(fd);
	}
	snprintf(path, sizeof(path), "/proc/self/map_files/%lx-%lx", (unsigned long)p,
		 (unsigned long)p + LENGTH);
	if (!m->is_sysfs)
		check(open(path, O_RDWR) < 0, "the file behind the mapping cannot be opened");
	write_text("/proc/self/clear_refs", "1");
	write_text("/proc/self/clear_refs", "4");
	check(holds(p, 0, LENGTH, 5), "everything stays");
	munmap(p, LENGTH);
}

/* ---- DMA ---- */

static int open_drive(const char *drive)
{
	int fd = open(drive, O_RDONLY | O_DIRECT);

	if (fd < 0)
		bail_out(drive);
	return fd;
}

static void read_from(struct p2pmem *m, const char *drive)
{
	char *p = must_map(m, READ_LENGTH), *ram = aligned_alloc(PAGE, READ_LENGTH);
	int fd = open_drive(drive);
	ssize_t n;

	fill(p, READ_LENGTH, 6);
	n = pread(fd, p, READ_LENGTH, 0);
	check(n == (ssize_t)READ_LENGTH, "read from %s: %s", drive,
	      n < 0 ? strerror(errno) : "short");
	n = pread(fd, ram, READ_LENGTH, 0);
	check(n == (ssize_t)READ_LENGTH && !memcmp(p, ram, READ_LENGTH),
	      "what %s put there is what it puts into RAM", drive);

	mprotect(p, PAGE, PROT_READ);
	check(pread(fd, p, PAGE, 0) < 0 && errno == EFAULT, "into read-only memory: EFAULT");
	mprotect(p, PAGE, PROT_READ | PROT_WRITE);
	madvise(p + PAGE, PAGE, MADV_DONTNEED);
	check(pread(fd, p + PAGE, PAGE, 0) < 0 && errno == EFAULT,
	      "into what was given back: EFAULT");
	munmap(p + 4 * PAGE, PAGE);
	check(pread(fd, p + 4 * PAGE, PAGE, 0) < 0 && errno == EFAULT, "into the hole: EFAULT");
	check(pread(fd, p + 2 * PAGE, 4 * PAGE, 0) < (ssize_t)(4 * PAGE),
	      "across the hole: not whole");
	close(fd);
	free(ram);
	munmap(p, READ_LENGTH);
	check(available_becomes(m, m->start), "all of it comes back");
}

static void test_reads(struct p2pmem *m)
{
	for (int i = 0; i < m->nr_drives; i++)
		read_from(m, m->drives[i]);
	if (!m->nr_drives)
		skip("no drive was named");
}

/* Starts reads of one page each into consecutive pages; returns how many were accepted. */
static long start_reads(aio_context_t *aio, int fd, char *p)
{
	struct iocb requests[READS], *list[READS];

	*aio = 0;
	if (syscall(SYS_io_setup, READS, aio))
		bail_out("io_setup");
	for (int i = 0; i < READS; i++) {
		requests[i] = (struct iocb){
			.aio_lio_opcode = IOCB_CMD_PREAD,
			.aio_fildes = (uint32_t)fd,
			.aio_buf = (uintptr_t)(p + i * PAGE),
			.aio_nbytes = PAGE,
			.aio_offset = (int64_t)(i * PAGE),
		};
		list[i] = &requests[i];
	}
	return syscall(SYS_io_submit, *aio, READS, list);
}

static void finish_reads(aio_context_t aio, long count, const char *what)
{
	struct io_event events[READS];
	long n = syscall(SYS_io_getevents, aio, count, count, events, NULL);

	check(n == count, "%s: all reads end", what);
	for (long i = 0; i < n; i++)
		check(events[i].res == (int64_t)PAGE, "%s: read %ld: %lld", what, i,
		      (long long)events[i].res);
	syscall(SYS_io_destroy, aio);
}

/* Requests keep their pages, whatever happens to the mapping and the process. */
static void vanish_under_reads(struct p2pmem *m, const char *drive)
{
	int fd = open_drive(drive);
	aio_context_t aio;
	size_t left;
	pid_t pid;
	char *p;

	p = must_map(m, LENGTH);
	check(start_reads(&aio, fd, p) == READS, "io_submit: %s", strerror(errno));
	munmap(p, LENGTH);
	left = available(m);
	note("%s: %zu pages were held by reads in flight", drive, (m->start - left) / PAGE);
	finish_reads(aio, READS, "munmap()");
	check(available_becomes(m, m->start), "the memory comes back after munmap()");

	p = must_map(m, LENGTH);
	check(start_reads(&aio, fd, p) == READS, "io_submit: %s", strerror(errno));
	madvise(p, LENGTH, MADV_DONTNEED);
	pid = fork();
	if (!pid)
		_exit(0);
	child_succeeds(pid);
	finish_reads(aio, READS, "MADV_DONTNEED and fork()");
	munmap(p, LENGTH);
	check(available_becomes(m, m->start), "the memory comes back after MADV_DONTNEED");

	pid = fork();
	if (!pid) {
		start_reads(&aio, fd, must_map(m, LENGTH));
		kill(getpid(), SIGKILL);
	}
	waitpid(pid, NULL, 0);
	check(available_becomes(m, m->start), "the memory comes back after SIGKILL");
	close(fd);
}

static void test_vanishing(struct p2pmem *m)
{
	for (int i = 0; i < m->nr_drives; i++)
		vanish_under_reads(m, m->drives[i]);
	if (!m->nr_drives)
		skip("no drive was named");
}

static const struct p2pmem_test tests[] = {
	{ "/proc/PID/mem", test_proc_mem },
	{ "ptrace() and process_vm_readv()", test_ptrace },
	{ "core dump", test_core_dump },
	{ "vmsplice()", test_vmsplice },
	{ "registered buffers of io_uring", test_registered_buffers },
	{ "userfaultfd()", test_userfaultfd },
	{ "files in /proc that look at the mapping", test_proc_files },
	{ "drives read into it", test_reads },
	{ "unmapped and killed with reads in flight", test_vanishing },
};

int main(int argc, char **argv)
{
	struct p2pmem m = { 0 };
	int option;

	while ((option = getopt(argc, argv, "d:")) != -1)
		if (option == 'd' && m.nr_drives < MAX_DRIVES)
			m.drives[m.nr_drives++] = optarg;
		else
			optind = argc + 1;
	if (argc - optind != 2) {
		fputs("usage: p2pmem_access [-d BLOCKDEV]... FILE P2PMEM_DIR\n", stderr);
		return 2;
	}
	deadline(600);
	p2pmem_open(&m, argv[optind], argv[optind + 1]);
	return run_tests(&m, tests, ARRAY_SIZE(tests));
}
