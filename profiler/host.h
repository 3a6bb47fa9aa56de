/* SPDX-License-Identifier: Apache-2.0 */
/* host.h - the facts about this machine that the stream's header states. */
#ifndef PROFILER_HOST_H
#define PROFILER_HOST_H

#include <stdint.h>
#include <sys/utsname.h>

/** struct host - facts, all of them 0-terminated text */
struct host {
	struct utsname uts;
	char cpu_model[128]; /* "" when unknown */
};

/** host_read() - never fails: what cannot be read stays empty */
void host_read(struct host *ret);

#endif /* PROFILER_HOST_H */
