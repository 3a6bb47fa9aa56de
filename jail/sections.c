// SPDX-License-Identifier: Apache-2.0
/*
 * sections.c - section headers of an ELF image, see sections.h.
 */
#include "jail/sections.h"

#define NAME_BYTES 16

void sections_open(struct sections *s, const uint8_t *data, size_t size)
{
	Elf64_Ehdr header;

	*s = (struct sections){ .data = data, .size = size };
	if (size < sizeof(header))
		return;
	memcpy(&header, data, sizeof(header));
	if (memcmp(header.e_ident, ELFMAG, SELFMAG) != 0 ||
	    header.e_ident[EI_CLASS] != ELFCLASS64 || header.e_ident[EI_DATA] != ELFDATA2LSB ||
	    header.e_shentsize != sizeof(Elf64_Shdr))
		return;
	s->at = header.e_shoff;
	s->count = header.e_shnum < SECTIONS_MAX ? header.e_shnum : SECTIONS_MAX;
	if (!sections_get(s, header.e_shstrndx, &s->names))
		s->count = 0;
}

bool sections_get(const struct sections *s, uint32_t index, Elf64_Shdr *ret)
{
	const uint64_t skip = index * (uint64_t)sizeof(*ret);

	if (index >= s->count || s->at > s->size || skip > s->size - s->at ||
	    sizeof(*ret) > s->size - s->at - skip)
		return false;
	memcpy(ret, s->data + s->at + skip, sizeof(*ret));
	return true;
}

bool sections_of_type(const struct sections *s, uint32_t type, Elf64_Shdr *ret)
{
	Elf64_Shdr header;

	for (uint32_t i = 0; sections_get(s, i, &header); i++) {
		if (header.sh_type != type)
			continue;
		*ret = header;
		return true;
	}
	return false;
}

bool sections_named(const struct sections *s, const char *name, Elf64_Shdr *ret)
{
	const struct bytes names = sections_content(s, &s->names);
	Elf64_Shdr header;

	for (uint32_t i = 0; sections_get(s, i, &header); i++) {
		struct bytes at = names;
		char found[NAME_BYTES] = "";

		bytes_take(&at, header.sh_name);
		if (at.bad)
			continue;
		bytes_read(&at, found,
			   bytes_left(&at) < sizeof(found) ? bytes_left(&at) : sizeof(found));
		if (strncmp(found, name, sizeof(found)) != 0)
			continue;
		*ret = header;
		return true;
	}
	return false;
}

struct bytes sections_content(const struct sections *s, const Elf64_Shdr *header)
{
	uint64_t size = header->sh_size;

	if (header->sh_type == SHT_NOBITS || header->sh_flags & SHF_COMPRESSED ||
	    header->sh_offset >= s->size)
		return bytes_of(s->data, 0);
	if (size > s->size - header->sh_offset)
		size = s->size - header->sh_offset;
	return bytes_of(s->data + header->sh_offset, size);
}
