/* SPDX-License-Identifier: Apache-2.0 */
/*
 * pmu.h - sampling events: from a name to an open perf event.
 *
 * An event goes through pmu_parse() (name to type and config), pmu_probe() (whether it opens
 * here), one of pmu_set_hz() and pmu_set_count() (its rate, within the limits of this machine)
 * and pmu_open(), once per CPU. What :u, :k and the idle task filter is filtered in the BPF
 * program, not by the attribute, so that it can be counted.
 *
 * A group is an event that takes samples, the leader, and up to MAX_GROUP - 1 members right
 * behind it that only count, while the leader does. Its counters have to count the same thing,
 * so there :u and :k are in the attributes too.
 *
 * None of these functions prints. They may be called from one thread at a time.
 */
#ifndef PROFILER_PMU_H
#define PROFILER_PMU_H

#include <linux/perf_event.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "bpf/event.h"
#include "profiler/cpulist.h"

#define PMU_NAME_BYTES	128 /* libpfm4 names with unit masks are long */
#define PMU_ERROR_BYTES 256 /* enough for every message of this file */

/* A group of --hw-events has at most this many. */
#define PMU_HW_EVENTS 4

/**
 * struct event_spec - one event of the session, plain data
 * @name: as the user would type it, without modifiers: "cycles", "cpu_core/cycles/"
 * @typed: the same with modifiers, for messages: "cycles:u", "cpu_core/cycles/u"
 * @requested: what this event stands in for, "" if it is what was asked for
 * @modifier: "", "u" or "k"
 * @unit: what the period counts: "nanoseconds" or "count"
 * @mode: the modifier as the BPF program wants it
 * @leader: 0: takes samples; else 1 + index, in the list it is in, of the event that does and in
 *          whose samples the counts of this one travel
 * @place: in its group, as plan.c puts it together; 0 is the leader
 * @group_size: of one that leads, itself included, likewise; 0 when it leads none
 * @precise_max: :P, attr.precise_ip is what pmu_find_precise() finds
 * @clock: cpu-clock or task-clock: counts nanoseconds, and always has a fixed period
 * @asked_in_hz: asked and granted are Hz; otherwise they are a period
 * @asked: rate or period before limits; of a member 0, as @granted
 * @granted: the same after limits
 * @frequency_mode: the kernel moves the period to reach the rate
 * @weight_shift: weights are counts >> this, so that they fit 32 bits
 * @cpus: the CPUs that have this event, where its PMU is not on all; else empty
 * @attr: ready for perf_event_open() once a rate is set, of a member at once; precise_ip is the
 *        event's precise level
 */
struct event_spec {
	char name[PMU_NAME_BYTES];
	char typed[PMU_NAME_BYTES];
	char requested[PMU_NAME_BYTES];
	char modifier[4];
	char unit[16];
	enum mode_filter mode;
	uint32_t leader;
	uint32_t place;
	uint32_t group_size;
	bool precise_max;
	bool clock;
	bool asked_in_hz;
	bool frequency_mode;
	uint64_t asked;
	uint64_t granted;
	uint32_t weight_shift;
	struct cpulist cpus;
	struct perf_event_attr attr;
};

/**
 * pmu_parse() - turn what follows one -e into events
 * @text: names separated by commas, and groups: "cycles:u", "cpu-clock,page-faults",
 *        "{cycles,instructions}:u". A name is one of the kernel's generic events, rNNNN,
 *        pmu/terms/, a libpfm4 name or an event that a PMU has in sysfs, with an optional
 *        modifier of the letters u, k, p (up to three) and P
 * @ret: on success the events, each group's leader before its members; else undefined
 * @room: events that @ret has room for
 * @err: on failure, one line: cause; remedy (without "cannot open event")
 * @err_bytes: size of @err, PMU_ERROR_BYTES is enough
 *
 * Where the CPUs have several kinds of PMU a hardware event is one event for each of them.
 * Finding a name does not mean that the event opens here: see pmu_probe().
 *
 * Return: the number of events, at least 1; -ENOENT for an unknown event, -EOPNOTSUPP for one
 * that cannot be sampled or a modifier that is not supported, -EINVAL for a malformed text,
 * -E2BIG for more events than @room or MAX_GROUP allow.
 */
int pmu_parse(const char *text, struct event_spec *ret, uint32_t room, char *err, size_t err_bytes)
	__attribute__((warn_unused_result));

/**
 * pmu_max_sample_rate() - kernel.perf_event_max_sample_rate, in Hz
 *
 * The kernel lowers it at run time, so read it again to see a change.
 *
 * Return: the value, or the kernel's default of 100,000 where it cannot be read.
 */
uint32_t pmu_max_sample_rate(void);

/**
 * pmu_set_hz() - sample at a rate
 * @spec: from pmu_parse()
 * @hz: samples per second and CPU, more than 0
 * @max_hz: the limit, pmu_max_sample_rate()
 * @note: "" or one line for the user when the rate was lowered
 * @note_bytes: size of @note
 *
 * A clock event gets the fixed period 1e9 / hz, everything else frequency mode.
 *
 * Return: 0, or -EINVAL if @hz or @max_hz is 0.
 */
int pmu_set_hz(struct event_spec *spec, uint64_t hz, uint32_t max_hz, char *note, size_t note_bytes)
	__attribute__((warn_unused_result));

/**
 * pmu_set_count() - sample every @count counts (nanoseconds for a clock event)
 *
 * As pmu_set_hz(); the period of a clock event is raised to what the kernel can
 * do (10 us) and to what @max_hz allows.
 *
 * Return: 0, or -EINVAL if @count or @max_hz is 0 or @count over 2^62.
 */
int pmu_set_count(struct event_spec *spec, uint64_t count, uint32_t max_hz, char *note,
		  size_t note_bytes) __attribute__((warn_unused_result));

/**
 * pmu_open() - open an event on one CPU for all processes
 * @spec: with a rate unless it is a member; its rate is lowered (@granted and @attr change) if
 *        the kernel lowered the limit since it was set
 * @cpu: CPU number
 * @group_fd: the leader's descriptor on @cpu for a member, else -1
 *
 * An event that samples is opened disabled. A member is not: it counts whenever its leader does.
 *
 * read() gives three u64: count, time enabled, time running (ns). The THROTTLE
 * and UNTHROTTLE records of a mapped buffer end in the u64 time of sample_id, in
 * BOOTTIME where attr.use_clockid is set (groups of software events only), else perf's clock.
 *
 * Return: a file descriptor (close-on-exec) that the caller closes, or -errno
 * for pmu_explain().
 */
int pmu_open(struct event_spec *spec, unsigned int cpu, int group_fd)
	__attribute__((warn_unused_result));

/**
 * pmu_probe() - whether a group opens on a CPU, its events together
 * @group: the leader, and behind it its members
 * @n: events in @group, 1 for an event alone
 * @cpu: CPU number; members that are not on this CPU (@cpus) are passed over
 * @ret_failed: on failure, the index in @group of the event that did not open
 *
 * Return: 0 or -errno for pmu_explain_member(); -EBUSY also for a group that opens but never gets
 * its counters. The rate is neither needed nor changed.
 */
int pmu_probe(const struct event_spec *group, uint32_t n, unsigned int cpu, uint32_t *ret_failed)
	__attribute__((warn_unused_result));

/**
 * pmu_find_precise() - settle :P, the highest precise level that opens
 * @spec: an event that samples; attr.precise_ip changes where @precise_max is set
 * @cpu: the CPU to try it on
 */
void pmu_find_precise(struct event_spec *spec, unsigned int cpu);

/**
 * pmu_explain() - why pmu_open() failed and what to do: one line, "cause; remedy"
 * @error: the negative errno
 * @spec: the event
 * @buf: where to write it, PMU_ERROR_BYTES is enough
 * @buf_bytes: size of @buf
 */
void pmu_explain(int error, const struct event_spec *spec, char *buf, size_t buf_bytes);

/**
 * pmu_explain_member() - pmu_explain() for an event of a group
 * @error: as pmu_probe() returned it
 * @group: as pmu_probe() had it
 * @failed: the index that it gave
 * @cpu: the CPU it was tried on
 *
 * Tells an event that does not open from one that does not fit beside the others.
 */
void pmu_explain_member(int error, const struct event_spec *group, uint32_t failed,
			unsigned int cpu, char *buf, size_t buf_bytes);

/**
 * pmu_group_size() - how many events a group of a list from pmu_parse() has, its leader included
 */
uint32_t pmu_group_size(const struct event_spec *events, uint32_t n, uint32_t leader);

/**
 * pmu_cpu_for() - a CPU that an event can be tried on
 * @cpus: those to choose from
 *
 * Return: the first that has the event; CPULIST_MAX if none has.
 */
unsigned int pmu_cpu_for(const struct event_spec *spec, const struct cpulist *cpus);

/**
 * pmu_hw_events() - the events behind --hw-events
 * @ret: room for the events; no rate is set
 * @room: how many, MAX_EVENTS * PMU_HW_EVENTS are enough
 * @cpus: the CPUs to be sampled, of those that are online
 * @note: "", or one line for the user: why cpu-clock stands in for cycles, or what was left
 *        out; on failure the reason, as pmu_explain() gives it
 * @note_bytes: size of @note
 *
 * A group led by cycles with instructions, cache-misses and branch-misses as far as they open
 * together; one for each kind of PMU that @cpus have. Where there are no hardware counters:
 * cpu-clock, with @requested "cycles".
 *
 * Return: the number of events, at least 1, or -errno when not for want of
 * hardware (no permission, too many open files).
 */
int pmu_hw_events(struct event_spec *ret, uint32_t room, const struct cpulist *cpus, char *note,
		  size_t note_bytes) __attribute__((warn_unused_result));

/**
 * pmu_list() - write what opens here, and what does not and why, in 80 columns
 * @out: where to write
 * @cpu: the CPU to try events on
 *
 * Return: 0, or -errno if nothing at all can be opened (no permission), with the
 * reason written to @out all the same.
 */
int pmu_list(FILE *out, unsigned int cpu) __attribute__((warn_unused_result));

#endif /* PROFILER_PMU_H */
