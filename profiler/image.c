// SPDX-License-Identifier: Apache-2.0
/*
 * image.c - what is mapped executable in an address space, shared where equal.
 *
 * Invariants: a mapping holds one reference on its region and a region one on its file;
 * interned objects are unique by their key, so equal means the same pointer; an image with more
 * than one reference is copied, never changed (image_identify() excepted, which changes what is
 * known of a mapping, not the mapping).
 */
#include "profiler/image.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

struct image_set {
	struct htable files;
	struct htable regions;
	uint64_t last_id;
	uint64_t images;
	uint64_t mappings; /* room for, of all images */
	uint64_t path_bytes;
};

int image_set_open(struct image_set **ret)
{
	struct image_set *set = calloc(1, sizeof(*set));

	if (!set || htable_init(&set->files) || htable_init(&set->regions)) {
		image_set_free(set);
		return -ENOMEM;
	}
	*ret = set;
	return 0;
}

void image_set_free(struct image_set *set)
{
	if (!set)
		return;
	htable_release(&set->files);
	htable_release(&set->regions);
	free(set);
}

static bool begins_with(const char *s, const char *prefix)
{
	return strncmp(s, prefix, strlen(prefix)) == 0;
}

enum mapped_kind image_kind(const char *path)
{
	if (!*path || strcmp(path, "//anon") == 0 || strcmp(path, "[heap]") == 0 ||
	    strcmp(path, "[stack]") == 0 || begins_with(path, "[anon"))
		return MAPPED_ANON;
	if (strcmp(path, "[vdso]") == 0)
		return MAPPED_VDSO;
	if (strcmp(path, "[vsyscall]") == 0)
		return MAPPED_VSYSCALL;
	if (begins_with(path, "/memfd:") || begins_with(path, "/dev/zero") ||
	    begins_with(path, "/SYSV"))
		return MAPPED_MEMFD;
	return *path == '/' ? MAPPED_FILE : MAPPED_OTHER;
}

/* Files: unique by path, and build id or else device and inode. */

static bool file_is(const struct mapped_file *file, const struct map_info *info)
{
	if (file->build_id_size != info->build_id_size || strcmp(file->path, info->path) != 0)
		return false;
	if (info->build_id_size)
		return memcmp(file->build_id, info->build_id, info->build_id_size) == 0;
	return file->inode == info->inode && file->dev_major == info->dev_major &&
	       file->dev_minor == info->dev_minor;
}

static struct mapped_file *file_new(const struct map_info *info)
{
	size_t path_size = strlen(info->path) + 1;
	struct mapped_file *file = calloc(1, sizeof(*file) + path_size);

	if (!file)
		return NULL;
	memcpy(file->path, info->path, path_size);
	file->kind = image_kind(info->path);
	file->build_id_size = info->build_id_size;
	if (info->build_id_size) {
		memcpy(file->build_id, info->build_id, info->build_id_size);
	} else {
		file->inode = info->inode;
		file->dev_major = info->dev_major;
		file->dev_minor = info->dev_minor;
	}
	return file;
}

/* A reference on the file of this description, or NULL without memory. */
static struct mapped_file *file_intern(struct image_set *set, const struct map_info *info)
{
	uint32_t hash = htable_hash(0, info->path, strlen(info->path));
	struct mapped_file *file;

	if (info->build_id_size)
		hash = htable_hash(hash, info->build_id, info->build_id_size);
	for (struct hlink *l = htable_first(&set->files, hash); l; l = htable_next(l)) {
		file = htable_entry(l, struct mapped_file, link);
		if (file_is(file, info)) {
			file->refs++;
			return file;
		}
	}
	file = file_new(info);
	if (!file)
		return NULL;
	file->refs = 1;
	htable_insert(&set->files, &file->link, hash);
	set->path_bytes += strlen(file->path) + 1;
	return file;
}

static void file_put(struct image_set *set, struct mapped_file *file)
{
	while (file && --file->refs == 0) {
		struct mapped_file *identified = file->identified;

		htable_remove(&set->files, &file->link);
		set->path_bytes -= strlen(file->path) + 1;
		free(file);
		file = identified;
	}
}

/* Regions: unique by file, offset and size. Takes over the caller's reference on the file. */
static struct region *region_intern(struct image_set *set, struct mapped_file *file,
				    uint64_t file_offset, uint64_t size)
{
	const uint64_t key[] = { (uintptr_t)file, file_offset, size };
	uint32_t hash = htable_hash(0, key, sizeof(key));
	struct region *region;

	for (struct hlink *l = htable_first(&set->regions, hash); l; l = htable_next(l)) {
		region = htable_entry(l, struct region, link);
		if (region->file == file && region->file_offset == file_offset &&
		    region->size == size) {
			file_put(set, file);
			region->refs++;
			return region;
		}
	}
	region = calloc(1, sizeof(*region));
	if (!region) {
		file_put(set, file);
		return NULL;
	}
	region->refs = 1;
	region->file = file;
	region->file_offset = file_offset;
	region->size = size;
	htable_insert(&set->regions, &region->link, hash);
	return region;
}

static void region_put(struct image_set *set, struct region *region)
{
	if (--region->refs)
		return;
	htable_remove(&set->regions, &region->link);
	file_put(set, region->file);
	free(region);
}

/* See struct region for the coordinates. */
static uint64_t stream_offset(const struct mapped_file *file, const struct map_info *info)
{
	switch (file->kind) {
	case MAPPED_FILE:
	case MAPPED_MEMFD:
		return info->file_offset;
	case MAPPED_VDSO:
		return 0;
	default:
		return info->start;
	}
}

struct image *image_new(struct image_set *set)
{
	struct image *image = calloc(1, sizeof(*image));

	if (!image)
		return NULL;
	image->id = ++set->last_id;
	image->refs = 1;
	set->images++;
	return image;
}

struct image *image_get(struct image *image)
{
	if (image)
		image->refs++;
	return image;
}

/* Drops an image's mappings, with their references. */
static void clear_mappings(struct image_set *set, struct image *image)
{
	for (uint32_t i = 0; i < image->count; i++)
		region_put(set, image->mappings[i].region);
	set->mappings -= image->count;
	free(image->mappings);
	image->mappings = NULL;
	image->count = 0;
}

void image_put(struct image_set *set, struct image *image)
{
	if (!image || --image->refs)
		return;
	clear_mappings(set, image);
	free(image);
	set->images--;
}

/* Index of the first mapping that ends behind @addr. */
static uint32_t first_behind(const struct image *image, uint64_t addr)
{
	uint32_t low = 0, high = image->count;

	while (low < high) {
		uint32_t middle = low + (high - low) / 2;

		if (image->mappings[middle].end > addr)
			high = middle;
		else
			low = middle + 1;
	}
	return low;
}

/* Copies @old into @to around @new, which cuts or covers what it overlaps; returns the count. */
static uint32_t merge_mapping(const struct image *old, const struct mapping *new,
			      struct mapping *to)
{
	uint32_t i = first_behind(old, new->start);
	uint32_t n = i;

	if (i)
		memcpy(to, old->mappings, i * sizeof(*to));
	if (i < old->count && old->mappings[i].start < new->start) {
		to[n] = old->mappings[i];
		to[n++].end = new->start;
	}
	to[n++] = *new;
	while (i < old->count && old->mappings[i].end <= new->end)
		i++;
	for (; i < old->count; i++, n++) {
		to[n] = old->mappings[i];
		if (to[n].start < new->end) {
			to[n].file_offset += new->end - to[n].start;
			to[n].start = new->end;
		}
	}
	return n;
}

static bool has_mapping(const struct image *image, const struct mapping *map)
{
	uint32_t i = first_behind(image, map->start);

	return i < image->count && image->mappings[i].start == map->start &&
	       image->mappings[i].end == map->end && image->mappings[i].region == map->region;
}

/* Puts @map, whose region is the caller's reference, into the image. */
static int add_mapping(struct image_set *set, struct image **image, const struct mapping *map)
{
	struct image *old = *image, *target = old;
	bool had_anon = old->has_anon;
	struct mapping *mappings;
	uint32_t count;

	if (old->count >= IMAGE_MAPPINGS_MAX)
		return -E2BIG;
	/* At most one more, and one more again where an old one is split in two. */
	mappings = malloc((old->count + 2) * sizeof(*mappings));
	if (!mappings)
		return -ENOMEM;
	if (old->refs > 1) {
		target = image_new(set);
		if (!target) {
			free(mappings);
			return -ENOMEM;
		}
	}
	count = merge_mapping(old, map, mappings);
	for (uint32_t i = 0; i < count; i++)
		mappings[i].region->refs++;
	if (target == old)
		clear_mappings(set, old);
	else
		image_put(set, old);
	target->mappings = mappings;
	target->count = count;
	target->last_hit = 0;
	target->has_anon = had_anon || map->region->file->kind == MAPPED_ANON;
	target->id = ++set->last_id;
	set->mappings += count;
	*image = target;
	return 0;
}

int image_map(struct image_set *set, struct image **image, const struct map_info *info)
{
	struct mapping map = { .start = info->start, .end = info->start + info->size };
	struct map_info named = *info;
	struct mapped_file *file;
	int err = 0;

	if (map.end <= map.start || info->build_id_size > BUILD_ID_MAX)
		return -EINVAL;
	if (!*named.path)
		named.path = "//anon";
	file = file_intern(set, &named);
	if (!file)
		return -ENOMEM;
	map.file_offset = stream_offset(file, &named);
	map.region = region_intern(set, file, map.file_offset, info->size);
	if (!map.region)
		return -ENOMEM;
	if (!has_mapping(*image, &map))
		err = add_mapping(set, image, &map);
	region_put(set, map.region);
	return err;
}

const struct mapping *image_find(struct image *image, uint64_t addr)
{
	uint32_t i = image->last_hit;

	if (i >= image->count || addr < image->mappings[i].start || addr >= image->mappings[i].end)
		i = first_behind(image, addr);
	if (i >= image->count || addr < image->mappings[i].start)
		return NULL;
	image->last_hit = i;
	return &image->mappings[i];
}

int image_identify(struct image_set *set, struct image *image, const struct mapping *map,
		   const uint8_t *build_id, uint8_t size)
{
	struct region *old = map->region, *region;
	struct mapped_file *file = old->file;
	const struct map_info info = { .path = file->path,
				       .build_id = build_id,
				       .build_id_size = size };

	if (!file->identified)
		file->identified = file_intern(set, &info);
	if (!file->identified)
		return -ENOMEM;
	file->identified->refs++;
	region = region_intern(set, file->identified, old->file_offset, old->size);
	if (!region)
		return -ENOMEM;
	image->mappings[map - image->mappings].region = region;
	region_put(set, old);
	return 0;
}

bool image_equal(const struct image *a, const struct image *b)
{
	if (a->count != b->count)
		return false;
	for (uint32_t i = 0; i < a->count; i++) {
		const struct mapping *m = &a->mappings[i], *n = &b->mappings[i];

		if (m->start != n->start || m->end != n->end || m->region != n->region ||
		    m->file_offset != n->file_offset)
			return false;
	}
	return true;
}

void image_set_stats(const struct image_set *set, struct image_set_stats *ret)
{
	ret->images = set->images;
	ret->mappings = set->mappings;
	ret->regions = set->regions.count;
	ret->files = set->files.count;
	ret->bytes = set->images * sizeof(struct image) + set->mappings * sizeof(struct mapping) +
		     set->regions.count * sizeof(struct region) +
		     set->files.count * sizeof(struct mapped_file) + set->path_bytes +
		     htable_bytes(&set->files) + htable_bytes(&set->regions);
}
