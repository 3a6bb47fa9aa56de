/* SPDX-License-Identifier: Apache-2.0 */
/* name_job.h - a JOB_NAMES: how it is made, and what the unwinder thread does for it. */
#ifndef PROFILER_NAME_JOB_H
#define PROFILER_NAME_JOB_H

#include "profiler/jail.h"
#include "profiler/known_files.h"
#include "profiler/unwinder.h"

struct place_set;

/**
 * name_job_new() - a job to ask for places in a file
 * @path: of @source, whose own .path does not count
 * @places: become sorted; as many of the first as may be asked for at once are asked for
 *
 * Returns NULL without memory.
 */
struct unwind_job *name_job_new(uint32_t pid, const struct unwind_source *source, const char *path,
				struct place_set *places);

/** name_job_put_back() - add the places that have no answer to @places, to be asked for again */
void name_job_put_back(const struct unwind_job *job, struct place_set *places);

/** name_job_do() - ask the jail for the names of a job's places; the answer is in the job */
void name_job_do(struct jail *jail, struct known_files *files, struct unwind_job *job);

#endif /* PROFILER_NAME_JOB_H */
