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

#include "profiler/pmu_names.h"

#define LINE_COLUMNS 80
#define NAME_COLUMN  2
#define TEXT_COLUMN  30

/* Names that did not open, with why; freed by list_free(). */
struct refused {
	char *name;
	int error;
};

struct list {
	FILE *out;
	unsigned int cpu;
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

/* Tries an event and puts it where it belongs. */
static void try_event(struct list *list, const char *name, const char *description)
{
	char err[PMU_ERROR_BYTES];
	struct event_spec spec;

	if (pmu_parse(name, &spec, err, sizeof(err)))
		return; /* no event by itself: a unit mask that needs another */
	int error = pmu_probe(&spec, list->cpu);
	if (error) {
		add_refused(list, name, error);
		return;
	}
	write_event(list, name, description);
}

/* Shows a form of name, if an example of it opens. */
static void try_form(struct list *list, const char *example, const char *form,
		     const char *description)
{
	char err[PMU_ERROR_BYTES];
	struct event_spec spec;

	if (!pmu_parse(example, &spec, err, sizeof(err)) && !pmu_probe(&spec, list->cpu))
		write_event(list, form, description);
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
	list->heading = "from sysfs";
	pmu_sysfs_each(PMU_SYSFS, list_sysfs_event, list);
	list->heading = "any other, by its number";
	try_form(list, "r0", "rNNNN", "the CPU's event NNNN, in hexadecimal");
	try_form(list, "software/config=0/", "PMU/config=0xNNNN/",
		 "of a PMU in /sys/bus/event_source/devices");
}

int pmu_list(FILE *out, unsigned int cpu)
{
	struct list list = { .out = out, .cpu = cpu };
	char err[PMU_ERROR_BYTES];
	struct event_spec clock;

	int error = pmu_parse("cpu-clock", &clock, err, sizeof(err));
	if (!error)
		error = pmu_probe(&clock, cpu);
	if (error) {
		pmu_explain(error, &clock, err, sizeof(err));
		fprintf(out, "no event can be opened: %s\n", err);
		return error;
	}
	fprintf(out, "Events that can be sampled here (tried on CPU %u).\n", cpu);
	fprintf(out,
		"Choose with -e NAME; NAME:u counts user mode only, NAME:k the kernel only.\n");
	list_all(&list);
	write_all_refused(&list);
	error = list.out_of_memory ? -ENOMEM : 0;
	list_free(&list);
	return error;
}
