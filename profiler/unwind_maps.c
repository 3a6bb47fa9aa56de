// SPDX-License-Identifier: Apache-2.0
/*
 * unwind_maps.c - mappings of the sampled processes, for the walker.
 *
 * A process has a slot, and its slot leads to a list of mappings. Processes with the same image (a
 * parent and the children it forked) have the same list. A list is never changed: a process
 * whose mappings changed gets another one.
 *
 * Invariant: a slot that says a pid leads to the list of that pid's image as it was told last, or
 * to nothing. A slot that was another pid's, and the places of a list that nobody has, are used
 * again when no program can be reading them.
 *
 * When there is no room the processes that were not used for longest make some, for a later try;
 * until then the process stays unknown to the walker. Nothing here looks at /proc or at a file.
 */
#include "profiler/unwind_maps.h"

#include <errno.h>
#include <stdlib.h>

#include "profiler/htable.h"
#include "profiler/unwind_space.h"

#define MS	 UINT64_C(1000000)
#define IDLE_NS	 (1000 * MS)  /* a process that was used since does not make room for others */
#define KEEP_NS	 (30000 * MS) /* of a process that no sample names; then one costs a snapshot */
#define SWEEP_NS (1000 * MS)
#define RETRY_NS (1000 * MS) /* until a list that lacks a file is made anew */

#define SPARE_PLACES (UNWIND_MAPPINGS / 8)

#define NO_FILE UINT16_MAX
#define NO_SLOT UINT32_MAX

/* The mappings of an image. */
struct map_list {
	struct hlink link; /* by image_id */
	uint64_t image_id;
	uint64_t made_ns;
	uint32_t refs; /* slots */
	uint32_t first;
	uint32_t count;
	bool incomplete; /* a file found no room */
};

struct slot {
	uint32_t pid;	       /* 0: free once the ticket is done */
	struct map_list *list; /* NULL: the walker knows no mappings */
	uint64_t ticket;
	uint64_t used_ns;
	uint64_t published_ns;
	uint64_t refused_image; /* has too many mappings */
};

struct unwind_maps {
	struct unwind_memory memory;
	struct unwind_files *files;
	struct retire *retire;
	struct htable lists;
	struct unwind_space places;
	uint64_t now_ns;
	uint64_t made_room_ns;
	uint64_t next_sweep_ns;
	uint32_t processes;
	struct unwind_maps_stats stats; /* but for what is counted now */
	struct slot slot[UNWIND_PROCESSES];
	uint16_t file_of[UNWIND_MAPPINGS]; /* index in the files, or NO_FILE */
};

int unwind_maps_open(struct unwind_maps **ret, const struct unwind_memory *memory,
		     struct unwind_files *files, struct retire *retire)
{
	struct unwind_maps *maps = calloc(1, sizeof(*maps));

	if (!maps)
		return -ENOMEM;
	maps->memory = *memory;
	maps->files = files;
	maps->retire = retire;
	if (htable_init(&maps->lists) || unwind_space_init(&maps->places, UNWIND_MAPPINGS)) {
		unwind_maps_free(maps);
		return -ENOMEM;
	}
	*ret = maps;
	return 0;
}

/* Slots. */

static uint32_t find_slot(const struct unwind_maps *maps, uint32_t pid)
{
	uint32_t home = unwind_process_slot(pid);

	for (uint32_t i = 0; i < UNWIND_PROBES && pid; i++)
		if (maps->slot[(home + i) % UNWIND_PROCESSES].pid == pid)
			return (home + i) % UNWIND_PROCESSES;
	return NO_SLOT;
}

static void put_list(struct unwind_maps *maps, struct map_list *list)
{
	if (!list || --list->refs)
		return;
	for (uint32_t i = list->first; i < list->first + list->count; i++)
		if (maps->file_of[i] != NO_FILE)
			unwind_files_put(maps->files, maps->file_of[i]);
	unwind_space_retire(&maps->places, list->first, list->count, retire_ticket(maps->retire));
	htable_remove(&maps->lists, &list->link);
	free(list);
}

static void write_range(struct unwind_maps *maps, uint32_t slot)
{
	const struct map_list *list = maps->slot[slot].list;
	uint64_t *word = (uint64_t *)&maps->memory.processes[slot].range;

	unwind_publish(word, list ? (uint64_t)list->first << 32 | list->count : 0);
}

/* The slot leads to @list, of which it has a reference, or to nothing. */
static void lead_to(struct unwind_maps *maps, uint32_t slot, struct map_list *list)
{
	struct map_list *old = maps->slot[slot].list;

	maps->slot[slot].list = list;
	write_range(maps, slot);
	put_list(maps, old);
}

static void free_slot(struct unwind_maps *maps, uint32_t slot)
{
	lead_to(maps, slot, NULL);
	__atomic_store_n(&maps->memory.processes[slot].pid, 0, __ATOMIC_RELEASE);
	maps->slot[slot] = (struct slot){ .ticket = retire_ticket(maps->retire) };
	maps->processes--;
}

/* May this one make room for others? */
static bool is_idle(const struct unwind_maps *maps, uint32_t slot)
{
	return maps->slot[slot].pid && maps->now_ns - maps->slot[slot].used_ns >= IDLE_NS;
}

static bool evict_least_used(struct unwind_maps *maps, uint32_t first, uint32_t count)
{
	uint32_t least = NO_SLOT;

	for (uint32_t i = 0; i < count; i++) {
		uint32_t slot = (first + i) % UNWIND_PROCESSES;

		if (is_idle(maps, slot) &&
		    (least == NO_SLOT || maps->slot[slot].used_ns < maps->slot[least].used_ns))
			least = slot;
	}
	if (least == NO_SLOT)
		return false;
	free_slot(maps, least);
	maps->stats.evicted++;
	return true;
}

/* A slot for a pid that has none. The slot says the pid and leads to nothing. */
static int take_slot(struct unwind_maps *maps, uint32_t pid)
{
	uint32_t home = unwind_process_slot(pid);
	bool waiting = false;

	for (uint32_t i = 0; i < UNWIND_PROBES; i++) {
		uint32_t slot = (home + i) % UNWIND_PROCESSES;

		if (maps->slot[slot].pid)
			continue;
		if (maps->slot[slot].ticket > retire_done(maps->retire)) {
			waiting = true;
			continue;
		}
		maps->slot[slot].pid = pid;
		maps->processes++;
		__atomic_store_n(&maps->memory.processes[slot].pid, pid, __ATOMIC_RELEASE);
		return (int)slot;
	}
	if (!waiting)
		evict_least_used(maps, home, UNWIND_PROBES);
	return -EAGAIN;
}

/* Lists. */

/* One entry of a list: a mapping of a file, or neighbours that have none. */
struct part {
	uint64_t start;
	uint64_t end;
	const struct mapping *map; /* NULL: no file, so no tables: JIT code, mostly */
};

static bool has_tables(const struct mapping *map)
{
	enum mapped_kind kind = map->region->file->kind;

	return kind == MAPPED_FILE || kind == MAPPED_VDSO;
}

/* Takes the next part from index *at on; false at the end. The vsyscall page has no frames. */
static bool next_part(const struct image *image, uint32_t *at, struct part *ret)
{
	const struct mapping *map = image->mappings + *at, *end = image->mappings + image->count;

	while (map < end && map->region->file->kind == MAPPED_VSYSCALL)
		map++;
	if (map == end)
		return false;
	*ret = (struct part){ .start = map->start, .end = map->end };
	if (has_tables(map))
		ret->map = map++;
	while (!ret->map && map < end && map->start <= ret->end && !has_tables(map) &&
	       map->region->file->kind != MAPPED_VSYSCALL)
		ret->end = map++->end;
	*at = (uint32_t)(map - image->mappings);
	return true;
}

static uint32_t count_parts(const struct image *image)
{
	struct part part;
	uint32_t at = 0, n = 0;

	while (next_part(image, &at, &part))
		n++;
	return n;
}

/* Writes the part to place @i, which no program can see yet; false if its file found no room. */
static bool write_part(struct unwind_maps *maps, uint32_t i, const struct part *part)
{
	struct unwind_mapping *to = &maps->memory.mappings[i];
	const struct region *region;
	uint64_t pages = (part->end - part->start) >> 12;

	*to = (struct unwind_mapping){
		.start = part->start,
		.pages_4k = pages < UINT32_MAX ? (uint32_t)pages : UINT32_MAX,
		.directory = UNWIND_FRAME_POINTERS,
	};
	maps->file_of[i] = NO_FILE;
	if (!part->map)
		return true;
	/* The whole region, for its pieces are cut differently in every process. */
	region = part->map->region;
	to->bias = part->start - part->map->file_offset;
	if (!unwind_files_get(maps->files, region->file, region->file_offset, region->size,
			      &maps->file_of[i], &to->directory))
		return true;
	to->directory = UNWIND_UNKNOWN_FILE;
	maps->stats.unknown_file++;
	return false;
}

/*
 * Room for @n mappings. Without, the least used processes make some for a later try: so much that
 * it need not be in one piece, and at least one of them a round.
 */
static int take_places(struct unwind_maps *maps, uint32_t n)
{
	int first = unwind_space_take(&maps->places, n);
	bool made_room = maps->made_room_ns == maps->now_ns;

	if (first >= 0)
		return first;
	maps->made_room_ns = maps->now_ns;
	while ((!made_room || unwind_space_coming(&maps->places) < n + SPARE_PLACES) &&
	       evict_least_used(maps, 0, UNWIND_PROCESSES))
		made_room = true;
	return -EAGAIN;
}

static int make_list(struct unwind_maps *maps, const struct image *image, struct map_list **ret)
{
	uint32_t n = count_parts(image), at = 0;
	struct map_list *list;
	struct part part;
	int first;

	if (n == 0)
		return -EAGAIN;
	if (n > UNWIND_PROCESS_MAPPINGS)
		return -E2BIG;
	list = calloc(1, sizeof(*list));
	if (!list)
		return -ENOMEM;
	first = take_places(maps, n);
	if (first < 0) {
		free(list);
		return first;
	}
	list->image_id = image->id;
	list->made_ns = maps->now_ns;
	list->first = (uint32_t)first;
	list->count = n;
	for (uint32_t i = 0; next_part(image, &at, &part); i++)
		list->incomplete |= !write_part(maps, list->first + i, &part);
	/* Files are dropped when nobody maps them. */
	if (list->incomplete)
		evict_least_used(maps, 0, UNWIND_PROCESSES);
	htable_insert(&maps->lists, &list->link, (uint32_t)image->id);
	*ret = list;
	return 0;
}

static bool is_good(const struct unwind_maps *maps, const struct map_list *list)
{
	return !list->incomplete || maps->now_ns - list->made_ns < RETRY_NS;
}

/* A reference on the list of this image. */
static int get_list(struct unwind_maps *maps, const struct image *image, struct map_list **ret)
{
	struct hlink *link = htable_first(&maps->lists, (uint32_t)image->id);
	int err;

	for (; link; link = htable_next(link)) {
		struct map_list *list = htable_entry(link, struct map_list, link);

		if (list->image_id == image->id && is_good(maps, list)) {
			maps->stats.shared++;
			list->refs++;
			*ret = list;
			return 0;
		}
	}
	err = make_list(maps, image, ret);
	if (!err)
		(*ret)->refs = 1;
	return err;
}

static int publish(struct unwind_maps *maps, uint32_t slot, const struct image *image)
{
	struct map_list *list = NULL;
	int err;

	err = get_list(maps, image, &list);
	if (err == -E2BIG) {
		maps->slot[slot].refused_image = image->id;
		maps->stats.too_many++;
	}
	maps->stats.put_off += err == -EAGAIN;
	maps->stats.published += !err;
	/* On failure too: what was published before does not hold any more. */
	lead_to(maps, slot, list);
	maps->slot[slot].published_ns = maps->now_ns;
	return err;
}

int unwind_maps_publish(struct unwind_maps *maps, uint32_t pid, const struct image *image)
{
	uint32_t slot = find_slot(maps, pid);
	const struct map_list *list;
	int taken;

	if (!pid || !image)
		return -EAGAIN;
	if (slot == NO_SLOT) {
		taken = take_slot(maps, pid);
		if (taken < 0) {
			maps->stats.put_off++;
			return taken;
		}
		slot = (uint32_t)taken;
	}
	maps->slot[slot].used_ns = maps->now_ns;
	list = maps->slot[slot].list;
	if (list && list->image_id == image->id && is_good(maps, list)) {
		/* At an exec the walker's side takes it back by itself (bpf/sample.bpf.c). */
		write_range(maps, slot);
		return 0;
	}
	if (maps->slot[slot].refused_image == image->id)
		return -E2BIG;
	return publish(maps, slot, image);
}

void unwind_maps_update(struct unwind_maps *maps, uint32_t pid, const struct image *image)
{
	uint32_t slot = find_slot(maps, pid);

	if (slot == NO_SLOT || !maps->slot[slot].list)
		return;
	if (image && maps->slot[slot].list->image_id == image->id)
		return;
	if (image && maps->slot[slot].published_ns != maps->now_ns)
		publish(maps, slot, image);
	else
		lead_to(maps, slot, NULL);
}

void unwind_maps_forget(struct unwind_maps *maps, uint32_t pid)
{
	uint32_t slot = find_slot(maps, pid);

	if (slot != NO_SLOT)
		free_slot(maps, slot);
}

void unwind_maps_free(struct unwind_maps *maps)
{
	if (!maps)
		return;
	for (uint32_t i = 0; i < UNWIND_PROCESSES; i++)
		if (maps->slot[i].pid)
			free_slot(maps, i);
	htable_release(&maps->lists);
	unwind_space_release(&maps->places);
	free(maps);
}

bool unwind_maps_want(struct unwind_maps *maps, uint32_t pid, uint64_t addr,
		      struct unwind_want *ret)
{
	uint32_t slot = find_slot(maps, pid), low, high;
	const struct unwind_mapping *map;

	if (slot == NO_SLOT || !maps->slot[slot].list)
		return false;
	maps->slot[slot].used_ns = maps->now_ns;
	low = maps->slot[slot].list->first;
	high = low + maps->slot[slot].list->count;
	/* The mapping below `high` is the last one that starts at or below addr. */
	while (low < high) {
		uint32_t middle = low + (high - low) / 2;

		if (maps->memory.mappings[middle].start <= addr)
			low = middle + 1;
		else
			high = middle;
	}
	if (high == maps->slot[slot].list->first || maps->file_of[high - 1] == NO_FILE)
		return false;
	map = &maps->memory.mappings[high - 1];
	if ((addr - map->start) >> 12 >= map->pages_4k)
		return false;
	return unwind_files_want(maps->files, maps->file_of[high - 1], addr - map->bias, ret);
}

void unwind_maps_tick(struct unwind_maps *maps, uint64_t now_ns)
{
	maps->now_ns = now_ns;
	unwind_space_reclaim(&maps->places, retire_done(maps->retire));
	if (now_ns < maps->next_sweep_ns)
		return;
	maps->next_sweep_ns = now_ns + SWEEP_NS;
	for (uint32_t i = 0; i < UNWIND_PROCESSES; i++) {
		if (maps->slot[i].pid && now_ns - maps->slot[i].used_ns >= KEEP_NS) {
			free_slot(maps, i);
			maps->stats.idle++;
		}
	}
}

void unwind_maps_stats(const struct unwind_maps *maps, struct unwind_maps_stats *ret)
{
	*ret = maps->stats;
	ret->processes = maps->processes;
	ret->images = maps->lists.count;
	ret->mappings = maps->places.count - maps->places.free;
	ret->bytes = sizeof(*maps) + maps->lists.count * sizeof(struct map_list) +
		     htable_bytes(&maps->lists) + unwind_space_bytes(&maps->places);
}
