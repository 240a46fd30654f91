/* SPDX-License-Identifier: MIT */
/* XXH3 of 64 bits, compiled in from the header of libxxhash. */
#include <errno.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

#include "p2pdma.h"

_Static_assert(sizeof(XXH3_state_t) <= P2P_HASH_STATE_BYTES, "P2P_HASH_STATE_BYTES");

static XXH3_state_t *state_at(uint64_t address)
{
	return address && address % 64 == 0 ? (XXH3_state_t *)(uintptr_t)address : NULL;
}

int p2p_hash_begin(uint64_t state)
{
	if (!state_at(state))
		return -EINVAL;
	XXH3_64bits_reset(state_at(state));
	return 0;
}

int p2p_hash_update(uint64_t state, uint64_t address, uint64_t length)
{
	if (!state_at(state) || (!address && length))
		return -EINVAL;
	XXH3_64bits_update(state_at(state), (const void *)(uintptr_t)address, length);
	return 0;
}

int p2p_hash_end(uint64_t state, uint64_t *digest)
{
	if (!state_at(state) || !digest)
		return -EINVAL;
	*digest = XXH3_64bits_digest(state_at(state));
	return 0;
}
