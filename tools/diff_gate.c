/* SPDX-License-Identifier: Apache-2.0 */
/* diff_gate.c - conditions under which profiler-diff fails, see diff_gate.h. */
#include "tools/diff_gate.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

int diff_gate_parse(const char *text, struct diff_gate *ret)
{
	static const char *const words[] = { [DIFF_SELF] = "self>", [DIFF_TOTAL] = "total>" };
	const char *colon = strrchr(text, ':'); /* names have them, too */
	const char *at = colon ? colon + 1 : text;
	struct diff_gate gate = { .text = text, .kind = DIFF_KINDS };
	char *end;

	for (size_t kind = DIFF_SELF; kind <= DIFF_TOTAL; kind++)
		if (!strncmp(at, words[kind], strlen(words[kind])))
			gate.kind = (enum diff_kind)kind;
	if (gate.kind == DIFF_KINDS || colon == text)
		return -EINVAL;
	at += strlen(words[gate.kind]);
	gate.percent = strtod(at, &end);
	if (end == at || strcmp(end, "%") != 0 || !(gate.percent >= 0))
		return -EINVAL;
	if (colon)
		gate.name_bytes = (size_t)(colon - text);
	*ret = gate;
	return 0;
}

static bool is_meant(const struct diff *d, const struct diff_gate *gate, const struct diff_row *row)
{
	const char *name = diff_text(d, diff_function(d, row->id)->name);

	return strlen(name) == gate->name_bytes && !memcmp(name, gate->text, gate->name_bytes);
}

const struct diff_row *diff_gate_find(const struct diff *d, const struct diff_gate *gate)
{
	const struct diff_row *worst = NULL;

	for (size_t i = 0; i < d->kind[gate->kind].count; i++) {
		const struct diff_row *row = &d->kind[gate->kind].row[i];
		bool is_sure = row->is_different;

		if (gate->name_bytes) {
			if (!is_meant(d, gate, row))
				continue;
			is_sure = row->is_tested && row->percent.p <= 1 - d->confidence;
		}
		if (is_sure && row->percent.change > gate->percent &&
		    (!worst || row->percent.change > worst->percent.change))
			worst = row;
	}
	return worst;
}
