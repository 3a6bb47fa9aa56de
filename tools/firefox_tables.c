/* SPDX-License-Identifier: Apache-2.0 */
/* firefox_tables.c - what all threads of a profile for the Firefox Profiler share. */
#include "tools/firefox_tables.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tools/json.h"
#include "tools/source_file.h"
#include "tools/stack.h"

/* What kind of code a frame is of: index in meta.categories. */
enum category {
	CATEGORY_OTHER,
	CATEGORY_USER,
	CATEGORY_KERNEL,
};

/* A resource of this type is a library. */
#define RESOURCE_LIBRARY 1

struct text {
	uint64_t string;
};

struct frame {
	uint32_t function;
	uint32_t line;
	uint32_t is_inlined;
	uint32_t reserved; /* 0 */
};

struct stack_node {
	uint32_t prefix; /* of the stacks, 0 = none */
	uint32_t frame;
};

static int add_text(struct idmap *map, uint32_t string)
{
	const struct text key = { string };
	uint32_t id;
	int err = idmap_get(map, &key, &id);

	return err < 0 ? err : 0;
}

static uint32_t text_index(const struct idmap *map, uint32_t string)
{
	const struct text key = { string };

	return idmap_find(map, &key) - 1;
}

static int find_texts(struct firefox_tables *t)
{
	int err = 0;

	for (uint32_t id = 1; !err && id <= t->names->functions.count; id++) {
		const struct function *f = names_function(t->names, id);

		err = add_text(&t->texts, f->label);
		if (!err && t->file_of[id])
			err = add_text(&t->sources, t->file_of[id]);
		if (!err && f->path)
			err = add_text(&t->libs, f->path);
		if (!err && t->file_of[id])
			err = add_text(&t->texts, t->file_of[id]);
		if (!err && f->path)
			err = add_text(&t->texts, f->path);
	}
	return err;
}

/* The stack of a row, from the outermost frame down. */
static int add_stack(struct firefox_tables *t, struct stack *stack, uint32_t row_id)
{
	struct stack_node node = { 0 };
	int err = stack_read(stack, t->names, idmap_at(&t->profile->rows, row_id));

	for (size_t i = stack->count; err >= 0 && i--;) {
		const struct frame key = {
			.function = stack->frame[i].function,
			.line = stack->frame[i].line,
			.is_inlined = stack->frame[i].is_inlined,
		};

		err = idmap_get(&t->frames, &key, &node.frame);
		if (err >= 0)
			err = idmap_get(&t->stacks, &node, &node.prefix);
	}
	t->stack_of_row[row_id] = node.prefix;
	return err < 0 ? err : 0;
}

static int find_stacks(struct firefox_tables *t)
{
	struct stack *stack = calloc(1, sizeof(*stack));
	int err = 0;

	if (!stack)
		return -ENOMEM;
	for (uint32_t id = 1; !err && id <= t->profile->rows.count; id++) {
		const struct profile_row *row = idmap_at(&t->profile->rows, id);

		if (row->count)
			err = add_stack(t, stack, id);
	}
	stack_release(stack);
	free(stack);
	return err;
}

int firefox_find(struct firefox_tables *ret, const struct names *n)
{
	int err;

	ret->names = n;
	ret->profile = n->profile;
	idmap_init(&ret->texts, sizeof(struct text), sizeof(struct text));
	idmap_init(&ret->sources, sizeof(struct text), sizeof(struct text));
	idmap_init(&ret->libs, sizeof(struct text), sizeof(struct text));
	idmap_init(&ret->frames, sizeof(struct frame), sizeof(struct frame));
	idmap_init(&ret->stacks, sizeof(struct stack_node), sizeof(struct stack_node));
	ret->stack_of_row = calloc((size_t)n->profile->rows.count + 1, sizeof(*ret->stack_of_row));
	err = ret->stack_of_row ? source_files(n, &ret->file_of) : -ENOMEM;
	if (!err)
		err = find_texts(ret);
	return err ? err : find_stacks(ret);
}

void firefox_release(struct firefox_tables *t)
{
	free(t->file_of);
	free(t->stack_of_row);
	idmap_release(&t->texts);
	idmap_release(&t->sources);
	idmap_release(&t->libs);
	idmap_release(&t->frames);
	idmap_release(&t->stacks);
}

/* A value of a column, for each id of a map. */
typedef void print_value(const struct firefox_tables *t, uint32_t id);

static void print_column(const struct firefox_tables *t, const char *name, uint32_t count,
			 print_value *print)
{
	printf("\"%s\":[", name);
	for (uint32_t id = 1; id <= count; id++) {
		if (id > 1)
			putchar(',');
		print(t, id);
	}
	fputs("],", stdout);
}

static void print_end(uint32_t count)
{
	printf("\"length\":%" PRIu32 "},\n", count);
}

static void print_null(const struct firefox_tables *t, uint32_t id)
{
	(void)t;
	(void)id;
	fputs("null", stdout);
}

static void print_zero(const struct firefox_tables *t, uint32_t id)
{
	(void)t;
	(void)id;
	putchar('0');
}

static void print_none(const struct firefox_tables *t, uint32_t id)
{
	(void)t;
	(void)id;
	fputs("-1", stdout);
}

static void print_false(const struct firefox_tables *t, uint32_t id)
{
	(void)t;
	(void)id;
	fputs("false", stdout);
}

static void print_text(const struct firefox_tables *t, uint32_t id)
{
	const struct text *text = idmap_at(&t->texts, id);

	json_string(profile_text(t->profile, (uint32_t)text->string));
}

static uint32_t text_of(const struct firefox_tables *t, const struct idmap *map, uint32_t id)
{
	const struct text *text = idmap_at(map, id);

	return text_index(&t->texts, (uint32_t)text->string);
}

static void print_source_name(const struct firefox_tables *t, uint32_t id)
{
	printf("%" PRIu32, text_of(t, &t->sources, id));
}

static void print_lib_name(const struct firefox_tables *t, uint32_t id)
{
	printf("%" PRIu32, text_of(t, &t->libs, id));
}

static void print_lib(const struct firefox_tables *t, uint32_t id)
{
	(void)t;
	printf("%" PRIu32, id - 1);
}

static void print_resource_type(const struct firefox_tables *t, uint32_t id)
{
	(void)t;
	(void)id;
	printf("%d", RESOURCE_LIBRARY);
}

static void print_function_name(const struct firefox_tables *t, uint32_t id)
{
	printf("%" PRIu32, text_index(&t->texts, names_function(t->names, id)->label));
}

static void print_function_resource(const struct firefox_tables *t, uint32_t id)
{
	uint32_t path = names_function(t->names, id)->path;

	printf("%" PRId64, path ? (int64_t)text_index(&t->libs, path) : -1);
}

static void print_function_source(const struct firefox_tables *t, uint32_t id)
{
	if (t->file_of[id])
		printf("%" PRIu32, text_index(&t->sources, t->file_of[id]));
	else
		fputs("null", stdout);
}

static void print_frame_function(const struct firefox_tables *t, uint32_t id)
{
	const struct frame *frame = idmap_at(&t->frames, id);

	printf("%" PRIu32, frame->function - 1);
}

static void print_frame_line(const struct firefox_tables *t, uint32_t id)
{
	const struct frame *frame = idmap_at(&t->frames, id);

	if (frame->line)
		printf("%" PRIu32, frame->line);
	else
		fputs("null", stdout);
}

static void print_frame_depth(const struct firefox_tables *t, uint32_t id)
{
	const struct frame *frame = idmap_at(&t->frames, id);

	printf("%" PRIu32, frame->is_inlined);
}

static void print_frame_category(const struct firefox_tables *t, uint32_t id)
{
	const struct frame *frame = idmap_at(&t->frames, id);
	const struct function *f = names_function(t->names, frame->function);

	printf("%d", !f->where ? CATEGORY_OTHER : f->is_kernel ? CATEGORY_KERNEL : CATEGORY_USER);
}

static void print_stack_frame(const struct firefox_tables *t, uint32_t id)
{
	const struct stack_node *node = idmap_at(&t->stacks, id);

	printf("%" PRIu32, node->frame - 1);
}

static void print_stack_prefix(const struct firefox_tables *t, uint32_t id)
{
	const struct stack_node *node = idmap_at(&t->stacks, id);

	if (node->prefix)
		printf("%" PRIu32, node->prefix - 1);
	else
		fputs("null", stdout);
}

static void print_functions(const struct firefox_tables *t)
{
	uint32_t count = t->names->functions.count;

	fputs("\"funcTable\":{", stdout);
	print_column(t, "name", count, print_function_name);
	print_column(t, "isJS", count, print_false);
	print_column(t, "relevantForJS", count, print_false);
	print_column(t, "resource", count, print_function_resource);
	print_column(t, "source", count, print_function_source);
	print_column(t, "lineNumber", count, print_null);
	print_column(t, "columnNumber", count, print_null);
	print_end(count);
}

static void print_frames(const struct firefox_tables *t)
{
	uint32_t count = t->frames.count;

	fputs("\"frameTable\":{", stdout);
	print_column(t, "address", count, print_none);
	print_column(t, "inlineDepth", count, print_frame_depth);
	print_column(t, "category", count, print_frame_category);
	print_column(t, "subcategory", count, print_zero);
	print_column(t, "func", count, print_frame_function);
	print_column(t, "nativeSymbol", count, print_null);
	print_column(t, "innerWindowID", count, print_null);
	print_column(t, "line", count, print_frame_line);
	print_column(t, "column", count, print_null);
	print_end(count);
}

void firefox_print_libs(const struct firefox_tables *t)
{
	fputs("\"libs\":[", stdout);
	for (uint32_t id = 1; id <= t->libs.count; id++) {
		const struct text *path = idmap_at(&t->libs, id);
		const char *text = profile_text(t->profile, (uint32_t)path->string);
		const char *slash = strrchr(text, '/');
		const char *name = slash && slash[1] ? slash + 1 : text;

		fputs(id > 1 ? ",\n{" : "\n{", stdout);
		json_text("arch", profile_header(t->profile)->machine);
		json_text("name", name);
		json_text("path", text);
		json_text("debugName", name);
		json_text("debugPath", text);
		fputs("\"breakpadId\":\"\",\"codeId\":null}", stdout);
	}
	fputs("],\n", stdout);
}

void firefox_print_shared(const struct firefox_tables *t)
{
	fputs("\"shared\":{", stdout);
	print_functions(t);
	print_frames(t);
	fputs("\"stackTable\":{", stdout);
	print_column(t, "frame", t->stacks.count, print_stack_frame);
	print_column(t, "prefix", t->stacks.count, print_stack_prefix);
	print_end(t->stacks.count);
	fputs("\"resourceTable\":{", stdout);
	print_column(t, "lib", t->libs.count, print_lib);
	print_column(t, "name", t->libs.count, print_lib_name);
	print_column(t, "host", t->libs.count, print_null);
	print_column(t, "type", t->libs.count, print_resource_type);
	print_end(t->libs.count);
	fputs("\"sources\":{", stdout);
	print_column(t, "id", t->sources.count, print_null);
	print_column(t, "filename", t->sources.count, print_source_name);
	print_end(t->sources.count);
	puts("\"nativeSymbols\":{\"libIndex\":[],\"address\":[],\"name\":[],\"functionSize\":[],"
	     "\"length\":0},");
	fputs("\"stringArray\":[", stdout);
	for (uint32_t id = 1; id <= t->texts.count; id++) {
		if (id > 1)
			putchar(',');
		print_text(t, id);
	}
	fputs("]},\n", stdout);
}
