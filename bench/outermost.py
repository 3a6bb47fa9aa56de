# SPDX-License-Identifier: Apache-2.0
"""outermost.py - whether a frame is where a stack begins, by what its ELF file says.

The rule. A stack is complete when its outermost frame is in code that nobody called:

 1. the call frame information of that code says that it has no return address
    (DW_CFA_undefined of the return address's register). glibc says so of _start, clone and
    clone3, and so of the first frame of each program and of each thread, whatever their names,
    also in stripped files; or
 2. it is the entry point of a file that has no such information there, as the dynamic linker:
    from e_entry up to the first code that has some.

Nothing else is an end: not main(), not a frame without a caller, not a name. JIT code does not
change the rule: below it are the functions that called it, and below those _start. Files are read
here without any code of the profiler's or of its libraries, so that they can be held against it.

A sample in a process without a user stack has none to be whole: where the program is being
replaced (exec) or is gone (exit), by the names of the kernel's functions, see NO_STACK.
"""
import bisect
import mmap
import os
import re
import struct

NO_STACK = re.compile("exec|do_exit|do_group_exit|exit_mm|mmput|ret_from_fork|schedule_tail")
NO_LIMIT = 1 << 64
SHT_SYMTAB, SHT_DYNSYM, SHT_NOBITS = 2, 11, 8
PT_LOAD, PT_GNU_EH_FRAME = 1, 0x6474E550
RETURN_ADDRESS = {62: 16, 183: 30}  # DWARF register by e_machine: x86_64, aarch64

# Operands of the call frame instructions: u = ULEB128, s = SLEB128, b = block, digits = bytes.
OPERANDS = {0x00: "", 0x02: "1", 0x03: "2", 0x04: "4", 0x05: "uu", 0x06: "u", 0x07: "u",
            0x08: "u", 0x09: "uu", 0x0A: "", 0x0B: "", 0x0C: "uu", 0x0D: "u", 0x0E: "u",
            0x0F: "b", 0x10: "ub", 0x11: "us", 0x12: "us", 0x13: "s", 0x14: "uu", 0x15: "us",
            0x16: "ub", 0x2D: "", 0x2E: "u", 0x2F: "uu"}


class Bad(Exception):
    """Not an ELF file that can be read here."""


def uleb(data, at):
    value = shift = 0
    while True:
        byte = data[at]
        at += 1
        value |= (byte & 0x7F) << shift
        shift += 7
        if not byte & 0x80:
            return value, at


def sleb(data, at):
    begin = at
    value, at = uleb(data, at)
    bits = 7 * (at - begin)
    return value - (1 << bits) if value >> (bits - 1) else value, at


class Fde:
    """One entry of .eh_frame: the code it is for, and what it says of the return address."""

    def __init__(self, start, size, cie, instructions):
        self.start, self.end = start, start + size
        self.cie, self.instructions = cie, instructions

    def undefined_at(self, addr, register):
        """Is there no return address at an instruction?"""
        state = {"loc": self.start, "undefined": False, "stack": []}
        if run(self.cie["instructions"], state, NO_LIMIT, register, self.cie):
            run(self.instructions, state, addr, register, self.cie)
        return state["undefined"]


def run(code, state, limit, register, cie):
    """Follows call frame instructions until they are past limit; False when they are."""
    at = 0
    while at < len(code):
        op, at = code[at], at + 1
        high, low = op & 0xC0, op & 0x3F
        if high == 0x40:
            state["loc"] += low * cie["code_align"]
        elif high:  # offset and restore of a register
            if high == 0x80:
                _, at = uleb(code, at)
            if low == register:
                state["undefined"] = False
        elif op == 0x01:
            state["loc"], at = cie["read"](code, at)
        else:
            values, at = operands(code, at, op)
            apply(op, values, state, register, cie)
        if state["loc"] > limit:
            return False
    return True


def operands(code, at, op):
    values = []
    if op not in OPERANDS:
        raise Bad(f"call frame instruction {op:#x}")
    for kind in OPERANDS[op]:
        if kind == "u":
            value, at = uleb(code, at)
        elif kind == "s":
            value, at = sleb(code, at)
        elif kind == "b":
            size, at = uleb(code, at)
            value, at = None, at + size
        else:
            value, at = int.from_bytes(code[at:at + int(kind)], "little"), at + int(kind)
        values.append(value)
    return values, at


def apply(op, values, state, register, cie):
    if op in (0x02, 0x03, 0x04):
        state["loc"] += values[0] * cie["code_align"]
    elif op == 0x0A:
        state["stack"].append(state["undefined"])
    elif op == 0x0B and state["stack"]:
        state["undefined"] = state["stack"].pop()
    elif op in (0x05, 0x06, 0x07, 0x08, 0x09, 0x10, 0x11, 0x14, 0x15, 0x16):
        if values[0] == register:
            state["undefined"] = op == 0x07


class Elf:
    """A 64-bit little-endian ELF file: segments, sections, symbols, .eh_frame."""

    def __init__(self, path):
        with open(path, "rb") as f:
            if os.fstat(f.fileno()).st_size < 64:
                raise Bad("too small")
            self.data = mmap.mmap(f.fileno(), 0, access=mmap.ACCESS_READ)
        self.parse()

    def parse(self):
        data = self.data
        if data[:6] != b"\x7fELF\x02\x01":
            raise Bad("not a 64-bit little-endian ELF file")
        (_, self.machine, _, self.entry, phoff, shoff, _, _, phentsize, phnum, shentsize, shnum,
         shstrndx) = struct.unpack_from("<HHIQQQIHHHHHH", data, 16)
        self.segments = [struct.unpack_from("<IIQQQQQQ", data, phoff + i * phentsize)
                         for i in range(phnum)]
        self.loads = [(offset, vaddr, filesz) for kind, _, offset, vaddr, _, filesz, _, _
                      in self.segments if kind == PT_LOAD]
        headers = [struct.unpack_from("<IIQQQQIIQQ", data, shoff + i * shentsize)
                   for i in range(shnum)]
        names = headers[shstrndx][4] if headers else 0
        self.sections = [(self.string(names + h[0]), *h[1:]) for h in headers]
        self.register = RETURN_ADDRESS.get(self.machine, 16)
        self.fdes = {}
        self.linear = None
        self.symbol_list = None

    def string(self, at):
        return self.data[at:self.data.find(b"\0", at)].decode("utf-8", "replace")

    def vaddr(self, offset):
        """The address of an offset in the file; None where nothing is loaded from there."""
        for start, vaddr, size in self.loads:
            if start <= offset < start + size:
                return offset - start + vaddr
        return None

    def offset(self, vaddr):
        for start, first, size in self.loads:
            if first <= vaddr < first + size:
                return vaddr - first + start
        raise Bad(f"address {vaddr:#x} is not in the file")

    # Names

    def symbols(self):
        """[(start, end, name)] of functions, by address; from .symtab, or else .dynsym."""
        if self.symbol_list is None:
            tables = {s[1]: s for s in self.sections}
            table = tables.get(SHT_SYMTAB) or tables.get(SHT_DYNSYM)
            self.symbol_list = sorted(self.read_symbols(table)) if table else []
        return self.symbol_list

    def read_symbols(self, table):
        offset, size, strings = table[4], table[5], self.sections[table[6]][4]
        for name, info, _, section, value, length in struct.iter_unpack(
                "<IBBHQQ", self.data[offset:offset + size]):
            if not (info & 15 in (0, 2, 10) and section and value):
                continue
            text = self.string(strings + name)
            if not text.startswith("$"):  # arm64 marks where code and data begin
                yield value, value + length, text

    def name(self, offset):
        """The function at an offset of the file, else the section in brackets."""
        addr = self.vaddr(offset)
        if addr is None:
            return "[unmapped]"
        symbols = self.symbols()
        i = bisect.bisect_right(symbols, (addr, NO_LIMIT, "")) - 1
        section = self.section(addr)
        if i >= 0 and addr < symbols[i][1]:
            return symbols[i][2]
        # One without a size reaches to the next, but not out of its section.
        if i >= 0 and symbols[i][0] == symbols[i][1] and self.section(symbols[i][0]) == section:
            return symbols[i][2]
        return f"[{section}]"

    def section(self, addr):
        for name, _, _, start, _, size, *_ in self.sections:
            if start and start <= addr < start + size:
                return name
        return "?"

    # Call frame information

    def fde(self, addr):
        """The entry for an address, or None."""
        table = next((s for s in self.segments if s[0] == PT_GNU_EH_FRAME), None)
        if table and self.data[table[2]:table[2] + 4] == b"\x01\x1b\x03\x3b":
            return self.from_table(table, addr)
        if self.linear is None:
            self.linear = sorted(self.scan(), key=lambda f: f.start)
            self.starts = [f.start for f in self.linear]
        i = bisect.bisect_right(self.starts, addr) - 1
        return self.linear[i] if i >= 0 and addr < self.linear[i].end else None

    def from_table(self, segment, addr):
        """Through the sorted table of .eh_frame_hdr (pc-relative, 4-byte entries)."""
        base, at = segment[3], segment[2]
        count = struct.unpack_from("<I", self.data, at + 8)[0]
        low, high = 0, count
        while low < high:
            middle = (low + high) // 2
            if base + struct.unpack_from("<i", self.data, at + 12 + 8 * middle)[0] > addr:
                high = middle
            else:
                low = middle + 1
        if low == 0:
            return None
        where = base + struct.unpack_from("<i", self.data, at + 12 + 8 * (low - 1) + 4)[0]
        fde = self.read_fde(self.offset(where))
        return fde if fde and fde.start <= addr < fde.end else None

    def scan(self):
        for name, kind, _, _, offset, size, *_ in self.sections:
            if name != ".eh_frame" or kind == SHT_NOBITS:
                continue
            at = offset
            while at + 4 < offset + size:
                length = struct.unpack_from("<I", self.data, at)[0]
                if length == 0:
                    break
                if struct.unpack_from("<I", self.data, at + 4)[0]:
                    yield self.read_fde(at)
                at += 4 + length

    def read_fde(self, at):
        if at not in self.fdes:
            length, back = struct.unpack_from("<II", self.data, at)
            end = at + 4 + length
            cie = self.read_cie(at + 4 - back)
            start, p = self.pointer(at + 8, cie["encoding"])
            size, p = self.pointer(p, cie["encoding"] & 0x0F)
            if cie["augmented"]:
                skip, p = uleb(self.data, p)
                p += skip
            self.fdes[at] = Fde(start, size, cie, self.data[p:end])
        return self.fdes[at]

    def read_cie(self, at):
        data = self.data
        length, version = struct.unpack_from("<I4xB", data, at)
        end, text = at + 4 + length, self.string(at + 9)
        p = at + 9 + len(text) + 1
        code_align, p = uleb(data, p)
        _, p = sleb(data, p)
        p = p + 1 if version == 1 else uleb(data, p)[1]
        encoding = 0
        if text.startswith("z"):
            size, p = uleb(data, p)
            instructions = p + size
            for letter in text[1:]:
                if letter == "R":
                    encoding, p = data[p], p + 1
                elif letter == "P":
                    _, p = self.pointer(p + 1, data[p] & 0x0F)
                elif letter == "L":
                    p += 1
            p = instructions
        elif text:
            raise Bad(f"augmentation {text!r}")
        return {"code_align": code_align, "encoding": encoding, "augmented": text.startswith("z"),
                "signal": "S" in text, "instructions": data[p:end],
                "read": lambda code, i: self.pointer_in(code, i, encoding)}

    def pointer(self, at, encoding):
        value, size = self.plain(self.data, at, encoding)
        if encoding & 0x70 == 0x10:
            value += self.vaddr(at)
        elif encoding & 0x70:
            raise Bad(f"pointer encoding {encoding:#x}")
        return value & (NO_LIMIT - 1), at + size

    def pointer_in(self, code, at, encoding):
        """Of DW_CFA_set_loc, which nothing uses with relative pointers."""
        if encoding & 0x70:
            raise Bad("DW_CFA_set_loc relative to itself")
        value, size = self.plain(code, at, encoding)
        return value, at + size

    @staticmethod
    def plain(data, at, encoding):
        form = {0x00: "<Q", 0x02: "<H", 0x03: "<I", 0x04: "<Q", 0x09: "<q", 0x0A: "<h",
                0x0B: "<i", 0x0C: "<q"}.get(encoding & 0x0F)
        if not form:
            raise Bad(f"pointer encoding {encoding:#x}")
        return struct.unpack_from(form, data, at)[0], struct.calcsize(form)

    def is_static(self):
        return not any(s[0] == 3 for s in self.segments)  # PT_INTERP

    # The rule

    def begins_at(self, offset):
        """Is the code at an offset of the file called by nobody?"""
        addr = self.vaddr(offset)
        if addr is None:
            return False
        fde = self.fde(addr)
        if fde:
            return fde.undefined_at(addr, self.register)
        if not self.entry or self.fde(self.entry):
            return False
        # No information from the entry point on up to here, which is a dozen instructions or two.
        return self.entry <= addr < self.entry + 64 and not any(
            self.fde(a) for a in range(self.entry, addr))

    def signal_frame(self, offset):
        addr = self.vaddr(offset)
        fde = self.fde(addr) if addr is not None else None
        return bool(fde and fde.cie["signal"])


class Files:
    """ELF files by path, each read once; those that cannot be read are None."""

    def __init__(self):
        self.files, self.ends, self.names = {}, {}, {}

    def get(self, path):
        if path not in self.files:
            try:
                self.files[path] = Elf(path)
            except (OSError, Bad, ValueError, struct.error, IndexError):
                self.files[path] = None
        return self.files[path]

    def begins_at(self, path, offset):
        """The rule for a frame; a return address may be the first byte after its call's code."""
        key = path, offset
        if key not in self.ends:
            elf = self.get(path)
            try:
                self.ends[key] = bool(elf) and (elf.begins_at(offset) or
                                                offset > 0 and elf.begins_at(offset - 1))
            except (Bad, struct.error, IndexError, TypeError):
                self.ends[key] = False
        return self.ends[key]

    def signal_frame(self, path, offset):
        elf = self.get(path)
        return bool(elf) and elf.signal_frame(offset)

    def name(self, path, offset):
        key = path, offset
        if key not in self.names:
            elf = self.get(path)
            self.names[key] = elf.name(offset) if elf else "[?]"
        return self.names[key]
