/* SPDX-License-Identifier: Apache-2.0 */
/* cputime.h - how long each CPU has been idle and how much a hypervisor took, from /proc/stat. */
#ifndef PROFILER_CPUTIME_H
#define PROFILER_CPUTIME_H

#include <stdint.h>

/** struct cputime - of one CPU since boot, in steps of 10 ms */
struct cputime {
	uint64_t idle_ns; /* idle and waiting for I/O */
	uint64_t steal_ns;
};

/**
 * cputime_parse() - the lines "cpuN ..." of the text of /proc/stat
 * @text: 0-terminated
 * @ret: by CPU number; those not in the text are left alone
 * @cpus: entries of @ret
 * @ticks_per_second: sysconf(_SC_CLK_TCK)
 */
void cputime_parse(const char *text, struct cputime *ret, uint32_t cpus, uint64_t ticks_per_second);

/** cputime_read() - the same from /proc/stat now; 0 or -errno */
__attribute__((warn_unused_result)) int cputime_read(struct cputime *ret, uint32_t cpus);

#endif /* PROFILER_CPUTIME_H */
