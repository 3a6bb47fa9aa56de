/* SPDX-License-Identifier: Apache-2.0 */
/*
 * options.c - one table of options: getopt_long() is driven by it and --help is
 * printed from it, so that the two cannot disagree.
 *
 * Invariant: a struct options that is handed out has no contradictions and no
 * number out of its range. Whether processes, events and files exist is for
 * those who use them.
 */
#include "profiler/options.h"

#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define HELP_COLUMN 28 /* of the descriptions in the help */

#define MAX_ID	       (1u << 22) /* the kernel's PID_MAX_LIMIT */
#define MAX_HZ	       UINT32_MAX
#define MAX_PERIOD     (UINT64_C(1) << 62)
#define MAX_DURATION_S 1e9

/* Keys of options without a letter. */
enum {
	KEY_HW_EVENTS = 256,
	KEY_LIST_EVENTS,
	KEY_CALL_GRAPH,
	KEY_IDLE,
	KEY_STRICT,
	KEY_KERNEL_ADDRESSES,
	KEY_NO_NAMES,
	KEY_VERSION,
};

struct option_row {
	const char *heading; /* starts a group of the help */
	int key;	     /* the letter, or one of the KEY_ values */
	const char *name;
	const char *arg; /* what the help calls its argument, NULL if it has none */
	const char *help;
};

static const struct option_row rows[] = {
	{ "What to profile (the whole machine, unless -p, -t or a command is given)", 'a',
	  "all-cpus", NULL, "all CPUs; with a command: while it runs" },
	{ NULL, 'p', "pid", "PID[,PID]", "these processes, their threads and children" },
	{ NULL, 't', "tid", "TID[,TID]", "these threads only" },
	{ NULL, 'C', "cpu", "LIST", "only on these CPUs, as in 0-3,8" },
	{ NULL, 'G', "cgroup", "PATH", "only in this cgroup and below (repeatable)" },
	{ "What to sample", 'F', "hz", "N", "samples per second and CPU (default 99)" },
	{ NULL, 'c', "count", "N", "a sample every N counts; N ns for clock events" },
	{ NULL, 'e', "event", "NAME", "event or '{A,B}' (repeatable; default cpu-clock)" },
	{ NULL, KEY_HW_EVENTS, "hw-events", NULL,
	  "cycles; counted with them instructions and misses" },
	{ NULL, KEY_LIST_EVENTS, "list-events", NULL, "show the events that open here, and end" },
	{ NULL, KEY_CALL_GRAPH, "call-graph", "HOW", "auto (default), fp, none, dwarf[,BYTES]" },
	{ NULL, KEY_IDLE, "idle", NULL, "write samples of idle CPUs too" },
	{ NULL, KEY_STRICT, "strict", NULL, "refuse a substitute for what was asked for" },
	{ "Run and output", 'd', "duration", "SEC", "end after this time; fractions are fine" },
	{ NULL, 'o', "output", "FILE", "where to write, - for stdout" },
	{ NULL, KEY_NO_NAMES, "no-names", NULL, "no names of functions in programs" },
	{ NULL, KEY_KERNEL_ADDRESSES, "kernel-addresses", NULL, "record raw kernel addresses" },
	{ NULL, 'q', "quiet", NULL, "only errors on stderr" },
	{ NULL, 'v', "verbose", NULL, "say more on stderr" },
	{ NULL, 'h', "help", NULL, "show this text" },
	{ NULL, KEY_VERSION, "version", NULL, "show the version" },
};

#define N_ROWS (sizeof(rows) / sizeof(rows[0]))

/* Parsing in progress, so that functions need few arguments. */
struct parser {
	struct options *options;
	char *err;
	size_t err_bytes;
};

__attribute__((format(printf, 2, 3))) static int fail(const struct parser *p, const char *format,
						      ...)
{
	va_list args;

	va_start(args, format);
	vsnprintf(p->err, p->err_bytes, format, args);
	va_end(args);
	return -EINVAL;
}

static const struct option_row *find_row(int key)
{
	for (size_t i = 0; i < N_ROWS; i++) {
		if (rows[i].key == key)
			return &rows[i];
	}
	return NULL;
}

/* A whole number of min to max, decimal digits only; *end is behind it. */
static bool parse_number(const char *text, uint64_t min, uint64_t max, uint64_t *ret,
			 const char **end)
{
	char *after;

	if (*text < '0' || *text > '9')
		return false;
	errno = 0;
	uint64_t value = strtoull(text, &after, 10);
	if (errno || value < min || value > max)
		return false;
	*end = after;
	*ret = value;
	return true;
}

static int set_number(const struct parser *p, const char *name, const char *text, uint64_t max,
		      uint64_t *ret)
{
	const char *end;

	if (!parse_number(text, 1, max, ret, &end) || *end)
		return fail(p, "%s '%.40s': not a whole number from 1 to %" PRIu64, name, text,
			    max);
	return 0;
}

/* Appends "12,34" to a list of ids; one that is there already is not added again. */
static int add_ids(const struct parser *p, const char *name, const char *text, uint32_t *ids,
		   unsigned int *n_ids)
{
	const char *at = text;

	for (;;) {
		unsigned int i = 0;
		uint64_t id;

		if (!parse_number(at, 1, MAX_ID, &id, &at) || (*at && *at != ','))
			return fail(p, "%s '%.40s': not a list of ids such as 1234,1240", name,
				    text);
		while (i < *n_ids && ids[i] != id)
			i++;
		if (i == OPTIONS_MAX_TARGETS)
			return fail(p, "%s: more than %d ids; use a cgroup (-G), or -a", name,
				    OPTIONS_MAX_TARGETS);
		ids[i] = (uint32_t)id;
		if (i == *n_ids)
			(*n_ids)++;
		if (!*at++)
			return 0;
	}
}

static int set_duration(const struct parser *p, const char *text)
{
	char *end;
	double seconds = strtod(text, &end);

	/* The set of characters keeps out "inf", "nan", hexadecimal and signs. */
	if (end == text || *end || text[strspn(text, "0123456789.")] || seconds < 1e-3 ||
	    seconds > MAX_DURATION_S)
		return fail(p, "--duration '%.40s': not a number of seconds such as 10 or 0.5",
			    text);
	p->options->duration_ns = (uint64_t)(seconds * 1e9);
	return 0;
}

static int set_cpus(const struct parser *p, const char *text)
{
	if (cpulist_parse(text, &p->options->cpus))
		return fail(p, "--cpu '%.40s': not a list of CPUs such as 0-3,8", text);
	return 0;
}

static int add_cgroup(const struct parser *p, const char *path)
{
	if (!*path)
		return fail(p, "--cgroup: empty path");
	if (p->options->n_cgroups == OPTIONS_MAX_CGROUPS)
		return fail(p, "more than %d cgroups; give their common parent",
			    OPTIONS_MAX_CGROUPS);
	p->options->cgroups[p->options->n_cgroups++] = path;
	return 0;
}

static int add_event(const struct parser *p, const char *name)
{
	if (p->options->n_events == MAX_EVENTS)
		return fail(p, "more than %d events; profile the others in another run",
			    MAX_EVENTS);
	p->options->events[p->options->n_events++] = name;
	return 0;
}

static int set_output(const struct parser *p, const char *path)
{
	if (!*path)
		return fail(p, "--output: empty file name");
	if (p->options->output)
		return fail(p, "--output is given twice");
	p->options->output = path;
	return 0;
}

/* HOW, and for those that take snapshots HOW,BYTES. */
static int set_call_graph(const struct parser *p, const char *how)
{
	static const char *const names[] = {
		[CALL_GRAPH_AUTO] = "auto",
		[CALL_GRAPH_FP] = "fp",
		[CALL_GRAPH_DWARF] = "dwarf",
		[CALL_GRAPH_NONE] = "none",
	};
	size_t word = strcspn(how, ","), i = 0;
	uint64_t bytes = OPTIONS_DEFAULT_SNAPSHOT;

	while (i < sizeof(names) / sizeof(*names) &&
	       (strlen(names[i]) != word || strncmp(names[i], how, word) != 0))
		i++;
	if (i == sizeof(names) / sizeof(*names))
		return fail(p, "--call-graph '%.40s': not one of auto, fp, dwarf, none", how);
	p->options->call_graph = (enum call_graph)i;
	p->options->snapshot_bytes = 0;
	if (i != CALL_GRAPH_AUTO && i != CALL_GRAPH_DWARF)
		return how[word] ? fail(p, "--call-graph %s takes no size", names[i]) : 0;
	if (how[word] && set_number(p, "--call-graph", how + word + 1, MAX_SNAPSHOT_BYTES, &bytes))
		return -EINVAL;
	p->options->snapshot_bytes = (uint32_t)((bytes + OPTIONS_SNAPSHOT_PIECE - 1) /
						OPTIONS_SNAPSHOT_PIECE * OPTIONS_SNAPSHOT_PIECE);
	return 0;
}

static int apply_valued(const struct parser *p, int key, const char *arg)
{
	struct options *o = p->options;

	switch (key) {
	case 'p':
		return add_ids(p, "--pid", arg, o->pids, &o->n_pids);
	case 't':
		return add_ids(p, "--tid", arg, o->tids, &o->n_tids);
	case 'C':
		return set_cpus(p, arg);
	case 'G':
		return add_cgroup(p, arg);
	case 'F':
		return set_number(p, "--hz", arg, MAX_HZ, &o->hz);
	case 'c':
		return set_number(p, "--count", arg, MAX_PERIOD, &o->count);
	case 'e':
		return add_event(p, arg);
	case KEY_CALL_GRAPH:
		return set_call_graph(p, arg);
	case 'd':
		return set_duration(p, arg);
	default:
		return set_output(p, arg);
	}
}

static void apply_switch(struct options *o, int key)
{
	switch (key) {
	case 'a':
		o->all_cpus = true;
		break;
	case KEY_HW_EVENTS:
		o->hw_events = true;
		break;
	case KEY_LIST_EVENTS:
		o->action = ACTION_LIST_EVENTS;
		break;
	case KEY_IDLE:
		o->idle = true;
		break;
	case KEY_STRICT:
		o->strict = true;
		break;
	case KEY_NO_NAMES:
		o->no_names = true;
		break;
	case KEY_KERNEL_ADDRESSES:
		o->kernel_addresses = true;
		break;
	case 'q':
		o->quiet = true;
		break;
	case 'v':
		o->verbose = true;
		break;
	case 'h':
		o->action = ACTION_HELP;
		break;
	case KEY_VERSION:
		o->action = ACTION_VERSION;
		break;
	}
}

/* getopt_long()'s arguments from the table. '+': options end at the first other word. */
static void make_getopt(struct option longs[N_ROWS + 1], char shorts[2 * N_ROWS + 3])
{
	char *at = shorts;

	*at++ = '+';
	*at++ = ':';
	for (size_t i = 0; i < N_ROWS; i++) {
		longs[i] =
			(struct option){ .name = rows[i].name,
					 .has_arg = rows[i].arg ? required_argument : no_argument,
					 .val = rows[i].key };
		if (rows[i].key > 255)
			continue;
		*at++ = (char)rows[i].key;
		if (rows[i].arg)
			*at++ = ':';
	}
	longs[N_ROWS] = (struct option){ 0 };
	*at = '\0';
}

/* What getopt_long() did not like; it leaves only traces in optopt and argv. */
static int explain_getopt(const struct parser *p, int result, const char *word)
{
	const struct option_row *row = find_row(optopt);

	if (result == ':' && row)
		return fail(p, "option --%s needs an argument: %s", row->name, row->arg);
	if (row && !row->arg && optopt)
		return fail(p, "option --%s takes no argument", row->name);
	if (optopt && optopt < 256)
		return fail(p, "unknown option '-%c'; profiler --help lists them", optopt);
	return fail(p, "unknown or ambiguous option '%.60s'; profiler --help lists them", word);
}

static int parse_options(const struct parser *p, int argc, char **argv)
{
	struct option longs[N_ROWS + 1];
	char shorts[2 * N_ROWS + 3];
	int key;

	make_getopt(longs, shorts);
	optind = 0; /* glibc: start anew, whoever used getopt before */
	opterr = 0;
	while ((key = getopt_long(argc, argv, shorts, longs, NULL)) != -1) {
		const struct option_row *row = find_row(key);
		int err = 0;

		if (!row)
			return explain_getopt(p, key, argv[optind - 1]);
		if (row->arg)
			err = apply_valued(p, key, optarg);
		else
			apply_switch(p->options, key);
		if (err)
			return err;
		if (p->options->action == ACTION_HELP || p->options->action == ACTION_VERSION)
			break;
	}
	return 0;
}

static bool is_program(const char *path)
{
	struct stat st;

	return !stat(path, &st) && S_ISREG(st.st_mode) && !access(path, X_OK);
}

/* profiler-WORD in one directory, a string of len bytes; empty means the current one. */
static bool tool_in(const char *dir, size_t len, const char *word, char *path, size_t path_bytes)
{
	int n = snprintf(path, path_bytes, "%.*s/profiler-%s", len ? (int)len : 1, len ? dir : ".",
			 word);

	return n > 0 && (size_t)n < path_bytes && is_program(path);
}

/* Finds the program of a tool beside this one or in PATH, as git does. */
static bool find_tool(const char *word, char *path, size_t path_bytes)
{
	char self[4096];
	ssize_t len = readlink("/proc/self/exe", self, sizeof(self) - 1);

	if (!*word || word[strspn(word, "abcdefghijklmnopqrstuvwxyz0123456789-")])
		return false;
	if (len > 0) {
		self[len] = '\0';
		char *slash = strrchr(self, '/');
		if (slash && tool_in(self, (size_t)(slash - self), word, path, path_bytes))
			return true;
	}
	for (const char *dir = getenv("PATH"); dir;) {
		const char *colon = strchrnul(dir, ':');

		if (tool_in(dir, (size_t)(colon - dir), word, path, path_bytes))
			return true;
		dir = *colon ? colon + 1 : NULL;
	}
	return false;
}

/* What follows the options: a tool, a command or nothing. */
static int parse_words(const struct parser *p, int argc, char **argv)
{
	struct options *o = p->options;
	bool after_dashes = optind > 1 && !strcmp(argv[optind - 1], "--");

	if (optind >= argc)
		return after_dashes ? fail(p, "no command after '--'") : 0;
	o->args = argv + optind;
	o->n_args = (unsigned int)(argc - optind);
	if (after_dashes || !find_tool(o->args[0], o->tool, sizeof(o->tool)))
		return 0;
	if (optind > 1)
		return fail(p,
			    "'%.40s' is a tool, its options come after it; "
			    "for a command of that name put '--' before it",
			    o->args[0]);
	o->action = ACTION_TOOL;
	return 0;
}

static int check_contradictions(const struct parser *p)
{
	const struct options *o = p->options;
	const struct {
		bool found;
		const char *message;
	} contradictions[] = {
		{ o->hz && o->count, "--hz and --count exclude each other" },
		{ o->all_cpus && o->n_pids, "--all-cpus and --pid exclude each other" },
		{ o->all_cpus && o->n_tids, "--all-cpus and --tid exclude each other" },
		{ o->n_pids && o->n_tids, "--pid and --tid exclude each other" },
		{ o->args && o->n_pids, "a command and --pid exclude each other" },
		{ o->args && o->n_tids, "a command and --tid exclude each other" },
		{ o->quiet && o->verbose, "--quiet and --verbose exclude each other" },
	};

	for (size_t i = 0; i < sizeof(contradictions) / sizeof(contradictions[0]); i++) {
		if (contradictions[i].found)
			return fail(p, "%s", contradictions[i].message);
	}
	return 0;
}

static void fill_defaults(struct options *o)
{
	if (!o->count && !o->hz)
		o->hz = OPTIONS_DEFAULT_HZ;
	if (!o->n_pids && !o->n_tids && !o->args)
		o->all_cpus = true;
}

int options_parse(int argc, char **argv, struct options *ret, char *err, size_t err_bytes)
{
	struct options options = {
		.action = ACTION_RECORD,
		.snapshot_bytes = OPTIONS_DEFAULT_SNAPSHOT,
	};
	const struct parser p = { &options, err, err_bytes };

	int error = parse_options(&p, argc, argv);
	if (!error && options.action == ACTION_RECORD)
		error = parse_words(&p, argc, argv);
	if (!error && options.action == ACTION_RECORD)
		error = check_contradictions(&p);
	if (error)
		return error;
	fill_defaults(&options);
	*ret = options;
	return 0;
}

static void help_row(FILE *out, const struct option_row *row)
{
	char left[64];
	int len = 0;

	if (row->heading)
		fprintf(out, "\n%s:\n", row->heading);
	if (row->key < 256)
		len = snprintf(left, sizeof(left), "  -%c, --%s", row->key, row->name);
	else
		len = snprintf(left, sizeof(left), "      --%s", row->name);
	if (row->arg)
		snprintf(left + len, sizeof(left) - (size_t)len, " %s", row->arg);
	fprintf(out, "%-*s %s\n", HELP_COLUMN - 1, left, row->help);
}

void options_help(FILE *out)
{
	fputs("usage: profiler [options] [--] [command [args...]]\n"
	      "       profiler TOOL [args...]\n"
	      "\n"
	      "Samples call stacks, on the whole machine or of one program, and writes them\n"
	      "as a stream that the tools read: report, pprof, folded.\n",
	      out);
	for (size_t i = 0; i < N_ROWS; i++)
		help_row(out, &rows[i]);
	fputs("\n"
	      "Without -o the stream goes to stdout; on a terminal it goes to profile.prof.\n"
	      "An event may end in :u (user mode only) or :k (kernel only), and p, pp, ppp or\n"
	      "P, the highest of these, for samples at the right instruction. In a group the\n"
	      "first takes the samples, which carry the counts of all.\n"
	      "\n"
	      "Examples:\n"
	      "  profiler -d 10                            the whole machine for 10 seconds\n"
	      "  profiler report profile.prof              where its time went\n"
	      "  profiler --hz 1000 -o x.prof -- make      a command and all that it starts\n"
	      "  profiler -p 1234 -d 5 | profiler-pprof > cpu.pb.gz\n"
	      "                                            a process, for go tool pprof\n"
	      "  profiler -e page-faults -c 1 -- ls        every page fault of a command\n"
	      "  profiler -e '{cycles,instructions}:u'     instructions per cycle, by function\n"
	      "\n"
	      "Ends with 0, 1 after a failure, 2 after a usage error; with a command as it did.\n",
	      out);
}
