// SPDX-License-Identifier: Apache-2.0
/*
 * naming.c - serves NAMES and JIT, see naming.h.
 */
#include "jail/naming.h"

#include <errno.h>

_Static_assert(sizeof(struct jail_jit_request) == sizeof(struct jail_names_request) &&
		       offsetof(struct jail_jit_request, count) ==
			       offsetof(struct jail_names_request, count),
	       "one check is enough");

bool naming_is_whole(const void *body, size_t size)
{
	const struct jail_names_request *r = body;
	const uint64_t *places = (const void *)(r + 1);

	if (!r->count || r->count > JAIL_NAMES_MAX ||
	    size != sizeof(*r) + r->count * sizeof(*places))
		return false;
	for (uint32_t i = 1; i < r->count; i++) {
		if (places[i] <= places[i - 1])
			return false;
	}
	return true;
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
		return perfmap_names(&n->jit.perf_map, fd, addresses, r->count, &n->answer);
	case JAIL_JIT_DUMP:
		return jitdump_names(&n->jit.dump, fd, addresses, r->count, &n->answer);
	default:
		return -EINVAL;
	}
}
