/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cli.c - what the command lines of all tools have in common, see cli.h.
 */
#include "tools/cli.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <inttypes.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "proto/packet.h"
#include "tools/function_filter.h"
#include "tools/text.h"

#define OPTIONS_MAX 16

/* Options that every tool has, with values for getopt_long() that no letter has. */
enum common_option {
	OPTION_DEBUG_DIR = 0x100,
	OPTION_DEBUGINFOD,
	OPTION_NO_INLINES,
	OPTION_SHORT_NAMES,
	OPTION_FUNCTION,
	OPTION_FILTER, /* the first of FILTER_BYS */
	OPTION_FILTER_LAST = OPTION_FILTER + FILTER_BYS - 1,
	OPTION_HELP,
	OPTION_VERSION,
	OPTION_COMMON_END,
};

#define COMMON_OPTIONS (OPTION_COMMON_END - OPTION_DEBUG_DIR)
#define FIRST_NAMELESS (OPTION_FILTER - OPTION_DEBUG_DIR)

static const struct cli_option common_options[COMMON_OPTIONS] = {
	{ "debug-dir", "DIR", "look for binaries and debug files in DIR as well", CLI_LONG_ONLY },
	{ "debuginfod", NULL, "ask the servers in DEBUGINFOD_URLS for them, too", CLI_LONG_ONLY },
	{ "no-inlines", NULL, "leave out functions that are inlined into others", CLI_LONG_ONLY },
	{ "short-names", NULL, "leave out arguments of templates", CLI_LONG_ONLY },
	{ "function", "REGEX", "only stacks with such a function in them", CLI_LONG_ONLY },
	{ "comm", "NAMES", "only samples of processes and threads of these names", CLI_LONG_ONLY },
	{ "pid", "LIST", "only of these processes, as 12,20-29", CLI_LONG_ONLY },
	{ "tid", "LIST", "only of these threads", CLI_LONG_ONLY },
	{ "cpu", "LIST", "only of these CPUs", CLI_LONG_ONLY },
	{ "cgroup", "PATH", "only of this cgroup and those below it", CLI_LONG_ONLY },
	{ "time", "A..B", "only of this time since the start, as 2.5s..4s or 300ms..",
	  CLI_LONG_ONLY },
	{ "user", NULL, "only those taken in user mode", CLI_LONG_ONLY },
	{ "kernel", NULL, "only those taken in the kernel", CLI_LONG_ONLY },
	{ "help", NULL, "show this help", 'h' },
	{ "version", NULL, "show the version", CLI_LONG_ONLY },
};

/* Work that takes less is not talked about; what does is, so often. */
#define PROGRESS_FIRST_NS UINT64_C(1000000000)
#define PROGRESS_NEXT_NS  UINT64_C(200000000)

/* A line on a terminal that is written over again and again. */
struct progress_line {
	const char *name; /* of the program */
	const char *doing;
	uint64_t next_ns;
	bool is_shown;
};

void cli_error(const struct cli_program *program, const char *format, ...)
{
	va_list args;

	fprintf(stderr, "%s: ", program->name);
	va_start(args, format);
	vfprintf(stderr, format, args);
	va_end(args);
	fputc('\n', stderr);
}

static void print_option(const struct cli_option *o)
{
	char left[64];
	char letter[8] = "    ";

	if (o->letter > ' ')
		snprintf(letter, sizeof(letter), "-%c, ", o->letter);
	snprintf(left, sizeof(left), "%s--%s%s%s", letter, o->long_name, o->argument ? " " : "",
		 o->argument ? o->argument : "");
	printf("  %-22s %s\n", left, o->help);
}

static void print_help(const struct cli_program *program)
{
	printf("usage: %s [options] %s\n\n%s\n%s\n", program->name,
	       program->take_stream ? program->operands : "[FILE]", program->summary,
	       program->take_stream ? "" : "Reads a profiler stream from FILE, or from stdin.\n");
	for (const struct cli_option *o = program->options; o->long_name; o++)
		print_option(o);
	for (size_t i = program->has_no_names ? FIRST_NAMELESS : 0; i < COMMON_OPTIONS; i++)
		print_option(&common_options[i]);
}

static struct option long_option(const struct cli_option *o, int value)
{
	return (struct option){ o->long_name, o->argument ? required_argument : no_argument, NULL,
				value };
}

/* The tables that getopt_long() wants, from ours. */
static void make_getopt(const struct cli_program *program, struct option *ret_long, char *ret_short)
{
	*ret_short++ = ':'; /* tell a missing argument from an unknown option */
	*ret_short++ = 'h';
	for (int i = program->has_no_names ? FIRST_NAMELESS : 0; i < COMMON_OPTIONS; i++)
		*ret_long++ = long_option(&common_options[i], OPTION_DEBUG_DIR + i);
	for (const struct cli_option *o = program->options; o->long_name; o++) {
		assert(o - program->options < OPTIONS_MAX);
		*ret_long++ = long_option(o, o->letter);
		if (o->letter <= ' ')
			continue;
		*ret_short++ = o->letter;
		if (o->argument)
			*ret_short++ = ':';
	}
	*ret_long = (struct option){ 0 };
	*ret_short = 0;
}

/* After getopt_long() gave up: optopt is the option's letter, 0 for an unknown long one. */
static void explain_option(const struct cli_program *program, bool lacks_argument, const char *word)
{
	const char letter[] = { '-', (char)optopt, 0 };
	const char *option = optopt ? letter : word;

	if (lacks_argument && !strncmp(word, "--", 2))
		option = word;

	cli_error(program, lacks_argument ? "option '%s' wants an argument" : "unknown option '%s'",
		  option);
}

static int take_debug_dir(const struct cli_program *program, struct cli_input *input,
			  const char *dir)
{
	struct symbol_options *o = &input->names.symbols;
	struct stat st;
	int err = stat(dir, &st) ? errno : S_ISDIR(st.st_mode) ? 0 : ENOTDIR;

	if (err)
		cli_error(program, "cannot look into '%s': %s", dir, strerror(err));
	else if (strchr(dir, ':'))
		cli_error(program, "--debug-dir takes no path with a ':', as '%s'", dir);
	else if (o->debug_dirs == CLI_DEBUG_DIRS)
		cli_error(program, "at most %d times --debug-dir", CLI_DEBUG_DIRS);
	else {
		input->debug_dir[o->debug_dirs++] = dir;
		o->debug_dir = input->debug_dir;
		return 0;
	}
	return 2;
}

static int take_debuginfod(const struct cli_program *program, struct cli_input *input)
{
	const char *servers = getenv("DEBUGINFOD_URLS");

	if (!servers || !*servers) {
		cli_error(program, "--debuginfod wants the servers' URLs in DEBUGINFOD_URLS");
		return 2;
	}
	input->names.symbols.ask_debuginfod = true;
	return 0;
}

static int take_filter(const struct cli_program *program, struct cli_input *input, int by,
		       const char *argument)
{
	char err[FILTER_ERROR_BYTES];

	if (!filter_add(&input->filter, (enum filter_by)by, argument, err))
		return 0;
	cli_error(program, "--%s %s",
		  common_options[OPTION_FILTER - OPTION_DEBUG_DIR + by].long_name, err);
	return 2;
}

/* Takes an option on names or filters, which are the same in all tools. */
static int take_common(const struct cli_program *program, struct cli_input *input, int option,
		       const char *argument)
{
	if (option == OPTION_DEBUG_DIR)
		return take_debug_dir(program, input, argument);
	if (option == OPTION_DEBUGINFOD)
		return take_debuginfod(program, input);
	if (option >= OPTION_FILTER && option <= OPTION_FILTER_LAST)
		return take_filter(program, input, option - OPTION_FILTER, argument);
	if (option == OPTION_FUNCTION)
		input->function = argument;
	else if (option == OPTION_NO_INLINES)
		input->names.no_inlines = true;
	else
		input->names.symbols.short_names = true;
	return 0;
}

int cli_parse(const struct cli_program *program, int argc, char **argv, void *ctx,
	      struct cli_input *ret_input)
{
	struct option long_options[OPTIONS_MAX + COMMON_OPTIONS + 1];
	char short_options[2 * OPTIONS_MAX + 3];
	int option;
	int status;

	signal(SIGPIPE, SIG_IGN);
	opterr = 0; /* the messages are ours */
	make_getopt(program, long_options, short_options);
	while ((option = getopt_long(argc, argv, short_options, long_options, NULL)) != -1) {
		if (option == 'h' || option == OPTION_HELP) {
			print_help(program);
			return cli_close(program, stdout, "stdout");
		}
		if (option == OPTION_VERSION) {
			printf("%s %s\n", program->name, PROFILER_VERSION);
			return cli_close(program, stdout, "stdout");
		}
		if (option == '?' || option == ':') {
			explain_option(program, option == ':', argv[optind - 1]);
			status = 2;
		} else if (option >= OPTION_DEBUG_DIR) {
			status = take_common(program, ret_input, option, optarg);
		} else {
			status = program->take(ctx, (char)option, optarg);
		}
		if (status) {
			fprintf(stderr, "%s --help shows the options\n", program->name);
			return status;
		}
	}
	for (status = 0; program->take_stream && optind < argc; optind++) {
		status = program->take_stream(ctx, argv[optind]);
		if (status)
			return status;
	}
	if (argc - optind > 1) {
		cli_error(program, "one stream at a time, not '%s' as well; %s --help shows more",
			  argv[optind + 1], program->name);
		return 2;
	}
	if (optind < argc && strcmp(argv[optind], "-") != 0)
		ret_input->path = argv[optind];
	return CLI_GO_ON;
}

int cli_number(const struct cli_program *program, const char *option, const char *text,
	       uint32_t *ret)
{
	char *end;
	unsigned long value;

	errno = 0;
	value = strtoul(text, &end, 10);
	if (errno || *end || *text < '0' || *text > '9' || !value || value > INT32_MAX) {
		cli_error(program, "%s wants a number from 1 up, not '%s'", option, text);
		return 2;
	}
	*ret = (uint32_t)value;
	return 0;
}

static int open_input(const struct cli_program *program, const char *path)
{
	int fd = STDIN_FILENO;

	if (path) {
		fd = open(path, O_RDONLY | O_CLOEXEC);
		if (fd < 0)
			cli_error(program, "cannot open '%s': %s", path, strerror(errno));
	} else if (isatty(fd)) {
		cli_error(program, "stdin is a terminal; name a file, or pipe 'profiler' into it");
		return -EINVAL;
	}
	return fd;
}

void cli_explain(const struct cli_program *program, const char *name, int err)
{
	if (err == -EBADMSG)
		cli_error(program, "%s is not a profiler stream", name);
	else if (err == -EPROTONOSUPPORT)
		cli_error(program, "%s was written by a newer profiler; this one reads version %d",
			  name, STREAM_VERSION);
	else
		cli_error(program, "cannot read %s: %s", name, strerror(-err));
}

/* Nothing at all was whole: an empty file, or one cut in its first packet. */
static void explain_empty(const struct cli_program *program, const char *name,
			  const struct profile *p)
{
	if (profile_damage(p))
		cli_error(program, "%s has no whole packet of a profiler stream in it", name);
	else
		cli_error(program, "%s is empty, not a profiler stream", name);
}

void cli_report_damage(const struct cli_program *program, const char *name,
		       const struct reader_damage *d, const char *done)
{
	uint64_t skipped = d->bytes_skipped + d->truncated_bytes;
	char a[TEXT_NUMBER_MAX];
	char b[TEXT_NUMBER_MAX];
	char c[TEXT_NUMBER_MAX];

	if (d->packets_lost || d->samples_lost || d->bytes_skipped)
		cli_error(program,
			  "warning: %s is damaged: %s packets with %s samples lost (%s bytes of "
			  "no use); the rest is %s",
			  name, text_count(a, d->packets_lost), text_count(b, d->samples_lost),
			  text_count(c, skipped), done);
	else if (d->truncated_bytes)
		cli_error(program, "warning: %s ends within a packet: its %s bytes are lost", name,
			  text_count(a, d->truncated_bytes));
	if (d->packets_strayed)
		cli_error(program,
			  "warning: %s goes on with another stream: %s packets of it left out",
			  name, text_count(a, d->packets_strayed));
	if (d->samples_strange)
		cli_error(program, "warning: %s has %s samples of unknown events, left out", name,
			  text_count(a, d->samples_strange));
}

static void report_names(const struct cli_program *program, const struct name_stats *s)
{
	if (s->unverified)
		cli_error(
			program,
			"note: [unverified] %u of %u files were recorded without a build id; names "
			"are from those on this machine, not changed since",
			s->unverified, s->files);
	if (s->other_build || s->missing)
		cli_error(program,
			  "note: no names from %u of %u files: %u not on this machine, %u not as "
			  "they were recorded",
			  s->other_build + s->missing, s->files, s->missing, s->other_build);
}

static uint64_t now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000 + (uint64_t)t.tv_nsec;
}

static void step(void *ctx, uint64_t done, uint64_t whole)
{
	struct progress_line *line = ctx;
	uint64_t time_ns = now_ns();
	char number[TEXT_NUMBER_MAX];

	if (time_ns < line->next_ns)
		return;
	line->next_ns = time_ns + PROGRESS_NEXT_NS;
	line->is_shown = true;
	if (whole)
		fprintf(stderr, "\r%s: %s, %u %%\033[K", line->name, line->doing,
			(unsigned int)(100 * (done < whole ? done : whole) / whole));
	else
		fprintf(stderr, "\r%s: %s, %s bytes\033[K", line->name, line->doing,
			text_count(number, done));
}

static void clear_line(struct progress_line *line)
{
	if (line->is_shown)
		fputs("\r\033[K", stderr);
	line->is_shown = false;
}

/* Reads into an open profile, and says what went wrong or was lost. */
static int read_profile(const struct cli_program *program, const struct cli_input *input, int fd,
			struct profile *p, const struct progress *progress)
{
	const char *name = input->path ? input->path : "stdin";
	int err = profile_read(p, fd, progress);

	if (progress)
		clear_line(progress->ctx);
	if (err == -ENODATA)
		explain_empty(program, name, p);
	else if (err)
		cli_explain(program, name, err);
	else if (profile_damage(p))
		cli_report_damage(program, name, profile_damage(p), "shown");
	return err;
}

static int find_names(const struct cli_program *program, const struct cli_input *input,
		      struct profile *p, const struct progress *progress, struct names **ret)
{
	int err = names_open(ret, p, &input->names, progress);

	if (progress)
		clear_line(progress->ctx);
	if (err)
		cli_error(program, "cannot look names up: %s", strerror(-err));
	else
		report_names(program, &(*ret)->stats);
	return err;
}

static int keep_function(const struct cli_program *program, const struct cli_input *input,
			 struct profile *p, const struct names *names)
{
	char why[128];
	int err = function_filter(p, names, input->function, why, sizeof(why));

	if (err)
		cli_error(program, "--function '%s': %s", input->function,
			  err == -EINVAL ? why : strerror(-err));
	return err;
}

int cli_read(const struct cli_program *program, const struct cli_input *input, enum profile_by by,
	     bool by_cpu, struct profile **ret_profile, struct names **ret_names)
{
	struct progress_line line = { .name = program->name, .doing = "reading" };
	const struct progress progress = { step, &line };
	const struct progress *told = isatty(STDERR_FILENO) ? &progress : NULL;
	struct profile *p = NULL;
	int fd = open_input(program, input->path);
	int err;

	if (fd < 0)
		return fd == -EINVAL ? 2 : 1;
	line.next_ns = now_ns() + PROGRESS_FIRST_NS;
	err = profile_open(&p, by, by_cpu);
	if (err) {
		cli_error(program, "cannot read: %s", strerror(-err));
	} else {
		p->filter = filter_is_set(&input->filter) ? &input->filter : NULL;
		p->listener = input->listener;
		err = read_profile(program, input, fd, p, told);
	}
	if (input->path)
		close(fd);
	line.doing = "looking names up";
	if (!err)
		err = find_names(program, input, p, told, ret_names);
	if (!err && input->function) {
		err = keep_function(program, input, p, *ret_names);
		if (err)
			names_free(*ret_names);
	}
	if (err) {
		profile_free(p);
		return 1;
	}
	*ret_profile = p;
	return 0;
}

static bool is_event(const struct profile *p, uint32_t event, const char *wanted)
{
	const Profiler__Event *e = profile_header(p)->event[event];
	char name[EVENT_NAME_MAX];

	return !strcmp(e->name, wanted) || !strcmp(profile_event_name(p, event, name), wanted);
}

int cli_event(const struct cli_program *program, const struct profile *p, const char *name,
	      uint32_t *ret)
{
	uint32_t count = (uint32_t)profile_header(p)->n_event;
	char event[EVENT_NAME_MAX];

	for (uint32_t i = 0; i < count; i++) {
		if (name ? is_event(p, i, name) : p->event[i].count != 0) {
			*ret = i;
			return 0;
		}
	}
	*ret = 0;
	if (!name)
		return 0;
	fprintf(stderr, "%s: no event '%s' in this stream; it has", program->name, name);
	for (uint32_t i = 0; i < count; i++)
		fprintf(stderr, "%s %s", i ? "," : "", profile_event_name(p, i, event));
	fprintf(stderr, count ? "\n" : " none\n");
	return 1;
}

int cli_close(const struct cli_program *program, FILE *out, const char *name)
{
	bool failed = ferror(out);
	int err = errno;

	if (fclose(out)) {
		failed = true;
		err = errno;
	}
	if (!failed || err == EPIPE)
		return 0;
	cli_error(program, "cannot write %s: %s", name, strerror(err));
	return 1;
}
