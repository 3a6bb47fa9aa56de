// SPDX-License-Identifier: Apache-2.0
/*
 * test_unwind_random.c - processes, files and pages come and go while readers go through the
 * tables: a reader finds the right rule or none, and when all has gone nothing is left.
 */
#include "tests/unit/random.h"
#include "tests/unit/unwind_stage.h"

TestSuite(unwind_random, .init = setup, .fini = teardown);

/* Where mappings are. */
#define START UINT64_C(0x100000)

#define PROCESSES 400
#define READERS	  (WORLD_CPUS * WORLD_EVENTS)
#define REQUESTS  64
#define FILES	  600
#define IMAGES	  4 /* that a process may have while one reader runs */

struct model_reader {
	struct world_reader reader;
	struct image *images[IMAGES]; /* what its process had since it began */
	uint32_t count;
	bool running;
};

static struct image *image_of[PROCESSES]; /* NULL: no such process; pid is index + 1 */
static struct model_reader readers[READERS];
static struct unwind_want requests[REQUESTS];
static uint32_t request_file[REQUESTS];
static uint32_t request_count;
static uint64_t random_state = 11;

static uint32_t pick(uint32_t limit)
{
	return random_below(&random_state, limit);
}

static uint32_t size_of(uint32_t file)
{
	return file % 20 == 19 ? 1200u << 16 : (file % 17 + 1) * 0x17000;
}

static void map_any(struct image **image)
{
	uint64_t start = START + (uint64_t)pick(200) * (4 << 20);
	uint32_t file = pick(1 + pick(FILES)); /* some more often than others */

	switch (pick(12)) {
	case 0:
		map_path(image, "//anon", start, 0x100000, 0);
		break;
	case 1:
		map_path(image, "[vdso]", start, 0x2000, 0);
		break;
	default:
		map_file(image, file, start, size_of(file));
	}
}

/* The process has another image now. Readers that run on it may still see the old one. */
static void now_has(uint32_t pid, struct image *image)
{
	for (uint32_t i = 0; i < READERS; i++) {
		struct model_reader *r = &readers[i];

		if (r->running && r->reader.pid == pid && image) {
			cr_assert(lt(u32, r->count, IMAGES));
			r->images[r->count++] = image_get(image);
		}
	}
	image_of[pid - 1] = image;
}

static bool may_change(uint32_t pid)
{
	for (uint32_t i = 0; i < READERS; i++)
		if (readers[i].running && readers[i].reader.pid == pid &&
		    readers[i].count == IMAGES)
			return false;
	return true;
}

static void change_process(uint32_t pid)
{
	struct image *image = image_of[pid - 1], *parent = image_of[pick(PROCESSES)];

	if (!may_change(pid))
		return;
	if (!image) {
		image = image_get(parent);
		if (!image || pick(2)) {
			image_put(set, image);
			image = image_new(set);
			for (uint32_t n = 1 + pick(50); n--;)
				map_any(&image);
		}
	} else if (pick(3) == 0) {
		unwind_maps_forget(maps, pid);
		image_put(set, image);
		image = NULL;
	} else {
		map_any(&image);
		unwind_maps_update(maps, pid, image);
	}
	now_has(pid, image);
}

static uint64_t any_address(const struct image *image)
{
	const struct mapping *map = &image->mappings[pick(image->count)];

	/* Often the same few pages, so that they are loaded. */
	return map->start + next_random(&random_state) % (map->end - map->start) / (1 + pick(8));
}

static void sample(uint32_t pid, struct image *image)
{
	uint64_t addr = any_address(image);

	unwind_maps_publish(maps, pid, image);
	if (request_count == REQUESTS ||
	    !unwind_maps_want(maps, pid, addr, &requests[request_count]))
		return;
	request_file[request_count++] = file_number(image_find(image, addr));
}

static void answer(void)
{
	uint32_t i = pick(request_count), what = pick(40);
	struct unwind_want want = requests[i];

	make_table(&made, request_file[i], want.page, MOST_ROWS);
	requests[i] = requests[--request_count];
	request_file[i] = request_file[request_count];
	if (what == 0)
		unwind_files_mark_all(files, want.file, UNWIND_PAGE_BARE);
	else if (what < 4)
		unwind_files_mark(files, &want, (enum unwind_page_state)(what % 2 ? 0 : 3));
	else
		(void)unwind_files_load(files, &want, &made.table);
}

static void begin_reader(struct model_reader *r, uint32_t cpu_event)
{
	uint32_t pid = 1 + pick(PROCESSES);
	struct image *image = image_of[pid - 1];

	if (!image)
		return;
	r->reader = (struct world_reader){
		.cpu_event = cpu_event,
		.pid = pid,
		.addr = any_address(image),
	};
	r->images[0] = image_get(image);
	r->count = 1;
	r->running = true;
	reader_begin(&w, &r->reader);
}

/* Returns whether it found a rule. */
static bool end_reader(struct model_reader *r)
{
	bool found = r->reader.stage == READER_FOUND, right = false;

	for (uint32_t i = 0; i < r->count; i++) {
		right |= found && is_right(r->images[i], r->reader.addr, &r->reader.rule);
		image_put(set, r->images[i]);
	}
	cr_assert(right || !found, "a rule of something else");
	reader_end(&w, &r->reader, pick(6));
	r->running = false;
	return found;
}

static void check_limits(void)
{
	struct unwind_tables_stats s = tables_stats();

	cr_assert(le(u64, s.rows_bytes, LIMIT));
	cr_assert(le(u32, maps_stats().processes, PROCESSES));
	cr_assert(lt(u64, maps_stats().bytes + files_stats().bytes + s.bytes, 500000));
}

static uint32_t random_steps(uint32_t n)
{
	uint32_t found = 0;

	for (uint32_t i = 0; i < n; i++) {
		uint32_t k = pick(READERS), pid = 1 + pick(PROCESSES);
		struct model_reader *r = &readers[k];

		if (r->running && !reader_step(&w, &r->reader))
			found += end_reader(r);
		else if (!r->running && pick(2))
			begin_reader(r, k);
		if (pick(8) == 0)
			change_process(pid);
		else if (image_of[pid - 1])
			sample(pid, image_of[pid - 1]);
		if (request_count && pick(9) == 0)
			answer();
		if (pick(20) == 0)
			round_of_drain(pick((uint32_t)(2 * ROUND_NS)));
		if (i % 1000 == 0)
			check_limits();
	}
	return found;
}

/*
 * Processes that come, change and go, samples, answers that come late or never, and readers that
 * take their time. At the end everything goes, and nothing is left.
 */
Test(unwind_random, against_readers, .timeout = 120)
{
	uint32_t found = random_steps(200000);

	cr_log_info("%u found; published %lu, shared %lu, put off %lu, evicted %lu, unknown %lu; "
		    "pages asked %lu, loaded %lu, put off %lu, late %lu, files evicted %lu, "
		    "dropped %lu, without room %lu; restarts %lu, no room %lu",
		    found, maps_stats().published, maps_stats().shared, maps_stats().put_off,
		    maps_stats().evicted, maps_stats().unknown_file, files_stats().asked,
		    files_stats().loaded, files_stats().put_off, files_stats().late,
		    files_stats().rows_evicted, files_stats().dropped, files_stats().no_room,
		    tables_stats().restarts, tables_stats().no_room);
	cr_assert(gt(u32, found, 2000));
	for (uint32_t pid = 1; pid <= PROCESSES; pid++) {
		unwind_maps_forget(maps, pid);
		image_put(set, image_of[pid - 1]);
	}
	for (uint32_t i = 0; i < READERS; i++) {
		while (readers[i].running && reader_step(&w, &readers[i].reader))
			;
		if (readers[i].running)
			end_reader(&readers[i]);
	}
	rounds(200);
	cr_assert(zero(u32, maps_stats().mappings));
	cr_assert(zero(u32, maps_stats().images));
	cr_assert(zero(u32, files_stats().files));
	cr_assert(zero(u32, files_stats().pages));
	cr_assert(zero(u64, tables_stats().used_bytes));
	cr_assert(eq(u32, tables_stats().shards, 1));
	for (uint32_t i = 0; i < UNWIND_DIRECTORY; i++)
		cr_assert(zero(u64, w.memory.directory[i]));
}
