// SPDX-License-Identifier: Apache-2.0
/*
 * command.c - the program that is profiled by `profiler -- command`.
 *
 * The child exists before sampling is on, so that its pid can be made a target, and waits in a
 * read until it is released: not one instruction of the program itself runs unobserved.
 */
#include "profiler/command.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdint.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

/* The name that the exec will give: what is sampled before is not of the recorder either. */
static void take_name(const char *program)
{
	const char *slash = strrchr(program, '/');

	prctl(PR_SET_NAME, slash ? slash + 1 : program);
}

static _Noreturn void run_child(char *const args[], int wait_fd, int failure_fd)
{
	sigset_t none;
	int error;
	char byte;

	take_name(args[0]);
	/* The end of the pipe without a byte: the recorder has given up. */
	if (read(wait_fd, &byte, 1) != 1)
		_exit(127);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	signal(SIGPIPE, SIG_DFL);
	execvp(args[0], args);
	error = errno;
	/* Nothing can be done when even this fails: the exit status says it too. */
	if (write(failure_fd, &error, sizeof(error)) < 0)
		_exit(126);
	_exit(127);
}

static void close_both(const int fds[2])
{
	close(fds[0]);
	close(fds[1]);
}

int command_start(struct command *ret, char *const args[], bool stdout_to_stderr)
{
	int release[2], failure[2], err;
	pid_t pid;

	if (pipe2(release, O_CLOEXEC))
		return -errno;
	if (pipe2(failure, O_CLOEXEC)) {
		err = -errno;
		close_both(release);
		return err;
	}
	pid = fork();
	if (pid == 0) {
		close(release[1]); /* or the end of the recorder would go unseen */
		if (stdout_to_stderr)
			dup2(STDERR_FILENO, STDOUT_FILENO);
		run_child(args, release[0], failure[1]);
	}
	err = -errno;
	close(release[0]);
	close(failure[1]);
	if (pid < 0) {
		close(release[1]);
		close(failure[0]);
		return err;
	}
	*ret = (struct command){ .pid = pid, .release_fd = release[1], .failure_fd = failure[0] };
	return 0;
}

int command_release(struct command *c)
{
	int error = 0;
	ssize_t n;

	if (write(c->release_fd, "", 1) != 1)
		error = errno;
	close(c->release_fd);
	c->release_fd = -1;
	do
		n = read(c->failure_fd, &error, sizeof(error));
	while (n < 0 && errno == EINTR);
	close(c->failure_fd);
	if (n == 0 && !error) /* closed by a successful exec */
		return 0;
	waitpid(c->pid, NULL, 0);
	c->pid = 0;
	return -error;
}

static int shell_status(int status)
{
	return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

bool command_ended(struct command *c, int *ret_status)
{
	int status;

	if (c->pid == 0 || waitpid(c->pid, &status, WNOHANG) != c->pid)
		return false;
	c->pid = 0;
	*ret_status = shell_status(status);
	return true;
}

void command_terminate(struct command *c)
{
	if (c->pid == 0)
		return;
	if (c->release_fd >= 0) { /* it still waits for its release, perhaps with SIGTERM blocked */
		close(c->release_fd);
		close(c->failure_fd);
		c->release_fd = -1;
	}
	kill(c->pid, SIGTERM);
}

int command_wait(struct command *c)
{
	int status = 0;

	if (c->pid == 0)
		return 0;
	while (waitpid(c->pid, &status, 0) < 0 && errno == EINTR)
		;
	c->pid = 0;
	return shell_status(status);
}

int command_stop(struct command *c)
{
	command_terminate(c);
	return command_wait(c);
}
