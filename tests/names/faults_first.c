/* SPDX-License-Identifier: Apache-2.0 */
/*
 * faults_first.c - nearly all of the time in page faults of a function's first instruction, with
 * another function right before it, which is never called: who takes the interrupted instruction
 * for a return address, and looks one byte before it, names the wrong one.
 */
#include <sys/mman.h>

#include "tests/names/steady.h"

#define PAGES	   64
#define PAGE_BYTES 4096

void faults_here(char *page);

#if defined(__x86_64__)
__asm__(".text\n"
	".globl faults_before, faults_here\n"
	".type faults_before, @function\n"
	".type faults_here, @function\n"
	"faults_before: .cfi_startproc; nop; ret; .cfi_endproc\n"
	".size faults_before, . - faults_before\n"
	"faults_here: .cfi_startproc; movb $1, (%rdi); ret; .cfi_endproc\n"
	".size faults_here, . - faults_here\n");
#else
__asm__(".text\n"
	".globl faults_before, faults_here\n"
	".type faults_before, %function\n"
	".type faults_here, %function\n"
	"faults_before: .cfi_startproc; nop; ret; .cfi_endproc\n"
	".size faults_before, . - faults_before\n"
	"faults_here: .cfi_startproc; strb wzr, [x0]; ret; .cfi_endproc\n"
	".size faults_here, . - faults_here\n");
#endif

static WORKLOAD void touch_pages(char *pages)
{
	for (size_t i = 0; i < PAGES; i++)
		faults_here(pages + i * PAGE_BYTES);
	barrier();
}

int main(int argc, char **argv)
{
	struct span span = span_begin(argc, argv);
	char *pages = mmap(NULL, PAGES * PAGE_BYTES, PROT_READ | PROT_WRITE,
			   MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (pages == MAP_FAILED || madvise(pages, PAGES * PAGE_BYTES, MADV_NOHUGEPAGE))
		return 1;
	while (span_next(&span)) {
		touch_pages(pages);
		madvise(pages, PAGES * PAGE_BYTES, MADV_DONTNEED);
	}
	return 0;
}
