/* SPDX-License-Identifier: Apache-2.0 */
/*
 * report_groups.c - whose or what samples are, for the tables that are not of functions.
 *
 * A sample is in one group, so a table's samples add up to those of the profile.
 */
#include "tools/report.h"

#include <string.h>

static const char *const words[REPORT_BYS] = {
	[REPORT_BY_FUNCTION] = "function",
	[REPORT_BY_EVENT] = "event",
	[REPORT_BY_PID] = "pid",
	[REPORT_BY_TID] = "tid",
	[REPORT_BY_COMM] = "comm",
	[REPORT_BY_CGROUP] = "cgroup",
	[REPORT_BY_CONTAINER] = "container",
	[REPORT_BY_CPU] = "cpu",
	[REPORT_BY_MAPPING] = "mapping",
	[REPORT_BY_SOURCE] = "source",
	[REPORT_BY_STACK] = "stack",
};

enum report_by report_by_find(const char *word)
{
	if (!strcmp(word, "process"))
		return REPORT_BY_PID;
	if (!strcmp(word, "thread"))
		return REPORT_BY_TID;
	if (!strcmp(word, "line"))
		return REPORT_BY_SOURCE;
	for (int by = REPORT_BY_FUNCTION; by < REPORT_BYS; by++)
		if (!strcmp(word, words[by]))
			return (enum report_by)by;
	return REPORT_BY_DEFAULT;
}

const char *report_by_word(enum report_by by)
{
	return words[by];
}

static void set_process(struct report_group *group, const struct profile_process *process)
{
	if (!process)
		return;
	group->start_ns = process->start_ns;
	group->pid = process->pid;
}

static void set_container(struct report_group *group, const struct profile_process *process)
{
	if (!process)
		return;
	group->text = process->container;
	group->has_none = !process->container && process->cgroup;
}

/* Where the leaf's code is; what stands for a missing stack is nowhere but has a name. */
static void set_mapping(struct report_group *group, const struct names *names, uint32_t leaf)
{
	const struct code_line *line = names_lines(names, names_location(names, leaf));
	const struct function *f = names_function(names, line->function);

	group->text = f->path ? f->path : f->label;
}

/* The line of the leaf's code: of inlined functions that of the innermost. */
static void set_source(struct report_group *group, const struct names *names, uint32_t leaf)
{
	const struct code_line *line = names_lines(names, names_location(names, leaf));

	if (line->file && line->line) {
		group->text = line->file;
		group->line = line->line;
		return;
	}
	set_mapping(group, names, leaf);
	group->has_none = true;
}

/* From the root down, so that stacks share what they have in common. */
static int set_stack(struct report *r, const uint32_t *stack, size_t length,
		     struct report_group *group)
{
	int err = 0;

	while (err >= 0 && length) {
		const struct location *location = names_location(r->names, stack[--length]);
		const struct code_line *line = names_lines(r->names, location);

		for (uint32_t i = location->lines; err >= 0 && i--;) {
			const struct report_call call = { group->stack, line[i].function };

			err = idmap_get(&r->calls, &call, &group->stack);
		}
	}
	return err < 0 ? err : 0;
}

int report_group_of(struct report *r, const struct profile_row *row, const uint32_t *stack,
		    size_t length, struct report_group *ret)
{
	const struct profile_process *process = profile_process(r->profile, row->who);
	const struct profile_thread *thread = profile_thread(r->profile, row->who);

	*ret = (struct report_group){ 0 };
	switch (r->group_by) {
	case REPORT_BY_TID:
		set_process(ret, process);
		ret->tid = thread ? thread->tid : 0;
		ret->text = thread ? thread->comm : 0;
		break;
	case REPORT_BY_COMM:
		ret->text = thread ? thread->comm : 0;
		break;
	case REPORT_BY_CGROUP:
		ret->text = process ? process->cgroup : 0;
		break;
	case REPORT_BY_CONTAINER:
		set_container(ret, process);
		break;
	case REPORT_BY_CPU:
		ret->cpu = row->cpu;
		break;
	case REPORT_BY_MAPPING:
		set_mapping(ret, r->names, stack[0]);
		break;
	case REPORT_BY_SOURCE:
		set_source(ret, r->names, stack[0]);
		break;
	case REPORT_BY_STACK:
		return set_stack(r, stack, length, ret);
	default:
		set_process(ret, process);
		ret->text = process ? process->comm : 0;
	}
	return 0;
}
