// SPDX-License-Identifier: Apache-2.0
/*
 * bench_walk.c - the frames of a stack without frame pointers, by unwind tables.
 *
 * The stack is a real one: that of the workload `depth` at a random moment, stopped by ptrace, its
 * registers and memory copied. The walker is the sampling program's (bpf/walk.h), compiled for the
 * host as in tests/bpf, with the interning of the stack and the sample that come with it; it reads
 * the copy. libunwind walks the same copy as the jail has it do, and has to find the same frames.
 *
 * The other peers walk their own thread's stack, which is the easier task: no copy, no look-up of a
 * process, and caches of their own. A kernel's checks of the memory that is read are in none.
 */
#define UNW_LOCAL_ONLY
#include <dlfcn.h>
#include <errno.h>
#include <gnu/lib-names.h>
#include <libunwind.h>
#include <string.h>

#include "bench/micro/harness.h"
#include "jail/snapshot.h"
#include "tests/bpf/machine.h"
#include "tests/unwind/capture.h"
#include "tests/unwind/walk_tables.h"

#define TRIES	  200
#define FRAMES	  20 /* of the workload while it is where it works */
#define LOADS_MAX 64
#define OWN_DEPTH 20

struct chain {
	uint32_t n;
	uint32_t outcome;
	uint64_t ip[MAX_FRAMES];
};

struct stack_copy {
	uint32_t frames; /* 0: there is none yet */
	struct unw_addr_space *space;
	struct jail_walk_request request;
	struct jail_mapping mappings[CAPTURE_MAPPINGS];
};

/* The machine and its tables are one for the process, and so is the stack that it walks. */
static struct capture captured;
static struct stack_copy copy;

static bool read_copy(void *to, uint32_t bytes, uint64_t address)
{
	uint64_t offset = address - captured.registers[7];

	if (offset > captured.stack_bytes || bytes > captured.stack_bytes - offset)
		return false;
	memcpy(to, captured.stack + offset, bytes);
	return true;
}

/* Takes what is in the ring; the stack that it tells of, if any, is in *ret. */
static void take_records(struct chain *ret)
{
	const struct machine_record *r;

	ret->n = 0;
	while ((r = machine_take(0))) {
		if (r->bytes == sizeof(struct sample_event) || r->stack->type != RECORD_STACK)
			continue;
		ret->n = (r->bytes - STACK_RECORD_HEADER) / 8;
		if (ret->n == 2 && !r->stack->frames[1]) /* a lone frame is padded */
			ret->n = 1;
		ret->outcome = r->stack->outcome;
		memcpy(ret->ip, r->stack->frames, ret->n * sizeof(ret->ip[0]));
	}
}

/* The walker's chain, with the tables loaded that it asks for. */
static void walk(struct chain *ret)
{
	memcpy(machine.regs.by_number, captured.registers, sizeof(captured.registers));
	for (int i = 0; i < LOADS_MAX; i++) {
		uint64_t ip;

		machine_raise_generation(); /* or the stack is not said again */
		machine_overflow(0);
		take_records(ret);
		if (!ret->n || STACK_END(ret->outcome) != STACK_NO_TABLE)
			return;
		ip = ret->ip[ret->n - 1];
		if (!walk_tables_load(&captured, ip - 1) && !walk_tables_load(&captured, ip))
			return;
	}
}

static void load_machine(void)
{
	const struct machine_settings settings = { .user_walk = 1,
						   .snapshot_bytes = 512,
						   .ring_bytes = 1 << 16,
						   .wakeup_bytes = 1 << 15,
						   .have_task_pt_regs = true };

	_Static_assert(USER_WALK_TABLES == 1, "by tables");
	machine_load(&settings);
	machine.read_user = read_copy;
	machine.period = 1;
}

/* The stack of a running thread, whole, and in every run the same functions; false if there is none
 * to be had. */
static bool capture_stack(struct chain *ret)
{
	static char program[] = DEPTH_PROGRAM, option[] = "-d", seconds[] = "60";
	char *const argv[] = { program, option, seconds, NULL };
	uint64_t random = 1;
	bool found = false;

	if (capture_start(&captured, argv))
		return false;
	for (int i = 0; i < TRIES && !found && capture_next(&captured, &random); i++) {
		machine.pid = machine.tid = (uint32_t)captured.pid;
		walk_tables_use(&captured);
		walk(ret);
		found = ret->n == FRAMES && STACK_END(ret->outcome) == STACK_COMPLETE &&
			STACK_HOW(ret->outcome) == STACK_BY_TABLE;
		capture_resume(&captured);
	}
	capture_end(&captured);
	return found;
}

static enum snapshot_tables find_tables(void *unused, uint32_t id, const struct cfi **ret)
{
	const struct walk_file *file = walk_tables_get(id);

	(void)unused;
	if (file->kind != WALK_FILE_TABLES)
		return SNAPSHOT_UNUSABLE;
	*ret = &file->cfi;
	return SNAPSHOT_TABLES;
}

static void make_request(struct stack_copy *c)
{
	c->request = (struct jail_walk_request){
		.machine = JAIL_MACHINE,
		.mappings = captured.mapping_count,
		.stack_bytes = captured.stack_bytes,
		.stack_address = captured.registers[7],
	};
	memcpy(c->request.registers, captured.registers, sizeof(captured.registers));
	for (uint32_t i = 0; i < captured.mapping_count; i++) {
		const struct capture_mapping *m = &captured.mappings[i];

		c->mappings[i] = (struct jail_mapping){
			.start = m->start,
			.end = m->end,
			.file_offset = m->inode ? m->file_offset : 0,
			.file = walk_tables_file(&captured, m),
		};
	}
}

/* libunwind on the copy; returns the frames. */
static uint32_t walk_by_libunwind(const struct stack_copy *c, uint64_t *ip)
{
	const struct snapshot snapshot = {
		.request = &c->request,
		.mappings = c->mappings,
		.stack = captured.stack,
		.find = find_tables,
	};
	struct jail_walk_answer answer;

	snapshot_walk(c->space, &snapshot, &answer, ip);
	return answer.frames;
}

static const char no_backtrace[] = "the C library has no backtrace()";
static const char no_stack[] = "no stack of the workload 'depth' by ptrace";

static int make_copy(void **ret_state)
{
	static struct chain chain, by_libunwind;

	*ret_state = &copy;
	if (copy.frames)
		return 0;
	load_machine();
	if (!capture_stack(&chain)) {
		memcpy(ret_state, &(const char *){ no_stack }, sizeof(*ret_state));
		return -EOPNOTSUPP;
	}
	copy.space = snapshot_space();
	make_request(&copy);
	by_libunwind.n = copy.space ? walk_by_libunwind(&copy, by_libunwind.ip) : 0;
	if (by_libunwind.n != chain.n ||
	    memcmp(by_libunwind.ip, chain.ip, chain.n * sizeof(chain.ip[0])) != 0)
		return -EBADMSG;
	copy.frames = chain.n;
	return 0;
}

/* The copy's frames, @ops of them, in whole stacks. */
static uint64_t run_walker(void *state, uint64_t ops)
{
	const struct stack_copy *c = state;
	uint64_t done;

	for (done = 0; done < ops; done += c->frames) {
		machine_overflow(0);
		while (machine_take(0))
			;
	}
	return done;
}

static uint64_t run_libunwind(void *state, uint64_t ops)
{
	const struct stack_copy *c = state;
	uint64_t ip[MAX_FRAMES], done = 0;

	while (done < ops)
		done += walk_by_libunwind(c, ip);
	bench_keep(ip[0]);
	return done;
}

/* Calls @walk in a stack that is deep enough. */
static __attribute__((noinline)) uint64_t descend(uint32_t depth, int (*walk_own)(void **, int),
						  uint64_t ops)
{
	void *ip[MAX_FRAMES];
	uint64_t done = 0;
	int n;

	if (depth) {
		done = descend(depth - 1, walk_own, ops);
		bench_keep(done); /* not a tail call */
		return done;
	}
	while (done < ops) {
		n = walk_own(ip, MAX_FRAMES);
		if (n <= 0)
			return 0;
		done += (uint64_t)n;
	}
	bench_keep((uint64_t)ip[0]);
	return done;
}

static uint64_t run_own_libunwind(void *state, uint64_t ops)
{
	(void)state;
	return descend(OWN_DEPTH, unw_backtrace, ops);
}

/* libunwind has a backtrace() too, and comes first. */
static int find_glibc(void **ret_state)
{
	void *libc = dlopen(LIBC_SO, RTLD_LAZY);

	*ret_state = libc ? dlsym(libc, "backtrace") : NULL;
	if (*ret_state)
		return 0;
	memcpy(ret_state, &(const char *){ no_backtrace }, sizeof(*ret_state));
	return -EOPNOTSUPP;
}

static uint64_t run_own_glibc(void *state, uint64_t ops)
{
	int (*walk_own)(void **, int);

	memcpy(&walk_own, &state, sizeof(walk_own));
	return descend(OWN_DEPTH, walk_own, ops);
}

static const struct bench benches[] = {
	{
		.group = "walk",
		.name = "profiler",
		.about = "the sampling program: by compiled tables, and the sample",
		.role = BENCH_OURS,
		.op = "frame",
		.setup = make_copy,
		.run = run_walker,
	},
	{
		.group = "walk",
		.name = "libunwind",
		.about = "the same copy of the stack, as the jail has it walked",
		.role = BENCH_PEER,
		.op = "frame",
		.setup = make_copy,
		.run = run_libunwind,
	},
	{
		.group = "walk",
		.name = "libunwind-own",
		.about = "unw_backtrace() of its own thread",
		.role = BENCH_PEER,
		.op = "frame",
		.run = run_own_libunwind,
	},
	{
		.group = "walk",
		.name = "glibc-own",
		.about = "backtrace() of its own thread",
		.role = BENCH_PEER,
		.op = "frame",
		.setup = find_glibc,
		.run = run_own_glibc,
	},
};

const struct bench_list bench_walk = { benches, sizeof(benches) / sizeof(benches[0]) };
