// SPDX-License-Identifier: Apache-2.0
/* test_known_files.c - a busy machine is no reason to give a file up for good. */
#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <errno.h>

#include "profiler/known_files.h"

Test(known_files, late_answers_are_asked_for_again)
{
	struct known_file f = { 0 };
	uint64_t last = 0;
	int tries = 0;

	cr_assert(not(known_files_wait(&f)));
	while (!f.refused && tries < 100) {
		known_files_late(&f);
		known_files_late(&f); /* told twice of one request */
		cr_assert(known_files_wait(&f));
		cr_assert(gt(u64, f.retry_ns, last));
		last = f.retry_ns;
		f.retry_ns = 0; /* time goes by */
		cr_assert(not(known_files_wait(&f)));
		tries++;
	}
	cr_assert(not(lt(int, tries, 4)));
	cr_assert(not(gt(int, tries, 8)), "a file that always takes too long is given up");
}

Test(known_files, what_is_hopeless)
{
	cr_assert(known_files_hopeless(-EPIPE), "the jail died of it");
	cr_assert(known_files_hopeless(-ENOEXEC));
	cr_assert(not(known_files_hopeless(-ETIMEDOUT)));
	cr_assert(not(known_files_hopeless(-EAGAIN)));
}
