/* SPDX-License-Identifier: Apache-2.0 */
/*
 * stubs.h - functions that do nothing, for a program that calls them through stubs.
 */
#ifndef PROFILER_STUBS_H
#define PROFILER_STUBS_H

void stub_one(void);
void stub_two(void);

#endif /* PROFILER_STUBS_H */
