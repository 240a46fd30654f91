/* SPDX-License-Identifier: MIT */
#include "locate.h"

void p2p_locator_init(struct p2p_locator *locator, uint32_t lba_bytes, uint32_t max_bytes)
{
	*locator = (struct p2p_locator){
		.lba_bytes = lba_bytes,
		.max_bytes = max_bytes,
		.piece = max_bytes,
	};
}

uint32_t p2p_locator_next(const struct p2p_locator *locator, uint32_t length)
{
	uint32_t rest = length - locator->done;

	return rest < locator->piece ? rest : locator->piece;
}

struct p2p_run p2p_locator_equal(struct p2p_locator *locator, uint32_t bytes)
{
	struct p2p_run ended = locator->run;

	locator->run.length = 0;
	locator->done += bytes;
	locator->piece = locator->piece < locator->max_bytes / 2 ? 2 * locator->piece
								: locator->max_bytes;
	return ended;
}

void p2p_locator_differs(struct p2p_locator *locator, uint32_t bytes)
{
	uint32_t lbas = bytes / locator->lba_bytes;

	locator->differs = true;
	if (lbas > 1) {
		locator->piece = lbas / 2 * locator->lba_bytes;
		return;
	}
	if (!locator->run.length)
		locator->run.offset = locator->done;
	locator->run.length += bytes;
	locator->done += bytes;
	locator->piece = locator->lba_bytes;
}
