// SPDX-License-Identifier: Apache-2.0
/*
 * record.c - one recording, from the first sample to the last packet.
 *
 * Two threads: this one drains the rings in rounds and never waits for anything but time;
 * the writer thread waits for the output. At the end the order matters: sampling stops, the rings
 * are emptied, the output catches up, and only then is the final ledger made, so that it is exact.
 * Nothing in it depends on the command: one that goes on is waited for when the stream is closed.
 */
#include "profiler/recorder.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/signalfd.h>
#include <time.h>
#include <unistd.h>

#define MS		UINT64_C(1000000)
#define ROUND_NS	(100 * MS)  /* how often the rings are drained, when nobody wakes us; */
#define QUIET_ROUND_NS	(250 * MS)  /* the same when no process came, went or mapped anything */
#define QUIET_AFTER_NS	(2000 * MS) /* for so long */
#define CUT_MARGIN_NS	(2 * MS)    /* what is older than this is in the buffers, on every CPU */
#define PACKET_AGE_NS	(250 * MS)  /* a packet closes at this age */
#define SECOND_NS	(1000 * MS) /* ledger, hotplug, progress */
#define ANSWERS_WAIT_MS 2000	    /* for the last snapshots, and again for names */
#define EPOCH_NS	(5000 * MS) /* any suffix of the stream decodes after at most this */

uint64_t recorder_now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_BOOTTIME, &ts);
	return (uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec;
}

const char *record_notice(const struct recorder *r, size_t i)
{
	return i < r->plan.n_notices ? r->plan.notices[i] : NULL;
}

static void stop(struct recorder *r, const char *why)
{
	if (!r->stopped_by)
		r->stopped_by = why;
}

static void read_signals(struct recorder *r)
{
	struct signalfd_siginfo info;

	while (read(r->signal_fd, &info, sizeof(info)) == (ssize_t)sizeof(info))
		if (info.ssi_signo != SIGCHLD)
			stop(r, "signal");
	if (command_ended(&r->command, &r->exit_status))
		stop(r, "command");
}

/* All that -p or -t named have gone. */
static bool targets_gone(const struct recorder *r)
{
	const struct options *o = r->options;
	int ended;

	if (!o->n_pids && !o->n_tids)
		return false;
	ended = poll(r->targets, o->n_pids, 0);
	if (ended < 0 || (unsigned int)ended < o->n_pids)
		return false;
	for (uint32_t i = 0; i < o->n_tids; i++)
		if (kill((pid_t)o->tids[i], 0) == 0 || errno != ESRCH)
			return false;
	return true;
}

static void follow_hotplug(struct recorder *r)
{
	struct cpulist online, came;

	if (cpulist_read("/sys/devices/system/cpu/online", &online) ||
	    cpulist_equal(&online, &r->plan.online))
		return;
	for (uint32_t cpu = 0; cpu < r->plan.cpu_limit; cpu++) {
		bool is = cpulist_has(&online, cpu), was = cpulist_has(&r->plan.online, cpu);

		if (was && !is)
			sideband_remove_cpu(r->sideband, (int)cpu);
		else if (is && !was && sideband_add_cpu(r->sideband, (int)cpu) == 0 &&
			 setup_watch(r, sideband_fd(r->sideband, (int)cpu), EPOLLIN))
			continue; /* then it is read on the timer alone */
	}
	session_hotplug(r->session, &online, &came);
	/* A ring that could not be watched is read on the timer alone. */
	if (came.count && setup_watch_rings(r))
		plan_notice(&r->plan, "cannot watch a new CPU's ring");
	r->plan.online = online;
}

/* The jail starts when it is first needed; that it cannot shows only then. */
static void say_obstacle(struct recorder *r, const struct record_listener *listener)
{
	const char *why = r->unwinder ? unwinder_obstacle(r->unwinder) : NULL;
	char text[RECORD_ERROR_BYTES];

	if (!why || r->obstacle_said)
		return;
	r->obstacle_said = true;
	snprintf(text, sizeof(text),
		 "functions of programs stay without names, and stacks without frame pointers "
		 "short: %s; --call-graph fp --no-names asks for no more",
		 why);
	plan_notice(&r->plan, "%s", text);
	listener->message(text);
}

/* The kernel lowers its limit on its own; events that are over it are throttled from then on. */
static void watch_rate_limit(struct recorder *r, const struct record_listener *listener)
{
	uint32_t now = pmu_max_sample_rate(), before = r->max_sample_rate;
	char text[RECORD_ERROR_BYTES];

	if (now == before)
		return;
	r->max_sample_rate = now;
	if (r->n_rate_limits < RATE_LIMITS_MAX) {
		Profiler__RateLimit *change = &r->rate_limits[r->n_rate_limits++];

		profiler__rate_limit__init(change);
		change->time_ns = recorder_now_ns();
		change->max_sample_rate = now;
	}
	for (uint32_t i = 0; i < r->plan.n_sampling; i++) {
		const struct event_spec *e = &r->plan.events[i];

		if (!e->asked_in_hz || e->granted <= now || e->granted > before)
			continue;
		snprintf(text, sizeof(text),
			 "kernel.perf_event_max_sample_rate was lowered to %u Hz meanwhile: what "
			 "it costs is counted as throttled; sysctl "
			 "kernel.perf_cpu_time_max_percent=0 keeps the kernel from lowering it",
			 now);
		plan_notice(&r->plan, "%s", text);
		listener->message(text);
		return;
	}
}

static void every_second(struct recorder *r, const struct record_listener *listener)
{
	struct record_totals totals;

	follow_hotplug(r);
	say_obstacle(r, listener);
	watch_rate_limit(r, listener);
	header_take_notices(&r->header, &r->plan);
	account_write(r, false);
	if (!listener->progress)
		return;
	totals = record_totals(r);
	listener->progress(&totals);
}

static const char *output_name(const struct recorder *r)
{
	return r->output.path ? r->output.path : "stdout";
}

/* A full disk is over when all that waited for room is written, not with the first bytes. */
static void watch_disk(struct recorder *r, const struct record_listener *listener)
{
	char text[RECORD_ERROR_BYTES];

	if (!r->disk_full && writer_disk_full(r->writer)) {
		r->disk_full = r->disk_was_full = true;
		snprintf(text, sizeof(text),
			 "the disk is full: waiting for space to write '%s'; samples that do not "
			 "fit in memory until then are dropped and counted",
			 output_name(r));
		listener->message(text);
	} else if (r->disk_full && handoff_empty(r->handoff) && !writer_error(r->writer)) {
		r->disk_full = false;
		listener->message("there is space again: the recording goes on");
	}
}

/*
 * How long to wait. A wake-up costs more than the samples that it finds, but for what is new it
 * has to be soon: /proc tells of a process only while it is there. Of a ring no more than two
 * sevenths may fill meanwhile, by which size_rings() of plan.c has made it.
 */
static uint64_t wait_ns(const struct recorder *r, uint64_t now)
{
	uint64_t quiet = r->plan.ring_ns / 7 * 2;

	if (r->hurry)
		return CUT_MARGIN_NS + MS;
	if (now - r->busy_ns < QUIET_AFTER_NS || quiet < ROUND_NS)
		return ROUND_NS;
	return quiet < QUIET_ROUND_NS ? quiet : QUIET_ROUND_NS;
}

static void watch_processes(struct recorder *r, uint64_t now)
{
	struct sideband_stats stats;

	sideband_stats(r->sideband, &stats);
	if (stats.records != r->sideband_records || (r->jitnamer && jitnamer_waits(r->jitnamer)))
		r->busy_ns = now;
	r->sideband_records = stats.records;
}

/* A packet that would be too old after another round closes with this one. */
static void close_packet(struct recorder *r, uint64_t now)
{
	uint64_t age = stream_age_ns(r->stream, now), wait = wait_ns(r, now);

	if (age && age + (wait < ROUND_NS ? ROUND_NS : wait) >= PACKET_AGE_NS + ROUND_NS)
		stream_flush(r->stream, NULL);
}

/* One turn of the loop: wait for time or data, then drain. */
static void run_round(struct recorder *r, uint64_t deadline_ns)
{
	struct epoll_event events[16];
	uint64_t now = recorder_now_ns();
	uint64_t until = now + wait_ns(r, now) < deadline_ns ? now + wait_ns(r, now) : deadline_ns;
	int timeout_ms = until > now ? (int)((until - now + MS - 1) / MS) : 0;
	int n = epoll_wait(r->epoll_fd, events, 16, timeout_ms);
	uint64_t back;

	/* A ring that woke us has something that is too young for this round, but not for long. */
	r->hurry = false;
	for (int i = 0; i < n; i++) {
		if (events[i].data.fd == r->unwinder_fd && r->unwinder) {
			/* Before looking: what comes later wakes us again. */
			(void)!read(r->unwinder_fd, &back, sizeof(back));
			continue;
		}
		r->hurry = true;
		if (events[i].data.fd == r->signal_fd)
			read_signals(r);
		else if (events[i].data.fd == r->output_failed_fd ||
			 events[i].data.fd == r->output.fd)
			stop(r, "output");
	}
	now = recorder_now_ns();
	drain_round(&r->drain, now - CUT_MARGIN_NS, now);
	watch_processes(r, now);
	session_poll(r->session);
	if (targets_gone(r))
		stop(r, "target");
}

static int start(struct recorder *r, char *err, size_t err_bytes)
{
	int error = writer_start(&r->writer, r->handoff, r->output.fd, r->output_failed_fd,
				 r->plan.cpu_limit);

	if (!error)
		error = cputime_read(r->cputime_start, r->plan.cpu_limit);
	r->max_sample_rate = pmu_max_sample_rate();
	r->start_ns = r->busy_ns = recorder_now_ns();
	r->header.message.start_ns = r->start_ns;
	if (!error)
		error = session_enable(r->session);
	if (error) {
		snprintf(err, err_bytes, "cannot start sampling: %s", strerror(-error));
		return error;
	}
	if (!r->command.pid)
		return 0;
	error = command_release(&r->command);
	if (error)
		snprintf(err, err_bytes, "cannot run '%s': %s", r->options->args[0],
			 strerror(-error));
	return error;
}

static void sleep_ms(long ms)
{
	const struct timespec ts = { .tv_nsec = ms * 1000000 };

	nanosleep(&ts, NULL);
}

/* Sampling is off: nothing is lost by waiting for the output now. */
static void wait_for_writer(struct recorder *r)
{
	while (!handoff_empty(r->handoff) && !writer_error(r->writer) &&
	       !writer_disk_full(r->writer))
		sleep_ms(1);
}

/* Sampling is off; every answer comes back, at the latest when the jail's time is over. */
static void wait_for_stacks(struct recorder *r)
{
	for (int ms = 0; r->completer && completer_holds(r->completer) && ms < ANSWERS_WAIT_MS;
	     ms++) {
		sleep_ms(1);
		drain_round(&r->drain, UINT64_MAX, recorder_now_ns());
	}
}

static bool waits_for_names(struct recorder *r)
{
	bool named = namer_finish(r->namer);

	return !jitnamer_finish(r->jitnamer) || !named;
}

static void wait_for_names(struct recorder *r)
{
	for (int ms = 0; r->namer && waits_for_names(r) && ms < ANSWERS_WAIT_MS; ms++) {
		drain_round(&r->drain, UINT64_MAX, recorder_now_ns());
		sleep_ms(1);
	}
}

static void let_signals_kill(void)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGHUP);
	sigprocmask(SIG_UNBLOCK, &set, NULL);
}

/*
 * Empties everything, makes the final ledger and closes the stream. A full disk is not waited for
 * any longer; and while samples wait for it no ledger would be exact, so then there is none.
 */
static int finish(struct recorder *r)
{
	bool whole;
	int error;

	session_disable(r->session);
	r->end_ns = recorder_now_ns();
	account_read_idle(r);
	/* A second Ctrl-C ends it at once: from here it waits for others. */
	let_signals_kill();
	command_terminate(&r->command);
	wait_for_writer(r);
	drain_round(&r->drain, UINT64_MAX, recorder_now_ns());
	wait_for_stacks(r);
	wait_for_names(r);
	stream_flush(r->stream, NULL);
	wait_for_writer(r);
	whole = handoff_empty(r->handoff) && account_write(r, true);
	handoff_close(r->handoff);
	writer_finish(r->writer);
	account_count(r);
	error = output_close(&r->output);
	if (writer_error(r->writer))
		return writer_error(r->writer);
	return whole ? error : -ENOSPC;
}

static int explain_output(const struct recorder *r, int error, char *err, size_t err_bytes)
{
	if (error == -EPIPE)
		snprintf(err, err_bytes,
			 "the reader of the output has gone; what it read until then is whole");
	else if (error == -ENOSPC || error == -EDQUOT)
		snprintf(err, err_bytes,
			 "the disk is full: '%s' ends early but is readable; make room or use -o",
			 output_name(r));
	else if (error)
		snprintf(err, err_bytes, "cannot write '%s': %s", output_name(r), strerror(-error));
	return error;
}

int record_run(struct recorder *r, const struct record_listener *listener, char *err,
	       size_t err_bytes)
{
	uint64_t deadline, next_second, next_epoch;
	int error = start(r, err, err_bytes);

	if (error) {
		stop(r, "error");
		if (r->writer)
			finish(r); /* what went wrong first is what counts */
		return error;
	}
	deadline = r->options->duration_ns ? r->start_ns + r->options->duration_ns : UINT64_MAX;
	next_second = r->start_ns + SECOND_NS;
	next_epoch = r->start_ns + EPOCH_NS;
	while (!r->stopped_by) {
		uint64_t now;

		run_round(r, deadline);
		watch_disk(r, listener);
		now = recorder_now_ns();
		if (now >= deadline)
			stop(r, "duration");
		if (now >= next_epoch) {
			stream_next_epoch(r->stream);
			next_epoch = now + EPOCH_NS;
		}
		if (now >= next_second) {
			every_second(r, listener);
			next_second += SECOND_NS * ((now - next_second) / SECOND_NS + 1);
		}
		close_packet(r, now);
	}
	return explain_output(r, finish(r), err, err_bytes);
}

bool record_wait(struct recorder *r, int timeout_ms)
{
	int status;

	session_close(r->session);
	unwinder_stop(r->unwinder);
	completer_close(r->completer);
	namer_close(r->namer);
	jitnamer_close(r->jitnamer);
	sampler_free(r->sampler);
	sideband_free(r->sideband);
	r->session = NULL;
	r->unwinder = NULL;
	r->completer = NULL;
	r->namer = NULL;
	r->jitnamer = NULL;
	r->sampler = NULL;
	r->sideband = NULL;
	if (timeout_ms < 0)
		command_wait(&r->command);
	for (int ms = 0; r->command.pid && !command_ended(&r->command, &status); ms++) {
		if (ms >= timeout_ms)
			return false;
		sleep_ms(1);
	}
	return true;
}

const char *record_output_path(const struct recorder *r)
{
	return r->output.path;
}

int record_exit_status(const struct recorder *r)
{
	/* -d or a signal to the recorder ended the others: that is no failure of theirs. */
	return r->stopped_by && !strcmp(r->stopped_by, "command") ? r->exit_status : 0;
}
