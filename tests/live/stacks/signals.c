/* SPDX-License-Identifier: Apache-2.0 */
/*
 * signals.c - handlers: of a signal the program sends itself, the same on a stack of its own, and
 * of a fault in the very first instruction of a function, where the instruction before is
 * another's.
 *
 * A third each.
 */
#include <signal.h>
#include <ucontext.h>
#include <unistd.h>

#include "tests/live/stacks/chain.h"

#if defined(__x86_64__)
#define FAULT	    "ud2\n ret\n"
#define FAULT_BYTES 2
#else
#define FAULT	    "udf #0\n ret\n"
#define FAULT_BYTES 4
#endif

void fault(void);
__asm__(".text\n"
	".p2align 4\n"
	".type fault, %function\n"
	"fault:\n"
	".cfi_startproc\n" FAULT ".cfi_endproc\n"
	".size fault, .-fault\n");

static volatile uint64_t handler_loops;

static WORKLOAD void in_handler(uint64_t loops)
{
	work_loops(loops);
	no_tail_call();
}

static WORKLOAD void in_other_stack(uint64_t loops)
{
	work_loops(loops);
	no_tail_call();
}

static WORKLOAD void in_fault(uint64_t loops)
{
	work_loops(loops);
	no_tail_call();
}

static WORKLOAD void on_signal(int number)
{
	(void)number;
	mislead();
	in_handler(handler_loops);
	no_tail_call();
}

static WORKLOAD void on_other_stack(int number)
{
	(void)number;
	mislead();
	in_other_stack(handler_loops);
	no_tail_call();
}

static WORKLOAD void on_fault(int number, siginfo_t *info, void *context)
{
	mcontext_t *machine = &((ucontext_t *)context)->uc_mcontext;

	(void)number;
	(void)info;
	in_fault(handler_loops);
#if defined(__x86_64__)
	machine->gregs[REG_RIP] += FAULT_BYTES;
#else
	machine->pc += FAULT_BYTES;
#endif
}

static WORKLOAD void ask(int number)
{
	mislead();
	kill(getpid(), number);
	no_tail_call();
}

static WORKLOAD void stumble(void)
{
	mislead();
	fault();
	no_tail_call();
}

int main(int argc, char **argv)
{
	static char other_stack[65536];
	const stack_t stack = { .ss_sp = other_stack, .ss_size = sizeof(other_stack) };
	struct sigaction action = { .sa_handler = on_signal };
	struct run r;

	sigaction(SIGUSR1, &action, NULL);
	action = (struct sigaction){ .sa_handler = on_other_stack, .sa_flags = SA_ONSTACK };
	sigaltstack(&stack, NULL);
	sigaction(SIGUSR2, &action, NULL);
	action = (struct sigaction){ .sa_sigaction = on_fault, .sa_flags = SA_SIGINFO };
	sigaction(SIGILL, &action, NULL);

	run_begin(&r, argc, argv, NULL, NULL);
	while ((handler_loops = run_next(&r))) {
		ask(SIGUSR1);
		ask(SIGUSR2);
		stumble();
	}
	return 0;
}
