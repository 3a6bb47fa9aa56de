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

/* include/linux/sched.h; not in the uapi, but shown by stat */
#define PF_EXITING 0x00000004
#define PF_KTHREAD 0x00200000

#define DELETED " (deleted)"

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
		stat->exiting = flags & PF_EXITING;
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

/* Everything up to a character, which is passed over; may be empty. */
static bool take_until(struct cursor *c, char end, const char **word, size_t *size)
{
	const char *at = memchr(c->at, end, (size_t)(c->end - c->at));

	if (!at)
		return false;
	*word = c->at;
	*size = (size_t)(at - c->at);
	c->at = at + 1;
	return true;
}

/* The next line, without the newline; what has none was cut, and does not count. */
static bool take_line(struct cursor *c, struct cursor *line)
{
	const char *at;
	size_t size;

	if (!take_until(c, '\n', &at, &size))
		return false;
	*line = (struct cursor){ at, at + size };
	return true;
}

/* Is it one of the words of a list with commas? */
static bool lists(const char *list, size_t size, const char *wanted)
{
	struct cursor c = { list, list + size };
	size_t wanted_size = strlen(wanted), word_size;
	const char *word;

	while (take_until(&c, ',', &word, &word_size)) {
		if (word_size == wanted_size && memcmp(word, wanted, wanted_size) == 0)
			return true;
	}
	return (size_t)(c.end - c.at) == wanted_size && memcmp(c.at, wanted, wanted_size) == 0;
}

/* Which hierarchy to believe first: the lower the better. */
static int hierarchy_rank(uint64_t id, const char *controllers, size_t size)
{
	static const char *const ranks[] = { "name=systemd", "perf_event", "cpu" };
	const int count = sizeof(ranks) / sizeof(ranks[0]);
	int i = 0;

	if (id == 0 && size == 0)
		return 0;
	while (i < count && !lists(controllers, size, ranks[i]))
		i++;
	return i + 1;
}

/* id:controllers:path */
static bool parse_hierarchy(struct cursor line, struct proctext_cgroup *ret, int *ret_rank)
{
	const size_t deleted_size = strlen(DELETED);
	const char *controllers;
	size_t size;
	uint64_t id;

	if (!take_number(&line, 10, UINT64_MAX, &id) || !take_char(&line, ':') ||
	    !take_until(&line, ':', &controllers, &size) || line.at == line.end || *line.at != '/')
		return false;
	*ret_rank = hierarchy_rank(id, controllers, size);
	*ret = (struct proctext_cgroup){ line.at, (size_t)(line.end - line.at), false };
	if (ret->path_size > deleted_size &&
	    memcmp(line.end - deleted_size, DELETED, deleted_size) == 0)
		ret->path_size -= deleted_size;
	ret->or_exiting = *ret_rank && ret->path_size == 1;
	return true;
}

int proctext_parse_cgroup(const char *text, size_t size, struct proctext_cgroup *ret)
{
	enum { IN_ROOT = 8, NONE = 16 }; /* any rank in a root is behind all others */
	struct cursor c = { text, text + size }, line;
	struct proctext_cgroup best = { 0 }, cgroup;
	int best_rank = NONE, rank;
	bool or_exiting = false;

	while (take_line(&c, &line)) {
		if (!parse_hierarchy(line, &cgroup, &rank))
			return -EINVAL;
		or_exiting |= cgroup.or_exiting;
		rank += cgroup.path_size == 1 ? IN_ROOT : 0;
		if (rank < best_rank) {
			best = cgroup;
			best_rank = rank;
		}
	}
	if (best_rank == NONE)
		return -EINVAL;
	best.or_exiting = or_exiting && best_rank >= IN_ROOT;
	*ret = best;
	return 0;
}

/* Numbers and blanks to the end of the line: the first, second and last of them, and how many. */
static bool take_numbers(struct cursor *c, uint32_t ret[3], int *ret_count)
{
	int count = 0;

	for (skip_blanks(c); c->at < c->end; skip_blanks(c)) {
		if (!take_u32(c, 10, &ret[2]))
			return false;
		if (count < 2)
			ret[count] = ret[2];
		count++;
	}
	*ret_count = count;
	return true;
}

/* "Key: values" lines; a name in them has no newlines. */
int proctext_parse_status(const char *text, size_t size, struct proctext_status *ret)
{
	struct cursor c = { text, text + size }, line;
	struct proctext_status status;
	bool has_uid = false;
	uint32_t number[3];
	size_t key_size;
	const char *key;
	int count;

	while (take_line(&c, &line)) {
		if (!take_until(&line, ':', &key, &key_size))
			return -EINVAL;
		if (key_size == 3 && memcmp(key, "Uid", 3) == 0) {
			if (!take_numbers(&line, number, &count) || count != 4)
				return -EINVAL;
			status.uid = number[1];
			has_uid = true;
		} else if (key_size == 5 && memcmp(key, "NSpid", 5) == 0) {
			if (!has_uid || !take_numbers(&line, number, &count) || !count)
				return -EINVAL;
			status.inner_pid = count > 1 ? number[2] : 0;
			*ret = status;
			return 0;
		}
	}
	return -EINVAL;
}
