/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_tools_tree.c - the call tree, the stacks it is made of, and the filter of functions: each
 * sample is at one place, and what is left out is counted.
 *
 * Stacks are given as text, from the root to the leaf; functions are single letters.
 */
#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "group_packets.h"
#include "tools/function_filter.h"
#include "tools/stack.h"
#include "tools/tree.h"

static struct profile *profile;
static struct names *names;
static struct tree tree;

/* A profile without samples, of two events. */
static void set_up(void)
{
	static uint8_t data[4096];
	struct group_packet g = { .events = 2, .name = { "cpu-clock", "page-faults" } };
	int fd = memfd_create("stream", MFD_CLOEXEC);
	size_t bytes = make_group_packet(data, &g, 0, 0);

	cr_assert(eq(long, write(fd, data, bytes), (long)bytes));
	cr_assert(zero(long, lseek(fd, 0, SEEK_SET)));
	cr_assert(zero(int, profile_open(&profile, PROFILE_BY_THREAD, false)));
	cr_assert(zero(int, profile_read(profile, fd, NULL)));
	close(fd);
	names = NULL;
	tree = (struct tree){ 0 };
}

static void tear_down(void)
{
	tree_release(&tree);
	names_free(names);
	profile_free(profile);
}

TestSuite(tools_tree, .init = set_up, .fini = tear_down);

static uint32_t add_stack(const char *text)
{
	uint32_t node = 0;

	for (; *text; text++) {
		struct profile_frame frame = { .offset = (uint64_t)*text };
		struct profile_node key = { .parent = node };

		cr_assert(zero(int, profile_get_string(profile, text, 1, &frame.function)));
		cr_assert(ge(int, idmap_get(&profile->frames, &frame, &key.frame), 0));
		cr_assert(ge(int, idmap_get(&profile->nodes, &key, &node), 0));
	}
	return node;
}

/* So many samples, each of a weight of 10, in a thread. */
static void add_samples(uint32_t who, const char *stack, uint32_t event, uint64_t count)
{
	const struct profile_row key = { .who = who, .user = add_stack(stack), .event = event };
	struct profile_row *row;
	uint32_t id = 0;

	cr_assert(ge(int, idmap_get(&profile->rows, &key, &id), 0));
	row = idmap_at(&profile->rows, id);
	row->count += count;
	row->weight += 10 * count;
	profile->event[event].count += count;
	profile->event[event].weight += 10 * count;
	profile->all.count += count;
	profile->all.weight += 10 * count;
}

static uint32_t add_thread(uint32_t pid, uint32_t tid)
{
	const struct profile_process process = { .pid = pid };
	struct profile_thread thread = { .tid = tid };
	uint32_t id = 0;

	cr_assert(ge(int, idmap_get(&profile->processes, &process, &thread.process), 0));
	cr_assert(ge(int, idmap_get(&profile->threads, &thread, &id), 0));
	return id;
}

static void look_up(void)
{
	static const struct name_options options = { .no_inlines = false };

	cr_assert(zero(int, names_open(&names, profile, &options, NULL)));
}

static void build(enum tree_root root, uint32_t flags)
{
	tree_release(&tree);
	if (!names)
		look_up();
	cr_assert(zero(int, tree_build(&tree, names, root, flags)));
}

/* "a:1/3(b:2/2)": self and total of an event, and what is below in the order of the stream. */
static void write_nodes(FILE *to, uint32_t first, uint32_t event)
{
	for (uint32_t id = first; id; id = tree_node(&tree, id)->next) {
		const struct tree_node *node = tree_node(&tree, id);
		const char *name = "";

		if (node->function)
			name = profile_text(profile, names_function(names, node->function)->label);
		fprintf(to, "%s%s", id == first ? "" : " ", name);
		if (!node->function)
			fprintf(to, "#%u", node->who);
		fprintf(to, ":%u/%u", (unsigned int)tree_self(&tree, id, event)->count,
			(unsigned int)tree_total(&tree, id, event)->count);
		if (node->first_child) {
			fputc('(', to);
			write_nodes(to, node->first_child, event);
			fputc(')', to);
		}
	}
}

static void expect_tree(uint32_t event, const char *expected)
{
	char text[512] = "";
	FILE *to = fmemopen(text, sizeof(text), "w");

	cr_assert(to != NULL);
	write_nodes(to, tree.first_root, event);
	cr_assert(zero(int, fclose(to)));
	cr_expect(zero(int, strcmp(text, expected)), "\"%s\" is not \"%s\"", text, expected);
}

Test(tools_tree, callers_first)
{
	add_samples(0, "abc", 0, 3);
	add_samples(0, "ab", 0, 2);
	add_samples(0, "ad", 0, 1);
	add_samples(0, "e", 0, 4);
	add_samples(0, "abc", 1, 7);
	build(TREE_MERGED, 0);
	expect_tree(0, "a:0/6(b:2/5(c:3/3) d:1/1) e:4/4");
	expect_tree(1, "a:0/7(b:0/7(c:7/7) d:0/0) e:0/0");
	cr_expect(eq(u32, tree.depth, 3));
	cr_expect(eq(u64, tree_total(&tree, tree.first_root, 0)->weight, 60));
	cr_expect(eq(u32, tree_node(&tree, tree.node_of_row[1])->depth, 3), "row 1 ends in c");
}

Test(tools_tree, sampled_functions_first)
{
	add_samples(0, "abc", 0, 3);
	add_samples(0, "dc", 0, 2);
	add_samples(0, "c", 0, 1);
	build(TREE_MERGED, TREE_INVERTED);
	expect_tree(0, "c:1/6(b:0/3(a:3/3) d:2/2)");
}

Test(tools_tree, recursion_is_a_path)
{
	add_samples(0, "aaa", 0, 2);
	add_samples(0, "aa", 0, 1);
	build(TREE_MERGED, 0);
	expect_tree(0, "a:0/3(a:1/3(a:2/2))");
}

Test(tools_tree, a_tree_for_each_thread_or_process)
{
	uint32_t one = add_thread(100, 101), two = add_thread(100, 102),
		 other = add_thread(200, 201);

	add_samples(one, "ab", 0, 1);
	add_samples(two, "ab", 0, 2);
	add_samples(other, "a", 0, 4);
	add_samples(0, "b", 0, 8);
	build(TREE_BY_THREAD, 0);
	expect_tree(0, "#1:0/1(a:0/1(b:1/1)) #2:0/2(a:0/2(b:2/2)) #3:0/4(a:4/4) #0:0/8(b:8/8)");
	build(TREE_BY_PROCESS, 0);
	expect_tree(0, "#1:0/3(a:0/3(b:3/3)) #2:0/4(a:4/4) #0:0/8(b:8/8)");
	build(TREE_MERGED, 0);
	expect_tree(0, "a:4/7(b:3/3) b:8/8");
}

Test(tools_tree, no_stack_is_a_function_too)
{
	add_samples(0, "", 0, 5);
	build(TREE_MERGED, 0);
	expect_tree(0, "[no stack]:5/5");
}

/* Random stacks of few functions: every sample is at one node, and totals are sums. */
Test(tools_tree, nothing_is_lost)
{
	uint64_t seed = 1;

	for (int i = 0; i < 2000; i++) {
		char stack[20] = "";
		size_t depth = 1 + next_random(&seed) % 12;

		for (size_t d = 0; d < depth; d++)
			stack[d] = (char)('a' + next_random(&seed) % 4);
		add_samples(0, stack, (uint32_t)(next_random(&seed) % 2), next_random(&seed) % 5);
	}
	for (uint32_t flags = 0; flags <= TREE_INVERTED; flags++) {
		build(TREE_MERGED, flags);
		for (uint32_t event = 0; event < 2; event++) {
			uint64_t self = 0, roots = 0;

			for (uint32_t id = 1; id <= tree.nodes.count; id++) {
				uint64_t below = tree_self(&tree, id, event)->weight;
				uint32_t child = tree_node(&tree, id)->first_child;

				self += below;
				for (; child; child = tree_node(&tree, child)->next)
					below += tree_total(&tree, child, event)->weight;
				cr_assert(eq(u64, tree_total(&tree, id, event)->weight, below));
			}
			for (uint32_t id = tree.first_root; id; id = tree_node(&tree, id)->next)
				roots += tree_total(&tree, id, event)->weight;
			cr_expect(eq(u64, self, profile->event[event].weight));
			cr_expect(eq(u64, roots, profile->event[event].weight));
		}
	}
}

Test(tools_tree, a_stack_is_read_leaf_first)
{
	static struct stack stack;
	const char *expected = "cba";

	add_samples(0, "abc", 0, 1);
	look_up();
	cr_assert(zero(int, stack_read(&stack, names, idmap_at(&profile->rows, 1))));
	cr_assert(eq(sz, stack.count, 3));
	for (size_t i = 0; i < 3; i++) {
		uint32_t label = names_function(names, stack.frame[i].function)->label;

		cr_expect(eq(chr, *profile_text(profile, label), expected[i]));
		cr_expect(not(stack.frame[i].is_inlined));
	}
	stack_release(&stack);
	cr_expect(zero(sz, stack.count));
}

Test(tools_tree, stacks_without_a_function_are_left_out)
{
	char err[128];

	add_samples(0, "abc", 0, 3);
	add_samples(0, "ad", 0, 2);
	add_samples(0, "b", 1, 4);
	look_up();
	cr_assert(zero(int, function_filter(profile, names, "^[bx]$", err, sizeof(err))));
	cr_expect(eq(u64, profile->left_out, 2));
	cr_expect(eq(u64, profile->all.count, 7));
	cr_expect(eq(u64, profile->all.weight, 70));
	cr_expect(eq(u64, profile->event[0].weight, 30));
	cr_expect(eq(u64, profile->event[1].weight, 40));
	build(TREE_MERGED, 0);
	expect_tree(0, "a:0/3(b:0/3(c:3/3)) b:0/0");
	expect_tree(1, "a:0/0(b:0/0(c:0/0)) b:4/4");
	cr_assert(zero(int, function_filter(profile, names, "nobody", err, sizeof(err))));
	cr_expect(zero(u64, profile->all.count));
	cr_expect(eq(u64, profile->left_out, 9), "all, each once");
}

Test(tools_tree, a_wrong_regex_is_explained)
{
	char err[128] = "";

	add_samples(0, "a", 0, 1);
	look_up();
	cr_expect(eq(int, function_filter(profile, names, "a(", err, sizeof(err)), -EINVAL));
	cr_expect(ne(chr, *err, 0));
	cr_expect(eq(u64, profile->all.count, 1), "nothing is left out");
}
