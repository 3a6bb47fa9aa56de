/* SPDX-License-Identifier: Apache-2.0 */
/*
 * kallsyms.h - names of kernel addresses.
 *
 * Code that the side-band registered (BPF programs, most of all), and for all other addresses
 * what the kernel answers when asked. The answers are kept for the whole function, so that few
 * are needed. Where the kernel cannot be asked, all of /proc/kallsyms is read at the start. An
 * address that is known to lie in no symbol gets no name rather than that of the symbol before
 * it.
 *
 * No record tells of modules: one that takes the place of another while the addresses of that are
 * still known is given its names.
 *
 * One thread at a time.
 */
#ifndef PROFILER_KALLSYMS_H
#define PROFILER_KALLSYMS_H

#include <stddef.h>
#include <stdint.h>

enum ksym_kind {
	KSYM_KERNEL, /* the kernel image */
	KSYM_MODULE,
	KSYM_BPF,   /* a JIT-compiled BPF program, trampoline or dispatcher */
	KSYM_OTHER, /* code outside of symbol tables: slots of kprobes and ftrace */
};

struct ksym {
	const char *name;   /* valid until the next call but kallsyms_stats() and _text_start() */
	const char *module; /* "" for KSYM_KERNEL and _OTHER, "[bpf]" for BPF, else "[name]" */
	uint64_t start;	    /* address of the symbol, or of the padding in front of it */
	enum ksym_kind kind;
};

struct kallsyms_stats {
	uint64_t symbols; /* kernel and modules: known answers, or the whole table */
	uint64_t added;	  /* BPF and others, now */
	uint64_t bytes;
	uint64_t load_ns;
	uint64_t refused; /* additions beyond the limit */
};

struct kallsyms;

/**
 * kallsyms_open() - make ready to ask the kernel; else read /proc/kallsyms.
 *
 * Return: 0; and where the kernel cannot be asked, -EPERM when it hides its addresses
 * (kptr_restrict is 2, or 1 without CAP_SYSLOG; also on lockdown), -ENODATA without
 * a single text symbol, or another -errno of reading.
 */
int kallsyms_open(struct kallsyms **ret) __attribute__((warn_unused_result));

/** kallsyms_open_at() - read it all, from these files. @modules_path may be NULL. */
int kallsyms_open_at(struct kallsyms **ret, const char *kallsyms_path, const char *modules_path)
	__attribute__((warn_unused_result));

/** kallsyms_free() - NULL is fine. */
void kallsyms_free(struct kallsyms *ks);

/** kallsyms_find() - the symbol of an address. Return: 0, or -ENOENT and @ret untouched. */
int kallsyms_find(struct kallsyms *ks, uint64_t addr, struct ksym *ret);

/**
 * kallsyms_text_start() - where the kernel's text begins: _stext, or _text from a table that has
 * it.
 *
 * Addresses of KSYM_KERNEL minus this reveal nothing of where the kernel was put.
 */
uint64_t kallsyms_text_start(const struct kallsyms *ks);

/**
 * kallsyms_add() - the side-band registered kernel code; replaces what it overlaps.
 * @kind: KSYM_BPF or KSYM_OTHER
 *
 * Return: 0, -EINVAL, -ENOMEM, or -ENOSPC beyond the limit.
 */
int kallsyms_add(struct kallsyms *ks, enum ksym_kind kind, uint64_t addr, uint32_t size,
		 const char *name);

/** kallsyms_del() - the code at addr went; unknown addresses are ignored. */
void kallsyms_del(struct kallsyms *ks, uint64_t addr);

/** kallsyms_stats() - counts and size. */
void kallsyms_stats(const struct kallsyms *ks, struct kallsyms_stats *ret);

#endif /* PROFILER_KALLSYMS_H */
