/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ksymask.h - what code is at a kernel address, by asking the kernel for just that address.
 *
 * The question goes through a BPF program that prints a symbol (5.13 and later), so it is
 * answered also where /proc/kallsyms hides addresses, and for modules loaded since. An answer
 * costs about a microsecond, more in a large module; nothing is kept.
 *
 * One thread at a time.
 */
#ifndef PROFILER_KSYMASK_H
#define PROFILER_KSYMASK_H

#include <stddef.h>
#include <stdint.h>

#include "profiler/kallsyms.h"

/* What the kernel prints for an address in a symbol; the strings lie in the text. */
struct ksymask_answer {
	const char *name;
	size_t name_size;
	const char *module; /* without the brackets */
	size_t module_size; /* 0 for none */
	uint64_t offset;    /* of the address in the symbol, below its size */
	uint64_t size;	    /* of the symbol */
};

/* A piece of code; the strings are valid until the next question. */
struct ksymask_code {
	const char *name;
	const char *module; /* as in struct ksym */
	uint64_t start;
	uint64_t end;
	enum ksym_kind kind; /* not KSYM_OTHER */
};

struct ksymask;

/**
 * ksymask_open() - load the program and find where the kernel's text begins.
 *
 * Return: 0; -ENODATA when the kernel answers without names; or the -errno of loading the
 * program, which kernels before 5.13 refuse.
 */
int ksymask_open(struct ksymask **ret) __attribute__((warn_unused_result));

/** ksymask_free() - NULL is fine. */
void ksymask_free(struct ksymask *k);

/**
 * ksymask_find() - the code that is at an address now.
 *
 * Padding in front of a function is a piece of its own, with the function's name.
 *
 * Return: 0; or -ENOENT and @ret untouched where the kernel knows no name.
 */
int ksymask_find(struct ksymask *k, uint64_t addr, struct ksymask_code *ret);

/** ksymask_text_start() - the lowest address of the kernel image that has a name: _stext. */
uint64_t ksymask_text_start(const struct ksymask *k);

/** ksymask_parse() - "name+0x1/0x2" or "name+0x1/0x2 [module]". Return: 0 or -EINVAL. */
int ksymask_parse(const char *text, size_t size, struct ksymask_answer *ret);

#endif /* PROFILER_KSYMASK_H */
