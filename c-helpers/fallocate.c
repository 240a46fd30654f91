/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <fcntl.h>

#include "p2pdma.h"

int p2p_fallocate(int fd, int mode, uint64_t offset, uint64_t length)
{
	int ret;

	do {
		ret = fallocate(fd, mode, (off_t)offset, (off_t)length);
	} while (ret < 0 && errno == EINTR);
	return ret < 0 ? -errno : 0;
}
