/* SPDX-License-Identifier: Apache-2.0 */
/*
 * pmu_parse.c - what follows one -e to events: lists, groups, modifiers.
 *
 *   text     = element { "," element }
 *   element  = event | "{" event { "," event } "}" [ ":" letters ]
 *   event    = name [ ":" letters ] | pmu/terms/ [ [ ":" ] letters ]
 *   letters  = of u, k, and p up to three times or P
 *
 * Commas between the slashes of pmu/terms/ belong to the terms. Names are pmu_encode.c's; what
 * they are found to be is checked here against what a sampling program can use. Rates and opening
 * are pmu.c's.
 *
 * Invariant: the events of a group can be opened together as far as attributes decide it: one
 * clock, one set of modes, members that only count.
 */
#include "profiler/pmu.h"

#include <errno.h>
#include <stdarg.h>
#include <string.h>
#include <time.h>

#include "profiler/pmu_encode.h"

#define MAX_PRECISE 3
#define LETTERS	    "ukpP"
#define NAME_LENGTH "a name has 1 to %d characters; profiler --list-events shows events"

struct modifiers {
	bool user;
	bool kernel;
	bool precise_max;
	uint32_t precise;
};

/* An event as typed. */
struct item {
	struct pmu_named named;
	struct modifiers modifiers;
};

struct parser {
	const char *root; /* of sysfs */
	const char *text;
	const char *at;
	struct pmu_cores cores;
	struct event_spec *ret;
	uint32_t room;
	uint32_t n;
	char *err;
	size_t err_bytes;
};

__attribute__((format(printf, 3, 4))) static int fail(const struct parser *p, int error,
						      const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vsnprintf(p->err, p->err_bytes, format, args);
	va_end(args);
	return error;
}

/* Adds letters[0..len) to what is there; false if they are no modifiers of ours. */
static bool add_modifiers(const char *letters, size_t len, struct modifiers *ret)
{
	struct modifiers sum = *ret;

	for (size_t i = 0; i < len; i++) {
		sum.user |= letters[i] == 'u';
		sum.kernel |= letters[i] == 'k';
		sum.precise += letters[i] == 'p';
		sum.precise_max |= letters[i] == 'P';
		if (!strchr(LETTERS, letters[i]))
			return false;
	}
	if (!len || sum.precise > MAX_PRECISE || (sum.precise && sum.precise_max))
		return false;
	*ret = sum;
	return true;
}

static int fail_modifier(const struct parser *p, const char *letters, size_t len)
{
	return fail(p, -EOPNOTSUPP,
		    "modifier '%.*s' not supported; they are :u (user mode only), :k (kernel "
		    "only), and precise levels :p to :ppp and :P",
		    len < 20 ? (int)len : 20, letters);
}

/* Cuts modifiers off the name. */
static int take_modifiers(const struct parser *p, char *name, struct modifiers *ret)
{
	char *slash = strrchr(name, '/'), *colon = strrchr(name, ':');

	if (slash && slash != strchr(name, '/') && slash[1]) {
		const char *letters = slash + 1 + (slash[1] == ':');

		if (!add_modifiers(letters, strlen(letters), ret))
			return fail_modifier(p, letters, strlen(letters));
		slash[1] = '\0';
	} else if (colon && colon != name && add_modifiers(colon + 1, strlen(colon + 1), ret)) {
		*colon = '\0'; /* else it is a unit mask, or an error that is found later */
	} else if (colon && colon != name && colon[1] && !colon[1 + strspn(colon + 1, LETTERS)]) {
		return fail_modifier(p, colon + 1, strlen(colon + 1));
	}
	return 0;
}

/* What is no counter, or never overflows, cannot drive a sampling program. */
static int refuse_unusable(const struct parser *p, const struct item *item)
{
	const struct pmu_encoding *enc = &item->named.enc;
	bool software = enc->type == PERF_TYPE_SOFTWARE;

	if (enc->type == PERF_TYPE_TRACEPOINT || enc->type == PERF_TYPE_BREAKPOINT ||
	    !strcmp(item->named.pmu, "kprobe") || !strcmp(item->named.pmu, "uprobe"))
		return fail(p, -EOPNOTSUPP,
			    "tracepoints, probes and breakpoints cannot be sampled; "
			    "profiler --list-events shows what can");
	if (software &&
	    (enc->config == PERF_COUNT_SW_DUMMY || enc->config == PERF_COUNT_SW_BPF_OUTPUT))
		return fail(p, -EOPNOTSUPP,
			    "it never counts; profiler --list-events shows what can be sampled");
	if (software && item->modifiers.precise)
		return fail(p, -EOPNOTSUPP,
			    "a software event has no precise level; leave the p out");
	return 0;
}

/* Why there is no name at p->at. */
static int fail_no_name(const struct parser *p, bool in_group)
{
	static const char how[] = "groups are written {a,b} and separated by commas";

	if (*p->at == '{')
		return fail(p, -EINVAL, "a group in a group; %s", how);
	if (*p->at == '}')
		return fail(p, -EINVAL, "%s; %s",
			    !in_group	       ? "'}' without '{'"
			    : p->at[-1] == '{' ? "a group is empty"
					       : "a name is missing",
			    how);
	if (in_group && !*p->at)
		return fail(p, -EINVAL, "a group is not closed; %s", how);
	if (*p->text)
		return fail(p, -EINVAL, "a name is missing beside a comma; lists are written a,b");
	return fail(p, -EINVAL, NAME_LENGTH, PMU_NAME_BYTES - 1);
}

/* The next name, up to what separates it from others. */
static int next_name(struct parser *p, bool in_group, char name[PMU_NAME_BYTES])
{
	const char *start = p->at;
	bool in_terms = false;

	while (*p->at && (in_terms || !strchr(",{}", *p->at)))
		in_terms ^= *p->at++ == '/';
	size_t len = (size_t)(p->at - start);
	if (!len)
		return fail_no_name(p, in_group);
	if (len >= PMU_NAME_BYTES)
		return fail(p, -EINVAL, NAME_LENGTH, PMU_NAME_BYTES - 1);
	memcpy(name, start, len);
	name[len] = '\0';
	return 0;
}

static int next_item(struct parser *p, bool in_group, struct item *ret)
{
	char name[PMU_NAME_BYTES], why[PMU_ERROR_BYTES] = "";
	struct parser inner = *p;
	int error = next_name(p, in_group, name);

	if (error)
		return error;
	*ret = (struct item){ .modifiers = { .user = false } };
	inner.err = why;
	inner.err_bytes = sizeof(why);
	bool one_of_many = strlen(name) != strlen(p->text);
	error = take_modifiers(&inner, name, &ret->modifiers);
	if (!error)
		error = pmu_encode(p->root, &p->cores, name, &ret->named, why, sizeof(why));
	if (!error)
		error = refuse_unusable(&inner, ret);
	if (error)
		return one_of_many ? fail(p, error, "'%.60s': %s", name, why)
				   : fail(p, error, "%s", why);
	return 0;
}

static bool is_software(const struct item *item)
{
	return item->named.enc.type == PERF_TYPE_SOFTWARE;
}

static void fill_attr(const struct pmu_encoding *enc, bool boottime, struct event_spec *spec)
{
	bool software = enc->type == PERF_TYPE_SOFTWARE;

	spec->clock = software && (enc->config == PERF_COUNT_SW_CPU_CLOCK ||
				   enc->config == PERF_COUNT_SW_TASK_CLOCK);
	snprintf(spec->unit, sizeof(spec->unit), "%s", spec->clock ? "nanoseconds" : "count");
	spec->attr = (struct perf_event_attr){
		.size = sizeof(spec->attr),
		.type = enc->type,
		.config = enc->config,
		.config1 = enc->config1,
		.config2 = enc->config2,
		.disabled = 1,
		.read_format = PERF_FORMAT_TOTAL_TIME_ENABLED | PERF_FORMAT_TOTAL_TIME_RUNNING,
		/* So that THROTTLE records carry a time, and in the samples' clock if possible. */
		.sample_type = PERF_SAMPLE_TIME,
		.sample_id_all = 1,
		.use_clockid = boottime,
		.clockid = boottime ? CLOCK_BOOTTIME : 0,
	};
}

/* Modes, and of an event that takes samples its precise level. */
static void apply_modifiers(const struct modifiers *m, bool in_group, struct event_spec *spec)
{
	if (m->user != m->kernel) {
		spec->mode = m->user ? MODE_USER_ONLY : MODE_KERNEL_ONLY;
		snprintf(spec->modifier, sizeof(spec->modifier), "%s", m->user ? "u" : "k");
		/* A clock counts all time, whatever its attribute says. */
		spec->attr.exclude_kernel = in_group && m->user && !spec->clock;
		spec->attr.exclude_user = in_group && m->kernel && !spec->clock;
	}
	if (spec->leader || (!m->precise && !m->precise_max))
		return;
	if (spec->attr.type == PERF_TYPE_SOFTWARE)
		return;
	spec->precise_max = m->precise_max;
	spec->attr.precise_ip = m->precise_max ? MAX_PRECISE : m->precise & 3;
	/* Or the kernel refuses it a program that asks for call chains. */
	spec->attr.sample_type |= PERF_SAMPLE_CALLCHAIN;
}

/* As it could be typed again: what was expanded with its PMU, modifiers in one order. */
static int write_names(const struct parser *p, const struct pmu_named *named,
		       const struct modifiers *m, bool expanded, struct event_spec *spec)
{
	bool slashes = expanded || strchr(named->name, '/');
	bool any = spec->modifier[0] || m->precise || m->precise_max;
	int len = snprintf(spec->name, sizeof(spec->name), expanded ? "%s/%s/" : "%s%s",
			   expanded ? named->core->name : "", named->name);
	int typed = snprintf(spec->typed, sizeof(spec->typed), "%s%s%s%.*s%s", spec->name,
			     any && !slashes ? ":" : "", spec->modifier, (int)m->precise, "ppp",
			     m->precise_max ? "P" : "");

	if (len < 0 || (size_t)len >= sizeof(spec->name) || typed < len ||
	    (size_t)typed >= sizeof(spec->typed))
		return fail(p, -EINVAL, NAME_LENGTH, PMU_NAME_BYTES - 1);
	return 0;
}

/* What all events of a group have in common. */
struct group {
	const struct item *items;
	uint32_t n;
	uint32_t leader;	 /* index in the list of events */
	struct cpulist cpus;	 /* of the leader */
	struct modifiers common; /* those behind the brace */
	bool boottime;
};

/* CPUs of a PMU: where it counts, or for one of a whole package where it is read; none: all. */
static void read_pmu_cpus(const char *root, const char *pmu, struct cpulist *ret)
{
	static const char *const names[] = { "cpus", "cpumask" };
	char path[512];

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		int n = snprintf(path, sizeof(path), "%s/%s/%s", root, pmu, names[i]);

		if ((size_t)n < sizeof(path) && !cpulist_read(path, ret))
			return;
	}
	ret->count = 0;
}

/* Adds one event of a group to the list, on one kind of core if it is of every kind. */
static int add_event(struct parser *p, const struct group *group, const struct item *item,
		     const struct pmu_core *core)
{
	struct pmu_named named = item->named;
	struct modifiers m = item->modifiers;
	struct event_spec spec = { .mode = MODE_ANY };
	bool leads = p->n == group->leader, expanded = named.every_core;

	if (expanded && pmu_put_on_core(p->root, core, &named))
		return 0; /* this kind has no event of the name */
	if (p->n == p->room || p->n - group->leader == MAX_GROUP)
		return fail(p, -E2BIG, "more than %u events in one; give several -e",
			    p->n == p->room ? p->room : MAX_GROUP);
	m.user |= group->common.user;
	m.kernel |= group->common.kernel;
	if (leads && !m.precise && !m.precise_max) {
		m.precise = group->common.precise;
		m.precise_max = group->common.precise_max;
	}
	spec.leader = leads ? 0 : 1 + group->leader;
	fill_attr(&named.enc, group->boottime, &spec);
	apply_modifiers(&m, group->n > 1, &spec);
	if (!leads)
		spec.attr.disabled = 0;
	if (named.core)
		spec.cpus = named.core->cpus;
	else if (*named.pmu)
		read_pmu_cpus(p->root, named.pmu, &spec.cpus);
	if (!leads && !spec.cpus.count)
		spec.cpus = group->cpus;
	int error = write_names(p, &named, &m, expanded, &spec);
	if (!error)
		p->ret[p->n++] = spec;
	return error;
}

/* A group for one kind of core: what is of every kind, of this kind, or of none. */
static int add_group_on(struct parser *p, struct group *group, const struct pmu_core *core)
{
	int error = 0;

	group->leader = p->n;
	group->cpus = core->cpus;
	for (uint32_t i = 0; i < group->n && !error; i++) {
		const struct pmu_named *named = &group->items[i].named;

		if (named->every_core || !named->core || named->core == core)
			error = add_event(p, group, &group->items[i], core);
		if (!i && p->n == group->leader)
			break; /* this kind of core has no such leader */
	}
	return error;
}

/* A group whose leader is the same on all CPUs: members that are not come once per kind. */
static int add_group_everywhere(struct parser *p, struct group *group)
{
	int error = 0;

	group->leader = p->n;
	group->cpus.count = 0;
	for (uint32_t i = 0; i < group->n && !error; i++) {
		const struct item *item = &group->items[i];

		if (!item->named.every_core)
			error = add_event(p, group, item, NULL);
		for (uint32_t j = 0; item->named.every_core && j < p->cores.n && !error; j++)
			error = add_event(p, group, item, &p->cores.core[j]);
	}
	return error;
}

static int add_group(struct parser *p, struct group *group)
{
	const struct pmu_named *leader = &group->items[0].named;
	int error = 0;

	group->boottime = true; /* which hardware refuses, and all clocks of a group are one */
	for (uint32_t i = 0; i < group->n; i++)
		group->boottime &= is_software(&group->items[i]);
	if (leader->core)
		return add_group_on(p, group, leader->core);
	if (!leader->every_core)
		return add_group_everywhere(p, group);
	for (uint32_t i = 0; i < p->cores.n && !error; i++)
		error = add_group_on(p, group, &p->cores.core[i]);
	return error;
}

static bool same_item(const struct item *a, const struct item *b)
{
	const struct pmu_encoding *x = &a->named.enc, *y = &b->named.enc;

	return x->type == y->type && x->config == y->config && x->config1 == y->config1 &&
	       x->config2 == y->config2 && a->named.core == b->named.core &&
	       a->modifiers.user == b->modifiers.user && a->modifiers.kernel == b->modifiers.kernel;
}

/* Checks the newest item of a group against those before it. */
static int check_member(const struct parser *p, const struct item *items, uint32_t last)
{
	const struct item *item = &items[last];

	if (last && (item->modifiers.precise || item->modifiers.precise_max))
		return fail(p, -EINVAL,
			    "'%.60s' takes no samples, so it has no precise level; only the first "
			    "of a group does",
			    item->named.name);
	for (uint32_t i = 0; i < last; i++)
		if (same_item(&items[i], item))
			return fail(p, -EINVAL, "'%.60s' is in the group already; leave it out",
				    item->named.name);
	return 0;
}

/* ":uk" behind the brace of a group. */
static int take_common(struct parser *p, const struct item *leader, struct modifiers *ret)
{
	if (*p->at && *p->at != ',' && *p->at != ':')
		return fail(p, -EINVAL,
			    "'%.20s' behind a group; groups are written {a,b} or {a,b}:u and "
			    "separated by commas",
			    p->at);
	if (*p->at != ':')
		return 0;
	const char *letters = p->at + 1;
	size_t len = strcspn(letters, ",");
	if (!add_modifiers(letters, len, ret))
		return fail_modifier(p, letters, len);
	if (ret->precise && is_software(leader))
		return fail(p, -EOPNOTSUPP,
			    "'%.60s': a software event has no precise level; leave the p out",
			    leader->named.name);
	p->at = letters + len;
	return 0;
}

/* "{a,b}:u", at its brace. */
static int parse_group(struct parser *p)
{
	struct item items[MAX_GROUP];
	struct group group = { .items = items };
	int error = 0;

	for (p->at++; !error; p->at++) {
		if (group.n == MAX_GROUP)
			return fail(p, -E2BIG, "more than %d events in a group; take fewer",
				    MAX_GROUP);
		error = next_item(p, true, &items[group.n]);
		if (!error)
			error = check_member(p, items, group.n++);
		if (error || *p->at != ',')
			break;
	}
	if (!error && *p->at != '}')
		error = fail(p, -EINVAL,
			     *p->at ? "'{' behind a name; groups are written {a,b} and separated "
				      "by commas"
				    : "a group is not closed; groups are written {a,b} and "
				      "separated by commas");
	if (error)
		return error;
	p->at++;
	error = take_common(p, &items[0], &group.common);
	return error ? error : add_group(p, &group);
}

static int parse_single(struct parser *p)
{
	struct item item;
	struct group group = { .items = &item, .n = 1 };
	int error = next_item(p, false, &item);

	if (!error && *p->at && *p->at != ',')
		error = fail(p, -EINVAL,
			     "'%c' behind a name; groups are written {a,b} and separated by commas",
			     *p->at);
	return error ? error : add_group(p, &group);
}

int pmu_parse_in(const char *root, const char *text, struct event_spec *ret, uint32_t room,
		 char *err, size_t err_bytes)
{
	struct parser p = { .root = root,
			    .text = text,
			    .at = text,
			    .ret = ret,
			    .room = room,
			    .err = err,
			    .err_bytes = err_bytes };
	int error;

	pmu_sysfs_cores(root, &p.cores);
	for (;;) {
		error = *p.at == '{' ? parse_group(&p) : parse_single(&p);
		if (error || *p.at != ',')
			break;
		p.at++;
	}
	return error ? error : (int)p.n;
}

int pmu_parse(const char *text, struct event_spec *ret, uint32_t room, char *err, size_t err_bytes)
{
	return pmu_parse_in(PMU_SYSFS, text, ret, room, err, err_bytes);
}
