// SPDX-License-Identifier: Apache-2.0
/*
 * fuzz_jitmap.c - the input is a perf map, or a jitdump if it begins like one: names keep the
 * promises of jail/places.h, and are those of each place alone.
 */
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "jail/jitdump.h"
#include "jail/perfmap.h"
#include "tests/fuzz/names_promises.h"

#define PLACES 64
#define ALONE  4
#define BEFORE 256

static struct perfmap perfmap;
static struct jitdump jitdump;
static struct name_answer all, alone;

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int ask(int fd, bool dump, const uint64_t *places, uint32_t count, struct name_answer *ret)
{
	return dump ? jitdump_names(&jitdump, fd, BEFORE, places, count, ret)
		    : perfmap_names(&perfmap, fd, BEFORE, places, count, ret);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static int fd = -1;
	const bool dump = size > 4 && memcmp(data, "DTiJ", 4) == 0;
	uint64_t places[PLACES];

	if (fd < 0)
		fd = memfd_create("map", MFD_CLOEXEC);
	if (ftruncate(fd, 0) != 0 || pwrite(fd, data, size, 0) != (ssize_t)size)
		abort();
	for (uint32_t i = 0; i < PLACES; i++)
		places[i] = i * 0x40 + (i & 1); /* the code of the corpus is at 0 to 0x1000 */
	if (ask(fd, dump, places, PLACES, &all) != 0)
		return 0;
	if (!names_keep_promises(&all, places, PLACES))
		abort();
	for (uint32_t i = 0; i < PLACES; i += PLACES / ALONE) {
		if (ask(fd, dump, places + i, 1, &alone) != 0 ||
		    !names_keep_promises(&alone, places + i, 1) ||
		    !names_are_equal(&alone, &all, places[i]))
			abort();
	}
	return 0;
}
