/* SPDX-License-Identifier: MIT */
/* nvme.c: the command's fields, and what is made of its status. */
#include <stdarg.h>
#include <sys/ioctl.h>

#include "kit.h"
#include "nvme.h"

static struct {
	int fd;
	unsigned long request;
	struct nvme_passthru_cmd command;
	int result;
	int error;
} seen;

int __wrap_ioctl(int fd, unsigned long request, ...);
int __wrap_ioctl(int fd, unsigned long request, ...)
{
	va_list list;

	va_start(list, request);
	memcpy(&seen.command, va_arg(list, void *), sizeof(seen.command));
	va_end(list);
	seen.fd = fd;
	seen.request = request;
	errno = seen.error;
	return seen.error ? -1 : seen.result;
}

static const struct p2p_pump_job job = {
	.nvme[P2P_COMPARE].fd = 7,
	.nvme[P2P_COMPARE].nsid = 3,
	.nvme[P2P_COMPARE].lba_bytes = 4096,
	.nvme[P2P_COMPARE].base = 5ull << 44,
	.nvme[P2P_COMPARE].max_bytes = 65536,
};

static const struct p2p_request request = {
	.address = 0x123456789000,
	.offset = 0x7000,
	.length = 0x3000,
	.direction = P2P_COMPARE,
};

static void fills_the_command(void)
{
	struct nvme_uring_cmd command = p2p_nvme_command(&job, &request);

	CHECK_EQ(command.opcode, 0x05);
	CHECK_EQ(command.nsid, 3);
	CHECK_EQ(command.addr, 0x123456789000);
	CHECK_EQ(command.data_len, 0x3000);
	CHECK_EQ(command.cdw10, 7);
	CHECK_EQ(command.cdw11, 5);
	CHECK_EQ(command.cdw12, 2);
	CHECK_EQ(command.metadata_len | command.cdw13 | command.cdw14 | command.cdw15, 0);
}

/* Each direction has its opcode and its namespace. */
static void tells_directions_apart(void)
{
	static const uint8_t opcodes[] = { 0x02, 0x01, 0x05 };
	struct p2p_pump_job both = job;
	struct p2p_request one = request;

	both.nvme[P2P_READ] = (struct p2p_namespace){ .fd = 1, .nsid = 8, .lba_bytes = 512 };
	both.nvme[P2P_WRITE] = (struct p2p_namespace){ .fd = 2, .nsid = 9, .lba_bytes = 512, .base = 512 };
	for (uint32_t i = 0; i < P2P_DIRECTIONS; i++) {
		struct nvme_uring_cmd command;

		one.direction = (enum p2p_direction)i;
		command = p2p_nvme_command(&both, &one);
		CHECK_EQ(command.opcode, opcodes[i]);
		CHECK_EQ(command.nsid, both.nvme[i].nsid);
		CHECK_EQ(command.cdw10, i == P2P_COMPARE ? 7 : 0x38 + i);
		CHECK_EQ(command.cdw12, i == P2P_COMPARE ? 2 : 0x17);
	}
}

static void tells_results_apart(void)
{
	static const struct {
		int result;
		int32_t wanted;
	} cases[] = {
		{ 0, 0x3000 },
		{ 0x285, -EILSEQ },
		{ 0x4285, -EILSEQ },	/* do not retry */
		{ 0x6285, -EILSEQ },	/* and more */
		{ 0x281, -ENODATA },
		{ 0x4281, -ENODATA },
		{ 0x4001, -EOPNOTSUPP },
		{ 0x4002, -EINVAL },
		{ 0x4080, -ENXIO },
		{ 0x4081, -ENOSPC },
		{ 0x4020, -EROFS },
		{ 0x4182, -EROFS },
		{ 0x4280, -ENODATA },
		{ 0x6, -EIO },
		{ 0x371, -EIO },
		{ -EREMOTEIO, -EREMOTEIO },
		{ -EINTR, -EIO },
		{ -EAGAIN, -EAGAIN },
	};

	for (size_t i = 0; i < COUNT(cases); i++)
		CHECK_EQ(p2p_nvme_result(cases[i].result, 0x3000), cases[i].wanted);
}

static void compares_by_ioctl(void)
{
	seen.result = 0;
	CHECK_EQ(p2p_nvme_compare_now(&job, &request), 0x3000);
	CHECK_EQ(seen.fd, 7);
	CHECK(seen.request == NVME_IOCTL_IO_CMD);
	CHECK_EQ(seen.command.opcode, 0x05);
	CHECK_EQ(seen.command.cdw11, 5);
	CHECK_EQ(seen.command.timeout_ms, 0);
	seen.result = 0x4285;
	CHECK_EQ(p2p_nvme_compare_now(&job, &request), -EILSEQ);
	seen.error = EACCES;
	CHECK_EQ(p2p_nvme_compare_now(&job, &request), -EACCES);
}

int main(void)
{
	static const struct kit_test tests[] = {
		{ "p2p_nvme_command() fills the command", fills_the_command },
		{ "p2p_nvme_command() tells directions apart", tells_directions_apart },
		{ "p2p_nvme_result() tells results apart", tells_results_apart },
		{ "p2p_nvme_compare_now() compares by ioctl", compares_by_ioctl },
	};

	return kit_main(tests, COUNT(tests));
}
