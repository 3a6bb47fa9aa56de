/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * unwind.h - contract 3: the unwind tables that the jail compiles, the recorder loads and the
 * sampling program walks with.
 *
 * The way of a look-up, from a thread group and an address to a rule:
 *
 *   processes  pid -> its mappings           UNWIND_PROBES slots from hash(pid) on
 *   mappings   address -> part of a file     sorted by start, binary search
 *   directory  offset >> 16 -> page          one word for each 64 KiB of a file
 *   shards     offset & 0xffff -> row        sorted, binary search
 *   rules      row -> rule                   each different rule once, for all files
 *
 * All but the shards are arrays that the recorder maps and writes in place, without system
 * calls; a shard is such an array too, and is made when there is something to put in it. A page is
 * loaded when a sample needs it. So what is never sampled costs nothing.
 *
 * What a program may be reading is never changed: new contents go to unused places, one aligned
 * 64-bit store makes them known (or unknown), and a place is used again only after every program
 * that was running by then has ended. The walker bounds everything it reads from here: a wrong
 * table costs frames and nothing else.
 *
 * Offsets are always offsets in the file (0 at the start of the vDSO), never ELF addresses.
 */
#ifndef PROFILER_UNWIND_H
#define PROFILER_UNWIND_H

#include <linux/types.h>

/* A page of tables covers 64 KiB of a file, so that an offset in it has 16 bits. */
#define UNWIND_PAGE_SHIFT 16
#define UNWIND_PAGE_BYTES (1u << UNWIND_PAGE_SHIFT)

/* From this offset in the page on the rule holds, until the next row. The first row is at 0. */
struct unwind_row {
	__u16 offset;
	__u16 rule; /* index in the rules */
};

/* How the CFA, the stack pointer of the caller, is found. */
enum unwind_cfa {
	UNWIND_NONE = 0, /* nothing is known of this code */
	UNWIND_END,	 /* nobody called this: _start, a thread's start */
	UNWIND_BEYOND,	 /* known, but too much for the walker: take a snapshot */
	UNWIND_SIGNAL,	 /* a signal frame: all registers from the context at SP */
	UNWIND_SP,	 /* SP + cfa_off */
	UNWIND_FP,	 /* frame pointer + cfa_off */
	UNWIND_BX,	 /* x86_64: rbx + cfa_off */
	UNWIND_REG,	 /* DWARF register cfa_reg + cfa_off; only a leaf has all registers */
	UNWIND_SP_DEREF, /* *(SP + deref_off) + cfa_off */
	UNWIND_FP_DEREF, /* *(frame pointer + deref_off) + cfa_off */
	UNWIND_PLT,	 /* SP + 8, and 8 more where (pc & 15) >= cfa_reg */
	/* As UNWIND_FP_DEREF, where the stack was aligned: the caller's frame pointer is saved at
	   the frame pointer, and bx_off is relative to that too. */
	UNWIND_FP_ALIGNED,
	UNWIND_SP_INDEXED, /* *(SP + 8 * DWARF register cfa_reg + deref_off) + cfa_off; a leaf's */
	UNWIND_CFAS,
};

/* Where the return address is. */
enum unwind_ra {
	UNWIND_RA_MEMORY = 0, /* at CFA + ra_off */
	UNWIND_RA_REG,	      /* in DWARF register ra_reg; only where the walker has that register:
				 a leaf has all, and arm64's x30 is kept in a frame after a signal */
};

/*
 * One step to the caller. The offsets of saved registers are relative to the CFA; 0 is for a
 * register that still has the caller's value. What does not fit in here is UNWIND_BEYOND. Unused
 * fields are 0, so that equal rules have equal bytes.
 */
struct unwind_rule {
	__u8 cfa;     /* enum unwind_cfa */
	__u8 cfa_reg; /* UNWIND_REG, UNWIND_PLT, UNWIND_SP_INDEXED */
	__u8 ra;      /* enum unwind_ra */
	__u8 ra_reg;
	__s32 cfa_off;
	__s16 deref_off;
	__s16 ra_off;
	__s16 fp_off; /* rbp, x29 */
	__s16 bx_off; /* rbx; always 0 on arm64 */
};

/* Different rules in all files together: a whole /usr has about 10,000. */
#define UNWIND_RULES 16384

/* Rows of a shard, 256 KB, and how many shards there may be. A page lies in one shard. */
#define UNWIND_SHARD_ROWS 65536
#define UNWIND_SHARDS	  32

enum unwind_page_state {
	UNWIND_PAGE_MISSING = 0, /* not loaded (yet) */
	UNWIND_PAGE_LOADED,	 /* count rows from row `first` of shard `shard` on */
	UNWIND_PAGE_BARE,	 /* nothing is known of any code here: UNWIND_NONE throughout */
	UNWIND_PAGE_REFUSED,	 /* the file's tables could not be used */
	UNWIND_PAGE_UNTOLD, /* the file has no tables, and nothing says that it keeps frame pointers
			     */
};

/* A directory entry; read and written as one 64-bit word. */
struct unwind_page {
	__u8 state; /* enum unwind_page_state */
	__u8 shard;
	__u16 generation; /* another with each load, see below */
	__u16 first;
	__u16 count; /* rows - 1 */
};

/*
 * The walker keeps what it found last, a word each: the search through the rows costs more than
 * all else, and stacks meet the same return addresses over and over. A word has
 *
 *   bits 48 to 63  the page's generation, so that a page that is loaded anew makes it void
 *        33 to 47  the directory entry
 *        17 to 32  the offset in the page
 *        16        1: there is something
 *         0 to 15  the rule
 */
#define UNWIND_CACHE 4096

/* Pages of all files together: 2 GiB of code. */
#define UNWIND_DIRECTORY 32768

/* A part of a file, mapped executable. Address a is at offset a - bias of the file. */
struct unwind_mapping {
	__u64 start;
	__u64 bias;	 /* may wrap */
	__u32 pages_4k;	 /* size */
	__u32 directory; /* entry of page p is directory + p, which wraps; or one of these: */
};
#define UNWIND_FRAME_POINTERS 0xffffffffu /* no file, no tables: JIT code */
#define UNWIND_UNKNOWN_FILE   0xfffffffeu /* a file that has no room in the directory */

/* Mappings of all sampled processes together, and of one process. */
#define UNWIND_MAPPINGS		8192
#define UNWIND_PROCESS_MAPPINGS 2048

/* A sampled process. `range` is read and written as one word, `pid` is 0 in an empty slot. */
struct unwind_process {
	__u32 pid;
	__u32 reserved;
	__u64 range; /* first << 32 | count, in the mappings; 0 = not known yet */
};

/* A pid is in one of UNWIND_PROBES slots from unwind_process_slot() on (wrapping), or nowhere. */
#define UNWIND_PROCESSES 2048
#define UNWIND_PROBES	 8

static inline __u32 unwind_process_slot(__u32 pid)
{
	return (pid * 0x9E3779B1u) >> 21;
}

_Static_assert(sizeof(struct unwind_row) == 4, "a row is 4 bytes");
_Static_assert(sizeof(struct unwind_rule) == 16, "a rule is 16 bytes");
_Static_assert(sizeof(struct unwind_page) == 8, "a directory entry is one word");
_Static_assert(sizeof(struct unwind_mapping) == 24, "a mapping is 24 bytes");
_Static_assert(sizeof(struct unwind_process) == 16, "a process is 16 bytes");
_Static_assert(UNWIND_PROCESSES == 1u << (32 - 21), "the slot of a pid has 11 bits");

#endif /* PROFILER_UNWIND_H */
