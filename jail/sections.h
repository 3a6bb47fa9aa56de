/* SPDX-License-Identifier: Apache-2.0 */
/*
 * sections.h - the section headers of an ELF image, of which nothing but its bytes is known yet.
 *
 * The image is hostile, and may change while it is read: a header is copied out before it is
 * looked at, and content is what lies inside of the image.
 */
#ifndef PROFILER_SECTIONS_H
#define PROFILER_SECTIONS_H

#include <elf.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "jail/bytes.h"

/* Sections that are looked at, from the first on. */
#define SECTIONS_MAX 4096

struct sections {
	const uint8_t *data;
	size_t size;
	uint64_t at; /* offset of the headers */
	uint32_t count;
	Elf64_Shdr names;
};

/**
 * sections_open() - finds the headers
 * @data: 64 bits, little endian; has to outlive @s
 *
 * Without any there are 0 of them.
 */
void sections_open(struct sections *s, const uint8_t *data, size_t size);

/** sections_get() - one header; false if there is none of that index */
bool sections_get(const struct sections *s, uint32_t index, Elf64_Shdr *ret);

/** sections_of_type() - the first of a type; false if there is none */
bool sections_of_type(const struct sections *s, uint32_t type, Elf64_Shdr *ret);

/** sections_named() - the first of a name shorter than 16 bytes; false if there is none */
bool sections_named(const struct sections *s, const char *name, Elf64_Shdr *ret);

/** sections_content() - what is in the image of it; empty if nothing is, or it is compressed */
struct bytes sections_content(const struct sections *s, const Elf64_Shdr *header);

#endif /* PROFILER_SECTIONS_H */
