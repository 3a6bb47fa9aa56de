// SPDX-License-Identifier: Apache-2.0
/*
 * fuzz_proctext.c - every parser of /proc text on the same bytes.
 *
 * The input is a copy of its exact size, so the sanitizer sees any step beyond it; what a parser
 * accepts must lie within the input.
 */
#include <stdlib.h>
#include <string.h>

#include "profiler/proctext.h"

static void require(int truth)
{
	if (!truth)
		abort();
}

static void require_inside(const char *text, size_t size, const uint8_t *data, size_t data_size)
{
	const char *begin = (const char *)data;

	require(!size || (text >= begin && text + size <= begin + data_size));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const char *text = (const char *)data;
	struct proctext_map map;
	struct proctext_stat stat;
	struct proctext_symbol symbol;
	struct proctext_module module;
	struct proctext_cgroup cgroup;
	struct proctext_status status;

	if (proctext_parse_map(text, size, &map) == 0) {
		require(map.start < map.end);
		require_inside(map.path, map.path_size, data, size);
	}
	if (proctext_parse_stat(text, size, &stat) == 0)
		require(strnlen(stat.comm, sizeof(stat.comm)) < sizeof(stat.comm));
	if (proctext_parse_symbol(text, size, &symbol) == 0) {
		require(symbol.name_size > 0);
		require_inside(symbol.name, symbol.name_size, data, size);
		require_inside(symbol.module, symbol.module_size, data, size);
	}
	if (proctext_parse_module(text, size, &module) == 0) {
		require(module.name_size > 0);
		require_inside(module.name, module.name_size, data, size);
	}
	if (proctext_parse_cgroup(text, size, &cgroup) == 0) {
		require(cgroup.path_size > 0 && *cgroup.path == '/');
		require_inside(cgroup.path, cgroup.path_size, data, size);
	}
	if (proctext_parse_status(text, size, &status) == 0)
		require(memmem(text, size, "NSpid:", strlen("NSpid:")) != NULL);
	return 0;
}
