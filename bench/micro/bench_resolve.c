// SPDX-License-Identifier: Apache-2.0
/*
 * bench_resolve.c - whose an address is (profiler/procmap.c), and a sample from its numbers into
 * the stream (profiler/resolve.c).
 *
 * The processes are made by records of the side-band, with pids that no kernel gives. The peer for
 * (pid, address) to mapping is libdw's dwfl_addrmodule(), told of the same mappings, and spared the
 * look-up of the pid. Both add up offsets, which have to be the same.
 */
#include <elfutils/libdwfl.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "bench/micro/harness.h"
#include "bench/micro/sample_mix.h"
#include "profiler/procmap.h"
#include "profiler/resolve.h"
#include "profiler/sideband.h"
#include "profiler/stacks.h"

#define PROCESSES     40
#define MAPPINGS      40       /* of each */
#define FIRST_PID     5000000u /* the kernel's limit is 4194304 */
#define MAPPING_BYTES (2u << 20)
#define ADDRESSES     4096

struct place {
	uint32_t process;
	uint64_t address;
};

struct places {
	struct procmap *procmap;
	Dwfl *dwfl[PROCESSES];
	uint32_t next;
	struct place place[ADDRESSES];
};

static uint64_t mapping_start(uint32_t process, uint32_t mapping)
{
	return 0x7f0000000000 + ((uint64_t)process << 32) + mapping * (2 * (uint64_t)MAPPING_BYTES);
}

static void add_process(struct procmap *pm, uint32_t process)
{
	struct sideband_record r = { .time_ns = 1000 + process,
				     .pid = FIRST_PID + process,
				     .tid = FIRST_PID + process };
	char path[64];

	r.kind = SIDEBAND_FORK;
	procmap_apply(pm, &r);
	r.kind = SIDEBAND_COMM;
	r.comm.exec = true;
	snprintf(r.comm.name, sizeof(r.comm.name), "program %u", process);
	procmap_apply(pm, &r);
	for (uint32_t i = 0; i < MAPPINGS; i++) {
		snprintf(path, sizeof(path), "/usr/lib/lib%u.so", i);
		r.kind = SIDEBAND_MMAP;
		r.mmap = (struct sideband_mmap){ .addr = mapping_start(process, i),
						 .size = MAPPING_BYTES,
						 .path = path,
						 .build_id_size = 2,
						 .build_id = { (uint8_t)i, 1 } };
		procmap_apply(pm, &r);
	}
}

static int make_procmap(struct procmap **ret)
{
	int err = procmap_open(ret);

	for (uint32_t i = 0; !err && i < PROCESSES; i++)
		add_process(*ret, i);
	return err;
}

static void free_places(void *state)
{
	struct places *p = state;

	for (uint32_t i = 0; i < PROCESSES; i++)
		if (p->dwfl[i])
			dwfl_end(p->dwfl[i]);
	procmap_free(p->procmap);
	free(p);
}

static int make_dwfl(Dwfl **ret, uint32_t process)
{
	static const Dwfl_Callbacks none;
	char name[32];

	*ret = dwfl_begin(&none);
	if (!*ret)
		return -ENOMEM;
	dwfl_report_begin(*ret);
	for (uint32_t i = 0; i < MAPPINGS; i++) {
		uint64_t start = mapping_start(process, i);

		snprintf(name, sizeof(name), "lib%u.so", i);
		dwfl_report_module(*ret, name, start, start + MAPPING_BYTES);
	}
	return dwfl_report_end(*ret, NULL, NULL) ? -EINVAL : 0;
}

/* The offset of a place in its mapping. */
static uint64_t find_ours(struct places *p, const struct place *at)
{
	uint32_t pid = FIRST_PID + at->process;
	struct thread *thread = procmap_thread(p->procmap, pid, pid);
	const struct mapping *m =
		thread ? procmap_find(p->procmap, thread->process, at->address) : NULL;

	return m ? at->address - m->start + m->file_offset : 0;
}

static uint64_t find_libdw(struct places *p, const struct place *at)
{
	Dwfl_Module *module = dwfl_addrmodule(p->dwfl[at->process], at->address);
	Dwarf_Addr start;

	if (!module)
		return 0;
	dwfl_module_info(module, NULL, &start, NULL, NULL, NULL, NULL, NULL);
	return at->address - start;
}

#define RUN(name, find)                                      \
	static uint64_t name(void *state, uint64_t ops)      \
	{                                                    \
		struct places *p = state;                    \
		uint64_t sum = 0;                            \
                                                             \
		for (uint64_t i = 0; i < ops; i++) {         \
			sum += find(p, &p->place[p->next]);  \
			p->next = (p->next + 1) % ADDRESSES; \
		}                                            \
		bench_keep(sum);                             \
		return ops;                                  \
	}

RUN(run_ours, find_ours)
RUN(run_libdw, find_libdw)

/* Half of the addresses are in the first four mappings, as those of libc and the program are. */
static void make_addresses(struct places *p)
{
	uint64_t random = 1;

	for (uint32_t i = 0; i < ADDRESSES; i++) {
		uint32_t mapping = mix_below(&random, mix_below(&random, 2) ? MAPPINGS : 4);

		p->place[i].process = mix_below(&random, PROCESSES);
		p->place[i].address = mapping_start(p->place[i].process, mapping) + 1 +
				      mix_below(&random, MAPPING_BYTES - 1);
	}
}

static int check_places(struct places *p)
{
	for (uint32_t i = 0; i < ADDRESSES; i++) {
		uint64_t offset = p->place[i].address % MAPPING_BYTES;

		if (find_ours(p, &p->place[i]) != offset || find_libdw(p, &p->place[i]) != offset)
			return -EBADMSG;
	}
	return 0;
}

static int make_places(void **ret_state)
{
	struct places *p = calloc(1, sizeof(*p));
	int err;

	if (!p)
		return -ENOMEM;
	err = make_procmap(&p->procmap);
	for (uint32_t i = 0; !err && i < PROCESSES; i++)
		err = make_dwfl(&p->dwfl[i], i);
	if (!err) {
		make_addresses(p);
		err = check_places(p);
	}
	if (err) {
		free_places(p);
		return err;
	}
	*ret_state = p;
	return 0;
}

/* What a resolver needs, and MIX_STACKS samples, each of a stack of its own. */
struct resolving {
	struct resolver resolver;
	struct handoff *handoff;
	struct sample_event sample[MIX_STACKS];
};

static void free_resolving(void *state)
{
	struct resolving *r = state;

	stream_free(r->resolver.stream);
	handoff_free(r->handoff);
	stacks_free(r->resolver.stacks);
	procmap_free(r->resolver.procmap);
	free(r);
}

static void put_stack(struct resolving *r, uint32_t i)
{
	static struct stack_record record = { .type = RECORD_STACK };
	uint32_t process = i % PROCESSES;

	record.slot = i;
	record.hash = i + 1;
	for (uint32_t k = 0; k < MIX_DEPTH; k++) {
		uint64_t offset = mix_frame(i, MIX_DEPTH - 1 - k);

		record.frames[k] =
			mapping_start(process, (uint32_t)(offset >> 8) % MAPPINGS) + offset + 1;
	}
	r->sample[i] = (struct sample_event){
		.time_ns = UINT64_C(1000000000) + i * (uint64_t)MIX_INTERVAL_NS / MIX_CPUS,
		.pid = FIRST_PID + process,
		.tid = FIRST_PID + process,
		.user_stack = i + 1,
		.weight = MIX_INTERVAL_NS,
		.cpu = (uint16_t)(i % MIX_CPUS),
	};
	stacks_put(r->resolver.stacks, i % MIX_CPUS, &record, MIX_DEPTH);
}

static void resolve_all(struct resolving *r)
{
	for (uint32_t i = 0; i < MIX_STACKS; i++)
		resolve_sample(&r->resolver, &r->sample[i], NULL);
	stream_flush(r->resolver.stream, NULL);
	mix_drain(r->handoff);
}

static uint64_t run_known(void *state, uint64_t ops)
{
	uint64_t done;

	for (done = 0; done < ops; done += MIX_STACKS)
		resolve_all(state);
	return done;
}

static uint64_t run_new(void *state, uint64_t ops)
{
	struct resolving *r = state;
	uint64_t done;

	for (done = 0; done < ops; done += MIX_STACKS) {
		stream_next_epoch(r->resolver.stream);
		resolve_all(r);
	}
	return done;
}

static int make_resolving(void **ret_state)
{
	struct resolving *r = calloc(1, sizeof(*r));
	int err;

	if (!r)
		return -ENOMEM;
	err = make_procmap(&r->resolver.procmap);
	if (!err)
		err = stacks_new(&r->resolver.stacks, MIX_CPUS);
	if (!err)
		err = mix_stream_new(&r->resolver.stream, &r->handoff);
	if (err) {
		free_resolving(r);
		return err;
	}
	for (uint32_t i = 0; i < MIX_STACKS; i++)
		put_stack(r, i);
	run_new(r, 2 * MIX_STACKS); /* buffers get their room */
	*ret_state = r;
	return 0;
}

/* Every sample had its stack, whole. */
static void finish_resolving(void *state)
{
	const struct resolving *r = state;
	uint64_t whole = r->resolver.outcomes[STACK_BY_TABLE][STACK_COMPLETE];

	bench_check(!r->resolver.unresolved && whole && whole % MIX_STACKS == 0,
		    "a stack was not resolved");
	free_resolving(state);
}

static const struct bench benches[] = {
	{
		.group = "mapping",
		.name = "profiler",
		.about = "(pid, address) to mapping and offset; 40 processes of 40 mappings",
		.role = BENCH_OURS,
		.op = "address",
		.allocates_nothing = 1,
		.setup = make_places,
		.run = run_ours,
		.teardown = free_places,
	},
	{
		.group = "mapping",
		.name = "libdw",
		.about = "dwfl_addrmodule(), the process being known",
		.role = BENCH_PEER,
		.op = "address",
		.setup = make_places,
		.run = run_libdw,
		.teardown = free_places,
	},
	{
		.group = "resolve",
		.name = "profiler",
		.about = "a sample into the stream, its stack known in this epoch",
		.role = BENCH_OURS,
		.op = "sample",
		.bytes_per_op = sizeof(struct sample_event),
		.allocates_nothing = 1,
		.setup = make_resolving,
		.run = run_known,
		.teardown = finish_resolving,
	},
	{
		.group = "resolve",
		.name = "profiler-new",
		.about = "its stack of 24 frames not yet",
		.role = BENCH_OURS,
		.op = "sample",
		.bytes_per_op = sizeof(struct sample_event),
		.setup = make_resolving,
		.run = run_new,
		.teardown = finish_resolving,
	},
};

const struct bench_list bench_resolve = { benches, sizeof(benches) / sizeof(benches[0]) };
