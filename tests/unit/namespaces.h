/* SPDX-License-Identifier: Apache-2.0 */
/* namespaces.h - children for tests: they wait, in namespaces of their own. */
#ifndef TESTS_NAMESPACES_H
#define TESTS_NAMESPACES_H

#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

/*
 * Runs @prepare in the child, which returns 0 when all is well; then it waits for its end.
 * @flags: CLONE_NEW...; with CLONE_NEWPID it is pid 1 in there
 */
static inline uint32_t start_child(unsigned long flags, int (*prepare)(const void *),
				   const void *data)
{
	int ready[2];
	char byte;
	pid_t child;

	cr_assert(zero(int, pipe(ready)));
	child = (pid_t)syscall(SYS_clone, flags | SIGCHLD, 0, 0, 0, 0);
	if (child == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		if ((prepare && prepare(data)) || write(ready[1], "", 1) != 1)
			_exit(1);
		for (;;)
			pause();
	}
	close(ready[1]);
	cr_assert(gt(int, child, 0));
	cr_assert(eq(long, read(ready[0], &byte, 1), 1), "the child's preparation failed");
	close(ready[0]);
	return (uint32_t)child;
}

static inline void stop_child(uint32_t pid)
{
	kill((pid_t)pid, SIGKILL);
	waitpid((pid_t)pid, NULL, 0);
}

/* In a plain chroot, whose root is no mount, nothing can be mounted that others do not see. */
static inline bool can_mount_apart(void)
{
	struct statx root;

	return statx(AT_FDCWD, "/", 0, STATX_BASIC_STATS, &root) == 0 &&
	       (root.stx_attributes & STATX_ATTR_MOUNT_ROOT);
}

/* For @prepare, with CLONE_NEWNS, where can_mount_apart(): an empty /tmp. */
static inline int mount_own_tmp(void)
{
	return mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) ||
	       mount("tmpfs", "/tmp", "tmpfs", 0, NULL);
}

static inline bool write_text(const char *path, const char *text)
{
	FILE *file = fopen(path, "we");
	bool written;

	if (!file)
		return false;
	written = fputs(text, file) >= 0;
	return fclose(file) == 0 && written;
}

#endif /* TESTS_NAMESPACES_H */
