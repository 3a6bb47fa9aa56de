// SPDX-License-Identifier: Apache-2.0
/*
 * unwind_files.c - which files have a place in the walker's directory.
 *
 * A file here is a part of one: the pages of 64 KiB that one mapping covers, in consecutive entries
 * of the directory. Most files have one such part, their text. It is told by path and build id
 * (else path, device and inode), and shared by all processes that map it. The path is part of it
 * because a build id is only what a file says of itself: nobody's file stands for another's.
 *
 * Nobody's file stays for a while, for the next compiler or shell maps it again.
 *
 * Invariant: an entry of the directory that belongs to no file is zero (UNWIND_PAGE_MISSING), and
 * is given to a file only when no program can hold a mapping that leads there.
 *
 * Opening and parsing a file is the unwinder thread's and the jail's.
 */
#include "profiler/unwind_files.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "profiler/htable.h"
#include "profiler/unwind_space.h"

/*
 * Parts begin and end at multiples of so many pages. So the entry of page 0, which may lie before
 * the directory and wrap, is never one of the two special values of struct unwind_mapping.
 */
#define PLACE_PAGES  4
#define PLACES	     (UNWIND_DIRECTORY / PLACE_PAGES)
#define SPARE_PLACES (PLACES / 8)

#define MS	   UINT64_C(1000000)
#define KEEP_NS	   (10000 * MS) /* a file that nobody maps */
#define IDLE_NS	   (1000 * MS)	/* rows of a file that was used since are not unloaded */
#define PUT_OFF_NS (250 * MS)	/* until a page that found no room may be asked for again */
#define RESTART_NS (10000 * MS) /* from one time that all rules are forgotten to the next */
#define SWEEP_NS   (1000 * MS)

struct unwind_file {
	struct hlink link;
	uint32_t id;
	uint32_t refs;
	uint32_t first_page;
	uint32_t pages;
	uint32_t directory; /* entry of first_page */
	uint32_t loaded;    /* pages that have rows */
	uint64_t used_ns;
	uint64_t put_off_ns; /* nothing is asked for until then */
	uint64_t inode;
	uint32_t dev_major;
	uint32_t dev_minor;
	uint8_t build_id_size;
	uint8_t build_id[BUILD_ID_MAX];
	char path[];
};

struct unwind_files {
	struct unwind_memory memory;
	struct unwind_tables *tables;
	struct retire *retire;
	struct htable by_key;
	struct unwind_space places;
	struct unwind_space indices;
	uint32_t serial;     /* of the last id */
	uint16_t generation; /* of the last page */
	uint64_t now_ns;
	uint64_t next_sweep_ns;
	uint64_t made_room_ns;
	uint64_t next_restart_ns;
	uint64_t path_bytes;
	struct unwind_files_stats stats; /* but for what is counted now */
	struct unwind_file *file[UNWIND_FILES];
	uint64_t asked[UNWIND_DIRECTORY / 64];
};

int unwind_files_open(struct unwind_files **ret, const struct unwind_memory *memory,
		      struct unwind_tables *tables, struct retire *retire)
{
	struct unwind_files *files = calloc(1, sizeof(*files));

	if (!files)
		return -ENOMEM;
	files->memory = *memory;
	files->tables = tables;
	files->retire = retire;
	if (htable_init(&files->by_key) || unwind_space_init(&files->places, PLACES) ||
	    unwind_space_init(&files->indices, UNWIND_FILES)) {
		unwind_files_free(files);
		return -ENOMEM;
	}
	*ret = files;
	return 0;
}

void unwind_files_free(struct unwind_files *files)
{
	if (!files)
		return;
	for (uint32_t i = 0; i < UNWIND_FILES; i++)
		free(files->file[i]);
	htable_release(&files->by_key);
	unwind_space_release(&files->places);
	unwind_space_release(&files->indices);
	free(files);
}

/* The directory. */

static uint64_t *entry_of(const struct unwind_files *files, const struct unwind_file *file,
			  uint32_t page)
{
	return &files->memory.directory[file->directory + page - file->first_page];
}

static bool is_asked(const struct unwind_files *files, const uint64_t *entry)
{
	size_t i = (size_t)(entry - files->memory.directory);

	return files->asked[i / 64] >> (i % 64) & 1;
}

static void set_asked(struct unwind_files *files, const uint64_t *entry, bool asked)
{
	size_t i = (size_t)(entry - files->memory.directory);

	files->asked[i / 64] &= ~(UINT64_C(1) << (i % 64));
	files->asked[i / 64] |= (uint64_t)asked << (i % 64);
}

/* Takes a page back; its entry says @state from now on. */
static void unload(struct unwind_files *files, struct unwind_file *file, uint64_t *entry,
		   enum unwind_page_state state)
{
	struct unwind_page page = unwind_page_of(*entry);

	unwind_publish(entry, unwind_page_word((struct unwind_page){ .state = (__u16)state }));
	if (page.state != UNWIND_PAGE_LOADED)
		return;
	unwind_tables_unload(files->tables, page);
	file->loaded--;
}

static void unload_all(struct unwind_files *files, struct unwind_file *file)
{
	uint64_t *entry = entry_of(files, file, file->first_page);

	for (uint32_t i = 0; i < file->pages && file->loaded; i++)
		if (unwind_page_of(entry[i]).state == UNWIND_PAGE_LOADED)
			unload(files, file, &entry[i], UNWIND_PAGE_MISSING);
}

/* Files. */

static void drop(struct unwind_files *files, struct unwind_file *file)
{
	uint64_t *entry = entry_of(files, file, file->first_page);

	for (uint32_t i = 0; i < file->pages; i++) {
		unload(files, file, &entry[i], UNWIND_PAGE_MISSING);
		set_asked(files, &entry[i], false);
	}
	unwind_space_retire(&files->places, file->directory / PLACE_PAGES,
			    file->pages / PLACE_PAGES, retire_ticket(files->retire));
	unwind_space_give(&files->indices, file->id % UNWIND_FILES, 1);
	htable_remove(&files->by_key, &file->link);
	files->file[file->id % UNWIND_FILES] = NULL;
	files->path_bytes -= strlen(file->path) + 1;
	files->stats.dropped++;
	free(file);
}

/* Of the files that nobody maps, or of those with rows, the one that was not used for longest. */
static struct unwind_file *least_used(const struct unwind_files *files, bool mapped)
{
	struct unwind_file *least = NULL;

	for (uint32_t i = 0; i < UNWIND_FILES; i++) {
		struct unwind_file *file = files->file[i];

		if (!file || (mapped ? !file->loaded : file->refs != 0))
			continue;
		if (!least || file->used_ns < least->used_ns)
			least = file;
	}
	return least;
}

/*
 * Drops what nobody maps, so much that the room need not be in one piece, and at least one file.
 * Once a round: a process may have thousands of files that find no room.
 */
static void make_room(struct unwind_files *files, uint32_t places)
{
	struct unwind_file *file;

	if (files->made_room_ns == files->now_ns)
		return;
	files->made_room_ns = files->now_ns;
	do {
		file = least_used(files, false);
		if (file)
			drop(files, file);
	} while (file && unwind_space_coming(&files->places) < places + SPARE_PLACES);
}

static uint32_t hash_of(const struct mapped_file *key, uint32_t first_page, uint32_t pages)
{
	const uint64_t part[] = { first_page, pages, key->inode };
	uint32_t hash = htable_hash(0, part, sizeof(part));

	hash = htable_hash(hash, key->path, strlen(key->path));
	return htable_hash(hash, key->build_id, key->build_id_size);
}

static bool is_same(const struct unwind_file *file, const struct mapped_file *key)
{
	if (file->build_id_size != key->build_id_size || strcmp(file->path, key->path) != 0)
		return false;
	if (key->build_id_size)
		return !memcmp(file->build_id, key->build_id, key->build_id_size);
	return file->inode == key->inode && file->dev_major == key->dev_major &&
	       file->dev_minor == key->dev_minor;
}

static struct unwind_file *find(const struct unwind_files *files, const struct mapped_file *key,
				uint32_t first_page, uint32_t pages)
{
	struct hlink *link = htable_first(&files->by_key, hash_of(key, first_page, pages));

	for (; link; link = htable_next(link)) {
		struct unwind_file *file = htable_entry(link, struct unwind_file, link);

		if (is_same(file, key) && file->first_page == first_page && file->pages == pages)
			return file;
	}
	return NULL;
}

static int take_index(struct unwind_files *files)
{
	int index = unwind_space_take(&files->indices, 1);
	struct unwind_file *file;

	if (index >= 0 || !(file = least_used(files, false)))
		return index;
	drop(files, file);
	return unwind_space_take(&files->indices, 1);
}

static int add(struct unwind_files *files, const struct mapped_file *key, uint32_t first_page,
	       uint32_t pages, struct unwind_file **ret)
{
	size_t path_size = strlen(key->path) + 1;
	struct unwind_file *file = calloc(1, sizeof(*file) + path_size);
	int index = -ENOSPC, place;

	if (!file)
		return -ENOMEM;
	place = unwind_space_take(&files->places, pages / PLACE_PAGES);
	if (place < 0) {
		make_room(files, pages / PLACE_PAGES);
	} else {
		index = take_index(files);
		if (index < 0)
			unwind_space_give(&files->places, (uint32_t)place, pages / PLACE_PAGES);
	}
	if (index < 0) {
		free(file);
		return -ENOSPC;
	}
	if (++files->serial >= UINT32_MAX / UNWIND_FILES)
		files->serial = 1;
	file->id = files->serial * UNWIND_FILES + (uint32_t)index;
	file->first_page = first_page;
	file->pages = pages;
	file->directory = (uint32_t)place * PLACE_PAGES;
	file->inode = key->inode;
	file->dev_major = key->dev_major;
	file->dev_minor = key->dev_minor;
	file->build_id_size = key->build_id_size;
	memcpy(file->build_id, key->build_id, key->build_id_size);
	memcpy(file->path, key->path, path_size);
	files->file[index] = file;
	files->path_bytes += path_size;
	htable_insert(&files->by_key, &file->link, hash_of(key, first_page, pages));
	*ret = file;
	return 0;
}

int unwind_files_get(struct unwind_files *files, const struct mapped_file *mapped, uint64_t offset,
		     uint64_t size, uint16_t *ret, uint32_t *ret_directory)
{
	const struct mapped_file *key = mapped->identified ? mapped->identified : mapped;
	uint64_t first = offset >> UNWIND_PAGE_SHIFT & ~(uint64_t)(PLACE_PAGES - 1);
	uint64_t end = (offset + size - 1) >> UNWIND_PAGE_SHIFT;
	struct unwind_file *file;
	uint64_t pages;
	int err;

	end = (end | (PLACE_PAGES - 1)) + 1;
	pages = end - first;
	if (end <= first || end > UINT32_MAX || pages > UNWIND_FILE_PAGES)
		return -EFBIG;
	file = find(files, key, (uint32_t)first, (uint32_t)pages);
	if (!file) {
		err = add(files, key, (uint32_t)first, (uint32_t)pages, &file);
		if (err) {
			files->stats.no_room += err == -ENOSPC;
			return err;
		}
	}
	file->refs++;
	file->used_ns = files->now_ns;
	*ret = (uint16_t)(file->id % UNWIND_FILES);
	*ret_directory = file->directory - file->first_page;
	return 0;
}

void unwind_files_put(struct unwind_files *files, uint16_t index)
{
	struct unwind_file *file = files->file[index];

	file->refs--;
	file->used_ns = files->now_ns;
}

/* Pages. */

bool unwind_files_want(struct unwind_files *files, uint16_t index, uint64_t offset,
		       struct unwind_want *ret)
{
	struct unwind_file *file = files->file[index];
	uint32_t page = (uint32_t)(offset >> UNWIND_PAGE_SHIFT);
	uint64_t *entry = entry_of(files, file, page);

	file->used_ns = files->now_ns;
	if (*entry || files->now_ns < file->put_off_ns || is_asked(files, entry))
		return false;
	set_asked(files, entry, true);
	files->stats.asked++;
	*ret = (struct unwind_want){ .file = file->id, .page = page };
	return true;
}

static struct unwind_file *file_of_id(struct unwind_files *files, uint32_t id)
{
	struct unwind_file *file = files->file[id % UNWIND_FILES];

	return file && file->id == id ? file : NULL;
}

/* The entry that an answer is for, asked for no more; NULL when that has no use any longer. */
static uint64_t *answered(struct unwind_files *files, const struct unwind_want *want,
			  struct unwind_file **ret)
{
	struct unwind_file *file = file_of_id(files, want->file);
	uint64_t *entry = NULL;

	if (file && want->page - file->first_page < file->pages) {
		entry = entry_of(files, file, want->page);
		set_asked(files, entry, false);
	}
	if (!entry || *entry) {
		files->stats.late++;
		return NULL;
	}
	*ret = file;
	return entry;
}

/* All rules are forgotten, and with them all rows. */
static void restart(struct unwind_files *files)
{
	if (files->now_ns < files->next_restart_ns)
		return;
	files->next_restart_ns = files->now_ns + RESTART_NS;
	for (uint32_t i = 0; i < UNWIND_FILES; i++)
		if (files->file[i])
			unload_all(files, files->file[i]);
	unwind_tables_restart(files->tables);
}

/* Of a page: what the walker keeps of one that was there before is void. */
static uint16_t next_generation(struct unwind_files *files)
{
	if (++files->generation == 0) /* all are used up: begin anew, with nothing kept */
		memset(files->memory.cache, 0, UNWIND_CACHE * sizeof(*files->memory.cache));
	return files->generation;
}

int unwind_files_load(struct unwind_files *files, const struct unwind_want *want,
		      const struct unwind_table *table)
{
	struct unwind_file *file;
	struct unwind_page page;
	uint64_t *entry = answered(files, want, &file);
	int err;

	if (!entry)
		return -ESTALE;
	err = unwind_tables_load(files->tables, table, &page);
	if (err == -EINVAL) {
		unload(files, file, entry, UNWIND_PAGE_REFUSED);
		files->stats.refused++;
		return err;
	}
	if (err) {
		files->stats.put_off++;
		file->put_off_ns = files->now_ns + PUT_OFF_NS;
		if (err == -ENOSPC)
			restart(files);
		return -EAGAIN;
	}
	page.generation = next_generation(files);
	unwind_publish(entry, unwind_page_word(page));
	file->loaded++;
	files->stats.loaded++;
	return 0;
}

void unwind_files_mark(struct unwind_files *files, const struct unwind_want *want,
		       enum unwind_page_state state)
{
	struct unwind_file *file;
	uint64_t *entry = answered(files, want, &file);

	if (!entry)
		return;
	files->stats.bare += state == UNWIND_PAGE_BARE;
	files->stats.refused += state == UNWIND_PAGE_REFUSED;
	unload(files, file, entry, state);
}

void unwind_files_mark_all(struct unwind_files *files, uint32_t id, enum unwind_page_state state)
{
	struct unwind_file *file = file_of_id(files, id);
	uint64_t *entry;

	if (!file) {
		files->stats.late++;
		return;
	}
	entry = entry_of(files, file, file->first_page);
	for (uint32_t i = 0; i < file->pages; i++) {
		unload(files, file, &entry[i], state);
		set_asked(files, &entry[i], false);
	}
	files->stats.bare += state == UNWIND_PAGE_BARE ? file->pages : 0;
	files->stats.refused += state == UNWIND_PAGE_REFUSED ? file->pages : 0;
}

void unwind_files_tick(struct unwind_files *files, uint64_t now_ns)
{
	struct unwind_file *file;

	files->now_ns = now_ns;
	unwind_space_reclaim(&files->places, retire_done(files->retire));
	while (unwind_tables_short(files->tables) && (file = least_used(files, true)) &&
	       now_ns - file->used_ns >= IDLE_NS) {
		unload_all(files, file);
		files->stats.rows_evicted++;
	}
	if (now_ns < files->next_sweep_ns)
		return;
	files->next_sweep_ns = now_ns + SWEEP_NS;
	for (uint32_t i = 0; i < UNWIND_FILES; i++) {
		file = files->file[i];
		if (file && !file->refs && now_ns - file->used_ns >= KEEP_NS)
			drop(files, file);
	}
}

void unwind_files_stats(const struct unwind_files *files, struct unwind_files_stats *ret)
{
	*ret = files->stats;
	ret->files = files->by_key.count;
	ret->pages = (PLACES - files->places.free) * PLACE_PAGES;
	ret->bytes = sizeof(*files) + files->by_key.count * sizeof(struct unwind_file) +
		     files->path_bytes + htable_bytes(&files->by_key) +
		     unwind_space_bytes(&files->places) + unwind_space_bytes(&files->indices);
}
