// SPDX-License-Identifier: Apache-2.0
/*
 * symtab.c - names of places by the symbol tables of a file, see symtab.h.
 *
 * Each symbol is looked at once. A place keeps the best that covers it so far; a gap between two
 * places keeps what starts last in it, for those symbols that have no size. Names are read where
 * two symbols have to be compared, and of those without a type.
 */
#include "jail/symtab.h"

#include <elf.h>
#include <errno.h>
#include <string.h>
#include <sys/mman.h>

#include "jail/pltstubs.h"

#define PAGE_BYTES 4096

/* Pages of a mapped table are given back when so many symbols, or names, have been read. */
#define SYMBOLS_KEEP (1u << 15)
#define NAMES_KEEP   64

/* The tables */

/* Pages that lie wholly in a part of a mapped file; they stay in the page cache. */
static void give_back(const void *at, size_t size)
{
	const uintptr_t start = ((uintptr_t)at + PAGE_BYTES - 1) & ~(uintptr_t)(PAGE_BYTES - 1);
	const uintptr_t end = ((uintptr_t)at + size) & ~(uintptr_t)(PAGE_BYTES - 1);

	if (start < end)
		madvise((void *)start, end - start, MADV_DONTNEED);
}

/* Takes the first table of a type, if there is one. */
static bool add_source(struct symtab *s, const uint8_t *data, size_t size, bool mapped,
		       uint32_t type)
{
	struct symtab_source *source = &s->sources[s->source_count];
	Elf64_Shdr header, names;
	struct bytes text;

	sections_open(&source->sections, data, size);
	if (!sections_of_type(&source->sections, type, &header) ||
	    !sections_get(&source->sections, header.sh_link, &names))
		return false;
	text = sections_content(&source->sections, &names);
	source->symbols = sections_content(&source->sections, &header);
	source->names = (const char *)text.at;
	source->names_size = bytes_left(&text);
	source->mapped = mapped;
	if (bytes_left(&source->symbols) / sizeof(Elf64_Sym) <= 1 || !source->names_size)
		return false;
	s->source_count++;
	return true;
}

/* What cannot be decompressed costs its names, and not those of .dynsym. */
static void add_minidebug(struct symtab *s, const struct elf_file *file)
{
	struct sections sections;
	Elf64_Shdr header;

	sections_open(&sections, file->data, file->size);
	if (!sections_named(&sections, ".gnu_debugdata", &header))
		return;
	if (!minidebug_open(&s->minidebug, sections_content(&sections, &header)))
		add_source(s, s->minidebug.data, s->minidebug.size, false, SHT_SYMTAB);
}

static void find_sources(struct symtab *s, const struct elf_file *file,
			 const struct elf_file *debug)
{
	s->source_count = 0;
	if (add_source(s, file->data, file->size, file->mapped, SHT_SYMTAB) ||
	    (debug && add_source(s, debug->data, debug->size, debug->mapped, SHT_SYMTAB)))
		return;
	add_source(s, file->data, file->size, file->mapped, SHT_DYNSYM);
	add_minidebug(s, file);
}

/* The names */

/* A name that begins at an offset of the string table; at NULL if there is none. */
static struct symtab_name name_at(const struct symtab_source *source, uint32_t offset)
{
	if (!offset || offset >= source->names_size)
		return (struct symtab_name){ .at = NULL };
	return (struct symtab_name){ .at = source->names + offset,
				     .room = source->names_size - offset };
}

/* To be called before a name is read: each may map 64 KB of a large table. */
static void count_name(struct symtab *s)
{
	if (++s->names_read < NAMES_KEEP)
		return;
	s->names_read = 0;
	for (uint32_t i = 0; i < s->source_count; i++) {
		if (s->sources[i].mapped)
			give_back(s->sources[i].names, s->sources[i].names_size);
	}
}

static size_t name_limit(const struct symtab_name *name)
{
	return name->room < JAIL_NAME_BYTES_MAX ? name->room : JAIL_NAME_BYTES_MAX;
}

static size_t leading_underscores(const struct symtab_name *name)
{
	size_t n = 0;

	while (n < name_limit(name) && name->at[n] == '_')
		n++;
	return n;
}

/* As strcmp(); what is equal for as long as a name may be is equal. */
static int compare_names(const struct symtab_name *a, const struct symtab_name *b)
{
	const size_t limit_a = name_limit(a), limit_b = name_limit(b);

	for (size_t i = 0; i < JAIL_NAME_BYTES_MAX; i++) {
		const int x = i < limit_a ? (unsigned char)a->at[i] : 0;
		const int y = i < limit_b ? (unsigned char)b->at[i] : 0;

		if (x != y || !x)
			return x - y;
	}
	return 0;
}

static int bind_rank(uint8_t bind)
{
	return bind == STB_GLOBAL ? 3 : bind == STB_WEAK ? 2 : bind == STB_LOCAL ? 1 : 0;
}

/* Of two symbols of the same start, is @a the one that people know? */
static bool is_better(const struct symtab_symbol *a, const struct symtab_symbol *b)
{
	size_t underscores_a, underscores_b;

	if ((a->type == STT_NOTYPE) != (b->type == STT_NOTYPE))
		return b->type == STT_NOTYPE;
	underscores_a = leading_underscores(&a->name);
	underscores_b = leading_underscores(&b->name);
	if (underscores_a != underscores_b)
		return underscores_a < underscores_b;
	if (bind_rank(a->bind) != bind_rank(b->bind))
		return bind_rank(a->bind) > bind_rank(b->bind);
	return compare_names(&a->name, &b->name) < 0;
}

/* The symbols */

/* A symbol that covers a place, of the same start as the best one so far or a later one. */
static void take(struct symtab *s, struct symtab_symbol *best, const struct symtab_symbol *symbol)
{
	if (best->name.at && symbol->start < best->start)
		return;
	if (best->name.at && symbol->start == best->start) {
		count_name(s);
		if (!is_better(symbol, best))
			return;
	}
	*best = *symbol;
}

/* Where the section ends that a symbol without a size lies in. */
static uint64_t section_limit(const struct symtab_source *source, const Elf64_Sym *sym)
{
	Elf64_Shdr header;

	if (!sections_get(&source->sections, sym->st_shndx, &header) ||
	    sym->st_value < header.sh_addr || sym->st_value - header.sh_addr >= header.sh_size)
		return 0;
	return header.sh_addr + header.sh_size;
}

/* Something starts in a gap: it may be the last. */
static void start_in_gap(struct symtab *s, const struct symtab_source *source,
			 struct symtab_label *label, struct symtab_symbol *symbol,
			 const Elf64_Sym *sym)
{
	if (label->any && symbol->start < label->start)
		return;
	if (!label->any || symbol->start > label->start)
		*label = (struct symtab_label){ .start = symbol->start, .any = true };
	if (sym->st_size) {
		label->sized = true;
		return;
	}
	symbol->limit = section_limit(source, sym);
	if (symbol->limit)
		take(s, &label->symbol, symbol);
}

/* The same as of the tools: what may be code. Names of the assembler's marks begin with a '$'. */
static bool is_code(struct symtab *s, const Elf64_Sym *sym, const struct symtab_name *name)
{
	const int type = ELF64_ST_TYPE(sym->st_info);

	if (sym->st_shndx == SHN_UNDEF || sym->st_shndx == SHN_ABS || !name->at)
		return false;
	if (type == STT_NOTYPE) {
		count_name(s);
		return *name->at && *name->at != '$';
	}
	return type == STT_FUNC || type == STT_GNU_IFUNC;
}

static struct symtab_symbol make_symbol(const struct symtab_source *source, const Elf64_Sym *sym)
{
	return (struct symtab_symbol){ .start = sym->st_value,
				       .name = name_at(source, sym->st_name),
				       .type = ELF64_ST_TYPE(sym->st_info),
				       .bind = ELF64_ST_BIND(sym->st_info) };
}

static int add_symbol(struct symtab *s, const struct symtab_source *source, const Elf64_Sym *sym)
{
	struct symtab_symbol symbol = make_symbol(source, sym);
	struct places_span span;
	uint64_t end;

	if (!is_code(s, sym, &symbol.name) ||
	    __builtin_add_overflow(symbol.start, sym->st_size, &end))
		return 0;
	span = places_add(&s->places, symbol.start, end);
	start_in_gap(s, source, &s->label[span.first], &symbol, sym);
	if (s->work < span.last - span.first)
		return -E2BIG;
	s->work -= span.last - span.first;
	for (uint32_t i = span.first; i < span.last; i++)
		take(s, &s->best[i], &symbol);
	return 0;
}

static int add_symbols(struct symtab *s, const struct symtab_source *source)
{
	const size_t count = bytes_left(&source->symbols) / sizeof(Elf64_Sym);
	const uint8_t *at = source->symbols.at;

	if (count > s->work)
		return -E2BIG;
	s->work -= (uint32_t)count;
	for (size_t i = 1; i < count; i++) {
		Elf64_Sym sym;
		int err;

		if (source->mapped && i % SYMBOLS_KEEP == 0)
			give_back(at + (i - SYMBOLS_KEEP) * sizeof(sym),
				  SYMBOLS_KEEP * sizeof(sym));
		memcpy(&sym, at + i * sizeof(sym), sizeof(sym));
		err = add_symbol(s, source, &sym);
		if (err)
			return err;
	}
	return 0;
}

/* The answers */

/* What starts last before a place may have begun before an earlier one. */
static void settle(struct symtab *s)
{
	places_settle(&s->places);
	for (uint32_t i = 1; i <= s->places.count; i++) {
		if (!s->label[i].any)
			s->label[i] = s->label[i - 1];
	}
}

/* Copies a name, which may change meanwhile, up to its version. Return: how long it is. */
static size_t copy_name(struct symtab *s, const char *name, size_t room)
{
	if (room > sizeof(s->text) - 1)
		room = sizeof(s->text) - 1;
	count_name(s);
	s->text[room] = '\0';
	memccpy(s->text, name, '\0', room);
	return strcspn(s->text, "@");
}

/* A stretch of addresses, and the length of its name in s->text. */
struct found {
	uint64_t start;
	uint64_t end;
	size_t name_size;
};

/* The function that is chosen by a resolver: a symbol of its own kind is at the same address. */
static struct symtab_name find_chosen(struct symtab *s, uint64_t resolver)
{
	struct symtab_symbol best = { .start = resolver };

	for (uint32_t i = 0; i < s->source_count; i++) {
		struct bytes left = s->sources[i].symbols;
		struct symtab_symbol symbol;
		Elf64_Sym sym;

		for (; s->work && bytes_left(&left) >= sizeof(sym); s->work--) {
			bytes_read(&left, &sym, sizeof(sym));
			if (sym.st_value != resolver || ELF64_ST_TYPE(sym.st_info) != STT_GNU_IFUNC)
				continue;
			symbol = make_symbol(&s->sources[i], &sym);
			if (is_code(s, &sym, &symbol.name))
				take(s, &best, &symbol);
		}
	}
	return best.name;
}

static void find_stub(struct symtab *s, const struct stubs *stubs, uint64_t address,
		      struct found *found)
{
	static const char suffix[] = "@plt";
	struct symtab_name name;
	struct stub stub;

	if (!stubs_find(stubs, address, &s->work, &stub))
		return;
	if (found->start < stub.start)
		found->start = stub.start;
	if (found->end > stub.end)
		found->end = stub.end;
	name = (struct symtab_name){ .at = stub.name, .room = stub.room };
	if (stub.resolver)
		name = find_chosen(s, stub.resolver);
	if (!name.at)
		return;
	found->name_size = copy_name(s, name.at, name.room);
	if (!found->name_size)
		return;
	if (found->name_size > sizeof(s->text) - sizeof(suffix))
		found->name_size = sizeof(s->text) - sizeof(suffix);
	memcpy(s->text + found->name_size, suffix, sizeof(suffix));
	found->name_size += sizeof(suffix) - 1;
}

static struct found find_place(struct symtab *s, const struct stubs *stubs, uint32_t i)
{
	const uint64_t address = s->places.at[i];
	const struct symtab_label *label = &s->label[i];
	const struct symtab_name *name = &s->best[i].name;
	struct found found = { .start = s->places.gap[i].last, .end = s->places.gap[i + 1].first };

	if (!name->at && label->any && !label->sized && label->symbol.name.at) {
		const uint64_t limit = label->symbol.limit;

		if (address < limit) {
			name = &label->symbol.name;
			found.end = found.end < limit ? found.end : limit;
		} else {
			found.start = found.start > limit ? found.start : limit;
		}
	}
	if (name->at)
		found.name_size = copy_name(s, name->at, name->room);
	else
		find_stub(s, stubs, address, &found);
	return found;
}

/*
 * Answers the places of one segment, in offsets. Return: false if the answer is full.
 */
static bool answer_segment(struct symtab *s, const struct stubs *stubs, const struct elf_part *part,
			   struct name_answer *ret)
{
	const uint64_t to_offset = part->offset - part->address;
	uint64_t done = ret->count ? ret->stretches[ret->count - 1].end : 0;

	for (uint32_t i = 0; i < s->places.count; i++) {
		const uint64_t offset = s->places.at[i] + to_offset;
		struct found found;

		if (offset < done)
			continue;
		found = find_place(s, stubs, i);
		if (found.start < part->address)
			found.start = part->address;
		if (found.end - part->address > part->size)
			found.end = part->address + part->size;
		found.start += to_offset;
		if (found.start < done)
			found.start = done;
		done = found.end + to_offset;
		if (!name_answer_add(ret, found.start, done, s->text, found.name_size))
			return false;
	}
	return true;
}

/* Names the places of one segment, by one pass over the tables. */
static int name_segment(struct symtab *s, const struct stubs *stubs, const uint64_t *addresses,
			uint32_t count)
{
	int err = 0;

	places_init(&s->places, addresses, count);
	memset(s->best, 0, count * sizeof(s->best[0]));
	memset(s->label, 0, (count + 1) * sizeof(s->label[0]));
	for (uint32_t i = 0; i < stubs->count; i++)
		places_add(&s->places, stubs->sections[i].start, stubs->sections[i].end);
	for (uint32_t i = 0; !err && i < s->source_count; i++)
		err = add_symbols(s, &s->sources[i]);
	settle(s);
	return err;
}

/* The first executable segment that has an offset; NULL if there is none. */
static const struct elf_part *find_segment(const struct elf_file *file, uint64_t offset)
{
	for (uint32_t i = 0; i < file->load_count; i++) {
		const struct elf_part *part = &file->loads[i].part;

		if (file->loads[i].executable && offset >= part->offset &&
		    offset - part->offset < part->size)
			return part;
	}
	return NULL;
}

/*
 * Answers the first of the places, and the others of its segment. Return: how many, 0 when the
 * answer is full, or -errno.
 */
static int answer_some(struct symtab *s, const struct elf_file *file, const struct stubs *stubs,
		       const uint64_t *offsets, uint32_t count, struct name_answer *ret)
{
	const struct elf_part *part = find_segment(file, offsets[0]);
	uint64_t addresses[JAIL_NAMES_MAX];
	uint32_t n;
	int err;

	if (!part)
		return name_answer_add(ret, offsets[0], offsets[0] + 1, NULL, 0);
	for (n = 0; n < count && offsets[n] - part->offset < part->size; n++)
		addresses[n] = offsets[n] - part->offset + part->address;
	err = name_segment(s, stubs, addresses, n);
	if (err)
		return err;
	return answer_segment(s, stubs, part, ret) ? (int)n : 0;
}

int symtab_names(struct symtab *s, const struct elf_file *file, const struct elf_file *debug,
		 const uint64_t *offsets, uint32_t count, struct name_answer *ret)
{
	struct sections sections;
	struct stubs stubs;
	uint32_t done = 0;
	int n = 1;

	symtab_release(s);
	s->work = SYMTAB_WORK_MAX;
	s->names_read = 0;
	name_answer_init(ret);
	sections_open(&sections, file->data, file->size);
	stubs_open(&stubs, file, &sections);
	find_sources(s, file, debug);
	while (done < count && n > 0) {
		n = answer_some(s, file, &stubs, offsets + done, count - done, ret);
		done += n > 0 ? (uint32_t)n : 0;
	}
	symtab_release(s);
	return n < 0 ? n : 0;
}

void symtab_release(struct symtab *s)
{
	minidebug_release(&s->minidebug);
}
