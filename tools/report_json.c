/* SPDX-License-Identifier: Apache-2.0 */
/*
 * report_json.c - profiler-report --json.
 *
 * One object; `samples`, `weight`, `ledger` and `functions` are always there (ledger is null
 * where the stream has none). Sums over `functions`: self = samples, self_weight = weight.
 * Numbers are integers; those above 2^53 lose digits in readers that only know doubles.
 */
#include "tools/report.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "tools/json.h"
#include "tools/losses.h"

static void print_event_name(const struct report *r, const char *key, uint32_t event)
{
	char name[EVENT_NAME_MAX];

	json_text(key, event < profile_header(r->profile)->n_event
			       ? profile_event_name(r->profile, event, name)
			       : "[unknown]");
}

static void print_numbers(const struct profile_total *self, const struct profile_total *total)
{
	printf("\"self\": %" PRIu64 ", \"total\": %" PRIu64 ", \"self_weight\": %" PRIu64
	       ", \"total_weight\": %" PRIu64,
	       self->count, total->count, self->weight, total->weight);
}

/* How an event takes samples, or how often it was there to be counted; the end of its object. */
static void print_rate(const struct report *r, uint32_t event)
{
	const Profiler__Event *e = profile_header(r->profile)->event[event];
	const char *what = e->asked_in_hz ? "hz" : "period";
	struct ledger_counter c = ledger_counter(profile_ledger(r->profile), event);

	if (!e->leader)
		printf("\"%s\": %" PRIu64 ", \"%s_asked\": %" PRIu64
		       ", \"hz_achieved\": %.3f, \"throttles\": %" PRIu64 ", ",
		       what, e->granted, what, e->asked, ledger_achieved_hz(&c), c.throttles);
	printf("\"enabled_ns\": %" PRIu64 ", \"running_ns\": %" PRIu64 "}", c.enabled_ns,
	       c.running_ns);
}

static void print_events(const struct report *r)
{
	const Profiler__Header *header = profile_header(r->profile);
	const char *separator = "";

	fputs("  \"events\": [", stdout);
	for (uint32_t i = 0; i < header->n_event; i++) {
		const Profiler__Event *e = header->event[i];
		const struct profile_total *total = &r->profile->event[i];

		if (!report_is_shown(r, i))
			continue;
		printf("%s\n    {", separator);
		separator = ",";
		print_event_name(r, "name", i);
		json_text("unit", e->unit);
		json_text("requested", e->requested);
		printf("\"samples\": %" PRIu64 ", \"weight\": %" PRIu64 ", ", total->count,
		       total->weight);
		if (e->leader)
			print_event_name(r, "leader", e->leader - 1);
		if (e->precise)
			printf("\"precise\": %" PRIu32 ", ", e->precise);
		print_rate(r, i);
	}
	fputs("\n  ],\n", stdout);
}

static void print_ledger_row(const struct report *r, const Profiler__LedgerRow *row)
{
	printf("{\"cpu\": %" PRIu32 ", ", row->cpu);
	print_event_name(r, "event", row->event);
	printf("\"expected\": %" PRIu64 ", \"blind\": %" PRId64 ", \"throttled\": %" PRIu64
	       ", \"entries\": %" PRIu64 ", \"idle\": %" PRIu64 ", \"filtered_target\": %" PRIu64
	       ", \"filtered_mode\": %" PRIu64 ", \"ring_full\": %" PRIu64
	       ", \"ring_busy\": %" PRIu64 ", \"handoff\": %" PRIu64 ", \"output\": %" PRIu64
	       ", \"written\": %" PRIu64 ", \"in_flight\": %" PRIu64 ", \"unaccounted\": %" PRId64
	       ", \"count\": %" PRIu64 ", \"enabled_ns\": %" PRIu64 ", \"running_ns\": %" PRIu64
	       ", \"idle_ns\": %" PRIu64 ", \"throttles\": %" PRIu64 ", \"counted\": %" PRIu64
	       ", \"uncounted\": %" PRIu64 ", \"counts_lost\": %" PRIu64 "}",
	       row->expected, row->blind, row->throttled, row->entries, row->idle,
	       row->filtered_target, row->filtered_mode, row->ring_full, row->ring_busy,
	       row->handoff, row->output, row->written, row->in_flight, row->unaccounted,
	       row->count, row->enabled_ns, row->running_ns, row->idle_ns, row->throttles,
	       row->counted, row->uncounted, row->counts_lost);
}

/* Absent where no user stack was walked, or the recorder did not say how. */
static void print_stacks(const Profiler__Ledger *ledger)
{
	if (!ledger->n_stacks)
		return;
	fputs(",\n    \"stacks\": [", stdout);
	for (size_t i = 0; i < ledger->n_stacks; i++) {
		const Profiler__StackCount *c = ledger->stacks[i];

		printf("%s\n      {\"how\": \"%s\", \"end\": \"%s\", \"samples\": %" PRIu64 "}",
		       i ? "," : "", stack_how_text((uint32_t)c->how),
		       stack_end_text((uint32_t)c->end), c->samples);
	}
	fputs("\n    ]", stdout);
}

static void print_rate_limits(const struct report *r, const Profiler__Ledger *ledger)
{
	fputs("    \"rate_limits\": [", stdout);
	for (size_t i = 0; i < ledger->n_rate_limit; i++)
		printf("%s{\"time_ns\": %" PRIu64 ", \"max_sample_rate\": %" PRIu32 "}",
		       i ? ", " : "",
		       profile_realtime_ns(r->profile, ledger->rate_limit[i]->time_ns),
		       ledger->rate_limit[i]->max_sample_rate);
	fputs("],\n", stdout);
}

static void print_ledger(const struct report *r)
{
	const Profiler__Ledger *ledger = profile_ledger(r->profile);
	struct ledger_sum s =
		ledger_sum(ledger, r->event == PROFILE_ALL_EVENTS ? r->event : r->leader);
	const char *separator = "";

	if (!ledger) {
		fputs("  \"ledger\": null,\n", stdout);
		return;
	}
	printf("  \"ledger\": {\"final\": %s, ", ledger->final ? "true" : "false");
	json_text("stopped_by", ledger->stopped_by);
	printf("\"expected\": %" PRIu64 ", \"blind\": %" PRId64 ", \"throttled\": %" PRIu64
	       ", \"entries\": %" PRIu64 ", \"idle\": %" PRIu64 ", \"filtered\": %" PRIu64
	       ", \"dropped\": %" PRIu64 ", \"written\": %" PRIu64 ", \"in_flight\": %" PRIu64
	       ", \"unaccounted\": %" PRId64 ", \"sideband_lost\": %" PRIu64
	       ", \"stacks_unresolved\": %" PRIu64 ", \"unknown_process\": %" PRIu64
	       ", \"max_sample_rate\": %" PRIu32 ",\n",
	       s.expected, s.blind, s.throttled, s.entries, s.idle, s.filtered, s.dropped,
	       s.written, s.in_flight, s.unaccounted, ledger->sideband_lost,
	       ledger->stacks_unresolved, ledger->unknown_process, ledger->max_sample_rate);
	print_rate_limits(r, ledger);
	fputs("    \"rows\": [", stdout);
	for (size_t i = 0; i < ledger->n_row; i++) {
		if (!report_is_shown(r, ledger->row[i]->event) &&
		    ledger->row[i]->event != r->leader)
			continue;
		printf("%s\n      ", separator);
		separator = ",";
		print_ledger_row(r, ledger->row[i]);
	}
	fputs("\n    ]", stdout);
	print_stacks(ledger);
	fputs("},\n", stdout);
}

/* The cell of a function at an event, found again by its key. */
static const struct report_cell *find_cell(const struct report *r, uint32_t id, uint32_t event)
{
	struct report_cell key = { .id = id, .event = event };
	uint32_t cell = idmap_find(&r->functions, &key);

	return cell ? idmap_at(&r->functions, cell) : NULL;
}

/* What is known of a function's own samples, and of those that it is in. */
static void print_sums(const struct report *r, uint32_t leader, const struct report_sums *sums)
{
	if (leader == PROFILE_ALL_EVENTS || !r->profile->groups.of[leader].counters)
		return;
	report_json_sums(r, leader, "self_", sums->self);
	report_json_sums(r, leader, "total_", sums->total);
}

static void print_function_events(const struct report *r, uint32_t id)
{
	const char *separator = "";

	fputs(", \"events\": [", stdout);
	for (uint32_t i = 0; i < profile_header(r->profile)->n_event; i++) {
		const struct report_cell *cell = find_cell(r, id, i);

		if (!cell)
			continue;
		printf("%s{", separator);
		separator = ", ";
		print_event_name(r, "event", i);
		print_numbers(&cell->self, &cell->total);
		print_sums(r, i, &cell->sums);
		putchar('}');
	}
	putchar(']');
}

static size_t rows(const struct report *r, size_t lines)
{
	return r->options->rows && r->options->rows < lines ? r->options->rows : lines;
}

static void print_functions(const struct report *r)
{
	bool several = r->leader == PROFILE_ALL_EVENTS;

	fputs("  \"functions\": [", stdout);
	for (size_t i = 0; i < rows(r, r->function_lines); i++) {
		const struct report_line *line = &r->function_line[i];
		const struct function *f = names_function(r->names, line->id);

		printf("%s\n    {", i ? "," : "");
		json_text("name", f->name ? profile_text(r->profile, f->name) : "[unknown]");
		json_text("mapping", profile_text(r->profile, f->path));
		print_numbers(&line->self, &line->total);
		print_sums(r, r->leader, &line->sums);
		if (several)
			print_function_events(r, line->id);
		putchar('}');
	}
	fputs("\n  ],\n", stdout);
}

static void print_source(const struct report *r, const struct report_group *group)
{
	const char *text = profile_text(r->profile, group->text);

	if (group->has_none) {
		json_text("mapping", text);
		return;
	}
	json_text("file", text);
	printf("\"line\": %" PRIu32 ", ", group->line);
}

/* A list of names, leaf first. */
static void print_stack(const struct report *r, uint32_t call)
{
	const char *separator = "";

	fputs("\"stack\": [", stdout);
	while (call) {
		const struct report_call *c = idmap_at(&r->calls, call);
		const struct function *f = names_function(r->names, c->function);

		fputs(separator, stdout);
		json_string(profile_text(r->profile, f->label));
		separator = ", ";
		call = c->caller;
	}
	fputs("], ", stdout);
}

/* What tells a group from others; what is unknown of it is left out. */
static void print_group(const struct report *r, const struct report_group *group)
{
	const char *text = group->text ? profile_text(r->profile, group->text) : "[unknown]";

	switch (r->group_by) {
	case REPORT_BY_CPU:
		printf("\"cpu\": %" PRIu32 ", ", group->cpu);
		break;
	case REPORT_BY_SOURCE:
		print_source(r, group);
		break;
	case REPORT_BY_STACK:
		print_stack(r, group->stack);
		break;
	case REPORT_BY_CONTAINER:
		json_text("container", group->has_none ? "" : text);
		break;
	case REPORT_BY_PID:
	case REPORT_BY_TID:
		json_text("name", text);
		if (group->text)
			printf("\"pid\": %" PRIu32 ", ", group->pid);
		if (group->text && r->group_by == REPORT_BY_TID)
			printf("\"tid\": %" PRIu32 ", ", group->tid);
		break;
	default:
		json_text(report_by_word(r->group_by), text);
	}
}

static void print_groups(const struct report *r)
{
	if (r->group_by == REPORT_BY_PID)
		fputs("  \"processes\": [", stdout);
	else
		printf("  \"by_%s\": [", report_by_word(r->group_by));
	for (size_t i = 0; i < rows(r, r->group_lines); i++) {
		const struct report_line *line = &r->group_line[i];

		printf("%s\n    {", i ? "," : "");
		print_group(r, idmap_at(&r->groups, line->id));
		printf("\"samples\": %" PRIu64 ", \"weight\": %" PRIu64, line->self.count,
		       line->self.weight);
		if (r->leader != PROFILE_ALL_EVENTS && r->profile->groups.of[r->leader].counters)
			report_json_sums(r, r->leader, "", line->sums.self);
		putchar('}');
	}
	fputs("\n  ],\n", stdout);
}

static void print_unknowns(const struct report *r)
{
	fputs("  \"unknown\": [", stdout);
	for (size_t i = 0; i < r->unknowns.count; i++) {
		const struct report_unknown *u = &r->unknown_line[i];

		printf("%s\n    {", i ? "," : "");
		json_text("mapping", profile_text(r->profile, u->path));
		json_text("reason", name_unknown_text(u->reason));
		print_numbers(&u->self, &u->total);
		putchar('}');
	}
	fputs(r->unknowns.count ? "\n  ],\n" : "],\n", stdout);
}

static void print_strings(const char *key, char *const *text, size_t count)
{
	printf("  \"%s\": [", key);
	for (size_t i = 0; i < count; i++) {
		fputs(i ? ", " : "", stdout);
		json_string(text[i]);
	}
	fputs("],\n", stdout);
}

static void print_damage(const struct reader_damage *d)
{
	if (!d) {
		fputs("  \"damage\": null\n", stdout);
		return;
	}
	printf("  \"damage\": {\"samples_lost\": %" PRIu64
	       ", \"samples_of_unknown_events\": %" PRIu64 ", \"packets_lost\": %" PRIu64
	       ", \"bytes_skipped\": %" PRIu64 ", \"truncated_bytes\": %" PRIu64 "}\n",
	       d->samples_lost, d->samples_strange, d->packets_lost, d->bytes_skipped,
	       d->truncated_bytes);
}

/* What the user wanted of the stream; null: all of it. */
static void print_filter(const struct report *r)
{
	const struct profile *p = r->profile;
	char text[FILTER_TEXT_BYTES] = "";

	if (p->filter)
		filter_text(p->filter, text);
	fputs("  \"filter\": ", stdout);
	if (!*text && !r->options->function) {
		fputs("null,\n", stdout);
		return;
	}
	putchar('{');
	json_text("samples_of", text);
	json_text("function", r->options->function ? r->options->function : "");
	printf("\"left_out\": %" PRIu64 "},\n", p->left_out);
}

int report_print_json(const struct report *r)
{
	const Profiler__Header *h = profile_header(r->profile);
	int err = 0;

	printf("{\n  \"samples\": %" PRIu64 ",\n  \"weight\": %" PRIu64 ",\n  ", r->shown.count,
	       r->shown.weight);
	json_text("host", h->hostname);
	json_text("kernel", h->kernel_release);
	json_text("machine", h->machine);
	json_text("target", h->target);
	json_text("recorder", h->recorder);
	printf("\"cpus\": %" PRIu32 ", \"time_ns\": %" PRIu64 ", \"duration_ns\": %" PRIu64 ",\n",
	       h->cpus_online, profile_realtime_ns(r->profile, h->start_ns),
	       profile_duration_ns(r->profile));
	print_strings("command", h->command, h->n_command);
	print_strings("notices", h->notice, h->n_notice);
	print_filter(r);
	print_events(r);
	report_json_groups(r);
	print_ledger(r);
	print_functions(r);
	print_groups(r);
	print_unknowns(r);
	if (r->options->tree)
		err = report_json_tree(r);
	if (!err && r->options->peek)
		err = report_json_peek(r);
	print_damage(profile_damage(r->profile));
	puts("}");
	return err;
}
