/* SPDX-License-Identifier: Apache-2.0 */
/*
 * text.c - text made fit for showing, and numbers for people, see text.h.
 */
#include "tools/text.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

static const char replacement[TEXT_CLEAN_GROWTH] = { '\xEF', '\xBF', '\xBD' };

/*
 * Length of the UTF-8 sequence at @at, 0 when it is none: overlong, a surrogate, beyond
 * U+10FFFF, or cut (table 3-7 of the Unicode standard).
 */
static size_t utf8_sequence(const unsigned char *at, size_t bytes)
{
	unsigned char low = 0x80;
	unsigned char high = 0xBF;
	size_t length;

	if (at[0] < 0x80)
		return 1;
	if (at[0] >= 0xC2 && at[0] <= 0xDF)
		length = 2;
	else if (at[0] >= 0xE0 && at[0] <= 0xEF)
		length = 3;
	else if (at[0] >= 0xF0 && at[0] <= 0xF4)
		length = 4;
	else
		return 0;
	if (at[0] == 0xE0)
		low = 0xA0;
	else if (at[0] == 0xED)
		high = 0x9F;
	else if (at[0] == 0xF0)
		low = 0x90;
	else if (at[0] == 0xF4)
		high = 0x8F;
	if (bytes < length || at[1] < low || at[1] > high)
		return 0;
	for (size_t i = 2; i < length; i++)
		if ((at[i] & 0xC0) != 0x80)
			return 0;
	return length;
}

size_t text_clean(char *dst, const char *src, size_t bytes)
{
	char *out = dst;
	size_t length;

	for (size_t i = 0; i < bytes; i += length) {
		const unsigned char *at = (const unsigned char *)src + i;

		length = utf8_sequence(at, bytes - i);
		if (!length) {
			memcpy(out, replacement, sizeof(replacement));
			out += sizeof(replacement);
			length = 1;
		} else if (*at < 0x20 || *at == 0x7F || (*at == 0xC2 && at[1] < 0xA0)) {
			*out++ = '?'; /* C0, DEL and the C1 controls that UTF-8 can spell */
		} else {
			memcpy(out, at, length);
			out += length;
		}
	}
	return (size_t)(out - dst);
}

size_t text_columns(const char *text)
{
	size_t columns = 0;

	for (; *text; text++)
		columns += (*text & 0xC0) != 0x80;
	return columns;
}

const char *text_skip(const char *text, size_t columns)
{
	for (; *text; text++)
		if ((*text & 0xC0) != 0x80 && !columns--)
			break;
	return text;
}

const char *text_count(char buffer[TEXT_NUMBER_MAX], uint64_t value)
{
	char digits[TEXT_NUMBER_MAX];
	int length = snprintf(digits, sizeof(digits), "%" PRIu64, value);
	char *out = buffer;

	for (int i = 0; i < length; i++) {
		if (i && (length - i) % 3 == 0)
			*out++ = ',';
		*out++ = digits[i];
	}
	*out = 0;
	return buffer;
}

const char *text_weight(char buffer[TEXT_NUMBER_MAX], uint64_t value, const char *unit)
{
	static const char *const prefix[] = { "", " k", " M", " G", " T", " P", " E" };
	double scaled = (double)value;
	size_t step = 0;

	if (!strcmp(unit, "nanoseconds")) {
		if (value >= 1000000000)
			snprintf(buffer, TEXT_NUMBER_MAX, "%.2f s", scaled / 1e9);
		else
			snprintf(buffer, TEXT_NUMBER_MAX, "%.3g ms", scaled / 1e6);
		return buffer;
	}
	for (; scaled >= 999.5 && step + 1 < sizeof(prefix) / sizeof(prefix[0]); step++)
		scaled /= 1000;
	snprintf(buffer, TEXT_NUMBER_MAX, step ? "%.3g%s" : "%.0f%s", scaled, prefix[step]);
	return buffer;
}
