// SPDX-License-Identifier: Apache-2.0
/*
 * bench_consume.c - a real BPF ring buffer: what a sample costs on either side.
 *
 * ring_fill.bpf.c fills the ring in the kernel, by hand, some thousand samples at a time. Group
 * consume reads them, and only that is timed: our consumer, libbpf's with a callback that does the
 * same with each record, and an addition of all words of the bytes. Group ring-put times the other
 * side, the program with the system call that runs it, in the ways a BPF program can hand over an
 * event: reserve and submit, as the recorder's does; output, which copies; and the older perf
 * buffer.
 */
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <linux/perf_event.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "bench/micro/harness.h"
#include "bench/micro/ring_fill.h"
#include "bench/micro/ring_fill.skel.h"
#include "profiler/parse.h"
#include "profiler/ring.h"

/* Of the program; together about half of the ring, so that it never is full. */
#define RUNS_PER_FILL	12
#define EVENTS_PER_FILL (RUNS_PER_FILL * EVENTS_PER_RUN)

#define PERF_BYTES (512ul << 10)

struct filled {
	struct ring_fill_bpf *skeleton;
	int program; /* fd of the one that fills */
	struct ring ring;
	struct ring_buffer *libbpf;
	uint64_t events; /* seen by its callback */
	uint64_t sum;
	size_t page;
	int perf_fd;
	struct perf_event_mmap_page *perf; /* NULL: not this kind */
};

static inline uint64_t use(const struct sample_event *s)
{
	return s->time_ns + s->tid + s->weight;
}

/* What that comes to for samples 0 to @count - 1. */
static uint64_t expected(uint64_t count)
{
	return count * (count - 1) / 2 * (RING_FILL_STEP + 1) + count;
}

static int on_record(void *context, void *record, size_t bytes)
{
	struct filled *f = context;
	const struct sample_event *s = parse_sample(record, (uint32_t)bytes, RING_FILL_CPU);

	if (s) {
		f->events++;
		f->sum += use(s);
	}
	return 0;
}

static void release(void *state)
{
	struct filled *f = state;

	if (f->perf)
		munmap(f->perf, f->page + PERF_BYTES);
	if (f->perf_fd >= 0)
		close(f->perf_fd);
	ring_buffer__free(f->libbpf);
	ring_close(&f->ring);
	ring_fill_bpf__destroy(f->skeleton);
	free(f);
}

static int load(struct filled *f)
{
	libbpf_set_print(NULL);
	f->skeleton = ring_fill_bpf__open_and_load();
	if (!f->skeleton)
		return -errno;
	f->program = bpf_program__fd(f->skeleton->progs.fill_reserve);
	return ring_open(&f->ring, bpf_map__fd(f->skeleton->maps.ring), RING_FILL_BYTES);
}

static int set_up(void **ret_state)
{
	struct filled *f = calloc(1, sizeof(*f));
	int err;

	if (!f)
		return -ENOMEM;
	f->page = (size_t)sysconf(_SC_PAGESIZE);
	f->perf_fd = -1;
	err = load(f);
	if (err) {
		release(f);
		if (err == -EPERM) {
			static char why[] = "loading BPF programs needs root";

			*ret_state = why;
			return -EOPNOTSUPP;
		}
		return err;
	}
	*ret_state = f;
	return 0;
}

static int set_up_libbpf(void **ret_state)
{
	int err = set_up(ret_state);
	struct filled *f = *ret_state;

	if (err)
		return err;
	f->libbpf = ring_buffer__new(bpf_map__fd(f->skeleton->maps.ring), on_record, f, NULL);
	if (!f->libbpf) {
		release(f);
		return -errno;
	}
	return 0;
}

/* The program of this run; the ring or buffer has room. */
static void fill(struct filled *f)
{
	uint8_t packet[64] = { 0 };
	LIBBPF_OPTS(bpf_test_run_opts, run, .data_in = packet, .data_size_in = sizeof(packet),
		    .repeat = RUNS_PER_FILL);

	bench_check(bpf_prog_test_run_opts(f->program, &run) == 0, "the BPF program did not run");
}

static void empty(struct filled *f)
{
	f->ring.position = ring_produced(&f->ring);
	ring_release(&f->ring);
	if (f->perf)
		__atomic_store_n(&f->perf->data_tail, f->perf->data_head, __ATOMIC_RELEASE);
}

/* The recorder's loop (drain.c). */
static uint64_t consume_profiler(struct filled *f)
{
	struct ring at = f->ring;
	unsigned long limit = ring_produced(&f->ring);
	const void *record;
	uint64_t sum = 0;
	uint32_t bytes;

	while ((record = ring_peek(&at, limit, &bytes))) {
		const struct sample_event *s = parse_sample(record, bytes, RING_FILL_CPU);

		if (s) {
			sum += use(s);
			ring_advance(&at, sizeof(*s));
			continue;
		}
		ring_advance(&at, bytes);
	}
	f->ring.position = at.position;
	ring_release(&f->ring);
	return sum;
}

static uint64_t consume_libbpf(struct filled *f)
{
	f->sum = 0;
	bench_check(ring_buffer__consume(f->libbpf) == EVENTS_PER_FILL, "libbpf missed events");
	return f->sum;
}

static uint64_t consume_scan(struct filled *f)
{
	unsigned long limit = ring_produced(&f->ring);
	uint64_t sum = 0;

	for (; f->ring.position < limit; f->ring.position += sizeof(uint64_t))
		sum += *(const uint64_t *)(const void *)(f->ring.data +
							 (f->ring.position & f->ring.mask));
	ring_release(&f->ring);
	return sum;
}

static inline uint64_t consume(void *state, uint64_t ops, uint64_t (*reader)(struct filled *),
			       bool checked)
{
	struct filled *f = state;
	uint64_t done = 0, sum = 0;

	bench_pause();
	f->skeleton->bss->number = 0;
	f->skeleton->bss->refused = 0;
	for (; done < ops; done += EVENTS_PER_FILL) {
		fill(f);
		bench_resume();
		sum += reader(f);
		bench_pause();
	}
	bench_keep(sum);
	bench_check(!f->skeleton->bss->refused && (!checked || sum == expected(done)),
		    "events lost or changed");
	bench_resume();
	return done;
}

static uint64_t run_profiler(void *state, uint64_t ops)
{
	return consume(state, ops, consume_profiler, true);
}

static uint64_t run_libbpf(void *state, uint64_t ops)
{
	return consume(state, ops, consume_libbpf, true);
}

static uint64_t run_scan(void *state, uint64_t ops)
{
	return consume(state, ops, consume_scan, false);
}

static uint64_t run_put(void *state, uint64_t ops)
{
	struct filled *f = state;
	uint64_t done = 0;

	f->skeleton->bss->refused = 0;
	for (; done < ops; done += EVENTS_PER_FILL) {
		fill(f);
		bench_pause();
		empty(f);
		bench_resume();
	}
	bench_check(!f->skeleton->bss->refused, "no room");
	return done;
}

static int set_up_output(void **ret_state)
{
	int err = set_up(ret_state);
	struct filled *f = *ret_state;

	if (!err)
		f->program = bpf_program__fd(f->skeleton->progs.fill_output);
	return err;
}

static int set_up_nothing(void **ret_state)
{
	int err = set_up(ret_state);
	struct filled *f = *ret_state;

	if (!err)
		f->program = bpf_program__fd(f->skeleton->progs.fill_nothing);
	return err;
}

static int open_perf(struct filled *f)
{
	struct perf_event_attr attr = {
		.type = PERF_TYPE_SOFTWARE,
		.size = sizeof(attr),
		.config = PERF_COUNT_SW_BPF_OUTPUT,
		.sample_type = PERF_SAMPLE_RAW,
		.watermark = 1,
		.wakeup_watermark = PERF_BYTES, /* never: nobody waits */
	};
	uint32_t cpu = (uint32_t)sched_getcpu(); /* where the harness has put us to stay */

	f->perf_fd =
		(int)syscall(SYS_perf_event_open, &attr, -1, (int)cpu, -1, PERF_FLAG_FD_CLOEXEC);
	if (f->perf_fd < 0)
		return -errno;
	f->perf =
		mmap(NULL, f->page + PERF_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, f->perf_fd, 0);
	if (f->perf == MAP_FAILED) {
		f->perf = NULL;
		return -errno;
	}
	return bpf_map__update_elem(f->skeleton->maps.perf, &cpu, sizeof(cpu), &f->perf_fd,
				    sizeof(f->perf_fd), BPF_ANY);
}

static int set_up_perf(void **ret_state)
{
	int err = set_up(ret_state);
	struct filled *f = *ret_state;

	if (err)
		return err;
	f->program = bpf_program__fd(f->skeleton->progs.fill_perf);
	err = open_perf(f);
	if (err)
		release(f);
	return err;
}

#define CONSUMER(NAME, ABOUT, ROLE, SET_UP, RUN)                                               \
	{                                                                                      \
		.group = "consume", .name = NAME, .about = ABOUT, .role = ROLE, .op = "event", \
		.bytes_per_op = BPF_RINGBUF_HDR_SZ + sizeof(struct sample_event),              \
		.allocates_nothing = 1, .setup = SET_UP, .run = RUN, .teardown = release,      \
	}

#define PRODUCER(NAME, ABOUT, ROLE, SET_UP)                                                     \
	{                                                                                       \
		.group = "ring-put", .name = NAME, .about = ABOUT, .role = ROLE, .op = "event", \
		.bytes_per_op = sizeof(struct sample_event), .setup = SET_UP, .run = run_put,   \
		.teardown = release,                                                            \
	}

static const struct bench benches[] = {
	CONSUMER("profiler", "ring.c and parse.h, in place", BENCH_OURS, set_up, run_profiler),
	CONSUMER("libbpf", "ring_buffer__consume(), the same in its callback", BENCH_PEER,
		 set_up_libbpf, run_libbpf),
	CONSUMER("scan", "all 64-bit words of the same memory added up", BENCH_LIMIT, set_up,
		 run_scan),
	PRODUCER("profiler", "reserve, fill in place, submit", BENCH_OURS, set_up),
	PRODUCER("output", "bpf_ringbuf_output(): fill, then copied", BENCH_PEER, set_up_output),
	PRODUCER("perf-output", "bpf_perf_event_output(), the older buffer", BENCH_PEER,
		 set_up_perf),
	PRODUCER("fill-only", "the event filled and handed to nobody", BENCH_LIMIT, set_up_nothing),
};

const struct bench_list bench_consume = { benches, sizeof(benches) / sizeof(*benches) };
