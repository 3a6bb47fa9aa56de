/* SPDX-License-Identifier: Apache-2.0 */
/* string_table.h - the string table of one epoch of the stream: each string once. */
#ifndef PROFILER_STRING_TABLE_H
#define PROFILER_STRING_TABLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct buffer;
struct string_table;

/** string_table_new() - an empty table. Returns 0 or -ENOMEM. */
__attribute__((warn_unused_result)) int string_table_new(struct string_table **ret);

/** string_table_free() - NULL is fine */
void string_table_free(struct string_table *s);

/**
 * string_table_id() - the id of a string, entered when it is new
 * @value: @bytes bytes; copied
 *
 * Returns its id from 1, or 0 for the empty string and when the table is full.
 */
uint32_t string_table_id(struct string_table *s, const char *value, size_t bytes);

/** string_table_crowded() - three quarters of a table are in use: the rest is for what has to be */
bool string_table_crowded(const struct string_table *s);

/** string_table_encode() - append field `strings` of message Definitions: those new since last time
 */
void string_table_encode(struct string_table *s, struct buffer *out);

/** string_table_pending_bytes() - about how much string_table_encode() would append now */
size_t string_table_pending_bytes(const struct string_table *s);

/** string_table_clear() - forget everything: a new epoch begins */
void string_table_clear(struct string_table *s);

#endif /* PROFILER_STRING_TABLE_H */
