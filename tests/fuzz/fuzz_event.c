// SPDX-License-Identifier: Apache-2.0
/*
 * fuzz_event.c - what follows -e.
 *
 * Whatever is accepted is a list of whole groups, within the room there is; and the name that the
 * stream and the messages have for each event can be typed, and is that event again.
 */
#include <stdlib.h>
#include <string.h>

#include "profiler/pmu.h"

#define ROOM 12

static void require(int truth)
{
	if (!truth)
		abort();
}

static void require_again(const struct event_spec *event)
{
	struct event_spec again;
	char err[PMU_ERROR_BYTES];
	uint32_t precise = event->attr.precise_ip;

	require(pmu_parse(event->typed, &again, 1, err, sizeof(err)) == 1);
	require(!strcmp(again.name, event->name) && !strcmp(again.typed, event->typed));
	require(again.attr.type == event->attr.type && again.attr.config == event->attr.config);
	require(again.attr.config1 == event->attr.config1 &&
		again.attr.config2 == event->attr.config2);
	require(again.mode == event->mode && again.attr.precise_ip == precise);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct event_spec *events = calloc(ROOM, sizeof(*events));
	char *text = malloc(size + 1), err[PMU_ERROR_BYTES] = "";
	uint32_t leader = 0;

	require(events && text);
	memcpy(text, data, size);
	text[size] = '\0';
	int n = pmu_parse(text, events, ROOM, err, sizeof(err));
	require(n != 0 && n <= ROOM);
	require((n < 0) == (err[0] != '\0'));
	for (int i = 0; i < n; i++) {
		if (!events[i].leader)
			leader = (uint32_t)i;
		else
			require(events[i].leader == leader + 1);
		require((uint32_t)i - leader < MAX_GROUP);
		require_again(&events[i]);
	}
	free(text);
	free(events);
	return 0;
}
