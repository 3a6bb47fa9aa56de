/* SPDX-License-Identifier: Apache-2.0 */
/*
 * resolve_file.c - addr2line over the tools' symbolizer, for bench/resolve.py and the tests.
 *
 *	resolve [-dos] [-b BUILD-ID] FILE [DEBUG-DIR...] < addresses
 *
 * -d: also ask debuginfod; -o: the addresses are file offsets; -s: short names; -b: the build id,
 *in hexadecimal, that FILE must have. Reads hexadecimal ELF addresses, a line each, and prints for
 *each what `addr2line -a -i -f -C` prints: the address, then a line with the function and one with
 *file:line for each frame, innermost first. What is not known is "??" and 0.
 */
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tools/symbolize.h"

#define SEGMENTS_MAX 64

struct segments {
	Elf64_Phdr segment[SEGMENTS_MAX];
	size_t count;
};

static int read_segments(const char *path, struct segments *s)
{
	Elf64_Ehdr header;
	ssize_t bytes = 0;
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	if (fd < 0 || read(fd, &header, sizeof(header)) != sizeof(header))
		return -1;
	s->count = header.e_phnum < SEGMENTS_MAX ? header.e_phnum : SEGMENTS_MAX;
	bytes = pread(fd, s->segment, s->count * sizeof(*s->segment), (off_t)header.e_phoff);
	close(fd);
	return bytes == (ssize_t)(s->count * sizeof(*s->segment)) ? 0 : -1;
}

/* Addresses outside the code get an offset that no file has. */
static uint64_t offset_of(const struct segments *s, uint64_t address)
{
	if (!s->count)
		return address;
	for (size_t i = 0; i < s->count; i++) {
		const Elf64_Phdr *p = &s->segment[i];

		if (p->p_type == PT_LOAD && p->p_flags & PF_X && address >= p->p_vaddr &&
		    address - p->p_vaddr < p->p_filesz)
			return address - p->p_vaddr + p->p_offset;
	}
	return UINT64_MAX;
}

/* Reads the questions; @ret_address gets the addresses in the order of the input. */
static size_t read_questions(const struct segments *s, struct symbol_query **ret_query,
			     uint64_t **ret_address)
{
	struct symbol_query *query = NULL;
	uint64_t *address = NULL;
	uint64_t next;
	size_t count = 0;
	size_t room = 0;

	while (scanf("%" SCNx64, &next) == 1) {
		if (count == room) {
			room = room ? 2 * room : 4096;
			query = reallocarray(query, room, sizeof(*query));
			address = reallocarray(address, room, sizeof(*address));
			if (!query || !address)
				exit(1);
		}
		query[count] = (struct symbol_query){
			.offset = offset_of(s, next),
			.id = (uint32_t)count,
		};
		address[count++] = next;
	}
	*ret_query = query;
	*ret_address = address;
	return count;
}

static void print_answer(uint64_t address, const struct symbol_query *query)
{
	const struct symbol_frame *frame = query->frame;

	printf("0x%016" PRIx64 "\n", address);
	if (!frame)
		printf("??\n??:0\n");
	for (; frame; frame = frame->caller)
		printf("%s\n%s:%" PRIu32 "\n", frame->name ? frame->name : "??",
		       frame->file ? frame->file : "??", frame->line);
}

/* Reads a build id in place; returns its size. */
static size_t read_build_id(char *text)
{
	size_t bytes = 0;
	unsigned value;

	while (sscanf(text + 2 * bytes, "%2x", &value) == 1)
		text[bytes++] = (char)value;
	return bytes;
}

static int read_options(int argc, char **argv, struct symbol_options *o, struct symbol_file *f,
			bool *ret_offsets)
{
	int letter;

	while ((letter = getopt(argc, argv, "dosb:")) != -1) {
		if (letter == 'd')
			o->ask_debuginfod = true;
		else if (letter == 's')
			o->short_names = true;
		else if (letter == 'o')
			*ret_offsets = true;
		else if (letter != 'b')
			return -1;
		if (letter != 'b')
			continue;
		f->build_id_bytes = read_build_id(optarg);
		f->build_id = optarg;
	}
	if (optind == argc)
		return -1;
	f->path = argv[optind++];
	o->debug_dir = (const char *const *)(argv + optind);
	o->debug_dirs = (size_t)(argc - optind);
	return 0;
}

static void print_answers(const struct symbol_query *query, const uint64_t *address, size_t count)
{
	const struct symbol_query **sorted = calloc(count + 1, sizeof(*sorted));

	if (!sorted)
		exit(1);
	for (size_t i = 0; i < count; i++)
		sorted[query[i].id] = &query[i];
	for (size_t i = 0; i < count; i++)
		print_answer(address[i], sorted[i]);
	free(sorted);
}

int main(int argc, char **argv)
{
	struct symbol_options options = { .debug_dirs = 0 };
	struct symbol_file file = { .recorded_ns = UINT64_MAX };
	struct symbolizer *symbolizer = NULL;
	struct symbol_query *query;
	struct segments segments = { .count = 0 };
	uint64_t *address;
	bool offsets = false;
	size_t count;
	int err;

	if (read_options(argc, argv, &options, &file, &offsets)) {
		fprintf(stderr, "usage: resolve [-dos] [-b BUILD-ID] FILE [DEBUG-DIR...]\n");
		return 2;
	}
	if (!offsets && read_segments(file.path, &segments)) {
		fprintf(stderr, "resolve: cannot read the segments of %s\n", file.path);
		return 1;
	}
	count = read_questions(&segments, &query, &address);
	err = symbolizer_open(&symbolizer, &options);
	if (!err)
		err = symbolize(symbolizer, &file, query, count);
	if (err < 0)
		fprintf(stderr, "resolve: %s: %s\n", file.path, strerror(-err));
	else
		print_answers(query, address, count);
	symbolizer_free(symbolizer);
	free(query);
	free(address);
	return err < 0;
}
