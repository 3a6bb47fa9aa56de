/* SPDX-License-Identifier: Apache-2.0 */
/*
 * names.h - functions and code addresses of a whole profile.
 *
 * Turns frames, as they stand in stacks, into locations (distinct places in the code) and
 * these into functions. Names are those in the stream (kernel) or come from the local binaries
 * by build id (symbolize.h). A place without a name belongs to the function "[unknown]" of its
 * mapping: nothing is left out.
 */
#ifndef PROFILER_NAMES_H
#define PROFILER_NAMES_H

#include <stdbool.h>
#include <stdint.h>

#include "tools/idmap.h"
#include "tools/profile.h"

/* A place in the code. Ids start at 1. */
struct location {
	uint64_t offset;     /* as in the frame, less 1 for a return address */
	uint32_t mapping;    /* of the profile, 0 for a pseudo frame */
	uint32_t given_name; /* string from the stream, or 0 */
	/* up to here the key */
	uint64_t address;  /* ELF virtual address where the file was at hand, else offset */
	uint32_t function; /* its function */
	uint32_t reserved;
};

/* A function. Ids start at 1. */
struct function {
	uint32_t name;	/* string; 0 when unknown: the code of a mapping that has no names */
	uint32_t where; /* string: short name of the mapping, 0 for a pseudo frame */
	uint32_t path;	/* string: name of the mapping, 0 for a pseudo frame */
	uint32_t is_kernel;
	/* up to here the key */
	uint32_t label; /* string: the name, or the mapping's as in "[libfoo.so]" */
	uint32_t reserved;
};

/* How looking names up went; for the notices. */
struct name_stats {
	uint32_t files;	      /* with places in question */
	uint32_t unverified;  /* used although the stream has no build id of them */
	uint32_t missing;     /* not there, or unreadable */
	uint32_t other_build; /* there, but not those that were recorded */
};

struct names {
	struct profile *profile;
	struct idmap locations;
	struct idmap functions;
	uint32_t *location_of_ref; /* by frame ref, 0 for refs that no stack has */
	bool *has_symbols;	   /* by mapping id: the right file was at hand, or names given */
	struct name_stats stats;
};

/**
 * names_open() - look up everything that the rows of a profile refer to
 * @ret: the names
 * @p: a profile that has been read; gets more strings, must outlive the names
 *
 * Return: 0 or -ENOMEM. That files are missing is no error, see stats.
 */
int names_open(struct names **ret, struct profile *p) __attribute__((warn_unused_result));

/** names_free() - free names; NULL is fine */
void names_free(struct names *n);

/** names_location() - the place of a frame ref that profile_stack() gave; never NULL */
const struct location *names_location(const struct names *n, uint32_t ref);

/** names_function() - the function of an id; never NULL */
static inline const struct function *names_function(const struct names *n, uint32_t id)
{
	return idmap_at(&n->functions, id);
}

#endif /* PROFILER_NAMES_H */
