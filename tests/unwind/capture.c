// SPDX-License-Identifier: Apache-2.0
/*
 * capture.c - stops the threads of a command at random moments.
 *
 * PTRACE_SEIZE and PTRACE_INTERRUPT: the threads notice nothing. Every stop that is not ours is
 * passed on at once.
 */
#include "tests/unwind/capture.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "tests/unit/random.h"

#define USER64_CS 0x33

/* Between two stops, in microseconds; no beat with anything. */
#define PAUSE_MIN_US 100
#define PAUSE_MAX_US 1500

static void add_thread(struct capture *c, pid_t tid)
{
	for (uint32_t i = 0; i < c->thread_count; i++)
		if (c->threads[i] == tid)
			return;
	if (c->thread_count < CAPTURE_THREADS)
		c->threads[c->thread_count++] = tid;
}

static void remove_thread(struct capture *c, pid_t tid)
{
	for (uint32_t i = 0; i < c->thread_count; i++)
		if (c->threads[i] == tid)
			c->threads[i] = c->threads[--c->thread_count];
}

/* Passes a stop on; true if it is the one that PTRACE_INTERRUPT asked for. */
static bool pass_on(struct capture *c, pid_t tid, int status, pid_t wanted)
{
	int event = status >> 16, signal = WSTOPSIG(status);

	if (!WIFSTOPPED(status)) {
		remove_thread(c, tid);
		return false;
	}
	add_thread(c, tid);
	if (event == PTRACE_EVENT_STOP) {
		if (signal == SIGTRAP && tid == wanted)
			return true;
		if (signal != SIGTRAP) { /* all of the process stops */
			ptrace(PTRACE_LISTEN, tid, NULL, NULL);
			return false;
		}
	}
	ptrace(PTRACE_CONT, tid, NULL, (void *)(long)(event ? 0 : signal));
	return false;
}

static void pass_all_on(struct capture *c)
{
	int status;
	pid_t tid;

	while ((tid = waitpid(-1, &status, __WALL | WNOHANG)) > 0)
		pass_on(c, tid, status, 0);
	if (tid < 0 && errno == ECHILD)
		c->thread_count = 0;
}

/*
 * Stops a thread; false if it ended instead. The others go on meanwhile: it may be one that waits
 * for its child in vfork(). Another stop of the thread takes the place of the one asked for.
 */
static bool interrupt(struct capture *c, pid_t tid)
{
	pid_t which = tid;
	int status;

	do {
		if (which == tid && ptrace(PTRACE_INTERRUPT, tid, NULL, NULL))
			return false;
		which = waitpid(-1, &status, __WALL);
		if (which > 0 && pass_on(c, which, status, tid))
			return true;
	} while (which > 0 && (which != tid || WIFSTOPPED(status)));
	return false;
}

static FILE *open_proc(pid_t pid, const char *name)
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/%d/%s", pid, name);
	return fopen(path, "re");
}

/* Does it run, or would it if it had a CPU? */
static bool runs(pid_t tid)
{
	FILE *stat = open_proc(tid, "stat");
	char state = '?';

	if (!stat)
		return false;
	if (fscanf(stat, "%*d (%*[^)]) %c", &state) != 1)
		state = '?';
	fclose(stat);
	return state == 'R';
}

/* One that runs, or now and then any; 0 when nothing is to be had. */
static pid_t choose(const struct capture *c, uint64_t *random)
{
	uint32_t first = random_below(random, c->thread_count);

	for (uint32_t i = 0; i < c->thread_count; i++) {
		pid_t tid = c->threads[(first + i) % c->thread_count];

		if (runs(tid))
			return tid;
	}
	return random_below(random, 20) ? 0 : c->threads[first];
}

static pid_t process_of(pid_t tid)
{
	FILE *status = open_proc(tid, "status");
	char line[256];
	int pid = 0;

	while (status && fgets(line, sizeof(line), status))
		if (sscanf(line, "Tgid: %d", &pid) == 1)
			break;
	if (status)
		fclose(status);
	return pid;
}

static void read_mappings(struct capture *c)
{
	FILE *maps = open_proc(c->pid, "maps");
	char line[1024];

	c->mapping_count = 0;
	while (maps && fgets(line, sizeof(line), maps)) {
		struct capture_mapping *m = &c->mappings[c->mapping_count];
		unsigned int major, minor;
		char executable;

		m->path[0] = '\0';
		if (sscanf(line, "%lx-%lx %*2c%c%*c %lx %x:%x %lu %199[^\n]", &m->start, &m->end,
			   &executable, &m->file_offset, &major, &minor, &m->inode, m->path) < 7)
			continue;
		if (executable != 'x' || m->start >> 63 || c->mapping_count == CAPTURE_MAPPINGS - 1)
			continue;
		m->device = (uint64_t)major << 32 | minor;
		c->mapping_count++;
	}
	if (maps)
		fclose(maps);
}

static void read_stack(struct capture *c)
{
	uint64_t address = c->registers[7];
	uint32_t at, piece; /* up to the end of a page: it is there or not */

	for (at = 0; at < CAPTURE_STACK_BYTES; at += piece) {
		piece = 4096 - (uint32_t)((address + at) % 4096);
		if (piece > CAPTURE_STACK_BYTES - at)
			piece = CAPTURE_STACK_BYTES - at;
		if (!capture_read(c, c->stack + at, piece, address + at))
			break;
	}
	c->stack_bytes = at;
}

/* What there is to know of a thread that is stopped; false if it is none of ours. */
static bool look_at(struct capture *c, pid_t tid)
{
	struct user_regs_struct r;
	char path[64];

	if (ptrace(PTRACE_GETREGS, tid, NULL, &r) || r.cs != USER64_CS)
		return false;
	const uint64_t registers[] = { r.rax, r.rdx, r.rcx, r.rbx, r.rsi, r.rdi, r.rbp, r.rsp, r.r8,
				       r.r9,  r.r10, r.r11, r.r12, r.r13, r.r14, r.r15, r.rip };

	_Static_assert(sizeof(registers) == sizeof(c->registers), "all of them");
	memcpy(c->registers, registers, sizeof(registers));
	c->tid = tid;
	c->pid = process_of(tid);
	snprintf(path, sizeof(path), "/proc/%d/mem", tid);
	c->memory_fd = open(path, O_RDONLY | O_CLOEXEC);
	if (c->memory_fd < 0)
		return false;
	read_mappings(c);
	read_stack(c);
	return true;
}

static void run_command(int start_fd, char *const argv[])
{
	int null = open("/dev/null", O_RDWR);
	char byte;

	if (read(start_fd, &byte, 1) != 1)
		_exit(126);
	for (int fd = 0; fd < 3; fd++)
		dup2(null, fd);
	execvp(argv[0], argv);
	_exit(127);
}

int capture_start(struct capture *c, char *const argv[])
{
	const long options =
		PTRACE_O_TRACECLONE | PTRACE_O_TRACEFORK | PTRACE_O_TRACEVFORK | PTRACE_O_EXITKILL;
	int start[2];
	pid_t pid;

	memset(c, 0, sizeof(*c));
	c->memory_fd = -1;
	if (pipe2(start, O_CLOEXEC))
		return -errno;
	pid = fork();
	if (pid == 0)
		run_command(start[0], argv);
	close(start[0]);
	if (pid < 0 || ptrace(PTRACE_SEIZE, pid, NULL, (void *)options) ||
	    write(start[1], "", 1) != 1) {
		int error = errno;

		close(start[1]);
		return -error;
	}
	close(start[1]);
	add_thread(c, pid);
	return 0;
}

bool capture_next(struct capture *c, uint64_t *random)
{
	for (;;) {
		struct timespec pause = { 0 };
		pid_t tid;

		pause.tv_nsec =
			1000 * (PAUSE_MIN_US + random_below(random, PAUSE_MAX_US - PAUSE_MIN_US));
		nanosleep(&pause, NULL);
		pass_all_on(c);
		if (!c->thread_count)
			return false;
		tid = choose(c, random);
		if (!tid || !interrupt(c, tid))
			continue;
		if (look_at(c, tid))
			return true;
		c->tid = tid;
		capture_resume(c);
	}
}

void capture_resume(struct capture *c)
{
	if (c->memory_fd >= 0)
		close(c->memory_fd);
	c->memory_fd = -1;
	ptrace(PTRACE_CONT, c->tid, NULL, NULL);
}

bool capture_read(const struct capture *c, void *to, uint32_t bytes, uint64_t address)
{
	return pread(c->memory_fd, to, bytes, (off_t)address) == (ssize_t)bytes;
}

void capture_end(struct capture *c)
{
	int status;

	if (c->memory_fd >= 0)
		close(c->memory_fd);
	c->memory_fd = -1;
	while (c->thread_count) {
		for (uint32_t i = 0; i < c->thread_count; i++)
			kill(c->threads[i], SIGKILL);
		pid_t tid = waitpid(-1, &status, __WALL);

		if (tid < 0)
			break;
		if (!WIFSTOPPED(status))
			remove_thread(c, tid);
		else
			add_thread(c, tid);
	}
}
