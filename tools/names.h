/* SPDX-License-Identifier: Apache-2.0 */
/*
 * names.h - functions and code addresses of a whole profile.
 *
 * Turns frames, as they stand in stacks, into locations (distinct places in the code) and these
 * into functions: the one that holds the code, and those that are inlined into it there. Names are
 * those in the stream; where the binaries that were recorded are on this machine too (by build id,
 * symbolize.h), they add names that the stream lacks, inlined functions, source files and lines. A
 * place without a name belongs to the function "[unknown]" of its mapping, and says why: nothing is
 * left out.
 */
#ifndef PROFILER_NAMES_H
#define PROFILER_NAMES_H

#include <stdbool.h>
#include <stdint.h>

#include "tools/idmap.h"
#include "tools/profile.h"
#include "tools/symbolize.h"

/* Why a place has no name. */
enum name_unknown {
	NAME_KNOWN, /* it has one, or stands for what is not known of a stack */
	/* as the recorder said */
	UNKNOWN_NO_SYMBOL,
	UNKNOWN_FILE_GONE,
	UNKNOWN_BAD_FILE,
	UNKNOWN_NO_MAP,
	UNKNOWN_CHANGED,
	UNKNOWN_UNTOLD, /* a reason that we do not know */
	/* as it turned out here */
	UNKNOWN_NOT_HERE,    /* not in the stream, and the file is not on this machine */
	UNKNOWN_OTHER_BUILD, /* not in the stream, and the file here is another one */
	UNKNOWN_NO_MAPPING,
	UNKNOWN_KERNEL,
	UNKNOWN_REASONS,
};

/* A place in the code. Ids start at 1. */
struct location {
	uint64_t offset;     /* as in the frame, less 1 for a return address */
	uint32_t mapping;    /* of the profile, 0 for a pseudo frame */
	uint32_t given_name; /* string from the stream, or 0 */
	/* up to here the key */
	uint64_t address; /* ELF virtual address where the file was at hand, else offset */
	uint32_t first;	  /* of its code lines, see names_lines() */
	uint32_t lines;
	uint32_t unknown; /* enum name_unknown, of the function that holds the code */
	uint32_t reserved;
};

/* One function at a location. */
struct code_line {
	uint32_t function;
	uint32_t file; /* string: source file of the place in it, 0 when unknown */
	uint32_t line; /* in that file, 0 when unknown */
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

struct name_options {
	struct symbol_options symbols;
	bool no_inlines; /* only the functions that hold the code */
};

/* How looking names up went; for the notices. */
struct name_stats {
	uint32_t files;	      /* with places in question */
	uint32_t unverified;  /* used although the stream has no build id of them */
	uint32_t missing;     /* left places without names: not here, or unreadable */
	uint32_t other_build; /* likewise: here, but not those that were recorded */
};

/* What is known of the code of a mapping. */
struct mapping_names {
	bool has_functions; /* the right file was at hand, or names given */
	bool has_lines;
	bool has_inlines;
};

struct names {
	struct profile *profile;
	struct name_options options;
	struct idmap locations;
	struct idmap functions;
	struct code_line *line;
	uint32_t *location_of_ref;     /* by frame ref, 0 for refs that no stack has */
	uint32_t *readable;	       /* by string of a stretch's name: readable, 0 = not yet */
	struct mapping_names *mapping; /* by mapping id */
	struct name_stats stats;
	size_t lines;
	size_t line_room;
};

/**
 * names_open() - look up everything that the rows of a profile refer to
 * @ret: the names
 * @p: a profile that has been read; gets more strings, must outlive the names
 * @options: how; copied
 * @progress: told the places looked up; NULL: nobody is
 *
 * Return: 0, -ENOMEM, or what symbolizer_open() gives. That files are missing is no error, see
 * stats.
 */
int names_open(struct names **ret, struct profile *p, const struct name_options *options,
	       const struct progress *progress) __attribute__((warn_unused_result));

/** names_free() - free names; NULL is fine */
void names_free(struct names *n);

/** names_location() - the place of a frame ref that profile_stack() gave; never NULL */
const struct location *names_location(const struct names *n, uint32_t ref);

/** names_function() - the function of an id; never NULL */
static inline const struct function *names_function(const struct names *n, uint32_t id)
{
	return idmap_at(&n->functions, id);
}

/**
 * names_lines() - the functions at a location: location->lines of them, at least one, the innermost
 * first; each but the last is inlined into the next
 */
static inline const struct code_line *names_lines(const struct names *n,
						  const struct location *location)
{
	return n->line + location->first;
}

/** name_unknown_text() - why a place has no name: "no symbol"; for people */
const char *name_unknown_text(uint32_t unknown);

#endif /* PROFILER_NAMES_H */
