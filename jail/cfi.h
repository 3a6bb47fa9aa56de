/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cfi.h - call frame information (.eh_frame, .debug_frame) of an ELF file: which function an
 * address belongs to, and row by row how to get from there to its caller.
 *
 * Sources: DWARF 5, section 6.4; Linux Standard Base, ".eh_frame and .eh_frame_hdr"; the
 * psABIs of x86_64 and arm64.
 *
 * Functions are found by a table of pairs sorted by address: the one in .eh_frame_hdr, in
 * place, or where that is missing one made by a single bounded scan. The information is
 * hostile: all reads are bounded, and a wrong table costs frames of that file and nothing else.
 */
#ifndef PROFILER_CFI_H
#define PROFILER_CFI_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "jail/bytes.h"
#include "jail/elf_file.h"

/* Functions in an index that we make (8 bytes each); none is needed with .eh_frame_hdr. */
#define CFI_INDEX_MAX (1u << 19)

/* How deep DW_CFA_remember_state may nest; compilers use 1, hand-written code 2 or 3. */
#define CFI_STATES 16

/*
 * A compressed .debug_frame is unpacked up to this: some 60,000 functions. A part of
 * SANDBOX_DATA_BYTES.
 */
#define CFI_UNPACKED_MAX (3u << 20)

/* Plain data; made and ended by the functions below only. */
struct cfi {
	const struct elf_file *file; /* whose code it is about */
	struct bytes frames;	     /* .eh_frame or .debug_frame */
	uint64_t frames_address;     /* of its first byte; 0 in .debug_frame */
	bool debug_frame;
	/* Asked where this has no function; NULL: nothing more is known. The owner's to set. */
	const struct cfi *more;
	/*
	 * Pairs of signed 32-bit numbers, sorted by the first: where a function begins and where
	 * its FDE lies, both as addresses relative to base. In .debug_frame, where nothing has an
	 * address, the second is an offset in it. Any alignment.
	 */
	const uint8_t *pairs;
	uint32_t pair_count;
	uint64_t base;
	uint8_t *index;	   /* pairs that are ours to free */
	uint8_t *unpacked; /* frames that are */
};

/* A common information entry. */
struct cfi_cie {
	const uint8_t *at; /* NULL: none */
	uint64_t code_align;
	int64_t data_align;
	uint64_t ra; /* column of the return address */
	uint8_t fde_encoding;
	bool augmented;	   /* 'z': FDEs say how long their augmentation is */
	bool signal_frame; /* 'S' */
	struct bytes program;
};

/* A frame description entry: a function, or a part of one, [start, end). */
struct cfi_fde {
	struct cfi_cie cie;
	uint64_t start;
	uint64_t end;
	struct bytes program;
};

/* How a register of the caller is found, or the CFA. */
enum cfi_how {
	CFI_UNSPECIFIED = 0,
	CFI_UNDEFINED,
	CFI_SAME,
	CFI_OFFSET,	    /* at CFA + value */
	CFI_VAL_OFFSET,	    /* is CFA + value */
	CFI_REGISTER,	    /* in register reg; the CFA: is register reg + value */
	CFI_EXPRESSION,	    /* at the address that an expression of value bytes computes */
	CFI_VAL_EXPRESSION, /* is what such an expression computes */
};

struct cfi_place {
	uint32_t how; /* enum cfi_how */
	uint32_t reg; /* DWARF number */
	int64_t value;
	const uint8_t *expression;
};

/* The registers that a walker follows; all others are read over. */
enum cfi_slot {
	CFI_FP, /* rbp, x29 */
	CFI_BX, /* rbx; not on arm64 */
	CFI_SP,
	CFI_RA,
	CFI_SLOTS
};

struct cfi_row {
	struct cfi_place cfa;
	struct cfi_place slots[CFI_SLOTS];
};

/* A program that is running. After cfi_program_next(): row holds in [start, end). */
struct cfi_program {
	struct cfi_row row;
	uint64_t start;
	uint64_t end;
	/* private */
	const struct cfi *cfi;
	const struct cfi_fde *fde;
	struct bytes rest;
	uint32_t *budget;
	unsigned int depth;
	struct cfi_row initial;
	struct cfi_row saved[CFI_STATES];
};

/**
 * cfi_init() - finds the call frame information of a file
 * @cfi:  the caller's, made anew; in order for cfi_release() after a failure too
 * @file: has to outlive it
 *
 * Return: 0; -ENODATA if the file has none, or is made by the Go compiler: walk its frame
 * pointers; -EINVAL damaged; -E2BIG more than CFI_INDEX_MAX functions and no .eh_frame_hdr;
 * -ENOMEM.
 */
__attribute__((warn_unused_result)) int cfi_init(struct cfi *cfi, const struct elf_file *file);

/**
 * cfi_init_debug() - the same, of .debug_frame alone
 * @file: whose code it is about
 * @from: the file that has the section: @file, or its separate debug file; has to outlive it
 *
 * Return: as cfi_init(); -E2BIG also for more than CFI_UNPACKED_MAX bytes in a compressed one.
 */
__attribute__((warn_unused_result)) int cfi_init_debug(struct cfi *cfi, const struct elf_file *file,
						       const struct elf_file *from);

/**
 * cfi_is_sparse() - are there so few functions that most of the code must be without?
 *
 * What was compiled to have none still has those of the start-up files and the linkage table.
 */
bool cfi_is_sparse(const struct cfi *cfi);

/** cfi_release() - frees what is its own; releasing twice is in order. */
void cfi_release(struct cfi *cfi);

/**
 * cfi_find() - where to begin looking for the function at an address
 *
 * Return: the number of the first pair that begins where the last one at or before @address does;
 * 0 if all begin behind it.
 */
uint32_t cfi_find(const struct cfi *cfi, uint64_t address);

/** cfi_pair_start() - where the function of pair number @i begins; @i < pair_count. */
uint64_t cfi_pair_start(const struct cfi *cfi, uint32_t i);

/**
 * cfi_read_fde() - reads the FDE of a pair, and its CIE
 * @i:   < pair_count
 * @fde: zeroed, or from the last call: its CIE is not read again if it is the same
 *
 * Return: 0; -EINVAL if it is damaged, empty, or does not begin where the pair says.
 */
__attribute__((warn_unused_result)) int cfi_read_fde(const struct cfi *cfi, uint32_t i,
						     struct cfi_fde *fde);

/**
 * cfi_find_fde() - the function at an address
 * @fde: as in cfi_read_fde()
 *
 * Return: 0, or -ENOENT where no function is, or only a damaged one.
 */
__attribute__((warn_unused_result)) int cfi_find_fde(const struct cfi *cfi, uint64_t address,
						     struct cfi_fde *fde);

/**
 * cfi_read_encoded() - reads a pointer as its encoding (DW_EH_PE_*) says
 * @from:    in the frames
 *
 * Return: the pointer; 0 and from->bad for encodings that do not occur here: relative to text,
 * data or function, or indirect.
 */
uint64_t cfi_read_encoded(const struct cfi *cfi, struct bytes *from, uint8_t encoding);

/**
 * cfi_program_init() - runs the initial instructions of the CIE
 * @program: the caller's
 * @cfi:     has to outlive it, as @fde has
 * @budget:  one is taken for each instruction
 *
 * Return: 0, -EINVAL bad instructions, -E2BIG the budget is used up.
 */
__attribute__((warn_unused_result)) int cfi_program_init(struct cfi_program *program,
							 const struct cfi *cfi,
							 const struct cfi_fde *fde,
							 uint32_t *budget);

/**
 * cfi_program_next() - runs up to the end of the next row
 *
 * Rows are not empty, in order, without gaps, and end with the FDE.
 *
 * Return: 1 with a row in start, end, row; 0 after the last one; -EINVAL at a bad instruction: of
 * what is behind program->end nothing is known; -E2BIG the budget is used up.
 */
__attribute__((warn_unused_result)) int cfi_program_next(struct cfi_program *program);

#endif /* PROFILER_CFI_H */
