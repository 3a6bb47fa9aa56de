// SPDX-License-Identifier: Apache-2.0
/*
 * test_unwind_maps.c - processes, mappings and files as the walker finds them: at any time it finds
 * the right rule or none, and memory follows what is in use.
 */
#include "tests/unit/unwind_stage.h"

TestSuite(unwind_maps, .init = setup, .fini = teardown);

/* An image of one file at 1 MiB of 1 MiB. */
#define START UINT64_C(0x100000)
#define SIZE  UINT64_C(0x100000)

static struct image *one_file(uint32_t file)
{
	struct image *image = image_new(set);

	map_file(&image, file, START, SIZE);
	return image;
}

Test(unwind_maps, from_the_first_sample_to_a_rule)
{
	struct image *image = one_file(1);
	struct unwind_rule rule;
	struct unwind_want want;

	rounds(2);
	cr_assert(not(unwind_maps_want(maps, 7, START, &want)));
	cr_assert(zero(int, unwind_maps_publish(maps, 7, image)));
	cr_assert(not(look_up(7, START, &rule)), "no page yet");
	for (uint64_t addr = START; addr < START + SIZE; addr += UNWIND_PAGE_BYTES)
		cr_assert(zero(int, load_at(7, image, addr)));
	for (uint64_t addr = START; addr < START + SIZE; addr += 61) {
		cr_assert(look_up(7, addr, &rule));
		cr_assert(is_right(image, addr, &rule));
	}
	cr_assert(not(look_up(7, START - 1, &rule)));
	cr_assert(not(look_up(7, START + SIZE, &rule)));
	cr_assert(not(look_up(8, START, &rule)));
	cr_assert(not(unwind_maps_want(maps, 7, START - 1, &want)));
	cr_assert(not(unwind_maps_want(maps, 7, START + SIZE, &want)));
	image_put(set, image);
}

Test(unwind_maps, a_page_is_asked_for_once)
{
	struct image *image = one_file(1);
	struct unwind_want want, again;

	rounds(2);
	cr_assert(zero(int, unwind_maps_publish(maps, 7, image)));
	cr_assert(unwind_maps_want(maps, 7, START + 5, &want));
	cr_assert(not(unwind_maps_want(maps, 7, START + 6, &again)));
	unwind_files_mark(files, &want, UNWIND_PAGE_MISSING);
	cr_assert(unwind_maps_want(maps, 7, START + 6, &again), "the request was lost");
	unwind_files_mark(files, &again, UNWIND_PAGE_REFUSED);
	cr_assert(not(unwind_maps_want(maps, 7, START + 6, &again)));
	cr_assert(unwind_maps_want(maps, 7, START + UNWIND_PAGE_BYTES, &want));
	make_table(&made, 1, want.page, MOST_ROWS);
	made.table.row_count = 0;
	cr_assert(eq(int, unwind_files_load(files, &want, &made.table), -EINVAL));
	cr_assert(not(unwind_maps_want(maps, 7, START + UNWIND_PAGE_BYTES, &again)));
	cr_assert(eq(u64, files_stats().refused, 2));
	image_put(set, image);
}

/* A file of which it turns out late that it has no tables. */
Test(unwind_maps, a_whole_file_is_marked)
{
	struct image *image = one_file(1);
	struct unwind_rule rule;
	struct unwind_want want, other;

	rounds(2);
	cr_assert(zero(int, unwind_maps_publish(maps, 7, image)));
	cr_assert(zero(int, load_at(7, image, START)));
	cr_assert(unwind_maps_want(maps, 7, START + UNWIND_PAGE_BYTES, &want));
	unwind_files_mark_all(files, want.file, UNWIND_PAGE_REFUSED);
	cr_assert(not(look_up(7, START, &rule)));
	cr_assert(eq(int, unwind_files_load(files, &want, &made.table), -ESTALE));
	for (uint64_t addr = START; addr < START + SIZE; addr += UNWIND_PAGE_BYTES)
		cr_assert(not(unwind_maps_want(maps, 7, addr, &other)));
	rounds(3);
	cr_assert(zero(u64, tables_stats().used_bytes));
	image_put(set, image);
}

Test(unwind_maps, processes_share_what_is_equal)
{
	struct image *image = one_file(1), *other = image_new(set);
	struct unwind_rule rule;

	map_file(&other, 1, 5 * START, SIZE);
	rounds(2);
	for (uint32_t pid = 1; pid <= 300; pid++)
		cr_assert(zero(int, unwind_maps_publish(maps, pid, image)));
	cr_assert(eq(u32, maps_stats().processes, 300));
	cr_assert(eq(u32, maps_stats().images, 1));
	cr_assert(eq(u32, maps_stats().mappings, 1));
	cr_assert(zero(int, load_at(1, image, START)));
	cr_assert(zero(int, unwind_maps_publish(maps, 301, other)));
	cr_assert(look_up(301, 5 * START, &rule), "another image, the same file");
	cr_assert(eq(u32, files_stats().files, 1));
	for (uint32_t pid = 1; pid <= 300; pid++)
		cr_assert(look_up(pid, START, &rule));
	image_put(set, image);
	image_put(set, other);
}

/* What tells files apart: path, and build id or else inode. */
Test(unwind_maps, other_files_are_other_files)
{
	static const uint8_t ids[2][4] = { "abc", "abd" };
	struct image *image = image_new(set);
	struct map_info info = { .path = "/f/1", .start = START, .size = SIZE, .inode = 1 };

	for (int i = 0; i < 6; i++, info.start += SIZE) {
		info.path = i == 5 ? "/f/2" : "/f/1";
		info.inode = 1 + (i == 1);
		info.dev_minor = i == 2;
		info.build_id = i > 2 ? ids[i == 3] : NULL;
		info.build_id_size = i > 2 ? 4 : 0;
		cr_assert(zero(int, image_map(set, &image, &info)));
	}
	cr_assert(zero(int, unwind_maps_publish(maps, 7, image)));
	cr_assert(eq(u32, files_stats().files, 6));
	image_put(set, image);
}

/* Code without a file is walked by frame pointers; neighbours are one mapping. */
Test(unwind_maps, kinds_of_memory)
{
	struct image *image = image_new(set);

	for (uint64_t at = 1; at <= 3; at++)
		map_path(&image, at == 2 ? "/memfd:jit" : "//anon", at << 20, 1 << 20, 0);
	map_path(&image, "//anon", 5 << 20, 1 << 20, 0);
	map_path(&image, "[vdso]", 6 << 20, 0x2000, 0);
	map_path(&image, "[vsyscall]", UINT64_C(0xffffffffff600000), 0x1000, 0);
	cr_assert(zero(int, unwind_maps_publish(maps, 7, image)));
	cr_assert(eq(u32, maps_stats().mappings, 3));
	cr_assert(eq(u32, w.memory.mappings[0].directory, UNWIND_FRAME_POINTERS));
	cr_assert(eq(u32, w.memory.mappings[0].pages_4k, 3 << 8));
	cr_assert(eq(u32, w.memory.mappings[1].directory, UNWIND_FRAME_POINTERS));
	cr_assert(lt(u32, w.memory.mappings[2].directory, UNWIND_DIRECTORY));
	cr_assert(eq(u64, w.memory.mappings[2].bias, 6 << 20));
	image_put(set, image);
}

/* Parts anywhere in a file, near its beginning and far from it, and all the directory's entries. */
Test(unwind_maps, any_offset_in_a_file)
{
	struct unwind_rule rule;
	uint32_t pid = 1;

	rounds(2);
	for (uint64_t offset = 0; offset < UINT64_C(1) << 40; offset = offset * 3 + 0x11000) {
		struct image *image = image_new(set);
		char path[32];

		snprintf(path, sizeof(path), "/f/%u", pid);
		map_path(&image, path, START, 0x31000, offset);
		cr_assert(zero(int, unwind_maps_publish(maps, pid, image)));
		for (uint64_t addr = START; addr < START + 0x31000; addr += 0x1000) {
			load_at(pid, image, addr);
			cr_assert(look_up(pid, addr, &rule));
			cr_assert(is_right(image, addr, &rule));
		}
		image_put(set, image);
		rounds(1);
		pid++;
	}
	cr_assert(gt(u32, pid, 10));
}

Test(unwind_maps, a_change_is_known_or_the_process_is_not)
{
	struct image *image = one_file(1);
	struct unwind_rule rule;
	struct unwind_want want;

	rounds(2);
	cr_assert(zero(int, unwind_maps_publish(maps, 7, image)));
	cr_assert(zero(int, load_at(7, image, START)));
	rounds(1);
	map_file(&image, 2, START, SIZE / 2);
	unwind_maps_update(maps, 7, image);
	cr_assert(not(look_up(7, START, &rule)));
	cr_assert(zero(int, load_at(7, image, START)));
	cr_assert(look_up(7, START, &rule) && is_right(image, START, &rule));
	/* A second change in the round waits for a sample, so that many cost little. */
	map_file(&image, 3, START, SIZE / 2);
	unwind_maps_update(maps, 7, image);
	cr_assert(not(look_up(7, START, &rule)));
	cr_assert(not(unwind_maps_want(maps, 7, START, &want)));
	cr_assert(zero(int, unwind_maps_publish(maps, 7, image)));
	cr_assert(zero(int, load_at(7, image, START)));
	cr_assert(look_up(7, START, &rule) && is_right(image, START, &rule));
	unwind_maps_update(maps, 7, NULL);
	cr_assert(not(look_up(7, START, &rule)));
	unwind_maps_update(maps, 8, image);
	cr_assert(not(look_up(8, START, &rule)), "not one that no sample asked for");
	image_put(set, image);
}

Test(unwind_maps, too_many_mappings)
{
	struct image *image = image_new(set);

	for (uint32_t i = 0; i < UNWIND_PROCESS_MAPPINGS; i++)
		map_file(&image, 1, START + 2 * i * SIZE, SIZE);
	cr_assert(zero(int, unwind_maps_publish(maps, 7, image)));
	map_file(&image, 1, START - 0x1000, 0x1000);
	rounds(1);
	cr_assert(eq(int, unwind_maps_publish(maps, 7, image), -E2BIG));
	cr_assert(eq(int, unwind_maps_publish(maps, 7, image), -E2BIG));
	cr_assert(eq(u64, maps_stats().too_many, 1));
	rounds(5);
	cr_assert(zero(u32, maps_stats().mappings));
	image_put(set, image);
}

/* A file that is too large for the directory, and one that comes when it is full. */
Test(unwind_maps, no_room_in_the_directory)
{
	struct image *image = image_new(set), *later = one_file(9);
	struct unwind_rule rule;

	rounds(2);
	map_file(&image, 1, UINT64_C(1) << 32, ((uint64_t)UNWIND_FILE_PAGES - 4) << 16);
	map_file(&image, 2, UINT64_C(2) << 32, ((uint64_t)UNWIND_FILE_PAGES - 4) << 16);
	map_file(&image, 3, UINT64_C(3) << 32, ((uint64_t)UNWIND_FILE_PAGES + 4) << 16);
	cr_assert(zero(int, unwind_maps_publish(maps, 7, image)));
	cr_assert(eq(u32, w.memory.mappings[2].directory, UNWIND_UNKNOWN_FILE));
	cr_assert(eq(u32, files_stats().files, 2));
	cr_assert(zero(int, unwind_maps_publish(maps, 8, later)));
	cr_assert(eq(int, load_at(8, later, START), -ENOENT));
	/* The first process is idle: it makes room, and the second one is tried again. */
	for (int i = 0; i < 50; i++) {
		rounds(1);
		cr_assert(zero(int, unwind_maps_publish(maps, 8, later)));
	}
	cr_assert(zero(int, load_at(8, later, START)));
	cr_assert(look_up(8, START, &rule) && is_right(later, START, &rule));
	image_put(set, image);
	image_put(set, later);
}

/* What nobody maps stays for a while, and then nothing is left of it. */
Test(unwind_maps, unused_files_go)
{
	struct image *image = one_file(1);
	struct unwind_rule rule;

	rounds(2);
	cr_assert(zero(int, unwind_maps_publish(maps, 7, image)));
	cr_assert(zero(int, load_at(7, image, START)));
	unwind_maps_forget(maps, 7);
	cr_assert(not(look_up(7, START, &rule)));
	rounds(20);
	cr_assert(eq(u32, files_stats().files, 1));
	cr_assert(zero(int, unwind_maps_publish(maps, 8, image)));
	cr_assert(look_up(8, START, &rule), "the next process finds it loaded");
	unwind_maps_forget(maps, 8);
	rounds(150);
	cr_assert(zero(u32, files_stats().files));
	cr_assert(zero(u32, files_stats().pages));
	cr_assert(zero(u64, tables_stats().used_bytes));
	cr_assert(zero(u32, maps_stats().mappings));
	image_put(set, image);
}

/* Nobody says that the process has ended. */
Test(unwind_maps, idle_processes_go)
{
	struct image *image = one_file(1), *other = one_file(2);
	struct unwind_rule rule;

	rounds(2);
	cr_assert(zero(int, unwind_maps_publish(maps, 7, image)));
	cr_assert(zero(int, unwind_maps_publish(maps, 8, other)));
	cr_assert(zero(int, load_at(7, image, START)));
	cr_assert(zero(int, load_at(8, other, START)));
	for (int i = 0; i < 450; i++) {
		rounds(1);
		cr_assert(zero(int, unwind_maps_publish(maps, 8, other)));
	}
	cr_assert(not(look_up(7, START, &rule)));
	cr_assert(look_up(8, START, &rule));
	cr_assert(eq(u64, maps_stats().idle, 1));
	cr_assert(eq(u32, maps_stats().processes, 1));
	cr_assert(eq(u32, files_stats().files, 1));
	image_put(set, image);
	image_put(set, other);
}

/* The places of a file that went are another's: neither an answer nor a request is left over. */
Test(unwind_maps, late_answers_are_for_nobody)
{
	struct image *image = one_file(1), *other = one_file(2);
	struct unwind_want want, again;
	struct unwind_rule rule;

	rounds(2);
	cr_assert(zero(int, unwind_maps_publish(maps, 7, image)));
	cr_assert(unwind_maps_want(maps, 7, START, &want));
	unwind_maps_forget(maps, 7);
	rounds(150);
	cr_assert(zero(int, unwind_maps_publish(maps, 7, other)));
	make_table(&made, 1, want.page, MOST_ROWS);
	cr_assert(eq(int, unwind_files_load(files, &want, &made.table), -ESTALE));
	unwind_files_mark(files, &want, UNWIND_PAGE_REFUSED);
	unwind_files_mark_all(files, want.file, UNWIND_PAGE_REFUSED);
	cr_assert(eq(u64, files_stats().late, 3));
	cr_assert(unwind_maps_want(maps, 7, START, &again));
	cr_assert(eq(u32, again.page, want.page));
	cr_assert(not(look_up(7, START, &rule)));
	image_put(set, image);
	image_put(set, other);
}

/* A program that has found the slot of a process, or a file's place, and then takes its time. */
Test(unwind_maps, a_slow_reader_keeps_its_places)
{
	struct image *image = one_file(1), *other = one_file(2);
	struct world_reader slot = { .pid = 7, .addr = START, .cpu_event = 0 };
	struct world_reader entry = { .pid = 7, .addr = START, .cpu_event = 1 };
	uint32_t pid = 8, found;

	rounds(2);
	while (unwind_process_slot(pid) != unwind_process_slot(7))
		pid++;
	cr_assert(zero(int, unwind_maps_publish(maps, 7, image)));
	reader_begin(&w, &slot);
	reader_begin(&w, &entry);
	cr_assert(reader_step(&w, &slot));
	while (entry.stage != READER_PAGE)
		cr_assert(reader_step(&w, &entry));
	unwind_maps_forget(maps, 7);
	rounds(150);
	cr_assert(zero(u32, files_stats().files));
	cr_assert(zero(int, unwind_maps_publish(maps, pid, other)));
	cr_assert(zero(int, load_at(pid, other, START)));
	found = reader_step(&w, &slot) + reader_step(&w, &entry);
	cr_assert(zero(u32, found), "places of others");
	reader_end(&w, &slot, 0);
	reader_end(&w, &entry, 0);
	image_put(set, image);
	image_put(set, other);
}

/* With more code than memory for rows, what was used last is there. */
Test(unwind_maps, rows_of_the_least_used_file_go)
{
	struct image *image = image_new(set);
	struct unwind_rule rule;
	struct unwind_want want;
	uint32_t misses = 0;

	for (uint32_t i = 0; i < 60; i++)
		map_file(&image, i, START + i * SIZE, SIZE);
	rounds(2);
	for (uint32_t i = 0; i < 60; i++) {
		cr_assert(zero(int, unwind_maps_publish(maps, 7, image)));
		for (uint64_t at = 0; at < SIZE; at += UNWIND_PAGE_BYTES)
			while (load_at(7, image, START + i * SIZE + at)) {
				cr_assert(lt(u32, ++misses, 200));
				rounds(3);
			}
		/* File 0 is met all the time. */
		cr_assert(not(unwind_maps_want(maps, 7, START, &want)));
		rounds(12);
	}
	cr_assert(gt(u64, files_stats().rows_evicted, 10));
	cr_assert(le(u64, tables_stats().rows_bytes, LIMIT));
	cr_assert(look_up(7, START, &rule) && is_right(image, START, &rule));
	cr_assert(look_up(7, START + 59 * SIZE, &rule));
	cr_assert(not(look_up(7, START + 5 * SIZE, &rule)));
	cr_assert(zero(int, load_at(7, image, START + 5 * SIZE)), "it comes back when it is met");
	image_put(set, image);
}

/* The figure of the design: 200 processes of 40 mappings, 100 files. */
Test(unwind_maps, bookkeeping_is_small)
{
	uint64_t bytes;

	rounds(2);
	for (uint32_t pid = 1; pid <= 200; pid++) {
		struct image *image = image_new(set);

		for (uint32_t i = 0; i < 40; i++)
			map_file(&image, (pid + i) % 100, START + 2 * i * SIZE, SIZE);
		cr_assert(zero(int, unwind_maps_publish(maps, pid, image)));
		image_put(set, image);
	}
	cr_assert(eq(u32, maps_stats().mappings, 8000));
	cr_assert(eq(u32, files_stats().files, 100));
	bytes = maps_stats().bytes + files_stats().bytes + tables_stats().bytes;
	cr_log_info("%lu bytes: mappings %lu, files %lu, tables %lu", bytes, maps_stats().bytes,
		    files_stats().bytes, tables_stats().bytes);
	cr_assert(lt(u64, bytes, 400000));
}
