/* SPDX-License-Identifier: Apache-2.0 */
/*
 * name_list.h - what is known of the code of one file: stretches with a name, or none.
 *
 * Sorted and not overlapping, so a place is found by bisection, however many places a function has.
 */
#ifndef PROFILER_NAME_LIST_H
#define PROFILER_NAME_LIST_H

#include <stddef.h>
#include <stdint.h>

/* Value of name_stretch.text: there is no name. */
#define NAME_LIST_NONE UINT32_MAX

/**
 * struct name_stretch - code from @start up to @end
 * @text: where its name begins in the texts of the list, or NAME_LIST_NONE
 * @epoch: of the stream, in which it was last said
 */
struct name_stretch {
	uint64_t start;
	uint64_t end;
	uint32_t text;
	uint32_t epoch;
};

/* All zero is an empty list. */
struct name_list {
	struct name_stretch *stretches;
	char *texts;
	uint32_t count;
	uint32_t text_bytes;
};

/** name_list_release() - free what it holds; it is empty then */
void name_list_release(struct name_list *list);

/** name_list_find() - the stretch of a place, valid until the next call of name_list_add(); or NULL
 */
struct name_stretch *name_list_find(const struct name_list *list, uint64_t place);

/**
 * name_list_add() - more stretches
 * @stretches: sorted, not overlapping; @text into @texts
 *
 * What overlaps with one that is there stays out. Returns 0, or -ENOMEM and nothing changed.
 */
__attribute__((warn_unused_result)) int name_list_add(struct name_list *list,
						      const struct name_stretch *stretches,
						      uint32_t count, const char *texts,
						      uint32_t text_bytes);

/** name_list_bytes() - memory it holds */
size_t name_list_bytes(const struct name_list *list);

#endif /* PROFILER_NAME_LIST_H */
