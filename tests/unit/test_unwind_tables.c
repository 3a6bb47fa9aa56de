// SPDX-License-Identifier: Apache-2.0
/*
 * test_unwind_tables.c - rows and rules: what a page's entry leads to is right as long as somebody
 * may look, memory follows what is loaded and stays below its limit.
 */
#include <errno.h>

#include "tests/unit/random.h"
#include "tests/unit/unwind_world.h"

#define SHARD_BYTES (UNWIND_SHARD_ROWS * sizeof(struct unwind_row))

static struct world w;
static struct unwind_tables *tables;
static struct made_table made;

static void open_tables(size_t limit_bytes)
{
	world_open(&w);
	cr_assert(zero(int, unwind_tables_open(&tables, &w.memory, w.retire, limit_bytes)));
}

static void setup(void)
{
	open_tables(4 * SHARD_BYTES);
}

static void teardown(void)
{
	unwind_tables_free(tables);
	world_close(&w);
}

TestSuite(unwind_tables, .init = setup, .fini = teardown);

static void round_of_drain(bool do_jobs)
{
	struct unwind_shard_job job;

	retire_poll(w.retire, w.now_ns += 2 * RETIRE_SETTLE_NS);
	unwind_tables_tick(tables);
	if (do_jobs && unwind_tables_job(tables, &job)) {
		world_do_job(&w, &job);
		unwind_tables_done(tables, &job);
	}
}

static void rounds(int n)
{
	while (n--)
		round_of_drain(true);
}

static struct unwind_tables_stats stats(void)
{
	struct unwind_tables_stats s;

	unwind_tables_stats(tables, &s);
	return s;
}

static int load(uint32_t file, uint32_t page, uint32_t most, struct unwind_page *ret)
{
	make_table(&made, file, page, most);
	return unwind_tables_load(tables, &made.table, ret);
}

/* Is the rule at an offset of a loaded page the one that was put there? */
static bool is_right(struct unwind_page loaded, uint32_t file, uint32_t page, uint32_t offset,
		     uint32_t most)
{
	struct world_reader r = { .stage = READER_ROW, .page = loaded, .offset = offset };

	while (reader_step(&w, &r))
		;
	return r.stage == READER_FOUND && made_rule_is(&r.rule, file, page, offset, most);
}

static bool all_right(struct unwind_page loaded, uint32_t file, uint32_t page, uint32_t most)
{
	for (uint32_t offset = 0; offset < UNWIND_PAGE_BYTES; offset += 97)
		if (!is_right(loaded, file, page, offset, most))
			return false;
	return is_right(loaded, file, page, UNWIND_PAGE_BYTES - 1, most);
}

Test(unwind_tables, a_page_is_found_again)
{
	struct unwind_page page[3];

	cr_assert(eq(int, load(1, 1, 10, &page[0]), -EAGAIN), "there is no shard yet");
	rounds(1);
	cr_assert(zero(int, load(1, 1, 1, &page[0])));
	cr_assert(zero(int, load(2, 5, 5000, &page[1])));
	cr_assert(zero(int, load(3, 0, 64, &page[2])));
	cr_assert(all_right(page[0], 1, 1, 1));
	cr_assert(all_right(page[1], 2, 5, 5000));
	cr_assert(all_right(page[2], 3, 0, 64));
	cr_assert(eq(u32, page[1].count + 1u, made_rows(2, 5, 5000)));
}

Test(unwind_tables, the_largest_page_fits)
{
	struct unwind_page page;

	rounds(1);
	make_table(&made, 7, 7, 1);
	for (uint32_t i = 0; i < UNWIND_SHARD_ROWS; i++)
		made.rows[i] = (struct unwind_row){ (__u16)i, (__u16)(i % MADE_RULES) };
	made.table.row_count = UNWIND_SHARD_ROWS;
	cr_assert(zero(int, unwind_tables_load(tables, &made.table, &page)));
	cr_assert(eq(u32, page.count, 65535));
	for (uint32_t i = 0; i < UNWIND_SHARD_ROWS; i++)
		cr_assert(eq(u32, w.shards[page.shard][page.first + i].offset, i));
}

Test(unwind_tables, equal_rules_are_one)
{
	struct unwind_page page;
	uint32_t rules;

	rounds(1);
	cr_assert(zero(int, load(1, 1, 100, &page)));
	rules = stats().rules;
	cr_assert(eq(u32, rules, MADE_RULES));
	for (int i = 0; i < 50; i++)
		cr_assert(zero(int, load(1, 1, 100, &page)));
	cr_assert(eq(u32, stats().rules, rules));
	cr_assert(zero(int, load(1, 2, 100, &page)));
	cr_assert(eq(u32, stats().rules, 2 * MADE_RULES));
}

Test(unwind_tables, bad_pages_are_refused)
{
	struct unwind_page page;

	rounds(1);
	make_table(&made, 1, 1, 1);
	made.table.row_count = 0;
	cr_assert(eq(int, unwind_tables_load(tables, &made.table, &page), -EINVAL));
	made.table.row_count = UNWIND_SHARD_ROWS + 1;
	cr_assert(eq(int, unwind_tables_load(tables, &made.table, &page), -EINVAL));
	made.table.row_count = 1;
	made.table.rule_count = UNWIND_RULES + 1;
	cr_assert(eq(int, unwind_tables_load(tables, &made.table, &page), -EINVAL));
	made.table.rule_count = MADE_RULES;
	made.rows[0].rule = MADE_RULES;
	cr_assert(eq(int, unwind_tables_load(tables, &made.table, &page), -EINVAL));
	cr_assert(zero(u64, stats().used_bytes));
}

/* Many unique rules: the table ends, is begun anew, and nobody saw a rule change meanwhile. */
Test(unwind_tables, rules_begin_anew)
{
	struct unwind_page page, first, again;
	struct world_reader r = { .cpu_event = 0 };
	uint32_t n = 0;
	int err;

	rounds(1);
	cr_assert(zero(int, load(0, 0, 1, &first)));
	for (n = 1; !(err = load(n, 0, 1, &page)); n++) {
		unwind_tables_unload(tables, page);
		rounds(2);
	}
	cr_assert(eq(int, err, -ENOSPC));
	cr_assert(eq(u32, n, UNWIND_RULES / MADE_RULES));
	cr_assert(all_right(first, 0, 0, 1));
	reader_begin(&w, &r);
	unwind_tables_unload(tables, first);
	unwind_tables_restart(tables);
	rounds(5);
	cr_assert(eq(int, load(n, 0, 1, &page), -EAGAIN));
	cr_assert(all_right(first, 0, 0, 1), "it is still being read");
	reader_end(&w, &r, 0);
	rounds(2);
	cr_assert(zero(int, load(n, 0, 1, &page)));
	cr_assert(zero(int, load(0, 0, 1, &again)));
	cr_assert(all_right(page, n, 0, 1));
	cr_assert(all_right(again, 0, 0, 1));
	cr_assert(eq(u32, stats().rules, 2 * MADE_RULES));
	cr_assert(eq(u64, stats().restarts, 1));
}

/* There is room before it is needed, and what is empty is given back. */
Test(unwind_tables, shards_follow_what_is_loaded)
{
	static struct unwind_page page[200];
	uint32_t n = 0;

	rounds(3);
	cr_assert(eq(u32, stats().shards, 1));
	for (; stats().shards < 4; n++) {
		cr_assert(lt(u32, n, 200));
		cr_assert(zero(int, load(n, 0, 4000, &page[n])));
		rounds(1);
	}
	cr_assert(zero(u64, stats().no_room));
	cr_assert(zero(u32, unwind_tables_short(tables)));
	while (n--)
		unwind_tables_unload(tables, page[n]);
	rounds(10);
	cr_assert(eq(u32, stats().shards, 1));
	cr_assert(zero(u64, stats().used_bytes));
}

Test(unwind_tables, at_the_limit_it_says_how_much_is_short)
{
	static struct unwind_page page[500];
	uint32_t n = 0, rows;

	while (!unwind_tables_short(tables)) {
		cr_assert(lt(u32, n, 500));
		n += !load(n, 1, 4000, &page[n]);
		rounds(1);
	}
	cr_assert(eq(u64, stats().rows_bytes, 4 * SHARD_BYTES));
	for (rows = unwind_tables_short(tables); unwind_tables_short(tables);)
		unwind_tables_unload(tables, page[--n]);
	cr_assert(gt(u32, rows, 0));
	rounds(3);
	cr_assert(zero(int, load(1000, 1, 4000, &page[n])));
}

/* A page that finds only small holes gets more and more room, until it fits. */
Test(unwind_tables, a_large_page_finds_room_at_last)
{
	static struct unwind_page page[5000];
	struct unwind_page large;
	uint32_t n = 0, tries = 0;

	while (!unwind_tables_short(tables)) {
		cr_assert(lt(u32, n, 5000));
		n += !load(n, 1, 64, &page[n]);
		rounds(1);
	}
	make_table(&made, 1, 1, 1);
	for (uint32_t i = 0; i < 40000; i++)
		made.rows[i] = (struct unwind_row){ (__u16)i, 0 };
	made.table.row_count = 40000;
	while (unwind_tables_load(tables, &made.table, &large)) {
		cr_assert(lt(u32, ++tries, 100));
		/* Every other one first: holes. */
		for (uint32_t i = 0; i < n && unwind_tables_short(tables); i += 1 + (tries == 1))
			if (page[i].state == UNWIND_PAGE_LOADED) {
				unwind_tables_unload(tables, page[i]);
				page[i].state = UNWIND_PAGE_MISSING;
			}
		rounds(3);
	}
	cr_assert(gt(u32, tries, 0));
}

Test(unwind_tables, a_shard_that_cannot_be_made)
{
	struct unwind_shard_job job;
	struct unwind_page page;
	uint32_t n = 0;

	for (int i = 0; i < 1000; i++) {
		round_of_drain(false);
		if (!unwind_tables_job(tables, &job))
			continue;
		n++;
		cr_assert(not(unwind_tables_job(tables, &job)), "one job at a time");
		unwind_tables_done(tables, &job);
	}
	cr_assert(all(ge(u32, n, 2), le(u32, n, 11)), "tried now and then");
	cr_assert(eq(u64, stats().shards_failed, n));
	cr_assert(zero(u32, stats().shards));
	rounds(110);
	cr_assert(zero(int, load(1, 1, 1, &page)));
}

#define PAGES	600
#define READERS (WORLD_CPUS * WORLD_EVENTS)
#define MOST	3000

struct model_page {
	struct unwind_page page; /* MISSING when it is not loaded */
	uint32_t file;
};

/*
 * Random: pages come and go, readers hold on to what they found for as long as they like, jobs
 * take their time. A reader gets the rule of the page it found, however late it looks.
 */
Test(unwind_tables, random_against_readers)
{
	static struct model_page pages[PAGES];
	struct world_reader readers[READERS] = { 0 };
	uint32_t file_of[READERS] = { 0 }, files = 0, found = 0, most_bytes = 0;
	struct unwind_shard_job job;
	bool working = false;
	uint64_t random = 3;

	for (uint32_t i = 0; i < READERS; i++)
		readers[i].stage = READER_NONE;
	for (int i = 0; i < 300000; i++) {
		struct model_page *p = &pages[random_below(&random, PAGES)];
		uint32_t k = random_below(&random, READERS);
		struct world_reader *r = &readers[k];

		if (p->page.state == UNWIND_PAGE_MISSING) {
			/* So many files that rules are full now and then. */
			int err = load(++files / 4, 3, MOST, &p->page);

			p->file = files / 4;
			if (err)
				p->page.state = UNWIND_PAGE_MISSING;
			for (uint32_t j = 0; j < PAGES && err == -ENOSPC; j++) {
				if (pages[j].page.state == UNWIND_PAGE_LOADED)
					unwind_tables_unload(tables, pages[j].page);
				pages[j].page.state = UNWIND_PAGE_MISSING;
			}
			if (err == -ENOSPC)
				unwind_tables_restart(tables);
		} else if (unwind_tables_short(tables) || random_below(&random, 8) == 0) {
			unwind_tables_unload(tables, p->page);
			p->page.state = UNWIND_PAGE_MISSING;
		}
		p = &pages[random_below(&random, PAGES)];
		if (r->stage == READER_NONE && p->page.state == UNWIND_PAGE_LOADED) {
			*r = (struct world_reader){
				.cpu_event = k,
				.stage = READER_ROW,
				.page = p->page,
				.offset = random_below(&random, UNWIND_PAGE_BYTES),
			};
			file_of[k] = p->file;
			reader_begin(&w, r);
		} else if (r->stage != READER_NONE && random_below(&random, 8) == 0 &&
			   !reader_step(&w, r)) {
			cr_assert(made_rule_is(&r->rule, file_of[k], 3, r->offset, MOST));
			reader_end(&w, r, 5);
			r->stage = READER_NONE;
			found++;
		}
		if (random_below(&random, 4) == 0)
			round_of_drain(false);
		if (!working && unwind_tables_job(tables, &job)) {
			working = true;
		} else if (working && random_below(&random, 20) == 0) {
			world_do_job(&w, &job);
			unwind_tables_done(tables, &job);
			working = false;
		}
		most_bytes =
			stats().rows_bytes > most_bytes ? (uint32_t)stats().rows_bytes : most_bytes;
	}
	cr_assert(eq(u32, most_bytes, 4 * SHARD_BYTES), "it came to the limit and not beyond");
	cr_assert(gt(u32, found, 10000));
	cr_assert(gt(u64, stats().restarts, 1));
	cr_assert(gt(u64, stats().loaded, 20000));
}

/* At the end each shard is handed out once, to be dropped. */
Test(unwind_tables, shards_are_taken_at_the_end)
{
	struct unwind_shard_job job;
	struct unwind_page page;
	uint32_t n = 0;

	for (uint32_t i = 0; stats().shards < 3; i++) {
		if (load(i, 0, 4000, &page))
			cr_assert(lt(u32, i, 100));
		rounds(1);
	}
	while (unwind_tables_take_shard(tables, &job)) {
		cr_assert(not(job.make));
		world_do_job(&w, &job);
		n++;
	}
	cr_assert(eq(u32, n, 3));
}
