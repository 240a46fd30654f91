/* SPDX-License-Identifier: MIT */
/*
 * How near the pump comes to what its slots and its devices allow. Time is
 * virtual and the devices are a model: a request waits its turn, is served (one
 * after the other: the bandwidth), and comes back after the latency (any number
 * at once). The bound is what Little's law and the slower device leave.
 */
#include <time.h>

#include "fixture.h"
#include "kit.h"
#include "pace.h"
#include "ring.h"

#define CHUNK		131072u
#define CHUNKS		4000u
#define MOST_SLOTS	64u
#define US		1000ull

struct device {
	uint64_t latency_ns;
	uint64_t service_ns;	/* of one request; 0: no limit */
	uint64_t free_at;
};

static struct {
	uint64_t now;
	struct device devices[2];
	uint64_t done_at[MOST_SLOTS];	/* 0: nothing asked of this slot */
	uint32_t length[MOST_SLOTS];
	struct p2p_request queued[MOST_SLOTS];
	uint32_t queued_count;
	uint64_t prepare_ns;	/* CPU time of the kernel for each request; a batch reaches the device when all are ready */
	uint64_t wake_ns;	/* from a completion to the thread that waits for it */
	uint64_t submits;
} world;

int __wrap_clock_gettime(clockid_t clock, struct timespec *time);
int __wrap_clock_gettime(clockid_t clock, struct timespec *time)
{
	(void)clock;
	time->tv_sec = (time_t)(world.now / 1000000000);
	time->tv_nsec = (long)(world.now % 1000000000);
	return 0;
}

int __wrap_nanosleep(const struct timespec *time, struct timespec *rest);
int __wrap_nanosleep(const struct timespec *time, struct timespec *rest)
{
	(void)rest;
	world.now += (uint64_t)time->tv_sec * 1000000000 + (uint64_t)time->tv_nsec;
	return 0;
}

int p2p_ring_open(const struct p2p_pump_job *job, struct p2p_ring **out)
{
	MUST(job->slot_count <= MOST_SLOTS);
	*out = NULL;
	return 0;
}

void p2p_ring_close(struct p2p_ring *ring)
{
	(void)ring;
}

void p2p_ring_queue(struct p2p_ring *ring, const struct p2p_request *request)
{
	(void)ring;
	CHECK_EQ(world.done_at[request->slot], 0);
	world.queued[world.queued_count++] = *request;
}

static void start(const struct p2p_request *request)
{
	struct device *device = &world.devices[request->direction];
	uint64_t from = device->free_at > world.now ? device->free_at : world.now;

	device->free_at = from + device->service_ns;
	world.done_at[request->slot] = from + device->service_ns + device->latency_ns;
	world.length[request->slot] = request->length;
}

void p2p_ring_submit(struct p2p_ring *ring, uint32_t least)
{
	(void)ring;
	if (world.queued_count < least || !world.queued_count)
		return;
	world.submits++;
	world.now += world.queued_count * world.prepare_ns;
	for (uint32_t i = 0; i < world.queued_count; i++)
		start(&world.queued[i]);
	world.queued_count = 0;
}

int p2p_ring_wait(struct p2p_ring *ring, uint64_t wait_ns, struct p2p_completion *completions)
{
	uint64_t first;
	int count = 0;

	p2p_ring_submit(ring, 1);
	first = world.now + wait_ns;
	for (uint32_t i = 0; i < MOST_SLOTS; i++) {
		if (world.done_at[i] && world.done_at[i] < first)
			first = world.done_at[i];
	}
	if (first > world.now)
		world.now = first + world.wake_ns;
	for (uint32_t i = 0; i < MOST_SLOTS; i++) {
		if (!world.done_at[i] || world.done_at[i] > world.now)
			continue;
		world.done_at[i] = 0;
		completions[count++] = (struct p2p_completion){ i, (int32_t)world.length[i] };
	}
	return count;
}

struct setting {
	uint32_t slots;
	uint64_t read_us, write_us;	/* latency */
	uint64_t read_service_us, write_service_us;
	uint64_t prepare_us, wake_us;
};

static uint64_t longer(uint64_t a, uint64_t b)
{
	return a > b ? a : b;
}

/* Per chunk, in nanoseconds: what the slots allow, or the slower device. */
static uint64_t bound_ns(const struct setting *is)
{
	uint64_t cycle = is->read_us + is->write_us + is->read_service_us + is->write_service_us +
			 2 * (is->prepare_us + is->wake_us);
	uint64_t device = longer(is->read_service_us, is->write_service_us) * US;

	return longer(cycle * US / is->slots, device);
}

static double share_of_bound(const struct setting *is)
{
	const struct p2p_extent extent = { 0, 0, (uint64_t)CHUNKS * CHUNK };
	struct fixture fixture;

	memset(&world, 0, sizeof(world));
	world.prepare_ns = is->prepare_us * US;
	world.wake_ns = is->wake_us * US;
	world.devices[P2P_READ] = (struct device){ is->read_us * US, is->read_service_us * US, 0 };
	world.devices[P2P_WRITE] = (struct device){ is->write_us * US, is->write_service_us * US, 0 };
	fixture_open(&fixture, &extent, 1, is->slots, CHUNK, 4096);
	CHECK_EQ(p2p_pump_run(&fixture.job), 0);
	CHECK_EQ(fixture.status.chunks_done, CHUNKS);
	fixture_close(&fixture);
	return (double)bound_ns(is) * CHUNKS / (double)world.now;
}

static void check_share(const struct setting *settings, size_t count, double least)
{
	char message[160];

	for (size_t i = 0; i < count; i++) {
		double share = share_of_bound(&settings[i]);

		snprintf(message, sizeof(message), "%u slots, read %lu+%lu us, write %lu+%lu us: %.4f",
			 settings[i].slots, settings[i].read_us, settings[i].read_service_us,
			 settings[i].write_us, settings[i].write_service_us, share);
		if (share < least || share > 1)
			kit_fail(__FILE__, __LINE__, message);
		else if (getenv("P2PDMA_SHOW"))
			printf("# %s\n", message);
	}
}

/* Nothing but the slots limits: one is always on its way, whichever side is the slow one. */
static void keeps_every_slot_busy(void)
{
	static const struct setting settings[] = {
		{ 8, 10000, 10000, 0, 0, 0, 0 },
		{ 8, 2000, 10000, 0, 0, 0, 0 },
		{ 8, 10000, 2000, 0, 0, 0, 0 },
		{ 32, 100, 10000, 0, 0, 0, 0 },
		{ 32, 10000, 100, 0, 0, 0, 0 },
		{ 1, 80, 20, 0, 0, 0, 0 },
	};

	check_share(settings, COUNT(settings), 0.97);
}

/* The slower device limits: it never idles, though reads and writes share the slots. */
static void keeps_the_slower_device_busy(void)
{
	static const struct setting settings[] = {
		{ 16, 100, 100, 20, 60, 0, 0 },
		{ 16, 100, 100, 60, 20, 0, 0 },
		{ 16, 2000, 10000, 100, 1000, 0, 0 },
		{ 16, 10000, 2000, 1000, 100, 0, 0 },
		{ 8, 80, 20, 30, 30, 0, 0 },
		{ 64, 10000, 10, 400, 390, 0, 0 },
	};

	check_share(settings, COUNT(settings), 0.97);
}

/*
 * Devices that answer all at once, and a kernel that takes its time for each
 * request: slots that wait for each other's would lose 3 % here, and 12 %.
 */
static void lets_no_slot_wait_for_others(void)
{
	static const struct setting settings[] = {
		{ 8, 10000, 10000, 0, 0, 50, 100 },
		{ 32, 10000, 10000, 0, 0, 50, 100 },
		{ 32, 2000, 10000, 0, 0, 25, 100 },
	};

	check_share(settings, COUNT(settings), 0.98);
}

/* Where requests come and go faster than that, they are submitted together. */
static void submits_together_what_comes_fast(void)
{
	static const struct setting is = { 32, 400, 400, 0, 0, 25, 100 };

	share_of_bound(&is);
	CHECK(world.submits < 2 * CHUNKS / 8);
}

int main(void)
{
	static const struct kit_test tests[] = {
		{ "p2p_pump_run() keeps every slot busy", keeps_every_slot_busy },
		{ "p2p_pump_run() lets no slot wait for others", lets_no_slot_wait_for_others },
		{ "p2p_pump_run() submits together what comes fast", submits_together_what_comes_fast },
		{ "p2p_pump_run() keeps the slower device busy", keeps_the_slower_device_busy },
	};

	return kit_main(tests, COUNT(tests));
}
