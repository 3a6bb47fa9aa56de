/* SPDX-License-Identifier: Apache-2.0 */
/* name_job.h - what the unwinder thread does for a JOB_NAMES. See name_job.c. */
#ifndef PROFILER_NAME_JOB_H
#define PROFILER_NAME_JOB_H

#include "profiler/jail.h"
#include "profiler/known_files.h"
#include "profiler/unwinder.h"

/** name_job_do() - ask the jail for the names of a job's places; the answer is in the job */
void name_job_do(struct jail *jail, struct known_files *files, struct unwind_job *job);

#endif /* PROFILER_NAME_JOB_H */
