/* SPDX-License-Identifier: Apache-2.0 */
/*
 * jailwire.h - what the recorder and the jail say to each other.
 *
 * The jail is a program without rights that does for the recorder what must be done with files and
 * stacks of others: it compiles unwind tables and walks snapshots. They are joined by a stream
 * socket, file descriptor 3 of the jail, and built together: the version is checked, not
 * negotiated. The jail speaks once by itself, when it has locked itself up (JAIL_HELLO, sequence
 * 0), and then answers requests, one at a time and in order. Everything is in host byte order; each
 * message is a header and `size` bytes behind it. The recorder believes none of it
 * (profiler/jailcheck.h); an answer of another sequence, type or size ends the jail's life.
 *
 *   struct jail_header          both ways
 *   off size field
 *     0    4 size      bytes behind the header
 *     4    2 type      enum jail_type; the answer has that of its request
 *     6    2 version   JAIL_VERSION
 *     8    8 sequence  of the request
 *
 *   HELLO   answer     0    4 status         JAIL_OK, or JAIL_REFUSED: locked up it would not be
 *                      4   60 text           why not: one line, 0-terminated
 *
 *   FILE    request    0    4 file           an id of the recorder's choice; takes the place
 *                                            of an older one; the descriptor comes as SCM_RIGHTS;
 *                                            an image of the vDSO is a file as any other
 *           answer     0    4 status         enum jail_status
 *                      4    2 machine        e_machine of the ELF header
 *                      6    1 kind           enum jail_kind
 *                      7    1 build_id_size  0 = none
 *                      8   20 build_id
 *                     28    4 lacks          bits of enum jail_lacks: what a separate debug file
 *                                            might bring
 *                     32  256 debug_link     its name, 0-terminated, without '/'; "": none known
 *
 *   DEBUG   request    0    4 file           a known one; its separate debug file comes as
 *                                            SCM_RIGHTS
 *           answer     0    4 status         JAIL_OK: it belongs to the file, by its build id or
 *                                            the checksum of the debug link, and is used from now
 *                                            on
 *                      4    1 kind           of the file, now
 *                      5    3 reserved, 0
 *
 *   PAGE    request    0    4 file
 *                      4    4 page           offset in the file >> UNWIND_PAGE_SHIFT
 *           answer     0    4 status
 *                      4    4 rows           0 = nothing is known of any code here
 *                      8    4 rules
 *                     12    4 reserved, 0
 *                     16 16*n rules          struct unwind_rule, each different one once
 *                   ....  4*n rows           struct unwind_row, `rule` counts from 0 in this answer
 *
 *   WALK    request    0    4 machine        EM_X86_64 or EM_AARCH64
 *                      4    4 mappings
 *                      8    4 stack_bytes
 *                     12    4 reserved, 0
 *                     16    8 stack_address  of the first byte
 *                     24  264 registers      by DWARF number: x86_64 0 to 15 and 16 = rip,
 *                                            arm64 0 to 30, 31 = sp, 32 = pc
 *                    288 32*n mappings       struct jail_mapping: executable ones, by start
 *                   ....    n stack
 *           answer     0    4 status         JAIL_OK also for a stack that ended early
 *                      4    4 end            enum jail_end
 *                      8    4 file           of JAIL_END_FILE: send it and ask again
 *                     12    4 frames         at least 1, the leaf
 *                     16  8*n frames         instruction pointers, leaf first; but for the leaf and
 *                                            what a signal interrupted they are return addresses
 *
 *   NAMES   request    0    4 file
 *                      4    4 count          at least 1
 *                      8  8*n offsets        in the file, ascending, no two alike
 *           answer     0    4 status
 *                      4    4 stretches      at least 1
 *                      8    4 text_bytes
 *                     12    4 reserved, 0
 *                     16 24*n stretches      struct jail_stretch, ascending, not overlapping; each
 *                                            holds an offset that was asked for. They answer the
 *                                            offsets in order; where texts would not fit the last
 *                                            ones stay without answer: ask again
 *                   ....    n texts          names, each 0-terminated, none empty
 *
 *   JIT     request    0    4 kind           enum jail_jit; the map comes as SCM_RIGHTS, and is not
 *                                            kept
 *                      4    4 count          at least 1
 *                      8    8 before         JAIL_CHANGED is told from the map's first bytes, so
 *                                            many as these; UINT64_MAX: not at all
 *                     16  8*n addresses      ascending, no two alike
 *           answer     as of NAMES, with addresses for offsets; a name may be JAIL_CHANGED
 *
 *   FORGET  request    0    4 file
 *           answer     0    4 status
 */
#ifndef PROFILER_JAILWIRE_H
#define PROFILER_JAILWIRE_H

#include <stdint.h>

#include "bpf/event.h"
#include "bpf/unwind.h"

#define JAIL_VERSION 2
#define JAIL_SOCKET  3 /* the jail's only file descriptor */

enum jail_type {
	JAIL_HELLO,
	JAIL_FILE,
	JAIL_PAGE,
	JAIL_WALK,
	JAIL_FORGET,
	JAIL_DEBUG,
	JAIL_NAMES,
	JAIL_JIT,
	JAIL_TYPES,
};

enum jail_status {
	JAIL_OK,
	JAIL_UNKNOWN_FILE, /* never sent, or given up for others since: send it (again) */
	JAIL_REFUSED,	   /* the reasons follow; these hold for as long as the file is the same */
	JAIL_NOT_REGULAR,  /* refused: no regular file, or empty, or too large */
	JAIL_NOT_ELF,	   /* refused: no 64-bit ELF of an architecture that we know */
	JAIL_CORRUPT,	   /* refused: an ELF whose headers or tables contradict themselves */
	JAIL_TRUNCATED,	   /* refused: became shorter while it was read */
	JAIL_TOO_LARGE,	   /* refused: a page with more rows or rules than an answer may have */
	JAIL_STATUSES,
};

enum jail_kind {
	JAIL_KIND_TABLES,	  /* has unwind tables */
	JAIL_KIND_FRAME_POINTERS, /* has none, and keeps frame pointers: Go */
	JAIL_KIND_BARE,		  /* has none, and nothing is known of its frames */
	JAIL_KINDS,
};

enum jail_lacks {
	JAIL_LACKS_TABLES = 1,	/* its .eh_frame knows little of its code or is not there, it has no
				   .debug_frame, and it is not made by Go */
	JAIL_LACKS_SYMBOLS = 2, /* no .symtab */
};

/* Who wrote down the names of code made at run time. */
enum jail_jit {
	JAIL_JIT_PERF_MAP, /* /tmp/perf-PID.map: a line of start, size and name for each function */
	JAIL_JIT_DUMP,	   /* jit-PID.dump: perf's jitdump */
	JAIL_JITS,
};

enum jail_end {
	/* nobody called the last frame: its tables say so, or its frame pointer is 0 */
	JAIL_END_COMPLETE,
	JAIL_END_ZERO,	/* the return address is 0: an end by custom, though no table says so */
	JAIL_END_SHORT, /* the snapshot ends before the stack does */
	JAIL_END_FILE,	/* the tables of `file` are needed, and it is not known here */
	JAIL_END_NO_MAPPING, /* the last frame (a leaf), or its return address, is at no mapping */
	JAIL_END_NO_TABLE, /* nothing is known of the last frame's code, nor has it a frame pointer
			    */
	JAIL_END_BAD,	   /* the tables lead nowhere: to memory that is no stack, or in a loop */
	JAIL_END_FRAMES_FULL, /* there are more than MAX_FRAMES */
	JAIL_END_DOUBTFUL, /* as COMPLETE, but the caller of a leaf without tables may be missing */
	JAIL_ENDS,
};

/* Values of jail_mapping.file that are no ids. */
#define JAIL_FILE_NONE 0u /* no file: JIT code, walked by frame pointers */
#define JAIL_FILE_UNUSABLE \
	0xffffffffu /* a file that was refused, or could not be opened: END_NO_TABLE */

/* e_machine of the stacks that can be walked: of the machine that this is built for. */
#if defined(__aarch64__)
#define JAIL_MACHINE 183 /* EM_AARCH64 */
#else
#define JAIL_MACHINE 62 /* EM_X86_64 */
#endif

#define JAIL_BUILD_ID_MAX 20
#define JAIL_DEBUG_LINK	  256
#define JAIL_HELLO_TEXT	  60
#define JAIL_REGISTERS	  33

/* A walk: as many mappings as a process may have in the walker, as much stack as a user of
 * perf may ask for. */
#define JAIL_MAPPINGS_MAX UNWIND_PROCESS_MAPPINGS
#define JAIL_STACK_MAX	  65536

/* Names: so many places in one question, so much text in its answer; a longer name is cut. */
#define JAIL_NAMES_MAX	    1024
#define JAIL_NAME_TEXT_MAX  (256u << 10)
#define JAIL_NAME_BYTES_MAX 8192 /* with the 0 */

/* Value of jail_stretch.name: nothing is known of this stretch. */
#define JAIL_NO_NAME 0xffffffffu

/* And: more than one function was here since the map was as long as `before`. */
#define JAIL_CHANGED 0xfffffffeu

/* A page of code has at most a row for each byte. */
#define JAIL_ROWS_MAX  UNWIND_PAGE_BYTES
#define JAIL_RULES_MAX UNWIND_RULES

struct jail_header {
	uint32_t size;
	uint16_t type;
	uint16_t version;
	uint64_t sequence;
};

struct jail_hello {
	uint32_t status;
	char text[JAIL_HELLO_TEXT];
};

struct jail_file_request {
	uint32_t file;
};

struct jail_file_answer {
	uint32_t status;
	uint16_t machine;
	uint8_t kind;
	uint8_t build_id_size;
	uint8_t build_id[JAIL_BUILD_ID_MAX];
	uint32_t lacks;
	char debug_link[JAIL_DEBUG_LINK];
};

struct jail_debug_request {
	uint32_t file;
};

struct jail_debug_answer {
	uint32_t status;
	uint8_t kind;
	uint8_t reserved[3];
};

struct jail_page_request {
	uint32_t file;
	uint32_t page;
};

struct jail_page_answer {
	uint32_t status;
	uint32_t rows;
	uint32_t rules;
	uint32_t reserved;
};

/* Addresses from start up to end are at file_offset and so on of the file; of the vDSO's image,
 * likewise. */
struct jail_mapping {
	uint64_t start;
	uint64_t end;
	uint64_t file_offset;
	uint32_t file; /* an id, JAIL_FILE_NONE or JAIL_FILE_UNUSABLE */
	uint32_t reserved;
};

struct jail_walk_request {
	uint32_t machine;
	uint32_t mappings;
	uint32_t stack_bytes;
	uint32_t reserved;
	uint64_t stack_address;
	uint64_t registers[JAIL_REGISTERS];
};

struct jail_walk_answer {
	uint32_t status;
	uint32_t end;
	uint32_t file;
	uint32_t frames;
};

struct jail_names_request {
	uint32_t file;
	uint32_t count;
};

/* Maps are only ever appended to, so the first bytes of one are the map as it was once. */
struct jail_jit_request {
	uint32_t kind;
	uint32_t count;
	uint64_t before;
};

/* All places from start up to end have this name, or none. Other stretches of the same function
 * may have the same text. */
struct jail_stretch {
	uint64_t start;
	uint64_t end;
	uint32_t name; /* where it begins in the texts, JAIL_NO_NAME, or JAIL_CHANGED */
	uint32_t reserved;
};

/* Of JAIL_NAMES and JAIL_JIT. */
struct jail_names_answer {
	uint32_t status;
	uint32_t stretches;
	uint32_t text_bytes;
	uint32_t reserved;
};

struct jail_forget_request {
	uint32_t file;
};

struct jail_forget_answer {
	uint32_t status;
};

_Static_assert(sizeof(struct jail_header) == 16, "header");
_Static_assert(sizeof(struct jail_hello) == 64, "hello");
_Static_assert(sizeof(struct jail_file_request) == 4, "file request");
_Static_assert(sizeof(struct jail_file_answer) == 288, "file answer");
_Static_assert(sizeof(struct jail_debug_answer) == 8, "debug answer");
_Static_assert(sizeof(struct jail_names_request) == 8, "names request");
_Static_assert(sizeof(struct jail_jit_request) == 16, "jit request");
_Static_assert(sizeof(struct jail_stretch) == 24, "stretch");
_Static_assert(sizeof(struct jail_names_answer) == 16, "names answer");
_Static_assert(sizeof(struct jail_page_request) == 8, "page request");
_Static_assert(sizeof(struct jail_page_answer) == 16, "page answer");
_Static_assert(sizeof(struct jail_mapping) == 32, "mapping");
_Static_assert(sizeof(struct jail_walk_request) == 288, "walk request");
_Static_assert(sizeof(struct jail_walk_answer) == 16, "walk answer");

/* The largest bodies. */
#define JAIL_REQUEST_MAX                                                                      \
	(sizeof(struct jail_walk_request) + JAIL_MAPPINGS_MAX * sizeof(struct jail_mapping) + \
	 JAIL_STACK_MAX)
#define JAIL_ANSWER_MAX                                                                  \
	(sizeof(struct jail_page_answer) + JAIL_RULES_MAX * sizeof(struct unwind_rule) + \
	 JAIL_ROWS_MAX * sizeof(struct unwind_row))

#define JAIL_NAMES_ANSWER_MAX                                                              \
	(sizeof(struct jail_names_answer) + JAIL_NAMES_MAX * sizeof(struct jail_stretch) + \
	 JAIL_NAME_TEXT_MAX)

_Static_assert(JAIL_NAMES_ANSWER_MAX <= JAIL_ANSWER_MAX, "a page is the largest answer");

#endif /* PROFILER_JAILWIRE_H */
