// SPDX-License-Identifier: Apache-2.0
/*
 * test_procmap.c - who runs what: made records with pids that cannot exist (above the kernel's
 * PID_MAX_LIMIT), so that /proc has no say; and then /proc itself, with this very process.
 */
#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <errno.h>
#include <fcntl.h>
#include <malloc.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "jail/elf_file.h"
#include "profiler/procmap.h"
#include "profiler/sideband.h"

#define PID0 5000000u /* PID_MAX_LIMIT is 4194304 */

#define MS 1000000ull

static struct procmap *pm;
static uint64_t now_ns;

static void make(void)
{
	cr_assert(zero(int, procmap_open(&pm)));
	now_ns = 1000 * MS;
}

static void clean(void)
{
	procmap_free(pm);
}

TestSuite(procmap, .init = make, .fini = clean);

static void apply(struct sideband_record r)
{
	r.time_ns = now_ns += 1000;
	procmap_apply(pm, &r);
}

static void fork_process(uint32_t parent, uint32_t pid)
{
	apply((struct sideband_record){ .kind = SIDEBAND_FORK,
					.pid = pid,
					.tid = pid,
					.fork = { .parent_pid = parent, .parent_tid = parent } });
}

static void fork_thread(uint32_t pid, uint32_t from, uint32_t tid)
{
	apply((struct sideband_record){ .kind = SIDEBAND_FORK,
					.pid = pid,
					.tid = tid,
					.fork = { .parent_pid = pid, .parent_tid = from } });
}

static void exit_thread(uint32_t pid, uint32_t tid)
{
	apply((struct sideband_record){ .kind = SIDEBAND_EXIT, .pid = pid, .tid = tid });
}

static void rename_thread(uint32_t pid, uint32_t tid, const char *comm, bool exec)
{
	struct sideband_record r = { .kind = SIDEBAND_COMM, .pid = pid, .tid = tid };

	r.comm.exec = exec;
	snprintf(r.comm.name, sizeof(r.comm.name), "%s", comm);
	apply(r);
}

static void map(uint32_t pid, uint64_t addr, const char *path)
{
	struct sideband_record r = { .kind = SIDEBAND_MMAP, .pid = pid, .tid = pid };

	r.mmap.addr = addr;
	r.mmap.size = 0x1000;
	r.mmap.path = path;
	r.mmap.build_id_size = 2;
	r.mmap.build_id[0] = (uint8_t)strlen(path);
	apply(r);
}

/* A process with a program of one mapping at 0x1000. */
static void run_program(uint32_t pid, const char *comm, const char *path)
{
	fork_process(0, pid);
	rename_thread(pid, pid, comm, true);
	map(pid, 0x1000, path);
}

static struct procmap_stats stats_now(void)
{
	struct procmap_stats stats;

	procmap_stats(pm, &stats);
	return stats;
}

static struct process *process_at(uint32_t pid)
{
	struct thread *t = procmap_thread(pm, pid, pid);

	cr_assert(t != NULL);
	cr_assert(eq(u32, t->tid, pid));
	cr_assert(eq(u32, t->process->pid, pid));
	return t->process;
}

static const char *path_at(struct process *p, uint64_t addr)
{
	const struct mapping *m = procmap_find(pm, p, addr);

	return m ? m->region->file->path : "-";
}

static void expect_text(const char *is, const char *wanted)
{
	cr_expect(zero(int, strcmp(is, wanted)), "'%s', not '%s'", is, wanted);
}

Test(procmap, program)
{
	struct process *p;

	run_program(PID0, "prog", "/bin/prog");
	p = process_at(PID0);
	expect_text(p->comm, "prog");
	expect_text(path_at(p, 0x1000), "/bin/prog");
	expect_text(path_at(p, 0x1fff), "/bin/prog");
	expect_text(path_at(p, 0x2000), "-");
	cr_expect(not(zero(u64, p->start_ns)));
	cr_expect(not(p->unknown));
	cr_expect(zero(u64, stats_now().looked_up));
}

Test(procmap, fork_shares_the_image_until_one_changes_it)
{
	struct process *parent, *child;

	run_program(PID0, "prog", "/bin/prog");
	fork_process(PID0, PID0 + 1);
	parent = process_at(PID0);
	child = process_at(PID0 + 1);
	cr_expect(child != parent);
	cr_expect(child->image == parent->image);
	cr_expect(eq(u32, child->parent_pid, PID0));
	expect_text(child->comm, "prog");
	map(PID0 + 1, 0x5000, "/lib/new.so");
	child = process_at(PID0 + 1);
	expect_text(path_at(child, 0x5000), "/lib/new.so");
	expect_text(path_at(child, 0x1000), "/bin/prog");
	expect_text(path_at(parent, 0x5000), "-");
	cr_expect(not(eq(u64, child->image->id, parent->image->id)));
	cr_expect(procmap_find(pm, child, 0x1000)->region ==
		  procmap_find(pm, parent, 0x1000)->region);
}

Test(procmap, exec_replaces)
{
	struct process *child;
	uint64_t serial;

	run_program(PID0, "prog", "/bin/prog");
	fork_process(PID0, PID0 + 1);
	serial = process_at(PID0 + 1)->serial;
	rename_thread(PID0 + 1, PID0 + 1, "other", true);
	child = process_at(PID0 + 1);
	expect_text(path_at(child, 0x1000), "-");
	expect_text(child->comm, "other");
	expect_text(procmap_thread(pm, PID0 + 1, PID0 + 1)->comm, "other");
	cr_expect(not(eq(u64, child->serial, serial)));
	map(PID0 + 1, 0x8000, "/bin/other");
	expect_text(path_at(process_at(PID0 + 1), 0x8000), "/bin/other");
	expect_text(path_at(process_at(PID0), 0x1000), "/bin/prog");
}

/* Java and node start themselves anew under the same name: their old code has gone all the same. */
Test(procmap, exec_of_the_same_name_is_another_program)
{
	uint64_t serial;

	run_program(PID0, "prog", "/bin/prog");
	serial = process_at(PID0)->serial;
	rename_thread(PID0, PID0, "prog", true);
	cr_expect(not(eq(u64, process_at(PID0)->serial, serial)));
}

Test(procmap, exec_from_another_thread)
{
	run_program(PID0, "prog", "/bin/prog");
	fork_thread(PID0, PID0, PID0 + 1);
	fork_thread(PID0, PID0, PID0 + 2);
	/* All others end, and the caller becomes the main thread without a record of its own. */
	exit_thread(PID0, PID0 + 2);
	exit_thread(PID0, PID0);
	rename_thread(PID0, PID0, "other", true);
	map(PID0, 0x8000, "/bin/other");
	now_ns += 2 * PROCMAP_GRACE_NS;
	procmap_tick(pm, now_ns);
	expect_text(process_at(PID0)->comm, "other");
	expect_text(path_at(process_at(PID0), 0x8000), "/bin/other");
	cr_expect(eq(u64, stats_now().threads, 2), "the swapper and the main thread");
	exit_thread(PID0, PID0);
	now_ns += 2 * PROCMAP_GRACE_NS;
	procmap_tick(pm, now_ns);
	cr_expect(eq(u64, stats_now().processes, 1));
}

Test(procmap, main_thread_ends_first)
{
	struct thread *t;

	run_program(PID0, "prog", "/bin/prog");
	fork_thread(PID0, PID0, PID0 + 1);
	exit_thread(PID0, PID0);
	now_ns += 5 * PROCMAP_GRACE_NS;
	procmap_tick(pm, now_ns);
	t = procmap_thread(pm, PID0, PID0 + 1);
	cr_assert(t != NULL);
	expect_text(t->process->comm, "prog");
	expect_text(path_at(t->process, 0x1000), "/bin/prog");
	cr_expect(zero(u64, stats_now().unknown));
	exit_thread(PID0, PID0 + 1);
	now_ns += 2 * PROCMAP_GRACE_NS;
	procmap_tick(pm, now_ns);
	cr_expect(eq(u64, stats_now().processes, 1), "only the swapper");
	cr_expect(eq(u64, stats_now().threads, 1));
}

Test(procmap, ended_stays_for_its_grace)
{
	run_program(PID0, "prog", "/bin/prog");
	exit_thread(PID0, PID0);
	procmap_tick(pm, now_ns + PROCMAP_GRACE_NS - 1);
	expect_text(process_at(PID0)->comm, "prog");
	expect_text(path_at(process_at(PID0), 0x1000), "/bin/prog");
	cr_expect(zero(u64, stats_now().looked_up));
	procmap_tick(pm, now_ns + PROCMAP_GRACE_NS + 1);
	cr_expect(process_at(PID0)->unknown);
	expect_text(process_at(PID0)->comm, "?");
	expect_text(path_at(process_at(PID0), 0x1000), "-");
	cr_expect(eq(u64, stats_now().unknown, 1), "counted once, not for every sample");
}

/* What is left of the first program may not show in the second one. */
static void check_reused(uint64_t old_serial)
{
	struct process *p;

	fork_process(PID0 + 9, PID0);
	p = process_at(PID0);
	cr_expect(not(eq(u64, p->serial, old_serial)));
	expect_text(p->comm, "shell");
	expect_text(path_at(p, 0x1000), "/bin/shell");
	expect_text(path_at(p, 0x5000), "-");
	cr_expect(eq(u32, p->parent_pid, PID0 + 9));
	/* A thread of the predecessor is not one of the successor. */
	cr_expect(procmap_thread(pm, PID0, PID0 + 1)->process == p);
	expect_text(procmap_thread(pm, PID0, PID0 + 1)->comm, "shell");
}

static uint64_t run_first_program(void)
{
	run_program(PID0 + 9, "shell", "/bin/shell");
	run_program(PID0, "prog", "/bin/prog");
	map(PID0, 0x5000, "/lib/prog.so");
	fork_thread(PID0, PID0, PID0 + 1);
	rename_thread(PID0, PID0 + 1, "worker", false);
	return process_at(PID0)->serial;
}

Test(procmap, pid_used_again_at_once)
{
	uint64_t serial = run_first_program();

	exit_thread(PID0, PID0 + 1);
	exit_thread(PID0, PID0);
	check_reused(serial);
}

Test(procmap, pid_used_again_and_the_exit_was_lost)
{
	check_reused(run_first_program());
}

Test(procmap, tid_used_again_by_a_process)
{
	run_first_program();
	fork_process(PID0 + 9, PID0 + 1);
	expect_text(process_at(PID0 + 1)->comm, "shell");
	expect_text(path_at(process_at(PID0 + 1), 0x5000), "-");
	expect_text(path_at(process_at(PID0), 0x5000), "/lib/prog.so");
	/* The thread has ended, though no record said so. */
	exit_thread(PID0 + 1, PID0 + 1);
	exit_thread(PID0, PID0);
	exit_thread(PID0 + 9, PID0 + 9);
	procmap_tick(pm, now_ns + 2 * PROCMAP_GRACE_NS);
	cr_expect(eq(u64, stats_now().processes, 1));
}

Test(procmap, new_names_are_new_definitions)
{
	struct thread *main_thread, *worker;
	uint64_t serial;

	run_first_program();
	worker = procmap_thread(pm, PID0, PID0 + 1);
	main_thread = procmap_thread(pm, PID0, PID0);
	expect_text(worker->comm, "worker");
	worker->stream_epoch = main_thread->stream_epoch = worker->process->stream_epoch = 7;
	serial = worker->serial;
	rename_thread(PID0, PID0 + 1, "worker", false);
	cr_expect(eq(u64, worker->serial, serial), "the same name again");
	rename_thread(PID0, PID0 + 1, "renamed", false);
	cr_expect(not(eq(u64, worker->serial, serial)));
	cr_expect(zero(u32, worker->stream_epoch));
	cr_expect(eq(u32, main_thread->stream_epoch, 7), "the others stay");
	cr_expect(eq(u32, worker->process->stream_epoch, 7));
	expect_text(worker->process->comm, "prog");
	worker->stream_epoch = 7;
	rename_thread(PID0, PID0, "main", false);
	expect_text(worker->process->comm, "main");
	expect_text(worker->comm, "renamed");
	cr_expect(zero(u32, worker->process->stream_epoch));
	cr_expect(zero(u32, worker->stream_epoch), "its definition names the process's");
}

Test(procmap, idle_task_and_kernel_threads)
{
	struct thread *t = procmap_thread(pm, 0, 0);

	cr_assert(t != NULL);
	expect_text(t->comm, "swapper");
	cr_expect(t->process->image == NULL);
	fork_process(0, PID0);
	rename_thread(PID0, PID0, "kworker/9:1", false);
	cr_expect(process_at(PID0)->image == NULL);
	cr_expect(procmap_find(pm, process_at(PID0), 0x1000) == NULL);
	now_ns += 10 * PROCMAP_GRACE_NS;
	procmap_tick(pm, now_ns);
	expect_text(procmap_thread(pm, 0, 0)->comm, "swapper");
}

Test(procmap, senseless_records_do_no_harm)
{
	struct procmap_stats before = stats_now();

	fork_process(UINT32_MAX, UINT32_MAX);
	exit_thread(UINT32_MAX, UINT32_MAX);
	exit_thread(PID0, PID0);
	rename_thread(0, 0, "evil", true);
	map(0, 0x1000, "/evil");
	apply((struct sideband_record){ .kind = SIDEBAND_KSYMBOL, .pid = PID0, .tid = PID0 });
	cr_expect(eq(u64, stats_now().processes, before.processes));
	expect_text(procmap_thread(pm, 0, 0)->comm, "swapper");
	rename_thread(PID0, PID0 + 5, "orphan", false);
	cr_expect(process_at(PID0)->unknown);
	expect_text(procmap_thread(pm, PID0, PID0 + 5)->comm, "orphan");
	map(PID0, UINT64_MAX - 0x800, "/wraps");
	cr_expect(eq(u64, stats_now().maps_refused, 1));
}

/* Processes of four threads that map three files each, one every @step_ns. */
static void churn(unsigned int count, uint64_t step_ns)
{
	for (unsigned int i = 0; i < count; i++) {
		uint32_t pid = PID0 + 100 + i % 30000 * 4;
		char path[32];

		fork_process(PID0, pid);
		rename_thread(pid, pid, "child", true);
		snprintf(path, sizeof(path), "/bin/child%u", i % 1000);
		map(pid, 0x1000, path);
		map(pid, 0x5000, "/lib/libc.so");
		fork_thread(pid, pid, pid + 1);
		process_at(pid)->stream_id = i;
		exit_thread(pid, pid);
		exit_thread(pid, pid + 1);
		now_ns += step_ns;
		procmap_tick(pm, now_ns);
	}
}

Test(procmap, memory_is_flat)
{
	struct procmap_stats first, last;
	size_t first_heap, last_heap;

	run_program(PID0, "shell", "/bin/shell");
	churn(10000, MS / 2);
	first = stats_now();
	first_heap = mallinfo2().uordblks;
	churn(100000, MS / 2);
	last = stats_now();
	last_heap = mallinfo2().uordblks;
	cr_expect(last.bytes <= first.bytes + first.bytes / 50);
	cr_expect(last_heap <= first_heap + first_heap / 50, "%zu and then %zu", first_heap,
		  last_heap);
	cr_expect(last.processes <= 2010, "one second's worth");
	cr_expect(zero(u64, last.unknown));
	cr_log_info("%zu bytes at 2,000 processes a second", (size_t)last.bytes);
}

Test(procmap, ended_ones_are_bounded)
{
	run_program(PID0, "shell", "/bin/shell");
	churn(20000, 1000);
	cr_expect(stats_now().threads <= 4096 + 10);
	cr_expect(not(zero(u64, stats_now().evicted)));
}

static void *sleep_named(void *pipe_end)
{
	int *fd = pipe_end;
	uint32_t tid = (uint32_t)syscall(SYS_gettid);
	char byte;

	prctl(PR_SET_NAME, "sleeper");
	if (write(fd[1], &tid, sizeof(tid)) != sizeof(tid) || read(fd[2], &byte, 1) < 0)
		return NULL;
	return NULL;
}

static uint64_t boottime_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_BOOTTIME, &ts);
	return (uint64_t)ts.tv_sec * 1000000000ull + (uint64_t)ts.tv_nsec;
}

static void check_own_build_id(struct process *self)
{
	const struct mapping *m = procmap_find(pm, self, (uintptr_t)check_own_build_id);
	int fd = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
	struct elf_file elf;

	cr_assert(m != NULL);
	cr_assert(zero(int, elf_file_open_fd(&elf, fd)));
	close(fd);
	if (!m->region->file->build_id_size) /* the kernel does not tell */
		procmap_identify(pm, self->pid, m->start, m->region->file->path, elf.build_id,
				 elf.build_id_size);
	m = procmap_find(pm, self, (uintptr_t)check_own_build_id);
	cr_expect(eq(int, m->region->file->build_id_size, elf.build_id_size));
	cr_expect(zero(int, memcmp(m->region->file->build_id, elf.build_id, elf.build_id_size)));
	elf_file_close(&elf);
	cr_expect(eq(u64, stats_now().build_ids_read, 1));
	m = procmap_find(pm, self, (uintptr_t)check_own_build_id);
	cr_expect(eq(u64, stats_now().build_ids_read, 1), "once");
}

Test(procmap, scan_of_this_machine)
{
	uint32_t pid = (uint32_t)getpid(), tid = 0;
	struct process *self;
	int in[2], out[2], fds[3];
	pthread_t thread;

	cr_assert(zero(int, pipe(in) || pipe(out)));
	fds[1] = in[1];
	fds[2] = out[0];
	cr_assert(zero(int, pthread_create(&thread, NULL, sleep_named, fds)));
	cr_assert(eq(sz, (size_t)read(in[0], &tid, sizeof(tid)), sizeof(tid)));
	cr_assert(zero(int, procmap_scan(pm)));
	self = process_at(pid);
	cr_expect(eq(u32, self->parent_pid, (uint32_t)getppid()));
	cr_expect(zero(u64, self->start_ns), "before the recording");
	check_own_build_id(self);
	expect_text(procmap_thread(pm, pid, tid)->comm, "sleeper");
	cr_expect(zero(u64, stats_now().looked_up), "the scan found it");
	cr_log_info("%zu processes, %zu threads: %zu us, %zu bytes", (size_t)stats_now().processes,
		    (size_t)stats_now().threads, (size_t)stats_now().scan_ns / 1000,
		    (size_t)stats_now().bytes);
	cr_assert(eq(sz, (size_t)write(out[1], "", 1), 1));
	pthread_join(thread, NULL);
}

Test(procmap, records_from_before_the_scan)
{
	uint32_t pid = (uint32_t)getpid();
	uint64_t serial;

	cr_assert(zero(int, procmap_scan(pm)));
	serial = process_at(pid)->serial;
	now_ns = boottime_ns() / 2;
	fork_process(0, pid);
	rename_thread(pid, pid, "earlier", true);
	map(pid, (uintptr_t)boottime_ns & ~0xfffull, "/earlier");
	cr_expect(eq(u64, process_at(pid)->serial, serial));
	cr_expect(strcmp(path_at(process_at(pid), (uintptr_t)boottime_ns), "/earlier") != 0);
	now_ns = boottime_ns();
	rename_thread(pid, pid, "later", false);
	expect_text(process_at(pid)->comm, "later");
	/* Much later somebody else has the pid, and the record of the exit was lost. */
	now_ns += 10 * PROCMAP_GRACE_NS;
	fork_process(0, pid);
	cr_expect(not(eq(u64, process_at(pid)->serial, serial)));
	cr_expect(process_at(pid)->image == NULL);
}

Test(procmap, loss_makes_a_new_scan)
{
	uint32_t pid = (uint32_t)getpid();
	uint64_t serial;
	pid_t child;

	cr_assert(zero(int, procmap_scan(pm)));
	serial = process_at(pid)->serial;
	now_ns = boottime_ns();
	run_program(PID0, "gone", "/bin/gone");
	/* This one's records are what was lost. */
	child = fork();
	if (child == 0) {
		pause();
		_exit(0);
	}
	usleep(1000 * 1000); /* scans are a second apart */
	apply((struct sideband_record){ .kind = SIDEBAND_LOST, .lost = 3 });
	procmap_tick(pm, now_ns);
	cr_expect(eq(u64, stats_now().scans, 2));
	cr_expect(eq(u64, stats_now().lost, 1));
	cr_expect(eq(u64, process_at(pid)->serial, serial), "what is still there stays");
	expect_text(process_at((uint32_t)child)->comm, process_at(pid)->comm);
	cr_expect(eq(u32, process_at((uint32_t)child)->parent_pid, pid));
	cr_expect(zero(u64, stats_now().looked_up));
	procmap_tick(pm, now_ns + 2 * PROCMAP_GRACE_NS);
	cr_expect(process_at(PID0)->unknown, "what is not there has ended");
	kill(child, SIGKILL);
	waitpid(child, NULL, 0);
}

Test(procmap, unknown_pid_is_looked_up)
{
	struct thread *t = procmap_thread(pm, (uint32_t)getpid(), (uint32_t)getpid());

	cr_assert(t != NULL);
	cr_expect(not(t->process->unknown));
	cr_expect(procmap_find(pm, t->process, (uintptr_t)boottime_ns) != NULL);
	cr_expect(eq(u64, stats_now().looked_up, 1));
	cr_expect(zero(u64, stats_now().unknown));
	t = procmap_thread(pm, PID0, PID0 + 3);
	cr_assert(t != NULL);
	cr_expect(t->process->unknown);
	cr_expect(eq(u32, t->tid, PID0 + 3));
	cr_expect(eq(u64, stats_now().unknown, 1));
}
