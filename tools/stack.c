/* SPDX-License-Identifier: Apache-2.0 */
/* stack.c - the functions of a stack, with those that are inlined, see stack.h. */
#include "tools/stack.h"

#include <errno.h>
#include <stdlib.h>

static struct stack_frame *add_frame(struct stack *s)
{
	struct stack_frame *larger;
	size_t room;

	if (s->count == s->room) {
		room = s->room ? s->room * 2 : 256;
		larger = reallocarray(s->frame, room, sizeof(*larger));
		if (!larger)
			return NULL;
		s->frame = larger;
		s->room = room;
	}
	return &s->frame[s->count++];
}

int stack_read(struct stack *s, const struct names *n, const struct profile_row *row)
{
	size_t length = profile_stack(n->profile, row, s->ref);

	s->count = 0;
	for (size_t i = 0; i < length; i++) {
		const struct location *location = names_location(n, s->ref[i]);
		const struct code_line *line = names_lines(n, location);

		for (uint32_t k = 0; k < location->lines; k++) {
			struct stack_frame *frame = add_frame(s);

			if (!frame)
				return -ENOMEM;
			*frame = (struct stack_frame){ .location = location,
						       .function = line[k].function,
						       .file = line[k].file,
						       .line = line[k].line,
						       .is_inlined = k + 1 < location->lines };
		}
	}
	return 0;
}

void stack_release(struct stack *s)
{
	free(s->frame);
	s->frame = NULL;
	s->count = s->room = 0;
}
