/* SPDX-License-Identifier: Apache-2.0 */
/*
 * json.h - pieces of JSON, to stdout.
 */
#ifndef PROFILER_JSON_H
#define PROFILER_JSON_H

#include <stdint.h>

/** json_string() - any bytes as a string; made valid UTF-8 without control characters */
void json_string(const char *text);

/** json_text() - a member of an object that others follow: "key": "text", */
void json_text(const char *key, const char *text);

/** json_number() - a number; for those that are printed by the million */
void json_number(uint64_t number);

#endif /* PROFILER_JSON_H */
