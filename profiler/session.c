// SPDX-License-Identifier: Apache-2.0
/*
 * session.c - the perf events of a run, one per event and CPU, through CPU hotplug.
 *
 * Each event that takes samples has a small mapped buffer, for one purpose: the kernel tells of
 * throttling nowhere else. Samples never go there, they are the BPF program's. Events that only
 * count are in the group of one that takes samples, whose program reads them.
 *
 * Invariant: counts only grow. What an event counted before its CPU went away is kept.
 */
#include "profiler/session.h"

#include <errno.h>
#include <linux/perf_event.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "profiler/sampler.h"

/*
 * A throttled event leaves two records of 32 bytes a tick: 16 KB in the longest round of the drain
 * loop where a second has 1,000 ticks. A power of two.
 */
#define RECORD_PAGES 4

/* One event on one CPU. */
struct counter {
	int fd; /* -1 when not open */
	bool opened_once;
	void *buffer; /* a perf_event_mmap_page and RECORD_PAGES of records */
	uint64_t throttled_since;
	struct session_count past; /* of earlier fds; throttling also of this one */
};

struct session {
	struct event_spec *events;
	uint32_t n_events;
	struct cpulist cpus;
	struct sampler *sampler;
	uint32_t cpu_limit;
	bool enabled;
	size_t page;
	struct counter *counters; /* cpu * n_events + event */
};

static struct counter *counter_at(const struct session *s, uint32_t cpu, uint32_t event)
{
	return &s->counters[(size_t)cpu * s->n_events + event];
}

/* An event that takes samples: its program and its buffer. */
static int arm(struct session *s, struct counter *c, uint32_t event)
{
	c->buffer = mmap(NULL, (1 + RECORD_PAGES) * s->page, PROT_READ | PROT_WRITE, MAP_SHARED,
			 c->fd, 0);
	if (c->buffer == MAP_FAILED) {
		c->buffer = NULL;
		return -errno;
	}
	return ioctl(c->fd, PERF_EVENT_IOC_SET_BPF, sampler_program_fd(s->sampler, event)) ? -errno
											   : 0;
}

static bool samples(const struct session *s, uint32_t event)
{
	return !s->events[event].leader;
}

static void close_counter(struct session *s, uint32_t cpu, uint32_t event)
{
	struct counter *c = counter_at(s, cpu, event);

	const struct event_spec *e = &s->events[event];

	if (c->fd < 0)
		return;
	c->past = session_read(s, cpu, event);
	if (e->leader || e->group_size)
		sampler_clear_counter(s->sampler, cpu, e->leader ? e->leader - 1 : event, e->place);
	if (c->buffer)
		munmap(c->buffer, (1 + RECORD_PAGES) * s->page);
	c->buffer = NULL;
	close(c->fd);
	c->fd = -1;
	c->throttled_since = 0;
}

static int open_counter(struct session *s, uint32_t cpu, uint32_t event, int group_fd)
{
	struct counter *c = counter_at(s, cpu, event);
	int err;

	c->fd = pmu_open(&s->events[event], cpu, group_fd);
	if (c->fd < 0) {
		err = c->fd;
		c->fd = -1;
		return err;
	}
	err = samples(s, event) ? arm(s, c, event) : 0;
	if (err) {
		close_counter(s, cpu, event);
		return err;
	}
	c->opened_once = true;
	return 0;
}

static bool covers(const struct event_spec *e, uint32_t cpu)
{
	return !e->cpus.count || cpulist_has(&e->cpus, cpu);
}

/* Opens what the event of a group leads, and lets the programs read all of it. */
static int open_group(struct session *s, uint32_t cpu, uint32_t leader, uint32_t *ret_event)
{
	int group_fd = counter_at(s, cpu, leader)->fd, err = 0;

	if (s->events[leader].group_size)
		err = sampler_set_counter(s->sampler, cpu, leader, 0, group_fd);
	for (uint32_t i = 0; i < s->n_events && !err; i++) {
		if (s->events[i].leader != leader + 1 || !covers(&s->events[i], cpu))
			continue;
		*ret_event = i;
		err = open_counter(s, cpu, i, group_fd);
		if (!err)
			err = sampler_set_counter(s->sampler, cpu, leader, s->events[i].place,
						  counter_at(s, cpu, i)->fd);
	}
	return err;
}

static void close_cpu(struct session *s, uint32_t cpu)
{
	for (uint32_t i = s->n_events; i-- > 0;) /* those of a group before what leads it */
		close_counter(s, cpu, i);
}

/* Opens what is not open yet on a CPU. On failure *ret_event is the event. */
static int open_cpu(struct session *s, uint32_t cpu, uint32_t *ret_event)
{
	int err = sampler_add_ring(s->sampler, cpu);

	*ret_event = 0;
	for (uint32_t i = 0; i < s->n_events && !err; i++) {
		struct counter *c = counter_at(s, cpu, i);

		if (!samples(s, i) || c->fd >= 0 || !covers(&s->events[i], cpu))
			continue;
		*ret_event = i;
		err = open_counter(s, cpu, i, -1);
		if (!err)
			err = open_group(s, cpu, i, ret_event);
		if (!err && s->enabled && ioctl(c->fd, PERF_EVENT_IOC_ENABLE, 0))
			err = -errno;
		if (err)
			close_cpu(s, cpu);
	}
	return err;
}

static bool wanted(const struct session *s, uint32_t cpu)
{
	return cpulist_has(&s->cpus, cpu);
}

int session_open(struct session **ret, struct event_spec *events, uint32_t n_events,
		 const struct cpulist *cpus, const struct cpulist *online, struct sampler *sampler,
		 uint32_t cpu_limit, char *err, size_t err_bytes)
{
	struct session *s = calloc(1, sizeof(*s));
	uint32_t event;

	if (s)
		s->counters = calloc((size_t)cpu_limit * n_events, sizeof(*s->counters));
	if (!s || !s->counters) {
		free(s);
		snprintf(err, err_bytes, "out of memory");
		return -ENOMEM;
	}
	s->events = events;
	s->n_events = n_events;
	s->cpus = *cpus;
	s->sampler = sampler;
	s->cpu_limit = cpu_limit;
	s->page = (size_t)sysconf(_SC_PAGESIZE);
	for (size_t i = 0; i < (size_t)cpu_limit * n_events; i++)
		s->counters[i].fd = -1;
	for (uint32_t cpu = 0; cpu < cpu_limit; cpu++) {
		char why[PMU_ERROR_BYTES];
		int error = 0;

		if (wanted(s, cpu) && cpulist_has(online, cpu))
			error = open_cpu(s, cpu, &event);
		if (!error)
			continue;
		pmu_explain(error, &events[event], why, sizeof(why));
		snprintf(err, err_bytes, "cannot open event '%s' on CPU %u: %s",
			 events[event].typed, cpu, why);
		session_close(s);
		return error;
	}
	*ret = s;
	return 0;
}

void session_close(struct session *s)
{
	if (!s)
		return;
	for (uint32_t cpu = 0; cpu < s->cpu_limit; cpu++)
		close_cpu(s, cpu);
	free(s->counters);
	free(s);
}

/* Those that only count follow the event that leads them. */
static int switch_all(struct session *s, unsigned long request)
{
	int err = 0;

	for (uint32_t cpu = 0; cpu < s->cpu_limit; cpu++) {
		for (uint32_t i = 0; i < s->n_events; i++) {
			const struct counter *c = counter_at(s, cpu, i);

			if (samples(s, i) && c->fd >= 0 && ioctl(c->fd, request, 0) && !err)
				err = -errno;
		}
	}
	return err;
}

int session_enable(struct session *s)
{
	int err = switch_all(s, PERF_EVENT_IOC_ENABLE);

	s->enabled = !err;
	return err;
}

void session_disable(struct session *s)
{
	(void)switch_all(s, PERF_EVENT_IOC_DISABLE);
	s->enabled = false;
}

uint32_t session_hotplug(struct session *s, const struct cpulist *online, struct cpulist *ret_came)
{
	uint32_t changed = 0, event;

	memset(ret_came, 0, sizeof(*ret_came));
	for (uint32_t cpu = 0; cpu < s->cpu_limit; cpu++) {
		bool open = false, missing = false;

		for (uint32_t i = 0; i < s->n_events; i++) {
			if (counter_at(s, cpu, i)->fd >= 0)
				open = true;
			else if (covers(&s->events[i], cpu))
				missing = true;
		}
		if (open && !cpulist_has(online, cpu)) {
			close_cpu(s, cpu);
			changed++;
		} else if (missing && wanted(s, cpu) && cpulist_has(online, cpu) &&
			   open_cpu(s, cpu, &event) == 0) {
			ret_came->bits[cpu / 64] |= UINT64_C(1) << (cpu % 64);
			ret_came->count++;
			changed++;
		}
	}
	return changed;
}

bool session_has(const struct session *s, uint32_t cpu, uint32_t event)
{
	return counter_at(s, cpu, event)->opened_once;
}

/* THROTTLE and UNTHROTTLE records: a header, then time, id and stream id. */
struct throttle_record {
	struct perf_event_header header;
	uint64_t time;
};

/* Copies bytes out of the buffer, which a record may wrap around. */
static void copy_out(const struct session *s, const struct counter *c, uint64_t from, void *to,
		     size_t bytes)
{
	const uint8_t *data = (const uint8_t *)c->buffer + s->page;

	for (size_t i = 0; i < bytes; i++)
		((uint8_t *)to)[i] = data[(from + i) & (RECORD_PAGES * s->page - 1)];
}

/* Adds up how long the event was throttled, by the records since the last call. */
static void read_throttling(const struct session *s, struct counter *c)
{
	struct perf_event_mmap_page *control = c->buffer;
	/* Pairs with the kernel's store after the record's bytes, in perf_output_put_handle(). */
	uint64_t head = __atomic_load_n(&control->data_head, __ATOMIC_ACQUIRE);
	uint64_t tail = control->data_tail;

	while (tail < head) {
		struct throttle_record r;

		copy_out(s, c, tail, &r, sizeof(r));
		if (r.header.size < sizeof(r.header))
			break; /* cannot be: give up what is there */
		if (r.header.type == PERF_RECORD_THROTTLE) {
			c->throttled_since = r.time;
			c->past.throttles++;
		} else if (r.header.type == PERF_RECORD_UNTHROTTLE && c->throttled_since) {
			c->past.throttled_ns += r.time - c->throttled_since;
			c->throttled_since = 0;
		}
		tail += r.header.size;
	}
	/* Pairs with the kernel's load of the tail: our reads are done before it writes there. */
	__atomic_store_n(&control->data_tail, head, __ATOMIC_RELEASE);
}

void session_poll(struct session *s)
{
	for (size_t i = 0; i < (size_t)s->cpu_limit * s->n_events; i++)
		if (s->counters[i].buffer)
			read_throttling(s, &s->counters[i]);
}

struct session_count session_read(struct session *s, uint32_t cpu, uint32_t event)
{
	struct counter *c = counter_at(s, cpu, event);
	struct session_count r;
	uint64_t now[3]; /* count, enabled, running: PERF_FORMAT_TOTAL_TIME_* */

	if (c->buffer)
		read_throttling(s, c);
	r = c->past;
	if (c->fd >= 0 && read(c->fd, now, sizeof(now)) == (ssize_t)sizeof(now)) {
		r.count += now[0];
		r.enabled_ns += now[1];
		r.running_ns += now[2];
	}
	return r;
}
