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
#include <stdlib.h>
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

/* The CPUs that will be sampled, of those that are online. */
static struct cpulist usable_cpus(const struct plan *plan)
{
	struct cpulist cpus = { 0 };

	for (uint32_t cpu = 0; cpu < plan->cpu_limit; cpu++) {
		if (!cpulist_has(&plan->wanted, cpu) || !cpulist_has(&plan->online, cpu))
			continue;
		cpus.bits[cpu / 64] |= UINT64_C(1) << (cpu % 64);
		cpus.count++;
	}
	return cpus;
}

static bool same_event(const struct event_spec *a, const struct event_spec *b)
{
	return a->attr.type == b->attr.type && a->attr.config == b->attr.config &&
	       a->attr.config1 == b->attr.config1 && a->attr.config2 == b->attr.config2 &&
	       a->attr.precise_ip == b->attr.precise_ip && a->mode == b->mode &&
	       cpulist_equal(&a->cpus, &b->cpus);
}

static bool leads(const struct plan *plan, uint32_t leader, const struct event_spec *member)
{
	for (uint32_t i = plan->n_sampling; i < plan->n_events; i++)
		if (plan->events[i].leader == leader + 1 && same_event(&plan->events[i], member))
			return true;
	return false;
}

/* Is there a group that tells all that this one would? */
static bool has_group(const struct plan *plan, const struct event_spec *group, uint32_t n)
{
	for (uint32_t i = 0; i < plan->n_sampling; i++) {
		uint32_t found = 1;

		while (found < n && leads(plan, i, &group[found]))
			found++;
		if (found == n && same_event(&plan->events[i], &group[0]))
			return true;
	}
	return false;
}

/* Adds a group, unless it is there already: its leader behind the others, its members last. */
static int add_group(struct plan *plan, const struct event_spec *group, uint32_t n, char *err,
		     size_t err_bytes)
{
	if (has_group(plan, group, n))
		return 0;
	if (plan->n_sampling == MAX_EVENTS) {
		snprintf(err, err_bytes, "more than %d events that take samples; give fewer -e",
			 MAX_EVENTS);
		return -E2BIG;
	}
	uint32_t leader = plan->n_sampling++;
	memmove(&plan->events[leader + 1], &plan->events[leader],
		(plan->n_events - leader) * sizeof(plan->events[0]));
	plan->events[leader] = group[0];
	plan->events[leader].group_size = n > 1 ? n : 0;
	for (uint32_t i = 1; i < n; i++) {
		plan->events[plan->n_events + i] = group[i];
		plan->events[plan->n_events + i].leader = leader + 1;
		plan->events[plan->n_events + i].place = i;
	}
	plan->n_events += n;
	return 0;
}

static bool is_hardware(const struct event_spec *spec)
{
	return spec->attr.type != PERF_TYPE_SOFTWARE;
}

/* A member that is not there, that does not fit, or whose counter another has. */
static bool can_do_without(int error)
{
	return error == -ENOENT || error == -EOPNOTSUPP || error == -EINVAL || error == -EBUSY;
}

static int fail_event(const struct event_spec *spec, int error, const char *why, char *err,
		      size_t err_bytes)
{
	snprintf(err, err_bytes, "cannot open event '%s': %s", spec->typed, why);
	return error;
}

/* A leader that does not open here: cpu-clock in its place and alone, or an error. */
static int stand_in(struct plan *plan, const struct options *o, const struct event_spec *group,
		    uint32_t n, int error, char *err, size_t err_bytes)
{
	const struct event_spec *leader = &group[0];
	char why[PMU_ERROR_BYTES];
	struct event_spec clock;

	pmu_explain(error, leader, why, sizeof(why));
	if (o->strict || !is_hardware(leader) || (error != -ENOENT && error != -EOPNOTSUPP))
		return fail_event(leader, error, why, err, err_bytes);
	error = pmu_parse("cpu-clock", &clock, 1, err, err_bytes);
	if (error < 0)
		return error;
	snprintf(clock.requested, sizeof(clock.requested), "%s", leader->typed);
	clock.mode = leader->mode;
	clock.cpus = leader->cpus;
	memcpy(clock.modifier, leader->modifier, sizeof(clock.modifier));
	plan_notice(plan, "cpu-clock stands in for '%s'%s: %s", leader->typed,
		    n > 1 ? ", without the others of its group" : "", why);
	return add_group(plan, &clock, 1, err, err_bytes);
}

/* The precise level that there is, for the one that was asked for. */
static int settle_precise(struct plan *plan, const struct options *o, struct event_spec *spec,
			  unsigned int cpu, char *err, size_t err_bytes)
{
	struct event_spec plain = *spec;
	uint32_t asked = spec->attr.precise_ip, failed;

	pmu_find_precise(spec, cpu);
	plain.attr = spec->attr;
	if (spec->precise_max || spec->attr.precise_ip == asked ||
	    pmu_probe(&plain, 1, cpu, &failed))
		return 0;
	if (o->strict) {
		snprintf(err, err_bytes,
			 "cannot open event '%s': no precise level %u here, %u at most; use :P for "
			 "the highest",
			 spec->typed, asked, spec->attr.precise_ip);
		return -EOPNOTSUPP;
	}
	plan_notice(plan, "%s: precise level %u lowered to %u, the highest that opens here",
		    spec->typed, asked, spec->attr.precise_ip);
	return 0;
}

/* Adds what opens of a group on a CPU; changes it. */
static int add_opening(struct plan *plan, const struct options *o, struct event_spec *group,
		       uint32_t n, unsigned int cpu, char *err, size_t err_bytes)
{
	char why[PMU_ERROR_BYTES];
	uint32_t failed;
	int error = settle_precise(plan, o, &group[0], cpu, err, err_bytes);

	if (error)
		return error;
	while ((error = pmu_probe(group, n, cpu, &failed))) {
		if (!failed)
			return stand_in(plan, o, group, n, error, err, err_bytes);
		if (group[0].precise_max && group[0].attr.precise_ip) {
			/* The best level may be on a PMU of its own (IBS): then it is not the best.
			 */
			group[0].attr.precise_ip = 0;
			continue;
		}
		pmu_explain_member(error, group, failed, cpu, why, sizeof(why));
		if (o->strict || !can_do_without(error))
			return fail_event(&group[failed], error, why, err, err_bytes);
		plan_notice(plan, "'%s' is left out of the group of '%s': %s", group[failed].typed,
			    group[0].typed, why);
		n--;
		memmove(&group[failed], &group[failed + 1], (n - failed) * sizeof(group[0]));
	}
	return add_group(plan, group, n, err, err_bytes);
}

/* Adds the groups of a list, each as far as it opens. */
static int add_list(struct plan *plan, const struct options *o, struct event_spec *list, uint32_t n,
		    char *err, size_t err_bytes)
{
	const struct cpulist cpus = usable_cpus(plan);
	char why[PMU_ERROR_BYTES];
	bool somewhere = false;
	int error = 0;

	for (uint32_t i = 0, size; i < n && !error; i += size) {
		unsigned int cpu = pmu_cpu_for(&list[i], &cpus);

		size = pmu_group_size(list, n, i);
		if (cpu == CPULIST_MAX)
			continue; /* of a kind of core that is not to be sampled */
		somewhere = true;
		error = add_opening(plan, o, &list[i], size, cpu, err, err_bytes);
	}
	if (error || somewhere)
		return error;
	pmu_explain(-ENODEV, &list[0], why, sizeof(why));
	return fail_event(&list[0], -ENODEV, why, err, err_bytes);
}

static int add_named(struct plan *plan, const struct options *o, const char *text, char *err,
		     size_t err_bytes)
{
	struct event_spec *list = calloc(PLAN_EVENTS_MAX, sizeof(*list));
	char why[PMU_ERROR_BYTES] = "out of memory; end other programs";
	int n = list ? pmu_parse(text, list, PLAN_EVENTS_MAX, why, sizeof(why)) : -ENOMEM;
	int error = n;

	if (n < 0)
		snprintf(err, err_bytes, "cannot open event '%.120s': %s", text, why);
	else
		error = add_list(plan, o, list, (uint32_t)n, err, err_bytes);
	free(list);
	return error;
}

/* With --strict, --hw-events is an error where there are no cycles. */
static int require_cycles(const struct cpulist *cpus, char *err, size_t err_bytes)
{
	struct event_spec cycles[MAX_EVENTS];
	char why[PMU_ERROR_BYTES];
	uint32_t failed;
	int n = pmu_parse("cycles", cycles, MAX_EVENTS, err, err_bytes);

	for (int i = 0; i < n; i++) {
		unsigned int cpu = pmu_cpu_for(&cycles[i], cpus);
		int error = cpu == CPULIST_MAX ? 0 : pmu_probe(&cycles[i], 1, cpu, &failed);

		if (!error)
			continue;
		pmu_explain(error, &cycles[i], why, sizeof(why));
		return fail_event(&cycles[i], error, why, err, err_bytes);
	}
	return n < 0 ? n : 0;
}

static int add_hw_events(struct plan *plan, const struct options *o, char *err, size_t err_bytes)
{
	const struct cpulist cpus = usable_cpus(plan);
	struct event_spec hw[MAX_EVENTS * PMU_HW_EVENTS];
	char note[PMU_ERROR_BYTES];
	int error = o->strict ? require_cycles(&cpus, err, err_bytes) : 0;

	if (error)
		return error;
	int n = pmu_hw_events(hw, sizeof(hw) / sizeof(hw[0]), &cpus, note, sizeof(note));
	if (n < 0 || (note[0] && o->strict)) {
		snprintf(err, err_bytes, "cannot open hardware events: %s", note);
		return n < 0 ? n : -EOPNOTSUPP;
	}
	if (note[0])
		plan_notice(plan, "%s", note);
	for (uint32_t i = 0, size; i < (uint32_t)n && !error; i += size) {
		size = pmu_group_size(hw, (uint32_t)n, i);
		error = add_group(plan, &hw[i], size, err, err_bytes);
	}
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

	for (uint32_t i = 0; i < plan->n_sampling; i++) {
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
	double bytes_per_second = 0, sample_bytes = RING_SAMPLE_BYTES;
	size_t bytes = RING_BYTES_MIN, most = RING_BYTES_MAX;

	if (o->call_graph == CALL_GRAPH_DWARF) {
		sample_bytes += SNAPSHOT_RECORD_HEADER + o->snapshot_bytes;
		most = RING_SNAPSHOTS_MAX;
	}
	while (bytes < RING_SNAPSHOTS * (size_t)o->snapshot_bytes)
		bytes *= 2;

	for (uint32_t i = 0; i < plan->n_sampling; i++) {
		uint32_t counters = plan->events[i].group_size;
		double counts = counters ? 8 + COUNTS_RECORD_HEADER + 8.0 * counters : 0;

		if (!plan->interval_ns[i]) {
			plan->ring_bytes = RING_BYTES_UNKNOWN;
			return;
		}
		bytes_per_second += 1e9 / (double)plan->interval_ns[i] * (sample_bytes + counts);
	}
	while (bytes < most && (double)bytes < bytes_per_second * RING_SECONDS)
		bytes *= 2;
	plan->ring_bytes = bytes;
	plan->ring_ns = (uint64_t)((double)bytes / bytes_per_second * 1e9);
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
