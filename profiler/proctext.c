// SPDX-License-Identifier: Apache-2.0
/*
 * proctext.c - pure parsers of text that the kernel writes in /proc.
 *
 * All of them move a cursor over a counted string with the same few steps, each of which
 * looks at a byte only after it has seen that there is one. A step that fails leaves its result
 * alone, and the parser refuses the line.
 */
#include "profiler/proctext.h"

#include <errno.h>
#include <string.h>

#define PF_KTHREAD 0x00200000 /* include/linux/sched.h; not in the uapi, but shown by stat */

/* Words of /proc/PID/stat behind the name, counted from 0. */
enum stat_word {
	STAT_STATE,
	STAT_PARENT,
	STAT_FLAGS = 6,
	STAT_THREADS = 17,
	STAT_START = 19,
};

struct cursor {
	const char *at;
	const char *end;
};

static bool take_char(struct cursor *c, char wanted)
{
	if (c->at == c->end || *c->at != wanted)
		return false;
	c->at++;
	return true;
}

static void skip_blanks(struct cursor *c)
{
	while (c->at < c->end && (*c->at == ' ' || *c->at == '\t'))
		c->at++;
}

static int digit_value(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	return -1;
}

/* A number without sign or prefix, not above @max. */
static bool take_number(struct cursor *c, unsigned int base, uint64_t max, uint64_t *ret)
{
	const char *at = c->at;
	uint64_t value = 0;

	for (; at < c->end; at++) {
		int digit = digit_value(*at);

		if (digit < 0 || (unsigned int)digit >= base)
			break;
		if (value > (max - (unsigned int)digit) / base)
			return false;
		value = value * base + (unsigned int)digit;
	}
	if (at == c->at)
		return false;
	c->at = at;
	*ret = value;
	return true;
}

static bool take_hex(struct cursor *c, uint64_t *ret)
{
	return take_number(c, 16, UINT64_MAX, ret);
}

static bool take_u32(struct cursor *c, unsigned int base, uint32_t *ret)
{
	uint64_t value;

	if (!take_number(c, base, UINT32_MAX, &value))
		return false;
	*ret = (uint32_t)value;
	return true;
}

/* Everything up to the next blank or the end; never empty. */
static bool take_word(struct cursor *c, const char **word, size_t *size)
{
	const char *at = c->at;

	while (at < c->end && *at != ' ' && *at != '\t')
		at++;
	if (at == c->at)
		return false;
	*word = c->at;
	*size = (size_t)(at - c->at);
	c->at = at;
	return true;
}

/* start-end perms offset major:minor inode [path] */
int proctext_parse_map(const char *line, size_t size, struct proctext_map *ret)
{
	struct cursor c = { line, line + size };
	struct proctext_map map = { .path = "" };
	const char *perms;
	size_t perms_size;

	if (!take_hex(&c, &map.start) || !take_char(&c, '-') || !take_hex(&c, &map.end) ||
	    !take_char(&c, ' ') || !take_word(&c, &perms, &perms_size) || perms_size != 4 ||
	    !take_char(&c, ' ') || !take_hex(&c, &map.file_offset) || !take_char(&c, ' ') ||
	    !take_u32(&c, 16, &map.dev_major) || !take_char(&c, ':') ||
	    !take_u32(&c, 16, &map.dev_minor) || !take_char(&c, ' ') ||
	    !take_number(&c, 10, UINT64_MAX, &map.inode) || map.end <= map.start)
		return -EINVAL;
	if (c.at < c.end && !take_char(&c, ' '))
		return -EINVAL;
	skip_blanks(&c);
	map.executable = perms[2] == 'x';
	if (c.at < c.end) {
		map.path = c.at;
		map.path_size = (size_t)(c.end - c.at);
	}
	*ret = map;
	return 0;
}

/* The name as the kernel keeps it: stat writes a newline as \n and a backslash as \\. */
static void copy_comm(char *comm, size_t room, const char *at, const char *end)
{
	size_t n = 0;

	for (; at < end && n + 1 < room; at++) {
		char c = *at;

		if (c == '\\' && at + 1 < end && (at[1] == '\\' || at[1] == 'n'))
			c = *++at == 'n' ? '\n' : '\\';
		comm[n++] = c;
	}
	comm[n] = '\0';
}

static bool parse_stat_word(struct proctext_stat *stat, unsigned int index, const char *word,
			    size_t size)
{
	struct cursor c = { word, word + size };
	uint64_t flags;

	switch (index) {
	case STAT_STATE:
		stat->state = *word;
		return size == 1;
	case STAT_PARENT:
		return take_u32(&c, 10, &stat->parent_pid) && c.at == c.end;
	case STAT_FLAGS:
		if (!take_number(&c, 10, UINT64_MAX, &flags))
			return false;
		stat->kernel_thread = flags & PF_KTHREAD;
		return c.at == c.end;
	case STAT_THREADS:
		return take_u32(&c, 10, &stat->threads) && c.at == c.end;
	case STAT_START:
		return take_number(&c, 10, UINT64_MAX, &stat->start_ticks);
	default:
		return true;
	}
}

/* pid (name) state parent ...; the name may hold anything, so it ends at the last parenthesis. */
int proctext_parse_stat(const char *text, size_t size, struct proctext_stat *ret)
{
	const char *close = memrchr(text, ')', size);
	struct cursor c = { text, text + size };
	struct proctext_stat stat = { 0 };

	if (!take_u32(&c, 10, &stat.pid) || !take_char(&c, ' ') || !take_char(&c, '(') || !close ||
	    close < c.at)
		return -EINVAL;
	copy_comm(stat.comm, sizeof(stat.comm), c.at, close);
	c.at = close + 1;
	for (unsigned int i = 0; i <= STAT_START; i++) {
		const char *word;
		size_t word_size;

		if (!take_char(&c, ' ') || !take_word(&c, &word, &word_size) ||
		    !parse_stat_word(&stat, i, word, word_size))
			return -EINVAL;
	}
	*ret = stat;
	return 0;
}

/* address type name [\t[module]] */
int proctext_parse_symbol(const char *line, size_t size, struct proctext_symbol *ret)
{
	struct cursor c = { line, line + size };
	struct proctext_symbol symbol = { .module = "" };
	const char *type;
	size_t type_size;

	if (!take_hex(&c, &symbol.addr) || !take_char(&c, ' ') ||
	    !take_word(&c, &type, &type_size) || type_size != 1 || !take_char(&c, ' ') ||
	    !take_word(&c, &symbol.name, &symbol.name_size))
		return -EINVAL;
	symbol.type = *type;
	skip_blanks(&c);
	if (take_char(&c, '[')) {
		if (!take_word(&c, &symbol.module, &symbol.module_size) || symbol.module_size < 2 ||
		    symbol.module[symbol.module_size - 1] != ']')
			return -EINVAL;
		symbol.module_size--;
		skip_blanks(&c);
	}
	if (c.at != c.end)
		return -EINVAL;
	*ret = symbol;
	return 0;
}

/* name size users dependencies state 0xaddress [taints] */
int proctext_parse_module(const char *line, size_t size, struct proctext_module *ret)
{
	struct cursor c = { line, line + size };
	struct proctext_module module = { 0 };
	const char *word;
	size_t word_size;

	if (!take_word(&c, &module.name, &module.name_size) || !take_char(&c, ' ') ||
	    !take_number(&c, 10, UINT64_MAX, &module.size))
		return -EINVAL;
	for (int i = 0; i < 3; i++) {
		if (!take_char(&c, ' ') || !take_word(&c, &word, &word_size))
			return -EINVAL;
	}
	if (!take_char(&c, ' ') || !take_char(&c, '0') || !take_char(&c, 'x') ||
	    !take_hex(&c, &module.addr))
		return -EINVAL;
	*ret = module;
	return 0;
}
