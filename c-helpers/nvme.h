/* SPDX-License-Identifier: MIT */
/* NVMe Read, Write and Compare, as the kernel's passthrough interfaces take them. */
#ifndef P2P_NVME_H
#define P2P_NVME_H

#include <linux/nvme_ioctl.h>

#include "ring.h"

/* What the request asks for, of the namespace of its direction. */
struct nvme_uring_cmd p2p_nvme_command(const struct p2p_pump_job *job,
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
