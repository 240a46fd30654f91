/* SPDX-License-Identifier: MIT */
/* Calls that may take long, for worker threads: errno would be lost there, so it is the result. */
#include <errno.h>
#include <unistd.h>

#include "p2pdma.h"

int p2p_fdatasync(int fd)
{
	int ret;

	do {
		ret = fdatasync(fd);
	} while (ret < 0 && errno == EINTR);
	return ret < 0 ? -errno : 0;
}

int64_t p2p_pread(int fd, void *buffer, uint64_t length, uint64_t offset)
{
	ssize_t ret;

	do {
		ret = pread(fd, buffer, length, (off_t)offset);
	} while (ret < 0 && errno == EINTR);
	return ret < 0 ? -errno : ret;
}
