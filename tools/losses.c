/* SPDX-License-Identifier: Apache-2.0 */
/*
 * losses.c - where every sample went, in sums and in words, see losses.h.
 */
#include "tools/losses.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "tools/text.h"

struct ledger_sum ledger_sum(const Profiler__Ledger *ledger, uint32_t event)
{
	struct ledger_sum sum = { 0 };

	for (size_t i = 0; ledger && i < ledger->n_row; i++) {
		const Profiler__LedgerRow *r = ledger->row[i];

		if (event != PROFILE_ALL_EVENTS && r->event != event)
			continue;
		sum.expected += r->expected;
		sum.blind += r->blind;
		sum.throttled += r->throttled;
		sum.entries += r->entries;
		sum.idle += r->idle;
		sum.filtered += r->filtered_target + r->filtered_mode;
		sum.dropped += r->ring_full + r->ring_busy + r->handoff + r->output;
		sum.written += r->written;
		sum.in_flight += r->in_flight;
		sum.unaccounted += r->unaccounted;
	}
	return sum;
}

struct ledger_counter ledger_counter(const Profiler__Ledger *ledger, uint32_t event)
{
	struct ledger_counter c = { 0 };

	for (size_t i = 0; ledger && i < ledger->n_row; i++) {
		const Profiler__LedgerRow *r = ledger->row[i];

		if (r->event != event)
			continue;
		c.count += r->count;
		c.counted += r->counted;
		c.uncounted += r->uncounted;
		c.counts_lost += r->counts_lost;
		c.entries += r->entries;
		c.idle += r->idle;
		c.throttled += r->throttled;
		c.throttles += r->throttles;
		c.enabled_ns += r->enabled_ns;
		c.running_ns += r->running_ns;
		c.busy_ns += r->running_ns > r->idle_ns ? r->running_ns - r->idle_ns : 0;
		c.rows++;
		c.never += r->enabled_ns && !r->running_ns;
	}
	return c;
}

double ledger_achieved_hz(const struct ledger_counter *c)
{
	return c->busy_ns && c->entries > c->idle
		       ? 1e9 * (double)(c->entries - c->idle) / (double)c->busy_ns
		       : 0;
}

/* Can be told from the clock of idle time how many samples there should have been? */
static bool is_busy(const Profiler__Header *header, const Profiler__LedgerRow *r)
{
	bool clock =
		r->event < header->n_event && !strcmp(header->event[r->event]->unit, "nanoseconds");

	return !clock || r->idle_ns < r->running_ns / 10;
}

int64_t ledger_busy_blind(const Profiler__Header *header, const Profiler__Ledger *ledger,
			  uint32_t event)
{
	int64_t blind = 0;

	for (size_t i = 0; ledger && i < ledger->n_row; i++) {
		const Profiler__LedgerRow *r = ledger->row[i];

		if ((event == PROFILE_ALL_EVENTS || r->event == event) && is_busy(header, r))
			blind += r->blind;
	}
	return blind;
}

static void add_term(char ret[LEDGER_TEXT_MAX], int64_t value, const char *what, bool always)
{
	char number[TEXT_NUMBER_MAX];
	size_t used = strlen(ret);

	if (!value && !always)
		return;
	text_count(number, value < 0 ? -(uint64_t)value : (uint64_t)value);
	snprintf(ret + used, LEDGER_TEXT_MAX - used, " %c %s %s", value < 0 ? '-' : '+', number,
		 what);
}

const char *ledger_text(const struct profile *p, uint32_t event, char ret[LEDGER_TEXT_MAX])
{
	const Profiler__Ledger *ledger = profile_ledger(p);
	struct ledger_sum sum = ledger_sum(ledger, event);
	int64_t busy = ledger_busy_blind(profile_header(p), ledger, event);
	char a[TEXT_NUMBER_MAX];
	char b[TEXT_NUMBER_MAX];
	char blind[64] = "blind";

	if (!ledger || !ledger->n_row) {
		snprintf(ret, LEDGER_TEXT_MAX, "none in this stream: losses are unknown");
		return ret;
	}
	snprintf(ret, LEDGER_TEXT_MAX, "%s expected = %s written", text_count(a, sum.expected),
		 text_count(b, sum.written));
	add_term(ret, (int64_t)sum.idle, "idle", false);
	add_term(ret, (int64_t)sum.filtered, "filtered", false);
	add_term(ret, (int64_t)sum.dropped, "dropped", true);
	if (busy != sum.blind)
		snprintf(blind, sizeof(blind), "blind (%s%s on busy CPUs)", busy < 0 ? "-" : "",
			 text_count(a, busy < 0 ? -(uint64_t)busy : (uint64_t)busy));
	add_term(ret, sum.blind, blind, true);
	add_term(ret, (int64_t)sum.throttled, "throttled", false);
	add_term(ret, (int64_t)sum.in_flight, "in flight", false);
	add_term(ret, sum.unaccounted, "unaccounted for", false);
	return ret;
}

const char *stack_how_text(uint32_t how)
{
	static const char *const texts[] = { "table", "frame pointer", "snapshot" };

	return how < sizeof(texts) / sizeof(*texts) ? texts[how] : "?";
}

const char *stack_end_text(uint32_t end)
{
	static const char *const texts[] = {
		[PROFILER__STACK_COUNT__END__COMPLETE] = "whole",
		[PROFILER__STACK_COUNT__END__NO_PROCESS] = "mappings not known yet",
		[PROFILER__STACK_COUNT__END__NO_MAPPING] = "not in a mapping",
		[PROFILER__STACK_COUNT__END__NO_TABLE] = "table not loaded yet",
		[PROFILER__STACK_COUNT__END__BEYOND] = "rule too complex",
		[PROFILER__STACK_COUNT__END__MAX_FRAMES] = "too many frames",
		[PROFILER__STACK_COUNT__END__UNREADABLE] = "memory not readable",
		[PROFILER__STACK_COUNT__END__BAD_FRAME] = "not a frame",
		[PROFILER__STACK_COUNT__END__NO_RULE] = "no unwind table",
		[PROFILER__STACK_COUNT__END__REFUSED] = "unwind table not usable",
		[PROFILER__STACK_COUNT__END__CHAIN_END] = "end of the frame pointers",
		[PROFILER__STACK_COUNT__END__SHORT] = "longer than the snapshot",
		[PROFILER__STACK_COUNT__END__NO_ANSWER] = "snapshot not walked",
	};

	return end < sizeof(texts) / sizeof(*texts) ? texts[end] : "?";
}
