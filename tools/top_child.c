/* SPDX-License-Identifier: Apache-2.0 */
/* top_child.c - the recorder as a child, see top_child.h. */
#include "tools/top_child.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

/* The recorder beside this program; "profiler", to be looked for in PATH, where there is none. */
static void find_recorder(char *path, size_t bytes)
{
	char self[PATH_MAX];
	ssize_t length = readlink("/proc/self/exe", self, sizeof(self) - 1);
	char *slash;

	if (length > 0) {
		self[length] = 0;
		slash = strrchr(self, '/');
		if (slash) {
			slash[1] = 0;
			if (snprintf(path, bytes, "%sprofiler", self) < (int)bytes &&
			    !access(path, X_OK))
				return;
		}
	}
	snprintf(path, bytes, "profiler");
}

/* In the child: all signals as a shell would give them, and no terminal to read. */
static void become(const char *path, char **args, int stream_fd, int said_fd)
{
	int null = open("/dev/null", O_RDONLY);
	sigset_t none;

	sigemptyset(&none);
	setpgid(0, 0);
	signal(SIGPIPE, SIG_DFL);
	if (null >= 0 && dup2(null, STDIN_FILENO) >= 0 && dup2(stream_fd, STDOUT_FILENO) >= 0 &&
	    dup2(said_fd, STDERR_FILENO) >= 0 && !sigprocmask(SIG_SETMASK, &none, NULL))
		execvp(path, args);
	dprintf(said_fd, "profiler-top: cannot run '%s': %s\n", path, strerror(errno));
	_exit(127);
}

int top_child_start(struct top_child *c, char **args)
{
	char path[PATH_MAX + sizeof("profiler")];
	int stream[2];
	int said[2];
	int err = 0;

	if (pipe2(stream, O_CLOEXEC))
		return -errno;
	if (pipe2(said, O_CLOEXEC)) {
		err = -errno;
		close(stream[0]);
		close(stream[1]);
		return err;
	}
	find_recorder(path, sizeof(path));
	args[0] = path;
	c->pid = fork();
	if (!c->pid)
		become(path, args, stream[1], said[1]);
	args[0] = NULL;
	err = c->pid < 0 ? -errno : 0;
	close(stream[1]);
	close(said[1]);
	if (err) {
		c->pid = 0;
		close(stream[0]);
		close(said[0]);
		return err;
	}
	setpgid(c->pid, c->pid);
	c->stream_fd = stream[0];
	c->said_fd = said[0];
	fcntl(c->said_fd, F_SETFL, O_NONBLOCK);
	return 0;
}

void top_child_listen(struct top_child *c)
{
	char text[1024];
	ssize_t got;

	while (c->said_fd >= 0) {
		size_t drop;

		got = read(c->said_fd, text, sizeof(text));
		if (got < 0)
			return;
		if (!got) {
			close(c->said_fd);
			c->said_fd = -1;
			return;
		}
		drop = c->said_bytes + (size_t)got;
		drop = drop > TOP_CHILD_TEXT ? drop - TOP_CHILD_TEXT : 0;
		memmove(c->said, c->said + drop, c->said_bytes - drop);
		c->said_bytes -= drop;
		memcpy(c->said + c->said_bytes, text, (size_t)got);
		c->said_bytes += (size_t)got;
		c->said[c->said_bytes] = 0;
	}
}

void top_child_stop(const struct top_child *c, int signal_number)
{
	if (c->pid)
		kill(c->pid, signal_number);
}

int top_child_wait(struct top_child *c)
{
	int status = 0;

	if (!c->pid)
		return 0;
	close(c->stream_fd);
	while (waitpid(c->pid, &status, 0) < 0 && errno == EINTR)
		;
	c->pid = 0;
	top_child_listen(c); /* all that was said is in the pipe by now */
	if (c->said_fd >= 0)
		close(c->said_fd);
	c->said_fd = -1;
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}
