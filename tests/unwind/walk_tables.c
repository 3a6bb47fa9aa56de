// SPDX-License-Identifier: Apache-2.0
/*
 * walk_tables.c - loads the tables of real files into the machine's walker.
 *
 * Nothing is ever given up: what does not fit any more ends the test.
 */
#include "tests/unwind/walk_tables.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <unistd.h>

#include "jail/table.h"
#include "tests/bpf/machine.h"

#define FILES	4096
#define BUCKETS 65536

static struct walk_file files[FILES];
static uint32_t file_count, directory_count, rule_count, row_count, refused_count;
static uint16_t rule_at[BUCKETS]; /* + 1, by hash, open addressing */
static struct table_page page;

static void give_up(const char *why)
{
	fprintf(stderr, "walk_tables: %s\n", why);
	exit(1);
}

/* It is the same in every process; under valgrind this one has none. */
static int open_vdso(const struct capture_mapping *m, struct elf_file *elf)
{
	const void *vdso = (const void *)getauxval(AT_SYSINFO_EHDR);

	return vdso ? elf_file_open_memory(elf, vdso, m->end - m->start) : -1;
}

/* The file as it is mapped, whatever its path leads to by now. */
static int open_mapped(const struct capture *c, const struct capture_mapping *m,
		       struct elf_file *elf)
{
	char path[96];
	int fd, err;

	if (!m->inode)
		return open_vdso(m, elf);
	snprintf(path, sizeof(path), "/proc/%d/map_files/%lx-%lx", c->pid, m->start, m->end);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0) /* that is for root only */
		fd = open(m->path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return -1;
	err = elf_file_open_fd(elf, fd);
	close(fd);
	return err;
}

static void add_file(const struct capture *c, const struct capture_mapping *m,
		     struct walk_file *file)
{
	int err;

	file->device = m->device;
	file->inode = m->inode;
	file->kind = WALK_FILE_REFUSED;
	if (open_mapped(c, m, &file->elf))
		return;
	err = cfi_init(&file->cfi, &file->elf);
	if (err == -ENODATA)
		file->kind = file->elf.go ? WALK_FILE_FRAME_POINTERS : WALK_FILE_UNTOLD;
	else if (!err)
		file->kind = WALK_FILE_TABLES;
}

uint32_t walk_tables_file(const struct capture *c, const struct capture_mapping *m)
{
	uint32_t i;

	if (!m->inode && strcmp(m->path, "[vdso]") != 0)
		return 0;
	for (i = 0; i < file_count; i++)
		if (files[i].inode == m->inode && files[i].device == m->device)
			return i + 1;
	if (file_count == FILES)
		give_up("too many files");
	add_file(c, m, &files[file_count]);
	return ++file_count;
}

const struct walk_file *walk_tables_get(uint32_t number)
{
	return &files[number - 1];
}

static void set_page(uint32_t directory, struct unwind_page value)
{
	memcpy(&unwind_directory[directory], &value, sizeof(value));
}

/* The file's part of the directory, made when it is first mapped. */
static uint32_t directory_of(struct walk_file *file)
{
	static const uint16_t states[] = {
		[WALK_FILE_TABLES] = UNWIND_PAGE_MISSING,
		[WALK_FILE_FRAME_POINTERS] = UNWIND_PAGE_BARE,
		[WALK_FILE_UNTOLD] = UNWIND_PAGE_UNTOLD,
		[WALK_FILE_REFUSED] = UNWIND_PAGE_REFUSED,
	};
	uint32_t pages = (uint32_t)(file->elf.size >> UNWIND_PAGE_SHIFT) + 1;

	if (file->directory)
		return file->directory;
	if (directory_count + pages >= UNWIND_DIRECTORY)
		give_up("the directory is full");
	file->directory = directory_count + 1;
	directory_count += pages;
	for (uint32_t i = 0; i < pages; i++)
		set_page(file->directory + i, (struct unwind_page){ .state = states[file->kind] });
	return file->directory;
}

void walk_tables_use(const struct capture *c)
{
	_Static_assert(CAPTURE_MAPPINGS <= UNWIND_PROCESS_MAPPINGS, "all of them");
	for (uint32_t i = 0; i < c->mapping_count; i++) {
		const struct capture_mapping *m = &c->mappings[i];
		uint32_t number = walk_tables_file(c, m);

		unwind_mappings[i] = (struct unwind_mapping){
			.start = m->start,
			.bias = m->start - m->file_offset,
			.pages_4k = (uint32_t)((m->end - m->start) >> 12),
			.directory =
				number ? directory_of(&files[number - 1]) : UNWIND_FRAME_POINTERS,
		};
		if (number && !files[number - 1].inode) /* the image is the mapping */
			unwind_mappings[i].bias = m->start;
	}
	memset(unwind_processes, 0, sizeof(unwind_processes));
	unwind_processes[unwind_process_slot((uint32_t)c->pid)] = (struct unwind_process){
		.pid = (uint32_t)c->pid,
		.range = c->mapping_count,
	};
}

/* The walker's index of a rule, for all files together. */
static uint16_t intern_rule(const struct unwind_rule *rule)
{
	uint64_t words[2];
	uint32_t bucket;

	memcpy(words, rule, sizeof(words));
	bucket = (uint32_t)((words[0] * 31 + words[1]) * 0x9E3779B97F4A7C15ull >> 48);
	for (; rule_at[bucket]; bucket = (bucket + 1) % BUCKETS)
		if (memcmp(&unwind_rules[rule_at[bucket] - 1], rule, sizeof(*rule)) == 0)
			return (uint16_t)(rule_at[bucket] - 1);
	if (rule_count == UNWIND_RULES)
		give_up("too many rules");
	unwind_rules[rule_count] = *rule;
	rule_at[bucket] = (uint16_t)++rule_count;
	return (uint16_t)(rule_count - 1);
}

/* Puts the compiled page into the shards; pages do not lie in two. */
static struct unwind_page publish(void)
{
	struct unwind_page value = { .state = UNWIND_PAGE_LOADED };
	struct unwind_row *rows;

	if (row_count % UNWIND_SHARD_ROWS + page.row_count > UNWIND_SHARD_ROWS)
		row_count = (row_count / UNWIND_SHARD_ROWS + 1) * UNWIND_SHARD_ROWS;
	value.shard = (uint16_t)(row_count / UNWIND_SHARD_ROWS);
	value.first = (uint16_t)(row_count % UNWIND_SHARD_ROWS);
	value.count = (uint16_t)(page.row_count - 1);
	if (value.shard >= UNWIND_SHARDS)
		give_up("too many rows");
	rows = machine_shard(value.shard) + value.first;
	for (uint32_t i = 0; i < page.row_count; i++)
		rows[i] = (struct unwind_row){
			.offset = page.rows[i].offset,
			.rule = intern_rule(&page.rules[page.rows[i].rule]),
		};
	row_count += page.row_count;
	return value;
}

static const struct capture_mapping *mapping_at(const struct capture *c, uint64_t address)
{
	for (uint32_t i = 0; i < c->mapping_count; i++)
		if (c->mappings[i].start <= address && address < c->mappings[i].end)
			return &c->mappings[i];
	return NULL;
}

bool walk_tables_load(const struct capture *c, uint64_t address)
{
	const struct capture_mapping *m = mapping_at(c, address);
	uint32_t number = m ? walk_tables_file(c, m) : 0, in_file;
	struct walk_file *file;

	if (!number)
		return false;
	file = &files[number - 1];
	in_file = (uint32_t)((address - m->start + (m->inode ? m->file_offset : 0)) >>
			     UNWIND_PAGE_SHIFT);
	if (file->kind != WALK_FILE_TABLES || in_file > file->elf.size >> UNWIND_PAGE_SHIFT ||
	    unwind_directory[file->directory + in_file] != UNWIND_PAGE_MISSING)
		return false;
	if (table_compile(&file->cfi, in_file, &page)) {
		refused_count++;
		set_page(file->directory + in_file,
			 (struct unwind_page){ .state = UNWIND_PAGE_REFUSED });
	} else if (!page.row_count) {
		set_page(file->directory + in_file,
			 (struct unwind_page){ .state = UNWIND_PAGE_BARE });
	} else {
		set_page(file->directory + in_file, publish());
	}
	return true;
}

void walk_tables_counts(uint32_t *refused, uint32_t *rules, uint32_t *rows)
{
	*refused = refused_count;
	*rules = rule_count;
	*rows = row_count;
}
