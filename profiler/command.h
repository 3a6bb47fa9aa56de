/* SPDX-License-Identifier: Apache-2.0 */
/* command.h - the program that is profiled by `profiler -- command`. */
#ifndef PROFILER_COMMAND_H
#define PROFILER_COMMAND_H

#include <stdbool.h>
#include <sys/types.h>

/** struct command - a child that waits for its release, then becomes the command */
struct command {
	pid_t pid;	/* 0 when there is none */
	int release_fd; /* a byte here releases it; -1 once it is released */
	int failure_fd; /* its errno comes out here when it cannot be executed */
};

/**
 * command_start() - fork the child; it does nothing until command_release()
 * @args: program and arguments, NULL-terminated
 * @stdout_to_stderr: its stdout goes to our stderr, for ours carries the stream
 *
 * From its first instructions on the child has the program's name, as after the exec. It has the
 * signal mask and dispositions that this process began with as far as the recorder changes them.
 * Returns 0 or -errno.
 */
__attribute__((warn_unused_result)) int command_start(struct command *ret, char *const args[],
						      bool stdout_to_stderr);

/**
 * command_release() - let the child execute the program
 *
 * Returns 0 once the program runs, or -errno of its exec; the child has ended then.
 */
__attribute__((warn_unused_result)) int command_release(struct command *c);

/**
 * command_ended() - has the command ended?
 * @ret_status: set to its exit status as a shell gives it (128 + signal)
 *
 * Reaps it. True once only.
 */
bool command_ended(struct command *c, int *ret_status);

/** command_terminate() - SIGTERM when it still runs; one that was never released ends too */
void command_terminate(struct command *c);

/** command_wait() - wait for its end, however long; gives its exit status, 0 when it had ended */
int command_wait(struct command *c);

/** command_stop() - command_terminate(), then command_wait() */
int command_stop(struct command *c);

#endif /* PROFILER_COMMAND_H */
