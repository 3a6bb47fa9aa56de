/* SPDX-License-Identifier: Apache-2.0 */
/*
 * pmu_sysfs.c - events that the kernel's PMU drivers describe in sysfs.
 *
 *   DEVICES/PMU/type          number for perf_event_attr.type
 *   DEVICES/PMU/events/NAME   "event=0x3c,umask=0x00": terms of a named event
 *   DEVICES/PMU/format/TERM   "config:0-7,32-35": the bits a term's value goes to
 *   DEVICES/PMU/cpus          "0-7": the CPUs whose cores it counts for
 *   DEVICES/PMU/caps/max_precise
 *
 * Source: Documentation/ABI/testing/sysfs-bus-event_source-devices-{events,format}.
 */
#include "profiler/pmu_encode.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define TEXT_BYTES 256 /* the longest event of today's drivers has about 60 */

struct pmu_dir {
	const char *root;
	const char *pmu;
};

/* Reads one line of a file below a PMU's directory, without its newline. */
static int read_text(const struct pmu_dir *dir, const char *sub, const char *name,
		     char text[TEXT_BYTES])
{
	char path[512];
	int len = snprintf(path, sizeof(path), "%s/%s/%s%s", dir->root, dir->pmu, sub, name);

	if (len < 0 || (size_t)len >= sizeof(path))
		return -ENAMETOOLONG;
	FILE *file = fopen(path, "re");
	if (!file)
		return -errno;
	char *line = fgets(text, TEXT_BYTES, file);
	fclose(file);
	if (!line)
		return -ENODATA;
	text[strcspn(text, "\n")] = '\0';
	return 0;
}

static uint64_t *config_word(struct pmu_encoding *enc, const char *name, size_t len)
{
	if (len == 6 && !strncmp(name, "config", len))
		return &enc->config;
	if (len == 7 && !strncmp(name, "config1", len))
		return &enc->config1;
	if (len == 7 && !strncmp(name, "config2", len))
		return &enc->config2;
	return NULL;
}

/* Spreads value over the bits of "config:0-7,32-35", low bits first. */
static int put_bits(struct pmu_encoding *enc, const char *format, uint64_t value)
{
	size_t len = strcspn(format, ":");
	uint64_t *word = config_word(enc, format, len);

	if (!word || !format[len])
		return -EINVAL;
	for (const char *at = format + len; *at == ':' || *at == ',';) {
		char *end;
		unsigned long low = strtoul(at + 1, &end, 10), high = low;
		if (*end == '-')
			high = strtoul(end + 1, &end, 10);
		if (low > high || high > 63)
			return -EINVAL;
		for (unsigned long bit = low; bit <= high; bit++, value >>= 1) {
			*word &= ~(UINT64_C(1) << bit);
			*word |= (value & 1) << bit;
		}
		at = end;
	}
	return value ? -EINVAL : 0; /* a value that does not fit is an error, not cut */
}

/* "0x3c", "60"; a term without a value is 1. "?" asks for a value, which nobody gave. */
static int parse_value(const char *text, uint64_t *ret)
{
	char *end;

	if (!text) {
		*ret = 1;
		return 0;
	}
	if (*text < '0' || *text > '9')
		return -EINVAL;
	errno = 0;
	*ret = strtoull(text, &end, 0);
	return errno || *end ? -EINVAL : 0;
}

static bool plain_name(const char *name)
{
	return *name && *name != '.' && !strchr(name, '/');
}

static int add_term(const struct pmu_dir *dir, char *term, struct pmu_encoding *enc)
{
	char format[TEXT_BYTES];
	char *value_text = strchr(term, '=');
	uint64_t value;

	if (value_text)
		*value_text++ = '\0';
	if (!plain_name(term) || parse_value(value_text, &value))
		return -EINVAL;
	uint64_t *word = config_word(enc, term, strlen(term));
	if (word) {
		*word = value;
		return 0;
	}
	if (read_text(dir, "format/", term, format))
		return -EINVAL;
	return put_bits(enc, format, value);
}

static int add_terms(const struct pmu_dir *dir, const char *terms, bool names,
		     struct pmu_encoding *enc)
{
	char copy[TEXT_BYTES], text[TEXT_BYTES];
	char *save = NULL;
	int err = 0;

	if ((size_t)snprintf(copy, sizeof(copy), "%s", terms) >= sizeof(copy))
		return -EINVAL;
	for (char *term = strtok_r(copy, ",", &save); term && !err;
	     term = strtok_r(NULL, ",", &save)) {
		bool named = names && plain_name(term) && !read_text(dir, "events/", term, text);

		err = named ? add_terms(dir, text, false, enc) : add_term(dir, term, enc);
	}
	return err;
}

int pmu_sysfs_encode(const char *root, const char *pmu, const char *terms, struct pmu_encoding *ret)
{
	const struct pmu_dir dir = { root, pmu };
	struct pmu_encoding enc = { 0 };
	char text[TEXT_BYTES], *end;

	if (!plain_name(pmu) || read_text(&dir, "", "type", text))
		return -ENODEV;
	enc.type = (uint32_t)strtoul(text, &end, 10);
	if (end == text)
		return -ENODEV;
	int err = add_terms(&dir, terms, true, &enc);
	if (!err)
		*ret = enc;
	return err;
}

static bool is_event_file(const char *name)
{
	const char *dot = strrchr(name, '.');

	/* NAME.scale, NAME.unit and NAME.snapshot describe NAME. */
	return *name != '.' && !(dot && (!strcmp(dot, ".scale") || !strcmp(dot, ".unit") ||
					 !strcmp(dot, ".snapshot")));
}

static int each_event(const char *root, const char *pmu,
		      int (*fn)(const char *pmu, const char *event, void *arg), void *arg)
{
	struct dirent **names;
	char path[512];
	int stop = 0;

	if ((size_t)snprintf(path, sizeof(path), "%s/%s/events", root, pmu) >= sizeof(path))
		return 0;
	int n = scandir(path, &names, NULL, alphasort);
	if (n < 0)
		return 0; /* many PMUs have none */
	for (int i = 0; i < n; i++) {
		if (!stop && is_event_file(names[i]->d_name))
			stop = fn(pmu, names[i]->d_name, arg);
		free(names[i]);
	}
	free(names);
	return stop;
}

int pmu_sysfs_each(const char *root, int (*fn)(const char *pmu, const char *event, void *arg),
		   void *arg)
{
	struct dirent **names;
	int stop = 0;
	int n = scandir(root, &names, NULL, alphasort);

	if (n < 0)
		return 0;
	for (int i = 0; i < n; i++) {
		if (!stop && names[i]->d_name[0] != '.')
			stop = each_event(root, names[i]->d_name, fn, arg);
		free(names[i]);
	}
	free(names);
	return stop;
}

/* The PMU of one kind of core, if this is one and some of its CPUs are there. */
static bool read_core(const char *root, const char *name, struct pmu_core *ret)
{
	const struct pmu_dir dir = { root, name };
	char path[512], text[TEXT_BYTES], *end;

	if ((size_t)snprintf(path, sizeof(path), "%s/%s/cpus", root, name) >= sizeof(path) ||
	    cpulist_read(path, &ret->cpus) || read_text(&dir, "", "type", text))
		return false;
	ret->type = (uint32_t)strtoul(text, &end, 10);
	return end != text &&
	       (size_t)snprintf(ret->name, sizeof(ret->name), "%s", name) < sizeof(ret->name);
}

void pmu_sysfs_cores(const char *root, struct pmu_cores *ret)
{
	struct dirent **names;
	int n = scandir(root, &names, NULL, alphasort);

	ret->n = 0;
	if (n < 0)
		return;
	for (int i = 0; i < n; i++) {
		if (ret->n < PMU_MAX_CORES && plain_name(names[i]->d_name) &&
		    read_core(root, names[i]->d_name, &ret->core[ret->n]))
			ret->n++;
		free(names[i]);
	}
	free(names);
	if (ret->n == 1)
		ret->n = 0;
}

bool pmu_sysfs_is_core(const char *root, const char *pmu)
{
	char path[512];

	if (!plain_name(pmu) ||
	    (size_t)snprintf(path, sizeof(path), "%s/%s/cpus", root, pmu) >= sizeof(path))
		return false;
	return !strcmp(pmu, "cpu") || !access(path, F_OK);
}

int pmu_sysfs_max_precise(const char *root, const char *pmu)
{
	const struct pmu_dir dir = { root, pmu };
	char text[TEXT_BYTES];
	int error = read_text(&dir, "caps/", "max_precise", text);

	if (error)
		return error;
	return text[0] >= '0' && text[0] <= '3' && !text[1] ? text[0] - '0' : -EINVAL;
}
