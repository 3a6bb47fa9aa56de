/* SPDX-License-Identifier: Apache-2.0 */
/*
 * make_stream.c - streams with a known content, for the tests of the tools.
 *
 *	make_stream demo           everything the tools show, in three epochs (see below)
 *	make_stream names          names of user code, and where processes are: in containers, with
 *	                           code that they make at run time (see below)
 *	make_stream counts         a group of hardware counters: multiplexed, shared, lost, and a
 *	                           second event without one (see below)
 *	make_stream clock          a group led by a clock
 *	make_stream starved        a group that never got its counters
 *	make_stream empty          a recording without a sample
 *	make_stream idle           a second of an idle machine: four samples, and the coarse clock
 *	                           of idle time expected 16 more
 *	make_stream nothing        one header, no event, no ledger
 *	make_stream elf PATH BUILD_ID OFFSET...
 *	                           a sample at each OFFSET of a file, and one that returns there;
 *	                           BUILD_ID in hexadecimal digits or "-"; names of code of the file
 *	                           go before an offset, as START,SIZE,NAME
 *	make_stream deep FRAMES    one stack of so many frames
 *	make_stream big SAMPLES STACKS
 *	                           for measuring
 *
 * The same arguments give the same bytes. Not for streams larger than memory allows; ends with
 * a message when anything fails.
 */
#include <err.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/golden/stream_writer.h"

/*
 * One kind of sample of the demo. A stack is written from the root to the leaf,
 * "where:function+offset where:function+offset"; an empty function is one without a name.
 */
struct scene {
	uint32_t event, cpu;
	uint32_t pid, tid;
	const char *comm, *thread;
	const char *user, *kernel;
	uint32_t count, weight, flags;
};

static const struct scene scenes[] = {
	{ 0, 0, 100, 100, "server", "server",
	  "server:main+1100 server:handle_request+1250 server:parse+1310", "", 40, 1000000, 0 },
	{ 0, 1, 100, 101, "server", "worker;1",
	  "server:start_thread+1010 server:handle_request+1250 libfoo:compress+2100", "", 30,
	  1000000, 0 },
	{ 0, 1, 100, 101, "server", "worker;1",
	  "server:main+1100 server:handle_request+1250 libfoo:+2f00", "", 7, 1000000, 0 },
	{ 0, 0, 100, 100, "server", "server", "server:main+1100 libc:write+4000",
	  "kernel:entry_SYSCALL_64+80 kernel:ksys_write+900 ext4:ext4_write_begin+0", 11, 1000000,
	  1 },
	{ 0, 0, 100, 100, "server", "server",
	  "server:main+1100 server:fib+1500 server:fib+1520 server:fib+1520 server:fib+1520", "", 9,
	  1000000, 2 },
	{ 0, 2, 200, 200, "sh", "sh", "", "", 3, 1000000, 8 },
	{ 0, 2, 200, 200, "sh", "sh", "", "kernel:do_exit+300", 2, 1000000, 1 | 32 },
	{ 0, 3, 0, 0, "swapper", "swapper/3", "", "kernel:cpu_startup_entry+30 kernel:do_idle+44",
	  5, 1000000, 1 | 64 },
	{ 0, 2, 300, 300, "java", "java", "anon:+7f0000001000 anon:+7f0000001234 vdso:+a40", "", 4,
	  1000000, 0 },
	{ 0, 2, 300, 300, "java", "java", "", "", 1, 1000000, 0 },
	{ 1, 1, 100, 101, "server", "worker;1", "server:start_thread+1010 libc:read+4400",
	  "kernel:entry_SYSCALL_64+80 kernel:schedule+700", 6, 1, 1 },
	{ 2, 0, 100, 100, "server", "server", "server:main+1100 libc:memset+4800", "", 8, 100, 0 },
	{ 2, 2, 200, 200, "sh", "s\x1b[31mh\xff\n", "server:std::map<a, b>::find(\"x\\y\")+1700",
	  "kernel:do_fault+500", 1, 100, 1 | 4 },
};

static uint32_t scene_mapping(struct writer *w, const char *name)
{
	static uint8_t id_server[] = { 0xab, 0xcd, 1,  2,  3,  4,  5,  6,  7,  8,
				       9,    10,   11, 12, 13, 14, 15, 16, 17, 18 };
	static uint8_t id_foo[] = { 0xfe, 0xdc, 0xba, 0x98, 1, 2, 3, 4 };
	const ProtobufCBinaryData none = { 0 };

	if (!strcmp(name, "server"))
		return writer_add_mapping(w, PROFILER__MAPPING__KIND__FILE, "/opt/demo/server",
					  (ProtobufCBinaryData){ sizeof(id_server), id_server },
					  0x1000, 0x1000);
	if (!strcmp(name, "libfoo"))
		return writer_add_mapping(
			w, PROFILER__MAPPING__KIND__FILE, "/opt/demo/lib/libfoo.so",
			(ProtobufCBinaryData){ sizeof(id_foo), id_foo }, 0x2000, 0x1000);
	if (!strcmp(name, "libc"))
		return writer_add_mapping(w, PROFILER__MAPPING__KIND__FILE,
					  "/opt/demo/lib/libc.so.6", none, 0x4000, 0x2000);
	if (!strcmp(name, "kernel"))
		return writer_add_mapping(w, PROFILER__MAPPING__KIND__KERNEL, "[kernel.kallsyms]",
					  none, 0, 0x100000);
	if (!strcmp(name, "ext4"))
		return writer_add_mapping(w, PROFILER__MAPPING__KIND__MODULE, "[ext4]", none, 0, 0);
	if (!strcmp(name, "vdso"))
		return writer_add_mapping(w, PROFILER__MAPPING__KIND__VDSO, "", none, 0, 0x2000);
	return writer_add_mapping(w, PROFILER__MAPPING__KIND__ANON, "", none, 0, 0);
}

static uint32_t scene_stack(struct writer *w, const char *spec)
{
	char *copy = strdup(spec);
	uint32_t node = 0;

	/* names may hold spaces: a frame ends where the offset does */
	for (char *at = copy; *at;) {
		char *function = strchr(at, ':') + 1;
		char *offset = strchr(function, '+') + 1;
		char *end;
		uint64_t value = strtoull(offset, &end, 16);

		function[-1] = 0;
		offset[-1] = 0;
		node = writer_add_node(w, node, scene_mapping(w, at), value,
				       writer_add_string(w, function));
		at = *end ? end + 1 : end;
	}
	free(copy);
	return node;
}

static void write_scene(struct writer *w, const struct scene *s, bool second)
{
	/* in the last epoch pid 200 is another process of the same name */
	uint64_t start_ns = s->pid == 200 && second ? START_NS + 77 : 0;
	uint32_t process = writer_add_process(w, s->pid, s->comm, start_ns);
	uint32_t thread = writer_add_thread(w, process, s->tid, s->thread);
	uint32_t user = scene_stack(w, s->user);
	uint32_t kernel = scene_stack(w, s->kernel);

	for (uint32_t i = 0; i < s->count; i++)
		writer_add_sample(w, s->cpu, s->event, thread, user, kernel, s->weight, s->flags);
}

/* All scenes three times: in order, backwards in an epoch with other ids, in order again. */
static void make_demo(void)
{
	const size_t count = sizeof(scenes) / sizeof(scenes[0]);
	struct writer w;

	writer_begin(&w);
	writer_add_event(&w, event_cpu_clock());
	writer_add_event(&w, event_counted("context-switches", "", 1));
	writer_add_event(&w, event_counted("page-faults", "u", 100));
	w.header.notice = calloc(1, sizeof(char *));
	w.header.notice[w.header.n_notice++] =
		event_text("no hardware events on this machine; cpu-clock instead of cycles");
	writer_begin_epoch(&w);
	for (size_t i = 0; i < count; i++) {
		write_scene(&w, &scenes[i], false);
		if (i % 4 == 3)
			writer_flush(&w);
	}
	writer_flush(&w);
	writer_write_ledger(&w, false);
	writer_begin_epoch(&w);
	for (size_t i = count; i--;)
		write_scene(&w, &scenes[i], false);
	writer_flush(&w);
	writer_begin_epoch(&w);
	for (size_t i = 0; i < count; i++)
		write_scene(&w, &scenes[i], true);
	writer_flush(&w);
	writer_write_ledger(&w, true);
}

static void make_empty(bool anything)
{
	struct writer w;

	writer_begin(&w);
	if (anything)
		writer_add_event(&w, event_cpu_clock());
	writer_begin_epoch(&w);
	writer_flush(&w);
	w.time_ns += 1000000000;
	if (anything)
		writer_write_ledger(&w, true);
}

static void make_idle(void)
{
	uint32_t thread, stack;
	struct writer w;

	writer_begin(&w);
	w.idle = true;
	writer_add_event(&w, event_cpu_clock());
	writer_begin_epoch(&w);
	thread = writer_add_thread(&w, writer_add_process(&w, 100, "cron", 0), 100, "cron");
	stack = scene_stack(&w, "kernel:ksys_write+900");
	for (uint32_t i = 0; i < 4; i++)
		writer_add_sample(&w, i % 2, 0, thread, 0, stack, 1000000, 1);
	writer_flush(&w);
	w.time_ns = START_NS + 1000000000;
	writer_write_ledger(&w, true);
}

/* What the samples of a function count: by the kilo-cycle, and how far that scatters. */
struct pace {
	const char *stack;
	uint32_t samples;
	uint32_t instructions, cache_misses, branch_misses; /* in 1,000 cycles */
	uint32_t scatter;				    /* percent, of each */
	uint32_t shared_every; /* so many samples share their counts; 0: none */
	uint32_t lost_every;   /* have none */
	uint32_t running_percent;
};

static const struct pace paces[] = {
	{ "server:main+1100 server:handle_request+1250 server:parse+1310", 60, 2500, 1, 4, 20, 0, 0,
	  100 },
	{ "server:start_thread+1010 server:handle_request+1250 libfoo:compress+2100", 45, 420, 31,
	  11, 50, 5, 0, 100 },
	{ "server:main+1100 server:hash+1500", 35, 3000, 0, 0, 0, 0, 0, 100 },
	{ "server:main+1100 libc:write+4000", 29, 1100, 6, 5, 10, 0, 0, 100 },
	{ "server:main+1100 server:render+1600", 48, 1400, 3, 9, 30, 0, 4, 100 },
	{ "server:main+1100 server:index+1700 server:index+1720", 40, 900, 12, 2, 30, 0, 0, 40 },
	{ "server:main+1100 server:rare+1800", 3, 700, 12, 2, 30, 0, 0, 0 },
};

/* Something between 100 - @percent and 100 + @percent of a value. */
static uint64_t scattered(uint64_t value, uint32_t percent, uint64_t *random)
{
	*random = *random * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
	if (percent)
		value = value * (100 - percent + (*random >> 33) % (2 * percent + 1)) / 100;
	return value;
}

static void add_paced(struct writer *w, const struct pace *p, uint32_t thread, uint32_t i,
		      uint64_t *random)
{
	uint64_t cycles = scattered(1000000 + (p->scatter ? 7 : 0), p->scatter, random);
	uint64_t count[EVENTS] = { cycles };
	uint64_t enabled_ns = p->running_percent < 100 ? 1000000 + i : 0;

	count[2] = scattered(cycles * p->instructions / 1000, p->scatter, random);
	count[3] = scattered(cycles * p->cache_misses / 1000, p->scatter, random);
	count[4] = scattered(cycles * p->branch_misses / 1000, p->scatter, random);
	writer_add_sample(w, i % CPUS, 0, thread, scene_stack(w, p->stack), 0, 1000000, 0);
	if (p->lost_every && i % p->lost_every == 0)
		return;
	for (uint32_t e = 0; p->running_percent < 100 && e < EVENTS; e++)
		count[e] = count[e] * p->running_percent / 100;
	writer_add_counts(w, i % CPUS, 0, count, enabled_ns, enabled_ns * p->running_percent / 100,
			  p->shared_every && i % p->shared_every == 0);
}

/* The group is the first event and the last three. */
static void make_counts(void)
{
	uint64_t random = 1;
	struct writer w;

	writer_begin(&w);
	w.throttled = true;
	w.running_percent = 87;
	writer_add_event(&w, event_cpu_clock());
	w.header.event[0]->name = event_text("cycles");
	w.header.event[0]->unit = event_text("count");
	w.header.event[0]->requested = event_text("");
	w.header.event[0]->asked = 4000;
	w.header.event[0]->precise = 2;
	writer_add_event(&w, event_counted("page-faults", "", 100));
	writer_add_event(&w, event_member("instructions", "", 0));
	writer_add_event(&w, event_member("cache-misses", "", 0));
	writer_add_event(&w, event_member("branch-misses", "", 0));
	for (uint32_t epoch = 0; epoch < 3; epoch++) {
		uint32_t thread, other;

		writer_begin_epoch(&w);
		thread = writer_add_thread(&w, writer_add_process(&w, 100, "server", 0), 100,
					   "server");
		other = writer_add_thread(&w, writer_add_process(&w, 200, "sh", 0), 200, "sh");
		for (size_t i = 0; i < sizeof(paces) / sizeof(paces[0]); i++) {
			uint32_t samples = paces[i].samples;

			for (uint32_t n = samples * epoch / 3; n < samples * (epoch + 1) / 3; n++)
				add_paced(&w, &paces[i], i == 3 ? other : thread, n, &random);
			if (i % 3 == 2)
				writer_flush(&w);
		}
		for (uint32_t i = 0; i < 5; i++)
			writer_add_sample(&w, i % CPUS, 1, other,
					  scene_stack(&w, "server:main+1100 server:render+1600"), 0,
					  100, 0);
		writer_flush(&w);
	}
	writer_write_ledger(&w, true);
}

/* What happens in CPU time, to two functions. */
static void make_clock(void)
{
	uint64_t random = 1;
	struct writer w;

	writer_begin(&w);
	writer_add_event(&w, event_cpu_clock());
	writer_add_event(&w, event_member("context-switches", "", 0));
	writer_add_event(&w, event_member("page-faults", "u", 0));
	writer_begin_epoch(&w);
	for (uint32_t i = 0; i < 120; i++) {
		uint32_t process = writer_add_process(&w, 100, "server", 0);
		uint64_t count[EVENTS] = { scattered(1000000, 10, &random), i % 4 == 0, i % 3 };

		writer_add_sample(&w, i % CPUS, 0, writer_add_thread(&w, process, 100, "server"),
				  scene_stack(&w, i % 3 ? "server:main+1100 server:touch+1300"
							: "server:main+1100 server:spin+1200"),
				  0, 1000000, 0);
		writer_add_counts(&w, i % CPUS, 0, count, 0, 0, i % 4 == 0);
	}
	writer_flush(&w);
	writer_write_ledger(&w, true);
}

/* The other event took its samples. */
static void make_starved(void)
{
	struct writer w;
	uint32_t thread;

	writer_begin(&w);
	w.running_percent = 0;
	writer_add_event(&w, event_counted("cycles", "", 1000000));
	writer_add_event(&w, event_member("instructions", "", 0));
	writer_begin_epoch(&w);
	thread = writer_add_thread(&w, writer_add_process(&w, 100, "server", 0), 100, "server");
	writer_add_sample(&w, 0, 0, thread, scene_stack(&w, "server:main+1100"), 0, 1000000, 0);
	writer_flush(&w);
	writer_write_ledger(&w, true);
}

#define CONTAINER "4f1c9a7e2b3d5c6f8091a2b3c4d5e6f708192a3b4c5d6e7f8091a2b3c4d5e6f7"

static uint32_t file_mapping(struct writer *w, const char *path)
{
	uint64_t *build_id = malloc(sizeof(*build_id)); /* the writer keeps it */

	/* made up from the path, as they are of different files */
	*build_id = 14695981039346656037u;
	for (const char *c = path; *c; c++)
		*build_id = (*build_id ^ (uint8_t)*c) * 1099511628211u;
	return writer_add_mapping(w, PROFILER__MAPPING__KIND__FILE, path,
				  (ProtobufCBinaryData){ sizeof(*build_id), (uint8_t *)build_id },
				  0, 0x10000);
}

/* So many samples of one thread at a place that the code at another has called. */
static void add_calls(struct writer *w, uint32_t thread, uint32_t mapping, uint64_t caller,
		      uint64_t leaf, uint32_t count)
{
	uint32_t node = writer_add_node(w, 0, mapping, caller, 0);

	node = writer_add_node(w, node, mapping, leaf, 0);
	for (uint32_t i = 0; i < count; i++)
		writer_add_sample(w, i % CPUS, 0, thread, node, 0, 1000000, 0);
}

/* Programs whose code has names in the stream, and a library for each reason to have none. */
static void add_files(struct writer *w, uint32_t thread, bool names)
{
	static const struct {
		const char *path;
		Profiler__Names__Unknown why;
	} unknown[] = {
		{ "/opt/demo/lib/libstripped.so", PROFILER__NAMES__UNKNOWN__NO_SYMBOL },
		{ "/opt/demo/lib/libgone.so", PROFILER__NAMES__UNKNOWN__NO_FILE },
		{ "/opt/demo/lib/libbroken.so", PROFILER__NAMES__UNKNOWN__BAD_FILE },
		{ "/opt/demo/lib/libmany.so", PROFILER__NAMES__UNKNOWN__CHANGED },
		{ "/opt/demo/lib/libfuture.so", (Profiler__Names__Unknown)77 },
		{ "/opt/demo/lib/libuntold.so", PROFILER__NAMES__UNKNOWN__HAS_NAME },
	};
	uint32_t app = file_mapping(w, "/opt/demo/app");

	add_calls(w, thread, app, 0x1100, 0x1234, 40);
	add_calls(w, thread, app, 0x1100, 0x1300, 20); /* behind the end of parse() */
	if (names) {
		writer_add_name(w, app, 0x1200, 0x100, "_ZN3app5parseEPKcRSt6vectorIiSaIiEE",
				PROFILER__NAMES__UNKNOWN__HAS_NAME);
		writer_add_name(w, app, 0x1000, 0x100, "main", PROFILER__NAMES__UNKNOWN__HAS_NAME);
		writer_add_name(w, app, 0x1000, 0x1000, "", PROFILER__NAMES__UNKNOWN__NO_SYMBOL);
	}
	for (size_t i = 0; i < sizeof(unknown) / sizeof(unknown[0]); i++) {
		uint32_t mapping = file_mapping(w, unknown[i].path);

		add_calls(w, thread, mapping, 0x500, 0x600, 6 - (uint32_t)i);
		if (names && unknown[i].why)
			writer_add_name(w, mapping, 0, 0x1000, "", unknown[i].why);
	}
}

/* Code that two processes made at the same address, one of them twice. */
static void add_jit(struct writer *w, uint32_t process, uint32_t thread, uint32_t generation,
		    const char *name, uint32_t count)
{
	uint32_t memory = writer_new_memory(w, process, generation);

	add_calls(w, thread, memory, 0x7f0000001080, 0x7f0000002010, count);
	writer_add_name(w, memory, 0x7f0000001000, 0x100, "Interpreter",
			PROFILER__NAMES__UNKNOWN__HAS_NAME);
	writer_add_name(w, memory, 0x7f0000002000, 0x40, name,
			*name ? PROFILER__NAMES__UNKNOWN__HAS_NAME
			      : PROFILER__NAMES__UNKNOWN__NO_MAP);
}

/*
 * Three epochs of the same, and the first alone has the names of files: they come after the frames
 * and hold for the whole stream.
 */
static void make_names(void)
{
	struct writer w;

	writer_begin(&w);
	writer_add_event(&w, event_cpu_clock());
	for (int epoch = 0; epoch < 3; epoch++) {
		uint32_t app, java, node, app_thread;

		writer_begin_epoch(&w);
		app = writer_add_process(&w, 100, "app", 0);
		java = writer_add_process(&w, 300, "java", START_NS + 5);
		node = writer_add_process(&w, 301, "node", START_NS + 6);
		writer_place_process(&w, app, "/system.slice/docker-" CONTAINER ".scope", 1);
		writer_place_process(&w, java, "/user.slice/user-1000.slice/session-2.scope", 0);
		app_thread = writer_add_thread(&w, app, 100, "app");
		add_files(&w, app_thread, false);
		writer_flush(&w);
		add_files(&w, app_thread, epoch == 0);
		add_jit(&w, java, writer_add_thread(&w, java, 300, "java"), 1, "LFoo;::bar", 8);
		add_jit(&w, java, writer_add_thread(&w, java, 303, "C2"), 2, "LFoo;::baz", 5);
		add_jit(&w, node, writer_add_thread(&w, node, 301, "node"), 1, "", 3);
		writer_flush(&w);
	}
	writer_write_ledger(&w, true);
}

static void make_elf(const char *path, const char *digits, char **offsets)
{
	uint8_t build_id[64];
	ProtobufCBinaryData id = { 0, build_id };
	uint32_t thread, mapping, call;
	struct writer w;

	for (; *digits != '-' && sscanf(digits, "%2hhx", &build_id[id.len]) == 1; digits += 2)
		id.len++;
	writer_begin(&w);
	w.header.clock->realtime_ns = UINT64_C(9000000000000000000); /* after any file's time */
	writer_add_event(&w, event_cpu_clock());
	writer_begin_epoch(&w);
	thread = writer_add_thread(&w, writer_add_process(&w, 1, "elf", 0), 1, "elf");
	mapping = writer_add_mapping(&w, PROFILER__MAPPING__KIND__FILE, path, id, 0, 1 << 20);
	call = scene_stack(&w, "kernel:entry_SYSCALL_64+80");
	for (; *offsets; offsets++) {
		char *rest = NULL;
		uint64_t offset = strtoull(*offsets, &rest, 0);
		uint64_t size = *rest ? strtoull(rest + 1, &rest, 0) : 0;
		uint32_t outer;

		if (*rest) {
			writer_add_name(&w, mapping, offset, size, rest + 1,
					PROFILER__NAMES__UNKNOWN__HAS_NAME);
			continue;
		}
		outer = writer_add_node(&w, 0, mapping, offset, 0);

		writer_add_sample(&w, 0, 0, thread, outer, 0, 1000000, 0);
		/* a leaf that called the kernel by its last instruction, which ends at offset */
		writer_add_sample(&w, 0, 0, thread, outer, call, 1000000, 1);
	}
	writer_flush(&w);
	writer_write_ledger(&w, true);
}

static void make_deep(uint32_t frames)
{
	const ProtobufCBinaryData none = { 0 };
	uint32_t mapping, thread, node = 0;
	struct writer w;

	writer_begin(&w);
	writer_add_event(&w, event_cpu_clock());
	writer_begin_epoch(&w);
	thread = writer_add_thread(&w, writer_add_process(&w, 1, "deep", 0), 1, "deep");
	mapping = writer_add_mapping(&w, PROFILER__MAPPING__KIND__ANON, "", none, 0, 0);
	for (uint32_t i = 0; i < frames; i++)
		node = writer_new_node(&w, node, writer_new_frame(&w, mapping, i, 0));
	writer_add_sample(&w, 0, 0, thread, node, 0, 1000000, 0);
	writer_flush(&w);
	writer_write_ledger(&w, true);
}

/*
 * Stacks of 20 frames that share their outer half by the hundred, 1,000 functions, 200 threads;
 * a new epoch every million samples.
 */
static void make_big(uint64_t samples, uint32_t stacks)
{
	enum {
		DEPTH = 20,
		SHARED = 10,
		GROUP = 100,
		FUNCTIONS = 1000,
		THREADS = 200,
		PACKET = 4000
	};
	const ProtobufCBinaryData none = { 0 };
	uint32_t *leaf = calloc(stacks, sizeof(*leaf));
	uint64_t random = 1;
	struct writer w;

	writer_begin(&w);
	writer_add_event(&w, event_cpu_clock());
	for (uint64_t done = 0; done < samples; done++) {
		uint32_t stack;

		if (done % 1000000 == 0) {
			uint32_t mapping, outer = 0;
			char name[32];

			writer_begin_epoch(&w);
			mapping = writer_add_mapping(&w, PROFILER__MAPPING__KIND__KERNEL, "", none,
						     0, 0);
			for (uint32_t i = 0; i < FUNCTIONS; i++) {
				snprintf(name, sizeof(name), "function_%u", i);
				writer_new_frame(&w, mapping, i * 64, writer_add_string(&w, name));
			}
			for (uint32_t i = 0; i < THREADS; i++) {
				snprintf(name, sizeof(name), "thread_%u", i);
				writer_add_thread(&w,
						  writer_add_process(&w, 1000 + i / 8, "big", 0),
						  1000 + i, name);
			}
			for (uint32_t i = 0; i < stacks; i++) {
				uint32_t node = 0;

				for (uint32_t d = 0; i % GROUP == 0 && d < SHARED; d++)
					outer = writer_new_node(&w, d ? outer : 0,
								1 + (i / GROUP * 7 + d * 131) %
										FUNCTIONS);
				node = outer;
				for (uint32_t d = SHARED; d < DEPTH; d++)
					node = writer_new_node(&w, node,
							       1 + (i * 31 + d * 17) % FUNCTIONS);
				leaf[i] = node;
				if (i % 1000 == 999)
					writer_flush(&w);
			}
		}
		random = random * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
		stack = (uint32_t)(random >> 33) % stacks;
		writer_add_sample(&w, (uint32_t)(done % CPUS), 0, 1 + stack % THREADS, 0,
				  leaf[stack], 1000000, 1);
		if (done % PACKET == PACKET - 1)
			writer_flush(&w);
	}
	writer_flush(&w);
	writer_write_ledger(&w, true);
	free(leaf);
}

int main(int argc, char **argv)
{
	if (argc == 2 && !strcmp(argv[1], "demo"))
		make_demo();
	else if (argc == 2 && !strcmp(argv[1], "names"))
		make_names();
	else if (argc == 2 && !strcmp(argv[1], "counts"))
		make_counts();
	else if (argc == 2 && !strcmp(argv[1], "clock"))
		make_clock();
	else if (argc == 2 && !strcmp(argv[1], "starved"))
		make_starved();
	else if (argc == 2 && !strcmp(argv[1], "empty"))
		make_empty(true);
	else if (argc == 2 && !strcmp(argv[1], "idle"))
		make_idle();
	else if (argc == 2 && !strcmp(argv[1], "nothing"))
		make_empty(false);
	else if (argc > 4 && !strcmp(argv[1], "elf"))
		make_elf(argv[2], argv[3], argv + 4);
	else if (argc == 3 && !strcmp(argv[1], "deep"))
		make_deep((uint32_t)strtoul(argv[2], NULL, 10));
	else if (argc == 4 && !strcmp(argv[1], "big"))
		make_big(strtoull(argv[2], NULL, 10), (uint32_t)strtoul(argv[3], NULL, 10));
	else
		errx(2, "see the top of make_stream.c");
	if (fflush(stdout))
		err(1, "write");
	return 0;
}
