/* SPDX-License-Identifier: Apache-2.0 */
/*
 * jit.c - code that no file has: a page of instructions made at run time, with frame pointers as
 * JIT compilers make them, called by C without, and calling such C.
 *
 * in_callback 1/2 of the work; the rest is the page's own, as near to 1/2 as its loop is to ours.
 */
#include <sys/mman.h>

#include "tests/live/stacks/chain.h"

/* void call(void (*function)(uint64_t), uint64_t loops), and at LOOP void spin(uint64_t loops) */
#define LOOP 32
#if defined(__x86_64__)
static const unsigned char call_code[] = {
	0x55,		  /* push %rbp */
	0x48, 0x89, 0xe5, /* mov  %rsp, %rbp */
	0x48, 0x89, 0xf8, /* mov  %rdi, %rax */
	0x48, 0x89, 0xf7, /* mov  %rsi, %rdi */
	0xff, 0xd0,	  /* call *%rax */
	0x5d,		  /* pop  %rbp */
	0xc3,		  /* ret */
};
static const unsigned char spin_code[] = {
	0x55,			/* push %rbp */
	0x48, 0x89, 0xe5,	/* mov  %rsp, %rbp */
	0x48, 0x0f, 0xaf, 0xc0, /* imul %rax, %rax */
	0x48, 0xff, 0xcf,	/* dec  %rdi */
	0x75, 0xf7,		/* jnz  to the imul */
	0x5d,			/* pop  %rbp */
	0xc3,			/* ret */
};
#else
static const uint32_t call_code[] = {
	0xa9bf7bfd, /* stp x29, x30, [sp, #-16]! */
	0x910003fd, /* mov x29, sp */
	0xaa0003e2, /* mov x2, x0 */
	0xaa0103e0, /* mov x0, x1 */
	0xd63f0040, /* blr x2 */
	0xa8c17bfd, /* ldp x29, x30, [sp], #16 */
	0xd65f03c0, /* ret */
};
static const uint32_t spin_code[] = {
	0xa9bf7bfd, /* stp x29, x30, [sp, #-16]! */
	0x910003fd, /* mov x29, sp */
	0x9b017c21, /* mul x1, x1, x1 */
	0xf1000400, /* subs x0, x0, #1 */
	0x54ffffc1, /* b.ne to the mul */
	0xa8c17bfd, /* ldp x29, x30, [sp], #16 */
	0xd65f03c0, /* ret */
};
#endif

static WORKLOAD void in_callback(uint64_t loops)
{
	work_loops(loops);
	no_tail_call();
}

static WORKLOAD void callback(uint64_t loops)
{
	mislead();
	in_callback(loops);
	no_tail_call();
}

static WORKLOAD void enter(char *page, uint64_t loops)
{
	void (*call)(void (*function)(uint64_t), uint64_t loops);
	void (*spin)(uint64_t loops);

	*(void **)&call = page;
	*(void **)&spin = page + LOOP;
	mislead();
	call(callback, loops);
	spin(loops);
	no_tail_call();
}

int main(int argc, char **argv)
{
	char *page = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	struct run r;
	uint64_t loops;

	if (page == MAP_FAILED)
		return 1;
	memcpy(page, call_code, sizeof(call_code));
	memcpy(page + LOOP, spin_code, sizeof(spin_code));
	if (mprotect(page, 4096, PROT_READ | PROT_EXEC))
		return 1;
	__builtin___clear_cache(page, page + 4096);
	run_begin(&r, argc, argv, NULL, NULL);
	while ((loops = run_next(&r)))
		enter(page, loops);
	return 0;
}
