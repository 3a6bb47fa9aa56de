/* SPDX-License-Identifier: Apache-2.0 */
/*
 * top.c - profiler-top: a stream on the terminal while it is being recorded.
 *
 * Reads the stream from stdin, or starts the recorder itself where stdin is a terminal. One loop
 * waits for the stream, keys, signals and what the recorder says; whatever ends it, the terminal is
 * given back before a word is printed.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <locale.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "tools/cli.h"
#include "tools/losses.h"
#include "tools/text.h"
#include "tools/top_child.h"
#include "tools/top_count.h"
#include "tools/top_view.h"

#define WINDOW_DEFAULT 5

/* The screen changes so often by itself. */
#define DRAW_NS UINT64_C(1000000000)

/* Reading does not keep keys waiting for longer. */
#define READ_NS UINT64_C(50000000)

/* Whoever was asked to end the stream has so long. */
#define END_NS UINT64_C(5000000000)

enum {
	OPTION_WINDOW = CLI_LONG_ONLY,
	OPTION_SORT = CLI_LONG_ONLY + 1,
};

struct top {
	struct cli_input input;
	struct top_child child;
	struct top_counts counts;
	struct top_choice choice;
	struct top_view *view;
	struct profile *profile;
	FILE *keys;
	int stream_fd;
	int stream_flags; /* before we changed them */
	int signal_fd;
	uint32_t window_s;
	uint64_t draw_ns; /* when to draw again */
	uint64_t end_ns;  /* when to go, whatever happens; 0: not asked to */
	int result;	  /* of reading: 0 while it goes on and at the end */
	int status;	  /* of the recorder */
	bool has_ended;
	bool is_leaving;
	bool is_file; /* read to its end at once, and looked at then */
};

static int take(void *ctx, char letter, const char *argument);
static int refuse_stream(void *ctx, const char *path);

static const struct cli_option top_options[] = {
	{ "window", "SECONDS", "how long the moving window is (default: 5, at most 60)",
	  OPTION_WINDOW },
	{ "sort", "BY", "self, total or name (default: self)", OPTION_SORT },
	{ 0 },
};

static const struct cli_program program = {
	.name = "profiler-top",
	.summary =
		"Shows the functions that a machine is in, while it is being profiled. Reads a\n"
		"stream from stdin; on a terminal it starts profiler itself, which gets all other\n"
		"options and the command. The filters below are for a stream from stdin.",
	.options = top_options,
	.take = take,
	.operands = "[recorder options] [-- command...]",
	.take_stream = refuse_stream,
	.has_no_names = true,
};

static int take(void *ctx, char letter, const char *argument)
{
	static const char *const by[] = {
		[TOP_BY_SELF] = "self", [TOP_BY_TOTAL] = "total", [TOP_BY_NAME] = "name"
	};
	struct top *t = ctx;

	if (letter == OPTION_WINDOW) {
		int status = cli_number(&program, "--window", argument, &t->window_s);

		if (!status && t->window_s > TOP_SECONDS_MAX) {
			cli_error(&program, "--window is at most %d seconds", TOP_SECONDS_MAX);
			return 2;
		}
		return status;
	}
	for (size_t i = 0; i < sizeof(by) / sizeof(by[0]); i++) {
		if (!strcmp(argument, by[i])) {
			t->choice.sort = (enum top_sort)i;
			return 0;
		}
	}
	cli_error(&program, "--sort wants self, total or name, not '%s'", argument);
	return 2;
}

static int refuse_stream(void *ctx, const char *path)
{
	(void)ctx;
	cli_error(&program,
		  "reads a stream from stdin, as in profiler-top <%s; a recording is "
		  "started only where stdin is a terminal",
		  path);
	return 2;
}

static uint64_t now_ns(void)
{
	struct timespec time;

	clock_gettime(CLOCK_MONOTONIC, &time);
	return (uint64_t)time.tv_sec * 1000000000 + (uint64_t)time.tv_nsec;
}

static bool is_own(const char *word, bool *ret_wants_value)
{
	static const char *const with_value[] = { "--window", "--sort" };

	*ret_wants_value = false;
	for (size_t i = 0; i < sizeof(with_value) / sizeof(with_value[0]); i++) {
		size_t bytes = strlen(with_value[i]);

		if (!strncmp(word, with_value[i], bytes) && (!word[bytes] || word[bytes] == '=')) {
			*ret_wants_value = !word[bytes];
			return true;
		}
	}
	return !strcmp(word, "--help") || !strcmp(word, "-h") || !strcmp(word, "--version");
}

/* Sorts a command line in two: ours, and (from its place 1 on) the recorder's. */
static void split(int argc, char **argv, char **ours, int *ret_ours, char **recorders)
{
	int their_count = 1;
	int our_count = 1;
	int i = 1;

	ours[0] = argv[0];
	for (; i < argc && strcmp(argv[i], "--") != 0; i++) {
		bool wants_value;

		if (!is_own(argv[i], &wants_value)) {
			recorders[their_count++] = argv[i];
			continue;
		}
		ours[our_count++] = argv[i];
		if (wants_value && i + 1 < argc)
			ours[our_count++] = argv[++i];
	}
	while (i < argc)
		recorders[their_count++] = argv[i++];
	*ret_ours = our_count;
}

/* Reads the command line, and starts the recorder if it is ours to start. */
static int start(struct top *t, int argc, char **argv)
{
	char **ours = calloc((size_t)argc + 1, sizeof(*ours));
	char **recorders = calloc((size_t)argc + 1, sizeof(*recorders));
	bool records = isatty(STDIN_FILENO);
	int count = argc;
	int status = 1;
	int err = 0;

	if (ours && recorders) {
		if (records)
			split(argc, argv, ours, &count, recorders);
		status = cli_parse(&program, count, records ? ours : argv, t, &t->input);
	}
	if (status == CLI_GO_ON && !isatty(STDOUT_FILENO)) {
		cli_error(&program,
			  "stdout is not a terminal; profiler-report shows a stream in pipes "
			  "and files");
		status = 2;
	}
	if (status == CLI_GO_ON && records) {
		err = top_child_start(&t->child, recorders);
		if (err) {
			cli_error(&program, "cannot start the recorder: %s", strerror(-err));
			status = 1;
		}
	}
	t->stream_fd = records ? t->child.stream_fd : STDIN_FILENO;
	free(ours);
	free(recorders);
	return status;
}

static int open_signals(void)
{
	static const int numbers[] = { SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGWINCH };
	sigset_t set;

	sigemptyset(&set);
	for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++)
		sigaddset(&set, numbers[i]);
	if (sigprocmask(SIG_BLOCK, &set, NULL))
		return -errno;
	return signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC);
}

/* Opens all that the loop needs, the screen last; 0 or the exit status. */
static int open_all(struct top *t)
{
	struct stat st;
	int err;

	t->is_file = !fstat(t->stream_fd, &st) && S_ISREG(st.st_mode);
	t->stream_flags = fcntl(t->stream_fd, F_GETFL);
	t->signal_fd = open_signals();
	err = t->signal_fd < 0 ? -errno : profile_open(&t->profile, PROFILE_BY_NOBODY, false);
	if (!err) {
		t->profile->filter = filter_is_set(&t->input.filter) ? &t->input.filter : NULL;
		err = top_counts_open(&t->counts, t->profile, t->window_s);
	}
	if (!err)
		err = profile_begin(t->profile, t->stream_fd);
	if (!err && fcntl(t->stream_fd, F_SETFL, t->stream_flags | O_NONBLOCK))
		err = -errno;
	if (err) {
		cli_error(&program, "cannot start: %s", strerror(-err));
		return 1;
	}
	t->keys = fopen("/dev/tty", "r+e");
	if (!t->keys) {
		cli_error(&program, "there is no terminal to read keys from: %s", strerror(errno));
		return 1;
	}
	err = top_view_open(&t->view, stdout, t->keys);
	if (err == -ENOTTY)
		cli_error(&program, "terminals of type '%s' are not known here; set TERM",
			  getenv("TERM") ? getenv("TERM") : "");
	else if (err)
		cli_error(&program, "cannot use the terminal: %s", strerror(-err));
	return err ? 1 : 0;
}

/* The user wants to go; whoever records is asked to end in order first, if that can be done. */
static void leave(struct top *t, int signal_number)
{
	bool can_wait = t->child.pid || signal_number == SIGINT;

	if (t->has_ended || t->end_ns || !can_wait)
		t->is_leaving = true;
	if (!t->end_ns)
		t->end_ns = now_ns() + END_NS;
	top_child_stop(&t->child, signal_number);
	t->draw_ns = 0;
}

static void take_signals(struct top *t)
{
	struct signalfd_siginfo info;

	while (read(t->signal_fd, &info, sizeof(info)) == (ssize_t)sizeof(info)) {
		if (info.ssi_signo == SIGWINCH) {
			top_view_resize(t->view);
			t->draw_ns = 0;
		} else {
			leave(t, (int)info.ssi_signo);
		}
	}
}

/* The recording is over: the end of it stays to be looked at, if it ended in order. */
static void end(struct top *t)
{
	const Profiler__Ledger *ledger = profile_ledger(t->profile);
	bool in_order = ledger && ledger->final;

	t->has_ended = true;
	t->draw_ns = 0;
	t->status = top_child_wait(&t->child);
	if (t->end_ns || t->result || (!in_order && !t->is_file))
		t->is_leaving = true;
}

static void read_stream(struct top *t)
{
	uint64_t until_ns = now_ns() + READ_NS;
	int got;

	do
		got = profile_next(t->profile);
	while (got > 0 && now_ns() < until_ns);
	if (got > 0 || got == -EAGAIN)
		return;
	t->result = got;
	end(t);
}

static void pick_event(struct top *t)
{
	const Profiler__Header *h = profile_header(t->profile);

	/* the first that has samples, until the user says which */
	for (uint32_t i = 0; !t->counts.all.count && i < h->n_event; i++) {
		if (!t->profile->event[i].count || h->event[i]->leader)
			continue;
		t->choice.event = i;
		return;
	}
}

static void draw(struct top *t)
{
	char status[128] = "";

	if (!t->choice.is_paused) {
		pick_event(t);
		if (top_counts_update(&t->counts, t->choice.event)) {
			t->result = -ENOMEM;
			t->is_leaving = true;
			return;
		}
	}
	if (t->has_ended)
		snprintf(status, sizeof(status), "the recording has ended; q quits, h helps");
	else if (t->end_ns)
		snprintf(status, sizeof(status), "ending the recording...");
	else if (!profile_header(t->profile)->n_event)
		snprintf(status, sizeof(status), "waiting for the recorder...");
	top_view_draw(t->view, &t->counts, &t->choice, status, !t->child.pid && !t->has_ended);
	t->draw_ns = now_ns() + DRAW_NS;
}

static int wait_ms(const struct top *t)
{
	uint64_t time_ns = now_ns();
	uint64_t until_ns = t->draw_ns;

	if (t->end_ns && t->end_ns < until_ns)
		until_ns = t->end_ns;
	return until_ns > time_ns ? (int)((until_ns - time_ns) / 1000000 + 1) : 0;
}

static void step(struct top *t)
{
	struct pollfd fds[] = {
		{ .fd = t->signal_fd, .events = POLLIN },
		{ .fd = fileno(t->keys), .events = POLLIN },
		{ .fd = t->has_ended ? -1 : t->stream_fd, .events = POLLIN },
		{ .fd = t->child.pid ? t->child.said_fd : -1, .events = POLLIN },
	};

	if (poll(fds, sizeof(fds) / sizeof(fds[0]), wait_ms(t)) < 0 && errno != EINTR)
		t->is_leaving = true;
	if (fds[0].revents)
		take_signals(t);
	if (fds[1].revents & (POLLHUP | POLLERR))
		leave(t, SIGTERM); /* the terminal is gone */
	else if (fds[1].revents && !top_view_key(t->view, &t->counts, &t->choice))
		leave(t, t->child.pid ? SIGINT : SIGTERM);
	else if (fds[1].revents)
		t->draw_ns = 0;
	if (fds[3].revents)
		top_child_listen(&t->child);
	if (fds[2].revents)
		read_stream(t);
	if (t->end_ns && now_ns() >= t->end_ns)
		t->is_leaving = true;
	if (!t->is_leaving && now_ns() >= t->draw_ns)
		draw(t);
}

/* What the recorder said, a clean line each. */
static void print_said(const struct top_child *c)
{
	char clean[TOP_CHILD_TEXT * TEXT_CLEAN_GROWTH];
	const char *line = c->said;

	while (*line) {
		size_t bytes = strcspn(line, "\n");

		fwrite(clean, 1, text_clean(clean, line, bytes), stderr);
		fputc('\n', stderr);
		line += bytes + (line[bytes] == '\n');
	}
}

/* The terminal is ours no more: the last words. */
static int close_up(struct top *t, bool was_child)
{
	const Profiler__Ledger *ledger = profile_ledger(t->profile);
	char text[LEDGER_TEXT_MAX];
	uint64_t samples = 0;

	if (t->child.pid)
		top_child_stop(&t->child, SIGKILL); /* it had its time */
	if (!t->has_ended)
		t->status = top_child_wait(&t->child);
	print_said(&t->child);
	for (uint32_t i = 0; i < profile_header(t->profile)->n_event; i++)
		if (profile_leader(t->profile, i) == i)
			samples += t->profile->event[i].count;
	if (!was_child && samples)
		fprintf(stderr, "%s: %" PRIu64 " samples in %.1f s; %s\n", program.name, samples,
			(double)profile_duration_ns(t->profile) / 1e9,
			ledger_text(t->profile, PROFILE_ALL_EVENTS, text));
	if (t->result)
		cli_explain(&program, "the stream", t->result);
	else if (t->has_ended && !t->status && !t->is_file && !(ledger && ledger->final))
		cli_error(&program, "the stream ended early: its recorder has died");
	else
		return t->status;
	return 1;
}

static void free_all(struct top *t)
{
	top_counts_release(&t->counts);
	profile_free(t->profile);
	filter_release(&t->input.filter);
	if (t->keys)
		fclose(t->keys);
	if (t->signal_fd > 0)
		close(t->signal_fd);
	free(t);
}

int main(int argc, char **argv)
{
	struct top *t = calloc(1, sizeof(*t));
	bool was_child;
	int status;

	if (!t)
		return 1;
	setlocale(LC_CTYPE, "");
	t->window_s = WINDOW_DEFAULT;
	t->child.said_fd = -1;
	status = start(t, argc, argv);
	was_child = t->child.pid != 0;
	if (status == CLI_GO_ON)
		status = open_all(t);
	else
		goto out;
	while (!status && !t->is_leaving)
		step(t);
	top_view_free(t->view);
	if (!was_child)
		fcntl(t->stream_fd, F_SETFL, t->stream_flags);
	if (!status)
		status = close_up(t, was_child);
	else
		top_child_stop(&t->child, SIGTERM);
out:
	free_all(t);
	return status;
}
