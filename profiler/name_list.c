// SPDX-License-Identifier: Apache-2.0
/* name_list.c - what is known of the code of one file: stretches with a name, or none. */
#include "profiler/name_list.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

void name_list_release(struct name_list *list)
{
	free(list->stretches);
	free(list->texts);
	*list = (struct name_list){ 0 };
}

struct name_stretch *name_list_find(const struct name_list *list, uint64_t place)
{
	uint32_t low = 0, high = list->count;

	while (low < high) {
		uint32_t middle = low + (high - low) / 2;

		if (list->stretches[middle].end > place)
			high = middle;
		else
			low = middle + 1;
	}
	if (low == list->count || list->stretches[low].start > place)
		return NULL;
	return &list->stretches[low];
}

/* Both sorted; of two that overlap the one of @old stays. Returns the count. */
static uint32_t merge(const struct name_list *old, const struct name_stretch *new, uint32_t count,
		      struct name_stretch *to)
{
	uint32_t n = 0, i = 0;

	for (uint32_t k = 0; k < count; k++) {
		while (i < old->count && old->stretches[i].end <= new[k].start)
			to[n++] = old->stretches[i++];
		if (i < old->count && old->stretches[i].start < new[k].end)
			continue;
		to[n] = new[k];
		if (to[n].text != NAME_LIST_NONE)
			to[n].text += old->text_bytes;
		n++;
	}
	while (i < old->count)
		to[n++] = old->stretches[i++];
	return n;
}

int name_list_add(struct name_list *list, const struct name_stretch *stretches, uint32_t count,
		  const char *texts, uint32_t text_bytes)
{
	struct name_stretch *merged = malloc((list->count + count) * sizeof(*merged));
	char *all = NULL;

	if (merged && text_bytes)
		all = realloc(list->texts, list->text_bytes + text_bytes);
	if (!merged || (text_bytes && !all)) {
		free(merged);
		return -ENOMEM;
	}
	if (text_bytes) {
		memcpy(all + list->text_bytes, texts, text_bytes);
		list->texts = all;
	}
	list->count = merge(list, stretches, count, merged);
	list->text_bytes += text_bytes;
	free(list->stretches);
	list->stretches = merged;
	return 0;
}

size_t name_list_bytes(const struct name_list *list)
{
	return list->count * sizeof(*list->stretches) + list->text_bytes;
}
