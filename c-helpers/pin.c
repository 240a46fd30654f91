/* SPDX-License-Identifier: MIT */
#include "pin.h"

#include <sched.h>
#include <string.h>

/* Bytes of a CPU set and of a mask have the same order where the least significant byte comes first. */
_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "CPU masks");

void p2p_pin(const struct p2p_pump_job *job, struct p2p_pin *pin)
{
	const size_t bytes = job->cpu_bytes < sizeof(pin->before) ? job->cpu_bytes
								  : sizeof(pin->before);
	cpu_set_t wanted;

	pin->pinned = false;
	if (!bytes || sched_getaffinity(0, sizeof(pin->before), &pin->before))
		return;
	CPU_ZERO(&wanted);
	memcpy(&wanted, (const void *)(uintptr_t)job->cpus, bytes);
	CPU_AND(&wanted, &wanted, &pin->before);
	if (CPU_COUNT(&wanted))
		pin->pinned = !sched_setaffinity(0, sizeof(wanted), &wanted);
}

void p2p_unpin(const struct p2p_pin *pin)
{
	if (pin->pinned)
		sched_setaffinity(0, sizeof(pin->before), &pin->before);
}
