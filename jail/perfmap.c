// SPDX-License-Identifier: Apache-2.0
/*
 * perfmap.c - names by a perf map, see perfmap.h.
 *
 * While the lines go by, a place keeps where the line is that names it; the names are read when
 * that is settled, and only if the line is still the same.
 */
#include "jail/perfmap.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>

struct line {
	uint64_t start;
	uint64_t end;
	const uint8_t *name;
	size_t name_size;
	size_t size; /* with the end of line */
};

/* Takes a hexadecimal number of up to 16 digits and the spaces behind it. */
static bool take_number(const uint8_t **at, const uint8_t *end, uint64_t *ret)
{
	const uint8_t *c = *at;
	const uint8_t *digits;
	uint64_t value = 0;

	if (end - c > 2 && c[0] == '0' && (c[1] | 0x20) == 'x')
		c += 2;
	for (digits = c; c < end; c++) {
		const unsigned int digit = *c - '0', letter = (*c | 0x20) - 'a';

		if (digit < 10)
			value = value << 4 | digit;
		else if (letter < 6)
			value = value << 4 | (letter + 10);
		else
			break;
	}
	if (c == digits || c - digits > 16 || c == end || *c != ' ')
		return false;
	while (c < end && *c == ' ')
		c++;
	*at = c;
	*ret = value;
	return true;
}

static bool parse(const uint8_t *at, const uint8_t *end, struct line *ret)
{
	uint64_t size;

	if (!take_number(&at, end, &ret->start) || !take_number(&at, end, &size) || at == end ||
	    !size || __builtin_add_overflow(ret->start, size, &ret->end))
		return false;
	ret->name = at;
	ret->name_size = (size_t)(end - at);
	return true;
}

/*
 * The line at an offset; without a name if it is none. Of one that is longer than a line may be
 * the rest is the next, and none either. Return: false at the end of the file.
 */
static bool read_line(struct filewindow *file, uint64_t offset, struct line *ret)
{
	const uint8_t *at = NULL, *end;
	size_t have = filewindow_at(file, offset, 1, &at);

	*ret = (struct line){ .name = NULL };
	end = have ? memchr(at, '\n', have) : NULL;
	if (!end && have < FILEWINDOW_WANT) {
		have = filewindow_at(file, offset, FILEWINDOW_WANT, &at);
		end = have ? memchr(at, '\n', have) : NULL;
	}
	if (!have)
		return false;
	ret->size = end ? (size_t)(end - at) + 1 : have;
	if (end && !parse(at, end, ret))
		ret->name = NULL;
	return true;
}

/* Where the lines begin that are read. */
static uint64_t first_line(struct filewindow *file)
{
	uint64_t offset = 0;
	struct line line;

	if (file->size > PERFMAP_BYTES_MAX) {
		offset = file->size - PERFMAP_BYTES_MAX;
		if (read_line(file, offset, &line)) /* the rest of one */
			offset += line.size;
	}
	return offset;
}

static int read_lines(struct perfmap *p, uint64_t before)
{
	uint32_t work = PERFMAP_WORK_MAX;
	struct line line;

	for (uint64_t at = first_line(&p->file); read_line(&p->file, at, &line); at += line.size) {
		struct places_span span = { 0 };

		if (line.name)
			span = places_add(&p->places, line.start, line.end);
		if (work < 1 + span.last - span.first)
			return -E2BIG;
		work -= 1 + span.last - span.first;
		for (uint32_t i = span.first; i < span.last; i++) {
			p->changed[i] = p->changed[i] || (p->line[i] && at >= before);
			p->line[i] = at + 1;
		}
	}
	return 0;
}

/* Adds the stretch of a place; false if the answer is full. */
static bool answer_place(struct perfmap *p, uint32_t i, struct name_answer *ret)
{
	const uint64_t start = p->places.gap[i].last, end = p->places.gap[i + 1].first;
	const uint64_t at = p->places.at[i];
	struct line line;

	if (p->changed[i])
		return name_answer_add_changed(ret, start, end);
	if (!p->line[i] || !read_line(&p->file, p->line[i] - 1, &line) || !line.name ||
	    at < line.start || at >= line.end)
		return name_answer_add(ret, start, end, NULL, 0);
	return name_answer_add(ret, start, end, (const char *)line.name,
			       strnlen((const char *)line.name, line.name_size));
}

int perfmap_names(struct perfmap *p, int fd, uint64_t before, const uint64_t *addresses,
		  uint32_t count, struct name_answer *ret)
{
	int err = filewindow_open(&p->file, fd);

	name_answer_init(ret);
	if (err)
		return err;
	places_init(&p->places, addresses, count);
	memset(p->line, 0, count * sizeof(p->line[0]));
	memset(p->changed, 0, count * sizeof(p->changed[0]));
	err = read_lines(p, before);
	places_settle(&p->places);
	for (uint32_t i = 0; !err && i < count; i++) {
		/* every other place of the same stretch has the same name */
		if (i && p->places.gap[i].last == p->places.gap[i - 1].last)
			continue;
		if (!answer_place(p, i, ret))
			break;
	}
	return err;
}
