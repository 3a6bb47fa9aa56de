/* SPDX-License-Identifier: Apache-2.0 */
/*
 * screen.c - lines and columns on stdout, for people, see screen.h.
 */
#include "tools/screen.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "tools/text.h"

#define COLUMNS_DEFAULT 80
#define COLUMNS_MIN	60 /* in narrower ones lines wrap */
#define LINE_BYTES	4096

/* Shares from which on a line stands out. */
#define SHARE_HOT  0.05
#define SHARE_WARM 0.005

static const char bold[] = "\033[1m";
static const char red[] = "\033[31m";
static const char green[] = "\033[32m";
static const char plain[] = "\033[0m";

struct screen screen_find(void)
{
	const char *columns = getenv("COLUMNS");
	const char *no_color = getenv("NO_COLOR");
	const char *term = getenv("TERM");
	struct winsize size = { 0 };
	struct screen screen = { 0 };

	if (!isatty(STDOUT_FILENO))
		return screen;
	screen.colours = !(no_color && *no_color) && term && strcmp(term, "dumb") != 0;
	if (columns)
		screen.columns = strtoul(columns, NULL, 10);
	else if (!ioctl(STDOUT_FILENO, TIOCGWINSZ, &size))
		screen.columns = size.ws_col;
	if (!screen.columns)
		screen.columns = COLUMNS_DEFAULT;
	if (screen.columns < COLUMNS_MIN)
		screen.columns = COLUMNS_MIN;
	return screen;
}

static void print_colour(const struct screen *s, const char *colour)
{
	if (s->colours)
		fputs(colour, stdout);
}

void screen_print_cut(const char *text, size_t columns)
{
	const char *end;

	if (!columns || text_columns(text) <= columns) {
		fputs(text, stdout);
		return;
	}
	end = text_skip(text, columns - 1);
	fwrite(text, 1, (size_t)(end - text), stdout);
	putchar('~');
}

void screen_print_end(const char *text, size_t columns)
{
	size_t used = text_columns(text);

	if (columns && used > columns) {
		putchar('~');
		text = text_skip(text, used - columns + 1);
	}
	fputs(text, stdout);
}

void screen_print_middle(const char *text, size_t columns)
{
	size_t used = text_columns(text);
	size_t left = columns / 2;

	if (!columns || used <= columns) {
		fputs(text, stdout);
		return;
	}
	screen_print_cut(text, left);
	fputs(text_skip(text, used - (columns - left)), stdout);
}

void screen_print_line(const struct screen *s, const char *format, ...)
{
	char raw[LINE_BYTES];
	char text[LINE_BYTES * TEXT_CLEAN_GROWTH + 1];
	const char *at = text;
	va_list args;

	va_start(args, format);
	vsnprintf(raw, sizeof(raw), format, args);
	va_end(args);
	text[text_clean(text, raw, strlen(raw))] = 0;
	for (size_t room = s->columns; room && text_columns(at) > room; room = s->columns - 2) {
		const char *space = text_skip(at, room);

		while (space > at && *space != ' ')
			space--;
		if (space == at)
			break; /* one long word */
		printf("%.*s\n  ", (int)(space - at), at);
		at = space + 1;
	}
	puts(at);
}

void screen_print_heading(const struct screen *s, const char *text)
{
	print_colour(s, bold);
	screen_print_cut(text, s->columns);
	print_colour(s, plain);
	putchar('\n');
}

void screen_print_share(const struct screen *s, double part)
{
	print_colour(s, part >= SHARE_HOT ? red : part >= SHARE_WARM ? green : "");
	printf("%6.2f%%", 100 * part);
	print_colour(s, plain);
}
