/* SPDX-License-Identifier: Apache-2.0 */
/* pprof_labels.c - what the samples of a profile.proto are told apart by. */
#include "tools/pprof_labels.h"

#include <string.h>

#include "tools/container.h"

static const char *const label_names[PPROF_LABELS] = { "process", "pid",       "thread",
						       "tid",	  "cpu",       "event",
						       "cgroup",  "container", "inner_pid" };

uint32_t pprof_find_label(const char *name, size_t length)
{
	for (size_t i = 0; i < PPROF_LABELS; i++)
		if (strlen(label_names[i]) == length && !memcmp(label_names[i], name, length))
			return UINT32_C(1) << i;
	return 0;
}

const char *pprof_label_name(uint32_t bit)
{
	return label_names[__builtin_ctz(bit)];
}

static int64_t label_key(struct pprof_writer *w, enum label_bit bit)
{
	int64_t *key = &w->label_key[__builtin_ctz(bit)];

	if (!*key)
		*key = pprof_string(w, pprof_label_name(bit));
	return *key;
}

static int64_t event_label(struct pprof_writer *w, uint32_t event)
{
	int64_t *label = &w->event_label[event];
	char name[EVENT_NAME_MAX];

	if (!*label)
		*label = pprof_string(w, profile_event_name(w->profile, event, name));
	return *label;
}

/* A label of a string, or of a number with the label's own name as unit so that 0 survives. */
static Perftools__Profiles__Label text_label(struct pprof_writer *w, enum label_bit bit,
					     uint32_t text)
{
	Perftools__Profiles__Label label = PERFTOOLS__PROFILES__LABEL__INIT;

	label.key = label_key(w, bit);
	label.str = text ? pprof_profile_string(w, text) : pprof_string(w, "[unknown]");
	return label;
}

static Perftools__Profiles__Label number_label(struct pprof_writer *w, enum label_bit bit,
					       uint32_t number)
{
	Perftools__Profiles__Label label = PERFTOOLS__PROFILES__LABEL__INIT;

	label.key = label_key(w, bit);
	label.num = number;
	label.num_unit = label.key;
	return label;
}

/* Where a process is, as far as that is known and worth a word. */
static size_t make_place_labels(struct pprof_writer *w, const struct profile_process *process,
				uint32_t wanted, Perftools__Profiles__Label *label)
{
	size_t count = 0;

	if (wanted & LABEL_CGROUP && process->cgroup)
		label[count++] = text_label(w, LABEL_CGROUP, process->cgroup);
	if (wanted & LABEL_CONTAINER && process->container) {
		char id[CONTAINER_SHORT_DIGITS + 1] = "";

		memcpy(id, profile_text(w->profile, process->container), CONTAINER_SHORT_DIGITS);
		label[count] = text_label(w, LABEL_CONTAINER, 0);
		label[count++].str = pprof_string(w, id);
	}
	if (wanted & LABEL_INNER_PID && process->inner_pid && process->inner_pid != process->pid)
		label[count++] = number_label(w, LABEL_INNER_PID, process->inner_pid);
	return count;
}

size_t pprof_make_labels(struct pprof_writer *w, const struct profile_row *row, uint32_t wanted,
			 Perftools__Profiles__Label label[PPROF_LABELS])
{
	const struct profile_process *process = profile_process(w->profile, row->who);
	const struct profile_thread *thread = profile_thread(w->profile, row->who);
	size_t count = 0;

	if (wanted & LABEL_PROCESS)
		label[count++] = text_label(w, LABEL_PROCESS, process ? process->comm : 0);
	if (wanted & LABEL_PID && process)
		label[count++] = number_label(w, LABEL_PID, process->pid);
	if (process)
		count += make_place_labels(w, process, wanted, &label[count]);
	if (wanted & LABEL_THREAD)
		label[count++] = text_label(w, LABEL_THREAD, thread ? thread->comm : 0);
	if (wanted & LABEL_TID && thread)
		label[count++] = number_label(w, LABEL_TID, thread->tid);
	if (wanted & LABEL_CPU)
		label[count++] = number_label(w, LABEL_CPU, row->cpu);
	if (wanted & LABEL_EVENT) {
		label[count] = text_label(w, LABEL_EVENT, 0);
		label[count++].str = event_label(w, row->event);
	}
	return count;
}
