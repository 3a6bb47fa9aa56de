/* SPDX-License-Identifier: Apache-2.0 */
/* source_file.c - the one source file that a function is shown with, see source_file.h. */
#include "tools/source_file.h"

#include <errno.h>
#include <stdlib.h>

int source_files(const struct names *n, uint32_t **ret)
{
	uint32_t *file = calloc((size_t)n->functions.count + 1, sizeof(*file));

	if (!file)
		return -ENOMEM;
	for (uint32_t id = 1; id <= n->locations.count; id++) {
		const struct location *location = idmap_at(&n->locations, id);
		const struct code_line *line = names_lines(n, location);

		for (uint32_t i = 0; i < location->lines; i++)
			if (!file[line[i].function])
				file[line[i].function] = line[i].file;
	}
	*ret = file;
	return 0;
}
