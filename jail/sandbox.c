// SPDX-License-Identifier: Apache-2.0
/*
 * sandbox.c - locks the calling process up, for good.
 *
 * Every step must succeed: there is no partly locked jail. The order matters: limits and
 * capabilities need system calls that the filter, the last step, forbids. The filter is written by
 * hand, so that it can be read: no library stands between the list and the kernel. Source:
 * Documentation/userspace-api/seccomp_filter.rst and include/uapi/linux/{seccomp,filter}.h.
 */
#include "jail/sandbox.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/audit.h>
#include <linux/capability.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <signal.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#if defined(__x86_64__)
#define ARCHITECTURE AUDIT_ARCH_X86_64
#elif defined(__aarch64__)
#define ARCHITECTURE AUDIT_ARCH_AARCH64
#else
#error "the numbers of system calls of this architecture are not known here"
#endif

#define LOAD(field) BPF_STMT(BPF_LD | BPF_W | BPF_ABS, (__u32)offsetof(struct seccomp_data, field))
#define LOAD_ARG(n)                        \
	BPF_STMT(BPF_LD | BPF_W | BPF_ABS, \
		 (__u32)(offsetof(struct seccomp_data, args) + (n) * sizeof(__u64)))
#define RETURN(action) BPF_STMT(BPF_RET | BPF_K, action)
#define ALLOW(name) \
	BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, __NR_##name, 0, 1), RETURN(SECCOMP_RET_ALLOW)

/*
 * All of it little endian: an argument's low half comes first. Numbers of x86_64's x32 variant are
 * not on the list, like everything else: open, socket, clone, execve, kill, ptrace...
 */
static const struct sock_filter filter[] = {
	LOAD(arch),
	BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, ARCHITECTURE, 1, 0),
	RETURN(SECCOMP_RET_KILL_PROCESS),
	LOAD(nr),
	/* the socket, and files that came through it */
	ALLOW(recvmsg),
	ALLOW(sendmsg),
	ALLOW(close),
	ALLOW(fstat),
	ALLOW(pread64),
	/* libunwind's locks keep signals away */
	ALLOW(rt_sigprocmask),
	ALLOW(rt_sigreturn),
	/* the limit of a request */
	ALLOW(setitimer),
	ALLOW(exit_group),
	/* qsort() asks how much memory there is */
	ALLOW(sysinfo),
	/* memory; malloc() too */
	ALLOW(munmap),
	ALLOW(mremap),
	ALLOW(madvise),
	ALLOW(brk),
	/* mmap: nothing executable, nothing shared */
	BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, __NR_mmap, 0, 6),
	LOAD_ARG(2),
	BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, PROT_EXEC, 3, 0),
	LOAD_ARG(3),
	BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, MAP_SHARED, 1, 0),
	RETURN(SECCOMP_RET_ALLOW),
	RETURN(SECCOMP_RET_KILL_PROCESS),
	/* fstat() of the C library: newfstatat(fd, "", &st, AT_EMPTY_PATH) */
	BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, __NR_newfstatat, 0, 3),
	LOAD_ARG(3),
	BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, AT_EMPTY_PATH, 0, 1),
	RETURN(SECCOMP_RET_ALLOW),
	RETURN(SECCOMP_RET_KILL_PROCESS),
};

static int limit(int resource, rlim_t value)
{
	const struct rlimit both = { .rlim_cur = value, .rlim_max = value };

	return setrlimit((__rlimit_resource_t)resource, &both) ? -errno : 0;
}

static int set_limits(int keep_fd)
{
	int err = limit(RLIMIT_AS, SANDBOX_ADDRESS_BYTES);

	err = err ? err : limit(RLIMIT_DATA, SANDBOX_DATA_BYTES);
	err = err ? err : limit(RLIMIT_FSIZE, 0);
	err = err ? err : limit(RLIMIT_CORE, 0);
	err = err ? err : limit(RLIMIT_NPROC, 0);
	err = err ? err : limit(RLIMIT_MEMLOCK, 0);
	return err ? err : limit(RLIMIT_NOFILE, (rlim_t)keep_fd + 1);
}

/*
 * The bounding set is what an exec could give. Who may not lower it (no CAP_SETPCAP) has lost
 * nothing: after no_new_privs an exec gives nothing, and the filter forbids it.
 */
static int drop_capabilities(void)
{
	struct __user_cap_header_struct header = { .version = _LINUX_CAPABILITY_VERSION_3 };
	const struct __user_cap_data_struct none[2] = { { 0 } };

	for (unsigned long cap = 0; cap < 64; cap++) {
		if (prctl(PR_CAPBSET_DROP, cap, 0, 0, 0) == 0)
			continue;
		if (errno == EINVAL ||
		    errno == EPERM) /* the last one is behind us, or we may not */
			break;
		return -errno;
	}
	/* The ambient set goes with the others. */
	return syscall(SYS_capset, &header, none) ? -errno : 0;
}

static int set_filter(void)
{
	const struct sock_fprog program = {
		.len = sizeof(filter) / sizeof(filter[0]),
		.filter = (struct sock_filter *)(uintptr_t)filter,
	};

	return prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program, 0, 0) ? -errno : 0;
}

static int set_flag(int option, unsigned long value)
{
	return prctl(option, value, 0, 0, 0) ? -errno : 0;
}

int sandbox_enter(int keep_fd, const char **ret_step)
{
	const char *step = "die with the recorder";
	int err = set_flag(PR_SET_PDEATHSIG, SIGKILL);

	if (!err) {
		step = "hide its memory";
		err = set_flag(PR_SET_DUMPABLE, 0);
	}
	if (!err) {
		step = "refuse new privileges";
		err = set_flag(PR_SET_NO_NEW_PRIVS, 1);
	}
	if (!err) {
		step = "set limits";
		err = set_limits(keep_fd);
	}
	if (!err) {
		step = "drop capabilities";
		err = drop_capabilities();
	}
	if (!err) {
		step = "filter system calls";
		err = set_filter();
	}
	if (err)
		*ret_step = step;
	return err;
}
