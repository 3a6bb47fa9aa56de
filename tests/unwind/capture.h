/* SPDX-License-Identifier: Apache-2.0 */
/*
 * capture.h - stops the threads of a command at random moments, as an overflow would find them.
 *
 * By ptrace: the command and all that it starts are traced from their first instruction on. While
 * a thread is stopped its memory can be read and it can be looked at by others of this process.
 */
#ifndef PROFILER_CAPTURE_H
#define PROFILER_CAPTURE_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#define CAPTURE_STACK_BYTES 65536
#define CAPTURE_MAPPINGS    1024
#define CAPTURE_THREADS	    256
#define CAPTURE_REGISTERS   17

/* An executable mapping. Without a file, inode is 0; the vDSO's path is "[vdso]". */
struct capture_mapping {
	uint64_t start;
	uint64_t end;
	uint64_t file_offset;
	uint64_t device;
	uint64_t inode;
	char path[200];
};

/**
 * struct capture - a command that is traced, and its thread that is stopped now
 * @registers: by DWARF number
 * @stack: @stack_bytes from @registers[7] on: all that there is, or CAPTURE_STACK_BYTES
 * @mappings: by address
 *
 * The last three are capture.c's.
 */
struct capture {
	pid_t pid;
	pid_t tid;
	uint64_t registers[CAPTURE_REGISTERS];
	uint32_t stack_bytes;
	uint32_t mapping_count;
	uint8_t stack[CAPTURE_STACK_BYTES];
	struct capture_mapping mappings[CAPTURE_MAPPINGS];
	int memory_fd;
	uint32_t thread_count;
	pid_t threads[CAPTURE_THREADS];
};

/**
 * capture_start() - starts a command, its input and output /dev/null
 * @c: the caller's
 * @argv: NULL-terminated
 *
 * Return: 0 or -errno.
 */
__attribute__((warn_unused_result)) int capture_start(struct capture *c, char *const argv[]);

/**
 * capture_next() - lets the command run for a random time and stops a thread of it
 * @random: state of the random numbers
 *
 * Threads that run are preferred.
 *
 * Return: true with a thread stopped; false when the command has ended.
 */
__attribute__((warn_unused_result)) bool capture_next(struct capture *c, uint64_t *random);

/** capture_resume() - lets the stopped thread go on */
void capture_resume(struct capture *c);

/** capture_read() - reads @bytes of the stopped thread's memory; false where not all is there */
bool capture_read(const struct capture *c, void *to, uint32_t bytes, uint64_t address);

/** capture_end() - kills what is left of the command */
void capture_end(struct capture *c);

#endif /* PROFILER_CAPTURE_H */
