/* SPDX-License-Identifier: Apache-2.0 */
/*
 * otlp_dictionary.h - the tables that samples of OpenTelemetry profiles share.
 *
 * An entry is made when it is asked for the first time, so nothing is in the tables that no sample
 * needs, and nothing twice. Index 0 is the empty entry. The first failure is kept in err.
 */
#ifndef PROFILER_OTLP_DICTIONARY_H
#define PROFILER_OTLP_DICTIONARY_H

#include <stdint.h>

#include "otlp_profiles.pb-c.h"
#include "tools/idmap.h"
#include "tools/names.h"
#include "tools/pb_buffer.h"
#include "tools/segments.h"

/* Field numbers in Dictionary. */
enum otlp_table {
	OTLP_MAPPINGS = 1,
	OTLP_LOCATIONS = 2,
	OTLP_FUNCTIONS = 3,
	OTLP_LINKS = 4,
	OTLP_STRINGS = 5,
	OTLP_ATTRIBUTES = 6,
	OTLP_STACKS = 7,
	OTLP_TABLES,
};

struct otlp_dictionary {
	const struct profile *profile;
	const struct names *names;
	struct pb_buffer table[OTLP_TABLES]; /* by enum otlp_table; fields of Dictionary */
	struct strtab strings;
	struct strtab values; /* texts of attributes, which hold them themselves */
	struct segments segments;
	struct idmap functions;
	struct idmap attributes;
	struct idmap stacks;
	int32_t *mapping;  /* by segment: index, 0 = not yet */
	int32_t *location; /* by location id, likewise */
	int32_t mappings;
	int32_t locations;
	uint32_t *ref; /* a stack */
	int32_t *location_of_ref;
	int err;
};

/** otlp_open() - empty tables; otlp_release() also after a failure, which is in err */
void otlp_open(struct otlp_dictionary *d, const struct names *n);

/** otlp_release() - free what they own */
void otlp_release(struct otlp_dictionary *d);

/** otlp_string() - the index of a text */
int32_t otlp_string(struct otlp_dictionary *d, const char *text);

/** otlp_attribute() - the index of an attribute whose value is a text */
int32_t otlp_attribute(struct otlp_dictionary *d, const char *key, const char *text);

/** otlp_number() - the same of one whose value is a number */
int32_t otlp_number(struct otlp_dictionary *d, const char *key, uint32_t number);

/** otlp_stack() - the index of the stack of a row */
int32_t otlp_stack(struct otlp_dictionary *d, const struct profile_row *row);

/** otlp_put() - the whole Dictionary, which ends with it, as a field of a message */
void otlp_put(struct otlp_dictionary *d, struct pb_buffer *to, uint32_t field);

#endif /* PROFILER_OTLP_DICTIONARY_H */
