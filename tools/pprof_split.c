/* SPDX-License-Identifier: Apache-2.0 */
/*
 * pprof_split.c - a profile's rows by the value of a label.
 *
 * The value is asked of the labels themselves, so that a file has what readers show it to have.
 */
#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tools/pprof_labels.h"

/* Room for a file's name, which file systems cut at 255 bytes, and for what makes it distinct. */
#define FILE_TEXT_MAX 128
#define FILE_NAME_MAX (FILE_TEXT_MAX + 48)

static int add_value(struct pprof_split *s, const struct pprof_writer *w,
		     const Perftools__Profiles__Label *label, uint32_t *ret_id)
{
	char number[24];

	if (!label)
		return strtab_get(&s->values, "none", strlen("none"), ret_id);
	if (label->str)
		return strtab_get(&s->values, strtab_text(&w->strings, (uint32_t)label->str),
				  strtab_bytes(&w->strings, (uint32_t)label->str), ret_id);
	snprintf(number, sizeof(number), "%" PRId64, label->num);
	return strtab_get(&s->values, number, strlen(number), ret_id);
}

/* A name that no value had before: others than letters and digits would need quoting. */
static int add_file(struct pprof_split *s, const char *value)
{
	uint32_t before = s->files.count;
	char name[FILE_NAME_MAX];
	uint32_t id = 0;
	int length = snprintf(name, FILE_TEXT_MAX, "%s-%s", s->label, value);
	int err = 0;

	length = length < FILE_TEXT_MAX ? length : FILE_TEXT_MAX - 1;
	for (char *c = name; *c; c++)
		if (!isalnum((unsigned char)*c) && !strchr("._-+", *c))
			*c = '_';
	for (uint32_t more = 2; !err && s->files.count == before; more++) {
		err = strtab_get(&s->files, name, strlen(name), &id);
		snprintf(name + length, sizeof(name) - (size_t)length, "~%" PRIu32, more);
	}
	return err;
}

int pprof_split_find(struct pprof_split *ret, const struct profile *p, uint32_t bit)
{
	struct pprof_writer w = { .profile = p };
	Perftools__Profiles__Label label[PPROF_LABELS];
	int err = 0;

	ret->label = pprof_label_name(bit);
	ret->of_row = calloc((size_t)p->rows.count + 1, sizeof(*ret->of_row));
	if (!ret->of_row)
		return -ENOMEM;
	for (uint32_t id = 1; !err && id <= p->rows.count; id++) {
		const struct profile_row *row = idmap_at(&p->rows, id);
		size_t count;

		if (!row->count)
			continue;
		count = pprof_make_labels(&w, row, bit, label);
		err = w.err ? w.err : add_value(ret, &w, count ? label : NULL, &ret->of_row[id]);
		if (!err && ret->values.count > ret->files.count)
			err = add_file(ret, strtab_text(&ret->values, ret->of_row[id]));
	}
	pprof_release(&w);
	return err;
}

struct pprof_part pprof_split_part(const struct pprof_split *s, uint32_t number)
{
	return (struct pprof_part){
		.number = number,
		.of_row = s->of_row,
		.label = s->label,
		.text = strtab_text(&s->values, number),
	};
}

const char *pprof_split_file(const struct pprof_split *s, uint32_t number)
{
	return strtab_text(&s->files, number);
}

void pprof_split_release(struct pprof_split *s)
{
	strtab_release(&s->values);
	strtab_release(&s->files);
	free(s->of_row);
}
