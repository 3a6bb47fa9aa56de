/* SPDX-License-Identifier: Apache-2.0 */
/* libplt.h - 64 functions with nothing to do; libplt_tiny.c has them, libplt_calls.c calls them. */
#ifndef PROFILER_LIBPLT_H
#define PROFILER_LIBPLT_H

#define EIGHT(f, n) f(n##0) f(n##1) f(n##2) f(n##3) f(n##4) f(n##5) f(n##6) f(n##7)
#define TINY(f)    \
	EIGHT(f, ) \
	EIGHT(f, 1) EIGHT(f, 2) EIGHT(f, 3) EIGHT(f, 4) EIGHT(f, 5) EIGHT(f, 6) EIGHT(f, 7)

#define DECLARE(n) void tiny_##n(void);
TINY(DECLARE)

#endif /* PROFILER_LIBPLT_H */
