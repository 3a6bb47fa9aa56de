// SPDX-License-Identifier: Apache-2.0
/*
 * cfi_against_libdw.c - holds the unwind tables of whole files against elfutils' libdw.
 *
 * For every byte of every executable segment: what table_compile() has the walker do, and what
 * libdw says about that address, are both carried out on the same made-up registers and memory,
 * and have to give the same CFA, return address and saved registers. Where a row says that it is
 * beyond the walker nothing is compared, but those rows may be one in a thousand at most.
 *
 *   cfi_against_libdw [--vdso] FILE...     a FILE that is not there is passed over
 */
#include <dwarf.h>
#include <elf.h>
#include <elfutils/libdw.h>
#include <errno.h>
#include <fcntl.h>
#include <gelf.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <unistd.h>

#include "jail/startcode.h"
#include "jail/table.h"

#define MISTAKES_SHOWN	 10
#define BEYOND_PER_MILLE 1
#define STACK_MAX	 32
#define VDSO_BYTES	 8192
#define PASSED_OVER	 77
#define X86_PC		 16
#define ARM64_PC	 32
#define NO_PAGE		 UINT32_MAX

/* Registers by DWARF number; memory is a function of the address. */
struct machine {
	uint16_t type;
	uint64_t regs[33];
	unsigned int fp, bx, sp, pc; /* numbers of registers; bx 0: none is followed */
};

enum outcome_kind { STEP, END, NONE, BEYOND };

struct outcome {
	enum outcome_kind kind;
	uint64_t cfa, ra, fp, bx;
};

struct comparison {
	struct elf_file file;
	struct cfi cfi;
	Elf *elf;
	Dwarf_CFI *dwarf;
	struct machine machine;
	bool empty;	      /* the file has no call frame information: nothing may be found */
	uint32_t page_number; /* what is in page; NO_PAGE */
	uint64_t rows, beyond, none_bytes, mistakes;
};

static struct table_page page;

static uint64_t mix(uint64_t x)
{
	x = (x ^ x >> 30) * 0xBF58476D1CE4E5B9ull;
	x = (x ^ x >> 27) * 0x94D049BB133111EBull;
	return x ^ x >> 31;
}

/* Any two words differ, and look like addresses. */
static uint64_t memory(uint64_t address)
{
	return mix(address + 1) >> 16;
}

static void machine_init(struct machine *machine, uint16_t type)
{
	bool arm64 = type == EM_AARCH64;

	machine->type = type;
	machine->fp = arm64 ? 29 : 6;
	machine->bx = arm64 ? 0 : 3;
	machine->sp = arm64 ? 31 : 7;
	machine->pc = arm64 ? ARM64_PC : X86_PC;
	for (unsigned int i = 0; i < 33; i++)
		machine->regs[i] = (mix(i + 1) >> 20) & ~7ull;
}

/* What the walker would do. */
static void follow_rule(const struct machine *m, const struct unwind_rule *rule,
			struct outcome *ret)
{
	const uint64_t *regs = m->regs;
	uint64_t sp = regs[m->sp], fp = regs[m->fp], bx = regs[m->bx];
	uint64_t off = (uint64_t)(int64_t)rule->cfa_off;
	uint64_t deref = (uint64_t)(int64_t)rule->deref_off;

	*ret = (struct outcome){ .kind = STEP, .fp = fp, .bx = bx };
	switch (rule->cfa) {
	case UNWIND_NONE:
		ret->kind = NONE;
		return;
	case UNWIND_END:
		ret->kind = END;
		return;
	case UNWIND_SIGNAL: /* x86_64: struct ucontext at SP */
		*ret = (struct outcome){ .kind = STEP,
					 .cfa = memory(sp + 160),
					 .ra = memory(sp + 168),
					 .fp = memory(sp + 120),
					 .bx = memory(sp + 128) };
		return;
	case UNWIND_SP:
		ret->cfa = sp + off;
		break;
	case UNWIND_FP:
		ret->cfa = fp + off;
		break;
	case UNWIND_BX:
		ret->cfa = bx + off;
		break;
	case UNWIND_REG:
		ret->cfa = regs[rule->cfa_reg] + off;
		break;
	case UNWIND_SP_DEREF:
		ret->cfa = memory(sp + deref) + off;
		break;
	case UNWIND_FP_DEREF:
	case UNWIND_FP_ALIGNED:
		ret->cfa = memory(fp + deref) + off;
		break;
	case UNWIND_SP_INDEXED:
		ret->cfa = memory(sp + 8 * regs[rule->cfa_reg] + deref) + off;
		break;
	case UNWIND_PLT:
		ret->cfa = sp + 8 + ((regs[m->pc] & 15) >= rule->cfa_reg ? 8 : 0);
		break;
	default:
		ret->kind = BEYOND;
		return;
	}
	ret->ra = rule->ra == UNWIND_RA_REG ? regs[rule->ra_reg]
					    : memory(ret->cfa + (uint64_t)(int64_t)rule->ra_off);
	if (rule->cfa == UNWIND_FP_ALIGNED) {
		ret->fp = memory(fp);
		if (rule->bx_off)
			ret->bx = memory(fp + (uint64_t)(int64_t)rule->bx_off);
		return;
	}
	if (rule->fp_off)
		ret->fp = memory(ret->cfa + (uint64_t)(int64_t)rule->fp_off);
	if (rule->bx_off)
		ret->bx = memory(ret->cfa + (uint64_t)(int64_t)rule->bx_off);
}

/* The two-operand operations that occur; false: another. */
static bool binary_operation(uint8_t atom, uint64_t a, uint64_t b, uint64_t *ret)
{
	switch (atom) {
	case DW_OP_plus:
		*ret = a + b;
		return true;
	case DW_OP_minus:
		*ret = a - b;
		return true;
	case DW_OP_and:
		*ret = a & b;
		return true;
	case DW_OP_shl:
		*ret = a << (b & 63);
		return true;
	case DW_OP_mul:
		*ret = a * b;
		return true;
	case DW_OP_ge:
		*ret = (int64_t)a >= (int64_t)b;
		return true;
	default:
		return false;
	}
}

/* The numbers that one operation pushes without taking any; false: it is not of that kind. */
static bool push_operation(const struct machine *m, const Dwarf_Op *op, uint64_t cfa, uint64_t *ret)
{
	if (op->atom >= DW_OP_lit0 && op->atom <= DW_OP_lit31) {
		*ret = op->atom - DW_OP_lit0;
	} else if (op->atom >= DW_OP_breg0 && op->atom <= DW_OP_breg31) {
		*ret = m->regs[op->atom - DW_OP_breg0] + op->number;
	} else if (op->atom == DW_OP_bregx && op->number < 33) {
		*ret = m->regs[op->number] + op->number2;
	} else if (op->atom >= DW_OP_const1u && op->atom <= DW_OP_consts) {
		*ret = op->number;
	} else if (op->atom == DW_OP_call_frame_cfa) {
		*ret = cfa;
	} else {
		return false;
	}
	return true;
}

/*
 * Carries out an expression. @is_location: its result is the address of the value, unless its last
 * operation says otherwise. Return: whether all operations are known.
 */
static bool evaluate(const struct machine *m, const Dwarf_Op *ops, size_t count, uint64_t cfa,
		     bool is_location, uint64_t *ret)
{
	uint64_t stack[STACK_MAX];
	size_t depth = 0;

	for (size_t i = 0; i < count; i++) {
		const Dwarf_Op *op = &ops[i];
		uint64_t value;

		if (op->atom >= DW_OP_reg0 && op->atom <= DW_OP_reg31) {
			*ret = m->regs[op->atom - DW_OP_reg0];
			return count == 1;
		}
		if (op->atom == DW_OP_regx) {
			*ret = op->number < 33 ? m->regs[op->number] : 0;
			return count == 1;
		}
		if (push_operation(m, op, cfa, &value)) {
			if (depth == STACK_MAX)
				return false;
			stack[depth++] = value;
		} else if (op->atom == DW_OP_stack_value) {
			is_location = false;
		} else if (op->atom == DW_OP_deref && depth) {
			stack[depth - 1] = memory(stack[depth - 1]);
		} else if (op->atom == DW_OP_plus_uconst && depth) {
			stack[depth - 1] += op->number;
		} else if (depth >= 2 &&
			   binary_operation(op->atom, stack[depth - 2], stack[depth - 1], &value)) {
			stack[--depth - 1] = value;
		} else {
			return false;
		}
	}
	/* A register's expression finds the CFA below whatever it computes. */
	if (!depth)
		return false;
	*ret = is_location ? memory(stack[depth - 1]) : stack[depth - 1];
	return true;
}

/* The caller's register. @undefined: libdw says that nobody knows it. */
static bool dwarf_register(const struct machine *m, Dwarf_Frame *frame, unsigned int number,
			   uint64_t cfa, uint64_t *ret, bool *undefined)
{
	Dwarf_Op own[3], *ops = NULL;
	size_t count = 0;

	*undefined = false;
	*ret = m->regs[number];
	if (dwarf_frame_register(frame, (int)number, own, &ops, &count) != 0)
		return false;
	if (!count) {
		*undefined = ops != NULL;
		return true;
	}
	return evaluate(m, ops, count, cfa, true, ret);
}

/* What libdw would do. Return: false if it is nothing that evaluate() knows. */
static bool follow_dwarf(const struct machine *m, Dwarf_Frame *frame, struct outcome *ret)
{
	int ra = dwarf_frame_info(frame, NULL, NULL, NULL);
	bool undefined = false;
	Dwarf_Op *ops;
	size_t count;

	*ret = (struct outcome){ .kind = STEP, .fp = m->regs[m->fp], .bx = m->regs[m->bx] };
	if (ra < 0 || ra > ARM64_PC || dwarf_frame_cfa(frame, &ops, &count) != 0)
		return false;
	/* The end of a stack may be without a CFA. */
	if (!evaluate(m, ops, count, 0, false, &ret->cfa) && count)
		return false;
	if (!dwarf_register(m, frame, (unsigned int)ra, ret->cfa, &ret->ra, &undefined))
		return false;
	if (undefined) {
		ret->kind = END;
		return true;
	}
	if (!dwarf_register(m, frame, m->fp, ret->cfa, &ret->fp, &undefined))
		return false;
	return !m->bx || dwarf_register(m, frame, m->bx, ret->cfa, &ret->bx, &undefined);
}

static bool same(const struct outcome *a, const struct outcome *b)
{
	if (a->kind != b->kind)
		return false;
	return a->kind != STEP ||
	       (a->cfa == b->cfa && a->ra == b->ra && a->fp == b->fp && a->bx == b->bx);
}

static void mistake(struct comparison *c, uint64_t address, const struct outcome *ours,
		    const struct outcome *theirs)
{
	static const char *const kinds[] = { "step", "end", "none", "beyond" };

	if (++c->mistakes > MISTAKES_SHOWN)
		return;
	printf("  at %#llx: %s cfa %llx ra %llx fp %llx bx %llx, libdw: %s cfa %llx ra %llx fp "
	       "%llx bx %llx\n",
	       (unsigned long long)address, kinds[ours->kind], (unsigned long long)ours->cfa,
	       (unsigned long long)ours->ra, (unsigned long long)ours->fp,
	       (unsigned long long)ours->bx, kinds[theirs->kind], (unsigned long long)theirs->cfa,
	       (unsigned long long)theirs->ra, (unsigned long long)theirs->fp,
	       (unsigned long long)theirs->bx);
}

/* The rule at an offset of the file, and how many bytes it holds for, in its page at most. */
static const struct unwind_rule *look_up(struct comparison *c, uint64_t offset, uint64_t *bytes)
{
	static const struct unwind_rule none;
	uint32_t number = (uint32_t)(offset >> UNWIND_PAGE_SHIFT);
	uint32_t in_page = offset & (UNWIND_PAGE_BYTES - 1);
	uint32_t low = 0, high, end;

	if (c->empty) {
		*bytes = 1;
		return &none;
	}
	if (number != c->page_number) {
		int err = table_compile(&c->cfi, number, &page);

		if (err) {
			printf("  page %u: error %d\n", number, err);
			c->mistakes++;
			page.row_count = 0;
		}
		c->page_number = number;
	}
	*bytes = UNWIND_PAGE_BYTES - in_page;
	if (!page.row_count)
		return &none;
	high = page.row_count;
	while (high - low > 1) {
		uint32_t middle = low + (high - low) / 2;

		if (page.rows[middle].offset <= in_page)
			low = middle;
		else
			high = middle;
	}
	end = low + 1 < page.row_count ? page.rows[low + 1].offset : UNWIND_PAGE_BYTES;
	*bytes = end - in_page;
	return &page.rules[page.rows[low].rule];
}

/* Compares our rows of [address, end) with the one frame that libdw has for all of it. */
static void compare_row(struct comparison *c, const struct elf_part *part, Dwarf_Frame *frame,
			uint64_t address, uint64_t end)
{
	uint64_t bytes;

	for (; address < end; address += bytes) {
		uint64_t offset = part->offset + (address - part->address);
		const struct unwind_rule *rule = look_up(c, offset, &bytes);
		struct outcome ours, theirs;

		if (bytes > end - address)
			bytes = end - address;
		c->rows++;
		/* A rule may depend on where in its row the pc is: PLT entries. */
		for (uint64_t i = 0; i<bytes; i += bytes> 16 ? bytes / 16 : 1) {
			c->machine.regs[c->machine.pc] = address + i;
			follow_rule(&c->machine, rule, &ours);
			if (ours.kind == BEYOND) {
				c->beyond++;
				break;
			}
			if (!follow_dwarf(&c->machine, frame, &theirs) || !same(&ours, &theirs)) {
				mistake(c, address + i, &ours, &theirs);
				break;
			}
		}
	}
}

/* What is known of code that no call frame information covers; libdw does not know it. */
static bool known_without(const struct elf_file *file, uint64_t address)
{
	return address - file->entry < STARTCODE_ENTRY_BYTES ||
	       address - file->init.address < file->init.size ||
	       address - file->fini.address < file->fini.size ||
	       (file->machine == EM_AARCH64 &&
		(address - file->plt.address < file->plt.size || startcode_is_all(file)));
}

static void compare_segment(struct comparison *c, const struct elf_part *part)
{
	uint64_t end = part->address + part->size;
	uint64_t address = part->address;

	while (address < end) {
		struct outcome ours, theirs = { .kind = NONE };
		Dwarf_Addr row_start, row_end;
		Dwarf_Frame *frame;
		uint64_t bytes;

		if (c->dwarf && dwarf_cfi_addrframe(c->dwarf, address, &frame) == 0) {
			dwarf_frame_info(frame, &row_start, &row_end, NULL);
			if (row_end > end)
				row_end = end;
			compare_row(c, part, frame, address, row_end);
			free(frame);
			address = row_end > address ? row_end : address + 1;
			continue;
		}
		follow_rule(&c->machine,
			    look_up(c, part->offset + (address - part->address), &bytes), &ours);
		if (ours.kind != NONE && !known_without(&c->file, address))
			mistake(c, address, &ours, &theirs);
		c->none_bytes++;
		address++;
	}
}

/* Return: whether all of it is as libdw says. */
static bool compare(struct comparison *c, const char *name)
{
	int err = cfi_init(&c->cfi, &c->file);
	Dwarf *debug = NULL;

	if (c->file.go) {
		printf("%s: made by Go\n", name);
		return err == -ENODATA;
	}
	if (err && err != -ENODATA) {
		printf("%s: error %d\n", name, err);
		return false;
	}
	c->empty = err == -ENODATA;
	if (c->cfi.debug_frame)
		debug = dwarf_begin_elf(c->elf, DWARF_C_READ, NULL);
	c->dwarf = debug ? dwarf_getcfi(debug) : dwarf_getcfi_elf(c->elf);
	machine_init(&c->machine, c->file.machine);
	c->page_number = NO_PAGE;
	for (uint32_t i = 0; i < c->file.load_count; i++)
		if (c->file.loads[i].executable)
			compare_segment(c, &c->file.loads[i].part);
	if (debug)
		dwarf_end(debug);
	else
		dwarf_cfi_end(c->dwarf);
	printf("%s: %llu rows, %llu beyond, %llu bytes without, %llu mistakes\n", name,
	       (unsigned long long)c->rows, (unsigned long long)c->beyond,
	       (unsigned long long)c->none_bytes, (unsigned long long)c->mistakes);
	return !c->mistakes && (c->rows || c->empty) &&
	       c->beyond <= 1 + c->rows * BEYOND_PER_MILLE / 1000;
}

static bool compare_file(const char *path, int fd)
{
	struct comparison c = { 0 };
	bool ok = false;

	c.elf = elf_begin(fd, ELF_C_READ_MMAP, NULL);
	if (c.elf && elf_file_open_fd(&c.file, fd) == 0)
		ok = compare(&c, path);
	else
		printf("%s: cannot be read as an ELF file\n", path);
	elf_end(c.elf);
	cfi_release(&c.cfi);
	elf_file_close(&c.file);
	return ok;
}

/* The kernel maps it as whole pages, and its section headers are the last of it. */
static size_t vdso_size(const void *image)
{
	const Elf64_Ehdr *header = image;

	return header->e_shoff + (size_t)header->e_shnum * header->e_shentsize;
}

static bool compare_vdso(void)
{
	union {
		unsigned long address;
		void *image;
	} vdso = { .address = getauxval(AT_SYSINFO_EHDR) };
	struct comparison c = { 0 };
	bool ok = true;

	if (!vdso.image) {
		printf("vDSO: none\n");
		return true;
	}
	c.elf = elf_memory(vdso.image, vdso_size(vdso.image));
	ok = c.elf && elf_file_open_memory(&c.file, vdso.image, vdso_size(vdso.image)) == 0 &&
	     compare(&c, "vDSO");
	elf_end(c.elf);
	cfi_release(&c.cfi);
	return ok;
}

int main(int argc, char **argv)
{
	int compared = 0;
	bool ok = true;

	elf_version(EV_CURRENT);
	for (int i = 1; i < argc; i++) {
		int fd;

		if (strcmp(argv[i], "--vdso") == 0) {
			ok &= compare_vdso();
			compared++;
			continue;
		}
		fd = open(argv[i], O_RDONLY | O_CLOEXEC);
		if (fd < 0) {
			printf("%s: not here\n", argv[i]);
			continue;
		}
		ok &= compare_file(argv[i], fd);
		compared++;
		close(fd);
	}
	if (!compared) {
		printf("none of the files is here\n");
		return PASSED_OVER;
	}
	return ok ? EXIT_SUCCESS : EXIT_FAILURE;
}
