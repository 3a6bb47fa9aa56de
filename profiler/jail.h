/* SPDX-License-Identifier: Apache-2.0 */
/*
 * jail.h - the recorder's end of the jail: starts it, asks it, believes nothing, starts it again.
 *
 * profiler-jail compiles unwind tables and walks snapshots (jail/jailwire.h). It is started at the
 * first request and again after its death, though not more than JAIL_STARTS_PER_S times a second,
 * and less often when it takes its time over dying. Every request has a deadline; a jail that is
 * late, dies or answers nonsense is killed, and what it knew of files is gone. An answer that is
 * returned has passed jailcheck.
 *
 * One thread: the one that makes the first request (the jail dies with that thread). Nothing of
 * the process's other children is touched.
 */
#ifndef PROFILER_JAIL_H
#define PROFILER_JAIL_H

#include <stdint.h>

#include "jail/jailwire.h"

/* How long a request may take; the longer for those that may read much: names, debug files. */
#define JAIL_DEADLINE_MS       250
#define JAIL_NAMES_DEADLINE_MS 700
#define JAIL_STARTS_PER_S      20

struct jail;

struct jail_stats {
	uint64_t requests;
	uint64_t starts;
	uint64_t deaths;   /* by itself: a crash, a limit, or killed by others */
	uint64_t timeouts; /* killed for being late */
	uint64_t nonsense; /* killed for an answer that jailcheck refused */
	uint64_t refusals; /* answers that refused a file or a page */
	uint64_t too_soon; /* requests not made, -EAGAIN */
};

/*
 * What a request may return, beside -EINVAL for what is beyond the limits of jailwire.h, and
 * -EMFILE, -ENOMEM and the like when a jail cannot be started now:
 *
 *   -EPIPE      it died over it
 *   -ETIMEDOUT  it was late over it
 *   -EPROTO     it answered nonsense
 *               After these three: do not ask the same of the same file again.
 *   -ENOENT     it does not know the file (any more): jail_file(), then ask again
 *   -ENOEXEC    it refuses the file; jail_refusal() says why
 *   -EAGAIN     too many starts, wait
 *   -EPERM      it can not be locked up here, or not started, and so never runs: jail_obstacle()
 */

/** struct jail_page - an answer; valid until the next request. */
struct jail_page {
	uint32_t row_count; /* 0 = bare: nothing is known of any code in this page */
	uint32_t rule_count;
	const struct unwind_row *rows; /* sorted, the first at 0; .rule < rule_count */
	const struct unwind_rule *rules;
};

/** struct jail_walk - a question. */
struct jail_walk {
	uint32_t machine; /* EM_X86_64, EM_AARCH64 */
	uint32_t mapping_count;
	const struct jail_mapping *mappings; /* executable ones, sorted, not overlapping */
	const void *stack;
	uint32_t stack_bytes;
	uint64_t stack_address;
	uint64_t registers[JAIL_REGISTERS]; /* see jailwire.h */
};

/** struct jail_stack - an answer; valid until the next request. */
struct jail_stack {
	enum jail_end end;
	uint32_t file; /* of JAIL_END_FILE */
	uint32_t count;
	const uint64_t *frames; /* leaf first */
};

/**
 * jail_open() - nothing is started yet.
 * @path: the program; NULL for profiler-jail beside the running program, or ../libexec of there
 *
 * Return: 0, -ENOMEM, -ENOENT when there is no such program.
 */
int jail_open(struct jail **ret, const char *path) __attribute__((warn_unused_result));

/** jail_free() - ends the jail too, and waits for its end; NULL is fine. */
void jail_free(struct jail *j);

/**
 * jail_file() - make a file known; it takes the place of an older one of the same id.
 * @file: neither JAIL_FILE_NONE nor JAIL_FILE_UNUSABLE
 * @fd: open for reading; stays the caller's
 * @ret: what it is; untouched on failure
 *
 * Return: 0 or as above.
 */
int jail_file(struct jail *j, uint32_t file, int fd, struct jail_file_answer *ret);

/**
 * jail_page() - the tables of 64 KiB of a file.
 * @page: offset in the file >> UNWIND_PAGE_SHIFT
 *
 * Return: 0 or as above.
 */
int jail_page(struct jail *j, uint32_t file, uint32_t page, struct jail_page *ret);

/**
 * jail_walk() - the call chain of a snapshot.
 *
 * A stack that ended early is an answer too. After JAIL_END_FILE send the file and ask again, but
 * not more often than there are files in the walk. Return: 0 or as above.
 */
int jail_walk(struct jail *j, const struct jail_walk *walk, struct jail_stack *ret);

/** struct jail_names - an answer; valid until the next request. */
struct jail_names {
	uint32_t count;			      /* at least 1 */
	const struct jail_stretch *stretches; /* see jailwire.h: the first places are answered */
	const char *texts;
};

/**
 * jail_debug() - the separate debug file of a known file.
 * @fd: open for reading; stays the caller's
 * @ret_kind: of the file, now; untouched on failure
 *
 * Return: 0 or as above; -ENOEXEC when it is the debug file of another one, or not usable: the file
 * stays as it was.
 */
int jail_debug(struct jail *j, uint32_t file, int fd, enum jail_kind *ret_kind);

/**
 * jail_names() - functions at places of a file.
 * @offsets: in the file, ascending, no two alike
 * @count: 1 to JAIL_NAMES_MAX
 *
 * Return: 0 or as above.
 */
int jail_names(struct jail *j, uint32_t file, const uint64_t *offsets, uint32_t count,
	       struct jail_names *ret);

/**
 * jail_jit() - functions at addresses of code made at run time, by the map of its maker.
 * @fd: the map, open for reading; stays the caller's
 * @before: a size of the map, in bytes: names that have changed since are JAIL_CHANGED; or
 * UINT64_MAX
 * @addresses: ascending, no two alike
 * @count: 1 to JAIL_NAMES_MAX
 *
 * Return: 0 or as above.
 */
int jail_jit(struct jail *j, enum jail_jit kind, int fd, uint64_t before, const uint64_t *addresses,
	     uint32_t count, struct jail_names *ret);

/** jail_forget() - a file's id will not be used any more. Does not start a jail for it. */
int jail_forget(struct jail *j, uint32_t file);

/** jail_refusal() - the reason of the last -ENOEXEC. */
enum jail_status jail_refusal(const struct jail *j);

/** jail_obstacle() - the reason of -EPERM: one line; NULL when there is none. */
const char *jail_obstacle(const struct jail *j);

/** jail_pid() - of the running jail, 0 when none runs. */
uint32_t jail_pid(const struct jail *j);

/** jail_stats() - since jail_open(). */
struct jail_stats jail_stats(const struct jail *j);

#endif /* PROFILER_JAIL_H */
