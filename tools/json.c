/* SPDX-License-Identifier: Apache-2.0 */
/*
 * json.c - pieces of JSON, to stdout, see json.h.
 */
#include "tools/json.h"

#include <stdio.h>
#include <string.h>

#include "tools/text.h"

#define PIECE 1024

/* Strings can be anything and long: they are cleaned a piece at a time. */
void json_string(const char *text)
{
	char clean[PIECE * TEXT_CLEAN_GROWTH];
	size_t bytes = strlen(text);

	putchar('"');
	while (bytes) {
		size_t piece = bytes < PIECE ? bytes : PIECE;
		size_t length;

		/* not within a sequence */
		while (piece < bytes && piece > PIECE - 4 && (text[piece] & 0xC0) == 0x80)
			piece--;
		length = text_clean(clean, text, piece);
		for (size_t i = 0; i < length; i++) {
			if (clean[i] == '"' || clean[i] == '\\')
				putchar('\\');
			putchar(clean[i]);
		}
		text += piece;
		bytes -= piece;
	}
	putchar('"');
}

void json_text(const char *key, const char *text)
{
	printf("\"%s\": ", key);
	json_string(text);
	fputs(", ", stdout);
}

void json_number(uint64_t number)
{
	char digits[24];
	size_t at = sizeof(digits);

	do {
		digits[--at] = (char)('0' + number % 10);
		number /= 10;
	} while (number);
	fwrite_unlocked(digits + at, 1, sizeof(digits) - at, stdout);
}
