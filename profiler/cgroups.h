/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cgroups.h - the paths of cgroups, each kept once and only as long as somebody uses it.
 *
 * Many processes, few cgroups. Invariant: equal paths are the same pointer; the paths of one set
 * take at most CGROUPS_BYTES_MAX. One thread at a time.
 */
#ifndef PROFILER_CGROUPS_H
#define PROFILER_CGROUPS_H

#include <stddef.h>
#include <stdint.h>

#include "profiler/htable.h"

/* Paths of some 200 bytes, as containers have them, of 5,000 cgroups at once. */
#define CGROUPS_BYTES_MAX (1u << 20)

struct cgroup {
	struct hlink link;
	uint32_t refs;
	char path[];
};

struct cgroup_set {
	struct htable table;
	uint64_t bytes;	  /* of all paths and what they hang on */
	uint64_t refused; /* for the limit, or for want of memory */
};

/** cgroup_set_init() - empty. Return: 0 or -ENOMEM; call cgroup_set_release() in any case. */
int cgroup_set_init(struct cgroup_set *set) __attribute__((warn_unused_result));

/** cgroup_set_release() - all references were put before; fine on zeroed memory. */
void cgroup_set_release(struct cgroup_set *set);

/** cgroup_intern() - a reference on the cgroup of that path; NULL when the set is full. */
struct cgroup *cgroup_intern(struct cgroup_set *set, const char *path);

/** cgroup_get() - one reference more; NULL is fine and stays NULL. */
struct cgroup *cgroup_get(struct cgroup *cgroup);

/** cgroup_put() - one reference less; NULL is fine. */
void cgroup_put(struct cgroup_set *set, struct cgroup *cgroup);

/** cgroup_path() - "" for NULL, which is: not known */
const char *cgroup_path(const struct cgroup *cgroup);

#endif /* PROFILER_CGROUPS_H */
