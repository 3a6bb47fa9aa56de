// SPDX-License-Identifier: Apache-2.0
/*
 * test_sandbox.c - whoever took the jail over could do nothing with it: each system call beyond
 * those of serving kills, and those of serving work.
 */
#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "jail/sandbox.h"

TestSuite(sandbox, .timeout = 60);

/* The wait status of a locked up child that makes one system call and exits with 0. */
static int locked_up(long number, long a, long b, long c, long d, long e, long f)
{
	const char *step;
	int status;
	pid_t child = fork();

	if (child == 0) {
		if (sandbox_enter(3, &step))
			syscall(SYS_exit_group, 9);
		syscall(number, a, b, c, d, e, f);
		syscall(SYS_exit_group, 0);
	}
	cr_assert(eq(int, waitpid(child, &status, 0), child));
	return status;
}

static bool was_killed(int status)
{
	return WIFSIGNALED(status) && WTERMSIG(status) == SIGSYS;
}

static bool went_on(int status)
{
	return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

#define FORBIDDEN(...) cr_expect(was_killed(locked_up(__VA_ARGS__)), "%s", #__VA_ARGS__)
#define ALLOWED(...)   cr_expect(went_on(locked_up(__VA_ARGS__)), "%s", #__VA_ARGS__)

#define PATH(text) (long)(text)

Test(sandbox, forbids)
{
	const int anonymous = MAP_PRIVATE | MAP_ANONYMOUS;

	FORBIDDEN(SYS_openat, AT_FDCWD, PATH("/etc/passwd"), O_RDONLY, 0, 0, 0);
	FORBIDDEN(SYS_execve, PATH("/bin/true"), 0, 0, 0, 0, 0);
	FORBIDDEN(SYS_execveat, AT_FDCWD, PATH("/bin/true"), 0, 0, 0, 0);
	FORBIDDEN(SYS_clone, SIGCHLD, 0, 0, 0, 0, 0);
	FORBIDDEN(SYS_clone3, 0, 0, 0, 0, 0, 0);
	FORBIDDEN(SYS_socket, AF_INET, SOCK_STREAM, 0, 0, 0, 0);
	FORBIDDEN(SYS_connect, 3, 0, 0, 0, 0, 0);
	FORBIDDEN(SYS_kill, getpid(), SIGTERM, 0, 0, 0, 0);
	FORBIDDEN(SYS_ptrace, PTRACE_ATTACH, getpid(), 0, 0, 0, 0);
	FORBIDDEN(SYS_process_vm_readv, getpid(), 0, 0, 0, 0, 0);
	FORBIDDEN(SYS_bpf, 0, 0, 0, 0, 0, 0);
	FORBIDDEN(SYS_perf_event_open, 0, 0, 0, 0, 0, 0);
	FORBIDDEN(SYS_prctl, 1, 0, 0, 0, 0, 0);
	FORBIDDEN(SYS_seccomp, 0, 0, 0, 0, 0, 0);
	FORBIDDEN(SYS_prlimit64, 0, 0, 0, 0, 0, 0);
	FORBIDDEN(SYS_capset, 0, 0, 0, 0, 0, 0);
	FORBIDDEN(SYS_setuid, 0, 0, 0, 0, 0, 0);
	FORBIDDEN(SYS_io_uring_setup, 1, 0, 0, 0, 0, 0);
	FORBIDDEN(SYS_ftruncate, 0, 0, 0, 0, 0, 0);
	FORBIDDEN(SYS_write, 1, PATH("x"), 1, 0, 0, 0);
	FORBIDDEN(SYS_mprotect, 0, 0, PROT_EXEC, 0, 0, 0);
	FORBIDDEN(SYS_mmap, 0, 4096, PROT_READ | PROT_EXEC, anonymous, -1, 0);
	FORBIDDEN(SYS_mmap, 0, 4096, PROT_READ, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	FORBIDDEN(SYS_newfstatat, AT_FDCWD, PATH("/etc/passwd"), 0, 0, 0, 0);
	FORBIDDEN(SYS_remap_file_pages, 0, 0, 0, 0, 0, 0);
#ifdef __x86_64__
	FORBIDDEN(SYS_open, PATH("/etc/passwd"), O_RDONLY, 0, 0, 0, 0);
	FORBIDDEN(SYS_fork, 0, 0, 0, 0, 0, 0);
	/* x32's close(), whose number has one more bit */
	FORBIDDEN(0x40000000 | SYS_close, 0, 0, 0, 0, 0, 0);
#endif
}

Test(sandbox, allows)
{
	ALLOWED(SYS_close, 77, 0, 0, 0, 0, 0);
	ALLOWED(SYS_mmap, 0, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	ALLOWED(SYS_munmap, 0, 4096, 0, 0, 0, 0);
	ALLOWED(SYS_fstat, 0, 0, 0, 0, 0, 0);
	ALLOWED(SYS_newfstatat, 0, PATH(""), 0, AT_EMPTY_PATH, 0, 0);
}

/* i386's system calls have other numbers: 6 is its close(), 5 its open(). */
#ifdef __x86_64__
static bool exited(int status)
{
	return WIFEXITED(status);
}

Test(sandbox, no_other_architecture)
{
	const char *step;
	int status;
	pid_t child = fork();

	if (child == 0) {
		long result = 6;

		if (sandbox_enter(3, &step))
			syscall(SYS_exit_group, 9);
		__asm__ volatile("int $0x80" : "+a"(result) : "b"(77L) : "memory");
		syscall(SYS_exit_group, 0);
	}
	cr_assert(eq(int, waitpid(child, &status, 0), child));
	/* SIGSEGV where the kernel has no such system calls at all */
	cr_assert(not(exited(status)));
}
#endif
