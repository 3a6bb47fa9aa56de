/* SPDX-License-Identifier: Apache-2.0 */
/*
 * pmu.c - rates and opening.
 *
 * Whether an event works here is only ever found out by opening it: lists of
 * PMUs (sysfs, libpfm4) can name events that a hypervisor does not pass on.
 */
#include "profiler/pmu.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#define NS_PER_S UINT64_C(1000000000)

/* The kernel raises shorter periods of clock events silently (perf_swevent_start_hrtimer). */
#define CLOCK_MIN_PERIOD_NS 10000

/*
 * The most counts a CPU can make in a second, for weight_shift: 8 instructions a
 * cycle at 6 GHz; a software event takes far longer than 1 ns.
 */
#define HARDWARE_MAX_PER_S (UINT64_C(48) * NS_PER_S)
#define SOFTWARE_MAX_PER_S NS_PER_S

#define DEFAULT_MAX_RATE_HZ 100000 /* the kernel's DEFAULT_MAX_SAMPLE_RATE */

/* A period that everything accepts and that is not reached while an event is only tried. */
#define PROBE_PERIOD (UINT64_C(1) << 30)

/* The kernel lets groups take turns every millisecond to four. */
#define PROBE_TURNS   20
#define PROBE_TURN_US 2000

static long read_sysctl(const char *path, long otherwise)
{
	char text[32];
	FILE *file = fopen(path, "re");

	if (!file)
		return otherwise;
	char *line = fgets(text, sizeof(text), file);
	fclose(file);
	if (!line)
		return otherwise;
	char *end;
	long value = strtol(text, &end, 10);
	return end == text ? otherwise : value;
}

uint32_t pmu_max_sample_rate(void)
{
	long hz = read_sysctl("/proc/sys/kernel/perf_event_max_sample_rate", DEFAULT_MAX_RATE_HZ);

	return hz > 0 && hz <= UINT32_MAX ? (uint32_t)hz : DEFAULT_MAX_RATE_HZ;
}

/* Smallest shift that brings a period below 2^32. */
static uint32_t shift_for(uint64_t period)
{
	uint32_t shift = 0;

	while (period >> shift > UINT32_MAX)
		shift++;
	return shift;
}

static void apply_hz(struct event_spec *spec, uint64_t hz)
{
	uint64_t per_s =
		spec->attr.type == PERF_TYPE_SOFTWARE ? SOFTWARE_MAX_PER_S : HARDWARE_MAX_PER_S;

	spec->granted = hz;
	spec->frequency_mode = !spec->clock;
	spec->attr.freq = !spec->clock;
	if (spec->clock) {
		spec->attr.sample_period = (NS_PER_S + hz / 2) / hz;
		spec->weight_shift = shift_for(spec->attr.sample_period);
	} else {
		spec->attr.sample_freq = hz;
		spec->weight_shift = shift_for(per_s / hz);
	}
}

int pmu_set_hz(struct event_spec *spec, uint64_t hz, uint32_t max_hz, char *note, size_t note_bytes)
{
	uint64_t granted = hz;

	if (!hz || !max_hz)
		return -EINVAL;
	snprintf(note, note_bytes, "%s", "");
	if (granted > max_hz) {
		granted = max_hz;
		snprintf(note, note_bytes,
			 "%s: %" PRIu64 " Hz lowered to %u Hz, the limit of "
			 "kernel.perf_event_max_sample_rate; raise it with sysctl",
			 spec->name, hz, max_hz);
	}
	if (spec->clock && granted > NS_PER_S / CLOCK_MIN_PERIOD_NS) {
		granted = NS_PER_S / CLOCK_MIN_PERIOD_NS;
		snprintf(note, note_bytes,
			 "%s: %" PRIu64 " Hz lowered to %" PRIu64
			 " Hz, the kernel's limit for clock events",
			 spec->name, hz, granted);
	}
	spec->asked_in_hz = true;
	spec->asked = hz;
	apply_hz(spec, granted);
	return 0;
}

int pmu_set_count(struct event_spec *spec, uint64_t count, uint32_t max_hz, char *note,
		  size_t note_bytes)
{
	uint64_t granted = count;

	if (!count || !max_hz || count >> 62)
		return -EINVAL;
	snprintf(note, note_bytes, "%s", "");
	if (spec->clock) {
		uint64_t shortest = (NS_PER_S + max_hz - 1) / max_hz;
		bool by_sysctl = shortest > CLOCK_MIN_PERIOD_NS;

		if (!by_sysctl)
			shortest = CLOCK_MIN_PERIOD_NS;
		if (granted < shortest) {
			granted = shortest;
			snprintf(note, note_bytes,
				 "%s: period of %" PRIu64 " ns raised to %" PRIu64 " ns, %s",
				 spec->name, count, granted,
				 by_sysctl ? "the limit of kernel.perf_event_max_sample_rate"
					   : "the kernel's limit for clock events");
		}
	}
	spec->asked_in_hz = false;
	spec->frequency_mode = false;
	spec->asked = count;
	spec->granted = granted;
	spec->attr.freq = 0;
	spec->attr.sample_period = granted;
	/*
	 * Else Intel's PMU reloads precise counters by itself, and reading them in the program
	 * turns the PMU on within its interrupt (before 6.14). Nothing is written, so nobody is
	 * woken.
	 */
	spec->attr.wakeup_events = spec->attr.precise_ip != 0;
	spec->weight_shift = shift_for(granted);
	return 0;
}

static int open_attr(struct perf_event_attr *attr, unsigned int cpu, int group_fd)
{
	long fd = syscall(SYS_perf_event_open, attr, -1, (int)cpu, group_fd, PERF_FLAG_FD_CLOEXEC);

	return fd < 0 ? -errno : (int)fd;
}

int pmu_open(struct event_spec *spec, unsigned int cpu, int group_fd)
{
	int fd = open_attr(&spec->attr, cpu, group_fd);

	if (fd != -EINVAL || !spec->attr.freq)
		return fd;
	/* The kernel lowers its limit when samples take too long, perhaps just now. */
	uint32_t max_hz = pmu_max_sample_rate();
	if (spec->attr.sample_freq <= max_hz)
		return fd;
	apply_hz(spec, max_hz);
	return open_attr(&spec->attr, cpu, group_fd);
}

static int open_to_try(const struct event_spec *spec, unsigned int cpu, int group_fd)
{
	struct perf_event_attr attr = spec->attr;

	attr.freq = 0;
	attr.sample_period = spec->leader ? 0 : PROBE_PERIOD;
	return open_attr(&attr, cpu, group_fd);
}

static bool has_hardware(const struct event_spec *group, uint32_t n)
{
	for (uint32_t i = 0; i < n; i++)
		if (group[i].attr.type != PERF_TYPE_SOFTWARE)
			return true;
	return false;
}

/*
 * Whether a group that is open gets its counters. The kernel lets it open if the PMU has them at
 * all, though another may hold one for good, as the NMI watchdog does. Groups take turns, so it
 * may be a while.
 */
static int wait_until_it_counts(int leader_fd)
{
	uint64_t values[3] = { 0 }; /* count, ns enabled, ns running */

	if (ioctl(leader_fd, PERF_EVENT_IOC_ENABLE, 0))
		return -errno;
	for (int i = 0; i < PROBE_TURNS && !values[2]; i++) {
		if (i)
			usleep(PROBE_TURN_US);
		if (read(leader_fd, values, sizeof(values)) != sizeof(values))
			return 0; /* nothing to be had on this CPU: what that means shows later */
	}
	return values[1] && !values[2] ? -EBUSY : 0;
}

int pmu_probe(const struct event_spec *group, uint32_t n, unsigned int cpu, uint32_t *ret_failed)
{
	int fds[MAX_GROUP];
	uint32_t n_open = 0;
	int error = 0;

	for (uint32_t i = 0; i < n && i < MAX_GROUP; i++) {
		if (i && group[i].cpus.count && !cpulist_has(&group[i].cpus, cpu))
			continue;
		int fd = open_to_try(&group[i], cpu, i ? fds[0] : -1);
		if (fd < 0) {
			*ret_failed = i;
			error = fd;
			break;
		}
		fds[n_open++] = fd;
	}
	if (!error && n_open > 1 && has_hardware(group, n)) {
		error = wait_until_it_counts(fds[0]);
		if (error)
			*ret_failed = n - 1;
	}
	while (n_open)
		close(fds[--n_open]);
	return error;
}

/* arm64's kernel takes any level and does nothing with it. */
static bool kernel_checks_precise(void)
{
#if defined(__x86_64__)
	return true;
#else
	return false;
#endif
}

void pmu_find_precise(struct event_spec *spec, unsigned int cpu)
{
	uint32_t failed;

	if (!kernel_checks_precise())
		spec->attr.precise_ip = 0;
	while (spec->attr.precise_ip && pmu_probe(spec, 1, cpu, &failed))
		spec->attr.precise_ip--;
	if (!spec->attr.precise_ip)
		spec->attr.sample_type &= ~(uint64_t)PERF_SAMPLE_CALLCHAIN;
}
