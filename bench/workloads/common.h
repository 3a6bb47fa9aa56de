/* SPDX-License-Identifier: Apache-2.0 */
/*
 * common.h - what all workloads share: a unit of work, clocks, options, randomness.
 *
 * A workload has a truth that a profile is held against. So work is counted in
 * loops that touch no memory and take the same time wherever they are inlined,
 * and time is CPU time, which other load on the machine does not change. Each
 * workload ends by writing one line of JSON: its truth and what it measured.
 */
#ifndef PROFILER_COMMON_H
#define PROFILER_COMMON_H

#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/*
 * A function that keeps its name, its frame and its callers: not inlined, cloned,
 * merged with a twin or specialised.
 */
#if __has_attribute(noipa)
#define WORKLOAD __attribute__((noipa))
#else
#define WORKLOAD __attribute__((noinline))
#endif

#define NS_PER_S 1e9

/*
 * Ends a workload's function. Keeps the compiler from moving or dropping what is before
 * it, and from tail calls; and makes it give the function a frame, which GCC otherwise
 * drops from leaf functions without local variables, whatever the options say.
 */
__attribute__((always_inline)) static inline void barrier(void)
{
	__asm__ volatile("" ::"r"(__builtin_frame_address(0)) : "memory");
}

/*
 * The same without giving the function a frame, for programs that have no frame pointers: what is
 * called before it is no tail call.
 */
__attribute__((always_inline)) static inline void no_tail_call(void)
{
	__asm__ volatile("" ::: "memory");
}

static inline uint64_t clock_ns(clockid_t clock)
{
	struct timespec now;

	clock_gettime(clock, &now);
	return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

/*
 * The unit of work: a chain of multiplications, each waiting for the one before,
 * so that neither alignment nor the CPU's width matters. Inlined, so that the time
 * is the calling function's own.
 */
__attribute__((always_inline)) static inline void work_loops(uint64_t loops)
{
	uint64_t x = loops;

	for (uint64_t i = 0; i < loops; i++) {
		x = x * 6364136223846793005u + 1442695040888963407u;
		__asm__ volatile("" : "+r"(x));
	}
}

/* How many loops take a given CPU time here; the shortest of a few tries, so undisturbed. */
static inline uint64_t loops_for_ns(double ns)
{
	const uint64_t probe = 200000;
	uint64_t best = UINT64_MAX;

	for (int i = 0; i < 10; i++) {
		uint64_t start = clock_ns(CLOCK_THREAD_CPUTIME_ID);
		work_loops(probe);
		uint64_t took = clock_ns(CLOCK_THREAD_CPUTIME_ID) - start;
		best = took < best ? took : best;
	}
	double loops = (double)probe * ns / (double)(best ? best : 1);
	return loops < 1 ? 1 : (uint64_t)loops;
}

/* xorshift64*: repeatable from run to run. */
static inline uint64_t random_next(uint64_t *state)
{
	*state ^= *state >> 12;
	*state ^= *state << 25;
	*state ^= *state >> 27;
	return *state * 2685821657736338717u;
}

#define RANDOM_SEED UINT64_C(0x9E3779B97F4A7C15)

/* A system call without libc, whose functions have no frame pointers. */
__attribute__((always_inline)) static inline long raw_syscall(long number, long a, long b, long c)
{
	barrier();
#if defined(__x86_64__)
	long ret;

	__asm__ volatile("syscall"
			 : "=a"(ret)
			 : "a"(number), "D"(a), "S"(b), "d"(c)
			 : "rcx", "r11", "memory");
	return ret;
#elif defined(__aarch64__)
	register long x8 __asm__("x8") = number;
	register long x0 __asm__("x0") = a;
	register long x1 __asm__("x1") = b;
	register long x2 __asm__("x2") = c;

	__asm__ volatile("svc 0" : "+r"(x0) : "r"(x8), "r"(x1), "r"(x2) : "memory");
	return x0;
#else
#error "raw_syscall() is not written for this machine"
#endif
}

struct workload_option {
	const char *name; /* "-d", "--depth" */
	double *value;
};

/* Fills the values of "NAME NUMBER" pairs; anything else ends the program with 2. */
static inline void workload_options(int argc, char **argv, const struct workload_option *options)
{
	for (int i = 1; i < argc; i += 2) {
		const struct workload_option *option = options;
		char *end = NULL;

		while (option->name && strcmp(argv[i], option->name))
			option++;
		if (option->name && i + 1 < argc)
			*option->value = strtod(argv[i + 1], &end);
		if (!end || end == argv[i + 1] || *end || !(*option->value > 0)) {
			fprintf(stderr, "usage: %s", argv[0]);
			for (option = options; option->name; option++)
				fprintf(stderr, " [%s NUMBER]", option->name);
			fprintf(stderr, "\n");
			exit(2);
		}
	}
}

#endif /* PROFILER_COMMON_H */
