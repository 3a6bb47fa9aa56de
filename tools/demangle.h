/* SPDX-License-Identifier: Apache-2.0 */
/*
 * demangle.h - names of functions as people write them.
 *
 * Names come from files of whoever was profiled: time and size of a result are bounded, whatever
 * a name says. What cannot be read stays as it is.
 */
#ifndef PROFILER_DEMANGLE_H
#define PROFILER_DEMANGLE_H

#include <stdbool.h>

/* What libiberty is trusted with; longer names stay as they are, or were made to hurt. */
#define MANGLED_BYTES_MAX  8192
#define READABLE_BYTES_MAX 32768

/**
 * readable_name() - a symbol's name as in the source
 * @symbol: as in a symbol table or DWARF
 * @is_short: shortened by short_name()
 *
 * C++, Rust (legacy and v0) and D. What compilers put behind the names of parts and copies of
 * functions is kept: " [clone .cold]" in C++, ".cold" in C. A version behind an '@' is cut off.
 *
 * Return: the name, to be freed by the caller; NULL without memory.
 */
char *readable_name(const char *symbol, bool is_short) __attribute__((warn_unused_result));

/**
 * short_name() - shorten a readable C++ or Rust name in place
 * @name: the name
 *
 * The arguments of templates become "<...>", well-known instances get the name that people use:
 * "std::map<int, int>::at(std::__cxx11::basic_string<char, ...> const&)" becomes
 * "std::map<...>::at(std::string const&)". Never longer than it was.
 */
void short_name(char *name);

#endif /* PROFILER_DEMANGLE_H */
