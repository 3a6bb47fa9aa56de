/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_tools_profile.c - what a stack looks like to the tools, in all its incomplete forms.
 *
 * That streams are added up rightly is for tests/golden to show.
 */
#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <stdio.h>
#include <string.h>

#include "tools/profile.h"

#define IN_KERNEL	 PROFILER__SAMPLE_FLAG__IN_KERNEL
#define USER_TRUNCATED	 PROFILER__SAMPLE_FLAG__USER_TRUNCATED
#define KERNEL_TRUNCATED PROFILER__SAMPLE_FLAG__KERNEL_TRUNCATED
#define USER_LOST	 PROFILER__SAMPLE_FLAG__USER_LOST
#define KERNEL_LOST	 PROFILER__SAMPLE_FLAG__KERNEL_LOST
#define USER_FAILED	 PROFILER__SAMPLE_FLAG__USER_FAILED

static struct profile *profile;
static uint32_t user;	/* leaf of u2 <- u1 */
static uint32_t kernel; /* leaf of k2 <- k1 */

static void expect_text(const char *text, const char *expected)
{
	cr_expect(zero(int, strcmp(text, expected)), "\"%s\" is not \"%s\"", text, expected);
}

/* A node whose frame is at an offset that tells which one it is. */
static uint32_t add_called(uint32_t parent, uint64_t offset, const char *function)
{
	struct profile_node node = { .parent = parent };
	struct profile_frame frame = { .offset = offset, .mapping = 1 };
	uint32_t id = 0;

	cr_assert(eq(int, profile_get_string(profile, function, strlen(function), &frame.function),
		     0));
	cr_assert(ge(int, idmap_get(&profile->frames, &frame, &node.frame), 0));
	cr_assert(ge(int, idmap_get(&profile->nodes, &node, &id), 0));
	return id;
}

static uint32_t add_node(uint32_t parent, uint64_t offset)
{
	return add_called(parent, offset, "");
}

static void set_up(void)
{
	cr_assert(eq(int, profile_open(&profile, PROFILE_BY_NOBODY, false), 0));
	user = add_node(add_node(0, 0xA1), 0xA2);
	kernel = add_node(add_node(0, 0xB1), 0xB2);
}

static void tear_down(void)
{
	profile_free(profile);
}

TestSuite(tools_profile, .init = set_up, .fini = tear_down);

/* Writes a stack as "b2 b1> a2>": '>' marks a return address. */
static void check_stack(uint32_t user_node, uint32_t kernel_node, uint32_t flags,
			const char *expected)
{
	const struct profile_row row = { .user = user_node, .kernel = kernel_node, .flags = flags };
	static uint32_t stack[PROFILE_STACK_MAX];
	size_t length = profile_stack(profile, &row, stack);
	char text[256] = "";

	for (size_t i = 0; i < length; i++) {
		const struct profile_frame *frame =
			idmap_at(&profile->frames, frame_ref_frame(stack[i]));
		size_t used = strlen(text);

		if (frame->mapping)
			snprintf(text + used, sizeof(text) - used, "%s%x%s", i ? " " : "",
				 (unsigned int)frame->offset,
				 frame_ref_is_return(stack[i]) ? ">" : "");
		else
			snprintf(text + used, sizeof(text) - used, "%s%s", i ? " " : "",
				 profile_text(profile, frame->function));
	}
	expect_text(text, expected);
}

Test(tools_profile, whole_stacks)
{
	check_stack(user, 0, 0, "a2 a1>");
	check_stack(0, kernel, IN_KERNEL, "b2 b1>");
	/* the user's innermost frame is what was interrupted, or is behind its system call */
	check_stack(user, kernel, IN_KERNEL, "b2 b1> a2 a1>");
	check_stack(user, add_called(0, 0xb3, "entry_SYSCALL_64"), IN_KERNEL, "b3 a2> a1>");
	check_stack(user, add_called(0, 0xb3, "asm_exc_page_fault"), IN_KERNEL, "b3 a2 a1>");
	check_stack(user, 0, IN_KERNEL, "a2 a1>");
}

Test(tools_profile, what_is_missing_is_shown)
{
	check_stack(0, 0, 0, "[no stack]");
	check_stack(user, 0, USER_TRUNCATED, "a2 a1> [truncated]");
	check_stack(user, kernel, IN_KERNEL | KERNEL_TRUNCATED, "b2 b1> [truncated] a2 a1>");
	check_stack(0, kernel, IN_KERNEL | USER_LOST, "b2 b1> [stack lost]");
	check_stack(0, kernel, IN_KERNEL | USER_FAILED, "b2 b1> [stack unreadable]");
	check_stack(user, 0, IN_KERNEL | KERNEL_LOST, "[stack lost] a2 a1>");
	check_stack(0, 0, IN_KERNEL | KERNEL_LOST | USER_LOST, "[stack lost] [stack lost]");
}

Test(tools_profile, deep_stacks_are_cut)
{
	static uint32_t stack[PROFILE_STACK_MAX];
	struct profile_row row = { .flags = IN_KERNEL | USER_LOST | KERNEL_TRUNCATED };
	uint32_t node = 0;

	for (uint32_t i = 0; i < 3 * PROFILE_DEPTH_MAX; i++)
		node = add_node(node, 0x1000 + i);
	row.user = node;
	row.kernel = node;
	cr_expect(eq(sz, profile_stack(profile, &row, stack), PROFILE_STACK_MAX));
	cr_expect(eq(u32, frame_ref_frame(stack[PROFILE_DEPTH_MAX]), PSEUDO_TRUNCATED));
}

Test(tools_profile, strings_are_cleaned)
{
	uint32_t a = 0;
	uint32_t b = 0;
	char longer[8192];

	cr_assert(eq(int, profile_get_string(profile, "a\nb", 3, &a), 0));
	expect_text(profile_text(profile, a), "a?b");
	memset(longer, 'x', sizeof(longer));
	cr_assert(eq(int, profile_get_string(profile, longer, sizeof(longer), &b), 0));
	cr_expect(eq(sz, strlen(profile_text(profile, b)), 4096));
}
