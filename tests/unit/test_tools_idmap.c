/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_tools_idmap.c - ids of distinct things, and text made fit for showing.
 */
#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <stdio.h>
#include <string.h>

#include "tools/idmap.h"
#include "tools/text.h"

#define MANY 100000

static void expect_text(const char *text, const char *expected)
{
	cr_expect(zero(int, strcmp(text, expected)), "\"%s\" is not \"%s\"", text, expected);
}

struct entry {
	uint64_t key[2];
	uint64_t value;
};

/* Keys that differ in few bits, and in places that a weak hash would not look at. */
static struct entry key_of(uint32_t i)
{
	return (struct entry){ .key = { i & 0xFF, (uint64_t)(i >> 8) << 40 } };
}

Test(tools_idmap, ids_follow_first_appearance)
{
	struct idmap m;
	uint32_t id = 0;

	idmap_init(&m, sizeof(struct entry), 2 * sizeof(uint64_t));
	for (uint32_t i = 0; i < MANY; i++) {
		struct entry key = key_of(i);

		cr_assert(eq(u32, idmap_find(&m, &key), 0));
		cr_assert(eq(int, idmap_get(&m, &key, &id), 1));
		cr_assert(eq(u32, id, i + 1));
		cr_assert(eq(u64, ((struct entry *)idmap_at(&m, id))->value, 0));
		((struct entry *)idmap_at(&m, id))->value = i;
	}
	for (uint32_t i = 0; i < MANY; i++) {
		struct entry key = key_of(i);

		key.value = 77; /* no part of the key */
		cr_assert(eq(int, idmap_get(&m, &key, &id), 0));
		cr_assert(eq(u32, id, i + 1));
		cr_assert(eq(u32, idmap_find(&m, &key), i + 1));
		cr_assert(eq(u64, ((struct entry *)idmap_at(&m, id))->value, i));
	}
	cr_assert(eq(u32, m.count, MANY));
	idmap_release(&m);
	cr_assert(eq(u32, idmap_find(&m, &(struct entry){ 0 }), 0));
}

/* As a reader of many samples does it: hashed before others are added, and perhaps in between. */
Test(tools_idmap, a_hash_that_is_known_finds_the_same)
{
	struct entry key[64];
	uint32_t hash[64];
	struct idmap m;

	idmap_init(&m, sizeof(struct entry), 2 * sizeof(uint64_t));
	idmap_want_slot(&m, 1);
	idmap_want_entry(&m, 1);
	for (uint32_t round = 0; round < 200; round++) {
		for (uint32_t i = 0; i < 64; i++) {
			key[i] = key_of(round * 32 + i); /* half of them are there already */
			hash[i] = idmap_hash(&m, &key[i]);
			idmap_want_slot(&m, hash[i]);
		}
		for (uint32_t i = 0; i < 64; i++)
			idmap_want_entry(&m, hash[i]);
		for (uint32_t i = 0; i < 64; i++) {
			int is_new = round ? i >= 32 : 1;
			uint32_t id = 0;

			cr_assert(eq(int, idmap_get_hashed(&m, &key[i], hash[i], &id), is_new));
			cr_assert(eq(u32, id, round * 32 + i + 1));
			cr_assert(eq(u32, idmap_find(&m, &key[i]), id));
		}
	}
	idmap_release(&m);
}

Test(tools_idmap, strings_are_kept_once)
{
	struct strtab t = { 0 };
	char text[200001];
	uint32_t id = 0;

	for (uint32_t round = 0; round < 2; round++) {
		for (uint32_t i = 0; i < MANY; i++) {
			int length = snprintf(text, sizeof(text), "string %u", i);

			cr_assert(eq(int, strtab_get(&t, text, (size_t)length, &id), 0));
			cr_assert(eq(u32, id, i + 1));
		}
	}
	expect_text(strtab_text(&t, 4712), "string 4711");
	cr_assert(eq(int, strtab_get(&t, "", 0, &id), 0));
	cr_assert(eq(u32, id, 0));
	expect_text(strtab_text(&t, 0), "");
	/* bytes count, not characters, and a string may be longer than a chunk */
	cr_assert(eq(int, strtab_get(&t, "a\0b", 3, &id), 0));
	cr_assert(eq(u32, id, MANY + 1));
	cr_assert(eq(sz, strtab_bytes(&t, id), 3));
	cr_assert(eq(int, strtab_get(&t, "a\0c", 3, &id), 0));
	cr_assert(eq(u32, id, MANY + 2));
	memset(text, 'x', sizeof(text) - 1);
	cr_assert(eq(int, strtab_get(&t, text, sizeof(text) - 1, &id), 0));
	cr_assert(eq(sz, strtab_bytes(&t, id), sizeof(text) - 1));
	cr_assert(eq(chr, strtab_text(&t, id)[sizeof(text) - 1], 0));
	strtab_release(&t);
}

static void check_clean(const char *raw, const char *expected)
{
	char clean[256];

	clean[text_clean(clean, raw, strlen(raw))] = 0;
	expect_text(clean, expected);
}

Test(tools_text, clean)
{
	check_clean("plain <T&&>::f(int)", "plain <T&&>::f(int)");
	check_clean("w\xC3\xB6rker \xE2\x82\xAC \xF0\x9F\x94\xA5",
		    "w\xC3\xB6rker \xE2\x82\xAC \xF0\x9F\x94\xA5");
	check_clean("\x1b[31m\a\n\t\x7f", "?[31m????");
	check_clean("\xC2\x9B"
		    "2J",
		    "?2J"); /* CSI, as UTF-8 spells it */
	check_clean("\xff", "\xEF\xBF\xBD");
	check_clean("\xC0\xAF", "\xEF\xBF\xBD\xEF\xBF\xBD");		     /* overlong */
	check_clean("\xE0\x80\xAF", "\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD"); /* overlong */
	check_clean("\xED\xA0\x80", "\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD"); /* surrogate */
	check_clean("\xF4\x90\x80\x80", "\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD");
	check_clean("cut \xE2\x82", "cut \xEF\xBF\xBD\xEF\xBF\xBD");
	check_clean("\xE2\x82x", "\xEF\xBF\xBD\xEF\xBF\xBDx");
}

Test(tools_text, columns)
{
	cr_expect(eq(sz, text_columns("w\xC3\xB6rker"), 6));
	expect_text(text_skip("w\xC3\xB6rker", 2), "rker");
	expect_text(text_skip("w\xC3\xB6rker", 1), "\xC3\xB6rker");
	expect_text(text_skip("ab", 5), "");
}

static void check_weight(uint64_t value, const char *unit, const char *expected)
{
	char buffer[TEXT_NUMBER_MAX];

	expect_text(text_weight(buffer, value, unit), expected);
}

Test(tools_text, numbers)
{
	char buffer[TEXT_NUMBER_MAX];

	expect_text(text_count(buffer, 0), "0");
	expect_text(text_count(buffer, 999), "999");
	expect_text(text_count(buffer, 1000), "1,000");
	expect_text(text_count(buffer, UINT64_MAX), "18,446,744,073,709,551,615");
	check_weight(8970000000, "nanoseconds", "8.97 s");
	check_weight(120000000, "nanoseconds", "120 ms");
	check_weight(1500, "nanoseconds", "0.0015 ms");
	check_weight(999, "count", "999");
	check_weight(1240000000, "count", "1.24 G");
	check_weight(999600, "count", "1 M");
	check_weight(UINT64_MAX, "count", "18.4 E");
}
