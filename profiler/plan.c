// SPDX-License-Identifier: Apache-2.0
/*
 * plan.c - what the options come to on this machine: events, CPUs, filters, sizes, notices.
 *
 * Invariant: whatever differs from what the user asked for is in the notices, and with --strict it
 * is an error instead.
 */
#include "profiler/plan.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define ONLINE_CPUS   "/sys/devices/system/cpu/online"
#define POSSIBLE_CPUS "/sys/devices/system/cpu/possible"

/*
 * A CPU's ring holds what comes in RING_SECONDS, three rounds of the drain loop, so that it
 * may come late on a busy machine. 72 bytes a sample: 40 for itself in the ring, 32 for new stacks.
 * A ring that takes a snapshot now and then has room for some beside the samples; where every
 * sample has one, they decide.
 */
#define RING_SECONDS	   0.35
#define RING_SAMPLE_BYTES  72
#define RING_BYTES_MIN	   (64u << 10)
#define RING_BYTES_MAX	   (1u << 20)
#define RING_SNAPSHOTS	   8
#define RING_SNAPSHOTS_MAX (16u << 20)
/* With -c nobody knows the rate. */
#define RING_BYTES_UNKNOWN (512u << 10)

void plan_notice(struct plan *plan, const char *format, ...)
{
	va_list args;

	if (plan->n_notices == PLAN_NOTICES_MAX)
		return;
	va_start(args, format);
	vsnprintf(plan->notices[plan->n_notices++], PLAN_NOTICE_BYTES, format, args);
	va_end(args);
}

static int read_cpus(struct plan *plan, const struct options *o, char *err, size_t err_bytes)
{
	struct cpulist possible;
	int error = cpulist_read(ONLINE_CPUS, &plan->online);

	if (!error)
		error = cpulist_read(POSSIBLE_CPUS, &possible);
	if (error) {
		snprintf(err, err_bytes, "cannot read %s: %s; /sys must be mounted", POSSIBLE_CPUS,
			 strerror(-error));
		return error;
	}
	for (uint32_t cpu = 0; cpu < CPULIST_MAX; cpu++) {
		if (cpulist_has(&possible, cpu))
			plan->cpu_limit = cpu + 1;
		if (cpulist_has(&o->cpus, cpu) && !cpulist_has(&plan->online, cpu)) {
			snprintf(err, err_bytes, "CPU %u is not online; %s lists those that are",
				 cpu, ONLINE_CPUS);
			return -ENODEV;
		}
	}
	plan->wanted = o->cpus.count ? o->cpus : possible;
	return 0;
}

static uint32_t first_cpu(const struct plan *plan)
{
	uint32_t cpu = 0;

	while (cpu < plan->cpu_limit &&
	       !(cpulist_has(&plan->wanted, cpu) && cpulist_has(&plan->online, cpu)))
		cpu++;
	return cpu;
}

static bool has_event(const struct plan *plan, const struct event_spec *spec)
{
	for (uint32_t i = 0; i < plan->n_events; i++)
		if (plan->events[i].attr.type == spec->attr.type &&
		    plan->events[i].attr.config == spec->attr.config &&
		    plan->events[i].attr.config1 == spec->attr.config1 &&
		    plan->events[i].attr.config2 == spec->attr.config2 &&
		    plan->events[i].mode == spec->mode)
			return true;
	return false;
}

/* Adds an event, unless it is there already. */
static int add_event(struct plan *plan, const struct event_spec *spec, char *err, size_t err_bytes)
{
	if (has_event(plan, spec))
		return 0;
	if (plan->n_events == MAX_EVENTS) {
		snprintf(err, err_bytes, "more than %d events; give fewer -e", MAX_EVENTS);
		return -E2BIG;
	}
	plan->events[plan->n_events++] = *spec;
	return 0;
}

static bool is_hardware(const struct event_spec *spec)
{
	return spec->attr.type != PERF_TYPE_SOFTWARE;
}

/* An event that does not open here: cpu-clock in its place, or an error. */
static int stand_in(struct plan *plan, const struct options *o, const struct event_spec *spec,
		    int error, char *err, size_t err_bytes)
{
	char why[PMU_ERROR_BYTES];
	struct event_spec clock;

	pmu_explain(error, spec, why, sizeof(why));
	if (o->strict || !is_hardware(spec) || (error != -ENOENT && error != -EOPNOTSUPP)) {
		snprintf(err, err_bytes, "cannot open event '%s': %s", spec->name, why);
		return error;
	}
	error = pmu_parse("cpu-clock", &clock, err, err_bytes);
	if (error)
		return error;
	snprintf(clock.requested, sizeof(clock.requested), "%s", spec->name);
	clock.mode = spec->mode;
	memcpy(clock.modifier, spec->modifier, sizeof(clock.modifier));
	plan_notice(plan, "cpu-clock stands in for '%s': %s", spec->name, why);
	return add_event(plan, &clock, err, err_bytes);
}

static int add_named(struct plan *plan, const struct options *o, const char *name, char *err,
		     size_t err_bytes)
{
	char why[PMU_ERROR_BYTES];
	struct event_spec spec;
	int error = pmu_parse(name, &spec, why, sizeof(why));

	if (error) {
		snprintf(err, err_bytes, "cannot open event '%s': %s", name, why);
		return error;
	}
	error = pmu_probe(&spec, first_cpu(plan));
	if (error)
		return stand_in(plan, o, &spec, error, err, err_bytes);
	return add_event(plan, &spec, err, err_bytes);
}

static int add_hw_events(struct plan *plan, const struct options *o, char *err, size_t err_bytes)
{
	struct event_spec hw[PMU_HW_EVENTS];
	char note[PMU_ERROR_BYTES];
	int n, error = 0;

	if (o->strict) /* cycles or nothing: with --strict this is an error where it does not open
			*/
		error = add_named(plan, o, "cycles", err, err_bytes);
	if (error)
		return error;
	n = pmu_hw_events(hw, first_cpu(plan), note, sizeof(note));
	if (n < 0) {
		snprintf(err, err_bytes, "cannot open hardware events: %s", note);
		return n;
	}
	if (note[0])
		plan_notice(plan, "%s", note);
	for (int i = 0; i < n && !error; i++)
		error = add_event(plan, &hw[i], err, err_bytes);
	return error;
}

static int choose_events(struct plan *plan, const struct options *o, char *err, size_t err_bytes)
{
	int error = 0;

	if (o->hw_events)
		error = add_hw_events(plan, o, err, err_bytes);
	for (uint32_t i = 0; i < o->n_events && !error; i++)
		error = add_named(plan, o, o->events[i], err, err_bytes);
	if (!error && !plan->n_events)
		error = add_named(plan, o, "cpu-clock", err, err_bytes);
	return error;
}

static int set_rates(struct plan *plan, const struct options *o, char *err, size_t err_bytes)
{
	uint32_t max_hz = pmu_max_sample_rate();

	for (uint32_t i = 0; i < plan->n_events; i++) {
		struct event_spec *e = &plan->events[i];
		char note[PMU_ERROR_BYTES] = "";
		int error = o->count ? pmu_set_count(e, o->count, max_hz, note, sizeof(note))
				     : pmu_set_hz(e, o->hz, max_hz, note, sizeof(note));

		if (error || (note[0] && o->strict)) {
			snprintf(err, err_bytes, "cannot sample '%s' so: %s", e->name,
				 note[0] ? note : strerror(-error));
			return error ? error : -ERANGE;
		}
		/* One limit is one notice, however many events it meets. */
		if (note[0] &&
		    !(plan->n_notices && !strcmp(plan->notices[plan->n_notices - 1], note)))
			plan_notice(plan, "%s", note);
		if (e->asked_in_hz && e->granted)
			plan->interval_ns[i] = 1000000000u / e->granted;
		else if (e->clock)
			plan->interval_ns[i] = e->granted;
	}
	return 0;
}

static void size_rings(struct plan *plan, const struct options *o)
{
	double per_second = 0, sample_bytes = RING_SAMPLE_BYTES;
	size_t bytes = RING_BYTES_MIN, most = RING_BYTES_MAX;

	if (o->call_graph == CALL_GRAPH_DWARF) {
		sample_bytes += SNAPSHOT_RECORD_HEADER + o->snapshot_bytes;
		most = RING_SNAPSHOTS_MAX;
	}
	while (bytes < RING_SNAPSHOTS * (size_t)o->snapshot_bytes)
		bytes *= 2;

	for (uint32_t i = 0; i < plan->n_events; i++) {
		if (!plan->interval_ns[i]) {
			plan->ring_bytes = RING_BYTES_UNKNOWN;
			return;
		}
		per_second += 1e9 / (double)plan->interval_ns[i];
	}
	while (bytes < most && (double)bytes < per_second * RING_SECONDS * sample_bytes)
		bytes *= 2;
	plan->ring_bytes = bytes;
}

static int check_targets(const uint32_t *ids, uint32_t n, const char *what, char *err,
			 size_t err_bytes)
{
	for (uint32_t i = 0; i < n; i++) {
		if (kill((pid_t)ids[i], 0) == 0 || errno == EPERM)
			continue;
		snprintf(err, err_bytes, "cannot profile %s %u: no such %s; it may have ended",
			 what, ids[i], what);
		return -ESRCH;
	}
	return 0;
}

static int open_cgroups(struct plan *plan, const struct options *o, char *err, size_t err_bytes)
{
	for (uint32_t i = 0; i < o->n_cgroups; i++) {
		int fd = open(o->cgroups[i], O_RDONLY | O_DIRECTORY | O_CLOEXEC), error = -errno;

		if (fd < 0) {
			snprintf(err, err_bytes,
				 "cannot open cgroup '%s': %s; -G wants a directory of a cgroup2 "
				 "mount",
				 o->cgroups[i], strerror(-error));
			return error;
		}
		plan->cgroup_fds[plan->n_cgroups++] = fd;
	}
	return 0;
}

static int choose_targets(struct plan *plan, const struct options *o, char *err, size_t err_bytes)
{
	int error = check_targets(o->pids, o->n_pids, "process", err, err_bytes);

	if (!error)
		error = check_targets(o->tids, o->n_tids, "thread", err, err_bytes);
	if (!error)
		error = open_cgroups(plan, o, err, err_bytes);
	if (o->n_pids || (o->args && !o->all_cpus))
		plan->filter |= FILTER_TARGET_PID;
	if (o->n_tids)
		plan->filter |= FILTER_TARGET_TID;
	if (o->n_cgroups)
		plan->filter |= FILTER_CGROUP;
	if (o->idle)
		plan->filter |= FILTER_KEEP_IDLE;
	if (o->call_graph == CALL_GRAPH_NONE)
		plan->filter |= FILTER_NO_STACKS;
	return error;
}

int plan_make(struct plan *ret, const struct options *options, char *err, size_t err_bytes)
{
	int error;

	memset(ret, 0, sizeof(*ret));
	error = read_cpus(ret, options, err, err_bytes);
	if (!error)
		error = choose_targets(ret, options, err, err_bytes);
	if (!error)
		error = choose_events(ret, options, err, err_bytes);
	if (!error)
		error = set_rates(ret, options, err, err_bytes);
	if (error) {
		plan_release(ret);
		return error;
	}
	size_rings(ret, options);
	return 0;
}

void plan_release(struct plan *plan)
{
	for (uint32_t i = 0; i < plan->n_cgroups; i++)
		close(plan->cgroup_fds[i]);
	plan->n_cgroups = 0;
}
