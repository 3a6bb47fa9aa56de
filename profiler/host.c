// SPDX-License-Identifier: Apache-2.0
/* host.c - the facts about this machine that the stream's header states. */
#include "profiler/host.h"

#include <stdio.h>
#include <string.h>

/* "model name : X" on x86; arm64 has no name there, only the implementer's numbers. */
static void read_cpu_model(char *ret, size_t bytes)
{
	FILE *f = fopen("/proc/cpuinfo", "re");
	char line[256];

	if (!f)
		return;
	while (fgets(line, sizeof(line), f)) {
		const char *colon = strchr(line, ':');

		if (!colon || (strncmp(line, "model name", 10) && strncmp(line, "CPU part", 8)))
			continue;
		snprintf(ret, bytes, "%s%s", line[0] == 'C' ? "arm64 part " : "",
			 colon + 1 + strspn(colon + 1, " \t"));
		ret[strcspn(ret, "\n")] = '\0';
		break;
	}
	fclose(f);
}

void host_read(struct host *ret)
{
	memset(ret, 0, sizeof(*ret));
	uname(&ret->uts);
	read_cpu_model(ret->cpu_model, sizeof(ret->cpu_model));
}
