// SPDX-License-Identifier: Apache-2.0
/*
 * test_jail.c - the jail is locked up, answers what a compiler without a jail would, refuses what
 * it should, and whatever becomes of it the next request finds a new one.
 */
#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <dirent.h>
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "jail/cfi.h"
#include "jail/elf_file.h"
#include "jail/table.h"
#include "profiler/jail.h"
#include "profiler/openfile.h"

#define SLOW_START_S 0.02 /* ten times what it takes, and a third of what it takes under QEMU */

static struct jail *jail;
static char dir[64];

static void setup(void)
{
	cr_assert(zero(int, jail_open(&jail, JAIL_PROGRAM)));
	strcpy(dir, "/tmp/test_jail-XXXXXX");
	cr_assert(mkdtemp(dir) != NULL);
}

static void teardown(void)
{
	char command[128];

	jail_free(jail);
	snprintf(command, sizeof(command), "rm -r %s", dir);
	cr_assert(zero(int, system(command)));
}

TestSuite(jail, .init = setup, .fini = teardown, .timeout = 60);

static double now_s(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

/* Longer than the jail has to wait before it is started again. */
static void let_it_start_again(void)
{
	usleep(2 * 1000000 / JAIL_STARTS_PER_S + 5 * JAIL_DEADLINE_MS * 1000);
}

/* How long it takes at best to start the jail's program, which by hand ends at once. */
static double start_s(void)
{
	char command[1024];
	double best = 1, begin;

	snprintf(command, sizeof(command), "%s >/dev/null 2>&1 3<&-", JAIL_PROGRAM);
	for (int i = 0; i < 3; i++) {
		begin = now_s();
		if (system(command) < 0)
			return 0;
		if (now_s() - begin < best)
			best = now_s() - begin;
	}
	return best;
}

/*
 * For what a request says that has to be in time. On a machine that needs tens of milliseconds to
 * start a program, an emulated one, nothing is.
 */
static int in_time(int err)
{
	if (err == -ETIMEDOUT && start_s() > SLOW_START_S)
		cr_skip_test(
			"this machine is too slow for the jail's deadlines, as emulated ones are");
	return err;
}

static int send_file(uint32_t id, const char *path, struct jail_file_answer *ret)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK), err;

	cr_assert(ge(int, fd, 0), "%s", path);
	err = jail_file(jail, id, fd, ret);
	close(fd);
	return in_time(err);
}

/* The C library that this test runs with. */
static const char *c_library(void)
{
	static char path[512];
	FILE *maps = fopen("/proc/self/maps", "re");
	char line[512];

	while (fgets(line, sizeof(line), maps)) {
		if (strstr(line, "/libc.so") || strstr(line, "/libc-"))
			sscanf(strchr(line, '/'), "%511s", path);
	}
	fclose(maps);
	return path;
}

static void read_proc(const char *name, char *text, size_t room)
{
	char path[64];
	FILE *file;

	snprintf(path, sizeof(path), "/proc/%u/%s", jail_pid(jail), name);
	file = fopen(path, "re");
	cr_assert(file != NULL, "%s", path);
	text[fread(text, 1, room - 1, file)] = '\0';
	fclose(file);
}

static const char *const tables_of[] = { NULL, "/usr/bin/python3", "/bin/sh" };

/* A file's tables through the jail and without it: the same, page for page. */
Test(jail, pages_are_those_of_the_compiler)
{
	static struct table_page expected;

	for (size_t f = 0; f < sizeof(tables_of) / sizeof(tables_of[0]); f++) {
		const char *path = tables_of[f] ? tables_of[f] : c_library();
		struct jail_file_answer answer;
		struct jail_page page;
		struct elf_file elf;
		struct cfi cfi;
		int fd = open(path, O_RDONLY | O_CLOEXEC);
		uint32_t loaded = 0;

		if (fd < 0)
			continue;
		cr_assert(zero(int, elf_file_open_fd(&elf, fd)));
		cr_assert(zero(int, cfi_init(&cfi, &elf)));
		cr_assert(zero(int, send_file(7, path, &answer)));
		cr_assert(eq(int, answer.kind, JAIL_KIND_TABLES));
		cr_assert(eq(int, answer.build_id_size, elf.build_id_size));
		cr_assert(zero(int, memcmp(answer.build_id, elf.build_id, elf.build_id_size)));
		for (uint32_t i = 0; i <= elf.size >> UNWIND_PAGE_SHIFT; i++) {
			cr_assert(zero(int, table_compile(&cfi, i, &expected)));
			cr_assert(zero(int, in_time(jail_page(jail, 7, i, &page))));
			cr_assert(eq(u32, page.row_count, expected.row_count));
			if (!page.row_count)
				continue;
			loaded++;
			cr_assert(eq(u32, page.rule_count, expected.rule_count));
			cr_assert(zero(int, memcmp(page.rows, expected.rows,
						   page.row_count * sizeof(page.rows[0]))));
			cr_assert(zero(int, memcmp(page.rules, expected.rules,
						   page.rule_count * sizeof(page.rules[0]))));
		}
		cr_assert(gt(u32, loaded, 0), "%s", path);
		cfi_release(&cfi);
		elf_file_close(&elf);
		close(fd);
	}
	cr_assert(eq(u64, jail_stats(jail).starts, 1));
	cr_assert(zero(u64, jail_stats(jail).deaths));
}

/* The kernel's own code in every process has tables too. */
Test(jail, pages_of_the_vdso)
{
	struct jail_file_answer answer;
	struct jail_page page;
	int fd = openfile_vdso();

	if (fd == -ENOENT)
		return;
	cr_assert(ge(int, fd, 0));
	cr_assert(zero(int, in_time(jail_file(jail, 1, fd, &answer))));
	cr_assert(eq(int, answer.kind, JAIL_KIND_TABLES));
	cr_assert(gt(int, answer.build_id_size, 0));
	cr_assert(zero(int, jail_page(jail, 1, 0, &page)));
	cr_assert(gt(u32, page.row_count, 1));
	close(fd);
}

/* What the kernel says of it, not what it says itself. */
Test(jail, is_locked_up)
{
	static const char *const lines[] = {
		"\nNoNewPrivs:\t1\n",
		"\nSeccomp:\t2\n",
		"\nCapInh:\t0000000000000000\n",
		"\nCapPrm:\t0000000000000000\n",
		"\nCapEff:\t0000000000000000\n",
		"\nCapAmb:\t0000000000000000\n",
	};
	static const char *const limits[] = { "Max core file size        0 ",
					      "Max file size             0 ",
					      "Max processes             0 ",
					      "Max open files            4 ",
					      "Max data size             33554432 " };
	struct jail_file_answer answer;
	char text[8192], path[64];
	struct dirent *entry;
	unsigned int fds = 0;
	DIR *fd_dir;

	cr_assert(zero(int, send_file(1, c_library(), &answer)));
	read_proc("status", text, sizeof(text));
	for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++)
		cr_assert(strstr(text, lines[i]) != NULL, "%s", lines[i]);
	if (geteuid() == 0)
		cr_assert(strstr(text, "\nCapBnd:\t0000000000000000\n") != NULL);
	if (geteuid() != 0) /* it has hidden itself */
		return;
	read_proc("limits", text, sizeof(text));
	for (size_t i = 0; i < sizeof(limits) / sizeof(limits[0]); i++)
		cr_assert(strstr(text, limits[i]) != NULL, "%s", limits[i]);
	read_proc("environ", text, sizeof(text));
	cr_assert(zero(long, (long)strlen(text)));
	snprintf(path, sizeof(path), "/proc/%u/fd", jail_pid(jail));
	fd_dir = opendir(path);
	while ((entry = readdir(fd_dir))) {
		if (entry->d_name[0] == '.')
			continue;
		cr_assert(zero(int, strcmp(entry->d_name, "3")));
		fds++;
	}
	closedir(fd_dir);
	cr_assert(eq(u32, fds, 1));
}

/* What it keeps of files is bounded, however many there are. */
Test(jail, files_make_room_for_others)
{
	struct jail_file_answer answer;
	struct jail_page page;
	char text[65536];
	unsigned int mapped = 0;

	for (uint32_t id = 1; id <= 100; id++)
		cr_assert(zero(int, send_file(id, c_library(), &answer)));
	cr_assert(eq(int, jail_page(jail, 1, 0, &page), -ENOENT));
	cr_assert(zero(int, jail_page(jail, 100, 0, &page)));
	if (geteuid() == 0) {
		/* One is that of the jail itself, in some parts. */
		read_proc("maps", text, sizeof(text));
		for (char *at = text; (at = strstr(at, "libc.so")); at++)
			mapped++;
		cr_assert(le(u32, mapped, 32 + 8));
	}
	cr_assert(zero(int, jail_forget(jail, 100)));
	cr_assert(eq(int, jail_page(jail, 100, 0, &page), -ENOENT));
	cr_assert(zero(u64, jail_stats(jail).deaths));
}

static void make_file(char path[128], const char *name, const void *content, size_t size)
{
	FILE *file;

	snprintf(path, 128, "%s/%s", dir, name);
	file = fopen(path, "we");
	cr_assert(file != NULL);
	cr_assert(eq(sz, fwrite(content, 1, size, file), size));
	fclose(file);
}

static void copy_library(char path[128])
{
	char command[1024];

	snprintf(path, 128, "%s/lib.so", dir);
	snprintf(command, sizeof(command), "cp %s %s", c_library(), path);
	cr_assert(zero(int, system(command)));
}

Test(jail, refuses_what_is_no_program)
{
	struct jail_file_answer answer = { .status = 77 };
	char path[128];

	cr_assert(eq(int, send_file(1, "/dev/null", &answer), -ENOEXEC));
	cr_assert(eq(int, jail_refusal(jail), JAIL_NOT_REGULAR));
	snprintf(path, sizeof(path), "%s/fifo", dir);
	cr_assert(zero(int, mkfifo(path, 0600)));
	cr_assert(eq(int, send_file(1, path, &answer), -ENOEXEC));
	cr_assert(eq(int, jail_refusal(jail), JAIL_NOT_REGULAR));
	make_file(path, "empty", "", 0);
	cr_assert(eq(int, send_file(1, path, &answer), -ENOEXEC));
	make_file(path, "text", "#!/bin/sh\necho hello, this is not an ELF file at all, is it\n",
		  60);
	cr_assert(eq(int, send_file(1, path, &answer), -ENOEXEC));
	cr_assert(eq(int, jail_refusal(jail), JAIL_NOT_ELF));
	cr_assert(eq(u32, answer.status, 77), "untouched");
	cr_assert(eq(u64, jail_stats(jail).starts, 1));
	cr_assert(eq(u64, jail_stats(jail).refusals, 4));
}

/* Cut off while it is mapped: that file is refused, and no other suffers. */
Test(jail, file_cut_short)
{
	struct jail_file_answer answer;
	struct jail_page page;
	char path[128];

	copy_library(path);
	cr_assert(zero(int, send_file(1, path, &answer)));
	cr_assert(zero(int, send_file(2, c_library(), &answer)));
	cr_assert(zero(int, truncate(path, 4096)));
	cr_assert(eq(int, jail_page(jail, 1, 5, &page), -ENOEXEC));
	cr_assert(eq(int, jail_refusal(jail), JAIL_TRUNCATED));
	cr_assert(eq(int, jail_page(jail, 1, 5, &page), -ENOEXEC));
	cr_assert(zero(int, jail_page(jail, 2, 5, &page)));
	cr_assert(gt(u32, page.row_count, 0));
	/* Its beginning alone is no whole file either. */
	(void)send_file(1, path, &answer);
	(void)jail_page(jail, 1, 5, &page);
	cr_assert(zero(int, jail_page(jail, 2, 5, &page)));
	cr_assert(eq(u64, jail_stats(jail).starts, 1));
}

/*
 * A sparse file of 3 GB whose only function has 3 GB of unwinding instructions, and a stack in it:
 * it is given up soon, and nobody dies of it.
 */
struct hang_file {
	Elf64_Ehdr header;
	Elf64_Phdr program[2];
	struct {
		uint8_t version, frame_encoding, count_encoding, table_encoding;
		int32_t frame;
		uint32_t count;
		int32_t start, fde;
	} hdr;
	uint32_t pad[2];
	struct {
		uint32_t length, id;
		uint8_t version, augmentation[3], code, data, ra, size, encoding, program[3];
	} cie;
	struct {
		uint32_t length, cie;
		int32_t start;
		uint32_t size;
		uint8_t augmentation;
	} fde;
} __attribute__((packed));

#define HANG_BYTES (3ull << 30)

static void make_hang_file(char path[128], uint16_t program_headers)
{
	const size_t hdr = offsetof(struct hang_file, hdr), cie = offsetof(struct hang_file, cie),
		     fde = offsetof(struct hang_file, fde);
	struct hang_file f = {
		.header = { .e_ident = { 0x7f, 'E', 'L', 'F', ELFCLASS64, ELFDATA2LSB, EV_CURRENT },
			    .e_type = ET_DYN,
			    .e_machine = JAIL_MACHINE,
			    .e_version = EV_CURRENT,
			    .e_phoff = offsetof(struct hang_file, program),
			    .e_ehsize = sizeof(Elf64_Ehdr),
			    .e_phentsize = sizeof(Elf64_Phdr),
			    .e_phnum = program_headers },
		.program = { { .p_type = PT_LOAD,
			       .p_flags = PF_R | PF_X,
			       .p_filesz = HANG_BYTES,
			       .p_memsz = HANG_BYTES,
			       .p_align = 4096 },
			     { .p_type = PT_GNU_EH_FRAME,
			       .p_flags = PF_R,
			       .p_offset = hdr,
			       .p_vaddr = hdr,
			       .p_filesz = sizeof(f.hdr),
			       .p_memsz = sizeof(f.hdr) } },
		.hdr = { 1, 0x1b, 0x03, 0x3b, (int32_t)(cie - hdr - 4), 1, (int32_t)(0x10000 - hdr),
			 (int32_t)(fde - hdr) },
		.cie = { sizeof(f.cie) - 4, 0, 1, "zR", 1, 0x78, 16, 1, 0x1b, { 0x0c, 7, 8 } },
		.fde = { (uint32_t)(HANG_BYTES - fde - 4096), (uint32_t)(fde + 4 - cie),
			 (int32_t)(0x10000 - (fde + 8)), 0x1000, 0 },
	};

	make_file(path, "hang", &f, sizeof(f));
	cr_assert(zero(int, truncate(path, HANG_BYTES)));
}

Test(jail, file_without_end)
{
	const uint64_t stack[8] = { 0x7000010010 };
	const struct jail_mapping mapping = { .start = 0x7000000000,
					      .end = 0x7000020000,
					      .file = 1 };
	struct jail_walk walk = { .machine = JAIL_MACHINE,
				  .mapping_count = 1,
				  .mappings = &mapping,
				  .stack = stack,
				  .stack_bytes = sizeof(stack),
				  .stack_address = 0x7fff0000 };
	struct jail_file_answer answer;
	struct jail_stack chain;
	struct jail_page page;
	char path[128];
	double start;
	int err;

	walk.registers[SNAPSHOT_SP] = walk.stack_address;
	walk.registers[SNAPSHOT_IP] = 0x7000010100;
	make_hang_file(path, 2);
	cr_assert(zero(int, send_file(1, path, &answer)));
	start = now_s();
	err = in_time(jail_page(jail, 1, 1, &page));
	cr_assert(err == 0 || err == -ENOEXEC, "%d", err);
	cr_assert(zero(int, in_time(jail_walk(jail, &walk, &chain))));
	cr_assert(eq(int, chain.end, JAIL_END_BAD));
	cr_assert(eq(u32, chain.count, 1));
	cr_assert(lt(dbl, now_s() - start, 2 * JAIL_DEADLINE_MS / 1e3));
	cr_assert(eq(u64, jail_stats(jail).starts, 1));
}

/* No tables at all: nothing is known of its frames. */
Test(jail, file_without_tables)
{
	struct jail_file_answer answer;
	struct jail_page page;
	char path[128];

	make_hang_file(path, 1);
	cr_assert(zero(int, send_file(1, path, &answer)));
	cr_assert(eq(int, answer.kind, JAIL_KIND_BARE));
	cr_assert(zero(int, jail_page(jail, 1, 1, &page)));
	cr_assert(zero(u32, page.row_count));
}

/* Killed between two requests: the next one does not even notice, but for the files. */
Test(jail, killed_while_idle)
{
	struct jail_file_answer answer;
	struct jail_page page;
	siginfo_t dead;

	cr_assert(zero(int, send_file(1, c_library(), &answer)));
	for (uint64_t i = 1; i <= 3; i++) {
		let_it_start_again();
		cr_assert(zero(int, kill((pid_t)jail_pid(jail), SIGKILL)));
		/* dead, and still the jail's client's to reap */
		cr_assert(zero(int, waitid(P_PID, jail_pid(jail), &dead, WEXITED | WNOWAIT)));
		cr_assert(eq(int, in_time(jail_page(jail, 1, 0, &page)), -ENOENT));
		cr_assert(zero(int, send_file(1, c_library(), &answer)));
		cr_assert(zero(int, in_time(jail_page(jail, 1, 2, &page))));
		cr_assert(eq(u64, jail_stats(jail).deaths, i));
		cr_assert(eq(u64, jail_stats(jail).starts, i + 1));
	}
}

/* Stopped, as by a debugger or a lack of CPU time: late, and then a new one. */
Test(jail, killed_for_being_late)
{
	struct jail_file_answer answer;
	struct jail_page page;
	double start;
	uint32_t pid;

	cr_assert(zero(int, send_file(1, c_library(), &answer)));
	pid = jail_pid(jail);
	cr_assert(zero(int, kill((pid_t)pid, SIGSTOP)));
	start = now_s();
	cr_assert(eq(int, jail_page(jail, 1, 0, &page), -ETIMEDOUT));
	cr_assert(ge(dbl, now_s() - start, JAIL_DEADLINE_MS / 1e3));
	cr_assert(lt(dbl, now_s() - start, 2));
	cr_assert(eq(int, kill((pid_t)pid, 0), -1), "it is gone, and reaped");
	cr_assert(zero(u32, jail_pid(jail)));
	cr_assert(eq(u64, jail_stats(jail).timeouts, 1));
	cr_assert(eq(int, send_file(1, c_library(), &answer), -EAGAIN));
	cr_assert(eq(u64, jail_stats(jail).too_soon, 1));
	let_it_start_again();
	cr_assert(zero(int, send_file(1, c_library(), &answer)));
}

static void *go_on_after_a_while(void *pid)
{
	usleep(JAIL_DEADLINE_MS * 1400);
	kill(*(pid_t *)pid, SIGCONT);
	return NULL;
}

/* Who is late for want of CPU time is waited for longer the next time. */
Test(jail, patience_on_a_busy_machine)
{
	struct jail_file_answer answer;
	struct jail_page page;
	pthread_t thread;
	pid_t pid;

	cr_assert(zero(int, send_file(1, c_library(), &answer)));
	cr_assert(zero(int, kill((pid_t)jail_pid(jail), SIGSTOP)));
	cr_assert(eq(int, jail_page(jail, 1, 0, &page), -ETIMEDOUT));
	let_it_start_again();
	cr_assert(zero(int, send_file(1, c_library(), &answer)));
	pid = (pid_t)jail_pid(jail);
	cr_assert(zero(int, kill(pid, SIGSTOP)));
	cr_assert(zero(int, pthread_create(&thread, NULL, go_on_after_a_while, &pid)));
	cr_assert(zero(int, jail_page(jail, 1, 2, &page)));
	pthread_join(thread, NULL);
}

static void *kill_after_a_while(void *pid)
{
	usleep(50000);
	kill(*(pid_t *)pid, SIGKILL);
	return NULL;
}

Test(jail, killed_over_a_request)
{
	struct jail_file_answer answer;
	struct jail_page page;
	pthread_t killer;
	pid_t pid;

	cr_assert(zero(int, send_file(1, c_library(), &answer)));
	pid = (pid_t)jail_pid(jail);
	cr_assert(zero(int, kill(pid, SIGSTOP)));
	cr_assert(zero(int, pthread_create(&killer, NULL, kill_after_a_while, &pid)));
	cr_assert(eq(int, jail_page(jail, 1, 0, &page), -EPIPE));
	pthread_join(killer, NULL);
	cr_assert(eq(u64, jail_stats(jail).deaths, 1));
	let_it_start_again();
	cr_assert(zero(int, send_file(1, c_library(), &answer)));
}

/* The recorder has a child of its own: it is not the jail's client that reaps it. */
Test(jail, other_children_are_left_alone)
{
	struct jail_file_answer answer;
	int status = 0;
	pid_t other = fork();

	if (other == 0)
		_exit(7);
	cr_assert(zero(int, send_file(1, c_library(), &answer)));
	kill((pid_t)jail_pid(jail), SIGKILL);
	let_it_start_again();
	cr_assert(zero(int, send_file(1, c_library(), &answer)));
	jail_free(jail);
	jail = NULL;
	cr_assert(eq(int, waitpid(other, &status, 0), other));
	cr_assert(eq(int, WEXITSTATUS(status), 7));
	cr_assert(eq(int, waitpid(-1, &status, 0), -1), "and no jail is left behind");
}

static void *use_jail(void *result)
{
	struct jail_file_answer answer;

	*(int *)result = send_file(1, c_library(), &answer);
	jail_free(jail);
	jail = NULL;
	return NULL;
}

Test(jail, in_another_thread)
{
	pthread_t thread;
	int result = -1;

	cr_assert(zero(int, pthread_create(&thread, NULL, use_jail, &result)));
	pthread_join(thread, NULL);
	cr_assert(zero(int, result));
}

/* Nobody is left behind when the recorder is killed. */
Test(jail, dies_with_the_recorder)
{
	struct jail_file_answer answer;
	uint32_t pid = 0;
	int pipe_fds[2];
	pid_t recorder;

	cr_assert(zero(int, pipe(pipe_fds)));
	recorder = fork();
	if (recorder == 0) {
		if (send_file(1, c_library(), &answer) == 0)
			pid = jail_pid(jail);
		if (write(pipe_fds[1], &pid, sizeof(pid)) < 0)
			_exit(1);
		for (;;)
			pause();
	}
	cr_assert(eq(long, read(pipe_fds[0], &pid, sizeof(pid)), sizeof(pid)));
	cr_assert(gt(u32, pid, 0));
	kill((pid_t)pid, SIGSTOP); /* it cannot notice by itself */
	kill(recorder, SIGKILL);
	waitpid(recorder, NULL, 0);
	for (int i = 0; i < 200 && kill((pid_t)pid, 0) == 0; i++)
		usleep(10000);
	cr_assert(eq(int, kill((pid_t)pid, 0), -1));
}

/* Without rights, it works the same. */
Test(jail, started_by_nobody)
{
	int status;
	pid_t child = fork();

	if (child == 0) {
		struct jail_file_answer answer;

		if (geteuid() == 0 && (setgid(65534) || setuid(65534)))
			_exit(3);
		if (access(JAIL_PROGRAM, X_OK))
			_exit(0); /* nobody may not come here: nothing to be seen */
		_exit(send_file(1, c_library(), &answer) ? 1 : 0);
	}
	cr_assert(eq(int, waitpid(child, &status, 0), child));
	cr_assert(eq(int, WEXITSTATUS(status), 0));
}

Test(jail, by_hand)
{
	char command[1024], text[256] = "";
	FILE *out;

	snprintf(command, sizeof(command), "%s 2>&1 3<&-", JAIL_PROGRAM);
	out = popen(command, "r");
	cr_assert(fgets(text, sizeof(text), out) != NULL);
	cr_assert(strncmp(text, "profiler-jail: ", 15) == 0);
	cr_assert(fgets(text, sizeof(text), out) == NULL, "one line");
	cr_assert(eq(int, WEXITSTATUS(pclose(out)), 2));
}

Test(jail, not_there)
{
	struct jail *other = NULL;
	struct jail_page page;

	cr_assert(zero(int, jail_open(&other, "/nowhere/profiler-jail")));
	cr_assert(eq(int, jail_page(other, 1, 0, &page), -EPERM));
	cr_assert(zero(int, strcmp(jail_obstacle(other), "No such file or directory")));
	jail_free(other);
}

/* A jail that is called, and behaves, like this; what the first request says of it. */
static int ask_bad_jail(const char *name, struct jail_stats *ret)
{
	char path[128], command[1024];
	struct jail *bad = NULL;
	struct jail_page page;
	int err;

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	snprintf(command, sizeof(command), "cp %s %s", BAD_JAIL_PROGRAM, path);
	cr_assert(zero(int, system(command)));
	cr_assert(zero(int, jail_open(&bad, path)));
	err = jail_page(bad, 1, 0, &page);
	*ret = jail_stats(bad);
	if (strcmp(name, "refuses") == 0) {
		cr_assert(zero(int, strcmp(jail_obstacle(bad), "cannot filter system calls")));
		cr_assert(eq(int, jail_page(bad, 1, 0, &page), -EPERM));
	} else if (strcmp(name, "fine") != 0) {
		cr_assert(eq(int, jail_page(bad, 1, 0, &page), -EAGAIN), "%s: not again at once",
			  name);
	}
	jail_free(bad);
	return err;
}

Test(jail, goes_wrong)
{
	struct jail_stats stats;

	cr_assert(zero(int, ask_bad_jail("fine", &stats)));
	cr_assert(eq(int, ask_bad_jail("dies", &stats), -EPIPE));
	cr_assert(eq(u64, stats.deaths, 1));
	cr_assert(eq(int, ask_bad_jail("refuses", &stats), -EPERM));
	cr_assert(eq(int, ask_bad_jail("screams", &stats), -EPROTO));
	cr_assert(eq(int, ask_bad_jail("late", &stats), -EPROTO));
	cr_assert(eq(int, ask_bad_jail("lies", &stats), -EPROTO));
	cr_assert(eq(int, ask_bad_jail("vast", &stats), -EPROTO));
	cr_assert(eq(u64, stats.nonsense, 1));
	cr_assert(eq(int, ask_bad_jail("slow", &stats), -ETIMEDOUT));
	cr_assert(eq(int, ask_bad_jail("silent", &stats), -ETIMEDOUT));
	cr_assert(eq(u64, stats.timeouts, 1));
}
