/* SPDX-License-Identifier: Apache-2.0 */
/* unwind_files.h - which files have a place in the walker's directory. See unwind_files.c. */
#ifndef PROFILER_UNWIND_FILES_H
#define PROFILER_UNWIND_FILES_H

#include <stdbool.h>
#include <stdint.h>

#include "profiler/image.h"
#include "profiler/retire.h"
#include "profiler/unwind_memory.h"
#include "profiler/unwind_tables.h"

/* Files at once. The index of one has 12 bits of its id. */
#define UNWIND_FILES 4096

/* Of one file: 1 GiB of code, half the directory. */
#define UNWIND_FILE_PAGES (UNWIND_DIRECTORY / 2)

struct unwind_files;

/* A page to be compiled. */
struct unwind_want {
	uint32_t file; /* never 0, not used again for long; ids of files that have gone are refused
			*/
	uint32_t page; /* file offset >> UNWIND_PAGE_SHIFT */
};

struct unwind_files_stats {
	uint64_t asked;	       /* pages */
	uint64_t loaded;       /* pages */
	uint64_t bare;	       /* pages */
	uint64_t refused;      /* pages */
	uint64_t put_off;      /* pages that found no room, to be asked for again */
	uint64_t late;	       /* answers for files that had gone */
	uint64_t no_room;      /* mappings that found no room for their file in the directory */
	uint64_t rows_evicted; /* files whose pages were unloaded for want of memory */
	uint64_t dropped;      /* files that nobody had mapped for a while, or that made room */
	uint32_t files;	       /* now */
	uint32_t pages;	       /* directory entries in use now, those that wait included */
	uint64_t bytes;	       /* of bookkeeping */
};

/** unwind_files_open() - no files; 0 or -ENOMEM. One thread (the drain thread), like all below. */
__attribute__((warn_unused_result)) int unwind_files_open(struct unwind_files **ret,
							  const struct unwind_memory *memory,
							  struct unwind_tables *tables,
							  struct retire *retire);

/** unwind_files_free() - NULL is fine; every reference must have been put */
void unwind_files_free(struct unwind_files *files);

/**
 * unwind_files_get() - a reference on a part of a file, with a place in the directory
 * @offset, @size: of the part in the file, bytes
 * @ret: the file's index, for unwind_files_put() and unwind_files_want()
 * @ret_directory: for struct unwind_mapping; the entry of offset o is @ret_directory + (o >> 16),
 * and wraps
 *
 * Returns 0; -ENOSPC when there is no room now, and what could make room for the next call has
 * been dropped; -EFBIG for a part that is too large; -ENOMEM.
 */
__attribute__((warn_unused_result)) int unwind_files_get(struct unwind_files *files,
							 const struct mapped_file *file,
							 uint64_t offset, uint64_t size,
							 uint16_t *ret, uint32_t *ret_directory);

/** unwind_files_put() - drop a reference; the file stays for a while */
void unwind_files_put(struct unwind_files *files, uint16_t index);

/**
 * unwind_files_want() - this page was met in a stack
 *
 * The file counts as used. Returns true when the page should be asked for: it is not loaded, not
 * refused and not asked for already. It then counts as asked for until one of the calls below
 * says what became of it.
 */
bool unwind_files_want(struct unwind_files *files, uint16_t index, uint64_t offset,
		       struct unwind_want *ret);

/**
 * unwind_files_load() - the page's table came: copy and publish it
 *
 * Without room the page is given up, and can be asked for again a second later. Returns 0, -ESTALE
 * when the file has gone meanwhile, -EAGAIN without room, -EINVAL as unwind_tables_load(): then the
 * page is refused.
 */
int unwind_files_load(struct unwind_files *files, const struct unwind_want *want,
		      const struct unwind_table *table);

/**
 * unwind_files_mark() - the page has no table
 * @state: UNWIND_PAGE_BARE, UNWIND_PAGE_REFUSED, or UNWIND_PAGE_MISSING when the request did not
 * get through and the page may be asked for again
 */
void unwind_files_mark(struct unwind_files *files, const struct unwind_want *want,
		       enum unwind_page_state state);

/**
 * unwind_files_mark_all() - the file has no tables at all; pages that are loaded are unloaded
 * @state: UNWIND_PAGE_BARE, UNWIND_PAGE_UNTOLD or UNWIND_PAGE_REFUSED
 */
void unwind_files_mark_all(struct unwind_files *files, uint32_t file, enum unwind_page_state state);

/**
 * unwind_files_tick() - once a round, after retire_poll() and unwind_tables_tick()
 * @now_ns: CLOCK_BOOTTIME
 *
 * Unloads what was least recently used when rows are short, and drops files that nobody maps.
 */
void unwind_files_tick(struct unwind_files *files, uint64_t now_ns);

/** unwind_files_stats() - counts since the opening and sizes now */
void unwind_files_stats(const struct unwind_files *files, struct unwind_files_stats *ret);

#endif /* PROFILER_UNWIND_FILES_H */
