/* SPDX-License-Identifier: MIT */
#include <pthread.h>
#include <setjmp.h>
#include <sys/mman.h>
#include <sys/wait.h>

#include "kit.h"
#include "p2pdma.h"

#define PAGE 4096u

/* A mapping of @pages pages of which only the first @backed can be touched. */
static uint64_t map_file(size_t pages, size_t backed)
{
	const char *folder = getenv("TMPDIR");
	char path[512];
	void *address;
	int fd;

	snprintf(path, sizeof(path), "%s/p2pdma-prefault-XXXXXX", folder ? folder : "/tmp");
	fd = mkstemp(path);
	MUST(fd >= 0 && !unlink(path) && !ftruncate(fd, (off_t)(backed * PAGE)));
	address = mmap(NULL, pages * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	MUST(address != MAP_FAILED);
	close(fd);
	return (uint64_t)(uintptr_t)address;
}

static void unmap(uint64_t address, size_t pages)
{
	munmap((void *)(uintptr_t)address, pages * PAGE);
}

static size_t count_resident(uint64_t address, size_t pages)
{
	unsigned char resident[64];
	size_t count = 0;

	MUST(pages <= sizeof(resident) &&
	     !mincore((void *)(uintptr_t)address, pages * PAGE, resident));
	for (size_t i = 0; i < pages; i++)
		count += resident[i] & 1;
	return count;
}

static void touches_every_page(void)
{
	uint64_t address = map_file(64, 64);

	CHECK_EQ(p2p_prefault(address, 63 * PAGE + 1, PAGE), 0);
	CHECK_EQ(count_resident(address, 64), 64);
	unmap(address, 64);
}

static void survives_a_mapping_that_runs_out(void)
{
	struct sigaction before, after;
	uint64_t address = map_file(16, 5);

	MUST(!sigaction(SIGBUS, NULL, &before));
	for (int i = 0; i < 100; i++) {
		CHECK_EQ(p2p_prefault(address, 16 * PAGE, PAGE), -ENOMEM);
		CHECK_EQ(p2p_prefault(address, 5 * PAGE, PAGE), 0);
	}
	MUST(!sigaction(SIGBUS, NULL, &after));
	CHECK(before.sa_sigaction == after.sa_sigaction);
	CHECK_EQ(before.sa_flags, after.sa_flags);
	unmap(address, 16);
}

static void works_with_the_signal_blocked(void)
{
	uint64_t address = map_file(4, 0);
	sigset_t set, found;

	sigemptyset(&set);
	sigaddset(&set, SIGBUS);
	MUST(!pthread_sigmask(SIG_BLOCK, &set, NULL));
	CHECK_EQ(p2p_prefault(address, PAGE, PAGE), -ENOMEM);
	MUST(!pthread_sigmask(SIG_UNBLOCK, &set, &found));
	CHECK(sigismember(&found, SIGBUS));
	CHECK_EQ(p2p_prefault(address, PAGE, PAGE), -ENOMEM);
	MUST(!pthread_sigmask(SIG_SETMASK, NULL, &found));
	CHECK(!sigismember(&found, SIGBUS));
	unmap(address, 4);
}

static void judges_its_arguments(void)
{
	uint64_t address = map_file(2, 2);

	CHECK_EQ(p2p_prefault(0, PAGE, PAGE), -EINVAL);
	CHECK_EQ(p2p_prefault(address, PAGE, 0), -EINVAL);
	CHECK_EQ(p2p_prefault(address, PAGE, 3000), -EINVAL);
	CHECK_EQ(p2p_prefault(address + 1, PAGE, PAGE), -EINVAL);
	CHECK_EQ(p2p_prefault(address, UINT64_MAX - PAGE, PAGE), -EINVAL);
	CHECK_EQ(p2p_prefault(address, 0, PAGE), 0);
	unmap(address, 2);
}

static void *prefault_in_turns(void *argument)
{
	uint64_t good = map_file(8, 8), bad = map_file(8, 3);
	unsigned int *wrong = argument;

	for (int i = 0; i < 300; i++) {
		*wrong += p2p_prefault(good, 8 * PAGE, PAGE) != 0;
		*wrong += p2p_prefault(bad, 8 * PAGE, PAGE) != -ENOMEM;
	}
	unmap(good, 8);
	unmap(bad, 8);
	return NULL;
}

static void takes_turns_between_threads(void)
{
	unsigned int wrong[6] = { 0 };
	pthread_t threads[6];

	for (size_t i = 0; i < COUNT(threads); i++)
		MUST(!pthread_create(&threads[i], NULL, prefault_in_turns, &wrong[i]));
	for (size_t i = 0; i < COUNT(threads); i++) {
		pthread_join(threads[i], NULL);
		CHECK_EQ(wrong[i], 0);
	}
}

/* A thread of the program that has faults of its own, with the program's handler. */
static sigjmp_buf own_jump;
static volatile sig_atomic_t own_faults, own_chained, is_done;

static void own_handler(int number, siginfo_t *info, void *context)
{
	struct sigaction current;

	(void)info;
	(void)context;
	sigaction(number, NULL, &current);
	own_chained += current.sa_sigaction != own_handler;
	own_faults++;
	siglongjmp(own_jump, 1);
}

/* What another thread prefaults without end, and what that must say each time. */
struct prefaulting {
	uint64_t address;
	uint64_t length;
	int wanted;
	unsigned int wrong;
};

static void *prefault_until_done(void *argument)
{
	struct prefaulting *range = argument;

	/* In small steps, so that the handler is in place most of the time. */
	while (!is_done)
		range->wrong += p2p_prefault(range->address, range->length, 16) != range->wanted;
	return NULL;
}

static void fault_until_chained(uint64_t address)
{
	for (int i = 0; i < 200000 && (i < 200 || own_chained < 20); i++) {
		if (sigsetjmp(own_jump, 1) == 0)
			(void)*(const volatile uint8_t *)(uintptr_t)address;
	}
}

/* This thread faults in the last page; the other one prefaults all or all but that. */
static void fault_beside(size_t prefaulted, int wanted)
{
	struct sigaction action = { .sa_sigaction = own_handler, .sa_flags = SA_SIGINFO }, before;
	uint64_t address = map_file(64, 63);
	struct prefaulting range = { address, prefaulted * PAGE, wanted, 0 };
	pthread_t thread;

	is_done = own_faults = own_chained = 0;
	MUST(!sigaction(SIGBUS, &action, &before));
	MUST(!pthread_create(&thread, NULL, prefault_until_done, &range));
	fault_until_chained(address + 63 * PAGE);
	is_done = 1;
	pthread_join(thread, NULL);
	CHECK_EQ(range.wrong, 0);
	CHECK(own_faults >= 200);
	CHECK(own_chained > 0);
	MUST(!sigaction(SIGBUS, &before, NULL));
	unmap(address, 64);
}

static void passes_foreign_faults_on(void)
{
	fault_beside(63, 0);
	fault_beside(64, -ENOMEM);
}

/* Return: how a process ended that got a SIGBUS of its own beside a prefault. */
static int end_by_signal(void (*handler)(int), bool is_fault)
{
	uint64_t address = map_file(64, 63);
	struct prefaulting range = { address, 63 * PAGE, 0, 0 };
	pthread_t thread;
	int status;
	pid_t child = fork();

	MUST(child >= 0);
	if (!child) {
		is_done = 0;
		signal(SIGALRM, SIG_DFL);
		alarm(20);
		signal(SIGBUS, handler);
		pthread_create(&thread, NULL, prefault_until_done, &range);
		usleep(20 * 1000);
		if (is_fault)
			(void)*(const volatile uint8_t *)(uintptr_t)(address + 63 * PAGE);
		else
			pthread_kill(pthread_self(), SIGBUS);
		usleep(20 * 1000);
		_exit(0);
	}
	MUST(waitpid(child, &status, 0) == child);
	unmap(address, 64);
	return status;
}

static void leaves_the_rest_to_the_kernel(void)
{
	for (int round = 0; round < 10; round++) {
		CHECK_EQ(end_by_signal(SIG_DFL, true), SIGBUS);
		CHECK_EQ(end_by_signal(SIG_IGN, true), SIGBUS);
		CHECK_EQ(end_by_signal(SIG_DFL, false), SIGBUS);
		CHECK_EQ(end_by_signal(SIG_IGN, false), 0);
	}
}

int main(void)
{
	static const struct kit_test tests[] = {
		{ "p2p_prefault() touches every page", touches_every_page },
		{ "p2p_prefault() survives a mapping that runs out",
		  survives_a_mapping_that_runs_out },
		{ "p2p_prefault() works with the signal blocked", works_with_the_signal_blocked },
		{ "p2p_prefault() judges its arguments", judges_its_arguments },
		{ "p2p_prefault() takes turns between threads", takes_turns_between_threads },
		{ "p2p_prefault() passes foreign faults on", passes_foreign_faults_on },
		{ "p2p_prefault() leaves the rest to the kernel", leaves_the_rest_to_the_kernel },
	};

	return kit_main(tests, COUNT(tests));
}
