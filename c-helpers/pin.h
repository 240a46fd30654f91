/* SPDX-License-Identifier: MIT */
/* Keeps the pump's thread near its devices, and gives it back as it was. */
#ifndef P2P_PIN_H
#define P2P_PIN_H

#include <sched.h>
#include <stdbool.h>

#include "p2pdma.h"

struct p2p_pin {
	cpu_set_t before;
	bool pinned;
};

/*
 * Binds the calling thread to those CPUs of the job that it may use already.
 * Where there is none, or the job names none, it stays as it is.
 */
void p2p_pin(const struct p2p_pump_job *job, struct p2p_pin *pin);

void p2p_unpin(const struct p2p_pin *pin);

#endif
