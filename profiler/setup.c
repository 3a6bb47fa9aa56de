// SPDX-License-Identifier: Apache-2.0
/*
 * setup.c - makes the recorder's stages in the order in which they need each other, and takes
 * them apart.
 *
 * Invariant: a recorder that could not be made whole leaves nothing behind.
 */
#include "profiler/recorder.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/signalfd.h>
#include <sys/syscall.h>
#include <unistd.h>

#define HANDOFF_BYTES  (1u << 20)  /* about 8 s of a stalled reader at 10 kHz on 2 CPUs */
#define SIDEBAND_BYTES (64u << 10) /* of a CPU: 2,000 forks with exec in half a second */

int setup_watch(struct recorder *r, int fd, uint32_t events)
{
	struct epoll_event e = { .events = events, .data.fd = fd };

	return epoll_ctl(r->epoll_fd, EPOLL_CTL_ADD, fd, &e) && errno != EEXIST ? -errno : 0;
}

/* Signals come as data, so that nothing is ever interrupted half-way. */
static int open_signals(struct recorder *r)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGHUP);
	sigaddset(&set, SIGCHLD);
	if (sigprocmask(SIG_BLOCK, &set, NULL))
		return -errno;
	signal(SIGPIPE, SIG_IGN);
	r->signal_fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	return r->signal_fd < 0 ? -errno : setup_watch(r, r->signal_fd, EPOLLIN);
}

static int open_loop(struct recorder *r)
{
	int err;

	r->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	if (r->epoll_fd < 0)
		return -errno;
	r->output_failed_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (r->output_failed_fd < 0)
		return -errno;
	/* No events but the error that a pipe has once its reader is gone; a file has none. */
	err = setup_watch(r, r->output.fd, 0);
	if (!err || err == -EPERM)
		err = setup_watch(r, r->output_failed_fd, EPOLLIN);
	return err ? err : open_signals(r);
}

static int open_sampler(struct recorder *r, char *err, size_t err_bytes)
{
	const struct plan *p = &r->plan;
	const uint32_t command_pid = (uint32_t)r->command.pid;
	bool by_command = command_pid && !r->options->all_cpus;
	struct sampler_config c = {
		.cpus = p->cpu_limit,
		.events = p->n_sampling,
		.filter = p->filter,
		.user_walk = r->options->call_graph == CALL_GRAPH_AUTO ? USER_WALK_TABLES
			     : r->options->call_graph == CALL_GRAPH_DWARF
				     ? USER_WALK_SNAPSHOTS
				     : USER_WALK_FRAME_POINTERS,
		.snapshot_bytes = r->options->snapshot_bytes,
		.follow_children = p->filter & FILTER_TARGET_PID,
		.pids = by_command ? &command_pid : r->options->pids,
		.pid_count = by_command ? 1 : r->options->n_pids,
		.tids = r->options->tids,
		.tid_count = r->options->n_tids,
		.cgroup_fds = p->cgroup_fds,
		.cgroup_count = p->n_cgroups,
		.ring_bytes = p->ring_bytes,
	};

	for (uint32_t i = 0; i < p->n_sampling; i++) {
		c.mode[i] = (uint8_t)p->events[i].mode;
		c.weight_shift[i] = (uint8_t)p->events[i].weight_shift;
		c.group_size[i] = (uint8_t)p->events[i].group_size;
	}
	return sampler_load(&r->sampler, &c, err, err_bytes);
}

/* The kernel's account of processes: on before the look at /proc, so that nothing falls between. */
static int open_processes(struct recorder *r, char *err, size_t err_bytes)
{
	int *cpus = calloc(r->plan.online.count, sizeof(*cpus)), n = 0, error;

	if (!cpus)
		return -ENOMEM;
	for (uint32_t cpu = 0; cpu < r->plan.cpu_limit; cpu++)
		if (cpulist_has(&r->plan.online, cpu))
			cpus[n++] = (int)cpu;
	error = sideband_open(&r->sideband, cpus, n, SIDEBAND_BYTES);
	for (int i = 0; i < n && !error; i++)
		error = setup_watch(r, sideband_fd(r->sideband, cpus[i]), EPOLLIN);
	free(cpus);
	if (!error)
		error = sideband_enable(r->sideband);
	if (error) {
		struct event_spec dummy = { .name = "dummy", .attr.type = PERF_TYPE_SOFTWARE };
		char why[PMU_ERROR_BYTES];

		pmu_explain(error, &dummy, why, sizeof(why));
		snprintf(err, err_bytes, "cannot follow processes: %s", why);
		return error;
	}
	error = procmap_open(&r->procmap);
	if (!error)
		error = procmap_scan(r->procmap);
	if (error)
		snprintf(err, err_bytes, "cannot read /proc: %s; %s", strerror(-error),
			 error == -EMFILE ? "raise the limit with ulimit -n"
					  : "it must be mounted");
	return error;
}

static void open_kallsyms(struct recorder *r)
{
	int error = kallsyms_open(&r->kallsyms);

	if (error == -EPERM)
		plan_notice(&r->plan, "kernel functions stay without names: the kernel hides its "
				      "addresses; set kernel.kptr_restrict to 1 or 0");
	else if (error)
		plan_notice(&r->plan,
			    "kernel functions stay without names: cannot read "
			    "/proc/kallsyms: %s",
			    strerror(-error));
}

/*
 * What the jail is asked for. Without it stacks are as far as frame pointers go, and functions stay
 * without names: that is said, and the run goes on.
 */
static int open_unwinder(struct recorder *r)
{
	enum call_graph how = r->options->call_graph;
	bool tables = how == CALL_GRAPH_AUTO || how == CALL_GRAPH_DWARF;
	int error;

	if (!tables && r->options->no_names)
		return 0;
	r->unwinder_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	error = r->unwinder_fd < 0 ? -errno : 0;
	if (!error)
		error = unwinder_start(&r->unwinder, sampler_shards_fd(r->sampler), r->unwinder_fd);
	if (error == -ENOENT) {
		plan_notice(&r->plan,
			    "functions of programs stay without names, and stacks without frame "
			    "pointers short: profiler-jail is not installed beside profiler");
		return 0;
	}
	if (!error && tables)
		error = completer_open(&r->completer, r->sampler, r->procmap, r->unwinder,
				       r->plan.cpu_limit, r->plan.n_sampling);
	if (!error && !r->options->no_names)
		error = namer_open(&r->namer, r->unwinder, r->stream);
	if (!error && r->namer)
		error = jitnamer_open(&r->jitnamer, r->unwinder, r->stream, r->procmap);
	return error ? error : setup_watch(r, r->unwinder_fd, EPOLLIN);
}

static int open_tables(struct recorder *r)
{
	size_t rows = (size_t)r->plan.cpu_limit * r->plan.n_events;
	int error;

	r->cputime_start = calloc(r->plan.cpu_limit, sizeof(*r->cputime_start));
	r->cputime_now = calloc(r->plan.cpu_limit, sizeof(*r->cputime_now));
	r->rows = calloc(rows, sizeof(*r->rows));
	r->row_list = calloc(rows, sizeof(*r->row_list));
	r->drain.limits = calloc(r->plan.cpu_limit, sizeof(*r->drain.limits));
	r->drain.snapshots = calloc(r->plan.cpu_limit, sizeof(*r->drain.snapshots));
	r->drain.counts = calloc(r->plan.cpu_limit, sizeof(*r->drain.counts));
	if (!r->cputime_start || !r->cputime_now || !r->rows || !r->row_list || !r->drain.limits ||
	    !r->drain.snapshots || !r->drain.counts)
		return -ENOMEM;
	error = stacks_new(&r->stacks, r->plan.cpu_limit);
	if (!error)
		error = handoff_new(&r->handoff, HANDOFF_BYTES);
	if (!error)
		error = header_fill(&r->header, &r->plan, r->options);
	if (!error)
		error = stream_new(&r->stream, r->handoff, &r->header.message, r->plan.interval_ns,
				   r->plan.cpu_limit);
	return error;
}

static void connect_stages(struct recorder *r)
{
	r->resolver = (struct resolver){
		.procmap = r->procmap,
		.kallsyms = r->kallsyms,
		.stacks = r->stacks,
		.stream = r->stream,
		.completer = r->completer,
		.namer = r->namer,
		.jitnamer = r->jitnamer,
		.kernel_addresses = r->options->kernel_addresses,
	};
	r->drain.sampler = r->sampler;
	r->drain.sideband = r->sideband;
	r->drain.procmap = r->procmap;
	r->drain.kallsyms = r->kallsyms;
	r->drain.stacks = r->stacks;
	r->drain.resolver = &r->resolver;
	r->drain.unwinder = r->unwinder;
	r->drain.completer = r->completer;
	r->drain.namer = r->namer;
	r->drain.jitnamer = r->jitnamer;
	r->drain.cpus = r->plan.cpu_limit;
}

int setup_watch_rings(struct recorder *r)
{
	int error = 0;

	/* Edge-triggered: data below the watermark does not wake us, only the program does. */
	for (uint32_t cpu = 0; cpu < r->plan.cpu_limit && !error; cpu++)
		if (sampler_ring_fd(r->sampler, cpu) >= 0)
			error = setup_watch(r, sampler_ring_fd(r->sampler, cpu), EPOLLIN | EPOLLET);
	return error;
}

static int open_command(struct recorder *r, char *err, size_t err_bytes)
{
	int error;

	if (!r->options->args)
		return 0;
	error = command_start(&r->command, r->options->args, r->output.path == NULL);
	if (error)
		snprintf(err, err_bytes, "cannot start '%s': %s", r->options->args[0],
			 strerror(-error));
	return error;
}

/* A zombie has ended too, so asking with kill() would not do. */
static int open_targets(struct recorder *r)
{
	r->targets = calloc(r->options->n_pids + 1, sizeof(*r->targets));
	if (!r->targets)
		return -ENOMEM;
	for (uint32_t i = 0; i < r->options->n_pids; i++) {
		r->targets[i].events = POLLIN;
		r->targets[i].fd = (int)syscall(SYS_pidfd_open, r->options->pids[i], 0);
		if (r->targets[i].fd < 0)
			return -errno;
	}
	return 0;
}

static int open_stages(struct recorder *r, char *err, size_t err_bytes)
{
	int error = plan_make(&r->plan, r->options, err, err_bytes);

	if (!error)
		error = output_open(&r->output, r->options->output, err, err_bytes);
	if (!error)
		error = open_command(r, err, err_bytes);
	if (!error)
		error = open_loop(r);
	if (!error)
		error = open_targets(r);
	if (!error)
		error = open_sampler(r, err, err_bytes);
	if (!error)
		error = session_open(&r->session, r->plan.events, r->plan.n_events, &r->plan.wanted,
				     &r->plan.online, r->sampler, r->plan.cpu_limit, err,
				     err_bytes);
	if (!error)
		error = open_processes(r, err, err_bytes);
	if (error)
		return error;
	open_kallsyms(r);
	error = open_tables(r);
	if (!error)
		error = open_unwinder(r);
	if (!error)
		error = setup_watch_rings(r);
	connect_stages(r);
	return error;
}

int record_open(struct recorder **ret, const struct options *options, char *err, size_t err_bytes)
{
	struct recorder *r = calloc(1, sizeof(*r));
	int error = -ENOMEM;

	err[0] = '\0';
	if (r) {
		r->options = options;
		r->output.fd = -1;
		r->epoll_fd = r->signal_fd = r->output_failed_fd = r->unwinder_fd = -1;
		error = open_stages(r, err, err_bytes);
	}
	if (error) {
		if (!err[0])
			snprintf(err, err_bytes, "cannot start: %s", strerror(-error));
		record_close(r);
		return error;
	}
	*ret = r;
	return 0;
}

static void close_fd(int fd)
{
	if (fd >= 0)
		close(fd);
}

void record_close(struct recorder *r)
{
	if (!r)
		return;
	if (r->command.pid) /* never released: the closed pipe ends it */
		command_stop(&r->command);
	session_close(r->session);
	unwinder_stop(r->unwinder);
	completer_close(r->completer);
	namer_close(r->namer);
	jitnamer_close(r->jitnamer);
	sampler_free(r->sampler);
	sideband_free(r->sideband);
	procmap_free(r->procmap);
	kallsyms_free(r->kallsyms);
	stacks_free(r->stacks);
	stream_free(r->stream);
	writer_free(r->writer);
	handoff_free(r->handoff);
	header_release(&r->header);
	plan_release(&r->plan);
	if (r->output.path)
		close_fd(r->output.fd);
	for (uint32_t i = 0; r->targets && i < r->options->n_pids; i++)
		close_fd(r->targets[i].fd);
	free(r->targets);
	close_fd(r->epoll_fd);
	close_fd(r->signal_fd);
	close_fd(r->output_failed_fd);
	close_fd(r->unwinder_fd);
	free(r->cputime_start);
	free(r->cputime_now);
	free(r->rows);
	free(r->row_list);
	free(r->drain.limits);
	for (uint32_t cpu = 0; r->drain.snapshots && cpu < r->plan.cpu_limit; cpu++)
		unwind_job_free(r->drain.snapshots[cpu]);
	free(r->drain.snapshots);
	free(r->drain.counts);
	free(r);
}
