/* SPDX-License-Identifier: Apache-2.0 */
/*
 * pmu.h - sampling events: from a name to an open perf event.
 *
 * An event goes through pmu_parse() (name to type and config), one of
 * pmu_set_hz() and pmu_set_count() (its rate, within the limits of this machine)
 * and pmu_open(), once per CPU. What :u, :k and the idle task filter is filtered
 * in the BPF program, never by the attribute, so that it can be counted.
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

/* At most this many events stand behind --hw-events. */
#define PMU_HW_EVENTS 4

/**
 * struct event_spec - one event of the session, plain data
 * @name: as the user would type it, modifier included: "cycles:u"
 * @requested: what this event stands in for, "" if it is what was asked for
 * @modifier: "", "u" or "k"
 * @unit: what the period counts: "nanoseconds" or "count"
 * @mode: the modifier as the BPF program wants it
 * @clock: cpu-clock or task-clock: counts nanoseconds, and always has a fixed period
 * @asked_in_hz: asked and granted are Hz; otherwise they are a period
 * @asked: rate or period before limits
 * @granted: the same after limits
 * @frequency_mode: the kernel moves the period to reach the rate
 * @weight_shift: weights are counts >> this, so that they fit 32 bits
 * @cpus: the CPUs that have this event, where its PMU is not on all; else empty
 * @attr: ready for perf_event_open() once a rate is set
 */
struct event_spec {
	char name[PMU_NAME_BYTES];
	char requested[PMU_NAME_BYTES];
	char modifier[4];
	char unit[16];
	enum mode_filter mode;
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
 * pmu_parse() - turn the name of an event into its attribute
 * @text: "cpu-clock", "cycles:u", a libpfm4 name, "pmu/event=0x3c/", "r003c", ...
 * @ret: filled on success, untouched on failure
 * @err: on failure, one line: cause; remedy (without "cannot open event")
 * @err_bytes: size of @err, PMU_ERROR_BYTES is enough
 *
 * Finding a name does not mean that the event opens here: see pmu_probe().
 *
 * Return: 0, -ENOENT for an unknown event, -EOPNOTSUPP for one that cannot be
 * sampled or a modifier that is not supported, -EINVAL for a malformed one.
 */
int pmu_parse(const char *text, struct event_spec *ret, char *err, size_t err_bytes)
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
 * pmu_open() - open an event on one CPU for all processes, disabled
 * @spec: with a rate; its rate is lowered (@granted and @attr change) if the kernel
 *        lowered the limit since it was set
 * @cpu: CPU number
 *
 * read() gives three u64: count, time enabled, time running (ns). The THROTTLE
 * and UNTHROTTLE records of a mapped buffer end in the u64 time of sample_id, in
 * BOOTTIME where attr.use_clockid is set (software events), else perf's clock.
 *
 * Return: a file descriptor (close-on-exec) that the caller closes, or -errno
 * for pmu_explain().
 */
int pmu_open(struct event_spec *spec, unsigned int cpu) __attribute__((warn_unused_result));

/**
 * pmu_probe() - whether an event opens for sampling on a CPU
 *
 * Return: 0 or -errno. The rate of @spec is neither needed nor changed.
 */
int pmu_probe(const struct event_spec *spec, unsigned int cpu) __attribute__((warn_unused_result));

/**
 * pmu_explain() - why pmu_open() failed and what to do: one line, "cause; remedy"
 * @error: the negative errno
 * @spec: the event
 * @buf: where to write it, PMU_ERROR_BYTES is enough
 * @buf_bytes: size of @buf
 */
void pmu_explain(int error, const struct event_spec *spec, char *buf, size_t buf_bytes);

/**
 * pmu_hw_events() - the events behind --hw-events
 * @ret: room for the events; no rate is set
 * @cpu: the CPU to try them on
 * @note: "", or one line for the user: why cpu-clock stands in for cycles; on
 *        failure the reason, as pmu_explain() gives it
 * @note_bytes: size of @note
 *
 * cycles, and with it instructions, cache-misses and branch-misses as far as they
 * open. Where there are no hardware counters: cpu-clock, with @requested "cycles".
 *
 * Return: the number of events, at least 1, or -errno when not for want of
 * hardware (no permission, too many open files).
 */
int pmu_hw_events(struct event_spec ret[PMU_HW_EVENTS], unsigned int cpu, char *note,
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
