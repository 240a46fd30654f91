/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the selftests of p2pmem in user space have in common: TAP output, the
 * memory under test, and signals as return values.
 */
#ifndef P2PMEM_KIT_H
#define P2PMEM_KIT_H

#include <limits.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define PAGE 4096UL
#define MAX_DRIVES 8
#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))

/* A provider, and the file through which its memory is mapped. */
struct p2pmem {
	char file[PATH_MAX];	/* /dev/nvmeX, or the file "allocate" */
	char dir[PATH_MAX];	/* the folder p2pmem in sysfs */
	char pci[PATH_MAX];	/* the PCI function's folder in sysfs */
	bool is_sysfs;		/* file is dir/allocate */
	int fd;
	size_t start;		/* what was available at the beginning */
	const char *drives[MAX_DRIVES];
	int nr_drives;
};

struct p2pmem_test {
	const char *name;
	void (*run)(struct p2pmem *m);
};

/*
 * Runs all tests, or those whose names contain what $P2PMEM_ONLY says. Every one
 * ends with the check that all memory is available again. Returns the exit
 * status: 0 all passed or skipped, 1 some failed.
 */
int run_tests(struct p2pmem *m, const struct p2pmem_test *tests, int count);

/* Both return whether all is well; a failure is printed, and fails the test. */
#define check(ok, ...) check_at(ok, __FILE__, __LINE__, __VA_ARGS__)
bool check_at(bool ok, const char *file, int line, const char *format, ...)
	__attribute__((format(printf, 4, 5)));

/* Marks the test as skipped; it returns next. */
void skip(const char *why);

/* A line for people. */
void note(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* The machine is not as it must be: ends the program. */
void __attribute__((noreturn)) bail_out(const char *what);

/* A hang ends the program after so many seconds; 0 calls it off. */
void deadline(unsigned int seconds);

/* Parses FILE and P2PMEM_DIR and opens the file. */
void p2pmem_open(struct p2pmem *m, const char *file, const char *dir);

size_t available(const struct p2pmem *m);
/* Pages come back with their last reference, which may be a moment later. */
bool available_becomes(const struct p2pmem *m, size_t bytes);

void *map(const struct p2pmem *m, size_t length);
void *must_map(const struct p2pmem *m, size_t length);

/* Words all over the memory, for each seed others; few, as access is slow. */
void fill(void *p, size_t length, uint64_t seed);
bool holds(const void *p, size_t from, size_t to, uint64_t seed);
uint64_t pattern_word(size_t offset, uint64_t seed);

/* 0, or the signal that the access raised. For any thread. */
int signal_of_read(const void *p);
int signal_of_write(void *p);

/* Forks a child that ends when its parent writes to, or closes, *to_child. */
pid_t fork_waiting(int *to_child);
/* Whether the child ended with status 0. */
bool child_succeeds(pid_t pid);

/* 0, or a negative errno. */
int write_text(const char *path, const char *text);
/*
 * The same by another process, one that has no part in our memory: a write that
 * hangs cannot even be killed. Returns whether it went well, bails out when it
 * takes longer than so many seconds.
 */
bool tell_kernel(const char *path, const char *text, unsigned int seconds);
/* The first line of a file; false if there is none. */
bool read_text(const char *path, char *text, size_t size);

#endif
