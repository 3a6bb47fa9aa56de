// SPDX-License-Identifier: Apache-2.0
/*
 * test_calltree.c - the tables of an epoch that grow by a sample's stack: frames, nodes, strings.
 * What they encode is read by protobuf-c and, where a stack is meant, by proto/tables.h.
 */
#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <stdio.h>
#include <string.h>

#include "profiler/calltree.h"
#include "profiler/string_table.h"
#include "profiler/wire.h"
#include "proto/tables.h"
#include "tests/unit/random.h"

static struct calltree *tree;
static struct string_table *strings;
static struct tables *tables;
static struct buffer out;

static void setup(void)
{
	cr_assert(zero(int, calltree_new(&tree)));
	cr_assert(zero(int, string_table_new(&strings)));
	cr_assert(zero(int, tables_open(&tables)));
	out = (struct buffer){ 0 };
}

static void teardown(void)
{
	calltree_free(tree);
	string_table_free(strings);
	tables_free(tables);
	buffer_free(&out);
}

TestSuite(calltree, .init = setup, .fini = teardown);
TestSuite(string_table, .init = setup, .fini = teardown);

static Profiler__Definitions *encode(void)
{
	Profiler__Definitions *d;

	buffer_clear(&out);
	string_table_encode(strings, &out);
	calltree_encode(tree, &out);
	cr_assert(not(out.failed));
	d = profiler__definitions__unpack(NULL, out.size, out.data);
	cr_assert(d != NULL);
	return d;
}

/* Encodes what is new and has the reader's tables take it over. */
static void read_new(uint32_t epoch)
{
	Profiler__Definitions *d = encode();

	cr_assert(zero(int, tables_check(tables, epoch, d)));
	cr_assert(zero(int, tables_apply(tables, epoch, d)));
	profiler__definitions__free_unpacked(d, NULL);
}

Test(calltree, ids_start_at_one_and_equal_entries_are_one)
{
	cr_assert(eq(u32, calltree_frame(tree, 1, 0x1000, 0), 1));
	cr_assert(eq(u32, calltree_frame(tree, 2, 0x1000, 0), 2));
	cr_assert(eq(u32, calltree_frame(tree, 1, 0x1001, 0), 3));
	cr_assert(eq(u32, calltree_frame(tree, 1, 0x1000, 9), 4));
	cr_assert(eq(u32, calltree_frame(tree, 1, 0x1000, 0), 1));
	cr_assert(eq(u32, calltree_node(tree, 0, 1), 1));
	cr_assert(eq(u32, calltree_node(tree, 1, 1), 2));
	cr_assert(eq(u32, calltree_node(tree, 1, 2), 3));
	cr_assert(eq(u32, calltree_node(tree, 0, 1), 1));
	cr_assert(eq(u32, calltree_node(tree, 1, 2), 3));
}

Test(calltree, nothing_new_encodes_to_nothing)
{
	Profiler__Definitions *d;

	calltree_node(tree, 0, calltree_frame(tree, 1, 5, 0));
	profiler__definitions__free_unpacked(encode(), NULL);
	d = encode();
	cr_assert(zero(sz, out.size));
	profiler__definitions__free_unpacked(d, NULL);
}

Test(calltree, frames_without_names_have_no_name_column)
{
	Profiler__Definitions *d;

	calltree_frame(tree, 1, 5, 0);
	calltree_frame(tree, 1, 6, 0);
	d = encode();
	cr_assert(eq(sz, d->frames->n_mapping, 2));
	cr_assert(zero(sz, d->frames->n_function));
	profiler__definitions__free_unpacked(d, NULL);
	calltree_frame(tree, 1, 7, 0);
	calltree_frame(tree, 1, 8, 3);
	d = encode();
	cr_assert(eq(u32, d->frames->first_id, 3));
	cr_assert(eq(sz, d->frames->n_function, 2));
	profiler__definitions__free_unpacked(d, NULL);
}

/* Random paths, encoded now and then: the reader finds every path by its leaf. */
Test(calltree, random_paths_come_back)
{
	enum { PATHS = 3000, DEPTH = 40 };
	static struct {
		uint32_t leaf, n, mapping[DEPTH], function[DEPTH];
		uint64_t offset[DEPTH];
	} path[PATHS];
	uint64_t random = 1;

	for (uint32_t p = 0; p < PATHS; p++) {
		path[p].n = 1 + random_below(&random, DEPTH);
		for (uint32_t i = 0; i < path[p].n; i++) {
			uint64_t odd = next_random(&random); /* now and then a wild address */

			path[p].mapping[i] = 1 + random_below(&random, 3);
			path[p].offset[i] = odd % 50 ? odd % 300 : odd;
			path[p].function[i] = random_below(&random, 2) * 5;
			path[p].leaf = calltree_node(tree, path[p].leaf,
						     calltree_frame(tree, path[p].mapping[i],
								    path[p].offset[i],
								    path[p].function[i]));
			cr_assert(ne(u32, path[p].leaf, 0));
		}
		if (random_below(&random, 100) == 0)
			read_new(1);
	}
	read_new(1);
	for (uint32_t p = 0; p < PATHS; p++) {
		const struct table_node *node = tables_node(tables, path[p].leaf);

		for (uint32_t i = path[p].n; i-- > 0;) {
			const struct table_frame *f;

			cr_assert(node != NULL);
			f = tables_frame(tables, node->frame);
			cr_assert(f != NULL);
			cr_assert(eq(u32, f->mapping, path[p].mapping[i]));
			cr_assert(eq(u64, f->offset, path[p].offset[i]));
			cr_assert(eq(u32, f->function, path[p].function[i]));
			node = tables_node(tables, node->parent);
		}
		cr_assert(node == NULL);
	}
	cr_assert(not(calltree_full(tree)));
}

Test(calltree, full_refuses_what_is_new_and_knows_what_is_there)
{
	uint32_t id, last = 0;

	/* The same offset in many mappings: what is alike is told apart, however full it gets. */
	while ((id = calltree_frame(tree, 1 + last % 64, last / 64, 0)))
		cr_assert(eq(u32, id, ++last));
	cr_assert(calltree_full(tree));
	cr_assert(ge(u32, last, 10000));
	cr_assert(eq(u32, calltree_frame(tree, 1, 0, 0), 1));
	cr_assert(eq(u32, calltree_frame(tree, 1 + (last - 1) % 64, (last - 1) / 64, 0), last));
	calltree_clear(tree);
	cr_assert(not(calltree_full(tree)));
	for (uint32_t frame = 1; (id = calltree_node(tree, 0, frame)); frame++)
		last = id;
	cr_assert(calltree_full(tree));
	cr_assert(eq(u32, calltree_node(tree, 0, 1), 1));
	cr_assert(eq(u32, calltree_node(tree, 0, last), last));
}

Test(calltree, cleared_begins_anew)
{
	calltree_node(tree, 0, calltree_frame(tree, 1, 5, 0));
	calltree_node(tree, 0, calltree_frame(tree, 3, 8, 0));
	read_new(1);
	calltree_clear(tree);
	cr_assert(eq(u32, calltree_frame(tree, 3, 8, 0), 1));
	cr_assert(eq(u32, calltree_node(tree, 0, 2), 1));
	cr_assert(eq(u32, calltree_frame(tree, 1, 5, 0), 2));
	cr_assert(eq(u32, calltree_node(tree, 0, 1), 2));
	read_new(2);
	cr_assert(eq(u64, tables_frame(tables, 1)->offset, 8));
	cr_assert(eq(u32, tables_frame(tables, 1)->mapping, 3));
}

static uint32_t string(const char *s)
{
	return string_table_id(strings, s, strlen(s));
}

Test(string_table, each_string_once)
{
	cr_assert(eq(u32, string("one"), 1));
	cr_assert(eq(u32, string("two"), 2));
	cr_assert(eq(u32, string("on"), 3));
	cr_assert(eq(u32, string("one"), 1));
	cr_assert(eq(u32, string(""), 0));
	cr_assert(eq(u32, string_table_id(strings, "two and more", 3), 2));
}

Test(string_table, reads_back_with_any_bytes)
{
	char name[32];
	size_t bytes;

	for (uint32_t i = 0; i < 5000; i++) {
		snprintf(name, sizeof(name), "\xff/%u\n", i * 7);
		cr_assert(eq(u32, string(name), i + 1));
		if (i % 700 == 0)
			read_new(1);
	}
	read_new(1);
	for (uint32_t i = 0; i < 5000; i++) {
		snprintf(name, sizeof(name), "\xff/%u\n", i * 7);
		cr_assert(zero(int, strcmp(tables_string(tables, i + 1, &bytes), name)));
		cr_assert(eq(sz, bytes, strlen(name)));
	}
}

Test(string_table, full_by_number_and_by_bytes)
{
	static char text[3u << 20];
	uint32_t n = 0;
	char name[32];

	memset(text, 'x', sizeof(text));
	cr_assert(zero(u32, string_table_id(strings, text, sizeof(text))));
	cr_assert(eq(u32, string("a"), 1)); /* what fits still does */
	do
		snprintf(name, sizeof(name), "%u", n++);
	while (string(name));
	cr_assert(gt(u32, n, 1000));
	cr_assert(eq(u32, string("a"), 1));
	cr_assert(eq(u32, string("0"), 2));
	string_table_clear(strings);
	cr_assert(eq(u32, string("b"), 1));
	cr_assert(zero(int, strcmp((read_new(1), tables_string(tables, 1, NULL)), "b")));
}
