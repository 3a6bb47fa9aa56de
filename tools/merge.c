/* SPDX-License-Identifier: Apache-2.0 */
/* merge.c - several streams as one, see merge.h. */
#include "tools/merge.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define RUN_ID_BYTES 16
#define NOTICE_BYTES 256

static const Profiler__Header *header_of(const struct merge_input *in)
{
	return reader_header(in->reader);
}

/* A copy that can be freed as if it had been unpacked. */
static ProtobufCMessage *copy_message(const ProtobufCMessage *message)
{
	size_t bytes = protobuf_c_message_get_packed_size(message);
	uint8_t *packed = malloc(bytes + 1);
	ProtobufCMessage *copy = NULL;

	if (packed) {
		protobuf_c_message_pack(message, packed);
		copy = protobuf_c_message_unpack(message->descriptor, NULL, bytes, packed);
	}
	free(packed);
	return copy;
}

/* Takes the place of a string field of a copy. */
static bool set_text(char **field, const char *text)
{
	char *copy = strdup(text);

	if (!copy)
		return false;
	if (*field != protobuf_c_empty_string)
		free(*field);
	*field = copy;
	return true;
}

/* "a", then "a, b": what is there already is not said twice. */
static bool add_text(char **field, const char *text)
{
	char *longer;
	bool ok;

	if (!*text || strstr(*field, text))
		return true;
	if (!**field)
		return set_text(field, text);
	if (asprintf(&longer, "%s, %s", *field, text) < 0)
		return false;
	ok = set_text(field, longer);
	free(longer);
	return ok;
}

static bool add_notice(Profiler__Header *h, const char *text)
{
	char **larger;

	for (size_t i = 0; i < h->n_notice; i++)
		if (!strcmp(h->notice[i], text))
			return true;
	larger = reallocarray(h->notice, h->n_notice + 1, sizeof(*larger));
	if (!larger)
		return false;
	h->notice = larger;
	larger[h->n_notice] = strdup(text);
	return larger[h->n_notice] && ++h->n_notice;
}

static bool same_event(const Profiler__Event *a, const Profiler__Event *b)
{
	return !strcmp(a->name, b->name) && !strcmp(a->unit, b->unit) &&
	       !strcmp(a->modifier, b->modifier) && !strcmp(a->requested, b->requested) &&
	       a->frequency_mode == b->frequency_mode && a->asked_in_hz == b->asked_in_hz &&
	       a->asked == b->asked && a->granted == b->granted && a->precise == b->precise &&
	       a->weight_shift == b->weight_shift;
}

/* The event behind @event that the event @leader leads; n_event: none. */
static size_t next_member(const Profiler__Header *h, size_t leader, size_t event)
{
	for (event++; event < h->n_event; event++)
		if (h->event[event]->leader == leader + 1)
			break;
	return event;
}

/* Are two events that take samples the same, and what they lead? */
static bool same_group(const Profiler__Header *a, size_t x, const Profiler__Header *b, size_t y)
{
	size_t i = x;
	size_t k = y;

	do {
		if (!same_event(a->event[i], b->event[k]))
			return false;
		i = next_member(a, x, i);
		k = next_member(b, y, k);
	} while (i < a->n_event && k < b->n_event);
	return i == a->n_event && k == b->n_event;
}

static int add_event(Profiler__Header *h, const Profiler__Event *from, uint32_t leader)
{
	Profiler__Event **larger;
	Profiler__Event *event;

	if (h->n_event == READER_MAX_EVENTS)
		return -E2BIG;
	event = (Profiler__Event *)copy_message(&from->base);
	larger = reallocarray(h->event, h->n_event + 1, sizeof(*larger));
	if (larger)
		h->event = larger;
	if (!larger || !event) {
		if (event)
			profiler__event__free_unpacked(event, NULL);
		return -ENOMEM;
	}
	event->leader = leader;
	h->event[h->n_event++] = event;
	return 0;
}

/* Events that take samples: first, as all that are led come behind them. */
static int add_leaders(struct merge *m, struct merge_input *in, const struct merge_input **origin)
{
	const Profiler__Header *from = header_of(in);
	int err = 0;

	for (uint32_t i = 0; !err && i < from->n_event; i++) {
		uint32_t same = 0;

		if (from->event[i]->leader)
			continue;
		while (same < m->header->n_event) {
			const struct merge_input *other = origin[same];
			uint32_t there = 0;

			while (other->event_of[there] != same)
				there++;
			/* two of one stream that look alike stay two */
			if (other != in && same_group(from, i, header_of(other), there))
				break;
			same++;
		}
		in->event_of[i] = same;
		if (same < m->header->n_event)
			continue;
		err = add_event(m->header, from->event[i], 0);
		if (!err)
			origin[same] = in;
	}
	return err;
}

/* The events of an input's groups; those of a group that was there already are, too. */
static int add_members(struct merge *m, struct merge_input *in, const struct merge_input **origin)
{
	const Profiler__Header *from = header_of(in);
	int err = 0;

	for (uint32_t i = 0; !err && i < from->n_event; i++) {
		uint32_t leader = from->event[i]->leader;
		uint32_t place = 0;
		size_t at;

		if (!leader)
			continue;
		leader = in->event_of[leader - 1];
		if (origin[leader] == in) {
			in->event_of[i] = (uint32_t)m->header->n_event;
			err = add_event(m->header, from->event[i], leader + 1);
			continue;
		}
		for (uint32_t k = 0; k < i; k++)
			place += from->event[k]->leader == from->event[i]->leader;
		at = next_member(m->header, leader, leader);
		while (place--)
			at = next_member(m->header, leader, at);
		in->event_of[i] = (uint32_t)at;
	}
	return err;
}

static int merge_events(struct merge *m)
{
	const struct merge_input *origin[READER_MAX_EVENTS] = { 0 };
	int err = 0;

	for (size_t i = 0; i < m->inputs; i++) /* nothing is told of a number twice */
		memset(m->input[i].event_of, 0xFF, sizeof(m->input[i].event_of));
	for (size_t i = 0; !err && i < m->inputs; i++)
		err = add_leaders(m, &m->input[i], origin);
	for (size_t i = 0; !err && i < m->inputs; i++)
		err = add_members(m, &m->input[i], origin);
	return err;
}

static uint32_t cpus_of(const Profiler__Header *h)
{
	uint32_t cpus = h->cpus_possible > h->cpus_online ? h->cpus_possible : h->cpus_online;

	return cpus ? cpus : 1;
}

/* Streams of one host share their CPU numbers. */
static int place_hosts(struct merge *m)
{
	uint32_t cpus[2] = { 0 }; /* of all, of them online */

	for (size_t i = 0; i < m->inputs; i++) {
		struct merge_input *in = &m->input[i];
		size_t k = 0;

		while (k < i && strcmp(header_of(&m->input[k])->hostname, header_of(in)->hostname))
			k++;
		in->host = k < i ? m->input[k].host : m->hosts++;
		in->first_cpu = k < i ? m->input[k].first_cpu : cpus[0];
		if (k < i)
			continue;
		cpus[0] += cpus_of(header_of(in));
		cpus[1] += header_of(in)->cpus_online;
		if (cpus[0] > READER_MAX_CPUS)
			return -E2BIG;
	}
	if (m->header) {
		m->header->cpus_possible = cpus[0];
		m->header->cpus_online = cpus[1];
	}
	m->host_end_ns = calloc(m->hosts + (size_t)1, sizeof(*m->host_end_ns));
	return m->host_end_ns ? 0 : -ENOMEM;
}

static bool add_origin_notice(struct merge *m, size_t input)
{
	const struct merge_input *in = &m->input[input];
	const Profiler__Header *from = header_of(in);
	time_t seconds = (time_t)(in->realtime_ns / 1000000000);
	char date[64] = "at an unknown time";
	char text[NOTICE_BYTES];
	struct tm tm;

	if (in->realtime_ns && gmtime_r(&seconds, &tm))
		strftime(date, sizeof(date), "%Y-%m-%d %H:%M:%S UTC", &tm);
	snprintf(text, sizeof(text),
		 "profiler-cat merged %zu streams; %zu: %.64s, %s, CPUs from %" PRIu32 " on",
		 m->inputs, input + 1, from->hostname, date, in->first_cpu);
	for (size_t i = 0; i < from->n_notice; i++)
		if (!add_notice(m->header, from->notice[i]))
			return false;
	return add_notice(m->header, text);
}

/* One run that is none of those it is made of, the same whenever it is made. */
static void mix_run_id(uint8_t id[RUN_ID_BYTES], const ProtobufCBinaryData *more)
{
	uint8_t first = id[0];

	for (size_t i = 0; i < RUN_ID_BYTES; i++) {
		id[i] = i + 1 < RUN_ID_BYTES ? id[i + 1] : first;
		if (i < more->len)
			id[i] ^= more->data[i];
	}
}

static int merge_headers(struct merge *m)
{
	const Profiler__Header *first = header_of(&m->input[0]);
	Profiler__Header empty = *first;
	Profiler__Header *h;
	uint8_t *id = calloc(1, RUN_ID_BYTES);

	empty.n_event = 0;
	empty.run_id.len = 0;
	h = m->header = (Profiler__Header *)copy_message(&empty.base);
	if (!h || !id) {
		free(id);
		return -ENOMEM;
	}
	h->run_id = (ProtobufCBinaryData){ RUN_ID_BYTES, id };
	for (size_t i = 0; i < m->inputs; i++) {
		const Profiler__Header *from = header_of(&m->input[i]);

		mix_run_id(id, &from->run_id);
		if (!add_text(&h->hostname, from->hostname) ||
		    !add_text(&h->target, from->target) ||
		    !add_text(&h->kernel_release, from->kernel_release) ||
		    !add_text(&h->machine, from->machine) ||
		    !add_text(&h->cpu_model, from->cpu_model))
			return -ENOMEM;
	}
	return merge_events(m);
}

static int compare_inputs(const void *a, const void *b)
{
	const struct merge_input *x = a;
	const struct merge_input *y = b;

	if (x->realtime_ns != y->realtime_ns)
		return x->realtime_ns < y->realtime_ns ? -1 : 1;
	return x->order < y->order ? -1 : x->order > y->order;
}

/* When the streams began; are all of their clocks known? */
static bool find_times(struct merge *m)
{
	bool all_known = true;

	for (size_t i = 0; i < m->inputs; i++) {
		struct merge_input *in = &m->input[i];
		const Profiler__Clock *clock = header_of(in)->clock;

		in->order = (uint32_t)i;
		in->start_ns = header_of(in)->start_ns;
		in->realtime_ns = 0;
		if (clock && clock->realtime_ns)
			in->realtime_ns = clock->realtime_ns + in->start_ns - clock->boottime_ns;
		all_known &= in->realtime_ns != 0;
	}
	return all_known;
}

int merge_open(struct merge *m)
{
	int err = 0;

	if (find_times(m))
		qsort(m->input, m->inputs, sizeof(*m->input), compare_inputs);
	else
		m->end_to_end = true;
	if (m->inputs > 1) {
		err = merge_headers(m);
	} else {
		for (uint32_t i = 0; i < READER_MAX_EVENTS; i++)
			m->input[0].event_of[i] = i;
	}
	if (!err)
		err = place_hosts(m);
	for (size_t i = 0; !err && m->header && i < m->inputs; i++)
		err = add_origin_notice(m, i) ? 0 : -ENOMEM;
	return err;
}

void merge_release(struct merge *m)
{
	if (m->header)
		profiler__header__free_unpacked(m->header, NULL);
	free(m->host_end_ns);
	m->header = NULL;
	m->host_end_ns = NULL;
}

uint64_t merge_begin(struct merge *m, size_t input)
{
	const struct merge_input *first = &m->input[0];
	struct merge_input *in = &m->input[input];
	uint64_t free_ns = m->host_end_ns[in->host];
	uint64_t start_ns = first->start_ns;
	uint64_t later_ns = 0;

	if (!m->end_to_end)
		start_ns += in->realtime_ns - first->realtime_ns;
	if (free_ns && (m->end_to_end || start_ns < free_ns)) {
		later_ns = m->end_to_end ? 0 : free_ns - start_ns;
		start_ns = free_ns;
	}
	in->shift_ns = start_ns - in->start_ns;
	return later_ns;
}

void merge_end(struct merge *m, size_t input, uint64_t time_ns)
{
	uint64_t *end_ns = &m->host_end_ns[m->input[input].host];

	if (time_ns > *end_ns)
		*end_ns = time_ns;
}

Profiler__Header *merge_header(const struct merge *m, size_t input, const char *notice)
{
	const struct merge_input *in = &m->input[input];
	Profiler__Header header = m->header ? *m->header : *header_of(in);
	Profiler__Clock clock = PROFILER__CLOCK__INIT;
	Profiler__Header *copy;

	if (header_of(in)->clock) {
		clock.boottime_ns = header_of(in)->clock->boottime_ns + in->shift_ns;
		clock.realtime_ns = header_of(in)->clock->realtime_ns;
		header.clock = &clock;
	}
	copy = (Profiler__Header *)copy_message(&header.base);
	if (copy && notice && !add_notice(copy, notice)) {
		profiler__header__free_unpacked(copy, NULL);
		return NULL;
	}
	return copy;
}
