/* SPDX-License-Identifier: MIT */
#include "nvme.h"

#include <errno.h>
#include <string.h>
#include <sys/ioctl.h>


/* Status code type (3 bits) and code (8 bits): NVM Express base specification, "Status Field". */
#define STATUS_MASK		0x7ff
#define STATUS_COMPARE_FAILURE	0x285

/* Both interfaces read the same 72 bytes. */
_Static_assert(sizeof(struct nvme_uring_cmd) == 72, "nvme_uring_cmd");
_Static_assert(sizeof(struct nvme_passthru_cmd) == 72, "nvme_passthru_cmd");

struct nvme_uring_cmd p2p_nvme_command(const struct p2p_pump_job *job,
				       const struct p2p_request *request)
{
	static const uint8_t opcodes[] = {
		[P2P_READ] = 0x02,
		[P2P_WRITE] = 0x01,
		[P2P_COMPARE] = 0x05,
	};
	const struct p2p_namespace *space = &job->nvme[request->direction];
	const uint64_t lba = (space->base + request->offset) / space->lba_bytes;

	return (struct nvme_uring_cmd){
		.opcode = opcodes[request->direction],
		.nsid = space->nsid,
		.addr = request->address,
		.data_len = request->length,
		.cdw10 = (uint32_t)lba,
		.cdw11 = (uint32_t)(lba >> 32),
		.cdw12 = request->length / space->lba_bytes - 1,
	};
}

/* In the kernel's words where it has some: ENODATA, for one, is a medium error. */
static int errno_of(int status)
{
	switch (status) {
	case STATUS_COMPARE_FAILURE:
		return EILSEQ;
	case 0x001: /* invalid opcode */
		return EOPNOTSUPP;
	case 0x002: /* invalid field in command */
	case 0x012: /* invalid use of controller memory buffer */
	case 0x013: /* PRP offset invalid */
		return EINVAL;
	case 0x00b: /* invalid namespace or format */
		return ENODEV;
	case 0x020: /* namespace is write protected */
	case 0x182: /* attempted write to read-only range */
		return EROFS;
	case 0x080: /* LBA out of range */
		return ENXIO;
	case 0x081: /* capacity exceeded */
		return ENOSPC;
	case 0x082: /* namespace not ready */
		return EBUSY;
	case 0x280: /* write fault */
	case 0x281: /* unrecovered read error */
	case 0x287: /* deallocated or unwritten logical block */
		return ENODATA;
	case 0x286: /* access denied */
		return EACCES;
	default:
		return EIO;
	}
}

int32_t p2p_nvme_result(int result, uint32_t length)
{
	if (!result)
		return (int32_t)length;
	/* Here the kernel's EINTR is a command it has cancelled after its time: a failed try. */
	if (result < 0)
		return result == -EINTR ? -EIO : result;
	return -errno_of(result & STATUS_MASK);
}

int32_t p2p_nvme_compare_now(const struct p2p_pump_job *job, const struct p2p_request *request)
{
	struct nvme_uring_cmd command = p2p_nvme_command(job, request);
	struct nvme_passthru_cmd argument;
	int ret;

	memcpy(&argument, &command, sizeof(argument));
	ret = ioctl(job->nvme[P2P_COMPARE].fd, NVME_IOCTL_IO_CMD, &argument);
	return p2p_nvme_result(ret < 0 ? -errno : ret, request->length);
}
