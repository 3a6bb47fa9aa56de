/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fuzz_filter.c - any text as a filter: refused with a reason, or the filter can be put in words.
 *
 * The first byte says what the filter looks at, the rest is the text.
 */
#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "tools/filter.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct filter filter = { 0 };
	char err[FILTER_ERROR_BYTES] = "";
	char said[FILTER_TEXT_BYTES];
	char *text = size ? strndup((const char *)data + 1, size - 1) : NULL;
	int result;

	if (!text)
		return 0;
	result = filter_add(&filter, (enum filter_by)(data[0] % FILTER_BYS), text, err);
	assert(result == 0 || result == -EINVAL);
	assert(!result == !*err);
	assert(result || filter_is_set(&filter));
	assert(strlen(filter_text(&filter, said)) < sizeof(said));
	for (size_t i = 0; !result && i < filter.by[FILTER_BY_PID].count; i++)
		assert(filter.by[FILTER_BY_PID].range[i].first <=
		       filter.by[FILTER_BY_PID].range[i].last);
	filter_release(&filter);
	assert(!filter_is_set(&filter));
	free(text);
	return 0;
}
