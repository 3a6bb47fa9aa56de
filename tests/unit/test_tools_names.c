/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_tools_names.c - a name is given to the code that it is of, and to no other.
 *
 * Each test is a stream of one packet: code that processes made at run time, with names of it.
 */
#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "packets.h"
#include "tools/names.h"

#define ADDRESS 0x7f0000001000
#define PLACES	4

/* Place i is of mapping i + 1, at ADDRESS. */
static struct {
	Profiler__Mapping mapping[PLACES];
	Profiler__Process process[PLACES];
	size_t processes;
	uint32_t name_mapping, name_function;
	uint64_t name_size;
} made;

static struct profile *profile;
static struct names *names;

static void set_up(void)
{
	for (uint32_t i = 0; i < PLACES; i++) {
		made.mapping[i] = (Profiler__Mapping)PROFILER__MAPPING__INIT;
		made.mapping[i].id = i + 1;
		made.mapping[i].kind = PROFILER__MAPPING__KIND__ANON;
		made.mapping[i].process = i + 1;
		made.process[i] = (Profiler__Process)PROFILER__PROCESS__INIT;
		made.process[i].id = i + 1;
		made.process[i].pid = 100 + i;
	}
	made.processes = PLACES;
	made.name_mapping = 1;
	made.name_function = 1;
	made.name_size = 0x10;
}

static void tear_down(void)
{
	names_free(names);
	profile_free(profile);
}

TestSuite(tools_names, .init = set_up, .fini = tear_down);

static size_t make_names(uint8_t *to)
{
	static char clock_name[] = "cpu-clock";
	static uint8_t text[] = "made";
	static int64_t address = ADDRESS, offset[PLACES] = { ADDRESS };
	static uint32_t ids[PLACES] = { 1, 2, 3, 4 };
	static int32_t frame[PLACES] = { 1, 1, 1, 1 };
	Profiler__Packet packet = PROFILER__PACKET__INIT;
	Profiler__Header header = PROFILER__HEADER__INIT;
	Profiler__Event event = PROFILER__EVENT__INIT, *events = &event;
	Profiler__Definitions d = PROFILER__DEFINITIONS__INIT;
	Profiler__Strings strings = PROFILER__STRINGS__INIT;
	Profiler__Frames frames = PROFILER__FRAMES__INIT;
	Profiler__Nodes nodes = PROFILER__NODES__INIT;
	Profiler__Names n = PROFILER__NAMES__INIT;
	Profiler__SampleBlock block = PROFILER__SAMPLE_BLOCK__INIT, *blocks = &block;
	Profiler__Mapping *mappings[PLACES];
	Profiler__Process *processes[PLACES];
	ProtobufCBinaryData value = { strlen((char *)text), text };

	for (size_t i = 0; i < PLACES; i++) {
		mappings[i] = &made.mapping[i];
		processes[i] = &made.process[i];
	}
	packet.epoch = 1;
	header.version = STREAM_VERSION;
	event.name = clock_name;
	header.n_event = 1;
	header.event = &events;
	packet.header = &header;
	strings.first_id = frames.first_id = nodes.first_id = 1;
	strings.n_value = 1;
	strings.value = &value;
	frames.n_mapping = frames.n_offset_delta = PLACES;
	frames.mapping = ids;
	frames.offset_delta = offset;
	nodes.n_parent_back = nodes.n_frame_delta = PLACES;
	nodes.parent_back = ids; /* roots */
	nodes.frame_delta = frame;
	n.n_mapping = n.n_start_delta = n.n_size = n.n_function = 1;
	n.mapping = &made.name_mapping;
	n.start_delta = &address;
	n.size = &made.name_size;
	n.function = &made.name_function;
	block.count = block.n_user_stack = PLACES;
	block.user_stack = ids;
	d.strings = &strings;
	d.n_mapping = PLACES;
	d.mapping = mappings;
	d.n_process = made.processes;
	d.process = processes;
	d.frames = &frames;
	d.nodes = &nodes;
	d.names = &n;
	packet.definitions = &d;
	packet.n_samples = 1;
	packet.samples = &blocks;
	return make_packet(to, &packet, 0, 0);
}

static void read_names(void)
{
	static const struct name_options options = { .no_inlines = false };
	uint8_t data[1024];
	size_t bytes = make_names(data);
	int fd = memfd_create("stream", MFD_CLOEXEC);

	cr_assert(ge(int, fd, 0));
	cr_assert(eq(sz, (size_t)write(fd, data, bytes), bytes));
	cr_assert(zero(int, (int)lseek(fd, 0, SEEK_SET)));
	cr_assert(zero(int, profile_open(&profile, PROFILE_BY_NOBODY, false)));
	cr_assert(zero(int, profile_read(profile, fd, NULL)));
	cr_assert(profile_damage(profile) == NULL);
	cr_assert(zero(int, names_open(&names, profile, &options, NULL)));
	close(fd);
}

/* Which places have the name, as bits; the others have none, and say that there is no map. */
static uint32_t named(uint32_t rows)
{
	uint32_t stack[PROFILE_STACK_MAX];
	uint32_t bits = 0;

	cr_assert(eq(u32, profile->rows.count, rows));
	for (uint32_t i = 0; i < rows; i++) {
		const struct location *l;
		const struct function *f;

		profile_stack(profile, idmap_at(&profile->rows, i + 1), stack);
		l = names_location(names, stack[0]);
		cr_assert(eq(u32, l->lines, 1));
		f = names_function(names, names_lines(names, l)->function);
		if (f->name && !strcmp(profile_text(profile, f->name), "made"))
			bits |= 1u << i;
		else
			cr_expect(zero(u32, f->name));
		cr_expect(eq(u32, l->unknown, f->name ? NAME_KNOWN : UNKNOWN_NO_MAP));
	}
	return bits;
}

Test(tools_names, of_the_process_that_made_the_code)
{
	made.name_mapping = 2;
	read_names();
	cr_expect(eq(u32, named(PLACES), 2));
}

Test(tools_names, of_all_that_a_process_has_there)
{
	made.mapping[3].process = 1;
	made.mapping[3].size = 0x1000; /* grown since, the code is the same */
	read_names();
	cr_expect(eq(u32, named(PLACES), 1 | 8));
}

Test(tools_names, not_of_code_that_came_there_later)
{
	made.mapping[3].process = 1;
	made.mapping[3].generation = 1;
	read_names();
	cr_expect(eq(u32, named(PLACES), 1));
}

Test(tools_names, not_of_a_process_that_got_its_pid)
{
	made.process[1].pid = made.process[0].pid;
	made.process[1].start_ns = 12345;
	read_names();
	cr_expect(eq(u32, named(PLACES), 1));
}

Test(tools_names, not_of_processes_whose_definitions_were_lost)
{
	made.processes = 0;
	read_names();
	cr_expect(zero(u32, named(1)), "and nothing tells them apart");
}

Test(tools_names, not_of_memory_of_nobody)
{
	made.mapping[0].process = 0;
	read_names();
	cr_expect(zero(u32, named(PLACES)));
}

Test(tools_names, a_lost_string_is_no_name)
{
	made.name_function = 2;
	read_names();
	cr_expect(zero(u32, named(PLACES)));
}
