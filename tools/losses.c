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
	char a[TEXT_NUMBER_MAX];
	char b[TEXT_NUMBER_MAX];

	if (!ledger || !ledger->n_row) {
		snprintf(ret, LEDGER_TEXT_MAX, "none in this stream: losses are unknown");
		return ret;
	}
	snprintf(ret, LEDGER_TEXT_MAX, "%s expected = %s written", text_count(a, sum.expected),
		 text_count(b, sum.written));
	add_term(ret, (int64_t)sum.idle, "idle", false);
	add_term(ret, (int64_t)sum.filtered, "filtered", false);
	add_term(ret, (int64_t)sum.dropped, "dropped", true);
	add_term(ret, sum.blind, "blind", true);
	add_term(ret, (int64_t)sum.throttled, "throttled", false);
	add_term(ret, (int64_t)sum.in_flight, "in flight", false);
	add_term(ret, sum.unaccounted, "unaccounted for", false);
	return ret;
}
