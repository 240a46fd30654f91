/* SPDX-License-Identifier: MIT */
/* The NVMe Compare command, as the kernel's passthrough interfaces take it. */
#ifndef P2P_NVME_H
#define P2P_NVME_H

#include <linux/nvme_ioctl.h>

#include "ring.h"

/* The command that compares the request's memory with its place on the namespace. */
struct nvme_uring_cmd p2p_nvme_compare(const struct p2p_pump_job *job,
				       const struct p2p_request *request);

/*
 * What came of it, as the ring reports results.
 * @result: of the kernel: a negative errno, or the NVMe status
 * Return: @length; -EILSEQ when the data differ; another negative errno.
 */
int32_t p2p_nvme_result(int result, uint32_t length);

/* Compares by ioctl(2). Return: as above. */
int32_t p2p_nvme_compare_now(const struct p2p_pump_job *job, const struct p2p_request *request);

#endif
