// SPDX-License-Identifier: Apache-2.0
/*
 * cfi.c - finds functions in call frame information, and reads their entries.
 *
 * What is found is what the pair before an address names, if it covers the address: as all who
 * use .eh_frame_hdr do. The programs in the entries are cfi_program.c's.
 */
#include "jail/cfi.h"

#include <dwarf.h>
#include <errno.h>
#include <stdlib.h>

#include "jail/unpack.h"

#define PAIR_BYTES 8

/* Entries that a scan reads at most, CIEs and empty ones included. */
#define SCAN_ENTRIES_MAX (2 * CFI_INDEX_MAX)

/* Code with fewer functions than these and one for so many bytes has little about it: start-up
 * files bring three to five, and what is compiled has one for 50 to 300 bytes. */
#define SPARSE_FUNCTIONS 8
#define SPARSE_BYTES	 4096

/* Longest augmentation string that is read; "zPLRSBG" has all that there is. */
#define AUGMENTATION_MAX 16

/* The address of a place in the frames. */
static uint64_t address_of(const struct cfi *cfi, const uint8_t *at)
{
	return cfi->frames_address + (uint64_t)(at - cfi->frames.at);
}

/* @address: of what is read, for pointers relative to themselves. */
static uint64_t read_encoded(struct bytes *from, uint64_t address, uint8_t encoding)
{
	uint64_t base = 0, value;

	switch (encoding & 0x70) {
	case DW_EH_PE_absptr:
		break;
	case DW_EH_PE_pcrel:
		base = address;
		break;
	default:
		from->bad = true;
		return 0;
	}
	switch (encoding & 0x8f) {
	case DW_EH_PE_absptr:
	case DW_EH_PE_udata8:
	case DW_EH_PE_sdata8:
	case DW_EH_PE_signed:
		value = bytes_u64(from);
		break;
	case DW_EH_PE_udata2:
		value = bytes_u16(from);
		break;
	case DW_EH_PE_udata4:
		value = bytes_u32(from);
		break;
	case DW_EH_PE_sdata2:
		value = (uint64_t)(int16_t)bytes_u16(from);
		break;
	case DW_EH_PE_sdata4:
		value = (uint64_t)(int32_t)bytes_u32(from);
		break;
	case DW_EH_PE_uleb128:
		value = bytes_uleb(from);
		break;
	case DW_EH_PE_sleb128:
		value = (uint64_t)bytes_sleb(from);
		break;
	default: /* indirect, or nothing that is defined */
		from->bad = true;
		return 0;
	}
	return from->bad ? 0 : base + value;
}

uint64_t cfi_read_encoded(const struct cfi *cfi, struct bytes *from, uint8_t encoding)
{
	return read_encoded(from, address_of(cfi, from->at), encoding);
}

/* An entry of a frame section. */
struct entry {
	const uint8_t *at;    /* of the entry itself */
	const uint8_t *id_at; /* of the id: an FDE's CIE is relative to it in .eh_frame */
	uint64_t id;
	bool is_cie;
	struct bytes body; /* what follows the id */
};

/* Takes an entry off @rest. Return: 1, 0 at a terminator or the end, -EINVAL. */
static int take_entry(bool debug_frame, struct bytes *rest, struct entry *ret)
{
	struct bytes body;
	uint64_t length;
	bool wide;

	ret->at = rest->at;
	if (!bytes_left(rest))
		return 0;
	length = bytes_u32(rest);
	wide = length == 0xffffffff;
	if (wide)
		length = bytes_u64(rest);
	else if (length >= 0xfffffff0)
		return -EINVAL;
	if (!length && !rest->bad)
		return 0;
	body = bytes_take(rest, length);
	ret->id_at = body.at;
	/* Ids in .eh_frame have four bytes always. */
	ret->id = wide && debug_frame ? bytes_u64(&body) : bytes_u32(&body);
	if (debug_frame)
		ret->is_cie = ret->id == (wide ? UINT64_MAX : UINT32_MAX);
	else
		ret->is_cie = ret->id == 0;
	ret->body = body;
	return body.bad ? -EINVAL : 1;
}

/* Reads what the letters announce, but for a 'z'. Unknown ones end it: their data is skipped. */
static void read_augmentation(const struct cfi *cfi, const char *letters, struct bytes *data,
			      struct cfi_cie *cie)
{
	for (; *letters; letters++) {
		switch (*letters) {
		case 'R':
			cie->fde_encoding = bytes_u8(data);
			break;
		case 'P': {
			uint8_t encoding = bytes_u8(data);

			/* Who handles exceptions is not asked, and its base not needed. */
			if (encoding == DW_EH_PE_aligned)
				data->bad = true;
			cfi_read_encoded(cfi, data, encoding & 0x0f);
			break;
		}
		case 'L':
			bytes_u8(data);
			break;
		case 'S':
			cie->signal_frame = true;
			break;
		case 'B': /* arm64: signs return addresses with the other key */
		case 'G': /* arm64: tags its stack memory */
			break;
		default:
			return;
		}
	}
}

static int read_cie(const struct cfi *cfi, const uint8_t *at, struct cfi_cie *ret)
{
	struct bytes b = { .at = at, .end = cfi->frames.end };
	struct cfi_cie cie = { .at = at, .fde_encoding = DW_EH_PE_absptr };
	char letters[AUGMENTATION_MAX];
	struct entry entry;
	struct bytes data;
	uint8_t version;
	size_t n = 0;

	if (take_entry(cfi->debug_frame, &b, &entry) <= 0 || !entry.is_cie)
		return -EINVAL;
	b = entry.body;
	version = bytes_u8(&b);
	if (version != 1 && version != 3 && version != 4)
		return -EINVAL;
	while ((letters[n] = (char)bytes_u8(&b)) != '\0')
		if (++n == sizeof(letters))
			return -EINVAL;
	cie.augmented = letters[0] == 'z';
	if (!cie.augmented && letters[strspn(letters, "SBG")]) /* with data of unknown size */
		return -EINVAL;
	/* Sizes of addresses and of segment selectors. */
	if (version == 4 && (bytes_u8(&b) != 8 || bytes_u8(&b) != 0))
		return -EINVAL;
	cie.code_align = bytes_uleb(&b);
	cie.data_align = bytes_sleb(&b);
	cie.ra = version == 1 ? bytes_u8(&b) : bytes_uleb(&b);
	data = bytes_take(&b, cie.augmented ? bytes_uleb(&b) : 0);
	read_augmentation(cfi, letters + cie.augmented, &data, &cie);
	b.bad |= data.bad;
	cie.program = b;
	if (b.bad)
		return -EINVAL;
	*ret = cie;
	return 0;
}

/* The CIE that an FDE names; NULL if it lies outside. */
static const uint8_t *cie_of(const struct cfi *cfi, const struct entry *fde)
{
	uint64_t offset = fde->id;

	if (!cfi->debug_frame &&
	    __builtin_sub_overflow((uint64_t)(fde->id_at - cfi->frames.at), fde->id, &offset))
		return NULL;
	return offset < bytes_left(&cfi->frames) ? cfi->frames.at + offset : NULL;
}

static int read_fde(const struct cfi *cfi, const struct entry *entry, struct cfi_fde *fde)
{
	const uint8_t *cie = cie_of(cfi, entry);
	struct bytes b = entry->body;
	uint64_t size;

	if (!cie)
		return -EINVAL;
	if (fde->cie.at != cie && read_cie(cfi, cie, &fde->cie))
		return -EINVAL;
	fde->start = cfi_read_encoded(cfi, &b, fde->cie.fde_encoding);
	size = cfi_read_encoded(cfi, &b, fde->cie.fde_encoding & 0x0f);
	if (fde->cie.augmented)
		bytes_take(&b, bytes_uleb(&b));
	fde->program = b;
	if (b.bad || !size || __builtin_add_overflow(fde->start, size, &fde->end))
		return -EINVAL;
	return 0;
}

/* One number of a pair. */
static int32_t pair_number(const struct cfi *cfi, uint32_t i, size_t offset)
{
	int32_t number;

	memcpy(&number, cfi->pairs + (size_t)i * PAIR_BYTES + offset, sizeof(number));
	return number;
}

uint64_t cfi_pair_start(const struct cfi *cfi, uint32_t i)
{
	return cfi->base + (uint64_t)(int64_t)pair_number(cfi, i, 0);
}

/* The first pair that begins behind base + @start. */
static uint32_t first_behind(const struct cfi *cfi, int64_t start)
{
	uint32_t low = 0, high = cfi->pair_count;

	while (low < high) {
		uint32_t middle = low + (high - low) / 2;

		if (pair_number(cfi, middle, 0) > start)
			high = middle;
		else
			low = middle + 1;
	}
	return low;
}

uint32_t cfi_find(const struct cfi *cfi, uint64_t address)
{
	uint32_t behind = first_behind(cfi, (int64_t)(address - cfi->base));

	if (!behind)
		return 0;
	return first_behind(cfi, (int64_t)pair_number(cfi, behind - 1, 0) - 1);
}

int cfi_read_fde(const struct cfi *cfi, uint32_t i, struct cfi_fde *fde)
{
	uint64_t offset =
		cfi->base + (uint64_t)(int64_t)pair_number(cfi, i, 4) - cfi->frames_address;
	struct bytes rest = cfi->frames;
	struct entry entry;

	if (bytes_take(&rest, offset).bad)
		return -EINVAL;
	if (take_entry(cfi->debug_frame, &rest, &entry) <= 0 || entry.is_cie ||
	    read_fde(cfi, &entry, fde) || fde->start != cfi_pair_start(cfi, i))
		return -EINVAL;
	return 0;
}

int cfi_find_fde(const struct cfi *cfi, uint64_t address, struct cfi_fde *fde)
{
	/* Where several begin at the same place one of them may reach further. */
	for (uint32_t i = cfi_find(cfi, address); i < cfi->pair_count; i++) {
		if (cfi_pair_start(cfi, i) > address)
			break;
		if (!cfi_read_fde(cfi, i, fde) && address < fde->end)
			return 0;
	}
	return -ENOENT;
}

static int compare_pairs(const void *a, const void *b)
{
	int32_t x[2], y[2];

	memcpy(x, a, sizeof(x));
	memcpy(y, b, sizeof(y));
	if (x[0] != y[0])
		return x[0] < y[0] ? -1 : 1;
	return (x[1] > y[1]) - (x[1] < y[1]);
}

/* Adds a function to the index, unless it is too far off for a pair. */
static int add_pair(struct cfi *cfi, uint32_t *room, uint64_t start, uint64_t entry_address)
{
	int64_t wide[2] = { (int64_t)(start - cfi->base), (int64_t)(entry_address - cfi->base) };
	int32_t pair[2] = { (int32_t)wide[0], (int32_t)wide[1] };

	if (pair[0] != wide[0] || pair[1] != wide[1])
		return 0;
	if (cfi->pair_count == *room) {
		uint32_t more = *room ? *room * 2 : 1024;
		uint8_t *index;

		if (more > CFI_INDEX_MAX)
			return -E2BIG;
		index = realloc(cfi->index, (size_t)more * PAIR_BYTES);
		if (!index)
			return -ENOMEM;
		cfi->index = index;
		*room = more;
	}
	memcpy(cfi->index + (size_t)cfi->pair_count++ * PAIR_BYTES, pair, sizeof(pair));
	return 0;
}

/*
 * Makes the pairs from cfi->frames. A damaged entry of known length is passed over; one of
 * unknown length ends the scan, and what was found until then is used.
 */
static int make_index(struct cfi *cfi)
{
	struct bytes rest = cfi->frames;
	struct cfi_fde fde = { 0 };
	uint32_t room = 0;

	cfi->base = cfi->frames_address;
	for (uint32_t n = 0;; n++) {
		struct entry entry;
		int ret = take_entry(cfi->debug_frame, &rest, &entry);

		if (ret == 0 || rest.bad)
			break;
		if (n == SCAN_ENTRIES_MAX)
			return -E2BIG;
		if (ret < 0 || entry.is_cie || read_fde(cfi, &entry, &fde))
			continue;
		ret = add_pair(cfi, &room, fde.start, address_of(cfi, entry.at));
		if (ret)
			return ret;
	}
	if (!cfi->pair_count)
		return -ENODATA;
	qsort(cfi->index, cfi->pair_count, PAIR_BYTES, compare_pairs);
	cfi->pairs = cfi->index;
	return 0;
}

static void use_part(struct cfi *cfi, const struct elf_part *part)
{
	cfi->frames = bytes_of(cfi->file->data + part->offset, part->size);
	cfi->frames_address = part->address;
}

/*
 * Finds .eh_frame by .eh_frame_hdr, and uses its table if it is of the one kind that linkers make.
 * Where .eh_frame ends is not said: at the end of its segment.
 */
static void read_header(struct cfi *cfi)
{
	const struct elf_part *part = &cfi->file->eh_frame_hdr;
	const uint8_t *section = cfi->file->data + part->offset;
	struct bytes b = bytes_of(section, part->size);
	uint8_t version = bytes_u8(&b);
	uint8_t frames_encoding = bytes_u8(&b);
	uint8_t count_encoding = bytes_u8(&b);
	uint8_t table_encoding = bytes_u8(&b);
	uint64_t frames = read_encoded(&b, part->address + 4, frames_encoding);
	struct elf_part found;
	uint64_t count;

	if (b.bad || version != 1 || elf_file_locate(cfi->file, frames, &found))
		return;
	use_part(cfi, &found);
	if (count_encoding == DW_EH_PE_omit ||
	    table_encoding != (DW_EH_PE_datarel | DW_EH_PE_sdata4))
		return;
	count = read_encoded(&b, part->address + (uint64_t)(b.at - section), count_encoding);
	if (b.bad || count > bytes_left(&b) / PAIR_BYTES || count > UINT32_MAX)
		return;
	cfi->pairs = b.at;
	cfi->pair_count = (uint32_t)count;
	cfi->base = part->address;
}

int cfi_init(struct cfi *cfi, const struct elf_file *file)
{
	int err;

	*cfi = (struct cfi){ .file = file };
	if (file->go)
		return -ENODATA;
	if (file->eh_frame_hdr.size)
		read_header(cfi);
	if (cfi->pair_count)
		return 0;
	if (file->eh_frame.size)
		use_part(cfi, &file->eh_frame);
	err = bytes_left(&cfi->frames) ? make_index(cfi) : -ENODATA;
	return err == -ENODATA ? cfi_init_debug(cfi, file, file) : err;
}

int cfi_init_debug(struct cfi *cfi, const struct elf_file *file, const struct elf_file *from)
{
	const struct elf_part *part = &from->debug_frame;
	struct bytes section = bytes_of(from->data + part->offset, part->size);
	int err = 0;

	*cfi = (struct cfi){ .file = file, .debug_frame = true };
	if (file->go || !part->size)
		return -ENODATA;
	if (from->debug_frame_packed)
		err = unpack(&section, CFI_UNPACKED_MAX, &cfi->unpacked);
	cfi->frames = section;
	return err ? err : make_index(cfi);
}

bool cfi_is_sparse(const struct cfi *cfi)
{
	uint64_t code = 0;

	for (uint32_t i = 0; i < cfi->file->load_count; i++)
		if (cfi->file->loads[i].executable)
			code += cfi->file->loads[i].part.size;
	return cfi->pair_count < SPARSE_FUNCTIONS + code / SPARSE_BYTES;
}

void cfi_release(struct cfi *cfi)
{
	free(cfi->index);
	free(cfi->unpacked);
	*cfi = (struct cfi){ 0 };
}
