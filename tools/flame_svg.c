/* SPDX-License-Identifier: Apache-2.0 */
/* flame_svg.c - a flame graph as a plain picture, see flame_svg.h. */
#include "tools/flame_svg.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "tools/flame_text.h"
#include "tools/text.h"

#define WIDTH	  1200.0
#define MARGIN	  10.0
#define HEAD	  34.0
#define ROW	  17.0
#define NARROWEST 0.3 /* pixels */
#define LETTER	  6.6 /* how wide one is, about */

/* Okabe and Ito's colours, as on the page. */
static const char style[] =
	"text{font:12px system-ui,'DejaVu Sans',sans-serif;fill:#000}"
	".t{font-size:15px;font-weight:600}.u{fill:#e69f00}.k{fill:#56b4e9}.w{fill:#96a0be}"
	".n{fill:#aaafb6}rect{stroke:#fff;stroke-width:.5}";

struct svg {
	FILE *out;
	const struct tree *tree;
	const struct profile *profile;
	uint32_t event;
	uint32_t deepest;
	bool icicle;
	double scale;	 /* pixels of a unit */
	double *x;	 /* by node */
	double *next;	 /* by node: where its next child begins; of 0 the next root */
	uint32_t *order; /* ids by depth and parent, then by name */
};

static const char *label_of(const struct svg *s, const struct tree_node *node)
{
	const struct profile *p = s->profile;
	const struct profile_process *process;

	if (node->function)
		return profile_text(p, names_function(s->tree->names, node->function)->label);
	if (profile_thread(p, node->who))
		return profile_text(p, profile_thread(p, node->who)->comm);
	process = node->who ? profile_process(p, node->who) : NULL;
	return process ? profile_text(p, process->comm) : "[unknown]";
}

static int compare(const void *a, const void *b, void *ctx)
{
	const struct svg *s = ctx;
	const struct tree_node *x = tree_node(s->tree, *(const uint32_t *)a);
	const struct tree_node *y = tree_node(s->tree, *(const uint32_t *)b);
	int names;

	if (x->depth != y->depth)
		return x->depth < y->depth ? -1 : 1;
	if (x->parent != y->parent)
		return x->parent < y->parent ? -1 : 1;
	names = strcmp(label_of(s, x), label_of(s, y));
	return names ? names : x < y ? -1 : x > y;
}

static double width_of(const struct svg *s, uint32_t id)
{
	return (double)tree_total(s->tree, id, s->event)->weight * s->scale;
}

/* Gives each node its place, parents first. */
static void lay_out(struct svg *s)
{
	uint32_t count = s->tree->nodes.count;

	for (uint32_t i = 0; i < count; i++)
		s->order[i] = i + 1;
	qsort_r(s->order, count, sizeof(*s->order), compare, s);
	s->next[0] = MARGIN;
	for (uint32_t i = 0; i < count; i++) {
		uint32_t id = s->order[i];
		const struct tree_node *node = tree_node(s->tree, id);

		s->x[id] = s->next[id] = s->next[node->parent];
		s->next[node->parent] += width_of(s, id);
		if (width_of(s, id) >= NARROWEST && node->depth > s->deepest)
			s->deepest = node->depth;
	}
}

static const char *class_of(const struct svg *s, const struct tree_node *node)
{
	const struct function *f;

	if (!node->function)
		return "w";
	f = names_function(s->tree->names, node->function);
	return f->is_kernel ? "k" : f->where ? "u" : "n";
}

/* As much of a name as fits. */
static void put_label(const struct svg *s, const char *label, double x, double y, double width)
{
	size_t room = width > 2 * LETTER ? (size_t)((width - LETTER) / LETTER) : 0;
	const char *end = text_skip(label, room);
	char *part;

	if (room < 3)
		return;
	if (*end)
		end = text_skip(label, room - 2);
	part = strndup(label, (size_t)(end - label));
	if (!part)
		return;
	fprintf(s->out, "<text x=\"%.1f\" y=\"%.1f\">", x + 3, y + 12.5);
	flame_put_markup(s->out, part);
	fprintf(s->out, "%s</text>", *end ? ".." : "");
	free(part);
}

static void put_frame(const struct svg *s, uint32_t id, double whole)
{
	const struct tree_node *node = tree_node(s->tree, id);
	const struct profile_total *total = tree_total(s->tree, id, s->event);
	const char *unit = profile_header(s->profile)->event[s->event]->unit;
	double width = width_of(s, id);
	uint32_t row = s->icicle ? node->depth - 1 : s->deepest - node->depth;
	double y = HEAD + row * ROW;
	const char *label = label_of(s, node);
	char number[TEXT_NUMBER_MAX];

	fputs("<g><title>", s->out);
	flame_put_markup(s->out, label);
	fprintf(s->out,
		": %s, %.2f %%</title><rect class=\"%s\" x=\"%.2f\" y=\"%.1f\" width=\"%.2f\""
		" height=\"%.1f\"/>",
		text_weight(number, total->weight, unit), 100 * (double)total->weight / whole,
		class_of(s, node), s->x[id], y, width, ROW - 1);
	put_label(s, label, s->x[id], y, width);
	fputs("</g>\n", s->out);
}

static void draw(const struct svg *s, const char *title, double whole)
{
	double height = HEAD + s->deepest * ROW + MARGIN;

	fprintf(s->out,
		"<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n"
		"<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 %.0f %.0f\""
		" width=\"%.0f\" height=\"%.0f\" role=\"img\">\n<style>%s</style>\n"
		"<rect width=\"100%%\" height=\"100%%\" fill=\"#fff\"/>\n"
		"<text class=\"t\" x=\"%.0f\" y=\"20\">",
		WIDTH, height, WIDTH, height, style, MARGIN);
	flame_put_markup(s->out, title);
	fputs("</text>\n", s->out);
	for (uint32_t i = 0; i < s->tree->nodes.count; i++)
		if (width_of(s, s->order[i]) >= NARROWEST)
			put_frame(s, s->order[i], whole);
	fputs("</svg>\n", s->out);
}

int flame_svg_write(FILE *out, const struct tree *tree, uint32_t event, const char *title,
		    bool icicle)
{
	size_t room = (size_t)tree->nodes.count + 1;
	struct svg s = { .out = out, .tree = tree, .event = event, .icicle = icicle };
	char *clean = flame_clean(title);
	double whole = 0;
	int err = -ENOMEM;

	s.profile = tree->names->profile;
	s.x = calloc(room, sizeof(*s.x));
	s.next = calloc(room, sizeof(*s.next));
	s.order = calloc(room, sizeof(*s.order));
	for (uint32_t id = tree->first_root; id; id = tree_node(tree, id)->next)
		whole += (double)tree_total(tree, id, event)->weight;
	s.scale = whole > 0 ? (WIDTH - 2 * MARGIN) / whole : 0;
	if (clean && s.x && s.next && s.order) {
		lay_out(&s);
		draw(&s, clean, whole);
		err = 0;
	}
	free(clean);
	free(s.x);
	free(s.next);
	free(s.order);
	return err;
}
