/* SPDX-License-Identifier: Apache-2.0 */
/* stack.h - the functions of a stack, with those that are inlined, as tools show them. */
#ifndef PROFILER_STACK_H
#define PROFILER_STACK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "tools/names.h"

/* A function in a stack. */
struct stack_frame {
	const struct location *location; /* shared by those that are inlined there */
	uint32_t function;		 /* of the names */
	uint32_t file;			 /* string: source file, 0 when unknown */
	uint32_t line;			 /* in it, 0 when unknown */
	bool is_inlined;		 /* into the next frame */
};

/* The stack that was read last. All zero is none; owned by the caller, used again and again. */
struct stack {
	struct stack_frame *frame; /* leaf first */
	size_t count;
	size_t room;
	uint32_t ref[PROFILE_STACK_MAX]; /* as profile_stack() gives them */
};

/**
 * stack_read() - the functions that a row's samples were in
 * @s: what was read before ends
 * @n: the profile's names
 * @row: of the profile
 *
 * Return: 0 or -ENOMEM. There is always a frame.
 */
int stack_read(struct stack *s, const struct names *n, const struct profile_row *row)
	__attribute__((warn_unused_result));

/** stack_release() - free what it owns */
void stack_release(struct stack *s);

#endif /* PROFILER_STACK_H */
