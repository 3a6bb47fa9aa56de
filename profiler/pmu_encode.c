/* SPDX-License-Identifier: Apache-2.0 */
/*
 * pmu_encode.c - one name of an event to the numbers that choose it.
 *
 * A name is looked for, first match wins, in: the kernel's generic events, the
 * forms pmu/terms/ and rNNNN, libpfm4's table for this CPU, the events of all
 * PMUs in sysfs. The generic events come first so that a plain "cycles" means
 * the same on every machine.
 *
 * On a machine whose cores are of several kinds a generic, raw or bare sysfs name is one event of
 * each kind. How the kernel wants it: x86 has the PMU's type in the upper half of config for
 * generic events (PERF_PMU_TYPE_SHIFT); on arm64 the CPU decides; raw events have the PMU's type.
 */
#include "profiler/pmu_encode.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

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
	if (name[0] != 'r')
		return -ENOENT;
	size_t digits = strspn(name + 1, "0123456789abcdefABCDEF");
	if (digits < 1 || digits > 16 || name[1 + digits])
		return -ENOENT;
	*ret = (struct pmu_encoding){ .type = PERF_TYPE_RAW,
				      .config = strtoull(name + 1, NULL, 16) };
	return 0;
}

static bool is_generic_hardware(const struct pmu_encoding *enc)
{
	return enc->type == PERF_TYPE_HARDWARE || enc->type == PERF_TYPE_HW_CACHE;
}

/* Intel's kinds of core; their kernel takes the PMU's type in config. */
static bool has_extended_type(const struct pmu_core *core)
{
	return !strncmp(core->name, "cpu_", 4);
}

static void move_to_core(const struct pmu_core *core, struct pmu_encoding *enc)
{
	if (enc->type == PERF_TYPE_RAW)
		enc->type = core->type;
	else if (has_extended_type(core))
		enc->config |= (uint64_t)core->type << PERF_PMU_TYPE_SHIFT;
}

int pmu_put_on_core(const char *root, const struct pmu_core *core, struct pmu_named *event)
{
	struct pmu_encoding enc = event->enc;

	if (!event->in_sysfs)
		move_to_core(core, &enc);
	else if (pmu_sysfs_encode(root, core->name, event->name, &enc))
		return -ENOENT;
	event->enc = enc;
	event->every_core = false;
	event->core = core;
	return 0;
}

static const struct pmu_core *core_named(const struct pmu_cores *cores, const char *name)
{
	for (uint32_t i = 0; i < cores->n; i++)
		if (!strcmp(cores->core[i].name, name))
			return &cores->core[i];
	return NULL;
}

/* cpu/cycles/ and cpu/r3c/, which are in no sysfs. */
static int encode_core_term(const struct pmu_cores *cores, const char *terms, struct pmu_named *ret)
{
	struct pmu_encoding enc;

	if (encode_raw(terms, &enc) && encode_generic(terms, &enc) && pmu_pfm_encode(terms, &enc))
		return -EINVAL;
	if (enc.type != PERF_TYPE_RAW && !is_generic_hardware(&enc))
		return -EINVAL;
	ret->enc = enc;
	if (ret->core)
		move_to_core(ret->core, &ret->enc);
	else if (cores->n)
		return -EINVAL;
	return 0;
}

/* pmu/terms/ */
static int encode_slashes(const char *root, const struct pmu_cores *cores, struct pmu_named *ret,
			  char *err, size_t err_bytes)
{
	char terms[PMU_NAME_BYTES];
	const char *name = ret->name;
	size_t pmu_len = strcspn(name, "/"), len = strlen(name);

	if (len < pmu_len + 3 || name[len - 1] != '/') {
		snprintf(err, err_bytes,
			 "not of the form pmu/name/ or pmu/config=0x3c/; "
			 "profiler --list-events shows events");
		return -EINVAL;
	}
	snprintf(ret->pmu, sizeof(ret->pmu), "%.*s", (int)pmu_len, name);
	snprintf(terms, sizeof(terms), "%.*s", (int)(len - pmu_len - 2), name + pmu_len + 1);
	ret->core = core_named(cores, ret->pmu);
	int error = pmu_sysfs_encode(root, ret->pmu, terms, &ret->enc);
	if (error == -EINVAL && pmu_sysfs_is_core(root, ret->pmu))
		error = encode_core_term(cores, terms, ret);
	if (error == -ENODEV)
		snprintf(err, err_bytes, "no PMU '%.40s' here; %s has them", ret->pmu, root);
	else if (error)
		snprintf(err, err_bytes,
			 "PMU '%.40s' has no such event, term or value; see %s/%.40s/events "
			 "and format",
			 ret->pmu, root, ret->pmu);
	return error == -ENODEV ? -ENOENT : error;
}

/* The first PMU in sysfs that has an event of a name. */
struct search {
	const char *root;
	struct pmu_named *found;
};

static int match_sysfs(const char *pmu, const char *event, void *arg)
{
	const struct search *search = arg;
	struct pmu_named *found = search->found;

	if (strcmp(event, found->name) || pmu_sysfs_encode(search->root, pmu, event, &found->enc))
		return 0;
	snprintf(found->pmu, sizeof(found->pmu), "%s", pmu);
	return 1;
}

/* Why nothing was found. A colon that is not libpfm4's may be perf's way to name a tracepoint. */
static int explain_unknown(const char *name, int pfm, char *err, size_t err_bytes)
{
	if (pfm == -EINVAL) {
		snprintf(err, err_bytes,
			 "the event has no such unit mask or modifier; profiler --list-events "
			 "shows unit masks, modifiers are of the letters u, k, p and P");
		return -EINVAL;
	}
	if (pfm == -EOPNOTSUPP) {
		snprintf(err, err_bytes,
			 "modifier not supported; they are :u (user mode only), :k (kernel only), "
			 "and precise levels :p to :ppp and :P");
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

/* An event by the type of a kind of core, as libpfm4 gives it, is of that kind. */
static const struct pmu_core *core_of_type(const struct pmu_cores *cores, uint32_t type)
{
	for (uint32_t i = 0; i < cores->n; i++)
		if (cores->core[i].type == type)
			return &cores->core[i];
	return NULL;
}

static int encode_bare(const char *root, const struct pmu_cores *cores, struct pmu_named *ret,
		       char *err, size_t err_bytes)
{
	struct search search = { .root = root, .found = ret };

	if (!encode_generic(ret->name, &ret->enc) || !encode_raw(ret->name, &ret->enc)) {
		ret->every_core = cores->n && ret->enc.type != PERF_TYPE_SOFTWARE;
		return 0;
	}
	int pfm = pmu_pfm_encode(ret->name, &ret->enc);
	if (!pfm) {
		ret->every_core = cores->n && is_generic_hardware(&ret->enc);
		if (!ret->every_core)
			ret->core = core_of_type(cores, ret->enc.type);
		return 0;
	}
	if (!pmu_sysfs_each(root, match_sysfs, &search))
		return explain_unknown(ret->name, pfm, err, err_bytes);
	ret->every_core = ret->in_sysfs = core_named(cores, ret->pmu);
	return 0;
}

int pmu_encode(const char *root, const struct pmu_cores *cores, const char *name,
	       struct pmu_named *ret, char *err, size_t err_bytes)
{
	struct pmu_named found = { .core = NULL };

	snprintf(found.name, sizeof(found.name), "%s", name);
	int error = strchr(name, '/') ? encode_slashes(root, cores, &found, err, err_bytes)
				      : encode_bare(root, cores, &found, err, err_bytes);
	if (!error)
		*ret = found;
	return error;
}
