// SPDX-License-Identifier: Apache-2.0
/*
 * jitfile.c - find and open what the makers of code at run time write down about it.
 *
 * Maps stay in /tmp when their process has gone, and anybody may put a file there for a pid to
 * come. So two things are checked of every map: whose it is, and that it is not older than the
 * process. A map that fails stays unread: no name is better than a wrong one.
 */
#include "profiler/jitfile.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "profiler/openfile.h"
#include "profiler/procread.h"

/* Starts are told in ticks, mostly of 10 ms, and records of them come up to a few ms later. */
#define SAME_START_NS 100000000ULL

/* File systems keep times in steps of up to 2 s. */
#define FILE_TIME_NS 2000000000LL

#define NO_UID UINT32_MAX

#define NS_PER_S 1000000000LL

static int64_t clock_ns(clockid_t clock)
{
	struct timespec ts;

	clock_gettime(clock, &ts);
	return ts.tv_sec * NS_PER_S + ts.tv_nsec;
}

static uint64_t distance(uint64_t a, uint64_t b)
{
	return a > b ? a - b : b - a;
}

/* What /proc says of the process now; -ESRCH when that is another one. */
static int read_process(const struct jitfile_process *wanted, struct jitfile_process *ret)
{
	struct proctext_stat stat;
	struct proctext_status status;
	int err = procread_status(wanted->pid, &status);

	if (!err)
		err = procread_stat(wanted->pid, &stat);
	if (err)
		return err;
	*ret = (struct jitfile_process){
		.pid = wanted->pid,
		.inner_pid = status.inner_pid,
		.uid = status.uid,
		.start_ns = stat.start_ticks * (uint64_t)(NS_PER_S / sysconf(_SC_CLK_TCK)),
	};
	if (wanted->start_ns && distance(wanted->start_ns, ret->start_ns) > SAME_START_NS)
		return -ESRCH;
	return 0;
}

/* Was it last written before the process began? */
static bool is_older(const struct stat *st, uint64_t start_ns)
{
	int64_t age_ns =
		clock_ns(CLOCK_REALTIME) - st->st_mtim.tv_sec * NS_PER_S - st->st_mtim.tv_nsec;

	return age_ns > clock_ns(CLOCK_BOOTTIME) - (int64_t)start_ns + FILE_TIME_NS;
}

static int open_map(const char *root, const struct jitfile_process *process,
		    struct jitfile_state *ret)
{
	char path[32];
	struct stat st;
	int fd, err = 0;

	snprintf(path, sizeof(path), "/tmp/perf-%u.map",
		 process->inner_pid ? process->inner_pid : process->pid);
	fd = openfile_below(root, path, &st);
	if (fd < 0)
		return fd;
	if (st.st_uid != 0 && st.st_uid != process->uid)
		err = -EPERM;
	else if (is_older(&st, process->start_ns))
		err = -ESTALE;
	if (err) {
		close(fd);
		return err;
	}
	*ret = (struct jitfile_state){
		.device = st.st_dev,
		.inode = st.st_ino,
		.size = (uint64_t)st.st_size,
		.mtime_ns = (uint64_t)(st.st_mtim.tv_sec * NS_PER_S + st.st_mtim.tv_nsec),
	};
	return fd;
}

int jitfile_open(const struct jitfile_process *process, struct jitfile_state *ret)
{
	struct jitfile_process now;
	char root[32];
	int fd;

	if (read_process(process, &now) == 0) {
		snprintf(root, sizeof(root), "/proc/%u/root", process->pid);
		fd = open_map(root, &now, ret);
		/* It may have gone in between. */
		if (fd != -ENOENT || read_process(process, &now) == 0)
			return fd;
	}
	if (process->inner_pid || process->uid == NO_UID || !process->start_ns)
		return -ESRCH;
	return open_map("/", process, ret);
}

bool jitfile_is_dump(const char *path)
{
	const char *slash = strrchr(path, '/');
	const char *name = slash ? slash + 1 : path;
	size_t digits;

	if (strncmp(name, "jit-", strlen("jit-")) != 0)
		return false;
	name += strlen("jit-");
	digits = strspn(name, "0123456789");
	if (!digits || strncmp(name + digits, ".dump", strlen(".dump")) != 0)
		return false;
	name += digits + strlen(".dump");
	return !*name || strcmp(name, " (deleted)") == 0;
}
