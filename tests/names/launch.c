/* SPDX-License-Identifier: Apache-2.0 */
/*
 * launch.c - starts a program and does to its file what makes names hard to find.
 *
 *	launch deleted PROGRAM ARGS...         unlinked as soon as it has begun
 *	launch replaced OTHER PROGRAM ARGS...  OTHER is put at its path as soon as it has begun
 *	launch memfd PROGRAM ARGS...           run from a copy in memory
 *	launch chroot ROOT PROGRAM ARGS...     run below another root
 *
 * "As soon as": vfork() returns at the moment when the program has taken the child's place.
 */
#include <fcntl.h>
#include <spawn.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "bench/workloads/common.h"

extern char **environ;

static int fail(const char *what)
{
	fprintf(stderr, "launch: %s: %s\n", what, strerror(errno));
	return 1;
}

static int end_of(pid_t child)
{
	int status;

	if (waitpid(child, &status, 0) != child)
		return fail("wait");
	return WIFEXITED(status) ? WEXITSTATUS(status) : 1;
}

/* posix_spawn() waits for the exec as vfork() does. */
static int start(pid_t *child, char **argv)
{
	errno = posix_spawn(child, argv[0], NULL, NULL, argv, environ);
	return errno ? fail(argv[0]) : 0;
}

static int run_deleted(char **argv)
{
	pid_t child;

	if (start(&child, argv))
		return 1;
	if (unlink(argv[0]))
		fail(argv[0]);
	return end_of(child);
}

static int run_replaced(char **argv)
{
	pid_t child;

	if (!argv[1] || start(&child, argv + 1))
		return 1;
	if (rename(argv[0], argv[1]))
		fail(argv[0]);
	return end_of(child);
}

static int run_memfd(char **argv)
{
	int in = open(argv[0], O_RDONLY | O_CLOEXEC);
	int out = memfd_create("in_memory", MFD_CLOEXEC);
	struct stat st;

	if (in < 0 || out < 0 || fstat(in, &st) || sendfile(out, in, NULL, (size_t)st.st_size) < 0)
		return fail(argv[0]);
	fexecve(out, argv, environ);
	return fail("exec");
}

static int run_chroot(char **argv)
{
	if (!argv[1] || chroot(argv[0]) || chdir("/"))
		return fail(argv[0]);
	execv(argv[1], argv + 1);
	return fail(argv[1]);
}

static const struct {
	const char *name;
	int (*run)(char **argv);
} modes[] = {
	{ "deleted", run_deleted },
	{ "replaced", run_replaced },
	{ "memfd", run_memfd },
	{ "chroot", run_chroot },
};

int main(int argc, char **argv)
{
	for (size_t i = 0; argc > 2 && i < sizeof(modes) / sizeof(modes[0]); i++)
		if (!strcmp(argv[1], modes[i].name))
			return modes[i].run(argv + 2);
	fprintf(stderr, "usage: launch deleted|replaced|memfd|chroot ...\n");
	return 2;
}
