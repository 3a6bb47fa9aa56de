// SPDX-License-Identifier: Apache-2.0
/*
 * walk_against_libunwind.c - holds the walker against libunwind, on the stacks of a real program.
 *
 *   walk_against_libunwind [-n STACKS] [-v] COMMAND [ARGUMENT...]
 *
 * The command is stopped at random moments. Each time the stack is walked four times: by the
 * sampling program (bpf/walk.h, natively) with the tables that jail/table.h makes, and by
 * libunwind; once on a snapshot of the stack, there libunwind being jail/snapshot.h's, and once on
 * the stopped thread, there libunwind finding its own tables and reading all memory by ptrace.
 *
 * Every frame has to be the same. The walker has to come as far as libunwind, unless it asks for a
 * snapshot because a rule is beyond it, and no further than where libunwind says that the stack is
 * complete. No difference is excused; what libunwind cannot know when it looks at a thread itself
 * is listed at finds_tables(). Exit status 0 when there was no difference, 77 when the command
 * cannot be run.
 */
#include <errno.h>
#include <libunwind-ptrace.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "jail/snapshot.h"
#include "tests/bpf/machine.h"
#include "tests/unit/random.h"
#include "tests/unwind/capture.h"
#include "tests/unwind/walk_tables.h"

#define LOADS_MAX 4096 /* pages of tables that one walk may ask for */
#define SHOWN_MAX 3    /* differences that are shown in full */

struct chain {
	uint32_t n;
	bool complete;
	bool asks; /* it says that this is too much for it */
	bool by_frame_pointer;
	const char *end;
	uint64_t ip[MAX_FRAMES];
};

/* Of one kind of comparison. */
struct tally {
	uint32_t stacks;
	uint32_t complete; /* of the walker's */
	uint32_t complete_both;
	uint32_t different; /* stacks */
	uint64_t frames;    /* compared */
	uint64_t frames_equal;
	uint32_t by_frame_pointer; /* at least one step */
	uint32_t ends[STACK_ENDS];
};

static struct capture captured;
static bool verbose;

static const char *const end_names[STACK_ENDS] = {
	[STACK_COMPLETE] = "complete",	    [STACK_NO_PROCESS] = "no process",
	[STACK_NO_MAPPING] = "no mapping",  [STACK_NO_TABLE] = "no table",
	[STACK_BEYOND] = "beyond",	    [STACK_MAX_FRAMES] = "max frames",
	[STACK_UNREADABLE] = "unreadable",  [STACK_BAD_FRAME] = "bad frame",
	[STACK_NO_RULE] = "no rule",	    [STACK_REFUSED] = "refused",
	[STACK_CHAIN_END] = "end of chain", [STACK_SHORT] = "short",
	[STACK_NO_ANSWER] = "no answer",
};

static bool read_live(void *to, uint32_t bytes, uint64_t address)
{
	return capture_read(&captured, to, bytes, address);
}

/* Below the stack pointer, where an epilogue has left what it restored, there is no end to it. */
static bool read_snapshot(void *to, uint32_t bytes, uint64_t address)
{
	uint64_t end = captured.registers[7] + captured.stack_bytes;

	return address <= end && bytes <= end - address && read_live(to, bytes, address);
}

/* One sample: its user stack. */
static uint32_t sample_once(struct chain *ret)
{
	const struct machine_record *r;
	uint32_t outcome = 0;

	machine_raise_generation(); /* or the stack is not said again */
	machine_overflow(0);
	ret->n = 0;
	while ((r = machine_take(0))) {
		if (r->bytes == sizeof(struct sample_event) || r->stack->type != RECORD_STACK)
			continue;
		ret->n = (r->bytes - STACK_RECORD_HEADER) / 8;
		if (ret->n == 2 && !r->stack->frames[1])
			ret->n = 1;
		memcpy(ret->ip, r->stack->frames, ret->n * sizeof(ret->ip[0]));
		outcome = r->stack->outcome;
	}
	return outcome;
}

/* Loads what the walker lacked for the last frame; false if there is nothing to load. */
static bool load_missing(const struct chain *chain)
{
	uint64_t ip = chain->ip[chain->n - 1];
	bool where_it_is = walk_tables_load(&captured, ip);

	return walk_tables_load(&captured, ip - 1) || where_it_is; /* where the call is */
}

/* The walker's chain, with the tables loaded that it asks for. */
static enum stack_end walk(struct chain *ret, bool (*read_user)(void *, uint32_t, uint64_t))
{
	uint32_t outcome = 0;

	machine.pid = machine.tid = (uint32_t)captured.pid;
	machine.read_user = read_user;
	memcpy(machine.regs.by_number, captured.registers, sizeof(captured.registers));
	for (int i = 0; i < LOADS_MAX; i++) {
		outcome = sample_once(ret);
		if (STACK_END(outcome) != STACK_NO_TABLE || !ret->n || !load_missing(ret))
			break;
	}
	ret->complete = STACK_END(outcome) == STACK_COMPLETE;
	ret->asks = STACK_END(outcome) == STACK_BEYOND;
	ret->by_frame_pointer = STACK_HOW(outcome) == STACK_BY_FRAME_POINTER;
	ret->end = end_names[STACK_END(outcome)];
	return STACK_END(outcome);
}

static enum snapshot_tables find_tables(void *unused, uint32_t id, const struct cfi **ret)
{
	const struct walk_file *file = walk_tables_get(id);

	(void)unused;
	if (file->kind == WALK_FILE_FRAME_POINTERS)
		return SNAPSHOT_FRAME_POINTERS;
	if (file->kind != WALK_FILE_TABLES)
		return SNAPSHOT_UNUSABLE;
	*ret = &file->cfi;
	return SNAPSHOT_TABLES;
}

static const struct capture_mapping *mapping_at(uint64_t address)
{
	for (uint32_t i = 0; i < captured.mapping_count; i++)
		if (captured.mappings[i].start <= address && address < captured.mappings[i].end)
			return &captured.mappings[i];
	return NULL;
}

/* The file that is mapped at an address, and what it calls the address; NULL if none. */
static const struct walk_file *file_at(uint64_t address, uint64_t *in_file)
{
	const struct capture_mapping *m = mapping_at(address);
	uint32_t number = m ? walk_tables_file(&captured, m) : 0;
	const struct walk_file *file = number ? walk_tables_get(number) : NULL;
	uint64_t offset;

	if (!file)
		return NULL;
	offset = address - m->start + (m->inode ? m->file_offset : 0);
	for (uint32_t i = 0; i < file->elf.load_count; i++) {
		const struct elf_part *part = &file->elf.loads[i].part;

		*in_file = part->address + (offset - part->offset);
		if (file->elf.loads[i].executable && offset - part->offset < part->size)
			return file;
	}
	return NULL;
}

/* What is known beyond the tables: _init() and _fini(), which libunwind takes for what they are
 * not.
 */
static bool in_glued_code(uint64_t address)
{
	uint64_t in_file;
	const struct walk_file *file = file_at(address, &in_file);

	return file && (in_file - file->elf.init.address < file->elf.init.size ||
			in_file - file->elf.fini.address < file->elf.fini.size);
}

/* What libunwind says behind the first @n frames is not to be compared. */
static void cut(struct chain *chain, uint32_t n)
{
	if (n >= chain->n)
		return;
	chain->n = n;
	chain->complete = false;
	chain->end = "stopped";
}

/* libunwind's on the snapshot. */
static void walk_by_jail(struct chain *ret)
{
	static const char *const names[JAIL_ENDS] = {
		[JAIL_END_COMPLETE] = "complete",
		[JAIL_END_ZERO] = "zero",
		[JAIL_END_SHORT] = "short",
		[JAIL_END_FILE] = "file",
		[JAIL_END_NO_MAPPING] = "no mapping",
		[JAIL_END_NO_TABLE] = "no table",
		[JAIL_END_BAD] = "bad",
		[JAIL_END_FRAMES_FULL] = "max frames",
		[JAIL_END_DOUBTFUL] = "doubtful",
	};
	static struct jail_mapping mappings[CAPTURE_MAPPINGS];
	static struct unw_addr_space *space;
	struct jail_walk_request request = {
		.machine = JAIL_MACHINE,
		.mappings = captured.mapping_count,
		.stack_bytes = captured.stack_bytes,
		.stack_address = captured.registers[7],
	};
	const struct snapshot snapshot = {
		.request = &request,
		.mappings = mappings,
		.stack = captured.stack,
		.find = find_tables,
	};
	struct jail_walk_answer answer;

	for (uint32_t i = 0; i < captured.mapping_count; i++) {
		const struct capture_mapping *m = &captured.mappings[i];

		mappings[i] = (struct jail_mapping){
			.start = m->start,
			.end = m->end,
			.file_offset = m->inode ? m->file_offset : 0,
			.file = walk_tables_file(&captured, m),
		};
	}
	memcpy(request.registers, captured.registers, sizeof(captured.registers));
	if (!space)
		space = snapshot_space();
	snapshot_walk(space, &snapshot, &answer, ret->ip);
	ret->n = answer.frames;
	ret->complete = answer.end == JAIL_END_COMPLETE;
	ret->end = names[answer.end];
	for (uint32_t i = 0; i < ret->n; i++)
		if (in_glued_code(ret->ip[i]))
			cut(ret, i + 1);
}

/*
 * Does libunwind find the tables for an address by ptrace? Where it does not it guesses, or says
 * that the stack ends there:
 * - code that no table covers;
 * - the vDSO, which it cannot open;
 * - files in which code is not as far from its offset as the first segment is (those that lld
 *   links: rustc), where it takes the wrong function.
 */
static bool finds_tables(uint64_t address)
{
	uint64_t in_file;
	const struct walk_file *file = file_at(address, &in_file);
	struct cfi_fde fde = { 0 };
	const struct elf_load *load;

	if (!file || file->kind != WALK_FILE_TABLES || !file->inode)
		return false;
	load = file->elf.loads;
	for (uint32_t i = 0; i < file->elf.load_count; i++)
		if (load[i].executable && load[i].part.address - load[i].part.offset !=
						  load[0].part.address - load[0].part.offset)
			return false;
	return cfi_read_fde(&file->cfi, cfi_find(&file->cfi, in_file), &fde) == 0 &&
	       in_file - fde.start < fde.end - fde.start;
}

/* libunwind's on the stopped thread, up to where it would begin to guess. */
static void walk_by_ptrace(struct chain *ret)
{
	static unw_addr_space_t space;
	void *target = _UPT_create(captured.tid);
	unw_cursor_t cursor;
	unw_word_t ip = 0;
	int result = -1;

	if (!space)
		space = unw_create_addr_space(&_UPT_accessors, 0);
	ret->n = 0;
	ret->complete = false;
	ret->end = "stopped";
	if (unw_init_remote(&cursor, space, target))
		goto out;
	while (ret->n < MAX_FRAMES && !unw_get_reg(&cursor, UNW_REG_IP, &ip) && ip) {
		bool is_return = ret->n && unw_is_signal_frame(&cursor) <= 0;

		ret->ip[ret->n++] = ip;
		if (!finds_tables(ip - is_return))
			goto out;
		result = unw_step(&cursor);
		if (result <= 0)
			break;
	}
	ret->complete = result == 0;
	if (result == 0)
		ret->end = "complete";
out:
	_UPT_destroy(target);
}

static void show_address(const char *who, uint64_t address)
{
	const struct capture_mapping *m = mapping_at(address);

	if (m)
		printf(" %s %lx %s+%lx", who, address, m->path[0] ? m->path : "(code)",
		       address - m->start + m->file_offset);
	else
		printf(" %s %lx", who, address);
}

static void show(const char *what, const struct chain *a, const struct chain *b, uint32_t at)
{
	printf("  different from %s: walker %u frames, %s; libunwind %u frames, %s; at %u\n", what,
	       a->n, a->end, b->n, b->end, at);
	for (uint32_t i = at > 3 ? at - 3 : 0; i < at + 2; i++) {
		printf("    %3u", i);
		if (i < a->n)
			show_address("walker", a->ip[i]);
		if (i < b->n && (i >= a->n || a->ip[i] != b->ip[i]))
			show_address("libunwind", b->ip[i]);
		printf("\n");
	}
}

/* Compares, counts, and shows the first differences. */
static void compare(const char *what, struct tally *tally, const struct chain *walker,
		    const struct chain *libunwind)
{
	uint32_t shorter = walker->n < libunwind->n ? walker->n : libunwind->n;
	uint32_t at = 0;
	bool same;

	while (at < shorter && walker->ip[at] == libunwind->ip[at])
		at++;
	same = at == shorter && (walker->n >= libunwind->n || walker->asks) &&
	       (walker->n <= libunwind->n || !libunwind->complete);
	tally->stacks++;
	tally->complete += walker->complete;
	tally->by_frame_pointer += walker->by_frame_pointer;
	tally->complete_both += walker->complete && libunwind->complete;
	tally->frames += same ? at : walker->n > libunwind->n ? walker->n : libunwind->n;
	tally->frames_equal += at;
	tally->different += !same;
	if (!same && (verbose || tally->different <= SHOWN_MAX))
		show(what, walker, libunwind, at);
	else if (same && verbose && (!walker->complete || walker->by_frame_pointer))
		show("(no difference)", walker, libunwind, at);
}

static void report(const char *what, const struct tally *t)
{
	printf("  %-9s %5u stacks, %6.2f %% complete (both: %u), %8lu frames, %.4f %% equal", what,
	       t->stacks, t->stacks ? 100.0 * t->complete / t->stacks : 0.0, t->complete_both,
	       t->frames, t->frames ? 100.0 * (double)t->frames_equal / (double)t->frames : 100.0);
	if (t->by_frame_pointer)
		printf(", %u by frame pointers", t->by_frame_pointer);
	for (int i = 1; i < STACK_ENDS; i++)
		if (t->ends[i])
			printf(", %u %s", t->ends[i], end_names[i]);
	printf("\n");
}

static void load_machine(void)
{
	const struct machine_settings settings = { .user_walk = 1,
						   .snapshot_bytes = 512,
						   .ring_bytes = 65536,
						   .wakeup_bytes = 65536,
						   .have_task_pt_regs = true };

	_Static_assert(USER_WALK_TABLES == 1, "by tables");
	machine_load(&settings);
}

int main(int argc, char **argv)
{
	static struct chain walker, libunwind;
	struct tally snapshot = { 0 }, live = { 0 };
	uint32_t wanted = 200, refused, rules, rows;
	uint64_t random = (uint64_t)time(NULL);
	int option, err;

	while ((option = getopt(argc, argv, "+n:v")) != -1) {
		if (option == 'n')
			wanted = (uint32_t)strtoul(optarg, NULL, 10);
		else if (option == 'v')
			verbose = true;
		else
			return 2;
	}
	if (optind == argc)
		return 2;
	load_machine();
	err = capture_start(&captured, argv + optind);
	if (err) {
		printf("cannot trace %s: %s\n", argv[optind], strerror(-err));
		return 77;
	}
	while (snapshot.stacks < wanted && capture_next(&captured, &random)) {
		walk_tables_use(&captured);
		snapshot.ends[walk(&walker, read_snapshot)]++;
		walk_by_jail(&libunwind);
		compare("snapshot", &snapshot, &walker, &libunwind);
		live.ends[walk(&walker, read_live)]++;
		walk_by_ptrace(&libunwind);
		compare("live", &live, &walker, &libunwind);
		capture_resume(&captured);
	}
	capture_end(&captured);
	walk_tables_counts(&refused, &rules, &rows);
	printf("%s\n", argv[optind]);
	report("snapshot", &snapshot);
	report("live", &live);
	printf("  tables: %u rules, %u rows, %u pages refused\n", rules, rows, refused);
	if (!snapshot.stacks) {
		printf("no stack of %s\n", argv[optind]);
		return 77;
	}
	return snapshot.different || live.different;
}
