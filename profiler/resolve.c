// SPDX-License-Identifier: Apache-2.0
/*
 * resolve.c - a sample's numbers (pid, slots, addresses) to the stream's ids.
 *
 * Most samples have a stack that was resolved before, in the same address space and the same
 * epoch: two table look-ups then, and nothing else. Otherwise its addresses are looked up one by
 * one and its path is entered into the call tree.
 *
 * Invariant: ids that go into a sample are all of one epoch. When a table of the epoch is full, a
 * new epoch begins and the sample is resolved again from the start.
 */
#include "profiler/resolve.h"

#include <stdio.h>
#include <string.h>

#include "profiler/calltree.h"
#include "profiler/kallsyms.h"
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
	r->last_module_mapping = 0;
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

static uint32_t kernel_frame(struct resolver *r, uint64_t addr, bool leaf)
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

static uint32_t user_frame(struct resolver *r, struct process *process, uint64_t addr, bool leaf)
{
	const struct mapping *m = procmap_find(r->procmap, process, leaf ? addr : addr - 1);
	uint64_t offset = addr;
	uint32_t id;

	if (m) {
		id = region_mapping(r, m->region);
		offset = addr - m->start + m->file_offset;
	} else {
		id = special_mapping(r, &r->unknown_mapping, PROFILER__MAPPING__KIND__UNKNOWN, "");
	}
	return calltree_frame(stream_calltree(r->stream), id, offset, 0);
}

/*
 * The node of a stack, from what was found before or frame by frame. @process is NULL for a kernel
 * stack. Returns 0 when a table is full.
 */
static uint32_t stack_node(struct resolver *r, struct raw_stack *stack, struct process *process)
{
	uint64_t image = process && process->image ? process->image->id : KERNEL_IMAGE;
	const __u64 *frames = stacks_frames(r->stacks, stack);
	uint32_t node = 0;

	if (stack->epoch == r->epoch && stack->image_id == image)
		return stack->node;
	for (uint32_t i = stack->frames; i-- > 0;) {
		uint32_t frame = process ? user_frame(r, process, frames[i], i == 0)
					 : kernel_frame(r, frames[i], i == 0);

		node = frame ? calltree_node(stream_calltree(r->stream), node, frame) : 0;
		if (!node)
			return 0;
	}
	stack->epoch = r->epoch;
	stack->image_id = image;
	stack->node = node;
	return node;
}

/* The stack of an id of the ring; *flags gets @lost when there was one and it is not known. */
static uint32_t resolve_stack(struct resolver *r, const struct sample_event *s, uint32_t id,
			      struct process *process, uint32_t lost, uint32_t *flags)
{
	struct raw_stack *stack = id ? stacks_find(r->stacks, s->cpu, id) : NULL;

	if (stack)
		return stack_node(r, stack, process);
	if (id)
		*flags |= lost;
	return 0;
}

static uint32_t resolve_thread(struct resolver *r, struct thread *t)
{
	struct process *p = t->process;

	if (p->stream_epoch != r->epoch) {
		p->stream_id =
			stream_process(r->stream, p->pid, p->parent_pid, p->comm, p->start_ns);
		p->stream_epoch = r->epoch;
	}
	if (t->stream_epoch != r->epoch) {
		t->stream_id = stream_thread(r->stream, t->tid, p->stream_id, t->comm);
		t->stream_epoch = r->epoch;
	}
	return t->stream_id;
}

void resolve_sample(struct resolver *r, const struct sample_event *s)
{
	struct thread *thread = procmap_thread(r->procmap, s->pid, s->tid);
	struct stream_sample out = {
		.time_ns = s->time_ns,
		.cpu = s->cpu,
		.event = s->event,
		.weight = s->weight,
		.flags = s->flags,
	};

	for (int attempt = 0; attempt < 2; attempt++) {
		renew_epoch(r);
		out.thread = thread ? resolve_thread(r, thread) : 0;
		out.kernel_stack =
			resolve_stack(r, s, s->kernel_stack, NULL, SAMPLE_KERNEL_LOST, &out.flags);
		out.user_stack = thread ? resolve_stack(r, s, s->user_stack, thread->process,
							SAMPLE_USER_LOST, &out.flags)
					: 0;
		if (!calltree_full(stream_calltree(r->stream)))
			break;
		stream_next_epoch(r->stream);
	}
	/* Lost here, for want of room in a table, and not already in the ring. */
	if ((out.flags & ~(uint32_t)s->flags) & (SAMPLE_USER_LOST | SAMPLE_KERNEL_LOST))
		r->unresolved++;
	stream_sample(r->stream, &out);
}
