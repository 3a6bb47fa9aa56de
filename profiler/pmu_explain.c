/* SPDX-License-Identifier: Apache-2.0 */
/*
 * pmu_explain.c - what to tell the user when an event does not open: the cause, then the remedy.
 */
#include "profiler/pmu.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>
#include <sys/resource.h>

#include "profiler/pmu_names.h"

#define PARANOID "/proc/sys/kernel/perf_event_paranoid"

static void explain_permission(char *buf, size_t buf_bytes)
{
	char level[32] = "";
	FILE *file = fopen(PARANOID, "re");

	if (file && fgets(level, sizeof(level), file))
		level[strcspn(level, "\n")] = '\0';
	if (file)
		fclose(file);
	snprintf(buf, buf_bytes,
		 "not permitted (kernel.perf_event_paranoid is %s); "
		 "run as root or with CAP_PERFMON and CAP_BPF",
		 level[0] ? level : "unknown");
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
		explain_permission(buf, buf_bytes);
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

static bool opens_alone(const struct event_spec *member, unsigned int cpu)
{
	struct event_spec alone = *member;
	uint32_t failed;

	alone.leader = 0;
	return !pmu_probe(&alone, 1, cpu, &failed);
}

/* Two events that only the PMUs of different devices can count. */
static bool other_pmu(const struct event_spec *a, const struct event_spec *b)
{
	return a->attr.type != b->attr.type && a->attr.type > PERF_TYPE_BREAKPOINT &&
	       b->attr.type > PERF_TYPE_BREAKPOINT;
}

void pmu_explain_member(int error, const struct event_spec *group, uint32_t failed,
			unsigned int cpu, char *buf, size_t buf_bytes)
{
	unsigned int counters = pmu_pfm_counters();

	if (!failed || error != -EINVAL || !opens_alone(&group[failed], cpu)) {
		pmu_explain(error, &group[failed], buf, buf_bytes);
		return;
	}
	for (uint32_t i = 0; i < failed; i++)
		if (other_pmu(&group[i], &group[failed])) {
			snprintf(buf, buf_bytes,
				 "it is of another PMU than the group; give it an -e of its own");
			return;
		}
	if (counters)
		snprintf(buf, buf_bytes,
			 "it does not fit beside the others of the group, as this CPU has %u "
			 "counters at most; take fewer events in the group",
			 counters);
	else
		snprintf(buf, buf_bytes,
			 "it does not fit beside the others of the group; take fewer events in "
			 "the group");
}
