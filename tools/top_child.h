/* SPDX-License-Identifier: Apache-2.0 */
/*
 * top_child.h - the recorder as a child: its stream, what it says, and its end.
 *
 * It is in a process group of its own, so that Ctrl-C reaches it once and by us, and it never reads
 * the terminal. If we die it finds its output closed, and ends.
 */
#ifndef PROFILER_TOP_CHILD_H
#define PROFILER_TOP_CHILD_H

#include <stddef.h>
#include <sys/types.h>

/* Of what it says, at most so much of the end is kept. */
#define TOP_CHILD_TEXT 4096

struct top_child {
	pid_t pid;     /* 0: none */
	int stream_fd; /* where the stream comes from */
	int said_fd;   /* where its stderr comes from; -1 once that is closed */
	char said[TOP_CHILD_TEXT + 1];
	size_t said_bytes;
};

/**
 * top_child_start() - start the recorder beside this program, or else from PATH
 * @c: the child
 * @args: its arguments, ends with NULL; args[0] is set here
 *
 * Return: 0 or -errno. That it could not be run shows in what it says, and its status is 127.
 */
int top_child_start(struct top_child *c, char **args) __attribute__((warn_unused_result));

/** top_child_listen() - take over what it said by now; does not wait */
void top_child_listen(struct top_child *c);

/** top_child_stop() - ask it to end, with this signal; fine where there is none */
void top_child_stop(const struct top_child *c, int signal_number);

/**
 * top_child_wait() - its end, and the last that it says
 *
 * Return: its exit status, 128 + the signal that killed it; 0 where there is none.
 */
int top_child_wait(struct top_child *c);

#endif /* PROFILER_TOP_CHILD_H */
