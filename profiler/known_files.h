/* SPDX-License-Identifier: Apache-2.0 */
/*
 * known_files.h - the files that the jail was told of, and telling it of more.
 *
 * Files are known by what the kernel said of them (path, and build id or else device and inode);
 * the jail's ids for them are given out here. The jail may have given a file up: a request that
 * ends with -ENOENT is made again after known_files_send(). One thread: the unwinder thread.
 */
#ifndef PROFILER_KNOWN_FILES_H
#define PROFILER_KNOWN_FILES_H

#include <stdbool.h>
#include <stdint.h>

#include "profiler/jail.h"
#include "profiler/unwinder.h"

struct known_files;

/**
 * struct known_file - a file
 * @id: the jail's
 * @refused: the jail cannot use it, or died over it: nothing more is asked of it
 * @timeouts: how often the jail had no time for it; not asked again before @retry_ns
 * @kind: once it was sent; JAIL_KIND_TABLES before
 */
struct known_file {
	uint64_t key;
	uint32_t id;
	bool refused;
	bool no_debug; /* its debug file is not for the jail */
	uint8_t timeouts;
	uint64_t retry_ns; /* CLOCK_MONOTONIC */
	enum jail_kind kind;
};

/** known_files_open() - none known yet; 0, -ENOMEM, or -errno */
__attribute__((warn_unused_result)) int known_files_open(struct known_files **ret,
							 struct jail *jail);

/** known_files_free() - NULL is fine */
void known_files_free(struct known_files *files);

/**
 * known_files_get() - the file of a job's mapping; an old one makes room for a new one
 *
 * Valid until the next call.
 */
struct known_file *known_files_get(struct known_files *files, const struct unwind_job *job,
				   const struct unwind_source *source);

/** known_files_is() - is it the file of a job's mapping? */
bool known_files_is(const struct known_files *files, const struct known_file *f,
		    const struct unwind_job *job, const struct unwind_source *source);

/** known_files_by_id() - the file that has this id at the jail, or NULL */
struct known_file *known_files_by_id(struct known_files *files, uint32_t id);

/**
 * known_files_send() - open a file and give it to the jail, with its debug file
 *
 * A file that is not the one that was mapped is not used. Returns 0, what jail.h may return, or
 * -errno of opening; then it may be @refused.
 */
int known_files_send(struct known_files *files, const struct unwind_job *job,
		     struct unwind_source *source, struct known_file *f);

/** known_files_open_source() - what openfile_open() does, for a job's mapping */
int known_files_open_source(const struct unwind_job *job, const struct unwind_source *source,
			    bool *ret_certain);

/** known_files_hopeless() - would the same question have the same end after this error? */
bool known_files_hopeless(int error);

/**
 * known_files_wait() - is the file to be left alone for now?
 *
 * The jail limits its own CPU time, so that it was late says more of the machine than of the file:
 * that is asked about again, later and later, a few times.
 */
bool known_files_wait(const struct known_file *f);

/** known_files_late() - the jail had no time for the file; refuses it if that happened too often */
void known_files_late(struct known_file *f);

#endif /* PROFILER_KNOWN_FILES_H */
