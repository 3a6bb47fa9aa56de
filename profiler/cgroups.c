// SPDX-License-Identifier: Apache-2.0
/*
 * cgroups.c - the paths of cgroups, each kept once and only as long as somebody uses it.
 */
#include "profiler/cgroups.h"

#include <stdlib.h>
#include <string.h>

int cgroup_set_init(struct cgroup_set *set)
{
	memset(set, 0, sizeof(*set));
	return htable_init(&set->table);
}

void cgroup_set_release(struct cgroup_set *set)
{
	htable_release(&set->table);
}

struct cgroup *cgroup_intern(struct cgroup_set *set, const char *path)
{
	size_t path_size = strlen(path) + 1;
	uint32_t hash = htable_hash(0, path, path_size);
	struct cgroup *cgroup;

	for (struct hlink *l = htable_first(&set->table, hash); l; l = htable_next(l)) {
		cgroup = htable_entry(l, struct cgroup, link);
		if (strcmp(cgroup->path, path) == 0)
			return cgroup_get(cgroup);
	}
	cgroup = set->bytes + sizeof(*cgroup) + path_size <= CGROUPS_BYTES_MAX
			 ? malloc(sizeof(*cgroup) + path_size)
			 : NULL;
	if (!cgroup) {
		set->refused++;
		return NULL;
	}
	cgroup->refs = 1;
	memcpy(cgroup->path, path, path_size);
	htable_insert(&set->table, &cgroup->link, hash);
	set->bytes += sizeof(*cgroup) + path_size;
	return cgroup;
}

struct cgroup *cgroup_get(struct cgroup *cgroup)
{
	if (cgroup)
		cgroup->refs++;
	return cgroup;
}

void cgroup_put(struct cgroup_set *set, struct cgroup *cgroup)
{
	if (!cgroup || --cgroup->refs)
		return;
	htable_remove(&set->table, &cgroup->link);
	set->bytes -= sizeof(*cgroup) + strlen(cgroup->path) + 1;
	free(cgroup);
}

const char *cgroup_path(const struct cgroup *cgroup)
{
	return cgroup ? cgroup->path : "";
}
