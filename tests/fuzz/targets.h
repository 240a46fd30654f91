/* SPDX-License-Identifier: MIT */
/* What a fuzzer program offers; entry.c drives it. */
#ifndef P2P_FUZZ_TARGETS_H
#define P2P_FUZZ_TARGETS_H

#include "kit.h"

void fuzz_setup(void);
void fuzz_one(struct input *input);

#endif
