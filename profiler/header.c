// SPDX-License-Identifier: Apache-2.0
/* header.c - the stream's header, made of the plan, the options and the machine's facts. */
#include "profiler/header.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

#include "proto/packet.h"

#define COMMAND_LINE_MAX 4096

/* protobuf-c's messages hold plain char pointers, and only read them. */
static char *unconst(const char *s)
{
	char *p;

	memcpy(&p, &s, sizeof(p));
	return p;
}

/* Our own words from /proc/self/cmdline: argv may have been permuted by getopt. */
static int read_command(struct header *h)
{
	char text[COMMAND_LINE_MAX];
	int fd = open("/proc/self/cmdline", O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? -1 : read(fd, text, sizeof(text) - 1);

	if (fd >= 0)
		close(fd);
	if (n <= 0)
		return 0; /* a header without a command line is a header */
	text[n] = '\0';
	for (const char *p = text; p < text + n; p += strlen(p) + 1) {
		char **grown = realloc(h->command, (h->n_command + 1) * sizeof(*grown));

		if (!grown)
			return -ENOMEM;
		h->command = grown;
		h->command[h->n_command] = strdup(p);
		if (!h->command[h->n_command])
			return -ENOMEM;
		h->n_command++;
	}
	return 0;
}

static void describe_target(struct header *h, const struct options *o)
{
	if (o->n_pids)
		snprintf(h->target, sizeof(h->target), "%u process%s, from pid %u", o->n_pids,
			 o->n_pids > 1 ? "es" : "", o->pids[0]);
	else if (o->n_tids)
		snprintf(h->target, sizeof(h->target), "%u thread%s, from tid %u", o->n_tids,
			 o->n_tids > 1 ? "s" : "", o->tids[0]);
	else if (o->args && !o->all_cpus)
		snprintf(h->target, sizeof(h->target), "command %s", o->args[0]);
	else if (o->n_cgroups)
		snprintf(h->target, sizeof(h->target), "cgroup %s", o->cgroups[0]);
	else
		snprintf(h->target, sizeof(h->target), "all processes");
}

static void fill_event(Profiler__Event *to, struct event_spec *from)
{
	profiler__event__init(to);
	to->name = from->name;
	to->unit = from->unit;
	to->type = from->attr.type;
	to->config = from->attr.config;
	to->frequency_mode = from->frequency_mode;
	to->asked = from->asked;
	to->granted = from->granted;
	to->asked_in_hz = from->asked_in_hz;
	to->weight_shift = from->weight_shift;
	to->requested = from->requested;
	to->modifier = from->modifier;
	to->leader = from->leader;
	to->precise = from->attr.precise_ip;
}

int header_fill(struct header *ret, struct plan *plan, const struct options *options)
{
	Profiler__Header *m = &ret->message;
	int error = read_command(ret);

	if (error)
		return error;
	host_read(&ret->host);
	describe_target(ret, options);
	if (getrandom(ret->run_id, sizeof(ret->run_id), 0) != (ssize_t)sizeof(ret->run_id))
		return -errno;
	profiler__header__init(m);
	m->version = STREAM_VERSION;
	m->recorder = unconst("profiler " PROFILER_VERSION);
	m->hostname = ret->host.uts.nodename;
	m->kernel_release = ret->host.uts.release;
	m->machine = ret->host.uts.machine;
	m->cpu_model = ret->host.cpu_model;
	m->cpus_online = plan->online.count;
	m->cpus_possible = plan->cpu_limit;
	m->command = ret->command;
	m->n_command = ret->n_command;
	m->target = ret->target;
	m->run_id.data = ret->run_id;
	m->run_id.len = sizeof(ret->run_id);
	for (uint32_t i = 0; i < plan->n_events; i++) {
		fill_event(&ret->event[i], &plan->events[i]);
		ret->event_list[i] = &ret->event[i];
	}
	m->n_event = plan->n_events;
	m->event = ret->event_list;
	for (uint32_t i = 0; i < PLAN_NOTICES_MAX; i++)
		ret->notice_list[i] = plan->notices[i];
	m->notice = ret->notice_list;
	header_take_notices(ret, plan);
	return 0;
}

void header_take_notices(struct header *h, const struct plan *plan)
{
	h->message.n_notice = plan->n_notices;
}

void header_release(struct header *h)
{
	for (size_t i = 0; i < h->n_command; i++)
		free(h->command[i]);
	free(h->command);
	h->command = NULL;
	h->n_command = 0;
}
