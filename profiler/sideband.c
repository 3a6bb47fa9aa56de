// SPDX-License-Identifier: Apache-2.0
/*
 * sideband.c - the kernel's own account of who runs what, merged over CPUs by time.
 *
 * The pending records are the unread part of the CPUs' own buffers: sideband_poll() looks how far
 * each is written, sideband_next() takes the earliest record of all CPUs in place and gives its
 * bytes back to the kernel with the next call. So there is no second copy to bound, and what does
 * not fit is dropped and counted by the kernel (LOST records).
 *
 * Invariant: records of one CPU are handed out in the kernel's order, and those of different
 * CPUs by time. (A LOST record is stamped a little later than the record behind it, which then
 * follows it with an earlier time.)
 */
#include "profiler/sideband.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "profiler/perfrecord.h"

#define NO_RECORD UINT64_MAX

struct lane {
	int cpu;
	int fd; /* -1 once the CPU went: what the buffer holds is still read */
	struct perfbuf buffer;
	uint64_t next_ns; /* time of the record at the tail, or NO_RECORD */
};

struct sideband {
	struct lane *lanes;
	int count;
	bool enabled;
	size_t buffer_bytes;
	struct lane *taken; /* the record handed out last is at its tail, taken_bytes long */
	uint64_t taken_bytes;
	struct sideband_stats stats;
	struct sideband_record record;
	uint8_t wrapped[PERFRECORD_MAX];
};

static size_t page_bytes(void)
{
	return (size_t)sysconf(_SC_PAGESIZE);
}

static size_t round_buffer(size_t wanted)
{
	size_t size = page_bytes();

	while (size < wanted && size < SIZE_MAX / 4)
		size *= 2;
	return size;
}

static int open_event(const struct sideband *sb, int cpu)
{
	struct perf_event_attr attr = {
		.type = PERF_TYPE_SOFTWARE,
		.size = sizeof(attr),
		.config = PERF_COUNT_SW_DUMMY,
		.sample_type = PERF_SAMPLE_TID | PERF_SAMPLE_TIME | PERF_SAMPLE_CPU,
		.disabled = 1,
		.mmap = 1,
		.mmap2 = 1,
		.comm = 1,
		.comm_exec = 1,
		.task = 1,
		.sample_id_all = 1,
		.watermark = 1,
		.wakeup_watermark = (uint32_t)(sb->buffer_bytes / 2),
		.use_clockid = 1,
		.clockid = CLOCK_BOOTTIME,
		.ksymbol = sb->stats.ksymbols,
		.build_id = sb->stats.build_ids,
	};
	long fd = syscall(SYS_perf_event_open, &attr, -1, cpu, -1, PERF_FLAG_FD_CLOEXEC);

	return fd < 0 ? -errno : (int)fd;
}

/* Kernels before 5.12 know no build ids in these records, before 5.1 no kernel symbols. */
static int open_event_fallback(struct sideband *sb, int cpu)
{
	int fd = open_event(sb, cpu);

	if (fd == -EINVAL && sb->stats.build_ids) {
		sb->stats.build_ids = false;
		fd = open_event(sb, cpu);
	}
	if (fd == -EINVAL && sb->stats.ksymbols) {
		sb->stats.ksymbols = false;
		fd = open_event(sb, cpu);
	}
	return fd;
}

static int lane_open(struct sideband *sb, struct lane *lane, int cpu)
{
	int fd = open_event_fallback(sb, cpu);
	void *page;

	if (fd < 0)
		return fd;
	page = mmap(NULL, page_bytes() + sb->buffer_bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd,
		    0);
	if (page == MAP_FAILED) {
		int err = -errno;

		close(fd);
		return err;
	}
	*lane = (struct lane){
		.cpu = cpu,
		.fd = fd,
		.buffer = { .page = page,
			    .data = (const uint8_t *)page + page_bytes(),
			    .size = sb->buffer_bytes },
		.next_ns = NO_RECORD,
	};
	return 0;
}

static void lane_close(const struct sideband *sb, struct lane *lane)
{
	if (lane->fd >= 0)
		close(lane->fd);
	munmap(lane->buffer.page, page_bytes() + sb->buffer_bytes);
}

static struct lane *find_lane(const struct sideband *sb, int cpu)
{
	for (int i = 0; i < sb->count; i++) {
		if (sb->lanes[i].cpu == cpu && sb->lanes[i].fd >= 0)
			return &sb->lanes[i];
	}
	return NULL;
}

int sideband_open(struct sideband **ret, const int *cpus, int cpu_count, size_t buffer_bytes)
{
	struct sideband *sb = calloc(1, sizeof(*sb));
	int err = 0;

	if (!sb)
		return -ENOMEM;
	sb->buffer_bytes = round_buffer(buffer_bytes);
	sb->stats.build_ids = true;
	sb->stats.ksymbols = true;
	for (int i = 0; i < cpu_count && !err; i++)
		err = sideband_add_cpu(sb, cpus[i]);
	if (err) {
		sideband_free(sb);
		return err;
	}
	*ret = sb;
	return 0;
}

void sideband_free(struct sideband *sb)
{
	if (!sb)
		return;
	for (int i = 0; i < sb->count; i++)
		lane_close(sb, &sb->lanes[i]);
	free(sb->lanes);
	free(sb);
}

int sideband_enable(struct sideband *sb)
{
	for (int i = 0; i < sb->count; i++) {
		if (sb->lanes[i].fd >= 0 && ioctl(sb->lanes[i].fd, PERF_EVENT_IOC_ENABLE, 0))
			return -errno;
	}
	sb->enabled = true;
	return 0;
}

/* Gives the record handed out last back to the kernel, and looks what is behind it. */
static void peek_next(struct sideband *sb, struct lane *lane)
{
	const struct perf_event_header *header;
	int err = perfbuf_peek(&lane->buffer, sb->wrapped, &header);

	if (err == -EBADMSG) {
		sb->stats.invalid++;
		lane->buffer.tail = lane->buffer.limit;
		perfbuf_release(&lane->buffer);
	}
	/* NO_RECORD is no time: a record that claims it would never be taken. */
	lane->next_ns = err ? NO_RECORD : perfrecord_time(header);
	if (!err && lane->next_ns == NO_RECORD)
		lane->next_ns--;
}

static void drop_taken(struct sideband *sb)
{
	struct lane *lane = sb->taken;

	if (!lane)
		return;
	lane->buffer.tail += sb->taken_bytes;
	perfbuf_release(&lane->buffer);
	sb->taken = NULL;
	peek_next(sb, lane);
}

int sideband_add_cpu(struct sideband *sb, int cpu)
{
	struct lane *lanes, lane;
	int err;

	drop_taken(sb); /* it points into the lanes */
	sideband_remove_cpu(sb, cpu);
	lanes = realloc(sb->lanes, ((size_t)sb->count + 1) * sizeof(*lanes));
	if (!lanes)
		return -ENOMEM;
	sb->lanes = lanes;
	err = lane_open(sb, &lane, cpu);
	if (err)
		return err;
	if (sb->enabled && ioctl(lane.fd, PERF_EVENT_IOC_ENABLE, 0)) {
		err = -errno;
		lane_close(sb, &lane);
		return err;
	}
	lanes[sb->count++] = lane;
	return 0;
}

void sideband_remove_cpu(struct sideband *sb, int cpu)
{
	struct lane *lane = find_lane(sb, cpu);

	if (!lane)
		return;
	/* The mapping keeps the buffer; sideband_poll() drops it when it is empty. */
	close(lane->fd);
	lane->fd = -1;
}

int sideband_fd(const struct sideband *sb, int cpu)
{
	const struct lane *lane = find_lane(sb, cpu);

	return lane ? lane->fd : -ENOENT;
}

void sideband_poll(struct sideband *sb)
{
	drop_taken(sb);
	for (int i = 0; i < sb->count; i++) {
		struct lane *lane = &sb->lanes[i];

		perfbuf_refresh(&lane->buffer);
		if (lane->next_ns == NO_RECORD)
			peek_next(sb, lane);
		if (lane->fd < 0 && lane->next_ns == NO_RECORD) {
			lane_close(sb, lane);
			*lane = sb->lanes[--sb->count];
			i--;
		}
	}
}

/* The lane with the earliest record; NULL when none has one up to @upto_ns. */
static struct lane *earliest(const struct sideband *sb, uint64_t upto_ns)
{
	struct lane *best = NULL;

	for (int i = 0; i < sb->count; i++) {
		struct lane *lane = &sb->lanes[i];

		if (lane->next_ns != NO_RECORD && lane->next_ns <= upto_ns &&
		    (!best || lane->next_ns < best->next_ns))
			best = lane;
	}
	return best;
}

/* Counts, and tells whether the record is for the caller. */
static bool take_record(struct sideband *sb, const struct perf_event_header *header)
{
	int err = perfrecord_decode(header, &sb->record);

	if (err == -EINVAL)
		sb->stats.invalid++;
	if (err)
		return false;
	if (sb->record.kind == SIDEBAND_LOST)
		sb->stats.lost += sb->record.lost;
	sb->stats.records++;
	return true;
}

const struct sideband_record *sideband_next(struct sideband *sb, uint64_t upto_ns)
{
	struct lane *lane;

	drop_taken(sb);
	while ((lane = earliest(sb, upto_ns))) {
		const struct perf_event_header *header;
		bool wanted;

		if (perfbuf_peek(&lane->buffer, sb->wrapped, &header)) {
			lane->next_ns = NO_RECORD;
			continue;
		}
		wanted = take_record(sb, header);
		sb->taken = lane;
		sb->taken_bytes = header->size;
		if (wanted)
			return &sb->record;
		drop_taken(sb);
	}
	return NULL;
}

void sideband_stats(const struct sideband *sb, struct sideband_stats *ret)
{
	*ret = sb->stats;
}
