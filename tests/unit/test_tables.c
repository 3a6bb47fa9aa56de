/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_tables.c - definitions: what is taken, what is refused, what is unknown.
 */
#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <errno.h>
#include <string.h>

#include "proto/tables.h"

#define LENGTH(a) (sizeof(a) / sizeof((a)[0]))

static struct tables *tables;

static void setup(void)
{
	cr_assert(zero(int, tables_open(&tables)));
}

static void teardown(void)
{
	tables_free(tables);
}

TestSuite(tables, .init = setup, .fini = teardown);

static int define(uint32_t epoch, const Profiler__Definitions *d)
{
	int err = tables_check(tables, epoch, d);

	return err ? err : tables_apply(tables, epoch, d);
}

static int define_string(uint32_t epoch, uint32_t id, void *text, size_t bytes)
{
	Profiler__Definitions d = PROFILER__DEFINITIONS__INIT;
	Profiler__Strings strings = PROFILER__STRINGS__INIT;
	ProtobufCBinaryData value = { bytes, text };

	strings.first_id = id;
	strings.n_value = 1;
	strings.value = &value;
	d.strings = &strings;
	return define(epoch, &d);
}

static int define_frames(uint32_t epoch, Profiler__Frames f)
{
	Profiler__Definitions d = PROFILER__DEFINITIONS__INIT;

	d.frames = &f;
	return define(epoch, &d);
}

static int define_names(uint32_t epoch, Profiler__Names n)
{
	Profiler__Definitions d = PROFILER__DEFINITIONS__INIT;

	d.names = &n;
	return define(epoch, &d);
}

static int define_nodes(uint32_t epoch, uint32_t first, uint32_t *parent_back, int32_t *frame_delta,
			size_t n)
{
	Profiler__Definitions d = PROFILER__DEFINITIONS__INIT;
	Profiler__Nodes nodes = PROFILER__NODES__INIT;

	nodes.first_id = first;
	nodes.parent_back = parent_back;
	nodes.frame_delta = frame_delta;
	nodes.n_parent_back = nodes.n_frame_delta = n;
	d.nodes = &nodes;
	return define(epoch, &d);
}

static int define_mapping(uint32_t epoch, Profiler__Mapping m)
{
	Profiler__Definitions d = PROFILER__DEFINITIONS__INIT;
	Profiler__Mapping *list[] = { &m };

	d.n_mapping = 1;
	d.mapping = list;
	return define(epoch, &d);
}

static void expect_unknown(uint32_t id)
{
	cr_expect(tables_string(tables, id, NULL) == NULL, "string %u", id);
	cr_expect(tables_mapping(tables, id) == NULL, "mapping %u", id);
	cr_expect(tables_process(tables, id) == NULL, "process %u", id);
	cr_expect(tables_thread(tables, id) == NULL, "thread %u", id);
	cr_expect(tables_frame(tables, id) == NULL, "frame %u", id);
	cr_expect(tables_node(tables, id) == NULL, "node %u", id);
	cr_expect(tables_name(tables, id) == NULL, "name %u", id);
}

Test(tables, nothing_is_defined_at_first)
{
	static const uint32_t ids[] = { 0, 1, 2, TABLES_MAX_OTHERS, TABLES_MAX_NODES, UINT32_MAX };

	for (size_t i = 0; i < LENGTH(ids); i++)
		expect_unknown(ids[i]);
	cr_expect(zero(u32, tables_epoch(tables)));
	for (int i = 0; i < TABLE_COUNT; i++)
		cr_expect(eq(u32, tables_end(tables, (enum table)i), 1));
}

Test(tables, strings_are_kept_and_terminated)
{
	char first[] = "one", empty[] = "", bytes[] = "\xFF\n\x01";
	size_t n = 99;

	cr_assert(zero(int, define_string(1, 1, first, 3)));
	cr_assert(zero(int, define_string(1, 2, empty, 0)));
	cr_assert(zero(int, define_string(1, 3, bytes, 3)));
	memset(first, 'x', 3);
	cr_expect(zero(int, strcmp(tables_string(tables, 1, &n), "one")));
	cr_expect(eq(sz, n, 3));
	cr_expect(zero(int, strcmp(tables_string(tables, 2, &n), "")));
	cr_expect(zero(sz, n));
	cr_expect(zero(int, strcmp(tables_string(tables, 3, &n), bytes)));
	cr_expect(eq(u32, tables_end(tables, TABLE_STRINGS), 4));
	n = 99;
	cr_expect(tables_string(tables, 4, &n) == NULL);
	cr_expect(eq(sz, n, 99), "untouched");
	cr_expect(eq(int, define_string(1, 4, empty, 1), -EBADMSG), "a string with a 0 in it");
}

Test(tables, entries_keep_all_fields)
{
	Profiler__Definitions d = PROFILER__DEFINITIONS__INIT;
	Profiler__Mapping m = PROFILER__MAPPING__INIT, *mappings[] = { &m };
	Profiler__Process p = PROFILER__PROCESS__INIT, *processes[] = { &p };
	Profiler__Thread t = PROFILER__THREAD__INIT, *threads[] = { &t };
	uint8_t build_id[] = { 1, 2, 3 };
	const struct table_mapping *mapping;
	const struct table_process *process;
	const struct table_thread *thread;

	m.id = 1;
	m.kind = PROFILER__MAPPING__KIND__VDSO;
	m.path = 7;
	m.build_id = (ProtobufCBinaryData){ 3, build_id };
	m.file_offset = UINT64_MAX;
	m.size = 4096;
	m.process = 5;
	m.generation = 6;
	p.id = 5;
	p.pid = 77;
	p.parent_pid = 1;
	p.comm = 8;
	p.start_ns = 123;
	p.cgroup = 10;
	p.inner_pid = 2;
	t.id = 2;
	t.tid = 78;
	t.process = 5;
	t.comm = 9;
	d.n_mapping = d.n_process = d.n_thread = 1;
	d.mapping = mappings;
	d.process = processes;
	d.thread = threads;
	cr_assert(zero(int, define(1, &d)));
	memset(build_id, 0, 3);
	mapping = tables_mapping(tables, 1);
	process = tables_process(tables, 5);
	thread = tables_thread(tables, 2);
	cr_assert(mapping && process && thread);
	cr_expect(eq(u32, mapping->kind, 6));
	cr_expect(eq(u32, mapping->path, 7));
	cr_expect(eq(u32, mapping->build_id_bytes, 3));
	cr_expect(eq(u64, mapping->file_offset, UINT64_MAX));
	cr_expect(eq(u64, mapping->size, 4096));
	cr_expect(eq(u32, mapping->process, 5));
	cr_expect(eq(u32, mapping->generation, 6));
	cr_expect(zero(int, memcmp(mapping->build_id, "\1\2\3", 3)));
	cr_expect(eq(u32, process->pid, 77));
	cr_expect(eq(u32, process->parent_pid, 1));
	cr_expect(eq(u32, process->comm, 8));
	cr_expect(eq(u64, process->start_ns, 123));
	cr_expect(eq(u32, process->cgroup, 10));
	cr_expect(eq(u32, process->inner_pid, 2));
	cr_expect(eq(u32, thread->tid, 78));
	cr_expect(eq(u32, thread->process, 5));
	cr_expect(eq(u32, thread->comm, 9));
	cr_expect(tables_process(tables, 4) == NULL, "below the first id");
}

Test(tables, columns_are_undone)
{
	Profiler__Frames f = PROFILER__FRAMES__INIT;
	uint32_t mapping[] = { 1, 2, 1 }, function[] = { 0, 3, 0 };
	int64_t offset[] = { 0x1000, -0x1001, INT64_MAX };
	uint32_t back[] = { 10, 1, 2 };
	int32_t frame[] = { 20, 1, -1 };

	f.first_id = 20;
	f.n_mapping = f.n_offset_delta = f.n_function = 3;
	f.mapping = mapping;
	f.offset_delta = offset;
	f.function = function;
	cr_assert(zero(int, define_frames(1, f)));
	cr_expect(eq(u64, tables_frame(tables, 20)->offset, 0x1000));
	cr_expect(eq(u64, tables_frame(tables, 21)->offset, UINT64_MAX));
	cr_expect(eq(u64, tables_frame(tables, 22)->offset, INT64_MAX - 1));
	cr_expect(eq(u32, tables_frame(tables, 21)->mapping, 2));
	cr_expect(eq(u32, tables_frame(tables, 21)->function, 3));
	f.first_id = 23;
	f.n_offset_delta = f.n_function = 0; /* all 0 */
	cr_assert(zero(int, define_frames(1, f)));
	cr_expect(zero(u64, tables_frame(tables, 24)->offset));
	cr_expect(zero(u32, tables_frame(tables, 24)->function));

	cr_assert(zero(int, define_nodes(1, 10, back, frame, 3)));
	cr_expect(zero(u32, tables_node(tables, 10)->parent));
	cr_expect(eq(u32, tables_node(tables, 10)->frame, 20));
	cr_expect(eq(u32, tables_node(tables, 11)->parent, 10));
	cr_expect(eq(u32, tables_node(tables, 11)->frame, 21));
	cr_expect(eq(u32, tables_node(tables, 12)->parent, 10));
	cr_expect(eq(u32, tables_node(tables, 12)->frame, 20));
	expect_unknown(9);
	expect_unknown(13);
}

Test(tables, a_new_epoch_forgets)
{
	char old[] = "old", new[] = "new";

	cr_assert(zero(int, define_string(1, 1, old, 3)));
	cr_assert(zero(int, define_string(1, 2, old, 3)));
	cr_assert(zero(int, define_string(2, 1, new, 3)));
	cr_expect(eq(u32, tables_epoch(tables), 2));
	cr_expect(zero(int, strcmp(tables_string(tables, 1, NULL), "new")));
	expect_unknown(2);
	cr_assert(zero(int, define_string(2, 3, new, 3)));
	expect_unknown(2); /* within the table again, and still not the old entry */
	cr_assert(zero(int, tables_apply(tables, 3, NULL)));
	expect_unknown(1);
}

Test(tables, ids_are_defined_once_and_in_order)
{
	char text[] = "text";
	Profiler__Definitions d = PROFILER__DEFINITIONS__INIT;
	Profiler__Thread a = PROFILER__THREAD__INIT, b = PROFILER__THREAD__INIT;
	Profiler__Thread *threads[] = { &a, &b };

	cr_assert(zero(int, define_string(1, 5, text, 4)));
	cr_expect(eq(int, define_string(1, 5, text, 4), -EBADMSG));
	cr_expect(eq(int, define_string(1, 4, text, 4), -EBADMSG));
	cr_expect(zero(int, define_string(2, 4, text, 4)), "a new epoch may");
	a.id = b.id = 1;
	d.n_thread = 2;
	d.thread = threads;
	cr_expect(eq(int, define(2, &d), -EBADMSG));
	cr_expect(tables_thread(tables, 1) == NULL, "no trace of what was refused");
}

Test(tables, ids_are_bounded)
{
	char text[] = "text";
	uint32_t one = 1;
	int32_t frame = 1;

	cr_expect(eq(int, define_string(1, 0, text, 4), -EBADMSG));
	cr_expect(eq(int, define_string(1, TABLES_MAX_STRINGS, text, 4), -EBADMSG));
	cr_expect(eq(int, define_string(1, UINT32_MAX, text, 4), -EBADMSG));
	cr_expect(zero(int, define_string(1, TABLES_MAX_STRINGS - 1, text, 4)), "the last one");
	cr_expect(zero(int, strcmp(tables_string(tables, TABLES_MAX_STRINGS - 1, NULL), text)));
	cr_expect(tables_string(tables, 1000, NULL) == NULL);
	cr_expect(zero(int, define_nodes(1, TABLES_MAX_NODES - 1, &one, &frame, 1)));
	cr_expect(eq(u32, tables_node(tables, TABLES_MAX_NODES - 1)->parent, TABLES_MAX_NODES - 2));
	cr_expect(eq(int, define_nodes(1, TABLES_MAX_NODES, &one, &frame, 1), -EBADMSG));
}

Test(tables, nodes_have_older_parents_and_frames)
{
	uint32_t none = 0, far = 4, far_root = 3, two[] = { 3, 1 };
	int32_t frame = 1, zero_frame = 0, negative[] = { 1, -2 }, huge = TABLES_MAX_FRAMES;

	cr_expect(eq(int, define_nodes(1, 3, &none, &frame, 1), -EBADMSG), "its own parent");
	cr_expect(eq(int, define_nodes(1, 3, &far, &frame, 1), -EBADMSG), "a parent below 0");
	cr_expect(eq(int, define_nodes(1, 3, &far_root, &zero_frame, 1), -EBADMSG), "no frame");
	cr_expect(eq(int, define_nodes(1, 3, &far_root, &huge, 1), -EBADMSG), "frame too large");
	cr_expect(eq(int, define_nodes(1, 3, two, negative, 2), -EBADMSG), "frame below 0");
	expect_unknown(3);
	cr_expect(zero(int, define_nodes(1, 3, &far_root, &frame, 1)));
}

Test(tables, columns_have_one_length)
{
	Profiler__Definitions d = PROFILER__DEFINITIONS__INIT;
	Profiler__Nodes nodes = PROFILER__NODES__INIT;
	Profiler__Frames f = PROFILER__FRAMES__INIT;
	uint32_t ones[] = { 1, 1 }, zeros[] = { 0, 0 }, huge[] = { TABLES_MAX_OTHERS, 1 };
	int64_t offset[] = { 1, 1 };
	int32_t frame[] = { 1, 0 };

	nodes.first_id = f.first_id = 1;
	nodes.n_parent_back = 2;
	nodes.n_frame_delta = 1;
	nodes.parent_back = ones;
	nodes.frame_delta = frame;
	d.nodes = &nodes;
	cr_expect(eq(int, define(1, &d), -EBADMSG));
	f.n_mapping = 2;
	f.mapping = ones;
	f.n_offset_delta = 1;
	f.offset_delta = offset;
	f.function = ones;
	cr_expect(eq(int, define_frames(1, f), -EBADMSG));
	f.n_offset_delta = 2;
	f.n_function = 1;
	cr_expect(eq(int, define_frames(1, f), -EBADMSG));
	f.n_function = 0;
	f.mapping = zeros;
	cr_expect(eq(int, define_frames(1, f), -EBADMSG), "mapping 0");
	f.mapping = huge;
	cr_expect(eq(int, define_frames(1, f), -EBADMSG), "mapping too large");
	f.mapping = ones;
	f.n_mapping = 0;
	cr_expect(eq(int, define_frames(1, f), -EBADMSG), "offsets of no frames");
	f.n_mapping = 2;
	cr_expect(zero(int, define_frames(1, f)));
}

Test(tables, names_are_undone_and_gathered)
{
	Profiler__Names n = PROFILER__NAMES__INIT;
	uint32_t mapping[] = { 3, 4 }, function[] = { 7, 0 }, unknown[] = { 0, 99 };
	int64_t start[] = { 0x1000, -0x1001 };
	uint64_t size[] = { UINT64_MAX - 0x1000, 0 };
	const struct table_name *name;

	n.n_mapping = n.n_size = n.n_start_delta = n.n_function = n.n_unknown = 2;
	n.mapping = mapping;
	n.start_delta = start;
	n.size = size;
	n.function = function;
	n.unknown = unknown;
	cr_expect(eq(int, define_names(1, n), -EBADMSG), "of no code");
	size[1] = 1;
	cr_expect(eq(int, define_names(1, n), -EBADMSG), "beyond all there is");
	start[1] = 0x10;
	cr_assert(zero(int, define_names(1, n)));
	n.n_mapping = n.n_size = 1;
	n.n_start_delta = n.n_function = n.n_unknown = 0; /* all 0 */
	cr_assert(zero(int, define_names(1, n)));
	cr_expect(eq(u32, tables_end(tables, TABLE_NAMES), 4));
	name = tables_name(tables, 1);
	cr_expect(eq(u64, name->start, 0x1000));
	cr_expect(eq(u64, name->size, UINT64_MAX - 0x1000));
	cr_expect(eq(u32, name->mapping, 3));
	cr_expect(eq(u32, name->function, 7));
	name = tables_name(tables, 2);
	cr_expect(eq(u64, name->start, 0x1010));
	cr_expect(eq(u32, name->mapping, 4));
	cr_expect(zero(u32, name->function));
	cr_expect(eq(u32, name->unknown, 99), "a reason of a later version");
	cr_expect(zero(u64, tables_name(tables, 3)->start));
	cr_assert(zero(int, define_names(2, n)));
	cr_expect(tables_name(tables, 2) == NULL, "of the epoch before");
}

Test(tables, names_have_columns_of_one_length_and_bounds)
{
	Profiler__Names n = PROFILER__NAMES__INIT;
	uint32_t ones[] = { 1, 1 }, zeros[] = { 0, 0 }, strings[] = { TABLES_MAX_STRINGS, 1 };
	int64_t start[] = { 1, 1 };
	uint64_t size[] = { 1, 1 };

	n.mapping = ones;
	n.start_delta = start;
	n.size = size;
	n.function = ones;
	n.unknown = ones;
	n.n_mapping = 2;
	cr_expect(eq(int, define_names(1, n), -EBADMSG), "no sizes");
	n.n_size = 1;
	cr_expect(eq(int, define_names(1, n), -EBADMSG));
	n.n_size = 2;
	n.n_start_delta = 1;
	cr_expect(eq(int, define_names(1, n), -EBADMSG));
	n.n_start_delta = 2;
	n.n_function = 1;
	cr_expect(eq(int, define_names(1, n), -EBADMSG));
	n.n_function = 2;
	n.n_unknown = 1;
	cr_expect(eq(int, define_names(1, n), -EBADMSG));
	n.n_unknown = 2;
	n.mapping = zeros;
	cr_expect(eq(int, define_names(1, n), -EBADMSG), "mapping 0");
	n.mapping = ones;
	n.function = strings;
	cr_expect(eq(int, define_names(1, n), -EBADMSG), "string too large");
	n.function = ones;
	n.n_mapping = 0;
	cr_expect(eq(int, define_names(1, n), -EBADMSG), "sizes of no names");
	expect_unknown(1);
	n.n_mapping = 2;
	cr_expect(zero(int, define_names(1, n)));
}

Test(tables, names_are_as_many_as_there_is_room_for)
{
	enum { MANY = 1 << 18 };
	Profiler__Names n = PROFILER__NAMES__INIT;
	uint32_t rounds = 0;

	n.n_mapping = n.n_size = MANY;
	n.mapping = calloc(MANY, sizeof(*n.mapping));
	n.size = calloc(MANY, sizeof(*n.size));
	cr_assert(n.mapping && n.size);
	for (size_t i = 0; i < MANY; i++)
		n.mapping[i] = (uint32_t)(n.size[i] = 1);
	while (rounds < 100 && !define_names(1, n))
		rounds++;
	cr_expect(eq(u32, rounds, TABLES_MAX_NAMES / MANY - 1));
	cr_expect(zero(int, define_names(2, n)), "a new epoch starts afresh");
	free(n.mapping);
	free(n.size);
}

Test(tables, references_and_build_ids_are_bounded)
{
	uint8_t bytes[TABLES_MAX_BUILD_ID + 1] = { 0 };
	Profiler__Definitions d = PROFILER__DEFINITIONS__INIT;
	Profiler__Process p = PROFILER__PROCESS__INIT, *processes[] = { &p };
	Profiler__Mapping m = PROFILER__MAPPING__INIT;

	m.id = 1;
	m.path = TABLES_MAX_STRINGS;
	cr_expect(eq(int, define_mapping(1, m), -EBADMSG));
	m.path = 0;
	m.process = TABLES_MAX_OTHERS;
	cr_expect(eq(int, define_mapping(1, m), -EBADMSG));
	m.process = TABLES_MAX_OTHERS - 1;
	p.id = 1;
	p.cgroup = TABLES_MAX_STRINGS;
	d.n_process = 1;
	d.process = processes;
	cr_expect(eq(int, define(1, &d), -EBADMSG));
	m.path = TABLES_MAX_STRINGS - 1; /* not defined, but it may have been */
	m.build_id = (ProtobufCBinaryData){ sizeof(bytes), bytes };
	cr_expect(eq(int, define_mapping(1, m), -EBADMSG));
	m.build_id.len--;
	cr_expect(zero(int, define_mapping(1, m)));
	cr_expect(tables_string(tables, tables_mapping(tables, 1)->path, NULL) == NULL);
}

Test(tables, text_is_bounded)
{
	size_t bytes = 1 << 20;
	char *text = malloc(bytes);
	uint32_t id = 1;
	int err = 0;

	cr_assert(ne(ptr, text, NULL));
	memset(text, 'x', bytes);
	while (!err && id < 1000)
		err = define_string(1, id++, text, bytes);
	cr_expect(eq(int, err, -EBADMSG));
	cr_expect(le(u32, id, TABLES_MAX_TEXT / (1 << 20) + 2));
	cr_expect(zero(int, define_string(2, 1, text, bytes)), "a new epoch starts afresh");
	free(text);
}
