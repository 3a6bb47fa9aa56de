// SPDX-License-Identifier: Apache-2.0
/*
 * test_command.c - the profiled command: runs when released and not before, and how it ended.
 */
#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "profiler/command.h"

static struct command command;
static char path[64];

static void setup(void)
{
	int fd;

	strcpy(path, "/tmp/test_command-XXXXXX");
	fd = mkstemp(path);
	cr_assert(ge(int, fd, 0));
	close(fd);
	setenv("OUT", path, 1); /* for the scripts */
	setenv("PATH", "/usr/bin:/bin", 1);
}

static void teardown(void)
{
	unlink(path);
}

TestSuite(command, .init = setup, .fini = teardown, .timeout = 10);

static void sleep_ms(long ms)
{
	const struct timespec ts = { .tv_nsec = ms * 1000000 };

	nanosleep(&ts, NULL);
}

static void start_shell(const char *script, bool stdout_to_stderr)
{
	char shell[] = "/bin/sh", option[] = "-c", text[256];
	char *const args[] = { shell, option, text, NULL };

	snprintf(text, sizeof(text), "%s", script);
	cr_assert(zero(int, command_start(&command, args, stdout_to_stderr)));
}

static int wait_for_end(void)
{
	int status = -1;

	while (!command_ended(&command, &status))
		sleep_ms(1);
	return status;
}

static int run_shell(const char *script)
{
	start_shell(script, false);
	cr_assert(zero(int, command_release(&command)));
	return wait_for_end();
}

static off_t size_of_file(void)
{
	struct stat st;

	cr_assert(zero(int, stat(path, &st)));
	return st.st_size;
}

Test(command, runs_only_when_released)
{
	int status = 77;

	start_shell("echo ran > $OUT", false);
	cr_assert(gt(int, command.pid, 0));
	sleep_ms(50);
	cr_assert(not(command_ended(&command, &status)));
	cr_assert(eq(int, status, 77));
	cr_assert(zero(long, size_of_file()));
	cr_assert(zero(int, command_release(&command)));
	cr_assert(zero(int, wait_for_end()));
	cr_assert(eq(long, size_of_file(), 4));
	cr_assert(not(command_ended(&command, &status)), "true once only");
}

/* Released means running: its pid is then that of the program, not of a copy of the recorder. */
Test(command, is_the_program_itself)
{
	char expected[32] = { 0 }, said[32] = { 0 };
	FILE *f;

	start_shell("echo $$ > $OUT", false);
	snprintf(expected, sizeof(expected), "%d\n", command.pid);
	cr_assert(zero(int, command_release(&command)));
	wait_for_end();
	f = fopen(path, "r");
	cr_assert(fgets(said, sizeof(said), f) != NULL);
	fclose(f);
	cr_assert(eq(str, said, expected));
}

Test(command, exit_status)
{
	cr_assert(eq(int, run_shell("exit 0"), 0));
	cr_assert(eq(int, run_shell("exit 7"), 7));
	cr_assert(eq(int, run_shell("exit 255"), 255));
}

Test(command, death_by_signal_is_128_and_the_signal)
{
	cr_assert(eq(int, run_shell("kill -TERM $$"), 128 + SIGTERM));
	cr_assert(eq(int, run_shell("kill -KILL $$"), 128 + SIGKILL));
}

static int exec_error(const char *program)
{
	char name[64];
	char *const args[] = { name, NULL };
	int error, status;

	snprintf(name, sizeof(name), "%s", program);
	cr_assert(zero(int, command_start(&command, args, false)));
	error = command_release(&command);
	cr_assert(zero(int, command.pid));
	cr_assert(not(command_ended(&command, &status)));
	cr_assert(eq(int, waitpid(-1, NULL, WNOHANG), -1), "the child was left behind");
	return error;
}

Test(command, cannot_be_executed)
{
	cr_assert(eq(int, exec_error("/no/such/program"), -ENOENT));
	cr_assert(eq(int, exec_error("no-such-program-in-the-path"), -ENOENT));
	cr_assert(eq(int, exec_error("/"), -EACCES));
	cr_assert(eq(int, exec_error(path), -EACCES));
}

/* Where stdout carries the stream, the command's goes to stderr. */
Test(command, stdout_to_stderr)
{
	int file = open(path, O_WRONLY | O_CLOEXEC), old = dup(STDERR_FILENO);

	dup2(file, STDERR_FILENO);
	start_shell("echo to stdout", true);
	dup2(old, STDERR_FILENO);
	cr_assert(zero(int, command_release(&command)));
	wait_for_end();
	cr_assert(eq(long, size_of_file(), 10));
}

Test(command, has_the_signals_of_a_fresh_process)
{
	sigset_t set;

	sigemptyset(&set); /* as the recorder does */
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	sigprocmask(SIG_BLOCK, &set, NULL);
	signal(SIGPIPE, SIG_IGN);
	cr_assert(eq(int, run_shell("kill -TERM $$; exit 1"), 128 + SIGTERM));
	cr_assert(eq(int, run_shell("kill -PIPE $$; exit 1"), 128 + SIGPIPE));
}

Test(command, stopped_by_us)
{
	int status;

	start_shell("exec sleep 100", false);
	cr_assert(zero(int, command_release(&command)));
	cr_assert(eq(int, command_stop(&command), 128 + SIGTERM));
	cr_assert(zero(int, command_stop(&command)), "nothing to stop any more");
	cr_assert(not(command_ended(&command, &status)));
}

/* SIGTERM is asked for without waiting for what the command makes of it. */
Test(command, terminated_and_waited_for)
{
	int status;

	start_shell("trap 'echo term >> $OUT; sleep 0.2; exit 3' TERM; echo > $OUT; "
		    "while :; do sleep 0.01; done",
		    false);
	cr_assert(zero(int, command_release(&command)));
	while (!size_of_file())
		sleep_ms(1);
	command_terminate(&command);
	cr_assert(not(command_ended(&command, &status)));
	cr_assert(eq(int, command_wait(&command), 3));
	cr_assert(eq(long, size_of_file(), 6), "one SIGTERM");
	command_terminate(&command);
	cr_assert(zero(int, command_wait(&command)), "it had ended");
}

/* What is sampled before its exec goes by the program's name. */
static void check_name(const char *program, const char *name)
{
	char copy[64], comm_path[64], comm[32] = "";
	char *const args[] = { copy, NULL };

	snprintf(copy, sizeof(copy), "%s", program);
	cr_assert(zero(int, command_start(&command, args, false)));
	snprintf(comm_path, sizeof(comm_path), "/proc/%d/comm", command.pid);
	for (int i = 0; i < 1000 && strcmp(comm, name) != 0; i++) {
		FILE *f = fopen(comm_path, "r");

		cr_assert(f && fgets(comm, sizeof(comm), f));
		fclose(f);
		comm[strcspn(comm, "\n")] = '\0';
		sleep_ms(1);
	}
	cr_expect(eq(str, comm, (char *)(uintptr_t)name));
	command_stop(&command);
}

Test(command, has_its_name_before_its_release)
{
	check_name("/bin/ls", "ls");
	check_name("make", "make");
	check_name("./a/program-of-a-long-name", "program-of-a-lo");
}

/* One that was never released may have SIGTERM blocked: the closed pipe ends it. */
Test(command, stopped_before_its_release)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigprocmask(SIG_BLOCK, &set, NULL);
	start_shell("echo ran > $OUT", false);
	cr_assert(eq(int, command_stop(&command), 127));
	cr_assert(zero(long, size_of_file()));
}

/* When the recorder dies before the release, nothing runs and nobody is left waiting. */
Test(command, ends_with_the_recorder)
{
	int status;
	pid_t recorder;

	cr_assert(zero(int, prctl(PR_SET_CHILD_SUBREAPER, 1)));
	recorder = fork();
	if (recorder == 0) {
		start_shell("echo ran > $OUT", false);
		_exit(0);
	}
	cr_assert(eq(int, waitpid(recorder, &status, 0), recorder));
	cr_assert(gt(int, waitpid(-1, &status, 0), 0));
	cr_assert(eq(int, WEXITSTATUS(status), 127));
	cr_assert(zero(long, size_of_file()));
}

static int open_descriptors(void)
{
	int n = 0;

	for (int fd = 0; fd < 256; fd++)
		n += fcntl(fd, F_GETFD) >= 0;
	return n;
}

/* No descriptor of the pipes is left open. */
Test(command, leaves_no_descriptor)
{
	int before = open_descriptors();

	for (int i = 0; i < 3; i++)
		cr_assert(zero(int, run_shell("true")));
	cr_assert(eq(int, open_descriptors(), before));
	exec_error("/no/such/program");
	cr_assert(eq(int, open_descriptors(), before));
	start_shell("true", false);
	command_stop(&command);
	cr_assert(eq(int, open_descriptors(), before));
}
