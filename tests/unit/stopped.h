/* SPDX-License-Identifier: Apache-2.0 */
/*
 * stopped.h - a real thread, stopped in a chain of calls that is known, and a snapshot of it as the
 * sampler would take one.
 *
 * The chain's functions note their return addresses themselves. The process is a copy of the test.
 */
#ifndef PROFILER_STOPPED_H
#define PROFILER_STOPPED_H

#include <alloca.h>
#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <unistd.h>

#include "jail/jailwire.h"
#include "profiler/proctext.h"

#define STOPPED_NOTES	 16
#define STOPPED_MAPPINGS 128

/* Memory that both sides see. */
struct stopped_notes {
	_Atomic int tid;		 /* of the thread that is to be stopped, once it is ready */
	atomic_uint count;		 /* of returns */
	uint64_t returns[STOPPED_NOTES]; /* leaf first in the end: see stopped_start() */
};

struct stopped {
	pid_t pid;
	pid_t tid;
	struct stopped_notes *notes;
	uint64_t registers[JAIL_REGISTERS];
	uint64_t stack_address;
	uint32_t stack_bytes;
	uint8_t stack[JAIL_STACK_MAX];
	uint32_t mapping_count;
	struct jail_mapping mappings[STOPPED_MAPPINGS]; /* .file is an index in paths, from 1 on */
	char paths[STOPPED_MAPPINGS][256];
};

static struct stopped_notes *stopped_notes; /* of the process that is going to stop */

#define STOPPED_NOTE() stopped_note((uint64_t)__builtin_return_address(0))

static inline void stopped_note(uint64_t address)
{
	stopped_notes->returns[atomic_fetch_add(&stopped_notes->count, 1)] = address;
}

static __attribute__((noinline, noclone)) void stopped_leaf(void)
{
	STOPPED_NOTE();
	atomic_store(&stopped_notes->tid, (int)syscall(SYS_gettid));
	while (atomic_load(&stopped_notes->tid))
		pause();
}

/* A frame whose size is known only at run time: its CFA is found by the frame pointer. */
static __attribute__((noinline, noclone)) void stopped_alloca(volatile unsigned int bytes)
{
	char *memory = alloca(bytes);

	STOPPED_NOTE();
	memset(memory, 1, bytes);
	stopped_leaf();
	__asm__ volatile("" : : "r"(memory) : "memory");
}

static __attribute__((noinline, noclone)) int stopped_big_frame(int depth)
{
	volatile char memory[3000];

	STOPPED_NOTE();
	memory[depth] = 1;
	if (depth)
		stopped_big_frame(depth - 1);
	else
		stopped_alloca(77);
	return memory[depth];
}

static inline void stopped_plain(void)
{
	stopped_big_frame(3);
}

static inline void stopped_handler(int signal)
{
	(void)signal;
	stopped_leaf();
}

static inline void stopped_signal(void)
{
	signal(SIGUSR1, stopped_handler);
	raise(SIGUSR1);
}

static inline void *stopped_thread_main(void *arg)
{
	stopped_big_frame(1);
	return arg;
}

static inline void stopped_thread(void)
{
	pthread_t thread;

	pthread_create(&thread, NULL, stopped_thread_main, NULL);
	pthread_join(thread, NULL);
}

/* Code made at run time, which keeps a frame pointer and says nothing about it. */
static inline void stopped_jit(void)
{
	static const uint8_t code[] = {
		0x55,			/* push %rbp */
		0x48, 0x89, 0xe5,	/* mov %rsp,%rbp */
		0x48, 0x83, 0xec, 0x20, /* sub $32,%rsp */
		0xff, 0xd7,		/* call *%rdi */
		0xc9,			/* leave */
		0xc3,			/* ret */
	};
	uint8_t *page =
		mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	void (*run)(void (*)(void));

	memcpy(page, code, sizeof(code));
	mprotect(page, 4096, PROT_READ | PROT_EXEC);
	memcpy(&run, &page, sizeof(run));
	run(stopped_leaf);
}

/*
 * Code in a file whose tables say nothing of it, with a frame pointer; and a function with tables
 * that ends with its call, so that the return address is already in the next function.
 */
__asm__(".text\n"
	"stopped_bare_call:\n"
	"	push %rbp\n"
	"	mov %rsp, %rbp\n"
	"	sub $32, %rsp\n"
	"	call *%rdi\n"
	"	leave\n"
	"	ret\n"
	"stopped_last_call:\n"
	"	.cfi_startproc\n"
	"	sub $72, %rsp\n"
	"	.cfi_def_cfa_offset 80\n"
	"	call stopped_bare_call\n"
	"	.cfi_endproc\n"
	"stopped_after_last_call:\n"
	"	.cfi_startproc\n"
	"	ret\n"
	"	.cfi_endproc\n");

extern char stopped_bare_call[];
extern void stopped_last_call(void (*function)(void));

static inline void stopped_bare(void)
{
	stopped_last_call(stopped_leaf);
}

static inline void stopped_add_mapping(struct stopped *s, const char *line)
{
	struct jail_mapping *m = &s->mappings[s->mapping_count];
	struct proctext_map map;

	cr_assert(zero(int, proctext_parse_map(line, strlen(line), &map)));
	if (map.start <= s->stack_address && s->stack_address < map.end &&
	    map.end - s->stack_address < s->stack_bytes)
		s->stack_bytes = (uint32_t)(map.end - s->stack_address);
	if (!map.executable || map.start >> 63)
		return;
	cr_assert(lt(u32, s->mapping_count, STOPPED_MAPPINGS));
	*m = (struct jail_mapping){ .start = map.start,
				    .end = map.end,
				    .file_offset = map.file_offset };
	if (map.path_size) {
		m->file = s->mapping_count + 1;
		snprintf(s->paths[s->mapping_count], sizeof(s->paths[0]), "%.*s",
			 (int)map.path_size, map.path);
	}
	s->mapping_count++;
}

static inline void stopped_read_memory(struct stopped *s)
{
	char path[64], line[512];
	FILE *maps;
	int fd;

	s->stack_bytes = sizeof(s->stack);
	snprintf(path, sizeof(path), "/proc/%d/maps", s->pid);
	maps = fopen(path, "re");
	cr_assert(maps != NULL);
	while (fgets(line, sizeof(line), maps)) {
		line[strcspn(line, "\n")] = '\0';
		stopped_add_mapping(s, line);
	}
	fclose(maps);
	snprintf(path, sizeof(path), "/proc/%d/mem", s->pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	cr_assert(eq(long, pread(fd, s->stack, s->stack_bytes, (off_t)s->stack_address),
		     s->stack_bytes));
	close(fd);
}

static inline void stopped_read_registers(struct stopped *s)
{
	struct user_regs_struct r;

	cr_assert(zero(long, ptrace(PTRACE_GETREGS, s->tid, NULL, &r)));
	const uint64_t by_number[17] = { r.rax, r.rdx, r.rcx, r.rbx, r.rsi, r.rdi,
					 r.rbp, r.rsp, r.r8,  r.r9,  r.r10, r.r11,
					 r.r12, r.r13, r.r14, r.r15, r.rip };

	memcpy(s->registers, by_number, sizeof(by_number));
	s->stack_address = r.rsp;
}

/* Starts the chain in a process of its own and stops it in its leaf. */
static inline void stopped_start(struct stopped *s, void (*chain)(void))
{
	int status;

	memset(s, 0, sizeof(*s));
	s->notes = mmap(NULL, sizeof(*s->notes), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS,
			-1, 0);
	stopped_notes = s->notes;
	s->pid = fork();
	if (s->pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		chain();
		_exit(1);
	}
	while (!atomic_load(&s->notes->tid))
		usleep(1000);
	usleep(1000); /* on to the system call of the leaf */
	s->tid = atomic_load(&s->notes->tid);
	cr_assert(zero(long, ptrace(PTRACE_SEIZE, s->tid, NULL, NULL)));
	cr_assert(zero(long, ptrace(PTRACE_INTERRUPT, s->tid, NULL, NULL)));
	cr_assert(eq(int, waitpid(s->tid, &status, __WALL), s->tid));
	stopped_read_registers(s);
	stopped_read_memory(s);
	/* It was noted in the order of the calls. */
	for (unsigned int i = 0, n = s->notes->count; i < n / 2; i++) {
		uint64_t other = s->notes->returns[i];

		s->notes->returns[i] = s->notes->returns[n - 1 - i];
		s->notes->returns[n - 1 - i] = other;
	}
}

static inline void stopped_end(struct stopped *s)
{
	kill(s->pid, SIGKILL);
	waitpid(s->tid, NULL, __WALL);
	if (s->tid != s->pid)
		waitpid(s->pid, NULL, __WALL);
	munmap(s->notes, sizeof(*s->notes));
}

#endif /* PROFILER_STOPPED_H */
