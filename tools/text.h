/* SPDX-License-Identifier: Apache-2.0 */
/*
 * text.h - text from a stream made fit for showing, and numbers for people.
 */
#ifndef PROFILER_TEXT_H
#define PROFILER_TEXT_H

#include <stddef.h>
#include <stdint.h>

/* Bytes that text_clean() may make of one byte. */
#define TEXT_CLEAN_GROWTH 3

/**
 * text_clean() - make any bytes valid UTF-8 without control characters
 * @dst: at least TEXT_CLEAN_GROWTH * @bytes bytes; no 0 is put behind
 * @src: what may come from anybody: names of processes, files and functions
 * @bytes: size of @src
 *
 * What is no valid UTF-8 becomes U+FFFD, a control character becomes '?', so that a name can
 * neither steer a terminal nor break a line or a JSON string.
 *
 * Return: bytes written.
 */
size_t text_clean(char *dst, const char *src, size_t bytes);

/** text_columns() - code points in clean text, which is columns in a terminal but for wide ones */
size_t text_columns(const char *text);

/** text_skip() - the part of clean text behind its first @columns code points */
const char *text_skip(const char *text, size_t columns);

/* Longest result of the functions below, with its 0. */
#define TEXT_NUMBER_MAX 40

/**
 * text_count() - a number with thousands apart: 1,234,567
 * @buffer: for the result
 * @value: the number
 *
 * Return: @buffer.
 */
const char *text_count(char buffer[TEXT_NUMBER_MAX], uint64_t value);

/**
 * text_weight() - a weight short enough for a column: "8.97 s", "120 ms", "1.24 G"
 * @buffer: for the result
 * @value: the weight
 * @unit: of its event: "nanoseconds" or anything else for plain counts
 *
 * Return: @buffer.
 */
const char *text_weight(char buffer[TEXT_NUMBER_MAX], uint64_t value, const char *unit);

#endif /* PROFILER_TEXT_H */
