// SPDX-License-Identifier: Apache-2.0
/*
 * ksymask.c - what code is at a kernel address, by asking the kernel for just that address.
 *
 * A question is one bpf(2) call. Any such call keeps sampling programs from running on its CPU for
 * a moment (0.1 us on 6.18), so the answers are worth keeping; kallsyms.c does.
 *
 * Invariant: what the kernel prints is taken whole or not at all; a name is never cut.
 */
#include "profiler/ksymask.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bpf/ksym.skel.h"

#define PADDING_PREFIX "__pfx_"

/* The kernel's text is smaller than this. */
#define MAX_TEXT (1ULL << 30)

struct ksymask {
	struct ksym_bpf *bpf;
	uint64_t text_start;
	char name[sizeof(((struct ksym_bpf__bss *)NULL)->answer)];
	char module[sizeof(((struct ksym_bpf__bss *)NULL)->answer)]; /* with brackets */
};

static bool is_word(const char *text, size_t size)
{
	for (size_t i = 0; i < size; i++)
		if (text[i] <= ' ' || text[i] > '~')
			return false;
	return size > 0;
}

/* Takes "MARK0xHEX" off the end of the text. */
static int cut_number(const char *text, size_t *size, char mark, uint64_t *ret)
{
	const char *at = memrchr(text, mark, *size);
	const char *end = text + *size, *digit;
	uint64_t number = 0;

	if (!at || end - at < 4 || end - at > 3 + 16 || at[1] != '0' || at[2] != 'x')
		return -EINVAL;
	for (digit = at + 3; digit < end; digit++) {
		if (*digit >= '0' && *digit <= '9')
			number = number << 4 | (uint64_t)(*digit - '0');
		else if (*digit >= 'a' && *digit <= 'f')
			number = number << 4 | (uint64_t)(*digit - 'a' + 10);
		else
			return -EINVAL;
	}
	*size = (size_t)(at - text);
	*ret = number;
	return 0;
}

int ksymask_parse(const char *text, size_t size, struct ksymask_answer *ret)
{
	const char *space = memchr(text, ' ', size);
	struct ksymask_answer a = { .name = text, .name_size = size };

	if (space) {
		size_t rest = size - (size_t)(space - text);

		if (rest < 4 || space[1] != '[' || space[rest - 1] != ']')
			return -EINVAL;
		a.name_size = (size_t)(space - text);
		a.module = space + 2;
		a.module_size = rest - 3;
		if (!is_word(a.module, a.module_size))
			return -EINVAL;
	}
	if (cut_number(text, &a.name_size, '/', &a.size) ||
	    cut_number(text, &a.name_size, '+', &a.offset) || a.offset >= a.size ||
	    !is_word(a.name, a.name_size))
		return -EINVAL;
	*ret = a;
	return 0;
}

static bool has_prefix(const char *name, const char *prefix)
{
	return strncmp(name, prefix, strlen(prefix)) == 0;
}

/* The kernel's image has no such names: bpf_prog_TAG[_NAME] and what else BPF makes at run time. */
static bool is_bpf(const char *name)
{
	static const char program[] = "bpf_prog_", trampoline[] = "bpf_trampoline_";
	size_t digits;

	if (has_prefix(name, program)) {
		name += strlen(program);
		digits = strspn(name, "0123456789abcdef");
		return digits == 16 && (name[digits] == '_' || !name[digits]);
	}
	if (has_prefix(name, trampoline)) {
		name += strlen(trampoline);
		digits = strspn(name, "0123456789");
		return digits && !name[digits];
	}
	/* The second are of struct_ops. */
	return strcmp(name, "bpf_dispatcher_xdp") == 0 || has_prefix(name, "bpf__");
}

/* Runs the program. Returns what it returned, or the -errno of running it. */
static int run(const struct ksymask *k, uint64_t address)
{
	LIBBPF_OPTS(bpf_test_run_opts, options);
	int err;

	k->bpf->bss->address = address;
	err = bpf_prog_test_run_opts(bpf_program__fd(k->bpf->progs.ksym_ask), &options);
	return err ? err : (int)options.retval;
}

int ksymask_find(struct ksymask *k, uint64_t addr, struct ksymask_code *ret)
{
	const char *text = k->bpf->bss->answer;
	struct ksymask_answer a;
	int bytes = addr ? run(k, addr) : -ENOENT;

	if (bytes <= 1 || (size_t)bytes > sizeof(k->bpf->bss->answer) ||
	    ksymask_parse(text, (size_t)bytes - 1, &a) || a.offset > addr ||
	    addr - a.offset + a.size <= addr)
		return -ENOENT;
	snprintf(k->name, sizeof(k->name), "%.*s", (int)a.name_size, a.name);
	k->module[0] = '\0';
	if (a.module_size)
		snprintf(k->module, sizeof(k->module), "[%.*s]", (int)a.module_size, a.module);
	*ret = (struct ksymask_code){
		.name = k->name,
		.module = k->module,
		.start = addr - a.offset,
		.end = addr - a.offset + a.size,
		.kind = a.module_size ? KSYM_MODULE : KSYM_KERNEL,
	};
	if (ret->kind == KSYM_KERNEL && is_bpf(k->name)) {
		ret->kind = KSYM_BPF;
		ret->module = "[bpf]";
	}
	if (has_prefix(ret->name, PADDING_PREFIX) && ret->name[strlen(PADDING_PREFIX)])
		ret->name += strlen(PADDING_PREFIX);
	return 0;
}

static bool in_image(struct ksymask *k, uint64_t addr)
{
	struct ksymask_code code;

	return ksymask_find(k, addr, &code) == 0 && code.kind == KSYM_KERNEL;
}

/*
 * From a place in the image down to where names end: all text has names, and what lies before it
 * has none, or names of modules and of BPF programs.
 */
static int find_text_start(struct ksymask *k)
{
	int bytes = run(k, 0);
	uint64_t inside, outside, step = 1 << 16;

	if (bytes < (int)sizeof(inside))
		return bytes < 0 ? bytes : -ENODATA;
	/* The outermost is where the kernel was entered. */
	inside = k->bpf->bss->callers[(size_t)bytes / sizeof(inside) - 1];
	if (!in_image(k, inside))
		return -ENODATA;
	for (outside = inside - step; in_image(k, outside); outside = inside - step) {
		inside = outside;
		step *= 2;
		if (step > MAX_TEXT)
			return -ENODATA;
	}
	while (inside - outside > 1) {
		uint64_t middle = outside + (inside - outside) / 2;

		if (in_image(k, middle))
			inside = middle;
		else
			outside = middle;
	}
	k->text_start = inside;
	return 0;
}

int ksymask_open(struct ksymask **ret)
{
	struct ksymask *k = calloc(1, sizeof(*k));
	int err;

	if (!k)
		return -ENOMEM;
	k->bpf = ksym_bpf__open();
	err = k->bpf ? ksym_bpf__load(k->bpf) : -errno;
	if (!err)
		err = find_text_start(k);
	if (err) {
		ksymask_free(k);
		return err;
	}
	*ret = k;
	return 0;
}

void ksymask_free(struct ksymask *k)
{
	if (!k)
		return;
	ksym_bpf__destroy(k->bpf);
	free(k);
}

uint64_t ksymask_text_start(const struct ksymask *k)
{
	return k->text_start;
}
