/* SPDX-License-Identifier: Apache-2.0 */
/*
 * diff_gate.h - conditions under which profiler-diff fails, for CI: "self>2%", "total>1%",
 * "parse_request:self>0.5%".
 *
 * A condition is met by a function that grew by more points of the base's whole, if that can be
 * told from noise: of all functions with the number of them corrected for, of one that was named
 * beforehand without.
 */
#ifndef PROFILER_DIFF_GATE_H
#define PROFILER_DIFF_GATE_H

#include "tools/diff.h"

struct diff_gate {
	const char *text; /* as given */
	enum diff_kind kind;
	double percent;
	size_t name_bytes; /* of text; 0: any function */
};

/** diff_gate_parse() - a condition; 0 or -EINVAL */
int diff_gate_parse(const char *text, struct diff_gate *ret) __attribute__((warn_unused_result));

/**
 * diff_gate_find() - the row that meets a condition the most
 * @d: functions that were compared
 * @gate: the condition
 *
 * Return: the row, NULL when none does.
 */
const struct diff_row *diff_gate_find(const struct diff *d, const struct diff_gate *gate);

#endif /* PROFILER_DIFF_GATE_H */
