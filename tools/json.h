/* SPDX-License-Identifier: Apache-2.0 */
/*
 * json.h - pieces of JSON, to stdout.
 */
#ifndef PROFILER_JSON_H
#define PROFILER_JSON_H

/** json_string() - any bytes as a string; made valid UTF-8 without control characters */
void json_string(const char *text);

/** json_text() - a member of an object that others follow: "key": "text", */
void json_text(const char *key, const char *text);

#endif /* PROFILER_JSON_H */
