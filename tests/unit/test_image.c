// SPDX-License-Identifier: Apache-2.0
/*
 * test_image.c - mappings that overlap, are shared, and become known by their build id. A plain
 * array of pages is the oracle for random sequences.
 */
#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <errno.h>
#include <string.h>

#include "profiler/image.h"
#include "tests/unit/random.h"

static struct image_set *set;
static struct image *image;

static void make(void)
{
	cr_assert(zero(int, image_set_open(&set)));
	image = image_new(set);
	cr_assert(image != NULL);
}

static void clean(void)
{
	struct image_set_stats stats;

	image_put(set, image);
	image_set_stats(set, &stats);
	cr_expect(zero(u64, stats.images + stats.mappings + stats.regions + stats.files),
		  "every reference was given back");
	image_set_free(set);
}

TestSuite(image, .init = make, .fini = clean);

static int map(uint64_t start, uint64_t end, uint64_t file_offset, const char *path)
{
	const struct map_info info = {
		.start = start,
		.size = end - start,
		.file_offset = file_offset,
		.inode = 42,
		.path = path,
	};

	return image_map(set, &image, &info);
}

static void expect_mapping(uint32_t i, uint64_t start, uint64_t end, uint64_t file_offset,
			   const char *path)
{
	const struct mapping *m = &image->mappings[i];

	cr_assert(i < image->count);
	cr_expect(eq(u64, m->start, start), "mapping %u", i);
	cr_expect(eq(u64, m->end, end), "mapping %u", i);
	cr_expect(eq(u64, m->file_offset, file_offset), "mapping %u", i);
	cr_expect(zero(int, strcmp(m->region->file->path, path)), "mapping %u", i);
}

Test(image, sorted_and_found)
{
	cr_assert(zero(int, map(0x5000, 0x6000, 0, "/b")));
	cr_assert(zero(int, map(0x1000, 0x3000, 0x7000, "/a")));
	cr_assert(eq(u32, image->count, 2));
	expect_mapping(0, 0x1000, 0x3000, 0x7000, "/a");
	expect_mapping(1, 0x5000, 0x6000, 0, "/b");
	cr_expect(image_find(image, 0xfff) == NULL);
	cr_expect(image_find(image, 0x1000) == &image->mappings[0]);
	cr_expect(image_find(image, 0x2fff) == &image->mappings[0]);
	cr_expect(image_find(image, 0x3000) == NULL);
	cr_expect(image_find(image, 0x5000) == &image->mappings[1]);
	cr_expect(image_find(image, 0x6000) == NULL);
	cr_expect(image_find(image, UINT64_MAX) == NULL);
}

Test(image, hole_splits_the_old_one)
{
	cr_assert(zero(int, map(0x1000, 0x9000, 0x10000, "/a")));
	cr_assert(zero(int, map(0x3000, 0x4000, 0, "/b")));
	cr_assert(eq(u32, image->count, 3));
	expect_mapping(0, 0x1000, 0x3000, 0x10000, "/a");
	expect_mapping(1, 0x3000, 0x4000, 0, "/b");
	expect_mapping(2, 0x4000, 0x9000, 0x13000, "/a");
	cr_expect(image->mappings[0].region == image->mappings[2].region);
}

Test(image, overlaps_cut_and_cover)
{
	cr_assert(zero(int, map(0x1000, 0x3000, 0, "/a")));
	cr_assert(zero(int, map(0x3000, 0x4000, 0, "/b")));
	cr_assert(zero(int, map(0x4000, 0x6000, 0x5000, "/c")));
	cr_assert(zero(int, map(0x2000, 0x5000, 0, "/d")));
	cr_assert(eq(u32, image->count, 3));
	expect_mapping(0, 0x1000, 0x2000, 0, "/a");
	expect_mapping(1, 0x2000, 0x5000, 0, "/d");
	expect_mapping(2, 0x5000, 0x6000, 0x6000, "/c");
	cr_assert(zero(int, map(0, 0x10000, 0, "/e")));
	cr_assert(eq(u32, image->count, 1));
	expect_mapping(0, 0, 0x10000, 0, "/e");
}

Test(image, changes_have_new_ids)
{
	uint64_t id = image->id;

	cr_assert(zero(int, map(0x1000, 0x3000, 0, "/a")));
	cr_expect(not(eq(u64, image->id, id)));
	id = image->id;
	cr_assert(zero(int, map(0x1000, 0x3000, 0, "/a")));
	cr_expect(eq(u64, image->id, id), "the same again is no change");
	cr_assert(zero(int, map(0x1000, 0x3000, 0x1000, "/a")));
	cr_expect(not(eq(u64, image->id, id)));
	cr_expect(eq(u32, image->count, 1));
}

Test(image, copied_on_write)
{
	struct image *other;

	cr_assert(zero(int, map(0x1000, 0x3000, 0, "/a")));
	other = image_get(image);
	cr_assert(zero(int, map(0x2000, 0x4000, 0, "/b")));
	cr_expect(other != image);
	cr_expect(not(eq(u64, other->id, image->id)));
	cr_assert(eq(u32, other->count, 1));
	cr_expect(eq(u64, other->mappings[0].end, 0x3000));
	cr_expect(other->mappings[0].region == image->mappings[0].region, "shared all the same");
	cr_expect(not(image_equal(other, image)));
	image_put(set, other);
}

Test(image, refused)
{
	uint64_t id = image->id;

	cr_expect(eq(int, map(0x1000, 0x1000, 0, "/a"), -EINVAL));
	cr_expect(eq(int, map(0x2000, 0x1000, 0, "/a"), -EINVAL));
	cr_expect(eq(int, map(UINT64_MAX - 0xfff, 0x1000, 0, "/a"), -EINVAL));
	cr_expect(eq(u64, image->id, id));
	for (uint64_t i = 0; i < IMAGE_MAPPINGS_MAX; i++)
		cr_assert(zero(int, map(i * 0x2000, i * 0x2000 + 0x1000, 0, "//anon")));
	cr_expect(eq(int, map(1ull << 40, (1ull << 40) + 1, 0, "/a"), -E2BIG));
	cr_expect(image_find(image, 1ull << 40) == NULL);
	cr_expect(eq(u32, image->count, IMAGE_MAPPINGS_MAX));
}

Test(image, kinds_and_offsets)
{
	static const struct {
		const char *path;
		enum mapped_kind kind;
		uint64_t offset; /* recorded for the first byte at 0x70000, file offset 0x1000 */
	} cases[] = {
		{ "/usr/bin/x", MAPPED_FILE, 0x1000 },
		{ "", MAPPED_ANON, 0x70000 },
		{ "//anon", MAPPED_ANON, 0x70000 },
		{ "[heap]", MAPPED_ANON, 0x70000 },
		{ "[stack]", MAPPED_ANON, 0x70000 },
		{ "[anon:jit]", MAPPED_ANON, 0x70000 },
		{ "[vdso]", MAPPED_VDSO, 0 },
		{ "[vsyscall]", MAPPED_VSYSCALL, 0x70000 },
		{ "/memfd:j (deleted)", MAPPED_MEMFD, 0x1000 },
		{ "[uprobes]", MAPPED_OTHER, 0x70000 },
		{ "anon_inode:x", MAPPED_OTHER, 0x70000 },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		cr_assert(zero(int, map(0x70000, 0x71000, 0x1000, cases[i].path)));
		cr_expect(eq(int, image->mappings[0].region->file->kind, cases[i].kind), "%s",
			  cases[i].path);
		cr_expect(eq(u64, image->mappings[0].file_offset, cases[i].offset), "%s",
			  cases[i].path);
	}
}

Test(image, build_ids)
{
	static const uint8_t id[] = { 1, 2, 3, 4 };
	struct map_info known = { .start = 0x8000,
				  .size = 0x2000,
				  .path = "/a",
				  .build_id_size = sizeof(id),
				  .build_id = id };
	uint64_t image_id;

	cr_assert(zero(int, map(0x1000, 0x3000, 0, "/a")));
	cr_assert(zero(int, image_map(set, &image, &known)));
	cr_expect(image->mappings[0].region != image->mappings[1].region);
	image_id = image->id;
	cr_assert(zero(int, image_identify(set, image, image_find(image, 0x1000), id, sizeof(id))));
	cr_expect(image->mappings[0].region == image->mappings[1].region, "the same file and id");
	cr_expect(eq(u64, image->id, image_id));
	cr_assert(zero(int, map(0x4000, 0x6000, 0, "/a")));
	cr_expect(eq(u8, image->mappings[1].region->file->build_id_size, 0), "not by name alone");
}

Test(image, build_id_told_by_another_mapping)
{
	static const uint8_t id[] = { 9 };

	cr_assert(zero(int, map(0x1000, 0x3000, 0, "/a")));
	cr_assert(zero(int, map(0x5000, 0x6000, 0x2000, "/a")));
	cr_assert(zero(int, image_identify(set, image, &image->mappings[0], id, 1)));
	cr_assert(image->mappings[1].region->file->identified == image->mappings[0].region->file);
	cr_assert(zero(int, image_identify(set, image, &image->mappings[1], NULL, 0)));
	cr_expect(image->mappings[1].region->file == image->mappings[0].region->file);
}

#define PAGES 64

Test(image, random_against_pages)
{
	uint64_t owner[PAGES] = { 0 }; /* file offset of each page, 0 = not mapped */
	uint64_t random = 7;

	for (int round = 0; round < 20000; round++) {
		uint64_t from = random_below(&random, PAGES);
		uint64_t to = from + 1 + random_below(&random, (uint32_t)(PAGES - from));
		uint64_t offset = (1 + random_below(&random, 1000)) << 20;

		cr_assert(zero(int, map(from << 12, to << 12, offset, "/a")));
		for (uint64_t page = from; page < to; page++)
			owner[page] = offset + ((page - from) << 12);
		for (uint64_t page = 0; page < PAGES; page++) {
			uint64_t addr = (page << 12) + random_below(&random, 4096);
			const struct mapping *m = image_find(image, addr);

			cr_assert(eq(int, m != NULL, owner[page] != 0));
			if (m)
				cr_assert(eq(u64, addr - m->start + m->file_offset,
					     owner[page] + (addr & 4095)));
		}
	}
}
