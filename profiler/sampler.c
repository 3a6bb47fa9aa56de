// SPDX-License-Identifier: Apache-2.0
/*
 * sampler.c - the BPF programs and their maps: loaded, filtered, read.
 *
 * The sampling object needs no type information of the kernel; the one that follows forks does,
 * and is opened only with a process filter, for reading that information costs megabytes.
 * Maps are sized here, by what this machine and this run need.
 */
#include "profiler/sampler.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <unistd.h>

#include "bpf/unwind.h"
#include "profiler/savedregs.h"

#include "bpf/follow.skel.h"
#include "bpf/sample.skel.h"

/* Target processes alive at once, with all children: 1 MB of preallocated table. */
#define TARGET_PIDS_MAX 16384

struct sampler {
	struct sample_bpf *sample;
	struct follow_bpf *follow;
	struct bpf_link *forget_link; /* of a process at its exec */
	struct bpf_link *switch_link; /* where events lead groups */
	uint32_t cpus;
	size_t ring_bytes;
	int *ring_fds; /* by CPU, -1 where there is none */
	struct ring *rings;
	struct event_counters *counters;
	size_t counters_bytes;
	struct group_counts *groups; /* NULL when no event leads one */
	size_t groups_bytes;
};

static struct bpf_program *program(const struct sampler *s, uint32_t event)
{
	char name[16];

	snprintf(name, sizeof(name), "sample_%u", event);
	return bpf_object__find_program_by_name(s->sample->obj, name);
}

static int size_group_maps(struct sample_bpf *b, uint32_t cpus)
{
	int err = bpf_map__set_max_entries(b->maps.groups, cpus * MAX_EVENTS);

	err = err ? err : bpf_map__set_max_entries(b->maps.readings, cpus);
	return err ? err
		   : bpf_map__set_max_entries(b->maps.group_members, cpus * MAX_EVENTS * MAX_GROUP);
}

/* Everything that must be known before the verifier sees the programs. */
static int configure(struct sampler *s, const struct sampler_config *c)
{
	struct sample_bpf *b = s->sample;
	uint32_t pid_max = c->filter & FILTER_TARGET_PID ? TARGET_PIDS_MAX : 1;
	uint64_t seed;
	int err;

	if (getrandom(&seed, sizeof(seed), 0) != (ssize_t)sizeof(seed))
		return -errno;
	b->rodata->filter = c->filter;
	b->rodata->cpu_limit = c->cpus;
	/* Half a ring is left for what comes until the consumer has woken up. */
	b->rodata->wakeup_bytes = (uint32_t)(c->ring_bytes / 2);
	b->rodata->seed = seed;
	b->rodata->user_walk = c->user_walk;
	b->rodata->snapshot_bytes = c->snapshot_bytes;
	b->rodata->have_task_pt_regs =
		libbpf_probe_bpf_helper(BPF_PROG_TYPE_PERF_EVENT, BPF_FUNC_task_pt_regs, NULL) == 1;
	if (!b->rodata->have_task_pt_regs) {
		struct savedregs saved = savedregs_find();

		b->rodata->task_stack_at = saved.task_stack;
		b->rodata->saved_regs_at = saved.at;
	}
	for (uint32_t i = 0; i < MAX_EVENTS; i++) {
		b->rodata->mode_filter[i] = c->mode[i];
		b->rodata->weight_shift[i] = c->weight_shift[i];
		b->rodata->group_size[i] = c->group_size[i];
		b->rodata->have_groups |= c->group_size[i] > 0;
		bpf_program__set_autoload(program(s, i), i < c->events);
	}
	bpf_program__set_autoload(b->progs.forget_process, c->user_walk == USER_WALK_TABLES);
	bpf_program__set_autoload(b->progs.note_switch, b->rodata->have_groups);
	err = bpf_map__set_max_entries(b->maps.rings, c->cpus);
	err = err ? err : bpf_map__set_max_entries(b->maps.counters, c->cpus * MAX_EVENTS);
	err = err ? err : bpf_map__set_max_entries(b->maps.scratches, c->cpus);
	err = err ? err : bpf_map__set_max_entries(b->maps.slots, c->cpus * STACK_SLOTS);
	err = err ? err : bpf_map__set_max_entries(b->maps.snapshots, c->cpus);
	err = err ? err
		  : bpf_map__set_value_size(b->maps.snapshots,
					    SNAPSHOT_RECORD_HEADER + c->snapshot_bytes);
	err = err ? err : bpf_map__set_max_entries(b->maps.target_pids, pid_max);
	if (!err && b->rodata->have_groups)
		err = size_group_maps(b, c->cpus);
	if (!err && c->tid_count)
		err = bpf_map__set_max_entries(b->maps.target_tids, c->tid_count);
	return err;
}

static int make_ring(const struct sampler *s)
{
	int fd = bpf_map_create(BPF_MAP_TYPE_RINGBUF, "samples", 0, 0, (uint32_t)s->ring_bytes,
				NULL);

	return fd < 0 ? -errno : fd;
}

static int load_sample(struct sampler *s)
{
	int template_fd = make_ring(s), err;

	if (template_fd < 0)
		return template_fd;
	err = bpf_map__set_inner_map_fd(s->sample->maps.rings, template_fd);
	if (!err)
		err = sample_bpf__load(s->sample);
	close(template_fd);
	return err;
}

/* The values of an array map in our memory; NULL with errno set. */
static void *map_values(const struct bpf_map *map, int protection, size_t *bytes)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE);
	void *p;

	*bytes = (*bytes + page - 1) & ~(page - 1);
	p = mmap(NULL, *bytes, protection, MAP_SHARED, bpf_map__fd(map), 0);
	return p == MAP_FAILED ? NULL : p;
}

static int map_counters(struct sampler *s)
{
	s->counters_bytes = s->cpus * MAX_EVENTS * sizeof(struct event_counters);
	s->counters = map_values(s->sample->maps.counters, PROT_READ, &s->counters_bytes);
	if (!s->counters)
		return -errno;
	if (!s->sample->rodata->have_groups)
		return 0;
	s->groups_bytes = s->cpus * MAX_EVENTS * sizeof(struct group_counts);
	s->groups = map_values(s->sample->maps.groups, PROT_READ | PROT_WRITE, &s->groups_bytes);
	return s->groups ? 0 : -errno;
}

static int fill_targets(struct sampler *s, const struct sampler_config *c)
{
	const uint8_t present = 1;
	int err = 0;

	for (uint32_t i = 0; i < c->pid_count && !err; i++)
		err = sampler_add_pid(s, c->pids[i]);
	for (uint32_t i = 0; i < c->tid_count && !err; i++)
		err = bpf_map_update_elem(bpf_map__fd(s->sample->maps.target_tids), &c->tids[i],
					  &present, BPF_ANY);
	for (uint32_t i = 0; i < c->cgroup_count && !err; i++)
		err = bpf_map_update_elem(bpf_map__fd(s->sample->maps.target_cgroups), &i,
					  &c->cgroup_fds[i], BPF_ANY);
	return err;
}

static int load_follow(struct sampler *s)
{
	int err;

	s->follow = follow_bpf__open();
	if (!s->follow)
		return -errno;
	err = bpf_map__reuse_fd(s->follow->maps.target_pids,
				bpf_map__fd(s->sample->maps.target_pids));
	if (!err)
		err = follow_bpf__load(s->follow);
	return err ? err : follow_bpf__attach(s->follow);
}

static bool kernel_is_locked_down(void)
{
	char text[128] = "";
	FILE *f = fopen("/sys/kernel/security/lockdown", "re");
	bool locked;

	if (!f)
		return false;
	locked = fgets(text, sizeof(text), f) && strstr(text, "[confidentiality]");
	fclose(f);
	return locked;
}

static void explain(int error, char *err, size_t err_bytes)
{
	if (kernel_is_locked_down())
		snprintf(err, err_bytes,
			 "cannot load the BPF programs: the kernel is locked down "
			 "(confidentiality); boot without lockdown=confidentiality");
	else if (error == -EPERM)
		snprintf(err, err_bytes,
			 "cannot load the BPF programs: no permission; run as root, or with "
			 "CAP_BPF and CAP_PERFMON");
	else if (error == -EMFILE || error == -ENFILE)
		snprintf(err, err_bytes,
			 "cannot load the BPF programs: too many open files; raise the limit with "
			 "ulimit -n");
	else if (error == -ENOMEM)
		snprintf(err, err_bytes,
			 "cannot load the BPF programs: out of memory; a memory cgroup may be in "
			 "the way, 20 MB are enough");
	else
		snprintf(
			err, err_bytes,
			"cannot load the BPF programs: %s; kernel 5.8 or later with BPF is needed, "
			"-v shows the kernel's reasons",
			strerror(-error));
}

int sampler_load(struct sampler **ret, const struct sampler_config *config, char *err,
		 size_t err_bytes)
{
	struct sampler *s = calloc(1, sizeof(*s));
	int error = -ENOMEM;

	if (!s)
		goto fail;
	s->cpus = config->cpus;
	s->ring_bytes = config->ring_bytes;
	s->rings = calloc(s->cpus, sizeof(*s->rings));
	s->ring_fds = calloc(s->cpus, sizeof(*s->ring_fds));
	if (!s->rings || !s->ring_fds)
		goto fail;
	for (uint32_t cpu = 0; cpu < s->cpus; cpu++)
		s->ring_fds[cpu] = -1;
	s->sample = sample_bpf__open();
	error = s->sample ? configure(s, config) : -errno;
	if (!error)
		error = load_sample(s);
	if (!error)
		error = map_counters(s);
	if (!error && config->user_walk == USER_WALK_TABLES) {
		s->forget_link = bpf_program__attach(s->sample->progs.forget_process);
		error = s->forget_link ? 0 : -errno;
	}
	if (!error && s->sample->rodata->have_groups) {
		s->switch_link = bpf_program__attach(s->sample->progs.note_switch);
		error = s->switch_link ? 0 : -errno;
	}
	if (error)
		goto fail;
	error = fill_targets(s, config);
	if (error) {
		snprintf(err, err_bytes, "cannot set up the filter: %s%s", strerror(-error),
			 config->cgroup_count ? "; -G wants a directory of a cgroup2 mount" : "");
		sampler_free(s);
		return error;
	}
	if (config->follow_children && (error = load_follow(s))) {
		snprintf(err, err_bytes,
			 "cannot follow the children of a process: %s; the kernel must have BTF "
			 "(/sys/kernel/btf/vmlinux), or profile all with -a",
			 strerror(-error));
		sampler_free(s);
		return error;
	}
	*ret = s;
	return 0;
fail:
	explain(error, err, err_bytes);
	sampler_free(s);
	return error;
}

void sampler_free(struct sampler *s)
{
	if (!s)
		return;
	for (uint32_t cpu = 0; s->ring_fds && cpu < s->cpus; cpu++) {
		ring_close(&s->rings[cpu]);
		if (s->ring_fds[cpu] >= 0)
			close(s->ring_fds[cpu]);
	}
	if (s->counters)
		munmap(s->counters, s->counters_bytes);
	if (s->groups)
		munmap(s->groups, s->groups_bytes);
	bpf_link__destroy(s->forget_link);
	bpf_link__destroy(s->switch_link);
	follow_bpf__destroy(s->follow);
	sample_bpf__destroy(s->sample);
	free(s->rings);
	free(s->ring_fds);
	free(s);
}

int sampler_add_ring(struct sampler *s, uint32_t cpu)
{
	int fd, err;

	if (s->ring_fds[cpu] >= 0)
		return 0;
	fd = make_ring(s);
	if (fd < 0)
		return fd;
	err = ring_open(&s->rings[cpu], fd, s->ring_bytes);
	if (!err)
		err = bpf_map_update_elem(bpf_map__fd(s->sample->maps.rings), &cpu, &fd, BPF_ANY);
	if (err) {
		ring_close(&s->rings[cpu]);
		close(fd);
		return err;
	}
	s->ring_fds[cpu] = fd;
	return 0;
}

struct ring *sampler_ring(struct sampler *s, uint32_t cpu)
{
	return s->ring_fds[cpu] < 0 ? NULL : &s->rings[cpu];
}

int sampler_ring_fd(const struct sampler *s, uint32_t cpu)
{
	return s->ring_fds[cpu];
}

int sampler_program_fd(const struct sampler *s, uint32_t event)
{
	return bpf_program__fd(program(s, event));
}

struct event_counters sampler_counters(const struct sampler *s, uint32_t cpu, uint32_t event)
{
	const struct event_counters *from = &s->counters[cpu * MAX_EVENTS + event];
	struct event_counters copy;
	const __u64 *source = (const __u64 *)from;
	__u64 *target = (__u64 *)&copy;

	/* Last to first: the program counts an entry before its outcome, so no outcome is ahead. */
	for (size_t i = sizeof(copy) / sizeof(*target); i-- > 0;)
		target[i] = __atomic_load_n(&source[i], __ATOMIC_ACQUIRE);
	return copy;
}

int sampler_set_counter(struct sampler *s, uint32_t cpu, uint32_t event, uint32_t place, int fd)
{
	uint32_t group = cpu * MAX_EVENTS + event, index = group * MAX_GROUP + place;
	struct group_counts *g = &s->groups[group];

	/* It does not run yet, and nor does the program. What was counted before stays counted. */
	g->at[place] = 0;
	g->enabled_ns = 0;
	g->running_ns = 0;
	return bpf_map_update_elem(bpf_map__fd(s->sample->maps.group_members), &index, &fd,
				   BPF_ANY);
}

void sampler_clear_counter(struct sampler *s, uint32_t cpu, uint32_t event, uint32_t place)
{
	uint32_t index = (cpu * MAX_EVENTS + event) * MAX_GROUP + place;

	(void)bpf_map_delete_elem(bpf_map__fd(s->sample->maps.group_members), &index);
}

struct group_counts sampler_group(const struct sampler *s, uint32_t cpu, uint32_t event)
{
	struct group_counts copy = { 0 };
	__u64 *to = (__u64 *)&copy;

	if (!s->groups)
		return copy;
	for (size_t i = 0; i < sizeof(copy) / sizeof(*to); i++)
		to[i] = __atomic_load_n((const __u64 *)&s->groups[cpu * MAX_EVENTS + event] + i,
					__ATOMIC_RELAXED);
	return copy;
}

int sampler_add_pid(struct sampler *s, uint32_t pid)
{
	const uint64_t began = 0; /* unknown */

	return bpf_map_update_elem(bpf_map__fd(s->sample->maps.target_pids), &pid, &began, BPF_ANY);
}

void sampler_next_generation(struct sampler *s)
{
	s->sample->bss->generation++;
}

struct unwind_memory sampler_unwind_memory(const struct sampler *s)
{
	return (struct unwind_memory){
		.processes = s->sample->bss->unwind_processes,
		.mappings = s->sample->bss->unwind_mappings,
		.directory = (uint64_t *)s->sample->bss->unwind_directory,
		.rules = s->sample->bss->unwind_rules,
		.cache = (uint64_t *)s->sample->bss->unwind_cache,
	};
}

int sampler_shards_fd(const struct sampler *s)
{
	return bpf_map__fd(s->sample->maps.unwind_shards);
}

uint64_t sampler_follow_failed(const struct sampler *s)
{
	return s->follow ? s->follow->bss->follow_failed : 0;
}

uint64_t sampler_runs(const struct sampler *s, uint32_t event, uint64_t *ret_time_ns)
{
	struct bpf_prog_info info = { 0 };
	uint32_t bytes = sizeof(info);

	if (bpf_obj_get_info_by_fd(sampler_program_fd(s, event), &info, &bytes))
		return 0;
	*ret_time_ns = info.run_time_ns;
	return info.run_cnt;
}
