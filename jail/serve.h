/* SPDX-License-Identifier: Apache-2.0 */
/*
 * serve.h - answers the recorder's requests, until there are no more (jailwire.h).
 *
 * At most SERVE_FILES files are mapped: the one that was used longest ago makes room. All memory
 * is there from the start, but for the index of a file that brings none. A file that is cut short
 * while it is read is refused, and costs no other.
 */
#ifndef PROFILER_SERVE_H
#define PROFILER_SERVE_H

/* A deep stack of a large program goes through 10 to 20 libraries. */
#define SERVE_FILES 32

/* Pages of files that this many requests read are kept mapped: 0.2 to 1 MB. */
#define SERVE_KEEP 32

/*
 * CPU time of one request, less than the recorder's patience (JAIL_DEADLINE_MS). Nothing is known
 * that takes 30; who needs more has been taken over.
 */
#define SERVE_CPU_MS 150

/*
 * The same of NAMES and JIT (JAIL_NAMES_DEADLINE_MS). What they may read and compare is counted:
 * that ends sooner.
 */
#define SERVE_NAMES_CPU_MS 500

/* Debug files without a build id are believed by their checksum, if they are not larger: 20 ms. */
#define SERVE_CHECKSUM_BYTES (64u << 20)

struct serve;

/**
 * serve_open() - everything that the filter of the sandbox would not allow later
 *
 * Return: what serve_run() needs, for the process's life; NULL without memory.
 */
struct serve *serve_open(int socket);

/**
 * serve_hello() - say that requests are welcome, or why not
 * @refusal: one line, NULL for welcome
 */
int serve_hello(struct serve *s, const char *refusal);

/** serve_run() - return: 0 at the recorder's end, -errno when it makes no sense any more. */
int serve_run(struct serve *s);

#endif /* PROFILER_SERVE_H */
