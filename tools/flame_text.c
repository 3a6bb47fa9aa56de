/* SPDX-License-Identifier: Apache-2.0 */
/* flame_text.c - text within HTML and SVG, see flame_text.h. */
#include "tools/flame_text.h"

#include <stdlib.h>
#include <string.h>

#include "tools/text.h"

char *flame_clean(const char *text)
{
	size_t bytes = strlen(text);
	char *copy = malloc(bytes * TEXT_CLEAN_GROWTH + 1);

	if (copy)
		copy[text_clean(copy, text, bytes)] = 0;
	return copy;
}

void flame_put_markup(FILE *out, const char *text)
{
	for (; *text; text++) {
		if (strchr("&<>\"'", *text)) {
			fprintf(out, "&#%d;", *text);
		} else if (!strncmp(text, "\xEF\xBF\xBE", 3) || !strncmp(text, "\xEF\xBF\xBF", 3)) {
			fputs("\xEF\xBF\xBD", out); /* no XML has U+FFFE or U+FFFF in it */
			text += 2;
		} else {
			putc(*text, out);
		}
	}
}
