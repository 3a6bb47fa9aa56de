/* SPDX-License-Identifier: Apache-2.0 */
/*
 * demangle.c - names of functions as people write them, see demangle.h.
 */
#include "tools/demangle.h"

#include <ctype.h>
#include <libiberty/demangle.h>
#include <setjmp.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

/* A name in D can double its length with every back reference, each of which has a 'Q'. */
#define BACK_REFERENCES_MAX 16

#define STYLE (DMGL_PARAMS | DMGL_ANSI)

struct readable {
	jmp_buf too_long;
	size_t bytes;
	char text[READABLE_BYTES_MAX];
};

/*
 * A short symbol can stand for a name as long as one likes: what was named once is referred to
 * by a few letters. libiberty gives no other way out of printing it; it allocates nothing then.
 */
static void take_text(const char *text, size_t bytes, void *ctx)
{
	struct readable *r = ctx;

	if (bytes >= sizeof(r->text) - r->bytes)
		longjmp(r->too_long, 1);
	memcpy(r->text + r->bytes, text, bytes);
	r->bytes += bytes;
}

static bool read_rust_or_cpp(const char *symbol, struct readable *r)
{
	r->bytes = 0;
	if (setjmp(r->too_long))
		return false;
	if (rust_demangle_callback(symbol, STYLE, take_text, r))
		return true;
	r->bytes = 0;
	return cplus_demangle_v3_callback(symbol, STYLE, take_text, r);
}

static char *read_d(const char *symbol)
{
	size_t references = 0;

	for (const char *at = symbol; *at; at++)
		references += *at == 'Q';
	return references > BACK_REFERENCES_MAX ? NULL : dlang_demangle(symbol, STYLE);
}

/* The name that a symbol stands for; NULL when it is no mangled one. */
static char *demangle(const char *symbol)
{
	struct readable *r;
	char *name = NULL;

	if (*symbol != '_' || strlen(symbol) > MANGLED_BYTES_MAX)
		return NULL;
	if (symbol[1] == 'D')
		return read_d(symbol);
	if (symbol[1] != 'Z' && symbol[1] != 'R')
		return NULL;
	r = malloc(sizeof(*r));
	if (r && read_rust_or_cpp(symbol, r))
		name = strndup(r->text, r->bytes);
	free(r);
	return name;
}

/* How long a name is without its version, "@@GLIBC_2.14"; "stub@plt" has none. */
static size_t unversioned_bytes(const char *symbol)
{
	const char *at = strchr(symbol, '@');
	const char *end = symbol + strlen(symbol);

	if (!at || !strcmp(at, "@plt"))
		return (size_t)(end - symbol);
	for (const char *c = at; c < end; c++)
		if (!isalnum((unsigned char)*c) && !strchr("@_.-+", *c))
			return (size_t)(end - symbol);
	return (size_t)(at - symbol);
}

char *readable_name(const char *symbol, bool is_short)
{
	char *plain = strndup(symbol, unversioned_bytes(symbol));
	char *name = plain ? demangle(plain) : NULL;

	if (!name)
		return plain;
	free(plain);
	if (is_short)
		short_name(name);
	return name;
}

static bool is_word(char c)
{
	return isalnum((unsigned char)c) || c == '_' || c == '$';
}

/* How long an operator's sign is that begins at @at, as behind the word "operator". */
static size_t operator_bytes(const char *at)
{
	static const char *const signs[] = { "<=>", "<<=", ">>=", "->*", "<<", ">>",
					     "<=",  ">=",  "->",  "()",	 "<",  ">" };

	for (size_t i = 0; i < sizeof(signs) / sizeof(*signs); i++)
		if (!strncmp(at, signs[i], strlen(signs[i])))
			return strlen(signs[i]);
	return 0;
}

/* Is the word that ends before @at "operator"? */
static bool behind_operator(const char *start, const char *at)
{
	static const char word[] = "operator";
	size_t bytes = sizeof(word) - 1;

	return (size_t)(at - start) >= bytes && !memcmp(at - bytes, word, bytes) &&
	       ((size_t)(at - start) == bytes || !is_word(at[-(ptrdiff_t)bytes - 1]));
}

/* The bracket that closes the one at @open; NULL when there is none. */
static const char *find_close(const char *open)
{
	const char *start = open;
	size_t angles = 0;
	size_t others = 0;

	for (const char *at = open; *at; at++) {
		if (behind_operator(start, at) && operator_bytes(at)) {
			at += operator_bytes(at) - 1;
		} else if (!strncmp(at, "->", 2)) {
			at++;
		} else if (strchr("([{", *at)) {
			others++;
		} else if (strchr(")]}", *at)) {
			if (!others--)
				return NULL;
		} else if (!others && *at == '<') {
			angles++;
		} else if (!others && *at == '>' && !--angles) {
			return at;
		}
	}
	return NULL;
}

/* Well-known instances: what stands before the '<', the first argument, and what to call it. */
static const struct {
	const char *instance;
	const char *name;
} known[] = {
	{ "std::basic_string<char", "std::string" },
	{ "std::basic_string<wchar_t", "std::wstring" },
	{ "std::basic_string_view<char", "std::string_view" },
	{ "std::basic_istream<char", "std::istream" },
	{ "std::basic_ostream<char", "std::ostream" },
	{ "std::basic_iostream<char", "std::iostream" },
	{ "std::basic_stringstream<char", "std::stringstream" },
	{ "std::basic_istringstream<char", "std::istringstream" },
	{ "std::basic_ostringstream<char", "std::ostringstream" },
	{ "std::basic_ifstream<char", "std::ifstream" },
	{ "std::basic_ofstream<char", "std::ofstream" },
	{ "std::basic_fstream<char", "std::fstream" },
};

/*
 * If what was written up to @to and the arguments at @open are such an instance, puts its name
 * there instead. Returns its end, or NULL.
 */
static char *write_known(const char *start, char *to, const char *open)
{
	for (size_t i = 0; i < sizeof(known) / sizeof(*known); i++) {
		size_t bytes = strcspn(known[i].instance, "<");
		const char *argument = known[i].instance + bytes;
		char next = open[strlen(argument)];

		if ((size_t)(to - start) < bytes || memcmp(to - bytes, known[i].instance, bytes) ||
		    ((size_t)(to - start) > bytes && is_word(to[-(ptrdiff_t)bytes - 1])) ||
		    strncmp(open, argument, strlen(argument)) || (next != ',' && next != '>'))
			continue;
		memcpy(to - bytes, known[i].name, strlen(known[i].name));
		return to - bytes + strlen(known[i].name);
	}
	return NULL;
}

/* Writes a name over itself, never ahead of where it reads. */
struct shortening {
	char *start;
	char *to;
	const char *at;
	const char *operator_end; /* where the last operator was written */
	bool is_broken;		  /* brackets do not match: the rest stays as it is */
};

/* Do arguments begin here? In Rust brackets may also hold a type, and lambdas have some too. */
static bool at_arguments(const struct shortening *s)
{
	static const char *const others[] = { "<impl ", "<lambda", "<unnamed" };

	if (*s->at != '<' || s->to == s->start || s->is_broken)
		return false;
	for (size_t i = 0; i < sizeof(others) / sizeof(*others); i++)
		if (!strncmp(s->at, others[i], strlen(others[i])))
			return false;
	return is_word(s->to[-1]) || s->to[-1] == ':' || s->to == s->operator_end ||
	       (s->to[-1] == ' ' && s->to - 1 == s->operator_end);
}

static void shorten_arguments(struct shortening *s)
{
	static const char elided[] = "<...>";
	const char *close = find_close(s->at);
	char *end = close ? write_known(s->start, s->to, s->at) : NULL;

	s->is_broken = !close;
	if (end) {
		s->to = end;
		s->at = close + 1;
	} else if (close && (size_t)(close + 1 - s->at) >= sizeof(elided)) {
		memcpy(s->to, elided, sizeof(elided) - 1);
		s->to += sizeof(elided) - 1;
		s->at = close + 1;
	} else {
		*s->to++ = *s->at++;
	}
}

void short_name(char *name)
{
	static const char inner[] = "__cxx11::";
	struct shortening s = { .start = name, .to = name, .at = name };

	while (*s.at) {
		size_t bytes = behind_operator(name, s.to) ? operator_bytes(s.at) : 0;

		if (bytes) {
			memmove(s.to, s.at, bytes);
			s.to += bytes;
			s.at += bytes;
			s.operator_end = s.to;
		} else if (!strncmp(s.at, inner, sizeof(inner) - 1)) {
			s.at += sizeof(inner) - 1;
		} else if (at_arguments(&s)) {
			shorten_arguments(&s);
		} else {
			*s.to++ = *s.at++;
		}
	}
	*s.to = 0;
}
