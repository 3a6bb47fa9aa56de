// SPDX-License-Identifier: Apache-2.0
/*
 * resolve.c - a sample's numbers (pid, slots, addresses) to the stream's ids.
 *
 * Most samples are of the thread that the one before was of, with a stack that was resolved before,
 * in the same address space and the same epoch: two table look-ups then, and nothing else.
 * Otherwise its addresses are looked up one by one and its path is entered into the call tree.
 *
 * Invariant: ids that go into a sample are all of one epoch. When a table of the epoch is full, a
 * new epoch begins and the sample is resolved again from the start.
 */
#include "profiler/resolve.h"

#include <stdio.h>
#include <string.h>

#include "profiler/calltree.h"
#include "profiler/cgroups.h"
#include "profiler/completer.h"
#include "profiler/jitnamer.h"
#include "profiler/kallsyms.h"
#include "profiler/namer.h"
#include "profiler/procmap.h"
#include "profiler/stacks.h"
#include "profiler/stream.h"

/* Stands for the kernel's address space in raw_stack.image_id; images of processes begin at 1. */
#define KERNEL_IMAGE 0

#define KERNEL_PATH "[kernel.kallsyms]"

static void renew_epoch(struct resolver *r)
{
	if (r->epoch == stream_epoch(r->stream))
		return;
	r->epoch = stream_epoch(r->stream);
	r->kernel_mapping = 0;
	r->bpf_mapping = 0;
	r->unknown_mapping = 0;
	memset(r->end_mapping, 0, sizeof(r->end_mapping));
	r->last_module_mapping = 0;
	memset(r->asked, 0, sizeof(r->asked));
}

/* The id of a mapping without a file, defined at its first use in an epoch. */
static uint32_t special_mapping(struct resolver *r, uint32_t *id, Profiler__Mapping__Kind kind,
				const char *path)
{
	const struct stream_mapping m = { .kind = kind, .path = path };

	if (!*id)
		*id = stream_mapping(r->stream, &m);
	return *id;
}

/* Frames of one module follow each other; another module's mapping may be defined again. */
static uint32_t module_mapping(struct resolver *r, const char *module)
{
	if (r->last_module_mapping && strcmp(r->last_module, module) != 0)
		r->last_module_mapping = 0;
	snprintf(r->last_module, sizeof(r->last_module), "%s", module);
	return special_mapping(r, &r->last_module_mapping, PROFILER__MAPPING__KIND__MODULE, module);
}

/*
 * The place of a frame that was found before, or of the one that will be. New stacks are mostly
 * new ways through known functions: what is looked up, hashed and compared for a frame is so for
 * the first stack only.
 */
static struct resolve_frame *frame_place(struct resolver *r, uint64_t image, uint64_t addr,
					 bool leaf)
{
	uint64_t hash = (addr + image * 31) * 0x9E3779B97F4A7C15ULL;

	return &r->frame[leaf][hash >> 32 & (RESOLVE_FRAMES - 1)];
}

static bool is_frame(const struct resolver *r, const struct resolve_frame *f, uint64_t image,
		     uint64_t addr)
{
	return f->address == addr && f->epoch == r->epoch && f->image == image;
}

static void keep_frame(const struct resolver *r, struct resolve_frame *f, uint64_t image,
		       uint64_t addr, uint32_t id)
{
	if (id)
		*f = (struct resolve_frame){ addr, image, r->epoch, id };
}

static uint32_t find_kernel_frame(struct resolver *r, uint64_t addr, bool leaf)
{
	struct calltree *tree = stream_calltree(r->stream);
	uint32_t mapping, function = 0;
	uint64_t offset = 0;
	struct ksym symbol;

	/* A return address may be the first byte after a function that does not return. */
	if (r->kallsyms && kallsyms_find(r->kallsyms, leaf ? addr : addr - 1, &symbol) == 0) {
		function = stream_string(r->stream, symbol.name);
		offset = addr - symbol.start;
	} else {
		symbol.kind = KSYM_KERNEL;
	}
	switch (symbol.kind) {
	case KSYM_MODULE:
		mapping = module_mapping(r, symbol.module);
		break;
	case KSYM_BPF:
		mapping =
			special_mapping(r, &r->bpf_mapping, PROFILER__MAPPING__KIND__BPF, "[bpf]");
		break;
	default:
		mapping = special_mapping(r, &r->kernel_mapping, PROFILER__MAPPING__KIND__KERNEL,
					  KERNEL_PATH);
		if (function)
			offset = addr - kallsyms_text_start(r->kallsyms);
	}
	if (r->kernel_addresses)
		offset = addr;
	return calltree_frame(tree, mapping, offset, function);
}

static uint32_t kernel_frame(struct resolver *r, uint64_t addr, bool leaf)
{
	struct resolve_frame *f = frame_place(r, KERNEL_IMAGE, addr, leaf);
	uint32_t id;

	if (is_frame(r, f, KERNEL_IMAGE, addr))
		return f->id;
	id = find_kernel_frame(r, addr, leaf);
	keep_frame(r, f, KERNEL_IMAGE, addr, id);
	return id;
}

static Profiler__Mapping__Kind mapping_kind(enum mapped_kind kind)
{
	switch (kind) {
	case MAPPED_FILE:
	case MAPPED_MEMFD:
		return PROFILER__MAPPING__KIND__FILE;
	case MAPPED_VDSO:
		return PROFILER__MAPPING__KIND__VDSO;
	default:
		return PROFILER__MAPPING__KIND__ANON;
	}
}

static uint32_t region_mapping(struct resolver *r, struct region *region)
{
	const struct mapped_file *file = region->file;
	const struct stream_mapping m = {
		.kind = mapping_kind(file->kind),
		.path = file->path,
		.build_id = file->build_id,
		.build_id_bytes = file->build_id_size,
		.file_offset = region->file_offset,
		.size = region->size,
	};

	if (region->stream_epoch != r->epoch) {
		region->stream_id = stream_mapping(r->stream, &m);
		region->stream_epoch = r->epoch;
	}
	return region->stream_id;
}

/* Memory without a file is one process's alone, and may hold other code from one time to another.
 */
static uint32_t anon_mapping(struct resolver *r, const struct process *process,
			     const struct region *region)
{
	const struct stream_mapping m = {
		.kind = PROFILER__MAPPING__KIND__ANON,
		.path = region->file->path,
		.file_offset = region->file_offset,
		.size = region->size,
		.process = process ? process->stream_id : 0,
		.generation = process && r->jitnamer ? jitnamer_begin(r->jitnamer, process) : 0,
	};
	uint64_t serial = process ? process->serial : 0;
	size_t i = (serial * 31 + (uintptr_t)region / sizeof(*region)) % RESOLVE_ANON;

	if (r->anon[i].epoch != r->epoch || r->anon[i].process != serial ||
	    r->anon[i].region != region || r->anon[i].generation != m.generation) {
		r->anon[i].mapping = stream_mapping(r->stream, &m);
		r->anon[i].epoch = r->epoch;
		r->anon[i].process = serial;
		r->anon[i].region = region;
		r->anon[i].generation = m.generation;
	}
	return r->anon[i].mapping;
}

/* Whose a user stack is. A process that still has the image gets to know its build ids by the way;
 * otherwise @process is NULL and @image is as it was. */
struct user_space {
	struct process *process;
	struct image *image;
	uint32_t pid;
};

static void ask_name(struct resolver *r, const struct user_space *u, const struct mapping *m,
		     uint32_t mapping, uint64_t addr, uint32_t frame, bool leaf)
{
	uint8_t bit = leaf ? RESOLVE_ASKED_LEAF : RESOLVE_ASKED_RETURN;
	uint64_t inside = leaf ? addr : addr - 1;

	if (!frame || r->asked[frame - 1] & bit)
		return;
	/* A 32-bit process has another vDSO than the one that we have. */
	if (m->region->file->kind == MAPPED_VDSO && m->end <= UINT32_MAX)
		return;
	r->asked[frame - 1] |= bit;
	if (mapping_kind(m->region->file->kind) != PROFILER__MAPPING__KIND__ANON)
		namer_place(r->namer, u->pid, m, mapping, inside - m->start + m->file_offset);
	else if (u->process && m->region->file->kind == MAPPED_ANON)
		jitnamer_place(r->jitnamer, u->process, mapping, inside);
}

/* The frame of a user address. */
static uint32_t user_frame(struct resolver *r, const struct user_space *u, uint64_t addr, bool leaf)
{
	uint64_t inside = leaf ? addr : addr - 1, offset = addr, image;
	const struct mapping *m;
	struct resolve_frame *f;
	uint32_t id, frame;

	image = u->process && u->process->image ? u->process->image->id : KERNEL_IMAGE;
	f = frame_place(r, image, addr, leaf);
	if (image && is_frame(r, f, image, addr))
		return f->id;
	m = u->process ? procmap_find(r->procmap, u->process, inside)
	    : u->image ? image_find(u->image, inside)
		       : NULL;

	if (!m) {
		id = special_mapping(r, &r->unknown_mapping, PROFILER__MAPPING__KIND__UNKNOWN, "");
	} else if (m->region->file->kind == MAPPED_ANON) {
		id = anon_mapping(r, u->process, m->region);
	} else {
		id = region_mapping(r, m->region);
		offset = addr - m->start + m->file_offset;
	}
	frame = calltree_frame(stream_calltree(r->stream), id, offset, 0);
	if (m && r->namer)
		ask_name(r, u, m, id, addr, frame, leaf);
	/* Whose memory without a file is, and since when, is not in the image. */
	if (image && m && m->region->file->kind != MAPPED_ANON)
		keep_frame(r, f, image, addr, frame);
	return frame;
}

/* What stands for the callers that are not known; NULL where none are, or a flag says it. */
static const char *missing_callers(uint32_t outcome)
{
	static const char *const texts[STACK_ENDS] = {
		[STACK_NO_PROCESS] = "mappings not known yet",
		[STACK_NO_MAPPING] = "not in a mapping",
		[STACK_NO_TABLE] = "table not loaded yet",
		[STACK_BEYOND] = "rule too complex",
		[STACK_BAD_FRAME] = "not a frame",
		[STACK_NO_RULE] = "no unwind table",
		[STACK_REFUSED] = "unwind table not usable",
		[STACK_SHORT] = "longer than the snapshot",
		[STACK_NO_ANSWER] = "snapshot not walked",
	};

	return texts[STACK_END(outcome) < STACK_ENDS ? STACK_END(outcome) : STACK_COMPLETE];
}

/* The root of a stack that ends early: a frame that says why. 0 for none, or when a table is full.
 */
static uint32_t end_node(struct resolver *r, uint32_t outcome)
{
	const char *why = missing_callers(outcome);
	struct calltree *tree = stream_calltree(r->stream);
	uint32_t mapping, frame;

	if (!why)
		return 0;
	mapping = special_mapping(r, &r->end_mapping[STACK_END(outcome)],
				  PROFILER__MAPPING__KIND__MISSING, why);
	frame = calltree_frame(tree, mapping, 0, 0);
	return frame ? calltree_node(tree, 0, frame) : 0;
}

/* The node of a user stack, frame by frame. Returns 0 when a table is full. */
static uint32_t user_node(struct resolver *r, const struct user_space *u, const __u64 *frames,
			  uint32_t n, uint32_t outcome)
{
	uint32_t node = end_node(r, outcome);

	for (uint32_t i = n; i-- > 0;) {
		uint32_t frame = user_frame(r, u, frames[i], i == 0);

		node = frame ? calltree_node(stream_calltree(r->stream), node, frame) : 0;
		if (!node)
			return 0;
	}
	return node;
}

static uint32_t kernel_node(struct resolver *r, const __u64 *frames, uint32_t n)
{
	uint32_t node = 0;

	for (uint32_t i = n; i-- > 0;) {
		uint32_t frame = kernel_frame(r, frames[i], i == 0);

		node = frame ? calltree_node(stream_calltree(r->stream), node, frame) : 0;
		if (!node)
			return 0;
	}
	return node;
}

/* Another value: the same addresses may be other code. */
static uint64_t address_space(const struct resolver *r, const struct process *process)
{
	uint64_t id = process && process->image ? process->image->id : KERNEL_IMAGE;

	if (id == KERNEL_IMAGE || !process->image->has_anon)
		return id;
	/*
	 * All three count from 1. A generation is never used by two processes; one that has none
	 * yet has no frame in such memory either.
	 */
	return id |
	       (uint64_t)(r->jitnamer ? jitnamer_generation(r->jitnamer, process) : process->serial)
		       << 40;
}

/*
 * The node of a stack, frame by frame. @process is NULL for a kernel stack. Returns 0 when a table
 * is full.
 */
static __attribute__((noinline)) uint32_t stack_node(struct resolver *r, struct raw_stack *stack,
						     struct process *process)
{
	const struct user_space u = { process, NULL, process ? process->pid : 0 };
	const __u64 *frames = stacks_frames(r->stacks, stack);
	uint32_t node;

	if (process && r->completer && STACK_END(stack->outcome) == STACK_NO_TABLE)
		completer_want(r->completer, process,
			       frames[stack->frames - 1] - (stack->frames > 1));
	node = process ? user_node(r, &u, frames, stack->frames, stack->outcome)
		       : kernel_node(r, frames, stack->frames);
	if (!node)
		return 0;
	stack->epoch = r->epoch;
	stack->image_id = address_space(r, process); /* only now: it may have got its generation */
	stack->node = node;
	if (process)
		r->last.space = stack->image_id;
	return node;
}

static void count_outcome(struct resolver *r, uint32_t outcome)
{
	if (STACK_HOW(outcome) < STACK_HOWS && STACK_END(outcome) < STACK_ENDS)
		r->outcomes[STACK_HOW(outcome)][STACK_END(outcome)]++;
}

/* The stack of an id of the ring; *flags gets @lost when there was one and it is not known. */
static uint32_t resolve_stack(struct resolver *r, const struct sample_event *s, uint32_t id,
			      struct process *process, uint32_t lost, struct stream_sample *out,
			      uint32_t *ret_outcome)
{
	uint64_t space = process ? r->last.space : KERNEL_IMAGE;
	struct raw_stack *stack;

	if (!id)
		return 0;
	stack = stacks_find(r->stacks, s->cpu, id);
	if (!stack) {
		out->flags |= lost;
		return 0;
	}
	*ret_outcome = stack->outcome;
	if (stack->epoch == r->epoch && stack->image_id == space)
		return stack->node;
	return stack_node(r, stack, process);
}

void resolve_begin(struct resolver *r)
{
	r->last.thread = NULL;
}

/* The thread of a sample, with its address space in r->last; NULL without memory. */
static struct thread *sample_thread(struct resolver *r, const struct sample_event *s)
{
	struct thread *t = r->last.thread;

	if (t && r->last.tid == s->tid && r->last.pid == s->pid)
		return t;
	t = procmap_thread(r->procmap, s->pid, s->tid);
	r->last.thread = t;
	r->last.pid = s->pid;
	r->last.tid = s->tid;
	r->last.space = address_space(r, t ? t->process : NULL);
	return t;
}

static __attribute__((noinline)) uint32_t define_thread(struct resolver *r, struct thread *t)
{
	struct process *p = t->process;
	const struct stream_process definition = {
		.pid = p->pid,
		.parent_pid = p->parent_pid,
		.inner_pid = p->inner_pid,
		.comm = p->comm,
		.cgroup = cgroup_path(p->cgroup),
		.start_ns = p->start_ns,
	};

	if (p->stream_epoch != r->epoch) {
		p->stream_id = stream_process(r->stream, &definition);
		p->stream_epoch = r->epoch;
	}
	t->stream_id = stream_thread(r->stream, t->tid, p->stream_id, t->comm);
	t->stream_epoch = r->epoch;
	return t->stream_id;
}

static uint32_t resolve_thread(struct resolver *r, struct thread *t)
{
	return t->stream_epoch == r->epoch ? t->stream_id : define_thread(r, t);
}

/* What a sample has to say whatever its stacks; SAMPLE_SNAPSHOT is the ring's business. */
static struct stream_sample stream_sample_of(const struct sample_event *s,
					     const struct counts_record *counts)
{
	return (struct stream_sample){
		.time_ns = s->time_ns,
		.cpu = s->cpu,
		.event = s->event,
		.weight = s->weight,
		.flags = s->flags & ~(uint32_t)SAMPLE_SNAPSHOT,
		.counts = counts,
	};
}

void resolve_sample(struct resolver *r, const struct sample_event *s,
		    const struct counts_record *counts)
{
	struct thread *thread = sample_thread(r, s);
	struct stream_sample out = stream_sample_of(s, counts);
	uint32_t outcome, kernel_outcome;

	for (int attempt = 0; attempt < 2; attempt++) {
		renew_epoch(r);
		outcome = STACK_ENDS;
		out.thread = thread ? resolve_thread(r, thread) : 0;
		out.kernel_stack = resolve_stack(r, s, s->kernel_stack, NULL, SAMPLE_KERNEL_LOST,
						 &out, &kernel_outcome);
		out.user_stack = thread ? resolve_stack(r, s, s->user_stack, thread->process,
							SAMPLE_USER_LOST, &out, &outcome)
					: 0;
		if (!calltree_full(stream_calltree(r->stream)))
			break;
		stream_next_epoch(r->stream);
	}
	count_outcome(r, outcome);
	/* Lost here, for want of room in a table, and not already in the ring. */
	if ((out.flags & ~(uint32_t)s->flags) & (SAMPLE_USER_LOST | SAMPLE_KERNEL_LOST))
		r->unresolved++;
	stream_sample(r->stream, &out);
}

/* The thread as it was when the sample was taken, whoever has its id now. */
static uint32_t resolve_held_thread(struct resolver *r, const struct held_sample *held,
				    struct thread *thread)
{
	const struct stream_process definition = {
		.pid = held->event.pid,
		.parent_pid = held->parent_pid,
		.inner_pid = held->inner_pid,
		.comm = held->comm,
		.cgroup = cgroup_path(held->cgroup),
		.start_ns = held->start_ns,
	};

	if (thread)
		return resolve_thread(r, thread);
	return stream_thread(r->stream, held->event.tid, stream_process(r->stream, &definition),
			     held->thread_comm);
}

bool resolve_hold(struct resolver *r, struct unwind_job *job, const struct sample_event *s,
		  const struct counts_record *counts)
{
	const struct thread *thread = procmap_thread(r->procmap, s->pid, s->tid);
	const struct raw_stack *stack;
	struct held_sample *held;

	held = thread ? completer_held_new(s, thread) : NULL;
	if (!held) {
		unwind_job_free(job);
		return false;
	}
	if (counts)
		held->counts = *counts;
	/* Copies: by the time the answer is here, the slots may mean other stacks. */
	stack = s->user_stack ? stacks_find(r->stacks, s->cpu, s->user_stack) : NULL;
	if (stack) {
		held->outcome = stack->outcome;
		held->frames = stack->frames < HELD_FRAMES ? stack->frames : HELD_FRAMES;
		memcpy(held->frame, stacks_frames(r->stacks, stack),
		       held->frames * sizeof(*held->frame));
	}
	stack = s->kernel_stack ? stacks_find(r->stacks, s->cpu, s->kernel_stack) : NULL;
	if (stack && stack->frames <= MAX_KERNEL_FRAMES) {
		held->kernel_frames = stack->frames;
		memcpy(held->kernel_frame, stacks_frames(r->stacks, stack),
		       held->kernel_frames * sizeof(*held->kernel_frame));
	}
	return completer_hold(r->completer, job, held);
}

void resolve_held(struct resolver *r, const struct held_sample *held)
{
	const struct unwind_job *job = held->job;
	const __u64 *frames = job->frames ? (const __u64 *)job->frame : held->frame;
	uint32_t n = job->frames ? job->frames : held->frames;
	uint32_t outcome = job->frames ? job->outcome
				       : STACK_OUTCOME(STACK_NO_ANSWER, STACK_HOW(held->outcome));
	struct thread *thread = procmap_thread(r->procmap, held->event.pid, held->event.tid);
	struct stream_sample out =
		stream_sample_of(&held->event, held->counts.type ? &held->counts : NULL);
	struct user_space u = { NULL, held->image, held->event.pid };

	if (STACK_END(outcome) == STACK_MAX_FRAMES)
		out.flags |= SAMPLE_USER_TRUNCATED;
	if (thread && thread->serial != held->thread_serial)
		thread = NULL;
	if (thread && thread->process->image == held->image)
		u.process = thread->process;
	for (int attempt = 0; attempt < 2; attempt++) {
		renew_epoch(r);
		out.thread = resolve_held_thread(r, held, thread);
		out.kernel_stack = kernel_node(r, held->kernel_frame, held->kernel_frames);
		out.user_stack = user_node(r, &u, frames, n, outcome);
		if (!calltree_full(stream_calltree(r->stream)))
			break;
		stream_next_epoch(r->stream);
	}
	count_outcome(r, outcome);
	stream_sample(r->stream, &out);
}
