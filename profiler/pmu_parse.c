/* SPDX-License-Identifier: Apache-2.0 */
/*
 * pmu_parse.c - the name of an event to its attribute.
 *
 * A name is looked for, first match wins, in: the kernel's generic events, the
 * forms pmu/terms/ and rNNNN, libpfm4's table for this CPU, the events of all
 * PMUs in sysfs. The generic events come first so that a plain "cycles" means
 * the same on every machine. What is found is checked against what a sampling
 * program can use; rates and opening are pmu.c's.
 */
#include "profiler/pmu.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "profiler/pmu_names.h"

#define HW(event) PERF_TYPE_HARDWARE, PERF_COUNT_HW_##event
#define SW(event) PERF_TYPE_SOFTWARE, PERF_COUNT_SW_##event

static const struct pmu_generic generics[] = {
	{ "cpu-clock", NULL, SW(CPU_CLOCK), "time, by a timer on each CPU" },
	{ "task-clock", NULL, SW(TASK_CLOCK), "time in which tasks run" },
	{ "page-faults", "faults", SW(PAGE_FAULTS), "page faults" },
	{ "minor-faults", NULL, SW(PAGE_FAULTS_MIN), "page faults without input/output" },
	{ "major-faults", NULL, SW(PAGE_FAULTS_MAJ), "page faults that waited for a disk" },
	{ "context-switches", "cs", SW(CONTEXT_SWITCHES), "switches to another task" },
	{ "cpu-migrations", "migrations", SW(CPU_MIGRATIONS), "moves of a task between CPUs" },
	{ "cgroup-switches", NULL, SW(CGROUP_SWITCHES), "switches to another cgroup (5.13+)" },
	{ "alignment-faults", NULL, SW(ALIGNMENT_FAULTS), "unaligned accesses fixed up" },
	{ "emulation-faults", NULL, SW(EMULATION_FAULTS), "instructions emulated" },
	{ "cycles", "cpu-cycles", HW(CPU_CYCLES), "CPU cycles" },
	{ "instructions", NULL, HW(INSTRUCTIONS), "instructions retired" },
	{ "cache-references", NULL, HW(CACHE_REFERENCES), "cache accesses, usually last level" },
	{ "cache-misses", NULL, HW(CACHE_MISSES), "cache misses, usually last level" },
	{ "branches", "branch-instructions", HW(BRANCH_INSTRUCTIONS), "branches retired" },
	{ "branch-misses", NULL, HW(BRANCH_MISSES), "branches predicted wrong" },
	{ "bus-cycles", NULL, HW(BUS_CYCLES), "bus cycles" },
	{ "stalled-cycles-frontend", NULL, HW(STALLED_CYCLES_FRONTEND), "stalled in issue" },
	{ "stalled-cycles-backend", NULL, HW(STALLED_CYCLES_BACKEND), "stalled in execution" },
	{ "ref-cycles", NULL, HW(REF_CPU_CYCLES), "cycles at a fixed frequency" },
};

const struct pmu_generic *pmu_generic_at(size_t i)
{
	return i < sizeof(generics) / sizeof(generics[0]) ? &generics[i] : NULL;
}

static int encode_generic(const char *name, struct pmu_encoding *ret)
{
	const struct pmu_generic *event;

	for (size_t i = 0; (event = pmu_generic_at(i)); i++) {
		if (strcmp(name, event->name) && (!event->alias || strcmp(name, event->alias)))
			continue;
		*ret = (struct pmu_encoding){ .type = event->type, .config = event->config };
		return 0;
	}
	return -ENOENT;
}

/* rNNNN: the event's number in hexadecimal, as the CPU's manual gives it. */
static int encode_raw(const char *name, struct pmu_encoding *ret)
{
	size_t digits = strspn(name + 1, "0123456789abcdefABCDEF");

	if (name[0] != 'r' || digits < 1 || digits > 16 || name[1 + digits])
		return -ENOENT;
	*ret = (struct pmu_encoding){ .type = PERF_TYPE_RAW,
				      .config = strtoull(name + 1, NULL, 16) };
	return 0;
}

/* The PMU of an event found in sysfs is needed for its list of CPUs. */
struct lookup {
	char pmu[PMU_NAME_BYTES];
	const char *event;
	struct pmu_encoding enc;
};

static int match_sysfs(const char *pmu, const char *event, void *arg)
{
	struct lookup *found = arg;

	if (strcmp(event, found->event) || pmu_sysfs_encode(PMU_SYSFS, pmu, event, &found->enc))
		return 0;
	snprintf(found->pmu, sizeof(found->pmu), "%s", pmu);
	return 1;
}

/* pmu/terms/ */
static int encode_slashes(const char *name, struct lookup *found, char *err, size_t err_bytes)
{
	char terms[PMU_NAME_BYTES];
	size_t pmu_len = strcspn(name, "/"), len = strlen(name);

	if (len < pmu_len + 3 || name[len - 1] != '/') {
		snprintf(err, err_bytes,
			 "not of the form pmu/name/ or pmu/config=0x3c/; "
			 "profiler --list-events shows events");
		return -EINVAL;
	}
	snprintf(found->pmu, sizeof(found->pmu), "%.*s", (int)pmu_len, name);
	snprintf(terms, sizeof(terms), "%.*s", (int)(len - pmu_len - 2), name + pmu_len + 1);
	int ret = pmu_sysfs_encode(PMU_SYSFS, found->pmu, terms, &found->enc);
	if (ret == -ENODEV)
		snprintf(err, err_bytes, "no PMU '%.40s' here; " PMU_SYSFS " has them", found->pmu);
	else if (ret)
		snprintf(err, err_bytes,
			 "PMU '%.40s' has no such event, term or value; see " PMU_SYSFS
			 "/%.40s/events and format",
			 found->pmu, found->pmu);
	return ret == -ENODEV ? -ENOENT : ret;
}

/* Why nothing was found. A colon that is not libpfm4's may be perf's way to name a tracepoint. */
static int explain_unknown(const char *name, int pfm, char *err, size_t err_bytes)
{
	if (pfm == -EINVAL) {
		snprintf(err, err_bytes,
			 "the event has no such unit mask or modifier; "
			 "profiler --list-events shows unit masks, modifiers are :u and :k");
		return -EINVAL;
	}
	if (pfm == -EOPNOTSUPP) {
		snprintf(err, err_bytes,
			 "modifier not supported; use :u (user mode only), "
			 ":k (kernel only) or none");
		return -EOPNOTSUPP;
	}
	if (strchr(name, ',') || strchr(name, '{')) {
		snprintf(err, err_bytes,
			 "lists and groups of events are not supported; "
			 "repeat -e for each event");
		return -EOPNOTSUPP;
	}
	const char *colon = strchr(name, ':');
	if (colon && colon[1] != ':') {
		snprintf(err, err_bytes,
			 "no such event on this CPU, and tracepoints, probes and "
			 "breakpoints cannot be sampled; profiler --list-events shows what can");
		return -ENOENT;
	}
	snprintf(err, err_bytes, "no such event on this CPU; profiler --list-events shows them");
	return -ENOENT;
}

static int encode(const char *name, struct lookup *found, char *err, size_t err_bytes)
{
	if (!encode_generic(name, &found->enc))
		return 0;
	if (name[0] != '{' && strchr(name, '/'))
		return encode_slashes(name, found, err, err_bytes);
	if (!encode_raw(name, &found->enc))
		return 0;
	int pfm = pmu_pfm_encode(name, &found->enc);
	if (!pfm)
		return 0;
	found->event = name;
	if (pmu_sysfs_each(PMU_SYSFS, match_sysfs, found))
		return 0;
	return explain_unknown(name, pfm, err, err_bytes);
}

/* Cuts a modifier of ours off the name. ":p" is perf's, so it gets an answer of its own. */
static int take_modifier(char *name, struct event_spec *spec, char *err, size_t err_bytes)
{
	char *last = strrchr(name, ':');

	if (!last || last == name)
		return 0;
	if (!strcmp(last, ":u"))
		spec->mode = MODE_USER_ONLY;
	else if (!strcmp(last, ":k"))
		spec->mode = MODE_KERNEL_ONLY;
	else if ((last[1] == 'p' && !last[1 + strspn(last + 1, "p")]) || !strcmp(last, ":P")) {
		snprintf(err, err_bytes, "precise levels (%s) are not supported yet; leave it out",
			 last);
		return -EOPNOTSUPP;
	} else if (strcmp(last, ":uk") && strcmp(last, ":ku")) {
		return 0; /* a unit mask, or an error that is found later */
	}
	if (spec->mode != MODE_ANY)
		snprintf(spec->modifier, sizeof(spec->modifier), "%s", last + 1);
	*last = '\0';
	return 0;
}

/* What is no counter, or never overflows, cannot drive a sampling program. */
static int refuse_unusable(const struct lookup *found, char *err, size_t err_bytes)
{
	const struct pmu_encoding *enc = &found->enc;

	if (enc->type == PERF_TYPE_TRACEPOINT || enc->type == PERF_TYPE_BREAKPOINT ||
	    !strcmp(found->pmu, "kprobe") || !strcmp(found->pmu, "uprobe")) {
		snprintf(err, err_bytes,
			 "tracepoints, probes and breakpoints cannot be sampled; "
			 "profiler --list-events shows what can");
		return -EOPNOTSUPP;
	}
	if (enc->type == PERF_TYPE_SOFTWARE &&
	    (enc->config == PERF_COUNT_SW_DUMMY || enc->config == PERF_COUNT_SW_BPF_OUTPUT)) {
		snprintf(err, err_bytes,
			 "it never counts; profiler --list-events shows what can be sampled");
		return -EOPNOTSUPP;
	}
	return 0;
}

static void fill_attr(const struct lookup *found, struct event_spec *spec)
{
	const struct pmu_encoding *enc = &found->enc;
	bool software = enc->type == PERF_TYPE_SOFTWARE;
	char path[sizeof(PMU_SYSFS) + PMU_NAME_BYTES + 8];

	spec->clock = software && (enc->config == PERF_COUNT_SW_CPU_CLOCK ||
				   enc->config == PERF_COUNT_SW_TASK_CLOCK);
	snprintf(spec->unit, sizeof(spec->unit), "%s", spec->clock ? "nanoseconds" : "count");
	spec->attr = (struct perf_event_attr){
		.size = sizeof(spec->attr),
		.type = enc->type,
		.config = enc->config,
		.config1 = enc->config1,
		.config2 = enc->config2,
		.disabled = 1,
		.read_format = PERF_FORMAT_TOTAL_TIME_ENABLED | PERF_FORMAT_TOTAL_TIME_RUNNING,
		/* So that THROTTLE records carry a time, and in the samples' clock if possible. */
		.sample_type = PERF_SAMPLE_TIME,
		.sample_id_all = 1,
		.use_clockid = software,
		.clockid = software ? CLOCK_BOOTTIME : 0,
	};
	/* On hybrid CPUs each PMU has some of the CPUs; elsewhere there is no such file. */
	if (*found->pmu) {
		snprintf(path, sizeof(path), PMU_SYSFS "/%s/cpus", found->pmu);
		if (cpulist_read(path, &spec->cpus))
			spec->cpus.count = 0;
	}
}

int pmu_parse(const char *text, struct event_spec *ret, char *err, size_t err_bytes)
{
	struct event_spec spec = { .mode = MODE_ANY };
	struct lookup found = { .event = NULL };
	char name[PMU_NAME_BYTES];

	if (!*text || strlen(text) >= sizeof(name)) {
		snprintf(err, err_bytes,
			 "a name has 1 to %d characters; "
			 "profiler --list-events shows events",
			 PMU_NAME_BYTES - 1);
		return -EINVAL;
	}
	snprintf(name, sizeof(name), "%s", text);
	snprintf(spec.name, sizeof(spec.name), "%s", text);
	int error = take_modifier(name, &spec, err, err_bytes);
	if (!error)
		error = encode(name, &found, err, err_bytes);
	if (!error)
		error = refuse_unusable(&found, err, err_bytes);
	if (error)
		return error;
	fill_attr(&found, &spec);
	*ret = spec;
	return 0;
}
