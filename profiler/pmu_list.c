/* SPDX-License-Identifier: Apache-2.0 */
/*
 * pmu_list.c - --list-events: what really opens here, found by opening it.
 *
 * Each event is shown once, under the first heading that has it. What does not
 * open is named at the end, in few lines, with the reason given once per errno.
 */
#include "profiler/pmu.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "profiler/pmu_encode.h"

#define ONLINE_CPUS  "/sys/devices/system/cpu/online"
#define LINE_COLUMNS 80
#define NAME_COLUMN  2
#define TEXT_COLUMN  30

/* Names that did not open, with why; freed by list_free(). */
struct refused {
	char *name;
	int error;
};

struct list {
	const char *root; /* of sysfs */
	FILE *out;
	unsigned int cpu;
	struct cpulist online;
	const char *heading; /* not yet written */
	struct refused *refused;
	size_t n_refused;
	bool out_of_memory;
};

static void list_free(struct list *list)
{
	for (size_t i = 0; i < list->n_refused; i++)
		free(list->refused[i].name);
	free(list->refused);
}

static void add_refused(struct list *list, const char *name, int error)
{
	struct refused *more =
		reallocarray(list->refused, list->n_refused + 1, sizeof(*list->refused));

	if (!more) {
		list->out_of_memory = true;
		return;
	}
	list->refused = more;
	more[list->n_refused].error = error;
	more[list->n_refused].name = strdup(name);
	if (more[list->n_refused].name)
		list->n_refused++;
	else
		list->out_of_memory = true;
}

/* One line: the name, and as much of the description as fits beside it. */
static void write_event(struct list *list, const char *name, const char *description)
{
	int pad = TEXT_COLUMN - NAME_COLUMN - 1;
	int used = NAME_COLUMN + 1 + (int)strlen(name);

	if (used < TEXT_COLUMN)
		used = TEXT_COLUMN;
	int room = LINE_COLUMNS - used;
	int len = (int)strcspn(description, "\n");
	const char *dots = len > room ? "..." : "";

	if (list->heading)
		fprintf(list->out, "\n%s:\n", list->heading);
	list->heading = NULL;
	if (room < 8)
		len = 0, dots = "";
	else if (len > room)
		len = room - 3;
	fprintf(list->out, "%*s%-*s%s%.*s%s\n", NAME_COLUMN, "", len ? pad : 0, name,
		len ? " " : "", len, description, dots);
}

/* On the CPU of the list, or where that is of another kind on one that has the event. */
static int try_spec(const struct list *list, const struct event_spec *spec)
{
	unsigned int cpu = list->cpu;
	uint32_t failed;

	if (spec->cpus.count && !cpulist_has(&spec->cpus, cpu))
		cpu = pmu_cpu_for(spec, &list->online);
	return pmu_probe(spec, 1, cpu, &failed);
}

/* Tries an event and puts it where it belongs; one of several kinds of core under its name if
 * all have it. */
static void try_event(struct list *list, const char *name, const char *description)
{
	struct event_spec specs[PMU_MAX_CORES];
	int errors[PMU_MAX_CORES], n_bad = 0;
	char err[PMU_ERROR_BYTES];
	int n = pmu_parse_in(list->root, name, specs, PMU_MAX_CORES, err, sizeof(err));

	for (int i = 0; i < n; i++) {
		errors[i] = try_spec(list, &specs[i]);
		n_bad += errors[i] != 0;
	}
	if (n > 0 && !n_bad)
		write_event(list, name, description);
	else if (n == n_bad && n > 0)
		add_refused(list, name, errors[0]);
	/* Else it is no event by itself, a unit mask that needs another, or of some cores only. */
	for (int i = 0; i < n && n_bad && n_bad < n; i++) {
		if (errors[i])
			add_refused(list, specs[i].typed, errors[i]);
		else
			write_event(list, specs[i].typed, description);
	}
}

static bool opens(const struct list *list, const char *name)
{
	struct event_spec specs[PMU_MAX_CORES];
	char err[PMU_ERROR_BYTES];
	int n = pmu_parse_in(list->root, name, specs, PMU_MAX_CORES, err, sizeof(err));

	return n > 0 && !try_spec(list, &specs[0]);
}

/* Shows a form of name, if an example of it opens. */
static void try_form(struct list *list, const char *example, const char *form,
		     const char *description)
{
	if (opens(list, example))
		write_event(list, form, description);
}

/* The highest level at which cycles open, on each kind of core. */
static void list_precise(struct list *list)
{
	static const char *const suffixes[] = { "", ":p", ":p to :pp", ":p to :ppp" };
	struct event_spec specs[PMU_MAX_CORES];
	char text[PMU_ERROR_BYTES], form[PMU_NAME_BYTES + 32];
	int n = pmu_parse_in(list->root, "cycles:P", specs, PMU_MAX_CORES, text, sizeof(text));

	for (int i = 0; i < n; i++) {
		struct event_spec *spec = &specs[i];
		size_t pmu_len = spec->cpus.count ? strcspn(spec->name, "/") : 0;
		const char *pmu = pmu_len ? spec->name : "cpu";

		pmu_find_precise(spec,
				 spec->cpus.count ? pmu_cpu_for(spec, &list->online) : list->cpu);
		if (!spec->attr.precise_ip)
			continue;
		snprintf(form, sizeof(form), "%.*s%sNAME%s", (int)pmu_len, pmu, pmu_len ? " " : "",
			 suffixes[spec->attr.precise_ip]);
		char *name = strndup(pmu, pmu_len ? pmu_len : 3);
		int claimed = name ? pmu_sysfs_max_precise(list->root, name) : -ENOMEM;
		free(name);
		snprintf(text, sizeof(text), "tried with cycles; the kernel claims %s%.0d",
			 claimed > 0 ? "level " : "nothing", claimed > 0 ? claimed : 0);
		write_event(list, form, text);
	}
}

static void list_generic(struct list *list, uint32_t type)
{
	const struct pmu_generic *event;

	for (size_t i = 0; (event = pmu_generic_at(i)); i++) {
		if (event->type == type)
			try_event(list, event->name, event->description);
	}
}

static void list_caches(struct list *list)
{
	static const struct {
		const char *name, *description;
	} caches[] = {
		{ "L1-dcache", "level 1 data cache" },
		{ "L1-icache", "level 1 instruction cache" },
		{ "LLC", "last level cache" },
		{ "dTLB", "data address translations" },
		{ "iTLB", "instruction address translations" },
		{ "branch", "branch predictor" },
		{ "node", "memory of this node" },
	};
	static const char *const accesses[] = { "loads",	"load-misses", "stores",
						"store-misses", "prefetches",  "prefetch-misses" };
	char name[PMU_NAME_BYTES], description[80];

	for (size_t i = 0; i < sizeof(caches) / sizeof(caches[0]); i++) {
		for (size_t j = 0; j < sizeof(accesses) / sizeof(accesses[0]); j++) {
			snprintf(name, sizeof(name), "%s-%s", caches[i].name, accesses[j]);
			if (!strcmp(name, "branch-misses"))
				continue;
			snprintf(description, sizeof(description), "%s: %s", caches[i].description,
				 accesses[j]);
			try_event(list, name, description);
		}
	}
}

static void list_pfm_event(const char *name, const char *description, void *arg)
{
	try_event(arg, name, description ? description : "");
}

static int list_sysfs_event(const char *pmu, const char *event, void *arg)
{
	char name[PMU_NAME_BYTES];

	if ((size_t)snprintf(name, sizeof(name), "%s/%s/", pmu, event) < sizeof(name))
		try_event(arg, name, "");
	return 0;
}

static const char *reason(int error)
{
	switch (-error) {
	case ENOENT:
	case EOPNOTSUPP:
		return "no such counter, as in most virtual machines";
	case EINVAL:
		return "can be counted at best, not sampled";
	default:
		return strerror(-error);
	}
}

/* All names that failed with one error, in lines of 80 columns. */
static void write_refused(struct list *list, int error)
{
	int column = LINE_COLUMNS;

	fprintf(list->out, "\ndoes not open here (%s):", reason(error));
	for (size_t i = 0; i < list->n_refused; i++) {
		const char *name = list->refused[i].name;
		int len = (int)strlen(name);

		if (list->refused[i].error != error)
			continue;
		if (column + 1 + len > LINE_COLUMNS) {
			fprintf(list->out, "\n%*s", NAME_COLUMN - 1, "");
			column = NAME_COLUMN - 1;
		}
		fprintf(list->out, " %s", name);
		column += 1 + len;
	}
	fputc('\n', list->out);
}

static void write_all_refused(struct list *list)
{
	for (size_t i = 0; i < list->n_refused; i++) {
		size_t first = 0;

		while (list->refused[first].error != list->refused[i].error)
			first++;
		if (first == i)
			write_refused(list, list->refused[i].error);
	}
}

static void list_all(struct list *list)
{
	list->heading = "software";
	list_generic(list, PERF_TYPE_SOFTWARE);
	list->heading = "hardware";
	list_generic(list, PERF_TYPE_HARDWARE);
	list->heading = "hardware, caches";
	list_caches(list);
	list->heading = "hardware, of this CPU (libpfm4)";
	pmu_pfm_each(list_pfm_event, list);
	if (!pmu_pfm_counters() && opens(list, "cycles"))
		fprintf(list->out,
			"\nlibpfm4 does not know this CPU: names of its own events are from sysfs "
			"only\n");
	list->heading = "from sysfs";
	pmu_sysfs_each(list->root, list_sysfs_event, list);
	list->heading = "precise levels, for samples that name the right instruction";
	list_precise(list);
	list->heading = "any other, by its number";
	try_form(list, "r0", "rNNNN", "the CPU's event NNNN, in hexadecimal");
	try_form(list, "software/config=0/", "PMU/config=0xNNNN/",
		 "of a PMU in /sys/bus/event_source/devices");
}

int pmu_list_in(const char *root, FILE *out, unsigned int cpu)
{
	struct list list = { .root = root, .out = out, .cpu = cpu };
	char err[PMU_ERROR_BYTES];
	struct event_spec clock;
	uint32_t failed;

	int error = pmu_parse("cpu-clock", &clock, 1, err, sizeof(err));
	if (error > 0)
		error = pmu_probe(&clock, 1, cpu, &failed);
	if (!error)
		error = cpulist_read(ONLINE_CPUS, &list.online);
	if (error) {
		pmu_explain(error, &clock, err, sizeof(err));
		fprintf(out, "no event can be opened: %s\n", err);
		return error;
	}
	fprintf(out, "Events that can be sampled here (tried on CPU %u).\n", cpu);
	fprintf(out,
		"Choose with -e NAME; NAME:u counts user mode only, NAME:k the kernel only.\n"
		"-e '{A,B,C}' is a group: A takes samples, which carry the counts of all three.\n");
	list_all(&list);
	write_all_refused(&list);
	error = list.out_of_memory ? -ENOMEM : 0;
	list_free(&list);
	return error;
}

int pmu_list(FILE *out, unsigned int cpu)
{
	return pmu_list_in(PMU_SYSFS, out, cpu);
}
