/* SPDX-License-Identifier: Apache-2.0 */
/*
 * sysfs_tree.h - PMUs in a directory of their own, in place of the kernel's.
 *
 * A tree is a list of files with their texts, an entry of NULLs behind the last one; directories
 * come before what is in them and have no text.
 */
#ifndef PROFILER_SYSFS_TREE_H
#define PROFILER_SYSFS_TREE_H

#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "profiler/pmu_encode.h"

struct sysfs_entry {
	const char *path, *text;
};

/* Makes a tree below root, whose name ends in XXXXXX. */
static inline void sysfs_make(char *root, const struct sysfs_entry *tree)
{
	char path[128];

	cr_assert(not(eq(ptr, mkdtemp(root), NULL)));
	for (; tree->path; tree++) {
		snprintf(path, sizeof(path), "%s%s", root, tree->path);
		if (!tree->text) {
			cr_assert(eq(int, mkdir(path, 0700), 0));
			continue;
		}
		FILE *file = fopen(path, "w");
		cr_assert(file != NULL);
		fputs(tree->text, file);
		fclose(file);
	}
}

static inline void sysfs_remove(const char *root, const struct sysfs_entry *tree)
{
	char path[128];
	size_t n = 0;

	while (tree[n].path)
		n++;
	while (n-- > 0) {
		snprintf(path, sizeof(path), "%s%s", root, tree[n].path);
		remove(path);
	}
	remove(root);
}

/* For tests of this machine's names, where cycles are to be one event; test_pmu_hybrid has others.
 */
static inline void need_one_kind_of_core(void)
{
	struct pmu_cores cores;

	pmu_sysfs_cores(PMU_SYSFS, &cores);
	if (cores.n)
		cr_skip_test("the cores of this machine are of several kinds");
}

#endif /* PROFILER_SYSFS_TREE_H */
