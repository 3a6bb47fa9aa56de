/* SPDX-License-Identifier: Apache-2.0 */
/*
 * proctext.h - pure parsers of text that the kernel writes in /proc.
 *
 * Names in that text (paths, comms) were chosen by the people being profiled. Every
 * parser works on a counted string, reads nothing behind it, and either fills
 * its whole result or refuses the line.
 */
#ifndef PROFILER_PROCTEXT_H
#define PROFILER_PROCTEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct proctext_map {
	uint64_t start;
	uint64_t end;
	uint64_t file_offset;
	uint64_t inode;
	uint32_t dev_major;
	uint32_t dev_minor;
	bool executable;
	const char *path; /* in the line, not terminated */
	size_t path_size; /* 0 for none */
};

struct proctext_stat {
	uint32_t pid;
	uint32_t parent_pid;
	char state;
	uint32_t threads;
	uint64_t start_ticks; /* of CLOCK_BOOTTIME, in units of sysconf(_SC_CLK_TCK) */
	bool kernel_thread;   /* PF_KTHREAD */
	bool exiting;	      /* PF_EXITING */
	char comm[16];
};

struct proctext_symbol {
	uint64_t addr;
	char type;
	const char *name; /* in the line, not terminated */
	size_t name_size;
	const char *module; /* without the brackets */
	size_t module_size; /* 0 for the kernel itself */
};

struct proctext_module {
	uint64_t addr;
	uint64_t size;
	const char *name;
	size_t name_size;
};

struct proctext_cgroup {
	const char *path; /* in the text, not terminated */
	size_t path_size;
	bool or_exiting; /* it is the root, as version 1 also says of a process that is exiting */
};

struct proctext_status {
	uint32_t uid;	    /* effective one */
	uint32_t inner_pid; /* in its innermost pid namespace, 0 when it has but that of the reader
			     */
};

/** proctext_parse_map() - a line of /proc/PID/maps, without the newline. Return: 0 or -EINVAL. */
int proctext_parse_map(const char *line, size_t size, struct proctext_map *ret);

/** proctext_parse_stat() - the whole of /proc/PID/stat. Return: 0 or -EINVAL. */
int proctext_parse_stat(const char *text, size_t size, struct proctext_stat *ret);

/** proctext_parse_symbol() - a line of /proc/kallsyms, without the newline. Return: 0 or -EINVAL.
 */
int proctext_parse_symbol(const char *line, size_t size, struct proctext_symbol *ret);

/** proctext_parse_module() - a line of /proc/modules, without the newline. Return: 0 or -EINVAL. */
int proctext_parse_module(const char *line, size_t size, struct proctext_module *ret);

/**
 * proctext_parse_cgroup() - the whole of /proc/PID/cgroup.
 *
 * Of several hierarchies the first in which the process is not in the root: version 2, systemd's
 * own (services), perf_event and cpu (containers), any other. What the kernel adds to a path
 * whose cgroup was removed, " (deleted)", is left out.
 *
 * Return: 0 or -EINVAL.
 */
int proctext_parse_cgroup(const char *text, size_t size, struct proctext_cgroup *ret);

/** proctext_parse_status() - the beginning of /proc/PID/status, with NSpid. Return: 0 or -EINVAL.
 */
int proctext_parse_status(const char *text, size_t size, struct proctext_status *ret);

#endif /* PROFILER_PROCTEXT_H */
