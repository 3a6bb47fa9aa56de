// SPDX-License-Identifier: Apache-2.0
/*
 * test_jitfile.c - the map of code made at run time is found where the process itself wrote it, and
 * nothing that others, or earlier processes, have put there is read for it.
 */
#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <time.h>

#include "profiler/jitfile.h"
#include "profiler/openfile.h"
#include "tests/unit/namespaces.h"

#define NOBODY	65534
#define SOMEONE 65533

static struct jitfile_process process;
static char map[64];

/* A child that waits, and the name of its map as we see it. */
static void take_child(uint32_t pid)
{
	process = (struct jitfile_process){ .pid = pid, .uid = UINT32_MAX };
	snprintf(map, sizeof(map), "/tmp/perf-%u.map", pid);
}

static void setup(void)
{
	take_child(start_child(0, NULL, NULL));
}

static void teardown(void)
{
	stop_child(process.pid);
	unlink(map);
}

TestSuite(jitfile, .init = setup, .fini = teardown, .timeout = 20);

static int open_it(void)
{
	struct jitfile_state state;
	int fd = jitfile_open(&process, &state);

	if (fd >= 0)
		close(fd);
	return fd < 0 ? fd : 0;
}

/* Opens, and says how the map begins. */
static char first_byte(struct jitfile_state *state)
{
	int fd = jitfile_open(&process, state);
	char byte = 0;

	cr_assert(ge(int, fd, 0), "%s", strerror(-fd));
	cr_assert(eq(int, fcntl(fd, F_GETFL) & O_ACCMODE, O_RDONLY));
	cr_assert(eq(int, fcntl(fd, F_GETFD) & FD_CLOEXEC, FD_CLOEXEC));
	cr_assert(eq(long, read(fd, &byte, 1), 1));
	close(fd);
	return byte;
}

static uint64_t boottime_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_BOOTTIME, &ts);
	return (uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec;
}

static int become_nobody(const void *unused)
{
	(void)unused;
	return setresuid(NOBODY, NOBODY, NOBODY);
}

static void write_map(const char *text, uid_t owner)
{
	cr_assert(write_text(map, text));
	if (geteuid() == 0)
		cr_assert(zero(int, chown(map, owner, 0)));
}

static void need_root(void)
{
	if (geteuid() != 0)
		cr_skip_test("needs root");
}

Test(jitfile, none)
{
	cr_expect(eq(int, open_it(), -ENOENT));
}

Test(jitfile, of_the_process)
{
	struct jitfile_state before, after;

	write_map("1000 10 one\n", geteuid());
	cr_expect(eq(chr, first_byte(&before), '1'));
	cr_expect(eq(u64, before.size, strlen("1000 10 one\n")));
	/* It grows: the same file. */
	write_map("1000 10 one\n2000 10 two\n", geteuid());
	cr_expect(eq(chr, first_byte(&after), '1'));
	cr_expect(eq(u64, after.inode, before.inode));
	cr_expect(gt(u64, after.size, before.size));
	cr_expect(ge(u64, after.mtime_ns, before.mtime_ns));
	/* It is replaced: another one. */
	cr_assert(zero(int, rename(map, "/tmp/test_jitfile.old")));
	write_map("3000 10 three\n", geteuid());
	unlink("/tmp/test_jitfile.old");
	cr_expect(eq(chr, first_byte(&after), '3'));
	cr_expect(not(eq(u64, after.inode, before.inode)));
}

/* Whoever guesses a pid may write a map for it, but not as that user. */
Test(jitfile, of_another_user)
{
	need_root();
	write_map("1000 10 lie\n", NOBODY);
	cr_expect(eq(int, open_it(), -EPERM), "of a process of root's");
	stop_child(process.pid);
	take_child(start_child(0, become_nobody, NULL));
	write_map("1000 10 own\n", NOBODY);
	cr_expect(zero(int, open_it()), "its own");
	write_map("1000 10 root's\n", 0);
	cr_expect(zero(int, open_it()), "root writes it for others");
	write_map("1000 10 lie\n", SOMEONE);
	cr_expect(eq(int, open_it(), -EPERM));
	process.uid = SOMEONE;
	cr_expect(eq(int, open_it(), -EPERM), "what the process is now counts");
}

/* One that an earlier process of the same pid, and of the same user, has left. */
Test(jitfile, older_than_the_process)
{
	struct timespec times[2] = { { .tv_nsec = UTIME_OMIT } };

	write_map("1000 10 stale\n", geteuid());
	cr_expect(zero(int, open_it()));
	clock_gettime(CLOCK_REALTIME, &times[1]);
	times[1].tv_sec -= 60;
	cr_assert(zero(int, utimensat(AT_FDCWD, map, times, 0)));
	cr_expect(eq(int, open_it(), -ESTALE));
}

Test(jitfile, no_regular_file)
{
	cr_assert(zero(int, mkfifo(map, 0600)));
	cr_expect(eq(int, open_it(), -EINVAL), "and not waited for");
	unlink(map);
	cr_assert(zero(int, mkdir(map, 0700)));
	cr_expect(eq(int, open_it(), -EINVAL));
	rmdir(map);
	cr_assert(zero(int, symlink("/etc/passwd", map)));
	cr_expect(eq(int, open_it(), -EINVAL), "a link is not followed");
	unlink(map);
	cr_assert(zero(int, symlink("/proc/self/fd/0", map)));
	cr_expect(eq(int, open_it(), -EINVAL));
}

Test(jitfile, too_large)
{
	write_map("1", geteuid());
	if (truncate(map, (off_t)OPENFILE_BYTES_MAX + 1) == 0)
		cr_expect(eq(int, open_it(), -EFBIG));
}

/* In a container: its own /tmp, and its own idea of its pid. */
static int write_as_one(const void *unused)
{
	(void)unused;
	return mount_own_tmp() || !write_text("/tmp/perf-1.map", "i") ||
	       !write_text("/tmp/perf-2.map", "x");
}

Test(jitfile, in_namespaces_of_its_own)
{
	struct jitfile_state state;

	need_root();
	stop_child(process.pid);
	if (!can_mount_apart())
		cr_skip("in a chroot");
	take_child(start_child(CLONE_NEWPID | CLONE_NEWNS, write_as_one, NULL));
	write_map("outside", 0); /* of the same name as ours sees it: another process's */
	cr_expect(eq(chr, first_byte(&state), 'i'));
	cr_expect(ne(int, access("/tmp/perf-1.map", F_OK), 0), "it is not ours");
}

static int change_root(const void *root)
{
	return chroot(root) || chdir("/");
}

/* A link in the process's root leads nowhere but there. */
Test(jitfile, below_its_own_root)
{
	char root[] = "/tmp/test_jitfile-XXXXXX", path[128];
	struct jitfile_state state;

	need_root();
	cr_assert(mkdtemp(root) != NULL);
	stop_child(process.pid);
	take_child(start_child(0, change_root, root));
	write_map("outside", 0);
	snprintf(path, sizeof(path), "%s/tmp", root);
	cr_assert(zero(int, symlink("../../../../../../tmp", path)));
	cr_expect(lt(int, open_it(), 0), "not ours");
	unlink(path);
	cr_assert(zero(int, symlink("/elsewhere", path)));
	snprintf(path, sizeof(path), "%s/elsewhere", root);
	cr_assert(zero(int, mkdir(path, 0700)));
	snprintf(path, sizeof(path), "%s/elsewhere/perf-%u.map", root, process.pid);
	cr_assert(write_text(path, "inside"));
	cr_expect(eq(chr, first_byte(&state), 'i'));
	unlink(path);
	snprintf(path, sizeof(path), "rm -r %s", root);
	cr_assert(zero(int, system(path)));
}

/* Its map stays. Whose it was has to be known from before. */
Test(jitfile, process_gone)
{
	struct jitfile_state state;

	process.start_ns = boottime_ns();
	stop_child(process.pid);
	write_map("left", geteuid());
	cr_expect(eq(int, open_it(), -ESRCH), "of an unknown user");
	process.uid = geteuid();
	cr_expect(eq(chr, first_byte(&state), 'l'));
	process.uid = SOMEONE;
	cr_expect(eq(int, open_it(), geteuid() ? -EPERM : 0));
	process.uid = geteuid();
	process.inner_pid = 7;
	cr_expect(eq(int, open_it(), -ESRCH), "its /tmp may have been another");
	process.inner_pid = 0;
	process.start_ns += 60000000000ull;
	cr_expect(eq(int, open_it(), -ESTALE));
	process.start_ns = 0;
	cr_expect(eq(int, open_it(), -ESRCH), "may be of any age");
}

/* Another process has the pid by now: its map is not that of the one that was sampled. */
Test(jitfile, pid_used_again)
{
	process.start_ns = boottime_ns() - 10000000000ull;
	write_map("new", geteuid());
	cr_expect(eq(int, open_it(), -ESRCH));
	process.start_ns = boottime_ns();
	cr_expect(zero(int, open_it()));
}

Test(jitfile, dumps)
{
	static const char *const dumps[] = { "/home/u/.debug/jit/java-jit-1/jit-42.dump",
					     "/tmp/jit-1.dump (deleted)", "jit-7.dump" };
	static const char *const others[] = { "",
					      "/tmp/jit-.dump",
					      "/tmp/jit-4x.dump",
					      "/tmp/jit-4.dump2",
					      "/tmp/jit-4.dump (deletedd)",
					      "/tmp/ajit-4.dump",
					      "/tmp/jit-4.dump/x",
					      "/tmp/perf-4.map" };

	for (size_t i = 0; i < sizeof(dumps) / sizeof(dumps[0]); i++)
		cr_expect(jitfile_is_dump(dumps[i]), "%s", dumps[i]);
	for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++)
		cr_expect(not(jitfile_is_dump(others[i])), "%s", others[i]);
}
