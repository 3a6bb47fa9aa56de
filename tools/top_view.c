/* SPDX-License-Identifier: Apache-2.0 */
/* top_view.c - the screen of profiler-top, see top_view.h. */
#include "tools/top_view.h"

#include <errno.h>
#include <ncurses.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/ioctl.h>
#include <unistd.h>
#include <wchar.h>

#include "tools/losses.h"
#include "tools/text.h"

/* Less is not worth drawing in. */
#define COLUMNS_MIN 20
#define ROWS_MIN    3

/* With fewer rows only functions are shown. */
#define ROWS_FOR_HEAD 7

#define HEAD_ROWS 3

#define LINE_BYTES 512

#define KEY_ESCAPE 27

enum {
	PAIR_LOSS = 1,
	PAIR_TITLE,
};

struct top_view {
	SCREEN *screen;
	FILE *keys;
	int terminal;
	uint32_t *line; /* functions that are shown, in their order */
	uint32_t lines;
	uint32_t room;
};

static const char *const help[] = {
	"s  sort by self: samples in the function itself",
	"t  sort by total: and in what it called",
	"n  sort by name",
	"a  sort by the window, or by all since the start",
	"e  the next event",
	"/  show only what has this text in its name",
	"p  pause; the recording goes on",
	"up, down, page up, page down, home",
	"h  this help",
	"q  quit",
};

int top_view_open(struct top_view **ret, FILE *screen, FILE *keys)
{
	struct top_view *v = calloc(1, sizeof(*v));

	if (!v)
		return -ENOMEM;
	v->keys = keys;
	v->terminal = fileno(screen);
	v->screen = newterm(NULL, screen, keys);
	if (!v->screen) {
		free(v);
		return -ENOTTY;
	}
	set_term(v->screen);
	cbreak();
	noecho();
	nonl();
	keypad(stdscr, TRUE);
	nodelay(stdscr, TRUE);
	set_escdelay(50);
	if (!getenv("NO_COLOR") && has_colors() && start_color() == OK &&
	    use_default_colors() == OK) {
		init_pair(PAIR_LOSS, COLOR_RED, -1);
		init_pair(PAIR_TITLE, COLOR_CYAN, -1);
	}
	*ret = v;
	return 0;
}

void top_view_free(struct top_view *v)
{
	if (!v)
		return;
	endwin();
	delscreen(v->screen);
	free(v->line);
	free(v);
}

void top_view_resize(struct top_view *v)
{
	struct winsize size;

	if (!ioctl(v->terminal, TIOCGWINSZ, &size) && size.ws_row && size.ws_col)
		resizeterm(size.ws_row, size.ws_col);
	clearok(curscr, TRUE);
}

/* Clean text at a place, cut to so many columns. */
static void put(int row, int column, int columns, const char *text)
{
	mbstate_t state = { 0 };
	wchar_t c[2] = { 0 };

	move(row, column);
	while (*text && columns > 0) {
		size_t bytes = mbrtowc(c, text, MB_LEN_MAX, &state);
		int width = 1;

		if (bytes == (size_t)-1 || bytes == (size_t)-2) {
			state = (mbstate_t){ 0 };
			bytes = 1;
			c[0] = L'?';
			/* the rest of a character that the locale does not know */
			while (((unsigned char)text[bytes] & 0xC0) == 0x80)
				bytes++;
		} else {
			width = wcwidth(c[0]);
		}
		if (width < 0)
			c[0] = L'?';
		width = width < 0 ? 1 : width;
		columns -= width;
		if (columns >= 0)
			addwstr(c);
		text += bytes;
	}
}

static bool matches(const struct top_counts *c, const struct top_function *f, const char *filter)
{
	return !*filter || strcasestr(profile_text(c->profile, f->label), filter) ||
	       strcasestr(profile_text(c->profile, f->where), filter);
}

struct order {
	const struct top_counts *counts;
	const struct top_choice *choice;
};

static uint64_t sort_value(const struct top_choice *choice, const struct top_function *f)
{
	const struct top_weight *w = choice->sort == TOP_BY_TOTAL ? &f->total : &f->self;

	return choice->since_start ? w->all : w->recent;
}

static int compare_names(const struct top_counts *c, const struct top_function *a,
			 const struct top_function *b)
{
	int order = strcmp(profile_text(c->profile, a->label), profile_text(c->profile, b->label));

	return order ? order
		     : strcmp(profile_text(c->profile, a->where),
			      profile_text(c->profile, b->where));
}

static int compare_lines(const void *a, const void *b, void *ctx)
{
	const struct order *o = ctx;
	const struct top_function *x = top_function(o->counts, *(const uint32_t *)a);
	const struct top_function *y = top_function(o->counts, *(const uint32_t *)b);
	uint64_t p = sort_value(o->choice, x);
	uint64_t q = sort_value(o->choice, y);

	if (o->choice->sort != TOP_BY_NAME && p != q)
		return p > q ? -1 : 1;
	if (o->choice->sort != TOP_BY_NAME && x->total.all != y->total.all)
		return x->total.all > y->total.all ? -1 : 1;
	return compare_names(o->counts, x, y);
}

/* Which functions to show, in which order. */
static void list_lines(struct top_view *v, const struct top_counts *c,
		       const struct top_choice *choice)
{
	struct order order = { c, choice };

	v->lines = 0;
	if (c->functions.count > v->room) {
		uint32_t *larger = reallocarray(v->line, c->functions.count, 2 * sizeof(*larger));

		if (!larger)
			return;
		v->line = larger;
		v->room = 2 * c->functions.count;
	}
	for (uint32_t id = 1; id <= c->functions.count; id++) {
		const struct top_function *f = top_function(c, id);

		if (f->total.all && matches(c, f, choice->filter))
			v->line[v->lines++] = id;
	}
	if (v->lines)
		qsort_r(v->line, v->lines, sizeof(*v->line), compare_lines, &order);
}

static double share(uint64_t part, uint64_t whole)
{
	return whole ? 100.0 * (double)part / (double)whole : 0.0;
}

static const Profiler__Event *event_of(const struct top_counts *c, uint32_t event)
{
	const Profiler__Header *h = profile_header(c->profile);

	return event < h->n_event ? h->event[event] : NULL;
}

static void draw_title(const struct top_counts *c, const struct top_choice *choice, int columns)
{
	const Profiler__Header *h = profile_header(c->profile);
	char line[LINE_BYTES];
	char count[TEXT_NUMBER_MAX];
	double seconds = (double)c->recent_ns / 1e9;

	text_count(count, seconds > 0 ? (uint64_t)((double)c->recent_count / seconds + 0.5) : 0);
	snprintf(line, sizeof(line), "%sprofiler-top: %.1f s, %s samples/s, %.100s%s%.60s",
		 choice->is_paused ? "[paused] " : "", (double)c->elapsed_ns / 1e9, count,
		 h->target, *h->hostname ? " on " : "", h->hostname);
	attron(A_BOLD | (has_colors() ? COLOR_PAIR(PAIR_TITLE) : 0));
	put(0, 0, columns, line);
	attrset(A_NORMAL);
}

static void draw_event(const struct top_counts *c, const struct top_choice *choice, int columns)
{
	static const char *const sorted[] = { "self", "total", "name" };
	const Profiler__Event *e = event_of(c, choice->event);
	char name[EVENT_NAME_MAX] = "no event yet";
	char line[LINE_BYTES];
	char count[TEXT_NUMBER_MAX];

	if (e)
		profile_event_name(c->profile, choice->event, name);
	snprintf(line, sizeof(line), "%s%s%s: %s samples, last %u s; by %s%s%s%s", name,
		 e && *e->requested ? " for " : "", e ? e->requested : "",
		 text_count(count, c->all.count), c->window_s, sorted[choice->sort],
		 choice->since_start ? " since the start" : "", *choice->filter ? "; only " : "",
		 choice->filter);
	put(1, 0, columns, line);
}

/* Losses in plain sight: what was dropped or not seen is red. */
static void draw_ledger(const struct top_counts *c, int columns)
{
	const Profiler__Ledger *ledger = profile_ledger(c->profile);
	struct ledger_sum sum = ledger_sum(ledger, PROFILE_ALL_EVENTS);
	const struct reader_damage *damage = profile_damage(c->profile);
	char text[LEDGER_TEXT_MAX] = "none yet";
	char line[LEDGER_TEXT_MAX + 64];
	char a[TEXT_NUMBER_MAX];
	bool is_loss = sum.dropped || sum.throttled || damage || sum.unaccounted;

	if (ledger)
		ledger_text(c->profile, PROFILE_ALL_EVENTS, text);
	snprintf(line, sizeof(line), "ledger: %s%s%s%s", text, damage ? "; lost in reading: " : "",
		 damage ? text_count(a, damage->samples_lost) : "", damage ? " samples" : "");
	if (is_loss)
		attron(A_BOLD | (has_colors() ? COLOR_PAIR(PAIR_LOSS) : 0));
	put(2, 0, columns, line);
	attrset(A_NORMAL);
}

static void draw_heading(int row, int columns)
{
	attron(A_REVERSE);
	mvhline(row, 0, ' ', columns);
	put(row, 0, columns,
	    columns >= 60 ? "   self   total |   all:   self   total      per s  function"
			  : "   self   total  function");
	attrset(A_NORMAL);
}

static void draw_function(const struct top_counts *c, const struct top_choice *choice, int row,
			  int columns, const struct top_function *f)
{
	const Profiler__Event *e = event_of(c, choice->event);
	const struct top_weight *w = &c->weight;
	double seconds = (double)c->recent_ns / 1e9;
	const char *label = profile_text(c->profile, f->label);
	const char *where = profile_text(c->profile, f->where);
	char line[LINE_BYTES];
	char rate[TEXT_NUMBER_MAX];
	int used;

	text_weight(rate, seconds > 0 ? (uint64_t)((double)f->self.recent / seconds) : 0,
		    e ? e->unit : "");
	used = columns >= 60
		       ? snprintf(line, sizeof(line),
				  "%6.2f%% %6.2f%% |       %6.2f%% %6.2f%% %10s  ",
				  share(f->self.recent, w->recent),
				  share(f->total.recent, w->recent), share(f->self.all, w->all),
				  share(f->total.all, w->all), rate)
		       : snprintf(line, sizeof(line), "%6.2f%% %6.2f%%  ",
				  share(f->self.recent, w->recent),
				  share(f->total.recent, w->recent));
	/* a name after the file says where by itself */
	snprintf(line + used, sizeof(line) - (size_t)used, *label == '[' ? "%s" : "%s (%s)", label,
		 *where ? where : "?");
	put(row, 0, columns, line);
}

static void draw_bottom(const struct top_choice *choice, const char *status, int row, int columns)
{
	char line[LINE_BYTES];

	if (choice->is_typing)
		snprintf(line, sizeof(line), "/%s", choice->filter);
	else if (*status)
		snprintf(line, sizeof(line), "%s", status);
	else
		snprintf(line, sizeof(line),
			 "h help  q quit  p pause  s self  t total  a all  / filter  e event");
	put(row, 0, columns - 1, line);
}

static void draw_help(int rows, int columns)
{
	int count = (int)(sizeof(help) / sizeof(help[0]));

	for (int i = 0; i < count && i < rows - 1; i++)
		put(i, 0, columns, help[i]);
}

static void draw_lines(struct top_view *v, const struct top_counts *c, struct top_choice *choice,
		       int row, int rows, int columns)
{
	uint32_t shown = (uint32_t)(rows - 1 - row);

	list_lines(v, c, choice);
	if (choice->first >= v->lines)
		choice->first = v->lines ? v->lines - 1 : 0;
	for (uint32_t i = choice->first; i < v->lines && i - choice->first < shown; i++)
		draw_function(c, choice, row + (int)(i - choice->first), columns,
			      top_function(c, v->line[i]));
}

void top_view_draw(struct top_view *v, const struct top_counts *c, struct top_choice *choice,
		   const char *status, bool is_shared)
{
	int rows = getmaxy(stdscr);
	int columns = getmaxx(stdscr);
	int row = 0;

	erase();
	if (rows < ROWS_MIN || columns < COLUMNS_MIN) {
		put(0, 0, columns, "too small");
	} else if (choice->shows_help) {
		draw_help(rows, columns);
		draw_bottom(choice, "any key goes back", rows - 1, columns);
	} else {
		if (rows >= ROWS_FOR_HEAD) {
			draw_title(c, choice, columns);
			draw_event(c, choice, columns);
			draw_ledger(c, columns);
			row = HEAD_ROWS;
		}
		draw_heading(row++, columns);
		draw_lines(v, c, choice, row, rows, columns);
		draw_bottom(choice, status, rows - 1, columns);
	}
	if (!choice->is_typing)
		move(rows - 1, 0);
	if (is_shared)
		redrawwin(stdscr);
	refresh();
}

static void type_key(struct top_choice *choice, int key)
{
	size_t bytes = strlen(choice->filter);

	if (key == KEY_ESCAPE)
		choice->filter[0] = 0;
	if (key == KEY_ESCAPE || key == '\r' || key == '\n' || key == KEY_ENTER) {
		choice->is_typing = false;
	} else if (key == KEY_BACKSPACE || key == 127 || key == '\b') {
		while (bytes && ((unsigned char)choice->filter[--bytes] & 0xC0) == 0x80)
			;
		choice->filter[bytes] = 0;
	} else if (key >= ' ' && key <= 0xFF && bytes + 1 < TOP_FILTER_BYTES) {
		choice->filter[bytes] = (char)key;
		choice->filter[bytes + 1] = 0;
	}
	choice->first = 0;
}

static void next_event(const struct top_counts *c, struct top_choice *choice)
{
	const Profiler__Header *h = profile_header(c->profile);

	for (size_t i = 0; i < h->n_event; i++) {
		choice->event = (uint32_t)((choice->event + 1) % h->n_event);
		if (!h->event[choice->event]->leader)
			return;
	}
}

static void scroll_by(struct top_choice *choice, int lines)
{
	if (lines < 0 && choice->first < (uint32_t)-lines)
		choice->first = 0;
	else
		choice->first += (uint32_t)lines;
}

static void take_key(const struct top_counts *c, struct top_choice *choice, int key)
{
	int page = getmaxy(stdscr) > HEAD_ROWS + 3 ? getmaxy(stdscr) - HEAD_ROWS - 2 : 1;

	switch (key) {
	case 's':
		choice->sort = TOP_BY_SELF;
		break;
	case 't':
		choice->sort = TOP_BY_TOTAL;
		break;
	case 'n':
		choice->sort = TOP_BY_NAME;
		break;
	case 'a':
		choice->since_start = !choice->since_start;
		break;
	case 'e':
		next_event(c, choice);
		break;
	case 'p':
	case ' ':
		choice->is_paused = !choice->is_paused;
		break;
	case '/':
		choice->is_typing = true;
		break;
	case 'h':
	case '?':
		choice->shows_help = true;
		break;
	case KEY_UP:
		scroll_by(choice, -1);
		break;
	case KEY_DOWN:
		scroll_by(choice, 1);
		break;
	case KEY_PPAGE:
		scroll_by(choice, -page);
		break;
	case KEY_NPAGE:
		scroll_by(choice, page);
		break;
	case KEY_HOME:
		choice->first = 0;
		break;
	default:
		break;
	}
}

bool top_view_key(struct top_view *v, const struct top_counts *c, struct top_choice *choice)
{
	int key;

	(void)v;
	while ((key = getch()) != ERR) {
		if (choice->is_typing)
			type_key(choice, key);
		else if (choice->shows_help)
			choice->shows_help = false;
		else if (key == 'q' || key == 'Q')
			return false;
		else
			take_key(c, choice, key);
	}
	return true;
}
