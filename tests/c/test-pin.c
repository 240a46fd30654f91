/* SPDX-License-Identifier: MIT */
/* pin.c: which CPUs it asks for, and that it asks for the old ones again. */
#include "kit.h"
#include "pin.h"

static struct {
	cpu_set_t allowed;
	unsigned int calls;
	int error;
} thread;

int __wrap_sched_getaffinity(pid_t pid, size_t bytes, cpu_set_t *set);
int __wrap_sched_getaffinity(pid_t pid, size_t bytes, cpu_set_t *set)
{
	CHECK_EQ(pid, 0);
	memcpy(set, &thread.allowed, bytes);
	return 0;
}

int __wrap_sched_setaffinity(pid_t pid, size_t bytes, const cpu_set_t *set);
int __wrap_sched_setaffinity(pid_t pid, size_t bytes, const cpu_set_t *set)
{
	CHECK_EQ(pid, 0);
	thread.calls++;
	if (thread.error) {
		errno = thread.error;
		return -1;
	}
	memcpy(&thread.allowed, set, bytes);
	return 0;
}

/* The thread may run on CPUs 2 to 9 and 70. */
static void reset(void)
{
	memset(&thread, 0, sizeof(thread));
	for (int cpu = 2; cpu < 10; cpu++)
		CPU_SET(cpu, &thread.allowed);
	CPU_SET(70, &thread.allowed);
}

static struct p2p_pump_job job_for(uint8_t *mask, uint64_t bytes, const int *cpus, size_t count)
{
	memset(mask, 0, bytes);
	for (size_t i = 0; i < count; i++)
		mask[cpus[i] / 8] |= (uint8_t)(1u << cpus[i] % 8);
	return (struct p2p_pump_job){ .cpus = (uint64_t)(uintptr_t)mask, .cpu_bytes = bytes };
}

static void binds_to_what_is_allowed(void)
{
	static const int cpus[] = { 0, 1, 8, 9, 10, 70 };
	uint8_t mask[9];
	struct p2p_pump_job job = job_for(mask, sizeof(mask), cpus, COUNT(cpus));
	struct p2p_pin pin;

	reset();
	p2p_pin(&job, &pin);
	CHECK_EQ(CPU_COUNT(&thread.allowed), 3);
	CHECK(CPU_ISSET(8, &thread.allowed) && CPU_ISSET(9, &thread.allowed) &&
	      CPU_ISSET(70, &thread.allowed));
	p2p_unpin(&pin);
	CHECK_EQ(CPU_COUNT(&thread.allowed), 9);
	CHECK(CPU_ISSET(2, &thread.allowed) && CPU_ISSET(70, &thread.allowed));
}

static void leaves_the_thread_alone(const struct p2p_pump_job *job, unsigned int calls)
{
	struct p2p_pin pin;

	p2p_pin(job, &pin);
	CHECK_EQ(thread.calls, calls);
	CHECK_EQ(CPU_COUNT(&thread.allowed), 9);
	p2p_unpin(&pin);
	CHECK_EQ(thread.calls, calls);
}

static void stays_where_nothing_is_named(void)
{
	reset();
	leaves_the_thread_alone(&(struct p2p_pump_job){ 0 }, 0);
}

static void stays_where_nothing_is_allowed(void)
{
	static const int cpus[] = { 0, 1, 64, 4000 };
	uint8_t mask[501];
	struct p2p_pump_job job = job_for(mask, sizeof(mask), cpus, COUNT(cpus));

	reset();
	leaves_the_thread_alone(&job, 0);
}

static void stays_where_the_kernel_refuses(void)
{
	static const int cpus[] = { 5 };
	uint8_t mask[1];
	struct p2p_pump_job job = job_for(mask, sizeof(mask), cpus, COUNT(cpus));

	reset();
	thread.error = EINVAL;
	leaves_the_thread_alone(&job, 1);
}

int main(void)
{
	static const struct kit_test tests[] = {
		{ "p2p_pin() binds to what is allowed", binds_to_what_is_allowed },
		{ "p2p_pin() stays where nothing is named", stays_where_nothing_is_named },
		{ "p2p_pin() stays where nothing is allowed", stays_where_nothing_is_allowed },
		{ "p2p_pin() stays where the kernel refuses", stays_where_the_kernel_refuses },
	};

	return kit_main(tests, COUNT(tests));
}
