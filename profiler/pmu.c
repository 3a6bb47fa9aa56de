/* SPDX-License-Identifier: Apache-2.0 */
/*
 * pmu.c - rates, opening, and what to tell the user when an event does not open.
 *
 * Whether an event works here is only ever found out by opening it: lists of
 * PMUs (sysfs, libpfm4) can name events that a hypervisor does not pass on.
 */
#include "profiler/pmu.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
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
	spec->weight_shift = shift_for(granted);
	return 0;
}

static int open_attr(struct perf_event_attr *attr, unsigned int cpu)
{
	long fd = syscall(SYS_perf_event_open, attr, -1, (int)cpu, -1, PERF_FLAG_FD_CLOEXEC);

	return fd < 0 ? -errno : (int)fd;
}

int pmu_open(struct event_spec *spec, unsigned int cpu)
{
	int fd = open_attr(&spec->attr, cpu);

	if (fd != -EINVAL || !spec->attr.freq)
		return fd;
	/* The kernel lowers its limit when samples take too long, perhaps just now. */
	uint32_t max_hz = pmu_max_sample_rate();
	if (spec->attr.sample_freq <= max_hz)
		return fd;
	apply_hz(spec, max_hz);
	return open_attr(&spec->attr, cpu);
}

int pmu_probe(const struct event_spec *spec, unsigned int cpu)
{
	struct perf_event_attr attr = spec->attr;

	attr.freq = 0;
	attr.sample_period = PROBE_PERIOD;
	int fd = open_attr(&attr, cpu);
	if (fd < 0)
		return fd;
	close(fd);
	return 0;
}

static void explain_missing(const struct event_spec *spec, char *buf, size_t buf_bytes)
{
	switch (spec->attr.type) {
	case PERF_TYPE_HARDWARE:
	case PERF_TYPE_HW_CACHE:
	case PERF_TYPE_RAW:
		snprintf(buf, buf_bytes,
			 "no hardware counter for it here, as in most virtual "
			 "machines; use -e cpu-clock, or --list-events for what opens");
		return;
	case PERF_TYPE_SOFTWARE:
		snprintf(buf, buf_bytes,
			 "this kernel does not have it; --list-events shows what opens");
		return;
	default:
		snprintf(buf, buf_bytes,
			 "its PMU does not have it on this CPU; "
			 "--list-events shows what opens");
	}
}

void pmu_explain(int error, const struct event_spec *spec, char *buf, size_t buf_bytes)
{
	struct rlimit limit = { 0 };

	switch (-error) {
	case ENOENT:
	case EOPNOTSUPP:
		explain_missing(spec, buf, buf_bytes);
		break;
	case EACCES:
	case EPERM:
		snprintf(buf, buf_bytes,
			 "not permitted (kernel.perf_event_paranoid is %ld); "
			 "run as root or with CAP_PERFMON and CAP_BPF",
			 read_sysctl("/proc/sys/kernel/perf_event_paranoid", 2));
		break;
	case EMFILE:
		getrlimit(RLIMIT_NOFILE, &limit);
		snprintf(buf, buf_bytes,
			 "too many open files (limit %" PRIu64 "); "
			 "raise the limit with ulimit -n, or take fewer events or CPUs (-C)",
			 (uint64_t)limit.rlim_cur);
		break;
	case ENODEV:
		snprintf(buf, buf_bytes,
			 "the CPU is offline or its PMU is gone; "
			 "choose CPUs with -C");
		break;
	case EBUSY:
		snprintf(buf, buf_bytes,
			 "the counter is taken, perhaps by the NMI watchdog; "
			 "try sysctl kernel.nmi_watchdog=0, or end other profilers");
		break;
	case EINVAL:
		snprintf(buf, buf_bytes,
			 "the kernel cannot sample it like this, perhaps its PMU only "
			 "counts; --list-events shows what opens");
		break;
	case ENOSYS:
		snprintf(buf, buf_bytes,
			 "this kernel has no perf events, or a container forbids them; "
			 "allow perf_event_open(2)");
		break;
	default:
		snprintf(buf, buf_bytes, "%s; the kernel's log may say more", strerror(-error));
	}
}

/* Errors that say something about this run, not about the hardware. */
static bool not_for_want_of_hardware(int error)
{
	return error == -EACCES || error == -EPERM || error == -EMFILE || error == -ENFILE ||
	       error == -ENOMEM || error == -ENOSYS;
}

static int parse_known(const char *name, struct event_spec *ret)
{
	char err[PMU_ERROR_BYTES];

	return pmu_parse(name, ret, err, sizeof(err));
}

int pmu_hw_events(struct event_spec ret[PMU_HW_EVENTS], unsigned int cpu, char *note,
		  size_t note_bytes)
{
	static const char *const names[PMU_HW_EVENTS] = { "cycles", "instructions", "cache-misses",
							  "branch-misses" };
	int count = 0;

	snprintf(note, note_bytes, "%s", "");
	for (int i = 0; i < PMU_HW_EVENTS; i++) {
		int err = parse_known(names[i], &ret[count]);
		if (!err)
			err = pmu_probe(&ret[count], cpu);
		if (!err) {
			count++;
			continue;
		}
		if (not_for_want_of_hardware(err)) {
			pmu_explain(err, &ret[count], note, note_bytes);
			return err;
		}
		if (i > 0)
			continue;
		/* Without cycles the others are not worth having. */
		snprintf(note, note_bytes,
			 "no hardware counters here (cycles: %s), as in most virtual machines; "
			 "sampling cpu-clock instead",
			 strerrorname_np(-err));
		err = parse_known("cpu-clock", &ret[0]);
		if (err)
			return err;
		snprintf(ret[0].requested, sizeof(ret[0].requested), "cycles");
		return 1;
	}
	return count;
}
