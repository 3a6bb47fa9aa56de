/* SPDX-License-Identifier: Apache-2.0 */
/*
 * pmu_hw.c - the events behind --hw-events, as far as the PMU has them and can count them together.
 */
#include "profiler/pmu.h"

#include <errno.h>
#include <string.h>

#include "profiler/pmu_encode.h"

#define HW_GROUP "{cycles,instructions,cache-misses,branch-misses}"

unsigned int pmu_cpu_for(const struct event_spec *spec, const struct cpulist *cpus)
{
	unsigned int cpu = 0;

	while (cpu < CPULIST_MAX &&
	       (!cpulist_has(cpus, cpu) || (spec->cpus.count && !cpulist_has(&spec->cpus, cpu))))
		cpu++;
	return cpu;
}

uint32_t pmu_group_size(const struct event_spec *events, uint32_t n, uint32_t leader)
{
	uint32_t end = leader + 1;

	while (end < n && events[end].leader)
		end++;
	return end - leader;
}

/* Errors that say something about this run, not about the hardware. */
static bool not_for_want_of_hardware(int error)
{
	return error == -EACCES || error == -EPERM || error == -EMFILE || error == -ENFILE ||
	       error == -ENOMEM || error == -ENOSYS;
}

static void note_left_out(const char *name, char *note, size_t note_bytes)
{
	size_t len = strlen(note);

	snprintf(note + len, note_bytes - len, "%s'%s'",
		 len ? ", " : "counters are missing or too few here; left out of --hw-events: ",
		 name);
}

/* Adds to ret[n] those of a group that open together; how many, 0 if its leader does not. */
static int take_group(const struct event_spec *group, uint32_t size, unsigned int cpu,
		      struct event_spec *ret, uint32_t n, char *note, size_t note_bytes,
		      int *ret_error)
{
	uint32_t taken = 0, failed;

	for (uint32_t i = 0; i < size; i++) {
		ret[n + taken] = group[i];
		if (i)
			ret[n + taken].leader = 1 + n;
		int error = pmu_probe(&ret[n], taken + 1, cpu, &failed);
		if (error && not_for_want_of_hardware(error)) {
			pmu_explain(error, &group[i], note, note_bytes);
			return error;
		}
		if (error && !i) {
			*ret_error = error;
			return 0;
		}
		if (error)
			note_left_out(group[i].typed, note, note_bytes);
		else
			taken++;
	}
	return (int)taken;
}

static int take_clock(int error, struct event_spec *ret, char *note, size_t note_bytes)
{
	char err[PMU_ERROR_BYTES];

	snprintf(note, note_bytes,
		 "no hardware counters here (cycles: %s), as in most virtual machines; "
		 "sampling cpu-clock instead",
		 strerrorname_np(-error));
	int n = pmu_parse("cpu-clock", ret, 1, err, sizeof(err));
	if (n > 0)
		snprintf(ret->requested, sizeof(ret->requested), "cycles");
	return n;
}

int pmu_hw_events(struct event_spec *ret, uint32_t room, const struct cpulist *cpus, char *note,
		  size_t note_bytes)
{
	struct event_spec all[PMU_MAX_CORES * PMU_HW_EVENTS];
	char err[PMU_ERROR_BYTES];
	int missing = -ENODEV;
	uint32_t n = 0;

	snprintf(note, note_bytes, "%s", "");
	int n_all = pmu_parse(HW_GROUP, all, sizeof(all) / sizeof(all[0]), err, sizeof(err));
	if (n_all < 0)
		return n_all;
	for (uint32_t i = 0, size; i < (uint32_t)n_all; i += size) {
		unsigned int cpu = pmu_cpu_for(&all[i], cpus);

		size = pmu_group_size(all, (uint32_t)n_all, i);
		if (cpu == CPULIST_MAX || room - n < size)
			continue;
		int taken = take_group(&all[i], size, cpu, ret, n, note, note_bytes, &missing);
		if (taken < 0)
			return taken;
		n += (uint32_t)taken;
	}
	return n ? (int)n : take_clock(missing, ret, note, note_bytes);
}
