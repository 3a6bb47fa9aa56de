/* SPDX-License-Identifier: Apache-2.0 */
/* cat.h - what profiler-cat does with a stream besides copying it. */
#ifndef PROFILER_CAT_H
#define PROFILER_CAT_H

#include <stdbool.h>
#include <stdint.h>

#include "proto/reader.h"
#include "tools/sample_choice.h"

/**
 * cat_check() - does a stream keep all that stream.proto promises?
 * @r: a stream that nothing was read from yet
 * @name: what to call it
 * @json: the answer as JSON
 *
 * Prints what is wrong, or that nothing is. Return: 0, 1 when something is wrong, or what
 * reader_next() gave.
 */
int cat_check(struct reader *r, const char *name, bool json) __attribute__((warn_unused_result));

/**
 * cat_text() - print a stream for people, packet by packet
 * @r: a stream that nothing was read from yet
 * @choice: which samples
 *
 * Return: 0, or what reader_next() gave.
 */
int cat_text(struct reader *r, struct sample_choice *choice) __attribute__((warn_unused_result));

#endif /* PROFILER_CAT_H */
