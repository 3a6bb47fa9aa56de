/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ksymload.h - /proc/kallsyms and /proc/modules read into compact tables.
 *
 * For kernels that cannot be asked (see ksymask.h): reading it all takes tens of milliseconds and 2
 * MB.
 *
 * Left out: all but one name of an address, the kernel's init code (its memory has long been
 * given back), and the __pfx_ symbols, which name the padding in front of a function: the
 * function's symbol has a bit instead, and its padding counts as the function.
 */
#ifndef PROFILER_KSYMLOAD_H
#define PROFILER_KSYMLOAD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "profiler/kallsyms.h"

#define KSYM_PADDED    (1u << 31)
#define KSYM_NAME_MASK (KSYM_PADDED - 1)

/* The kernel's MODULE_NAME_LEN is 56; two brackets and the end. */
#define KSYM_MODULE_SIZE 64

struct ksym_entry {
	uint32_t offset; /* of the address, from the base */
	uint32_t name;	 /* offset in the names, and KSYM_PADDED */
};

struct ksym_module {
	uint64_t start;
	uint64_t end;		     /* first address behind its code, as well as it is known */
	char name[KSYM_MODULE_SIZE]; /* with brackets */
};

/* Code that is in neither of the two: BPF programs, slots of kprobes and ftrace. */
struct ksym_program {
	uint64_t start;
	bool bpf;
	uint32_t name; /* offset in the names */
};

struct ksym_tables {
	uint64_t base;		    /* lowest address */
	uint64_t text_start;	    /* _text or _stext, else the base */
	uint64_t text_end;	    /* _etext, else UINT64_MAX */
	uint32_t padding;	    /* bytes in front of functions with KSYM_PADDED */
	struct ksym_entry *symbols; /* by address */
	size_t count;
	struct ksym_module *modules; /* by address */
	size_t module_count;
	struct ksym_program *programs; /* in the file's order */
	size_t program_count;
	char *names;
	size_t names_size;
};

/**
 * ksymload_read() - read both files.
 * @modules_path: NULL, or a file that cannot be opened: ends of modules are guessed
 * @ret: zeroed by the caller, who calls ksymload_release() in any case
 *
 * Return: 0; -EPERM when all addresses are 0; -ENODATA without a text symbol; or the -errno of
 * reading.
 */
int ksymload_read(struct ksym_tables *ret, const char *kallsyms_path, const char *modules_path)
	__attribute__((warn_unused_result));

/** ksymload_find() - the symbol of an address. Return: 0, or -ENOENT and @ret untouched. */
int ksymload_find(const struct ksym_tables *t, uint64_t addr, struct ksym *ret);

/** ksymload_bytes() - what the tables take. */
uint64_t ksymload_bytes(const struct ksym_tables *t);

/** ksymload_release() - free the tables. */
void ksymload_release(struct ksym_tables *t);

#endif /* PROFILER_KSYMLOAD_H */
