// SPDX-License-Identifier: Apache-2.0
/*
 * test_writer.c - the writer thread against outputs that are slow, full or gone.
 *
 * Whatever happens, the output is whole packets numbered without a gap, and what was put in is
 * counted as written or as lost, to the sample.
 */
#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "bpf/event.h"
#include "profiler/handoff.h"
#include "profiler/writer.h"
#include "proto/packet.h"
#include "tests/unit/random.h"

#define CPUS	    4
#define OUTPUT_MAX  (8u << 20)
#define PACKETS_MAX 100000

static struct handoff *handoff;
static struct writer *writer;
static int notify_fd;
static uint64_t put_samples[CPUS][MAX_EVENTS];
static uint64_t put_total, put_packets;
static uint64_t samples_before[PACKETS_MAX]; /* in the packets put before this one */
static uint64_t random_state = 1;
static uint8_t output[OUTPUT_MAX];

static void setup(void)
{
	signal(SIGPIPE, SIG_IGN); /* as the recorder does */
	notify_fd = eventfd(0, EFD_NONBLOCK);
	cr_assert(zero(int, handoff_new(&handoff, 1u << 18)));
}

static void teardown(void)
{
	writer_free(writer);
	handoff_free(handoff);
}

TestSuite(writer, .init = setup, .fini = teardown, .timeout = 20);

static void start(int fd)
{
	cr_assert(zero(int, writer_start(&writer, handoff, fd, notify_fd, CPUS)));
}

static void sleep_ms(long ms)
{
	const struct timespec ts = { .tv_nsec = ms * 1000000 };

	nanosleep(&ts, NULL);
}

/* Puts a packet of up to 10 kB with samples of up to 3 CPUs and events; false without room. */
static bool put(void)
{
	uint32_t rows = random_below(&random_state, 4);
	uint32_t bytes = random_below(&random_state, 10000);
	struct handoff_packet *p =
		handoff_reserve(handoff, rows, PACKET_PREFIX + bytes + PACKET_SUFFIX);

	if (!p)
		return false;
	for (uint32_t i = 0; i < rows; i++) {
		struct handoff_row row = { (uint16_t)random_below(&random_state, CPUS),
					   (uint16_t)random_below(&random_state, MAX_EVENTS),
					   random_below(&random_state, 1000) };

		p->row[i] = row;
		p->samples += row.samples;
		put_samples[row.cpu][row.event] += row.samples;
	}
	cr_assert(lt(u64, put_packets, PACKETS_MAX));
	samples_before[put_packets++] = put_total;
	put_total += p->samples;
	memset(handoff_bytes(p) + PACKET_PREFIX, (int)bytes, bytes);
	handoff_commit(handoff, p);
	handoff_wake(handoff);
	return true;
}

static void put_many(int n)
{
	while (n > 0)
		if (put())
			n--;
		else
			sleep_ms(1);
}

static void finish(void)
{
	handoff_close(handoff);
	writer_finish(writer);
}

/* Every sample is in one of the two, where it belongs. Returns those written. */
static uint64_t check_counters(void)
{
	uint64_t written = 0, lost = 0;

	for (uint32_t cpu = 0; cpu < CPUS; cpu++) {
		for (uint32_t event = 0; event < MAX_EVENTS; event++) {
			cr_assert(eq(u64,
				     writer_written(writer, cpu, event) +
					     writer_lost(writer, cpu, event),
				     put_samples[cpu][event]));
			written += writer_written(writer, cpu, event);
			lost += writer_lost(writer, cpu, event);
		}
	}
	cr_assert(eq(u64, written + lost, put_total));
	return written;
}

struct whole {
	uint64_t packets;
	size_t bytes;
};

/* The whole packets at the beginning of the output: numbered from 0, samples counted up. */
static struct whole check_packets(size_t bytes)
{
	struct whole w = { 0 };
	ssize_t n;

	while (w.bytes < bytes && (n = packet_check(output + w.bytes, bytes - w.bytes)) != 0) {
		cr_assert(gt(long, n, 0), "torn at %zu of %zu", w.bytes, bytes);
		cr_assert(eq(u64, packet_sequence(output + w.bytes), w.packets));
		cr_assert(
			eq(u64, packet_first_sample(output + w.bytes), samples_before[w.packets]));
		w.bytes += (size_t)n;
		w.packets++;
	}
	return w;
}

static size_t read_file(const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	size_t used = 0;
	ssize_t n;

	while ((n = read(fd, output + used, OUTPUT_MAX - used)) > 0)
		used += (size_t)n;
	close(fd);
	return used;
}

static int temporary_file(char *path)
{
	int fd;

	strcpy(path, "/tmp/test_writer-XXXXXX");
	fd = mkstemp(path);
	cr_assert(ge(int, fd, 0));
	return fd;
}

/* All was written: the output is all packets and nothing else, and so say the counters. */
static void check_all_written(size_t bytes)
{
	struct whole w = check_packets(bytes);

	cr_assert(zero(int, writer_error(writer)));
	cr_assert(eq(u64, w.packets, put_packets));
	cr_assert(eq(sz, w.bytes, bytes));
	cr_assert(eq(u64, writer_bytes(writer), bytes));
	cr_assert(eq(u64, check_counters(), put_total));
}

Test(writer, a_file_has_every_packet)
{
	char path[64];
	int fd = temporary_file(path);

	start(fd);
	put_many(500);
	finish();
	check_all_written(read_file(path));
	unlink(path);
}

Test(writer, nothing_put_nothing_written)
{
	char path[64];
	int fd = temporary_file(path);

	start(fd);
	finish();
	check_all_written(read_file(path));
	unlink(path);
}

/* A pipe's writes are short when it is nearly full; a shared one may not block. */
static void through_a_pipe(int flags)
{
	size_t used = 0;
	int fds[2];
	ssize_t n;

	cr_assert(zero(int, pipe2(fds, O_CLOEXEC)));
	cr_assert(ge(int, fcntl(fds[1], F_SETPIPE_SZ, 4096), 0));
	cr_assert(zero(int, fcntl(fds[1], F_SETFL, flags)));
	cr_assert(zero(int, fcntl(fds[0], F_SETFL, O_NONBLOCK)));
	start(fds[1]);
	for (int i = 0; i < 100;) {
		i += put();
		n = read(fds[0], output + used, 1 + random_below(&random_state, 5000));
		used += n > 0 ? (size_t)n : 0;
	}
	handoff_close(handoff);
	while (used < OUTPUT_MAX && !(handoff_empty(handoff) && used == writer_bytes(writer))) {
		n = read(fds[0], output + used, 1 + random_below(&random_state, 5000));
		used += n > 0 ? (size_t)n : 0;
		if (n < 0) /* the writer may be between two writes, or have counted none yet */
			sleep_ms(1);
	}
	writer_finish(writer);
	check_all_written(used);
}

Test(writer, short_writes_through_a_small_pipe)
{
	through_a_pipe(0);
}

Test(writer, a_pipe_that_does_not_block_is_waited_for)
{
	through_a_pipe(O_NONBLOCK);
}

Test(writer, a_reader_that_goes_away_ends_the_output)
{
	size_t used = 0;
	struct whole w;
	uint64_t raised;
	int fds[2];

	cr_assert(zero(int, pipe2(fds, O_CLOEXEC)));
	start(fds[1]);
	put_many(20);
	while (used < 40000)
		used += (size_t)read(fds[0], output + used, 1000);
	close(fds[0]);
	while (!writer_error(writer)) {
		put();
		sleep_ms(1);
	}
	cr_assert(eq(int, writer_error(writer), -EPIPE));
	cr_assert(eq(long, read(notify_fd, &raised, sizeof(raised)), 8));
	put_many(50); /* is taken and counted as lost, not left in the queue */
	finish();
	cr_assert(handoff_empty(handoff));
	w = check_packets(used);
	cr_assert(gt(u64, w.packets, 0));
	cr_assert(lt(u64, check_counters(), put_total));
	cr_assert(eq(long, read(notify_fd, &raised, sizeof(raised)), -1), "raised once only");
}

Test(writer, a_full_device_at_the_end_is_given_up)
{
	int fd = open("/dev/full", O_WRONLY | O_CLOEXEC);

	start(fd);
	put_many(3);
	while (!writer_disk_full(writer))
		sleep_ms(1);
	cr_assert(zero(int, writer_error(writer))); /* there may be room again */
	finish();
	cr_assert(eq(int, writer_error(writer), -ENOSPC));
	cr_assert(zero(u64, check_counters()));
	cr_assert(zero(u64, writer_bytes(writer)));
}

/* A small file system of our own, with a ballast of 200 kB in it; false when not allowed. */
static bool small_disk(char *directory)
{
	char ballast[64];
	int fd;

	strcpy(directory, "/tmp/test_writer-XXXXXX");
	cr_assert(mkdtemp(directory) != NULL);
	if (unshare(CLONE_NEWNS) || mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) ||
	    mount("none", directory, "tmpfs", 0, "size=400k")) {
		rmdir(directory);
		return false;
	}
	snprintf(ballast, sizeof(ballast), "%s/ballast", directory);
	fd = open(ballast, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	cr_assert(eq(long, write(fd, output, 200000), 200000));
	close(fd);
	return true;
}

static void drop_small_disk(const char *directory)
{
	umount2(directory, MNT_DETACH);
	rmdir(directory);
}

Test(writer, a_full_disk_is_waited_for)
{
	char directory[64], path[96], ballast[96];
	int fd;

	if (!small_disk(directory))
		cr_skip_test("needs root");
	snprintf(path, sizeof(path), "%s/out", directory);
	snprintf(ballast, sizeof(ballast), "%s/ballast", directory);
	fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	start(fd);
	while (put_packets < 50) /* about 250 kB: more than there is */
		if (!put())
			sleep_ms(1);
	while (!writer_disk_full(writer))
		sleep_ms(1);
	unlink(ballast);
	while (!handoff_empty(handoff))
		sleep_ms(5);
	cr_assert(not(writer_disk_full(writer)));
	put_many(3);
	finish();
	check_all_written(read_file(path));
	drop_small_disk(directory);
}

Test(writer, a_disk_that_stays_full_keeps_whole_packets)
{
	char directory[64], path[96];
	struct whole w;
	size_t bytes;
	int fd;

	if (!small_disk(directory))
		cr_skip_test("needs root");
	snprintf(path, sizeof(path), "%s/out", directory);
	fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	start(fd);
	put_many(45); /* the queue takes what the disk does not */
	while (!writer_disk_full(writer))
		sleep_ms(1);
	finish();
	cr_assert(eq(int, writer_error(writer), -ENOSPC));
	bytes = read_file(path);
	w = check_packets(bytes);
	cr_assert(gt(u64, w.packets, 10));
	cr_assert(eq(sz, w.bytes, bytes), "the cut packet was not taken back");
	cr_assert(eq(u64, writer_bytes(writer), bytes));
	cr_assert(lt(u64, check_counters(), put_total));
	drop_small_disk(directory);
}
