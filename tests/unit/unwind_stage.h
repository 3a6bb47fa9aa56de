/* SPDX-License-Identifier: Apache-2.0 */
/*
 * unwind_stage.h - all that keeps the walker's tables, on a world of its own, for the tests of it.
 *
 * A file "/f/N" has tables whose contents tell N and the page, see make_table().
 */
#ifndef PROFILER_UNWIND_STAGE_H
#define PROFILER_UNWIND_STAGE_H

#include <errno.h>
#include <stdio.h>

#include "profiler/unwind_files.h"
#include "profiler/unwind_maps.h"
#include "tests/unit/unwind_world.h"

#define MS	  UINT64_C(1000000)
#define ROUND_NS  (100 * MS)
#define MOST_ROWS 2000
#define FILE_BASE 0x10000u /* where a file's text begins in the file */
#define LIMIT	  (2u << 20)

static struct world w;
static struct image_set *set;
static struct unwind_tables *tables;
static struct unwind_files *files;
static struct unwind_maps *maps;
static struct made_table made;

static inline void setup(void)
{
	world_open(&w);
	w.now_ns = 1000000 * MS;
	cr_assert(zero(int, image_set_open(&set)));
	cr_assert(zero(int, unwind_tables_open(&tables, &w.memory, w.retire, LIMIT)));
	cr_assert(zero(int, unwind_files_open(&files, &w.memory, tables, w.retire)));
	cr_assert(zero(int, unwind_maps_open(&maps, &w.memory, files, w.retire)));
}

static inline void teardown(void)
{
	unwind_maps_free(maps);
	unwind_files_free(files);
	unwind_tables_free(tables);
	image_set_free(set);
	world_close(&w);
}

static inline void round_of_drain(uint64_t ns)
{
	struct unwind_shard_job job;

	w.now_ns += ns;
	retire_poll(w.retire, w.now_ns);
	unwind_tables_tick(tables);
	unwind_files_tick(files, w.now_ns);
	unwind_maps_tick(maps, w.now_ns);
	if (unwind_tables_job(tables, &job)) {
		world_do_job(&w, &job);
		unwind_tables_done(tables, &job);
	}
}

static inline void rounds(int n)
{
	while (n--)
		round_of_drain(ROUND_NS);
}

static inline struct unwind_maps_stats maps_stats(void)
{
	struct unwind_maps_stats s;

	unwind_maps_stats(maps, &s);
	return s;
}

static inline struct unwind_files_stats files_stats(void)
{
	struct unwind_files_stats s;

	unwind_files_stats(files, &s);
	return s;
}

static inline struct unwind_tables_stats tables_stats(void)
{
	struct unwind_tables_stats s;

	unwind_tables_stats(tables, &s);
	return s;
}

/* Maps @path; a path "/f/N" is the file number N. */
static inline void map_path(struct image **image, const char *path, uint64_t start, uint64_t size,
			    uint64_t offset)
{
	const struct map_info info = {
		.path = path, .start = start, .size = size, .file_offset = offset, .inode = 5
	};

	cr_assert(zero(int, image_map(set, image, &info)));
}

static inline void map_file(struct image **image, uint32_t file, uint64_t start, uint64_t size)
{
	char path[32];

	snprintf(path, sizeof(path), "/f/%u", file);
	map_path(image, path, start, size, FILE_BASE);
}

#define VDSO 999

static inline uint32_t file_number(const struct mapping *map)
{
	if (map->region->file->kind == MAPPED_VDSO)
		return VDSO;
	return (uint32_t)strtoul(map->region->file->path + 3, NULL, 10);
}

/* Goes through the tables for an address. */
static inline bool look_up(uint32_t pid, uint64_t addr, struct unwind_rule *ret)
{
	struct world_reader r = { .pid = pid, .addr = addr };

	while (reader_step(&w, &r))
		;
	*ret = r.rule;
	return r.stage == READER_FOUND;
}

/* Is this what an address of an image has to give? */
static inline bool is_right(struct image *image, uint64_t addr, const struct unwind_rule *rule)
{
	const struct mapping *map = image_find(image, addr);
	uint64_t offset = map ? addr - map->start + map->file_offset : 0;

	return map && map->region->file->kind != MAPPED_ANON &&
	       made_rule_is(rule, file_number(map), (uint32_t)(offset >> UNWIND_PAGE_SHIFT),
			    (uint32_t)offset % UNWIND_PAGE_BYTES, MOST_ROWS);
}

/* Asks for the page of an address, as a walk does, and loads it. */
static inline int load_at(uint32_t pid, struct image *image, uint64_t addr)
{
	struct unwind_want want;

	if (!unwind_maps_want(maps, pid, addr, &want))
		return -ENOENT;
	make_table(&made, file_number(image_find(image, addr)), want.page, MOST_ROWS);
	return unwind_files_load(files, &want, &made.table);
}

#endif /* PROFILER_UNWIND_STAGE_H */
