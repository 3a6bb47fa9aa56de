/* SPDX-License-Identifier: Apache-2.0 */
/* pair.h - the second thread of benches that use two. See pair.c. */
#ifndef PROFILER_BENCH_PAIR_H
#define PROFILER_BENCH_PAIR_H

#ifdef __cplusplus
extern "C" {
#endif

struct pair;

/** pair_start() - a thread on bench_second_cpu(), asleep; 0 or -errno */
__attribute__((warn_unused_result)) int pair_start(struct pair **ret);

/** pair_go() - let it call @work(@arg) once; returns when the call has begun */
void pair_go(struct pair *p, void (*work)(void *), void *arg);

/** pair_wait() - spin until that call has returned */
void pair_wait(struct pair *p);

/** pair_free() - end the thread; NULL is fine */
void pair_free(struct pair *p);

#ifdef __cplusplus
}
#endif

#endif /* PROFILER_BENCH_PAIR_H */
