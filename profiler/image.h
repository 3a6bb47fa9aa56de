/* SPDX-License-Identifier: Apache-2.0 */
/*
 * image.h - what is mapped executable in an address space, shared where equal.
 *
 * Three layers: a mapped_file is a path with its build id; a region is a part
 * of one, as it was mapped, shared by all processes that map it so; an image is
 * the sorted, non-overlapping list of mappings of one address space, shared by
 * a process and the children it forked until one of them changes it. All are
 * counted references; files and regions are interned in an image_set.
 *
 * One thread at a time. No I/O here.
 */
#ifndef PROFILER_IMAGE_H
#define PROFILER_IMAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "profiler/htable.h"

#define BUILD_ID_MAX 20

enum mapped_kind {
	MAPPED_FILE,	 /* a path in a file system, perhaps deleted meanwhile */
	MAPPED_ANON,	 /* no file: "//anon", "[heap]", "[stack]", "[anon:...]": JIT code */
	MAPPED_VDSO,	 /* "[vdso]" */
	MAPPED_VSYSCALL, /* "[vsyscall]" */
	MAPPED_MEMFD,	 /* "/memfd:...", "/dev/zero", "/SYSV...": shared memory, JIT code too */
	MAPPED_OTHER,	 /* "[uprobes]", "anon_inode:..." and what else there may be */
};

struct mapped_file {
	struct hlink link;
	uint32_t refs;
	uint64_t inode; /* 0 when the build id tells the file */
	uint32_t dev_major;
	uint32_t dev_minor;
	enum mapped_kind kind;
	struct mapped_file *identified; /* the same file with its build id, once that is known */
	uint8_t build_id_tries;		/* how often procmap_find() looked for it in vain */
	uint8_t build_id_size;		/* 0 = unknown */
	uint8_t build_id[BUILD_ID_MAX];
	char path[];
};

struct region {
	struct hlink link;
	uint32_t refs;
	uint32_t stream_id;    /* scratch of the stream's encoder; 0 in a new region */
	uint32_t stream_epoch; /* likewise */
	struct mapped_file *file;
	/*
	 * Offset of the region's first byte, in the coordinates of the stream: in the file for
	 * files and shared memory; 0 for the vDSO; for the rest the address itself.
	 */
	uint64_t file_offset;
	uint64_t size; /* bytes */
};

struct mapping {
	uint64_t start;
	uint64_t end;	      /* first address behind it */
	uint64_t file_offset; /* of start; the region's, or more where the head was replaced */
	struct region *region;
};

struct image {
	uint64_t id; /* changes with every change of the mappings, never used again */
	uint32_t refs;
	uint32_t count;
	uint32_t last_hit;	  /* memo of image_find() */
	bool has_anon;		  /* there was code without a file: it is this process's alone */
	struct mapping *mappings; /* by start, not overlapping */
};

/* What image_map() needs to know of a new mapping. */
struct map_info {
	uint64_t start;
	uint64_t size;
	uint64_t file_offset;
	uint64_t inode;
	uint32_t dev_major;
	uint32_t dev_minor;
	const char *path; /* as the kernel writes it; "" is "//anon" */
	uint8_t build_id_size;
	const uint8_t *build_id;
};

/* Mappings in one image: the kernel's own default limit (vm.max_map_count) is 65530, all kinds. */
#define IMAGE_MAPPINGS_MAX 16384

struct image_set;

/** image_set_open() - an empty set. Return: 0 or -ENOMEM. */
int image_set_open(struct image_set **ret) __attribute__((warn_unused_result));

/** image_set_free() - every image must have been released; NULL is fine. */
void image_set_free(struct image_set *set);

/** image_new() - an empty image with one reference, or NULL without memory. */
struct image *image_new(struct image_set *set) __attribute__((warn_unused_result));

/** image_get() - one more reference; NULL gives NULL. */
struct image *image_get(struct image *image);

/** image_put() - drop a reference; NULL is fine. */
void image_put(struct image_set *set, struct image *image);

/**
 * image_map() - add a mapping; what it overlaps is cut, split or replaced.
 * @image: the caller's reference; replaced by a copy's when it was shared
 *
 * Return: 0, -ENOMEM, -EINVAL for an empty or wrapping range, -E2BIG for an
 * image of IMAGE_MAPPINGS_MAX mappings. The image is unchanged on failure.
 */
int image_map(struct image_set *set, struct image **image, const struct map_info *info)
	__attribute__((warn_unused_result));

/**
 * image_find() - the mapping of an address, or NULL.
 *
 * Valid until the image changes. The offset to record for addr is
 * addr - mapping->start + mapping->file_offset.
 */
const struct mapping *image_find(struct image *image, uint64_t addr);

/**
 * image_identify() - the build id of a mapping's file became known.
 * @map: of @image
 * @build_id: NULL if another mapping of the same file already told it (file->identified)
 *
 * The mapping gets the region that carries the id, shared with all mappings of the same file and
 * id. The image's id stays: what is mapped has not changed. Return: 0, or -ENOMEM and nothing
 * changed.
 */
int image_identify(struct image_set *set, struct image *image, const struct mapping *map,
		   const uint8_t *build_id, uint8_t size) __attribute__((warn_unused_result));

/** image_equal() - the same mappings of the same regions. */
bool image_equal(const struct image *a, const struct image *b);

/** image_kind() - kind of a mapping by the name that the kernel gives it. */
enum mapped_kind image_kind(const char *path);

struct image_set_stats {
	uint64_t images;
	uint64_t mappings; /* of all images */
	uint64_t regions;
	uint64_t files;
	uint64_t bytes; /* all of the above */
};

/** image_set_stats() - what lives now. */
void image_set_stats(const struct image_set *set, struct image_set_stats *ret);

#endif /* PROFILER_IMAGE_H */
