// SPDX-License-Identifier: Apache-2.0
/*
 * writer.c - the thread that numbers packets and writes them out.
 *
 * Invariant: what is in the output is whole packets, numbered without a gap, but for at most one
 * that is cut at the very end, by a crash or by an output that failed for good. In a file even
 * that one is taken back.
 *
 * A full disk is waited for: the packet in work is finished when there is room again, and
 * meanwhile the hand-off fills and the drain thread counts what it has to drop. Any other error
 * ends the output; what follows is counted as lost.
 */
#include "profiler/writer.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "bpf/event.h"
#include "profiler/handoff.h"
#include "proto/packet.h"

#define DISK_FULL_RETRY_MS 200

/* Written by the writer thread only; the drain thread reads it for the ledger. */
struct tally {
	_Atomic uint64_t written;
	_Atomic uint64_t lost;
};

struct writer {
	struct handoff *handoff;
	int fd;
	int notify_fd;
	pthread_t thread;
	uint64_t sequence;
	uint64_t samples;
	_Atomic int error;
	_Atomic bool disk_full;
	_Atomic uint64_t bytes;
	struct tally *tally; /* cpu * MAX_EVENTS + event */
};

static void sleep_ms(long ms)
{
	const struct timespec ts = { .tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000 };

	nanosleep(&ts, NULL);
}

/* Whether to go on after a write that failed with this errno. */
static bool wait_for_output(struct writer *w, int error)
{
	struct pollfd room = { .fd = w->fd, .events = POLLOUT };

	switch (error) {
	case EINTR:
		return true;
	case EAGAIN: /* somebody else's O_NONBLOCK on a shared pipe */
		poll(&room, 1, -1);
		return true;
	case ENOSPC:
	case EDQUOT:
		atomic_store(&w->disk_full, true);
		if (handoff_closed(w->handoff)) /* the run is over: nobody will wait with us */
			return false;
		sleep_ms(DISK_FULL_RETRY_MS);
		return true;
	default:
		return false;
	}
}

/* Takes back the part of a packet that was written, where the output is a file. */
static void take_back(const struct writer *w, size_t bytes)
{
	struct stat st;
	off_t end;

	if (!bytes || fstat(w->fd, &st) || !S_ISREG(st.st_mode))
		return;
	end = lseek(w->fd, 0, SEEK_CUR);
	/* Best effort: a reader copes with a cut packet too. */
	if (end >= (off_t)bytes && ftruncate(w->fd, end - (off_t)bytes) == 0)
		lseek(w->fd, end - (off_t)bytes, SEEK_SET);
}

static int write_whole(struct writer *w, const uint8_t *data, size_t bytes)
{
	size_t done = 0;

	while (done < bytes) {
		ssize_t n = write(w->fd, data + done, bytes - done);

		if (n >= 0) {
			done += (size_t)n;
			atomic_store_explicit(&w->disk_full, false, memory_order_relaxed);
		} else if (!wait_for_output(w, errno)) {
			int err = -errno;

			take_back(w, done);
			return err;
		}
	}
	return 0;
}

static void add(_Atomic uint64_t *counter, uint64_t n)
{
	/* One writer: a load and a store do. */
	atomic_store_explicit(counter, atomic_load_explicit(counter, memory_order_relaxed) + n,
			      memory_order_relaxed);
}

static void count_rows(struct writer *w, const struct handoff_packet *p, bool written)
{
	for (uint32_t i = 0; i < p->rows; i++) {
		struct tally *t = &w->tally[p->row[i].cpu * MAX_EVENTS + p->row[i].event];

		add(written ? &t->written : &t->lost, p->row[i].samples);
	}
}

static void fail(struct writer *w, int error)
{
	const uint64_t one = 1;

	atomic_store(&w->error, error);
	/* The counter of an eventfd that nobody reads holds far more than one. */
	if (write(w->notify_fd, &one, sizeof(one)) < 0)
		return;
}

static void write_packet(struct writer *w, struct handoff_packet *p)
{
	uint8_t *packet = handoff_bytes(p);
	size_t bytes = packet_seal(packet, p->bytes - PACKET_PREFIX - PACKET_SUFFIX, w->sequence,
				   w->samples);
	int err = atomic_load(&w->error);

	if (!err) {
		err = write_whole(w, packet, bytes);
		if (err)
			fail(w, err);
	}
	count_rows(w, p, err == 0);
	if (err)
		return;
	w->sequence++;
	w->samples += p->samples;
	add(&w->bytes, bytes);
}

static void *writer_main(void *arg)
{
	struct writer *w = arg;
	struct handoff_packet *p;

	while ((p = handoff_wait(w->handoff))) {
		write_packet(w, p);
		handoff_done(w->handoff, p);
	}
	return NULL;
}

int writer_start(struct writer **ret, struct handoff *handoff, int fd, int notify_fd, uint32_t cpus)
{
	struct writer *w = calloc(1, sizeof(*w));
	int err;

	if (!w)
		return -ENOMEM;
	w->handoff = handoff;
	w->fd = fd;
	w->notify_fd = notify_fd;
	w->tally = calloc((size_t)cpus * MAX_EVENTS, sizeof(*w->tally));
	if (!w->tally) {
		free(w);
		return -ENOMEM;
	}
	err = pthread_create(&w->thread, NULL, writer_main, w);
	if (err) {
		writer_free(w);
		return -err;
	}
	*ret = w;
	return 0;
}

void writer_finish(struct writer *w)
{
	pthread_join(w->thread, NULL);
}

void writer_free(struct writer *w)
{
	if (!w)
		return;
	free(w->tally);
	free(w);
}

int writer_error(const struct writer *w)
{
	return atomic_load(&w->error);
}

bool writer_disk_full(const struct writer *w)
{
	return atomic_load_explicit(&w->disk_full, memory_order_relaxed);
}

uint64_t writer_bytes(const struct writer *w)
{
	return atomic_load_explicit(&w->bytes, memory_order_relaxed);
}

uint64_t writer_written(const struct writer *w, uint32_t cpu, uint32_t event)
{
	return atomic_load_explicit(&w->tally[cpu * MAX_EVENTS + event].written,
				    memory_order_relaxed);
}

uint64_t writer_lost(const struct writer *w, uint32_t cpu, uint32_t event)
{
	return atomic_load_explicit(&w->tally[cpu * MAX_EVENTS + event].lost, memory_order_relaxed);
}
