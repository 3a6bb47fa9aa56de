// SPDX-License-Identifier: Apache-2.0
/*
 * test_openfile.c - the file behind a mapping is found as long as it is that file, and nothing that
 * the process puts in its place is opened, waited for or followed.
 */
#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <unistd.h>

#include "profiler/openfile.h"
#include "tests/unit/namespaces.h"

#define FILE_BYTES 8192

static char dir[64], path[128];

/* A file, and a mapping of it that is nowhere: only its path leads to it. */
static struct openfile_mapping map;

static void describe(void)
{
	struct stat st;

	cr_assert(zero(int, stat(path, &st)));
	map = (struct openfile_mapping){ .pid = (uint32_t)getpid(),
					 .start = 0x1000,
					 .end = 0x2000,
					 .path = path,
					 .inode = st.st_ino,
					 .dev_major = major(st.st_dev),
					 .dev_minor = minor(st.st_dev) };
}

static void write_file(const char *name, char content)
{
	char bytes[FILE_BYTES];
	FILE *file = fopen(name, "we");

	cr_assert(file != NULL);
	memset(bytes, content, sizeof(bytes));
	cr_assert(eq(sz, fwrite(bytes, 1, sizeof(bytes), file), sizeof(bytes)));
	fclose(file);
}

static void setup(void)
{
	strcpy(dir, "/tmp/test_openfile-XXXXXX");
	cr_assert(mkdtemp(dir) != NULL);
	snprintf(path, sizeof(path), "%s/file", dir);
	write_file(path, 'a');
	describe();
}

static void teardown(void)
{
	char command[128];

	snprintf(command, sizeof(command), "rm -r %s", dir);
	cr_assert(zero(int, system(command)));
}

TestSuite(openfile, .init = setup, .fini = teardown, .timeout = 20);

static char first_byte(int fd)
{
	char byte = 0;

	cr_assert(eq(long, pread(fd, &byte, 1, 0), 1));
	return byte;
}

/* Opens, expects a file, and says how it begins. */
static char opened(bool *certain)
{
	int fd = openfile_open(&map, certain);
	char byte;

	cr_assert(ge(int, fd, 0), "%s", strerror(-fd));
	cr_assert(eq(int, fcntl(fd, F_GETFL) & O_ACCMODE, O_RDONLY));
	cr_assert(eq(int, fcntl(fd, F_GETFD) & FD_CLOEXEC, FD_CLOEXEC));
	byte = first_byte(fd);
	close(fd);
	return byte;
}

static void map_it(void)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	void *at = mmap(NULL, FILE_BYTES, PROT_READ, MAP_PRIVATE, fd, 0);

	cr_assert(at != MAP_FAILED);
	close(fd);
	map.start = (uintptr_t)at;
	map.end = map.start + FILE_BYTES;
}

static bool may_use_map_files(void)
{
	return geteuid() == 0;
}

Test(openfile, by_path)
{
	bool certain = false;

	cr_assert(eq(chr, opened(&certain), 'a'));
	cr_assert(certain);
}

/* The path leads to another file by now: said so, for the build id to decide. */
Test(openfile, another_file_of_that_name)
{
	bool certain = true;
	char other[128];

	snprintf(other, sizeof(other), "%s/other", dir);
	write_file(other, 'b');
	cr_assert(zero(int, rename(other, path)));
	cr_assert(eq(chr, opened(&certain), 'b'));
	cr_assert(not(certain));
}

/* As long as it is mapped, what is mapped is found, whatever became of the path. */
Test(openfile, replaced_and_deleted)
{
	bool certain = false;
	char other[128];

	if (!may_use_map_files())
		return;
	map_it();
	snprintf(other, sizeof(other), "%s/other", dir);
	write_file(other, 'b');
	cr_assert(zero(int, rename(other, path)));
	cr_assert(eq(chr, opened(&certain), 'a'));
	cr_assert(certain);
	cr_assert(zero(int, unlink(path)));
	certain = false;
	cr_assert(eq(chr, opened(&certain), 'a'));
	cr_assert(certain);
}

/* Another file is mapped at the same place by now. */
Test(openfile, mapping_replaced)
{
	bool certain = true;
	char other[128];
	int fd;

	if (!may_use_map_files())
		return;
	map_it();
	snprintf(other, sizeof(other), "%s/other", dir);
	write_file(other, 'b');
	fd = open(other, O_RDONLY | O_CLOEXEC);
	cr_assert(mmap((void *)(uintptr_t)map.start, FILE_BYTES, PROT_READ, MAP_PRIVATE | MAP_FIXED,
		       fd, 0) != MAP_FAILED);
	close(fd);
	(void)opened(&certain);
	cr_assert(not(certain));
}

Test(openfile, deleted)
{
	bool certain = true;
	char name[160];

	snprintf(name, sizeof(name), "%s (deleted)", path);
	write_file(name, 'x');
	map.path = name;
	cr_assert(eq(int, openfile_open(&map, &certain), -ENOENT), "not the one that is called so");
	cr_assert(certain, "untouched");
}

/* Nothing that is no regular file is opened; a FIFO would be waited for. */
Test(openfile, no_regular_file)
{
	bool certain;

	cr_assert(zero(int, unlink(path)));
	cr_assert(zero(int, mkfifo(path, 0600)));
	cr_assert(eq(int, openfile_open(&map, &certain), -EINVAL));
	map.path = dir;
	cr_assert(eq(int, openfile_open(&map, &certain), -EINVAL));
	map.path = "/dev/zero";
	cr_assert(eq(int, openfile_open(&map, &certain), -EINVAL));
	map.path = "[heap]";
	cr_assert(eq(int, openfile_open(&map, &certain), -ENOENT));
	map.path = "";
	cr_assert(eq(int, openfile_open(&map, &certain), -ENOENT));
	map.path = "../../../../../etc/passwd";
	cr_assert(eq(int, openfile_open(&map, &certain), -ENOENT));
}

/* A mapping's path has no links in it: a link there was made later. */
Test(openfile, link_in_place_of_file)
{
	bool certain;

	cr_assert(zero(int, unlink(path)));
	cr_assert(zero(int, symlink("/etc/passwd", path)));
	cr_assert(lt(int, openfile_open(&map, &certain), 0));
	cr_assert(zero(int, unlink(path)));
	cr_assert(zero(int, symlink("/proc/self/fd/0", path)));
	cr_assert(lt(int, openfile_open(&map, &certain), 0));
}

Test(openfile, too_large)
{
	bool certain;

	if (truncate(path, (off_t)OPENFILE_BYTES_MAX + 1) == 0)
		cr_assert(eq(int, openfile_open(&map, &certain), -EFBIG));
}

Test(openfile, process_gone)
{
	bool certain = false;
	pid_t child = fork();

	if (child == 0)
		_exit(0);
	waitpid(child, NULL, 0);
	map.pid = (uint32_t)child;
	cr_assert(eq(chr, opened(&certain), 'a'));
	cr_assert(certain);
	map.inode++;
	cr_assert(eq(chr, opened(&certain), 'a'));
	cr_assert(not(certain));
}

static int enter_root(const void *to)
{
	return chroot(to);
}

/* A process with a root of its own: its links lead nowhere but there. */
Test(openfile, links_stay_below_the_root)
{
	bool certain = true;
	char inside[160];
	uint32_t child;
	int fd;

	if (geteuid() != 0)
		return;
	snprintf(inside, sizeof(inside), "%s/etc", dir);
	cr_assert(zero(int, mkdir(inside, 0700)));
	snprintf(inside, sizeof(inside), "%s/etc/passwd", dir);
	write_file(inside, 'c');
	snprintf(inside, sizeof(inside), "%s/out", dir);
	cr_assert(zero(int, symlink("../../../../../../etc", inside)));
	child = start_child(0, enter_root, dir);
	map = (struct openfile_mapping){ .pid = child, .path = "/file" };
	cr_assert(eq(chr, opened(&certain), 'a'));
	cr_assert(not(certain), "nothing is known of its inode");
	map.path = "/out/passwd";
	cr_assert(eq(chr, opened(&certain), 'c'));
	map.path = "/etc/shadow";
	fd = openfile_open(&map, &certain);
	if (fd >= 0) /* ours, by the fall-back: never certain */
		cr_assert(not(certain));
	stop_child(child);
}

/* A folder in the test's, with all above it. */
static void make_dir(const char *name)
{
	char command[256];

	snprintf(command, sizeof(command), "mkdir -p %s/%s", dir, name);
	cr_assert(zero(int, system(command)));
}

static void write_inside(const char *name, char content)
{
	char inside[256];

	snprintf(inside, sizeof(inside), "%s/%s", dir, name);
	write_file(inside, content);
}

/* These debug files are found, one letter each, in this order. */
static void expect_debug_files(const struct openfile_debug *wanted, const char *expected)
{
	char found[16];
	unsigned int at = 0;
	size_t n = 0;
	int fd;

	while ((fd = openfile_debug(wanted, &at)) >= 0) {
		cr_assert(lt(sz, n, sizeof(found) - 1));
		found[n++] = first_byte(fd);
		close(fd);
	}
	cr_assert(eq(int, fd, -ENOENT));
	cr_assert(eq(int, openfile_debug(wanted, &at), -ENOENT), "and so it stays");
	found[n] = '\0';
	cr_assert(zero(int, strcmp(found, expected)), "%s instead of %s", found, expected);
}

/* Beside the file and in .debug there; not what is no file, and never outside of a name. */
Test(openfile, debug_by_link)
{
	struct openfile_debug wanted = { .pid = (uint32_t)getpid(), .debug_link = "file.debug" };
	char inside[160];

	wanted.path = path;
	expect_debug_files(&wanted, "");
	make_dir(".debug");
	write_inside(".debug/file.debug", 'c');
	/* Below the root of the process, and then below ours. */
	expect_debug_files(&wanted, "cc");
	write_inside("file.debug", 'b');
	expect_debug_files(&wanted, "bcbc");
	wanted.pid = UINT32_MAX; /* has gone */
	expect_debug_files(&wanted, "bc");
	snprintf(inside, sizeof(inside), "%s/file.debug", dir);
	cr_assert(zero(int, unlink(inside)));
	cr_assert(zero(int, mkfifo(inside, 0600)));
	expect_debug_files(&wanted, "c");
	/* The file itself is not its debug file. */
	wanted.debug_link = "file";
	write_inside(".debug/file", 'd');
	expect_debug_files(&wanted, "d");
	wanted.debug_link = "";
	expect_debug_files(&wanted, "");
	wanted.debug_link = ".debug/file.debug";
	expect_debug_files(&wanted, "");
	wanted.debug_link = "file.debug";
	wanted.path = "[vdso]";
	expect_debug_files(&wanted, "");
}

/* By build id first, then all that the link may mean; links of the process's stay in its root. */
Test(openfile, debug_below_the_root)
{
	static const uint8_t id[] = { 0xab, 0xcd, 0xef };
	const struct openfile_debug wanted = { .path = "/bin/file",
					       .build_id = id,
					       .build_id_size = sizeof(id),
					       .debug_link = "f.debug" };
	struct openfile_debug of_child = wanted;
	char inside[160];

	if (geteuid() != 0)
		return;
	make_dir("usr/lib/debug/.build-id/ab");
	make_dir("usr/lib/debug/bin");
	make_dir("bin/.debug");
	write_inside("by-id", 'a');
	write_inside("bin/f.debug", 'b');
	write_inside("bin/.debug/f.debug", 'c');
	write_inside("usr/lib/debug/bin/f.debug", 'd');
	snprintf(inside, sizeof(inside), "%s/usr/lib/debug/.build-id/ab/cdef.debug", dir);
	cr_assert(zero(int, symlink("../../../../../../../../by-id", inside)));
	of_child.pid = start_child(0, enter_root, dir);
	expect_debug_files(&of_child, "abcd");
	stop_child(of_child.pid);
}

/* What the kernel maps into us, and nobody can change it. */
Test(openfile, vdso)
{
	unsigned long start = getauxval(AT_SYSINFO_EHDR);
	int fd = openfile_vdso();
	struct stat st;
	void *copy;

	if (!start) {
		cr_assert(eq(int, fd, -ENOENT));
		return;
	}
	cr_assert(ge(int, fd, 0));
	cr_assert(zero(int, fstat(fd, &st)));
	copy = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
	cr_assert(copy != MAP_FAILED);
	cr_assert(zero(int, memcmp(copy, (const void *)start, (size_t)st.st_size)));
	cr_assert(eq(long, write(fd, "x", 1), -1));
	cr_assert(eq(int, ftruncate(fd, 0), -1));
	close(fd);
}
