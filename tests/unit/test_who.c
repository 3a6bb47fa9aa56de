// SPDX-License-Identifier: Apache-2.0
/*
 * test_who.c - in which cgroup, and under which pid of its own, a sampled process runs. Processes
 * that are there are children of this test; those that have gone have pids that cannot exist.
 */
#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "profiler/cgroups.h"
#include "profiler/procmap.h"
#include "profiler/sideband.h"
#include "tests/unit/namespaces.h"

#define PID0   5000000u /* PID_MAX_LIMIT is 4194304 */
#define NOBODY 65534

static struct procmap *pm;
static char box[512], box_path[64]; /* a cgroup of this test's; "" where none can be made */

/* Where cgroups of version 2 are mounted; paths below it are as /proc/PID/cgroup has them. */
static bool find_cgroup2(char where[256])
{
	FILE *mounts = fopen("/proc/mounts", "re");
	char line[1024], kind[64];
	bool found = false;

	while (mounts && !found && fgets(line, sizeof(line), mounts))
		found = sscanf(line, "%*s %255s %63s", where, kind) == 2 &&
			strcmp(kind, "cgroup2") == 0;
	if (mounts)
		fclose(mounts);
	return found;
}

static void make(void)
{
	char where[256];

	cr_assert(zero(int, procmap_open(&pm)));
	snprintf(box_path, sizeof(box_path), "/test_who.%d", (int)getpid());
	if (!find_cgroup2(where))
		return;
	snprintf(box, sizeof(box), "%s%s", where, box_path);
	if (mkdir(box, 0700))
		*box = '\0';
}

static void clean(void)
{
	if (*box && rmdir(box))
		perror(box);
	procmap_free(pm);
}

TestSuite(who, .init = make, .fini = clean, .timeout = 20);

static void need_box(void)
{
	if (!*box)
		cr_skip_test("no cgroup of version 2 can be made here");
}

static void move(uint32_t pid)
{
	char path[600], text[16];

	snprintf(path, sizeof(path), "%s/cgroup.procs", box);
	snprintf(text, sizeof(text), "%u", pid);
	cr_assert(write_text(path, text));
}

static uint64_t boottime_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_BOOTTIME, &ts);
	return (uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec;
}

static void apply(struct sideband_record r)
{
	r.time_ns = boottime_ns();
	procmap_apply(pm, &r);
}

static void fork_process(uint32_t parent, uint32_t pid)
{
	apply((struct sideband_record){ .kind = SIDEBAND_FORK,
					.pid = pid,
					.tid = pid,
					.fork = { .parent_pid = parent, .parent_tid = parent } });
}

/* The same name again, so that only the exec itself is new. */
static void exec_process(uint32_t pid, const char *comm)
{
	struct sideband_record r = { .kind = SIDEBAND_COMM, .pid = pid, .tid = pid };

	r.comm.exec = true;
	snprintf(r.comm.name, sizeof(r.comm.name), "%s", comm);
	apply(r);
}

static struct process *sample(uint32_t pid)
{
	struct thread *t = procmap_thread(pm, pid, pid);

	cr_assert(t != NULL);
	return t->process;
}

static void expect_cgroup(uint32_t pid, const char *wanted)
{
	const char *path = cgroup_path(sample(pid)->cgroup);

	cr_expect(zero(int, strcmp(path, wanted)), "'%s', not '%s'", path, wanted);
}

static struct procmap_stats stats_now(void)
{
	struct procmap_stats stats;

	procmap_stats(pm, &stats);
	return stats;
}

Test(who, cgroup_of_its_own)
{
	uint32_t child = start_child(0, NULL, NULL);

	need_box();
	move(child);
	expect_cgroup(child, box_path);
	cr_expect(zero(u32, sample(child)->inner_pid));
	cr_expect(eq(u32, sample(child)->uid, geteuid()));
	cr_expect(eq(u64, stats_now().who_read, 1), "once, not for every sample");
	stop_child(child);
}

/* A launcher moves its child before the exec: the samples of the new program are not the old
 * place's. */
Test(who, moved_before_exec)
{
	uint32_t child = start_child(0, NULL, NULL);
	struct thread *t = procmap_thread(pm, child, child);
	uint64_t serial = t->serial;
	char before[256];

	need_box();
	snprintf(before, sizeof(before), "%s", cgroup_path(t->process->cgroup));
	cr_expect(ne(int, strcmp(before, box_path), 0));
	t->stream_epoch = t->process->stream_epoch = 7;
	move(child);
	expect_cgroup(child, before);
	cr_expect(eq(u64, t->serial, serial));
	exec_process(child, t->process->comm);
	expect_cgroup(child, box_path);
	cr_expect(not(eq(u64, t->serial, serial)), "another definition");
	cr_expect(zero(u32, t->stream_epoch));
	cr_expect(zero(u32, t->process->stream_epoch));
	stop_child(child);
}

Test(who, gone_children_have_their_ancestors_cgroup)
{
	uint32_t child = start_child(0, NULL, NULL);

	need_box();
	move(child);
	expect_cgroup(child, box_path);
	fork_process(child, PID0);
	expect_cgroup(PID0, box_path);
	cr_expect(eq(u32, sample(PID0)->uid, geteuid()));
	fork_process(PID0, PID0 + 1);
	fork_process(PID0 + 1, PID0 + 2);
	expect_cgroup(PID0 + 2, box_path);
	exec_process(PID0 + 2, "other");
	expect_cgroup(PID0 + 2, box_path);
	cr_expect(sample(PID0 + 2)->cgroup == sample(child)->cgroup, "the same string");
	/* None of its ancestors was ever sampled. */
	procmap_free(pm);
	cr_assert(zero(int, procmap_open(&pm)));
	cr_assert(zero(int, procmap_scan(pm)));
	fork_process(child, PID0);
	fork_process(PID0, PID0 + 1);
	fork_process(PID0 + 1, PID0 + 2);
	expect_cgroup(PID0 + 2, box_path);
	cr_expect(eq(u64, stats_now().who_inherited, 1));
	stop_child(child);
}

/* The pid of its parent is a younger process's by now, which is nobody's parent. */
Test(who, no_inheritance_from_who_has_the_parents_pid_now)
{
	uint32_t child = start_child(0, NULL, NULL);
	struct sideband_record r = { .kind = SIDEBAND_FORK, .pid = PID0, .tid = PID0 };

	r.fork.parent_pid = r.fork.parent_tid = child;
	r.time_ns = boottime_ns() - 10000000000ull;
	procmap_apply(pm, &r);
	cr_expect(sample(child)->cgroup != NULL);
	expect_cgroup(PID0, "");
	stop_child(child);
}

Test(who, nothing_is_known_of_an_unknown_process)
{
	struct process *p = sample(PID0);

	cr_expect(p->unknown);
	cr_expect(p->cgroup == NULL);
	cr_expect(zero(u32, p->inner_pid));
	cr_expect(eq(u32, p->uid, PROCMAP_NO_UID));
	cr_expect(sample(0)->cgroup == NULL);
}

Test(who, pid_in_a_namespace)
{
	uint32_t child;

	if (geteuid() != 0)
		cr_skip_test("needs root");
	child = start_child(CLONE_NEWPID, NULL, NULL);
	cr_assert(zero(int, procmap_scan(pm)));
	/* What it forked and has gone had another number than its parent. */
	fork_process(child, PID0);
	cr_expect(zero(u32, sample(PID0)->inner_pid));
	cr_expect(eq(u32, sample(child)->inner_pid, 1));
	cr_expect(zero(u32, sample((uint32_t)getpid())->inner_pid));
	stop_child(child);
}

Test(who, kernel_thread)
{
	struct process *p = sample(2);

	if (strcmp(p->comm, "kthreadd") != 0)
		cr_skip_test("kernel threads are hidden here");
	cr_expect(zero(int, strcmp(cgroup_path(p->cgroup), "/")));
	cr_expect(p->image == NULL);
}

/* Many processes, few cgroups; and one that nobody is in any more takes no room. */
Test(who, cgroups_are_shared_and_go)
{
	uint32_t child = start_child(0, NULL, NULL);
	struct cgroup *held;
	uint64_t bytes;

	need_box();
	move(child);
	expect_cgroup(child, box_path);
	for (uint32_t i = 0; i < 100; i++) {
		fork_process(child, PID0 + i);
		expect_cgroup(PID0 + i, box_path);
	}
	cr_expect(eq(u32, sample(child)->cgroup->refs, 101));
	held = cgroup_get(sample(child)->cgroup);
	stop_child(child);
	apply((struct sideband_record){ .kind = SIDEBAND_EXIT, .pid = child, .tid = child });
	for (uint32_t i = 0; i < 100; i++)
		apply((struct sideband_record){
			.kind = SIDEBAND_EXIT, .pid = PID0 + i, .tid = PID0 + i });
	procmap_tick(pm, boottime_ns() + 2 * PROCMAP_GRACE_NS);
	cr_expect(eq(u32, held->refs, 1));
	bytes = stats_now().bytes;
	procmap_put_cgroup(pm, held);
	cr_expect(lt(u64, stats_now().bytes, bytes));
}

Test(who, cgroups_have_a_limit)
{
	static struct cgroup *kept[CGROUPS_BYTES_MAX / 1000];
	struct cgroup_set set;
	char path[1000];
	uint32_t n = 0;

	cr_assert(zero(int, cgroup_set_init(&set)));
	memset(path, 'x', sizeof(path));
	for (;; n++) {
		cr_assert(lt(u32, n, sizeof(kept) / sizeof(kept[0])));
		snprintf(path + sizeof(path) - 10, 10, "%u", n);
		kept[n] = cgroup_intern(&set, path);
		if (!kept[n])
			break;
	}
	cr_expect(le(u64, set.bytes, CGROUPS_BYTES_MAX));
	cr_expect(gt(u64, set.bytes, CGROUPS_BYTES_MAX - 2000));
	cr_expect(eq(u64, set.refused, 1));
	cr_expect(cgroup_get(NULL) == NULL);
	while (n-- > 0)
		cgroup_put(&set, kept[n]);
	cr_expect(zero(u64, set.bytes));
	kept[0] = cgroup_intern(&set, "/again");
	cr_expect(zero(int, strcmp(cgroup_path(kept[0]), "/again")));
	cgroup_put(&set, kept[0]);
	cgroup_set_release(&set);
}
