/* SPDX-License-Identifier: Apache-2.0 */
/* flame_columns.c - the numbers of a flame graph page, see flame_columns.h. */
#include "tools/flame_columns.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define SECOND_NS UINT64_C(1000000000)

/* Columns of a timeline: so many fit on a screen, of parts of a second, and in all. */
#define PARTS_MAX   150
#define SECONDS_MAX 600

/* Cells are as small as these samples in each allow, on average. */
#define SAMPLES_PER_CELL 4

void flame_bytes_add(struct flame_bytes *b, const void *bytes, size_t count)
{
	size_t room = b->room ? b->room : 4096;
	uint8_t *larger;

	while (room < b->count + count)
		room *= 2;
	if (!b->err && room > b->room) {
		larger = realloc(b->at, room);
		if (larger) {
			b->at = larger;
			b->room = room;
		} else {
			b->err = -ENOMEM;
		}
	}
	if (b->err || !count)
		return;
	memcpy(b->at + b->count, bytes, count);
	b->count += count;
}

static void put(struct flame_columns *c, uint64_t value)
{
	uint8_t bytes[10];
	size_t count = 0;

	for (; value >= 0x80; value >>= 7)
		bytes[count++] = (uint8_t)(value | 0x80);
	bytes[count++] = (uint8_t)value;
	flame_bytes_add(&c->bytes, bytes, count);
}

/* What was put since the column before is this one. */
static void end_column(struct flame_columns *c, const char *name)
{
	assert(c->count < FLAME_COLUMNS_MAX);
	c->column[c->count++] = (struct flame_column){ name, c->bytes.count };
}

static void put_functions(struct flame_columns *c, const struct flame *f)
{
	const struct flame_function *function = (const void *)f->functions.entries;

	for (uint32_t i = 0; i < f->functions.count; i++)
		put(c, function[i].label);
	end_column(c, "fn_label");
	for (uint32_t i = 0; i < f->functions.count; i++)
		put(c, function[i].where);
	end_column(c, "fn_where");
	for (uint32_t i = 0; i < f->functions.count; i++)
		put(c, function[i].kind);
	end_column(c, "fn_kind");
}

static void put_nodes(struct flame_columns *c, const struct flame *f)
{
	const struct flame_node *node = (const void *)f->nodes.entries;

	for (uint32_t i = 0; i < f->nodes.count; i++)
		put(c, i + 1 - node[i].parent);
	end_column(c, "node_back");
	for (uint32_t i = 0; i < f->nodes.count; i++)
		put(c, node[i].function);
	end_column(c, "node_fn");
}

static void put_values(struct flame_columns *c, const struct flame *f, enum flame_side side)
{
	const struct flame_row *row = (const void *)f->rows.entries;

	for (uint32_t i = 0; i < f->rows.count; i++)
		put(c, row[i].count[side]);
	end_column(c, side == FLAME_BASE ? "base_count" : "row_count");
	for (uint32_t i = 0; i < f->rows.count; i++)
		for (uint32_t k = 0; k < f->event[row[i].event].places; k++)
			put(c, f->value[side][row[i].first + k]);
	end_column(c, side == FLAME_BASE ? "base" : "value");
}

void flame_columns_of_tree(struct flame_columns *c, const struct flame *f)
{
	const struct flame_row *row = (const void *)f->rows.entries;

	put_functions(c, f);
	put_nodes(c, f);
	for (uint32_t i = 0; i < f->rows.count; i++)
		put(c, row[i].node);
	end_column(c, "row_node");
	for (uint32_t i = 0; i < f->rows.count; i++)
		put(c, row[i].thread);
	end_column(c, "row_thread");
	for (uint32_t i = 0; i < f->rows.count; i++)
		put(c, 2 * row[i].event + row[i].is_shared);
	end_column(c, "row_event");
	put_values(c, f, FLAME_NEW);
	if (f->is_diff)
		put_values(c, f, FLAME_BASE);
}

/* Since the start; the first samples of a CPU may come before. */
static uint64_t since(uint64_t time_ns, uint64_t start_ns)
{
	return time_ns > start_ns ? time_ns - start_ns : 0;
}

static uint64_t column_ns(uint64_t first_ns, uint64_t last_ns)
{
	static const uint64_t lengths[] = { SECOND_NS / 1000, SECOND_NS / 100, SECOND_NS / 10,
					    SECOND_NS,	      10 * SECOND_NS,  60 * SECOND_NS,
					    600 * SECOND_NS };
	const size_t count = sizeof(lengths) / sizeof(*lengths);
	uint64_t length = lengths[count - 1];

	for (size_t i = 0; i < count; i++) {
		uint64_t columns = last_ns / lengths[i] - first_ns / lengths[i] + 1;

		if (columns <= (lengths[i] < SECOND_NS ? PARTS_MAX : SECONDS_MAX))
			return lengths[i];
	}
	while (last_ns / length - first_ns / length >= SECONDS_MAX)
		length *= 2;
	return length;
}

struct flame_grid flame_grid_of(const struct flame_time *t, uint64_t start_ns)
{
	static const uint32_t divisions[] = { 50, 20, 10, 5 };
	struct flame_grid grid = { 0 };
	uint64_t first_ns = UINT64_MAX;
	uint64_t last_ns = 0;
	uint64_t length;

	for (uint32_t i = 0; i < t->samples; i++) {
		uint64_t time_ns = since(t->sample[i].time_ns, start_ns);

		first_ns = time_ns < first_ns ? time_ns : first_ns;
		last_ns = time_ns > last_ns ? time_ns : last_ns;
	}
	if (!t->samples)
		return grid;
	length = column_ns(first_ns, last_ns);
	grid.origin_ns = first_ns / length * length;
	grid.columns = (uint32_t)((last_ns - grid.origin_ns) / length + 1);
	for (size_t i = 0; i < sizeof(divisions) / sizeof(*divisions); i++) {
		grid.rows = divisions[i];
		if (t->samples / SAMPLES_PER_CELL >= (uint64_t)grid.columns * grid.rows)
			break;
	}
	grid.cell_ns = length / grid.rows;
	return grid;
}

/* A sample at its place in the timeline. */
struct placed {
	uint32_t row; /* of the flame */
	uint32_t sample;
};

static int compare_placed(const void *a, const void *b)
{
	const struct placed *x = a;
	const struct placed *y = b;

	if (x->row != y->row)
		return x->row < y->row ? -1 : 1;
	return x->sample < y->sample ? -1 : x->sample > y->sample;
}

static uint32_t cell_of(const struct flame_time *t, uint32_t sample, const struct flame_grid *grid,
			uint64_t start_ns)
{
	uint64_t cell =
		(since(t->sample[sample].time_ns, start_ns) - grid->origin_ns) / grid->cell_ns;
	uint32_t last = grid->columns * grid->rows - 1;

	return cell < last ? (uint32_t)cell : last; /* cells may not divide a column evenly */
}

/* Puts samples in the order of their cells; end[cell] is where those of a cell end. */
static void place(const struct flame *f, const struct flame_time *t, const struct flame_grid *grid,
		  uint64_t start_ns, struct placed *placed, uint32_t *end)
{
	uint32_t cells = grid->columns * grid->rows;
	uint32_t sum = 0;

	for (uint32_t i = 0; i < t->samples; i++)
		end[cell_of(t, i, grid, start_ns)] += f->row_of[t->sample[i].row] != 0;
	for (uint32_t cell = 0; cell < cells; cell++) {
		uint32_t count = end[cell];

		end[cell] = sum; /* for now where they begin */
		sum += count;
	}
	for (uint32_t i = 0; i < t->samples; i++) {
		uint32_t row = f->row_of[t->sample[i].row];

		if (row)
			placed[end[cell_of(t, i, grid, start_ns)]++] = (struct placed){ row, i };
	}
	for (uint32_t cell = 0; cell < cells; cell++) {
		uint32_t first = cell ? end[cell - 1] : 0;

		qsort(placed + first, end[cell] - first, sizeof(*placed), compare_placed);
	}
}

static void put_sample_values(struct flame_columns *c, const struct flame *f,
			      const struct flame_time *t, const struct placed *placed)
{
	const struct flame_row *row = idmap_at(&f->rows, placed->row);
	const uint16_t *code = &t->code[t->sample[placed->sample].first];

	for (uint32_t i = flame_time_period(t, row->event) != 0; i < f->event[row->event].places;
	     i++)
		put(c, i < code[0] ? code[1 + i] : 0); /* it may have come without counts */
}

static void put_samples(struct flame_columns *c, const struct flame *f, const struct flame_time *t,
			const struct placed *placed, const uint32_t *end, uint32_t cells)
{
	uint32_t samples = cells ? end[cells - 1] : 0;

	for (uint32_t cell = 0; cell < cells; cell++)
		put(c, end[cell] - (cell ? end[cell - 1] : 0));
	end_column(c, "cell_count");
	for (uint32_t cell = 0, i = 0; cell < cells; cell++) {
		uint32_t row = 0;

		for (; i < end[cell]; i++) {
			put(c, placed[i].row - row);
			row = placed[i].row;
		}
	}
	end_column(c, "sample_row");
	for (uint32_t i = 0; i < samples; i++)
		put_sample_values(c, f, t, &placed[i]);
	end_column(c, "sample_value");
}

void flame_columns_of_time(struct flame_columns *c, const struct flame *f,
			   const struct flame_time *t, const struct flame_grid *grid,
			   uint64_t start_ns)
{
	uint32_t cells = grid->columns * grid->rows;
	struct placed *placed = calloc(t->samples + (size_t)1, sizeof(*placed));
	uint32_t *end = calloc(cells + (size_t)1, sizeof(*end));

	if (placed && end) {
		place(f, t, grid, start_ns, placed, end);
		put_samples(c, f, t, placed, end, cells);
	} else {
		c->bytes.err = -ENOMEM;
	}
	free(placed);
	free(end);
}

void flame_columns_release(struct flame_columns *c)
{
	free(c->bytes.at);
	*c = (struct flame_columns){ 0 };
}
