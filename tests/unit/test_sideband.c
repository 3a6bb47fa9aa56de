// SPDX-License-Identifier: Apache-2.0
/*
 * test_sideband.c - side-band records: a buffer laid out as the kernel lays it out, whole, wrapped,
 * cut and garbled; and the kernel's own records of a program that runs (as root).
 */
#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "jail/elf_file.h"
#include "profiler/perfrecord.h"
#include "profiler/sideband.h"
#include "tests/unit/random.h"

#define BUFFER_BYTES 4096

/* The kernel's side of a buffer. */
static struct {
	struct perf_event_mmap_page page;
	_Alignas(8) uint8_t data[BUFFER_BYTES];
	_Alignas(8) uint8_t wrapped[PERFRECORD_MAX];
	struct perfbuf buffer;
} made;

/* A record being put together. */
static struct {
	_Alignas(8) uint8_t bytes[8192];
	size_t size;
} draft;

static void add(const void *bytes, size_t size)
{
	memcpy(draft.bytes + draft.size, bytes, size);
	draft.size += size;
}

static void add_u32(uint32_t value)
{
	add(&value, sizeof(value));
}

static void add_u64(uint64_t value)
{
	add(&value, sizeof(value));
}

static void begin(uint32_t type, uint16_t misc)
{
	struct perf_event_header header = { .type = type, .misc = misc };

	draft.size = 0;
	add(&header, sizeof(header));
}

/* A name as the kernel ends it: zeros up to a multiple of 8. */
static void add_name(const char *name)
{
	static const char zeros[8];

	add(name, strlen(name) + 1);
	add(zeros, -draft.size & 7);
}

/* The trailer and the size. */
static const struct perf_event_header *finish(uint64_t time_ns)
{
	uint16_t size = (uint16_t)(draft.size + PERFRECORD_TRAILER);

	add_u32(70);
	add_u32(71);
	add_u64(time_ns);
	add_u32(3);
	add_u32(0);
	memcpy(draft.bytes + offsetof(struct perf_event_header, size), &size, sizeof(size));
	return (const void *)draft.bytes;
}

static const struct perf_event_header *make_mmap(const char *path, uint32_t prot, uint16_t misc,
						 const uint8_t *where, uint64_t time_ns)
{
	begin(PERF_RECORD_MMAP2, misc);
	add_u32(10);
	add_u32(11);
	add_u64(0x7000);
	add_u64(0x2000);
	add_u64(0x1000);
	add(where, 24);
	add_u32(prot);
	add_u32(2);
	add_name(path);
	return finish(time_ns);
}

static void open_made(uint64_t position)
{
	made.buffer = (struct perfbuf){
		.page = &made.page, .data = made.data, .size = BUFFER_BYTES, .tail = position
	};
	made.page.data_head = made.page.data_tail = position;
}

/* Writes the draft as the kernel does, around the end. */
static void put_draft(void)
{
	for (size_t i = 0; i < draft.size; i++)
		made.data[(made.page.data_head + i) % BUFFER_BYTES] = draft.bytes[i];
	made.page.data_head += draft.size;
}

static void put_comm(const char *comm, uint64_t time_ns)
{
	begin(PERF_RECORD_COMM, PERF_RECORD_MISC_COMM_EXEC);
	add_u32(10);
	add_u32(11);
	add_name(comm);
	(void)finish(time_ns);
	put_draft();
}

/* Takes the record at the tail. */
static int take(struct sideband_record *ret)
{
	const struct perf_event_header *header;
	int err = perfbuf_peek(&made.buffer, made.wrapped, &header);

	if (err)
		return err;
	made.buffer.tail += header->size;
	return perfrecord_decode(header, ret);
}

Test(sideband, tasks)
{
	struct sideband_record r;

	begin(PERF_RECORD_FORK, 0);
	for (uint32_t i = 0; i < 4; i++)
		add_u32(20 + i);
	add_u64(999);
	cr_assert(zero(int, perfrecord_decode(finish(5000), &r)));
	cr_expect(eq(int, r.kind, SIDEBAND_FORK));
	cr_expect(r.pid == 20 && r.fork.parent_pid == 21 && r.tid == 22 && r.fork.parent_tid == 23);
	cr_expect(eq(u64, r.time_ns, 5000), "of the trailer");
	cr_expect(eq(u32, r.cpu, 3));
	begin(PERF_RECORD_EXIT, 0);
	for (uint32_t i = 0; i < 4; i++)
		add_u32(20 + i);
	add_u64(999);
	cr_assert(zero(int, perfrecord_decode(finish(5000), &r)));
	cr_expect(eq(int, r.kind, SIDEBAND_EXIT));
	cr_expect(r.pid == 20 && r.tid == 22);
}

Test(sideband, names)
{
	struct sideband_record r;

	open_made(0);
	put_comm("sh", 1);
	put_comm("a-name-of-fifteen-and-more", 2);
	perfbuf_refresh(&made.buffer);
	cr_assert(zero(int, take(&r)));
	cr_expect(zero(int, strcmp(r.comm.name, "sh")));
	cr_expect(r.comm.exec);
	cr_assert(zero(int, take(&r)));
	cr_expect(zero(int, strcmp(r.comm.name, "a-name-of-fifte")));
	cr_expect(eq(int, take(&r), -ENODATA));
}

Test(sideband, mappings)
{
	uint8_t where[24] = { 8, 0, 0, 0, 1, 0, 0, 0, 99 }, id[24] = { 20, 0, 0, 0, 0xaa };
	struct sideband_record r;

	id[23] = 0xbb;
	cr_assert(zero(
		int,
		perfrecord_decode(make_mmap("/bin/x y", PROT_READ | PROT_EXEC, 0, where, 7), &r)));
	cr_expect(eq(int, r.kind, SIDEBAND_MMAP));
	cr_expect(r.pid == 10 && r.tid == 11);
	cr_expect(r.mmap.addr == 0x7000 && r.mmap.size == 0x2000 && r.mmap.file_offset == 0x1000);
	cr_expect(r.mmap.dev_major == 8 && r.mmap.dev_minor == 1 && r.mmap.inode == 99);
	cr_expect(zero(u8, r.mmap.build_id_size));
	cr_expect(zero(int, strcmp(r.mmap.path, "/bin/x y")));
	cr_assert(zero(int, perfrecord_decode(make_mmap("/bin/x", PROT_EXEC,
							PERF_RECORD_MISC_MMAP_BUILD_ID, id, 7),
					      &r)));
	cr_expect(eq(u8, r.mmap.build_id_size, 20));
	cr_expect(r.mmap.build_id[0] == 0xaa && r.mmap.build_id[19] == 0xbb);
	cr_expect(zero(u64, r.mmap.inode));
	id[0] = 21;
	cr_expect(eq(int,
		     perfrecord_decode(
			     make_mmap("/x", PROT_EXEC, PERF_RECORD_MISC_MMAP_BUILD_ID, id, 7), &r),
		     -EINVAL));
	cr_expect(eq(int, perfrecord_decode(make_mmap("/x", PROT_READ, 0, where, 7), &r), -ENOENT));
}

static void check_ksymbol(uint16_t type, uint16_t flags)
{
	struct sideband_record r;

	begin(PERF_RECORD_KSYMBOL, 0);
	add_u64(0xffffffffc0001000);
	add_u32(300);
	add(&type, sizeof(type));
	add(&flags, sizeof(flags));
	add_name("bpf_prog_1_x");
	cr_assert(zero(int, perfrecord_decode(finish(1), &r)));
	cr_expect(eq(int, r.kind, SIDEBAND_KSYMBOL));
	cr_expect(r.ksymbol.addr == 0xffffffffc0001000 && r.ksymbol.size == 300);
	cr_expect(eq(int, r.ksymbol.bpf, type == PERF_RECORD_KSYMBOL_TYPE_BPF));
	cr_expect(eq(int, r.ksymbol.unregister, flags & 1));
	cr_expect(zero(int, strcmp(r.ksymbol.name, "bpf_prog_1_x")));
}

Test(sideband, kernel_symbols_and_loss)
{
	struct sideband_record r;

	check_ksymbol(PERF_RECORD_KSYMBOL_TYPE_BPF, 0);
	check_ksymbol(PERF_RECORD_KSYMBOL_TYPE_BPF, PERF_RECORD_KSYMBOL_FLAGS_UNREGISTER);
	check_ksymbol(2, 0);
	begin(PERF_RECORD_LOST, 0);
	add_u64(1);
	add_u64(1234);
	cr_assert(zero(int, perfrecord_decode(finish(9), &r)));
	cr_expect(eq(int, r.kind, SIDEBAND_LOST));
	cr_expect(eq(u64, r.lost, 1234));
	begin(PERF_RECORD_THROTTLE, 0);
	cr_expect(eq(int, perfrecord_decode(finish(9), &r), -ENOENT));
}

/* A KSYMBOL as the kernel makes it for the last of @listeners events that all get the record. */
static const struct perf_event_header *make_shared_ksymbol(const char *name, unsigned int listeners,
							   uint64_t time_ns)
{
	uint8_t of_long_ago[PERFRECORD_TRAILER];
	uint16_t size;

	begin(PERF_RECORD_KSYMBOL, 0);
	add_u64(0xffffffffc0001000);
	add_u32(300);
	add_u32(PERF_RECORD_KSYMBOL_TYPE_BPF);
	add_name(name);
	(void)finish(time_ns);
	memset(of_long_ago, 'x', sizeof(of_long_ago));
	for (unsigned int i = 1; i < listeners; i++)
		add(of_long_ago, sizeof(of_long_ago));
	size = (uint16_t)draft.size;
	memcpy(draft.bytes + offsetof(struct perf_event_header, size), &size, sizeof(size));
	return (const void *)draft.bytes;
}

/* For each listener more the kernel says a size that is a trailer larger. */
Test(sideband, kernel_symbols_that_others_get_too)
{
	static const char name[] = "bpf_prog_0123456789abcdef_name";
	char shorter[sizeof(name)];
	struct sideband_record r;

	for (unsigned int listeners = 1; listeners <= 4; listeners++) {
		for (size_t length = 1; length < sizeof(name); length++) {
			const struct perf_event_header *header;

			snprintf(shorter, length + 1, "%s", name);
			header = make_shared_ksymbol(shorter, listeners, 4321);
			cr_expect(eq(u64, perfrecord_time(header), 4321), "%u listeners, '%s'",
				  listeners, shorter);
			cr_assert(zero(int, perfrecord_decode(header, &r)));
			cr_expect(zero(int, strcmp(r.ksymbol.name, shorter)));
			cr_expect(eq(u64, r.time_ns, 4321));
			cr_expect(eq(u32, r.pid, 70));
			cr_expect(eq(u32, r.cpu, 3));
		}
	}
}

/* What follows such a record is where its size says. */
Test(sideband, records_behind_a_kernel_symbol_that_others_get_too)
{
	struct sideband_record r;

	open_made(BUFFER_BYTES - 64); /* and around the end */
	(void)make_shared_ksymbol("bpf_prog_1_x", 3, 5);
	put_draft();
	put_comm("behind", 6);
	perfbuf_refresh(&made.buffer);
	cr_assert(zero(int, take(&r)));
	cr_expect(eq(u64, r.time_ns, 5));
	cr_assert(zero(int, take(&r)));
	cr_expect(eq(u64, r.time_ns, 6));
	cr_expect(zero(int, strcmp(r.comm.name, "behind")));
	cr_expect(eq(int, take(&r), -ENODATA));
}

/* Every size short of the whole is refused, and nothing behind it is read. */
static void check_cuts(void)
{
	size_t whole = draft.size;

	for (size_t size = sizeof(struct perf_event_header); size < whole; size++) {
		uint8_t *copy = malloc(size);
		struct sideband_record r;
		uint16_t claimed = (uint16_t)size;
		int err;

		cr_assert(copy != NULL);
		memcpy(copy, draft.bytes, size);
		memcpy(copy + offsetof(struct perf_event_header, size), &claimed, sizeof(claimed));
		err = perfrecord_decode((const void *)copy, &r);
		/* A name may end early and its record be whole. */
		cr_expect(err == -EINVAL || size >= whole - 8, "%zu of %zu", size, whole);
		free(copy);
	}
}

Test(sideband, cut_records)
{
	static const uint8_t where[24];

	(void)make_mmap("/seven7", PROT_EXEC, 0, where, 7);
	check_cuts();
	begin(PERF_RECORD_EXIT, 0);
	for (uint32_t i = 0; i < 6; i++)
		add_u32(i);
	(void)finish(1);
	check_cuts();
	begin(PERF_RECORD_COMM, 0);
	add_u64(0);
	add_name("seven77");
	(void)finish(1);
	check_cuts();
	begin(PERF_RECORD_KSYMBOL, 0);
	add_u64(0);
	add_u64(0);
	add_name("seven77");
	(void)finish(1);
	check_cuts();
	begin(PERF_RECORD_LOST, 0);
	add_u64(0);
	add_u64(0);
	(void)finish(1);
	check_cuts();
}

Test(sideband, name_without_an_end)
{
	struct sideband_record r;

	begin(PERF_RECORD_COMM, 0);
	add_u64(0);
	add("eight888", 8);
	cr_expect(eq(int, perfrecord_decode(finish(1), &r), -EINVAL));
}

Test(sideband, records_around_the_end)
{
	struct sideband_record r;
	char name[16];

	/* Positions count on and on: near the end of the buffer, and of 64 bits. */
	for (uint64_t start = 0; start < BUFFER_BYTES; start += 8) {
		open_made(start - 16 * BUFFER_BYTES);
		for (uint64_t i = 0; i < 40; i++) {
			snprintf(name, sizeof(name), "name%d", (int)i);
			put_comm(name, i);
			if (i % 3 == 2)
				continue;
			perfbuf_refresh(&made.buffer);
			while (take(&r) == 0)
				snprintf(name, sizeof(name), "name%d", (int)r.time_ns);
			cr_assert(zero(int, strcmp(r.comm.name, name)));
			perfbuf_release(&made.buffer);
			cr_assert(eq(u64, made.page.data_tail, made.page.data_head));
		}
	}
}

static void expect_bad(uint64_t there, uint16_t size)
{
	const struct perf_event_header header = { .type = PERF_RECORD_COMM, .size = size }, *at;

	open_made(0);
	memcpy(made.data, &header, sizeof(header));
	made.page.data_head = there;
	perfbuf_refresh(&made.buffer);
	cr_expect(eq(int, perfbuf_peek(&made.buffer, made.wrapped, &at), -EBADMSG),
		  "%u of %u bytes", (unsigned int)size, (unsigned int)there);
}

Test(sideband, impossible_sizes)
{
	expect_bad(64, 0);
	expect_bad(64, 7);
	expect_bad(64, 12);
	expect_bad(64, 72);
	expect_bad(4, 8);
	expect_bad(BUFFER_BYTES + 8, 64);
	expect_bad(UINT64_MAX, 64);
}

Test(sideband, garbage)
{
	uint64_t random = 3;

	for (int round = 0; round < 20000; round++) {
		struct sideband_record r;
		int records = 0;

		open_made(random_below(&random, BUFFER_BYTES / 8) * 8);
		for (int i = 0; i < 20; i++)
			put_comm("name", 1);
		for (int i = 0; i < 8; i++)
			made.data[random_below(&random, BUFFER_BYTES)] =
				(uint8_t)next_random(&random);
		perfbuf_refresh(&made.buffer);
		for (int err = 0; err != -ENODATA && err != -EBADMSG; records++)
			err = take(&r);
		cr_assert(records <= BUFFER_BYTES / 8);
	}
}

/* The kernel's own. */

static struct sideband *open_all_cpus(void)
{
	struct sideband *sb = NULL;
	int cpus[CPU_SETSIZE], count = 0, err;
	cpu_set_t set;

	cr_assert(zero(int, sched_getaffinity(0, sizeof(set), &set)));
	for (int cpu = 0; cpu < CPU_SETSIZE; cpu++) {
		if (CPU_ISSET(cpu, &set))
			cpus[count++] = cpu;
	}
	err = sideband_open(&sb, cpus, count, 64 * 1024);
	if (err == -EACCES || err == -EPERM)
		cr_skip_test("perf events of the whole machine need root");
	cr_assert(zero(int, err));
	return sb;
}

static pid_t run(const char *path)
{
	pid_t child = fork();

	if (child == 0) {
		execl(path, path, NULL);
		_exit(127);
	}
	waitpid(child, NULL, 0);
	return child;
}

/* What is seen of the child, in order. */
enum step { NOTHING, FORKED, EXECUTED, MAPPED, EXITED };

static void check_build_id(const struct sideband *sb, const struct sideband_mmap *m)
{
	struct sideband_stats stats;
	int fd = open(m->path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	struct elf_file elf = { 0 };
	int error = elf_file_open_fd(&elf, fd);

	close(fd);
	sideband_stats(sb, &stats);
	if (stats.build_ids && !error) {
		cr_expect(eq(int, m->build_id_size, elf.build_id_size));
		cr_expect(zero(int, memcmp(m->build_id, elf.build_id, elf.build_id_size)));
	}
	elf_file_close(&elf);
}

static enum step follow(const struct sideband *sb, const struct sideband_record *r, pid_t child,
			enum step step)
{
	if (r->kind == SIDEBAND_LOST || r->pid != (uint32_t)child)
		return step;
	if (step == NOTHING && r->kind == SIDEBAND_FORK) {
		cr_expect(eq(u32, r->fork.parent_pid, (uint32_t)getpid()));
		return FORKED;
	}
	if (step == FORKED && r->kind == SIDEBAND_COMM && r->comm.exec) {
		cr_expect(zero(int, strcmp(r->comm.name, "true")));
		return EXECUTED;
	}
	if (step == EXECUTED && r->kind == SIDEBAND_MMAP) {
		const char *name = strrchr(r->mmap.path, '/');

		cr_expect(name && (strcmp(name, "/true") == 0 || strcmp(name, "/coreutils") == 0 ||
				   strcmp(name, "/busybox") == 0));
		check_build_id(sb, &r->mmap);
		return MAPPED;
	}
	if (step == MAPPED && r->kind == SIDEBAND_EXIT)
		return EXITED;
	return step;
}

Test(sideband, program_that_runs)
{
	const char *path = access("/bin/true", X_OK) ? "/usr/bin/true" : "/bin/true";
	struct sideband *sb = open_all_cpus();
	const struct sideband_record *r;
	struct sideband_stats stats;
	enum step step = NOTHING;
	uint64_t last_ns = 0;
	pid_t child;

	/* Once before, so that its first page is in memory: the kernel reads no disk for an id. */
	run(path);
	cr_assert(zero(int, sideband_enable(sb)));
	child = run(path);
	sideband_poll(sb);
	cr_expect(sideband_next(sb, 0) == NULL, "none is so early");
	while ((r = sideband_next(sb, UINT64_MAX))) {
		cr_expect(r->time_ns >= last_ns || r->kind == SIDEBAND_LOST);
		last_ns = r->time_ns;
		step = follow(sb, r, child, step);
	}
	cr_expect(eq(int, step, EXITED));
	sideband_stats(sb, &stats);
	cr_expect(stats.records > 5);
	cr_expect(zero(u64, stats.invalid + stats.lost));
	sideband_free(sb);
}

Test(sideband, more_than_fits_is_lost_and_counted)
{
	struct sideband *sb = open_all_cpus();
	struct sideband_stats stats;
	unsigned int exits = 0;
	const struct sideband_record *r;

	sideband_free(sb);
	cr_assert(zero(int, sideband_open(&sb, &(int){ sched_getcpu() }, 1, 1)), "one page");
	cr_assert(zero(int, sideband_enable(sb)));
	for (int i = 0; i < 100; i++) {
		cpu_set_t set;
		pid_t child;

		CPU_ZERO(&set);
		CPU_SET(sched_getcpu(), &set);
		sched_setaffinity(0, sizeof(set), &set);
		child = fork();
		if (child == 0)
			_exit(0);
		waitpid(child, NULL, 0);
	}
	for (int i = 0; i < 2; i++) {
		sideband_poll(sb);
		while ((r = sideband_next(sb, UINT64_MAX)))
			exits += r->kind == SIDEBAND_EXIT;
		/* The next record there is room for tells of the loss. */
		run("/nonexistent");
	}
	sideband_stats(sb, &stats);
	cr_expect(exits > 5 && exits < 100, "%u", exits);
	cr_expect(stats.lost >= 100, "%zu", (size_t)stats.lost);
	sideband_free(sb);
}

Test(sideband, cpus_come_and_go)
{
	struct sideband *sb = open_all_cpus();
	const struct sideband_record *r;
	bool seen = false;
	int cpu = sched_getcpu();
	cpu_set_t set;
	pid_t child;

	CPU_ZERO(&set);
	CPU_SET(cpu, &set);
	cr_assert(zero(int, sched_setaffinity(0, sizeof(set), &set)));
	cr_assert(zero(int, sideband_enable(sb)));
	child = run("/nonexistent");
	sideband_remove_cpu(sb, cpu);
	cr_expect(eq(int, sideband_fd(sb, cpu), -ENOENT));
	sideband_remove_cpu(sb, cpu);
	run("/nonexistent");
	sideband_poll(sb);
	while ((r = sideband_next(sb, UINT64_MAX)))
		seen |= r->kind == SIDEBAND_EXIT && r->pid == (uint32_t)child;
	cr_expect(seen, "what was in the buffer is not lost");
	cr_assert(zero(int, sideband_add_cpu(sb, cpu)));
	cr_expect(sideband_fd(sb, cpu) >= 0);
	child = run("/nonexistent");
	sideband_poll(sb);
	seen = false;
	while ((r = sideband_next(sb, UINT64_MAX)))
		seen |= r->kind == SIDEBAND_EXIT && r->pid == (uint32_t)child;
	cr_expect(seen, "enabled at once");
	sideband_free(sb);
}
