/* SPDX-License-Identifier: Apache-2.0 */
/* function_filter.c - which stacks are wanted, by the functions in them. */
#include "tools/function_filter.h"

#include <errno.h>
#include <regex.h>
#include <stdlib.h>

#include "tools/stack.h"

/* A broken stream may have samples that say they have counts, and have none. */
static void take_off(uint64_t *from, uint64_t count)
{
	*from -= count < *from ? count : *from;
}

/* Takes it out of what is known of its group. */
static void leave_out_counts(struct profile *p, const struct profile_row *row)
{
	struct group *group = &p->groups.of[row->event];
	uint64_t known = row->sums ? sums_samples(sums_at(&p->sums, row->sums)) : 0;

	if (!group->counters || !(row->flags & PROFILER__SAMPLE_FLAG__COUNTED))
		return;
	take_off(&group->counted, row->count);
	take_off(&group->absent, row->count - known);
	if (row->flags & PROFILER__SAMPLE_FLAG__SHARED)
		take_off(&group->shared, row->count);
}

static void leave_out(struct profile *p, struct profile_row *row)
{
	uint32_t events = (uint32_t)profile_header(p)->n_event;

	for (uint32_t event = 0; event < events; event++) {
		struct profile_total part = profile_row_total(p, row, event);

		p->event[event].count -= part.count;
		p->event[event].weight -= part.weight;
	}
	p->all.count -= row->count;
	p->all.weight -= row->weight;
	p->left_out += row->count;
	leave_out_counts(p, row);
	row->count = row->weight = 0;
	row->sums = 0;
}

static bool has_wanted(const struct stack *stack, const bool *wanted)
{
	for (size_t i = 0; i < stack->count; i++)
		if (wanted[stack->frame[i].function])
			return true;
	return false;
}

/* By id of a function, whether it has such a name. */
static bool *match_functions(const struct names *n, const regex_t *pattern)
{
	bool *wanted = calloc((size_t)n->functions.count + 1, sizeof(*wanted));

	for (uint32_t id = 1; wanted && id <= n->functions.count; id++) {
		const char *label = profile_text(n->profile, names_function(n, id)->label);

		wanted[id] = regexec(pattern, label, 0, NULL, 0) == 0;
	}
	return wanted;
}

int function_filter(struct profile *p, const struct names *n, const char *regex, char *err,
		    size_t err_bytes)
{
	struct stack *stack = NULL;
	bool *wanted = NULL;
	regex_t pattern;
	int error = regcomp(&pattern, regex, REG_EXTENDED | REG_NOSUB);

	if (error) {
		regerror(error, &pattern, err, err_bytes);
		return error == REG_ESPACE ? -ENOMEM : -EINVAL;
	}
	wanted = match_functions(n, &pattern);
	regfree(&pattern);
	stack = calloc(1, sizeof(*stack));
	error = wanted && stack ? 0 : -ENOMEM;
	for (uint32_t id = 1; !error && id <= p->rows.count; id++) {
		struct profile_row *row = idmap_at(&p->rows, id);

		error = stack_read(stack, n, row);
		if (!error && !has_wanted(stack, wanted))
			leave_out(p, row);
	}
	if (stack)
		stack_release(stack);
	free(stack);
	free(wanted);
	return error;
}
