// SPDX-License-Identifier: Apache-2.0
/*
 * naming.c - serves NAMES and JIT, see naming.h.
 */
#include "jail/naming.h"

#include <errno.h>

/* Are there @count places behind a request of @before bytes, and all in order? */
static bool places_are_whole(const void *body, size_t before, uint32_t count, size_t size)
{
	const uint64_t *places = (const void *)((const uint8_t *)body + before);

	if (!count || count > JAIL_NAMES_MAX || size != before + count * sizeof(*places))
		return false;
	for (uint32_t i = 1; i < count; i++) {
		if (places[i] <= places[i - 1])
			return false;
	}
	return true;
}

bool naming_file_is_whole(const void *body, size_t size)
{
	const struct jail_names_request *r = body;

	return places_are_whole(body, sizeof(*r), r->count, size);
}

bool naming_jit_is_whole(const void *body, size_t size)
{
	const struct jail_jit_request *r = body;

	return places_are_whole(body, sizeof(*r), r->count, size);
}

int naming_file(struct naming *n, const struct elf_file *file, const struct elf_file *debug,
		const void *body)
{
	const struct jail_names_request *r = body;

	return symtab_names(&n->symtab, file, debug->data ? debug : NULL, (const void *)(r + 1),
			    r->count, &n->answer);
}

int naming_jit(struct naming *n, int fd, const void *body)
{
	const struct jail_jit_request *r = body;
	const uint64_t *addresses = (const void *)(r + 1);

	if (fd < 0)
		return -ENODEV;
	switch (r->kind) {
	case JAIL_JIT_PERF_MAP:
		return perfmap_names(&n->jit.perf_map, fd, r->before, addresses, r->count,
				     &n->answer);
	case JAIL_JIT_DUMP:
		return jitdump_names(&n->jit.dump, fd, r->before, addresses, r->count, &n->answer);
	default:
		return -EINVAL;
	}
}
