/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdbool.h>
#include <unistd.h>

#include "job.h"

/*
 * A signal handler is the process's and gets no argument of ours, so what it
 * needs lies here. The mutex makes it one call's at a time; the thread and the
 * range tell that call's faults from all others, without touching thread-local
 * storage, which in a library loaded later is not safe in a handler.
 */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct {
	sigjmp_buf jump;
	struct sigaction previous;
	pid_t thread;		/* atomic; 0 between calls */
	uintptr_t start, end;
} touch;

static void pass_on(int number, siginfo_t *info, void *context)
{
	if (touch.previous.sa_flags & SA_SIGINFO) {
		touch.previous.sa_sigaction(number, info, context);
		return;
	}
	if (touch.previous.sa_handler == SIG_IGN && info->si_code <= 0)
		return;
	if (touch.previous.sa_handler != SIG_DFL && touch.previous.sa_handler != SIG_IGN) {
		touch.previous.sa_handler(number);
		return;
	}
	/* Delivered when the handler returns, and nothing stands in its way then. */
	sigaction(number, &(struct sigaction){ .sa_handler = SIG_DFL }, NULL);
	raise(number);
}

static void on_bus_error(int number, siginfo_t *info, void *context)
{
	uintptr_t address = (uintptr_t)info->si_addr;
	int error = errno;

	if (info->si_code > 0 && gettid() == __atomic_load_n(&touch.thread, __ATOMIC_RELAXED) &&
	    address >= touch.start && address < touch.end)
		siglongjmp(touch.jump, 1);
	pass_on(number, info, context);
	errno = error;
}

/* A blocked signal would end the process at the fault instead of being handled. */
static void unblock(sigset_t *previous)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGBUS);
	pthread_sigmask(SIG_UNBLOCK, &set, previous);
}

static int touch_pages(uint64_t address, uint64_t length, uint32_t page_bytes)
{
	struct sigaction action = { .sa_sigaction = on_bus_error, .sa_flags = SA_SIGINFO };
	int ret = 0;

	__atomic_store_n(&touch.thread, gettid(), __ATOMIC_RELAXED);
	touch.start = address;
	touch.end = address + length;
	sigemptyset(&action.sa_mask);
	/* Known before the handler is in place: another thread may fault at once. */
	if (sigaction(SIGBUS, NULL, &touch.previous) || sigaction(SIGBUS, &action, NULL))
		return -errno;

	if (sigsetjmp(touch.jump, 1) == 0) {
		for (uint64_t offset = 0; offset < length; offset += page_bytes)
			(void)*(const volatile uint8_t *)(uintptr_t)(address + offset);
	} else {
		ret = -ENOMEM;
	}
	sigaction(SIGBUS, &touch.previous, NULL);
	__atomic_store_n(&touch.thread, 0, __ATOMIC_RELAXED);
	return ret;
}

int p2p_prefault(uint64_t address, uint64_t length, uint32_t page_bytes)
{
	sigset_t mask;
	int ret;

	if (!address || !p2p_is_power_of_two(page_bytes) || address % page_bytes ||
	    length > UINTPTR_MAX - address)
		return -EINVAL;

	pthread_mutex_lock(&lock);
	unblock(&mask);
	ret = touch_pages(address, length, page_bytes);
	pthread_sigmask(SIG_SETMASK, &mask, NULL);
	pthread_mutex_unlock(&lock);
	return ret;
}
