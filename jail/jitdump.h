/* SPDX-License-Identifier: Apache-2.0 */
/*
 * jitdump.h - names of code made at run time, by the binary file jit-PID.dump.
 *
 *   header         off size field
 *                    0    4 magic         "JiTD" as a number, in the byte order of its writer
 *                    4    4 version       1
 *                    8    4 size          of the header
 *                   12    4 machine       e_machine of ELF
 *                   16   24 padding, pid, time, flags
 *
 *   each record      0    4 id            0 load, 1 move, 2 debug info, 3 close, 4 unwinding info
 *                    4    4 size          of all of it
 *                    8    8 time
 *
 *   load            16    8 pid, tid
 *                   24    8 address of the code, as linked
 *                   32    8 address of the code, as it runs
 *                   40    8 size of the code
 *                   48    8 index         of this code, also when it is moved
 *                   56      name, 0-terminated; the code
 *
 *   move            16   16 as above
 *                   32    8 old address
 *                   40    8 new address
 *                   48    8 size of the code
 *                   56    8 index
 *
 * Memory is used again, so of two records that cover a place the later one holds. A last record
 * that is not whole is not yet written. Code is not read. Source:
 * tools/perf/Documentation/jitdump-specification.txt.
 */
#ifndef PROFILER_JITDUMP_H
#define PROFILER_JITDUMP_H

#include <stdint.h>

#include "jail/filewindow.h"
#include "jail/places.h"

/*
 * What a question may cost: a unit is a record, or a place that one covers; all are read twice if
 * code was moved. 0.1 to 0.4 s.
 */
#define JITDUMP_WORK_MAX (1u << 20)

/* Largest file, with the code that is not looked at. 0.1 s to read. */
#define JITDUMP_BYTES_MAX (512u << 20)

/* What names a place. */
struct jitdump_code {
	uint64_t record; /* offset of its load; 0: none */
	uint64_t index;	 /* of code that was moved here; record is not known yet */
	bool moved;
	bool changed; /* since the part of the file that is known from before */
};

/* What a question needs; any content at first. */
struct jitdump {
	struct places places;
	struct jitdump_code code[JAIL_NAMES_MAX];
	struct filewindow file;
};

/**
 * jitdump_names() - names of places
 * @fd: stays the caller's
 * @before: as in jailwire.h
 * @addresses: ascending, no two alike
 * @count: 1 to JAIL_NAMES_MAX
 * @ret: the answer; of the first places, if not all have room
 *
 * Return: 0, -ENODEV if it is no regular file, -EINVAL if it is no jitdump of this byte order,
 * -ENOEXEC if it is of another machine, -E2BIG if it would take too long.
 */
__attribute__((warn_unused_result)) int jitdump_names(struct jitdump *j, int fd, uint64_t before,
						      const uint64_t *addresses, uint32_t count,
						      struct name_answer *ret);

#endif /* PROFILER_JITDUMP_H */
