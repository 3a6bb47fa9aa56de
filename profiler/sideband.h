/* SPDX-License-Identifier: Apache-2.0 */
/*
 * sideband.h - the kernel's own account of who runs what.
 *
 * A dummy perf event on every CPU reports forks, exits, names, executable
 * mappings and kernel symbols, stamped with CLOCK_BOOTTIME. sideband_poll()
 * looks how far the per-CPU buffers are written, sideband_next() hands the records out in
 * order of time over all CPUs, up to a time that the caller knows to be complete.
 *
 * One thread at a time. Nothing here knows what the records mean to a process
 * table: that is procmap's.
 */
#ifndef PROFILER_SIDEBAND_H
#define PROFILER_SIDEBAND_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SIDEBAND_COMM_SIZE     16
#define SIDEBAND_BUILD_ID_SIZE 20

enum sideband_kind {
	SIDEBAND_FORK,	  /* a process (pid != parent_pid) or a thread began */
	SIDEBAND_EXIT,	  /* thread tid of pid ended */
	SIDEBAND_COMM,	  /* thread tid of pid has a new name; exec: and a new program */
	SIDEBAND_MMAP,	  /* pid mapped something executable */
	SIDEBAND_KSYMBOL, /* a BPF program or another piece of kernel text came or went */
	SIDEBAND_LOST,	  /* the kernel dropped records of this CPU here */
};

struct sideband_mmap {
	uint64_t addr;
	uint64_t size;
	uint64_t file_offset;
	uint32_t dev_major; /* device and inode are 0 where there is a build id */
	uint32_t dev_minor;
	uint64_t inode;
	const char *path;      /* as the kernel writes it: a path, "//anon", "[vdso]", ... */
	uint8_t build_id_size; /* 0 = unknown */
	uint8_t build_id[SIDEBAND_BUILD_ID_SIZE];
};

struct sideband_ksymbol {
	uint64_t addr;
	uint32_t size;
	bool bpf;	 /* a BPF program; else out-of-line code of kprobes, ftrace, ... */
	bool unregister; /* it went */
	const char *name;
};

struct sideband_record {
	uint64_t time_ns; /* CLOCK_BOOTTIME */
	enum sideband_kind kind;
	uint32_t cpu; /* where it happened */
	uint32_t pid; /* thread group; of the child for FORK */
	uint32_t tid;
	union {
		struct {
			uint32_t parent_pid;
			uint32_t parent_tid;
		} fork;
		struct {
			char name[SIDEBAND_COMM_SIZE];
			bool exec;
		} comm;
		struct sideband_mmap mmap;
		struct sideband_ksymbol ksymbol;
		uint64_t lost;
	};
};

struct sideband_stats {
	uint64_t records; /* handed out */
	uint64_t lost;	  /* dropped by the kernel, as its LOST records say */
	uint64_t invalid; /* records that did not parse */
	bool build_ids;	  /* the kernel puts build ids into mapping records (5.12 and later) */
	bool ksymbols;	  /* the kernel reports kernel symbols (5.1 and later) */
};

struct sideband;

/**
 * sideband_open() - open the event on each of some CPUs, disabled.
 * @ret: the object; untouched on failure
 * @cpus: CPU numbers; an offline CPU is an error
 * @cpu_count: how many
 * @buffer_bytes: of each CPU's buffer, rounded up to a power of two of pages
 *
 * Needs CAP_PERFMON (or CAP_SYS_ADMIN), and memlock room or CAP_IPC_LOCK.
 * Return: 0 or -errno (-EACCES, -EPERM, -ENODEV for an offline CPU, -EMFILE, ...).
 */
int sideband_open(struct sideband **ret, const int *cpus, int cpu_count, size_t buffer_bytes)
	__attribute__((warn_unused_result));

/** sideband_free() - close everything; NULL is fine. */
void sideband_free(struct sideband *sb);

/** sideband_enable() - start all CPUs, and those added later. Return: 0 or -errno. */
int sideband_enable(struct sideband *sb) __attribute__((warn_unused_result));

/**
 * sideband_add_cpu() - a CPU came online; enabled at once if the others are.
 *
 * A CPU that is already there is replaced: its event went off with the CPU.
 * Return: 0 or -errno.
 */
int sideband_add_cpu(struct sideband *sb, int cpu) __attribute__((warn_unused_result));

/** sideband_remove_cpu() - take what its buffer still holds, then close it. Unknown CPU: nothing.
 */
void sideband_remove_cpu(struct sideband *sb, int cpu);

/** sideband_fd() - a CPU's descriptor, readable when its buffer is half full; -ENOENT if unknown.
 */
int sideband_fd(const struct sideband *sb, int cpu);

/**
 * sideband_poll() - see what the kernel has written by now; close removed CPUs that are read out.
 *
 * The record handed out last is no longer valid.
 */
void sideband_poll(struct sideband *sb);

/**
 * sideband_next() - the earliest pending record.
 * @upto_ns: none later than this
 *
 * Return: the record, valid until the next call on @sb, or NULL.
 */
const struct sideband_record *sideband_next(struct sideband *sb, uint64_t upto_ns);

/** sideband_stats() - counts since the opening. */
void sideband_stats(const struct sideband *sb, struct sideband_stats *ret);

#endif /* PROFILER_SIDEBAND_H */
