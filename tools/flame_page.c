/* SPDX-License-Identifier: Apache-2.0 */
/* flame_page.c - a flame graph as one HTML file, see flame_page.h. */
#include "tools/flame_page.h"

#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#include "tools/flame_columns.h"
#include "tools/flame_text.h"
#include "tools/metrics.h"

#define MARK_TITLE "@TITLE@"
#define MARK_DATA  "@DATA@"

/* A string that is clean already. */
static void put_string(FILE *out, const char *text)
{
	putc('"', out);
	for (; *text; text++) {
		if (*text == '"' || *text == '\\')
			putc('\\', out);
		putc(*text, out);
	}
	putc('"', out);
}

/* Any bytes as a string. */
static int put_any(FILE *out, const char *text)
{
	char *copy = flame_clean(text);

	if (!copy)
		return -ENOMEM;
	put_string(out, copy);
	free(copy);
	return 0;
}

static int put_head(FILE *out, const struct flame_page *page)
{
	int err;

	fputs("{\"title\":", out);
	err = put_any(out, page->title);
	fputs(",\"facts\":[", out);
	for (size_t i = 0; !err && i < FLAME_FACTS_MAX && page->fact[i].key; i++) {
		fputs(i ? ",[" : "[", out);
		put_string(out, page->fact[i].key);
		putc(',', out);
		err = put_any(out, page->fact[i].text);
		putc(']', out);
	}
	fprintf(out, "],\"event\":%u,\"view\":\"%s\",\"inverted\":%s", page->event, page->view,
		page->inverted ? "true" : "false");
	return err;
}

static void put_strings(FILE *out, const struct strtab *strings)
{
	fputs(",\"strings\":[\"\"", out);
	for (uint32_t i = 1; i <= strings->count; i++) {
		putc(',', out);
		put_string(out, strtab_text(strings, i));
	}
	putc(']', out);
}

static void put_events(FILE *out, const struct flame_page *page)
{
	const struct flame *f = page->flame;

	fputs(",\"events\":[", out);
	for (uint32_t i = 0; i < f->events; i++) {
		const struct flame_event *e = &f->event[i];

		fputs(i ? ",{\"name\":" : "{\"name\":", out);
		put_string(out, strtab_text(&f->strings, e->name));
		fprintf(out,
			",\"unit\":\"%s\",\"leader\":%u,\"place\":%u,\"places\":%u,\"period\":"
			"%" PRIu64 "}",
			strtab_text(&f->strings, e->unit), e->leader, e->place, e->places,
			page->time ? flame_time_period(page->time, i) : 0);
	}
	putc(']', out);
}

static void put_metrics(FILE *out, const struct flame_page *page)
{
	const char *before = "";

	fputs(",\"metrics\":[", out);
	for (uint32_t event = 0; page->profile && event < page->flame->events; event++) {
		struct metrics metrics = { 0 };
		char words[METRIC_NAME_MAX];

		if (page->flame->event[event].places > 1)
			metrics_find(page->profile, event, &metrics);
		for (uint32_t i = 0; i < metrics.count; i++) {
			const struct metric *m = &metrics.of[i];

			fprintf(out, "%s{\"leader\":%u,\"title\":", before, event);
			put_string(out, m->title);
			fputs(",\"words\":", out);
			put_string(out, metric_words(page->profile, m, words));
			fprintf(out, ",\"counter\":%u,\"per\":%u,\"factor\":%g,\"min\":%d}",
				m->counter, m->per, m->factor, METRIC_SAMPLES_MIN);
			before = ",";
		}
	}
	putc(']', out);
}

static void put_who(FILE *out, const struct profile *p)
{
	uint32_t processes = p ? p->processes.count : 0;
	uint32_t threads = p && p->by == PROFILE_BY_THREAD ? p->threads.count : 0;

	fputs(",\"processes\":[", out);
	for (uint32_t id = 1; id <= processes; id++) {
		const struct profile_process *process = idmap_at(&p->processes, id);

		fprintf(out, "%s[%u,", id > 1 ? "," : "", process->pid);
		put_string(out, profile_text(p, process->comm));
		putc(']', out);
	}
	fputs("],\"threads\":[", out);
	for (uint32_t id = 1; id <= threads; id++) {
		const struct profile_thread *thread = idmap_at(&p->threads, id);

		fprintf(out, "%s[%u,", id > 1 ? "," : "", thread->tid);
		put_string(out, profile_text(p, thread->comm));
		fprintf(out, ",%u]", thread->process);
	}
	putc(']', out);
}

static void put_tests(FILE *out, const struct flame_tests *tests)
{
	fputs(",\"tests\":[", out);
	for (size_t i = 0; i < tests->count; i++) {
		const struct flame_test *t = &tests->test[i];

		fprintf(out, "%s[%u,%u,%.6g,%.6g,%.6g,%d]", i ? "," : "", t->event, t->function,
			t->error, t->p, t->q, t->is_different);
	}
	putc(']', out);
}

static int put_diff(FILE *out, const struct flame_page *page)
{
	int err;

	if (!page->flame->is_diff)
		return fputs(",\"diff\":null", out) < 0 ? -ENOMEM : 0;
	fputs(",\"diff\":{\"base\":", out);
	err = put_any(out, page->base);
	fputs(",\"new\":", out);
	if (!err)
		err = put_any(out, page->new);
	fputs(",\"scale\":[", out);
	for (uint32_t i = 0; i < page->flame->events; i++)
		fprintf(out, "%s%.17g", i ? "," : "", page->flame->event[i].base_scale);
	putc(']', out);
	put_tests(out, page->tests);
	putc('}', out);
	return err;
}

static void put_columns(FILE *out, const struct flame_page *page, const struct flame_grid *grid,
			const struct flame_columns *c)
{
	if (grid->columns)
		fprintf(out,
			",\"timeline\":{\"origin_ns\":%" PRIu64 ",\"cell_ns\":%" PRIu64
			",\"cells\":%u,\"rows\":%u,\"every\":%u}",
			grid->origin_ns, grid->cell_ns, grid->columns * grid->rows, grid->rows,
			page->time->every);
	else
		fputs(",\"timeline\":null", out);
	fputs(",\"columns\":[", out);
	for (size_t i = 0; i < c->count; i++)
		fprintf(out, "%s[\"%s\",%zu]", i ? "," : "", c->column[i].name,
			c->column[i].end - (i ? c->column[i - 1].end : 0));
	fputs("]}", out);
}

/* The JSON before the columns, with its length. */
static int describe(struct flame_bytes *ret, const struct flame_page *page,
		    const struct flame_grid *grid, const struct flame_columns *c)
{
	char *text = NULL;
	size_t bytes = 0;
	FILE *out = open_memstream(&text, &bytes);
	int err;

	if (!out)
		return -ENOMEM;
	err = put_head(out, page);
	put_strings(out, &page->flame->strings);
	put_events(out, page);
	put_metrics(out, page);
	put_who(out, page->profile);
	if (!err)
		err = put_diff(out, page);
	put_columns(out, page, grid, c);
	if (fclose(out) && !err)
		err = -ENOMEM;
	if (!err && bytes > INT_MAX)
		err = -EOVERFLOW;
	if (!err) {
		const uint8_t length[] = { (uint8_t)bytes, (uint8_t)(bytes >> 8),
					   (uint8_t)(bytes >> 16), (uint8_t)(bytes >> 24) };

		flame_bytes_add(ret, length, sizeof(length));
		flame_bytes_add(ret, text, bytes);
		err = ret->err;
	}
	free(text);
	return err;
}

static int make_data(struct flame_bytes *ret, const struct flame_page *page)
{
	uint64_t start_ns = page->profile ? profile_header(page->profile)->start_ns : 0;
	struct flame_grid grid = { 0 };
	struct flame_columns c = { 0 };
	int err;

	flame_columns_of_tree(&c, page->flame);
	if (page->time)
		grid = flame_grid_of(page->time, start_ns);
	if (grid.columns)
		flame_columns_of_time(&c, page->flame, page->time, &grid, start_ns);
	err = c.bytes.err;
	if (!err)
		err = describe(ret, page, &grid, &c);
	if (!err)
		flame_bytes_add(ret, c.bytes.at, c.bytes.count);
	flame_columns_release(&c);
	return err ? err : ret->err;
}

static void put_base64(FILE *out, const uint8_t *bytes, size_t count)
{
	static const char digits[] =
		"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

	for (size_t i = 0; i < count; i += 3) {
		uint32_t three = (uint32_t)bytes[i] << 16;

		if (i + 1 < count)
			three |= (uint32_t)bytes[i + 1] << 8;
		if (i + 2 < count)
			three |= bytes[i + 2];
		putc(digits[three >> 18], out);
		putc(digits[three >> 12 & 63], out);
		putc(i + 1 < count ? digits[three >> 6 & 63] : '=', out);
		putc(i + 2 < count ? digits[three & 63] : '=', out);
	}
}

static int put_data(FILE *out, const struct flame_bytes *data)
{
	uLongf packed_bytes = compressBound(data->count);
	uint8_t *packed = malloc(packed_bytes);
	int err = -ENOMEM;

	if (packed &&
	    compress2(packed, &packed_bytes, data->at, data->count, Z_BEST_COMPRESSION) == Z_OK) {
		put_base64(out, packed, packed_bytes);
		err = 0;
	}
	free(packed);
	return err;
}

/* Prints the page up to a mark, and gives what is behind it. */
static const char *put_up_to(FILE *out, const char *from, const char *mark)
{
	const char *at = strstr(from, mark);

	fwrite(from, (size_t)(at - from), 1, out);
	return at + strlen(mark);
}

int flame_page_write(FILE *out, const struct flame_page *page)
{
	struct flame_bytes data = { 0 };
	char *title = flame_clean(page->title);
	int err = title ? make_data(&data, page) : -ENOMEM;

	if (!err) {
		const char *rest = put_up_to(out, flame_page_html, MARK_TITLE);

		flame_put_markup(out, title);
		rest = put_up_to(out, rest, MARK_DATA);
		err = put_data(out, &data);
		fputs(rest, out);
	}
	free(data.at);
	free(title);
	return err;
}
