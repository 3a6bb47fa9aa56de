/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_tools_demangle.c - names become what people wrote, short ones stay recognisable, and no
 * name costs more than a bounded time.
 */
#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tools/demangle.h"

struct example {
	const char *from;
	const char *to;
};

Test(tools_demangle, languages)
{
	static const struct example examples[] = {
		{ "main", "main" },
		{ "work.part.0", "work.part.0" },
		{ "work.constprop.0.cold", "work.constprop.0.cold" },
		{ "memcpy@@GLIBC_2.14", "memcpy" },
		{ "memcpy@GLIBC_2.2.5", "memcpy" },
		{ "memcpy@plt", "memcpy@plt" },
		{ "JS:*run@/srv/app.js", "JS:*run@/srv/app.js" },
		{ "_ZN3foo3barEi", "foo::bar(int)" },
		{ "_ZN3foo3barEi@@VERS_1", "foo::bar(int)" },
		{ "_ZN3foo3barEi.cold", "foo::bar(int) [clone .cold]" },
		{ "_ZN3foo3barEi.isra.0.part.1", "foo::bar(int) [clone .isra.0] [clone .part.1]" },
		{ "_ZNKSt6vectorIiSaIiEE4sizeEv",
		  "std::vector<int, std::allocator<int> >::size() const" },
		/* Rust, legacy: without its hash */
		{ "_ZN4core3fmt9Formatter3pad17h0123456789abcdefE", "core::fmt::Formatter::pad" },
		{ "_ZN60_$LT$alloc..string..String$u20$as$u20$core..fmt..Display$GT$"
		  "3fmt17h0123456789abcdefE",
		  "<alloc::string::String as core::fmt::Display>::fmt" },
		/* Rust, v0 */
		{ "_RNvCs15kBYyAo9fc_7mycrate7example", "mycrate::example" },
		{ "_RINvNtC3std3mem8align_ofjdE", "std::mem::align_of::<usize, f64>" },
		/* D */
		{ "_D8demangle4testFZv", "demangle.test()" },
		{ "_Dmain", "D main" },
		/* what only looks mangled */
		{ "_Zebra", "_Zebra" },
		{ "_DYNAMIC", "_DYNAMIC" },
		{ "_Restore", "_Restore" },
		{ "", "" },
		{ "_", "_" },
	};

	for (size_t i = 0; i < sizeof(examples) / sizeof(*examples); i++) {
		char *name = readable_name(examples[i].from, false);

		cr_assert(not(zero(ptr, name)));
		cr_expect(zero(int, strcmp(name, examples[i].to)), "%s, not %s", name,
			  examples[i].to);
		free(name);
	}
}

Test(tools_demangle, short_names)
{
	static const struct example examples[] = {
		{ "main", "main" },
		{ "std::vector<int, std::allocator<int> >::push_back(int const&)",
		  "std::vector<...>::push_back(int const&)" },
		{ "std::__cxx11::basic_string<char, std::char_traits<char>, std::allocator<char> "
		  ">::append(char const*)",
		  "std::string::append(char const*)" },
		{ "f(std::map<std::__cxx11::basic_string<wchar_t>, int>, "
		  "std::__cxx11::basic_string<char, x> const&)",
		  "f(std::map<...>, std::string const&)" },
		{ "my_std::basic_string<char, x>::f()", "my_std::basic_string<...>::f()" },
		{ "std::basic_string<char16_t, x>::f()", "std::basic_string<...>::f()" },
		{ "std::basic_ostream<char, std::char_traits<char> >& std::operator<< "
		  "<std::char_traits<char> >(std::basic_ostream<char, std::char_traits<char> >&, "
		  "char const*)",
		  "std::ostream& std::operator<< <...>(std::ostream&, char const*)" },
		{ "A::operator<(A<int, int> const&) const", "A::operator<(A<...> const&) const" },
		{ "A<int, int>::operator->() const", "A<...>::operator->() const" },
		{ "A<int, int>::operator()(int) const", "A<...>::operator()(int) const" },
		{ "A<&(B::operator>(B const&)), 1>::f()", "A<...>::f()" },
		{ "A<(1>2), int>::f()", "A<...>::f()" },
		{ "bool operator<=> <int, int>(X<int, int>)", "bool operator<=> <...>(X<...>)" },
		{ "(anonymous namespace)::f<int, int>()::{lambda(std::vector<int>)#1}::operator()",
		  "(anonymous namespace)::f<...>()::{lambda(std::vector<int>)#1}::operator()" },
		{ "ns::<lambda(int, int)>", "ns::<lambda(int, int)>" },
		{ "<alloc::vec::Vec<alloc::string::String> as core::fmt::Debug>::fmt",
		  "<alloc::vec::Vec<...> as core::fmt::Debug>::fmt" },
		{ "core::ptr::drop_in_place::<alloc::string::String>",
		  "core::ptr::drop_in_place::<...>" },
		{ "core::fmt::num::<impl core::fmt::Display for u32>::fmt",
		  "core::fmt::num::<impl core::fmt::Display for u32>::fmt" },
		{ "A<int>::f()", "A<int>::f()" }, /* nothing to gain */
		{ "a<b<c<d<e", "a<b<c<d<e" },
		{ "a<b)c>d", "a<b)c>d" },
		{ "f<int, int>() [clone .cold]", "f<...>() [clone .cold]" },
	};

	for (size_t i = 0; i < sizeof(examples) / sizeof(*examples); i++) {
		char *name = strdup(examples[i].from);

		cr_assert(not(zero(ptr, name)));
		short_name(name);
		cr_expect(zero(int, strcmp(name, examples[i].to)), "%s, not %s", name,
			  examples[i].to);
		free(name);
	}
}

/* f(A<int>, A<1st, 1st>, A<2nd, 2nd>, ...): every argument is twice as long as that before. */
Test(tools_demangle, a_short_symbol_that_means_a_long_name, .timeout = 20)
{
	static const char digit[] = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ";
	char symbol[1024] = "_Z1f1AIiES_IS_S_E";
	char *name;

	for (size_t i = 0; i < 48; i++) {
		char more[32];
		char id[3] = { digit[i % 36] };

		if (i >= 36) {
			id[0] = digit[i / 36];
			id[1] = digit[i % 36];
		}
		snprintf(more, sizeof(more), "S_IS%s_S%s_E", id, id);
		strcat(symbol, more);
	}
	name = readable_name(symbol, true);
	cr_assert(not(zero(ptr, name)));
	cr_expect(zero(int, strcmp(name, symbol)), "not left as it was");
	free(name);
}

Test(tools_demangle, names_made_to_hurt, .timeout = 20)
{
	static const char *const beginnings[] = { "_Z", "_Z1f", "_R", "_RNv", "_D", "_D1a", "_ZN" };
	static const char *const repeated[] = { "P",  "1a", "I",  "S_", "N",
						"T_", "Q",  "B_", "F",	"DpT_" };

	for (size_t i = 0; i < sizeof(beginnings) / sizeof(*beginnings); i++) {
		for (size_t k = 0; k < sizeof(repeated) / sizeof(*repeated); k++) {
			for (size_t bytes = 1000; bytes < 3 * MANGLED_BYTES_MAX; bytes *= 3) {
				char *symbol = calloc(1, bytes + 16);
				char *name;

				cr_assert(not(zero(ptr, symbol)));
				strcpy(symbol, beginnings[i]);
				for (size_t at = strlen(symbol); at < bytes;
				     at += strlen(repeated[k]))
					strcpy(symbol + at, repeated[k]);
				name = readable_name(symbol, true);
				cr_assert(not(zero(ptr, name)));
				free(name);
				free(symbol);
			}
		}
	}
}

/* Brackets that nothing closes must not be looked for again and again. */
Test(tools_demangle, short_names_in_linear_time, .timeout = 20)
{
	size_t bytes = 1 << 22;
	char *name = malloc(bytes + 1);

	cr_assert(not(zero(ptr, name)));
	for (size_t i = 0; i < bytes; i++)
		name[i] = "a<"[i % 2];
	name[bytes] = 0;
	short_name(name);
	cr_expect(eq(sz, strlen(name), bytes));
	free(name);
}
