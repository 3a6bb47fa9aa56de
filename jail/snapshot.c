// SPDX-License-Identifier: Apache-2.0
/*
 * snapshot.c - the call chain of a thread that has long moved on.
 *
 * libunwind asks, at each step, for the function of an address (find_proc_info): there is decided
 * how the step is made, and when it is not made by tables libunwind is left, the step made here,
 * and libunwind begun anew with the registers of the caller. It reads the function's tables
 * through access_mem at the addresses they had in the target; nothing is cached, since the next
 * snapshot may be of another process.
 */
#include "jail/snapshot.h"

#include <dwarf.h>
#include <libunwind.h>
#include <string.h>

#include "jail/startcode.h"

/* Exported by libunwind for those who bring their own tables, but in no header of it. */
extern int UNW_OBJ(dwarf_search_unwind_table)(unw_addr_space_t, unw_word_t, unw_dyn_info_t *,
					      unw_proc_info_t *, int, void *);

/* By DWARF's numbers, which are libunwind's too. */
#if defined(__aarch64__)
#define REG_FP 29
#define REG_SP UNW_AARCH64_SP
#define REG_PC UNW_AARCH64_PC
#else
#define REG_FP UNW_X86_64_RBP
#define REG_SP UNW_X86_64_RSP
#define REG_PC UNW_X86_64_RIP
#endif

#define REGISTERS (REG_PC + 1)

/* Frames of more than this are not believed to a frame pointer; as in the walker. */
#define FRAME_BYTES_MAX (8u << 20)

/* Where libunwind finds the one pair of a search table that it needs; no address of a process. */
#define PAIR_ADDRESS 0xff00000000000000ull

/*
 * A function that has no entry in .eh_frame, but one in .debug_frame or none that is written down,
 * is shown to libunwind as an entry of .eh_frame, so far from its code that nothing else is near
 * (positions in tables are relative, of 31 bits).
 */
#define MADE_BYTES    16384
#define MADE_DISTANCE (1ull << 30)

/*
 * Reads of one walk: libunwind reads every byte of a table, a stack and an expression through
 * access_mem, about 200 times a frame, so this bounds its time whatever the tables say (to about
 * 20 ms).
 */
#define READS_MAX 1000000

/* User space has 48 bits of address; above are tags and authentication codes of arm64. */
#define ADDRESS_MASK ((1ull << 48) - 1)

struct walk {
	const struct snapshot *snapshot;
	unw_word_t registers[REGISTERS];
	/* Of the frame that is being left: */
	enum jail_end stop; /* how the walk ends, if it does for want of tables */
	bool frame_pointer; /* nothing stops it: make a frame-pointer step */
	bool innermost;	    /* a leaf, or what a signal came upon */
	bool doubtful;	    /* the caller of such a frame may be missing */
	uint32_t file;
	const struct cfi *cfi;
	uint64_t bias; /* runtime address - address in the file */
	uint8_t pair[8];
	uint64_t made_at; /* address of made[0] */
	uint32_t made_size;
	uint8_t made[MADE_BYTES];
	bool beyond; /* memory above the snapshot was wanted */
	uint32_t reads;
};

static const struct jail_mapping *find_mapping(const struct snapshot *s, uint64_t address)
{
	uint32_t low = 0, high = s->request->mappings;

	while (low < high) {
		uint32_t middle = low + (high - low) / 2;
		const struct jail_mapping *m = &s->mappings[middle];

		if (address < m->start)
			high = middle;
		else if (address >= m->end)
			low = middle + 1;
		else
			return m;
	}
	return NULL;
}

/* An 8-byte word of the stack's copy; notes when it would be above it. */
static bool read_stack(struct walk *w, uint64_t address, uint64_t *ret)
{
	const struct jail_walk_request *request = w->snapshot->request;
	uint64_t offset = address - request->stack_address;

	if (address < request->stack_address)
		return false;
	if (offset >= request->stack_bytes || request->stack_bytes - offset < sizeof(*ret)) {
		w->beyond = true;
		return false;
	}
	memcpy(ret, w->snapshot->stack + offset, sizeof(*ret));
	return true;
}

/*
 * A word of the current file as it is mapped. libunwind reads whole aligned words to pick bytes
 * from: those of them that are not in a segment are 0.
 */
static bool read_file(const struct walk *w, uint64_t address, uint64_t *ret)
{
	const struct elf_file *file = w->cfi->file;
	uint8_t bytes[sizeof(*ret)] = { 0 };
	bool any = false;

	for (size_t i = 0, n; i < sizeof(bytes); i += n) {
		struct elf_part part;

		n = 1;
		if (elf_file_locate(file, address - w->bias + i, &part))
			continue;
		n = part.size < sizeof(bytes) - i ? part.size : sizeof(bytes) - i;
		memcpy(bytes + i, file->data + part.offset, n);
		any = true;
	}
	memcpy(ret, bytes, sizeof(bytes));
	return any;
}

#if defined(__aarch64__)
/* A signed return address, without its signature. */
static uint64_t strip(const struct walk *w, uint64_t value)
{
	return value >> 48 && find_mapping(w->snapshot, value & ADDRESS_MASK) ? value & ADDRESS_MASK
									      : value;
}
#else
static uint64_t strip(const struct walk *w, uint64_t value)
{
	(void)w;
	return value;
}
#endif

static int access_mem(unw_addr_space_t space, unw_word_t address, unw_word_t *value, int write,
		      void *arg)
{
	struct walk *w = arg;
	uint64_t word;

	(void)space;
	if (write || ++w->reads > READS_MAX)
		return -UNW_EINVAL;
	if (address == PAIR_ADDRESS) {
		memcpy(value, w->pair, sizeof(w->pair));
		return 0;
	}
	if (w->made_size && address - w->made_at <= w->made_size - sizeof(word)) {
		memcpy(value, w->made + (address - w->made_at), sizeof(*value));
		return 0;
	}
	if (w->cfi && read_file(w, address, &word)) {
		*value = word;
		return 0;
	}
	if (!read_stack(w, address, &word))
		return -UNW_EINVAL;
	*value = strip(w, word);
	return 0;
}

static int access_reg(unw_addr_space_t space, unw_regnum_t number, unw_word_t *value, int write,
		      void *arg)
{
	const struct walk *w = arg;

	(void)space;
	if (write || number < 0 || number >= REGISTERS)
		return -UNW_EBADREG;
	*value = w->registers[number];
	return 0;
}

/* The address in the file of an offset in it; the segment with the code wins. */
static bool file_address(const struct elf_file *file, uint64_t offset, uint64_t *ret)
{
	const struct elf_load *found = NULL;

	for (uint32_t i = 0; i < file->load_count; i++) {
		const struct elf_load *load = &file->loads[i];

		if (offset < load->part.offset || offset - load->part.offset >= load->part.size)
			continue;
		if (!found || load->executable)
			found = load;
	}
	if (!found)
		return false;
	*ret = found->part.address + (offset - found->part.offset);
	return true;
}

/* What is known of the code in a mapping; w->cfi if tables. */
static enum snapshot_tables find_tables(struct walk *w, const struct jail_mapping *m)
{
	if (m->file == JAIL_FILE_NONE)
		return SNAPSHOT_FRAME_POINTERS;
	if (m->file == JAIL_FILE_UNUSABLE)
		return SNAPSHOT_UNUSABLE;
	w->file = m->file;
	return w->snapshot->find(w->snapshot->files, m->file, &w->cfi);
}

/* Decides how the step from an address is made; true when by tables. */
static bool choose_step(struct walk *w, uint64_t address)
{
	const struct jail_mapping *m = find_mapping(w->snapshot, address);
	enum snapshot_tables tables = m ? find_tables(w, m) : SNAPSHOT_UNUSABLE;
	uint64_t in_file;

	w->beyond = false;
	w->made_size = 0;
	w->frame_pointer = tables == SNAPSHOT_FRAME_POINTERS;
	w->stop = !m			       ? JAIL_END_NO_MAPPING
		  : tables == SNAPSHOT_UNKNOWN ? JAIL_END_FILE
					       : JAIL_END_NO_TABLE;
	if (tables != SNAPSHOT_TABLES ||
	    !file_address(w->cfi->file, address - m->start + m->file_offset, &in_file)) {
		w->cfi = NULL;
		return false;
	}
	w->bias = address - in_file;
	return true;
}

/* There is room: make_entry() sees to that. */
static void put(struct walk *w, const void *data, size_t size)
{
	memcpy(w->made + w->made_size, data, size);
	w->made_size += (uint32_t)size;
}

/* LEB128 in ten bytes; what fills a number up to 70 bits is what a shift brings in. */
static void put_leb(struct walk *w, int64_t value, bool is_signed)
{
	uint8_t bytes[10];

	for (size_t i = 0; i < sizeof(bytes); i++) {
		bytes[i] = (uint8_t)(value & 0x7f) | (i < sizeof(bytes) - 1 ? 0x80 : 0);
		value = is_signed ? value >> 7 : (int64_t)((uint64_t)value >> 7);
	}
	put(w, bytes, sizeof(bytes));
}

/* The length of an entry, which is known when it ends. */
static void put_length(struct walk *w, uint32_t begin)
{
	const uint32_t length = w->made_size - begin - (uint32_t)sizeof(length);

	memcpy(w->made + begin, &length, sizeof(length));
}

/* Makes a CIE and an FDE of .eh_frame, and the pair that names it; false if it is too long. */
static bool make_entry(struct walk *w, uint64_t address, const struct cfi_fde *fde)
{
	const struct cfi_cie *cie = &fde->cie;
	const uint8_t ra = (uint8_t)cie->ra, zero = 0;
	const char *augmentation = cie->signal_frame ? "zRS" : "zR";
	const uint64_t place[2] = { fde->start + w->bias, fde->end - fde->start };
	const struct jail_walk_request *r = w->snapshot->request;
	uint32_t fde_at, head[3] = { 0, 0, 0 };
	int32_t pair[2] = { 0 };

	w->stop = JAIL_END_BAD;
	if (cie->ra > UINT8_MAX || bytes_left(&cie->program) > sizeof(w->made) / 4 ||
	    bytes_left(&fde->program) > sizeof(w->made) / 2)
		return false;
	w->made_at = (address & ~7ull) + MADE_DISTANCE;
	if (w->made_at + sizeof(w->made) > r->stack_address &&
	    w->made_at < r->stack_address + r->stack_bytes)
		w->made_at -= 2 * MADE_DISTANCE;
	put(w, head, 8);
	put(w, "\1", 1);
	put(w, augmentation, strlen(augmentation) + 1);
	put_leb(w, (int64_t)cie->code_align, false);
	put_leb(w, cie->data_align, true);
	put(w, &ra, 1);
	put(w, (const uint8_t[]){ 1, DW_EH_PE_absptr }, 2);
	put(w, cie->program.at, bytes_left(&cie->program));
	put_length(w, 0);
	fde_at = w->made_size;
	head[1] = fde_at + 4; /* how far the CIE is behind */
	put(w, head, 8);
	put(w, place, sizeof(place));
	put(w, &zero, 1);
	put(w, fde->program.at, bytes_left(&fde->program));
	put_length(w, fde_at);
	w->made_size = (w->made_size + 7) & ~7u; /* it is read in words */
	pair[1] = (int32_t)(w->made_at + fde_at - address);
	memcpy(w->pair, pair, sizeof(w->pair));
	return true;
}

/* Asks libunwind to use the function that w->pair names; -UNW_ENOINFO if it does not cover it. */
static int use_pair(struct walk *w, unw_addr_space_t space, uint64_t address, uint64_t base,
		    unw_proc_info_t *info, int need_unwind_info)
{
	unw_dyn_info_t table = { .format = UNW_INFO_FORMAT_REMOTE_TABLE };

	table.start_ip = address;
	table.end_ip = address + 1;
	table.u.rti.segbase = base;
	table.u.rti.table_data = PAIR_ADDRESS;
	table.u.rti.table_len = sizeof(w->pair) / sizeof(unw_word_t);
	return UNW_OBJ(dwarf_search_unwind_table)(space, address, &table, info, need_unwind_info,
						  w);
}

/* A function that is not in .eh_frame: in .debug_frame, or of the start files. */
static bool find_unlisted(struct walk *w, uint64_t in_file, struct startcode *ret)
{
	const struct cfi *last = w->cfi->more ? w->cfi->more : w->cfi;

	memset(&ret->fde, 0, sizeof(ret->fde));
	ret->outermost = false;
	if (last->debug_frame && !cfi_find_fde(last, in_file, &ret->fde))
		return true;
	return startcode_at(w->cfi, in_file, ret);
}

/* The function is looked up here, and libunwind given a search table of just that one. */
static int find_proc_info(unw_addr_space_t space, unw_word_t address, unw_proc_info_t *info,
			  int need_unwind_info, void *arg)
{
	struct walk *w = arg;
	struct startcode found;
	uint32_t pair;
	int err;

	if (!choose_step(w, address))
		return -UNW_ESTOPUNWIND;
	if (!w->cfi->debug_frame) {
		pair = cfi_find(w->cfi, address - w->bias);
		memcpy(w->pair, w->cfi->pairs + (size_t)pair * sizeof(w->pair), sizeof(w->pair));
		err = use_pair(w, space, address, w->cfi->base + w->bias, info, need_unwind_info);
		if (err != -UNW_ENOINFO)
			return err;
	}
	if (!find_unlisted(w, address - w->bias, &found)) {
		/* In no table: made by another compiler, as V8's is. */
		w->frame_pointer = true;
	} else if (found.outermost) {
		w->stop = JAIL_END_COMPLETE;
	} else if (make_entry(w, address, &found.fde)) {
		return use_pair(w, space, address, address, info, need_unwind_info);
	}
	/* Or libunwind would begin to guess. */
	return -UNW_ESTOPUNWIND;
}

static int no_dynamic_info(unw_addr_space_t space, unw_word_t *ret, void *arg)
{
	(void)space, (void)ret, (void)arg;
	return -UNW_ENOINFO;
}

static void nothing_to_put(unw_addr_space_t space, unw_proc_info_t *info, void *arg)
{
	(void)space, (void)info, (void)arg;
}

struct unw_addr_space *snapshot_space(void)
{
	unw_accessors_t accessors = {
		.find_proc_info = find_proc_info,
		.put_unwind_info = nothing_to_put,
		.get_dyn_info_list_addr = no_dynamic_info,
		.access_mem = access_mem,
		.access_reg = access_reg,
	};
	unw_addr_space_t space = unw_create_addr_space(&accessors, 0);

	if (space)
		unw_set_caching_policy(space, UNW_CACHE_NONE);
	return space;
}

/*
 * The caller by the frame pointer: where it points to are the caller's, and above that the return
 * address. A frame lies above the one that it called, and near: else the register holds something
 * else. A leaf without a frame of its own is told by its return address, at the top of the stack:
 * there the frame pointer leads past the caller, as in the walker. Returns true with w->registers
 * those of the caller, or false with w->stop.
 */
static bool step_by_frame_pointer(struct walk *w, unw_cursor_t *cursor)
{
	uint64_t fp, sp, caller_fp, ra, top;

	for (int i = 0; i < REGISTERS; i++) {
		if (unw_get_reg(cursor, i, &w->registers[i]))
			w->registers[i] = 0; /* undefined, by the tables of an earlier frame */
	}
	fp = w->registers[REG_FP];
	sp = w->registers[REG_SP];
	w->stop = fp || w->innermost ? JAIL_END_NO_TABLE : JAIL_END_COMPLETE;
	if (fp % 8 || fp < sp || fp - sp > FRAME_BYTES_MAX)
		return false;
	w->stop = JAIL_END_SHORT;
	if (!read_stack(w, fp, &caller_fp) || !read_stack(w, fp + 8, &ra))
		return false;
	if (w->innermost && read_stack(w, sp, &top) && find_mapping(w->snapshot, top))
		w->doubtful = true;
	w->registers[REG_FP] = caller_fp;
	w->registers[REG_SP] = fp + 16;
	w->registers[REG_PC] = strip(w, ra);
	return true;
}

/* Has the stack pointer moved down, and not because a signal came on another stack? */
static bool went_back(unw_cursor_t *from, unw_cursor_t *to)
{
	unw_word_t before = 0, after = 0;

	(void)unw_get_reg(from, REG_SP, &before);
	(void)unw_get_reg(to, REG_SP, &after);
	return after < before && unw_is_signal_frame(from) <= 0;
}

#if defined(__aarch64__)
/*
 * libunwind reads the code first, to tell a signal frame by it, and where it cannot it goes on with
 * x30 for the address: so the file with the code is found before. And it goes on by x30 when the
 * tables fail; what it took x30 from is no register of the frame any more.
 */
static int step_by_tables(struct walk *w, unw_cursor_t *cursor)
{
	unw_word_t address;
	unw_save_loc_t x30;
	int result;

	if (unw_get_reg(cursor, UNW_REG_IP, &address) || !choose_step(w, address))
		return -UNW_ESTOPUNWIND;
	result = unw_step(cursor);
	if (result > 0 &&
	    (unw_get_save_loc(cursor, UNW_AARCH64_X30, &x30) || x30.type == UNW_SLT_NONE))
		return -UNW_EINVAL;
	return result;
}
#else
static int step_by_tables(struct walk *w, unw_cursor_t *cursor)
{
	(void)w;
	return unw_step(cursor);
}
#endif

/*
 * One step, by whatever leads on. Returns true with the caller's address, or false with w->stop.
 * libunwind is begun anew after a step that it did not make; since it takes the address that it is
 * given for that of a leaf, it gets the one before the return address.
 */
static bool step(struct walk *w, struct unw_addr_space *space, unw_cursor_t *cursor, uint64_t *ret)
{
	unw_cursor_t from = *cursor;
	int result = step_by_tables(w, cursor);

	if (result == 0) {
		w->stop = JAIL_END_COMPLETE;
		return false;
	}
	if (result > 0) {
		w->stop = JAIL_END_BAD;
		w->innermost = unw_is_signal_frame(&from) > 0;
		return !unw_get_reg(cursor, UNW_REG_IP, ret) && !went_back(&from, cursor);
	}
	if (!w->frame_pointer) {
		if (w->cfi && result != -UNW_ESTOPUNWIND)
			w->stop = w->beyond ? JAIL_END_SHORT : JAIL_END_BAD;
		return false;
	}
	if (!step_by_frame_pointer(w, &from))
		return false;
	w->innermost = false;
	*ret = w->registers[REG_PC];
	w->registers[REG_PC]--;
	w->stop = JAIL_END_BAD;
	return unw_init_remote(cursor, space, w) == 0;
}

void snapshot_walk(struct unw_addr_space *space, const struct snapshot *snapshot,
		   struct jail_walk_answer *ret, uint64_t frames[MAX_FRAMES])
{
	struct walk w = { .snapshot = snapshot, .stop = JAIL_END_BAD, .innermost = true };
	unw_cursor_t cursor;
	uint64_t pc;

	for (int i = 0; i < REGISTERS; i++)
		w.registers[i] = strip(&w, snapshot->request->registers[i]);
	pc = w.registers[REG_PC];
	*ret = (struct jail_walk_answer){ .status = JAIL_OK };
	frames[ret->frames++] = pc;
	if (!unw_init_remote(&cursor, space, &w)) {
		while (step(&w, space, &cursor, &pc)) {
			w.stop = pc ? JAIL_END_FRAMES_FULL : JAIL_END_ZERO;
			if (!pc || ret->frames == MAX_FRAMES)
				break;
			frames[ret->frames++] = pc;
		}
	}
	/* What is not in code is no frame; but the leaf is where the thread is. */
	if (w.stop == JAIL_END_NO_MAPPING && ret->frames > 1)
		ret->frames--;
	ret->end = w.stop == JAIL_END_COMPLETE && w.doubtful ? JAIL_END_DOUBTFUL : w.stop;
	if (w.stop == JAIL_END_FILE)
		ret->file = w.file;
}
