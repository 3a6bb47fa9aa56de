/* SPDX-License-Identifier: Apache-2.0 */
/* page.js - what the parts of the page show, and what happens when one uses it. */

/* Okabe and Ito's colours, which the colour-blind tell apart, by kind; the last two are ours. */
const KIND_COLOURS = [[230, 159, 0], [86, 180, 233], [0, 170, 125], [170, 175, 182], [240, 228, 66],
	[150, 160, 190]];
const LESS = [0, 114, 178];
const MORE = [213, 94, 0];

const $ = (id) => document.getElementById(id);

/* Of what is neither much nor little. */
function neutral() {
	return isDark() ? [92, 98, 108] : [200, 203, 208];
}

function blend(a, b, share) {
	return a.map((c, i) => c + share * (b[i] - c));
}

/* A number from 0 to 1 that a name always has. */
function chance(text) {
	let h = 2166136261;

	for (let i = 0; i < text.length; i++)
		h = Math.imul(h ^ text.charCodeAt(i), 16777619);
	return (h >>> 8) % 1000 / 1000;
}

function element(name, text, className) {
	const e = document.createElement(name);

	e.textContent = text;
	if (className)
		e.className = className;
	return e;
}

class Page {
	constructor(d) {
		this.data = d;
		this.names = new Names(d);
		this.views = new Views(d, this.names);
		this.weights = new Weights(d);
		this.outermost = findOutermost(d);
		this.tests = this.findTests();
		this.shown = { event: d.meta.event, who: d.meta.view, inverted: d.meta.inverted,
			colour: d.meta.diff ? "diff" : "kind", range: null, wanted: null };
		this.paint = new Map();
		this.graph = new Graph({ zoom: (node) => this.zoom(node),
			point: (node, e) => this.pointAt(node, e) });
		this.table = new Table(d.meta.diff ? "change" : "self", { pick: (fn) => this.searchFor(fn) });
		if (d.meta.timeline)
			this.heat = new Heat(d.meta.timeline, { range: (range) => this.setRange(range),
				point: (text, e) => this.tell(text && [text], e) });
		this.setUp();
		this.listen();
		this.update();
		this.showTimeline();
	}

	/* How sure the changes of a diff are: by event and function. */
	findTests() {
		const { events, diff } = this.data.meta;
		const tests = events.map(() => new Map());

		for (const [event, fn, error, p, q, differs] of diff ? diff.tests : [])
			tests[event].set(fn, { error, p, q, differs });
		return tests;
	}

	get event() {
		return this.data.meta.events[this.shown.event];
	}

	get metrics() {
		return this.data.meta.metrics.filter((m) => m.leader === this.event.leader);
	}

	/* Which ratio is shown: that of the colours, or else the first there is. */
	get metric() {
		const { metrics } = this;

		return metrics[this.shown.colour] || metrics[0] || null;
	}

	setUp() {
		const { meta } = this.data;

		$("title").textContent = meta.title;
		for (const [key, text] of meta.facts)
			$("facts").append(element("dt", key), element("dd", text));
		$("about").hidden = !meta.facts.length;
		$("timeline").hidden = !this.heat;
		$("panes").classList.toggle("diff", !!meta.diff);
		this.makeTabs();
		const views = meta.threads.length ?
			[["merged", "merged"], ["process", "by process"], ["thread", "by thread"]] :
			[["merged", "merged"]];
		for (const [value, text] of views)
			$("view").append(new Option(text, value, false, value === this.shown.who));
		$("view").parentElement.hidden = views.length < 2;
		$("inverted").checked = this.shown.inverted;
		this.setColours();
		this.graph.icicle = this.shown.inverted;
		this.pressed();
	}

	makeTabs() {
		const { events } = this.data.meta;
		const used = events.map((e, i) => i).filter((i) => this.totalOf(i));

		if (!used.includes(this.shown.event) && used.length)
			this.shown.event = used[0];
		for (const i of used) {
			const tab = element("button", events[i].name);

			tab.type = "button";
			tab.role = "tab";
			tab.dataset.event = i;
			if (events[i].leader !== i)
				tab.title = `counted at the samples of ${events[events[i].leader].name}`;
			tab.addEventListener("click", () => this.setEvent(i));
			$("tabs").append(tab);
		}
		$("tabs").addEventListener("keydown", (e) => {
			const step = { ArrowLeft: -1, ArrowRight: 1 }[e.key];
			const next = step && used[used.indexOf(this.shown.event) + step];

			if (next !== undefined)
				this.setEvent(next);
		});
	}

	totalOf(event) {
		const d = this.data;
		const { leader, place } = d.meta.events[event];
		let sum = 0;

		for (let r = 0; r < d.rows; r++)
			if (d.rowEvent[r] === leader)
				sum += d.value[d.rowFirst[r] + place] + (d.base ? d.base[d.rowFirst[r] + place] : 0);
		return sum;
	}

	setColours() {
		const choices = [["kind", "kind of code"]];

		if (this.data.meta.diff)
			choices.unshift(["diff", "difference"]);
		this.metrics.forEach((m, i) => choices.push([String(i), m.title]));
		if (!choices.some(([value]) => value === this.shown.colour))
			this.shown.colour = choices[0][0];
		$("colour").replaceChildren(...choices.map(([value, text]) =>
			new Option(text, value, false, value === this.shown.colour)));
		$("colour").parentElement.hidden = choices.length < 2;
	}

	pressed() {
		$("flame").setAttribute("aria-pressed", String(!this.graph.icicle));
		$("icicle").setAttribute("aria-pressed", String(this.graph.icicle));
		for (const tab of $("tabs").children) {
			const here = Number(tab.dataset.event) === this.shown.event;

			tab.setAttribute("aria-selected", String(here));
			tab.tabIndex = here ? 0 : -1;
		}
	}

	listen() {
		$("view").addEventListener("change", (e) => this.set({ who: e.target.value }));
		$("colour").addEventListener("change", (e) => this.set({ colour: e.target.value }));
		$("inverted").addEventListener("change", (e) => this.set({ inverted: e.target.checked }));
		$("flame").addEventListener("click", () => this.turn(false));
		$("icicle").addEventListener("click", () => this.turn(true));
		$("search").addEventListener("input", (e) => this.search(e.target.value));
		$("whole").addEventListener("click", () => this.setRange(null));
		$("reset").addEventListener("click", () => this.zoom(0));
		$("help-button").addEventListener("click", () => this.help());
		document.addEventListener("keydown", (e) => this.key(e));
		window.addEventListener("resize", () => this.resize());
		window.matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => this.resize());
	}

	resize() {
		this.showLegends();
		this.showTimeline();
		this.graph.layOut();
	}

	key(e) {
		const typing = /^(INPUT|SELECT|TEXTAREA)$/.test(e.target.tagName) && e.target.type !== "checkbox";

		if (e.ctrlKey || e.altKey || e.metaKey)
			return;
		if (e.key === "Escape")
			this.undo();
		else if (typing)
			return;
		else if (e.key === "/")
			$("search").focus();
		else if (e.key === "i")
			this.turn(!this.graph.icicle);
		else if (e.key === "v")
			$("inverted").click();
		else if (e.key === "?")
			this.help();
		else
			return;
		e.preventDefault();
	}

	/* Takes away what narrows the picture, one thing at a time. */
	undo() {
		if ($("search").value) {
			$("search").value = "";
			this.search("");
		} else if (this.graph.zoom) {
			this.zoom(0);
		} else if (this.shown.range) {
			this.setRange(null);
		}
	}

	help() {
		$("help").hidden = !$("help").hidden;
		$("help-button").setAttribute("aria-expanded", String(!$("help").hidden));
	}

	turn(icicle) {
		this.graph.setIcicle(icicle);
		this.pressed();
	}

	set(change) {
		Object.assign(this.shown, change);
		this.update();
	}

	setEvent(event) {
		this.shown.event = event;
		this.setColours();
		this.update();
		this.pressed();
		this.showTimeline();
		$("tabs").querySelector(`[data-event="${event}"]`).focus();
	}

	setRange(range) {
		this.shown.range = range;
		this.heat.set(range);
		$("range").textContent = range ? this.heat.words(range) : "the whole recording";
		$("whole").hidden = !range;
		this.update();
	}

	zoom(node) {
		this.graph.setZoom(node);
		$("reset").hidden = !node;
		this.tellMatched();
		this.describe(node);
	}

	/* Weighs all anew, and shows it. */
	update() {
		const { event, who, inverted, range } = this.shown;
		const w = this.weights;

		w.choose(event, this.metric, range);
		this.view = this.views.get(who, inverted);
		this.merged = this.views.get("merged", false);
		this.sums = this.addAll(this.view);
		this.functions = this.addFunctions();
		this.most = this.functions.reduce((most, f) => Math.max(most, f.ratio || 0), 0);
		this.showGraph();
		this.showTable();
		this.showLegends();
		this.summarise();
		this.describe(this.graph.zoom);
	}

	addAll(view) {
		const w = this.weights;
		const sums = { now: addUp(view, w.row), count: addUp(view, w.count) };

		sums.size = sums.now;
		if (w.base) {
			sums.base = addUp(view, w.base);
			/* both sides are wide: what is gone shows as well as what is new */
			sums.size = { total: sums.now.total.map((v, i) => (v + sums.base.total[i]) / 2) };
		}
		if (this.metric) {
			sums.counter = addUp(view, w.counter);
			sums.per = addUp(view, w.per);
		}
		return sums;
	}

	/* What functions have, whoever called them: once a stack. By function, in columns of numbers. */
	addByFunction(sums) {
		const d = this.data;
		const column = () => new Float64Array(d.fnLabel.length + 1);
		const by = { self: column(), total: column(), size: column(), baseSelf: column(), counter: column(),
			per: column(), samples: column() };

		for (let i = 1; i < d.nodes; i++) {
			const fn = d.nodeFn[i];

			by.self[fn] += sums.now.self[i];
			if (this.outermost[i]) {
				by.total[fn] += sums.now.total[i];
				by.size[fn] += sums.size.total[i];
			}
			if (sums.base)
				by.baseSelf[fn] += sums.base.self[i];
			if (!sums.counter)
				continue;
			by.counter[fn] += sums.counter.self[i];
			by.per[fn] += sums.per.self[i];
			by.samples[fn] += sums.count.self[i];
		}
		return by;
	}

	/* Functions that were sampled, as the table wants them. */
	addFunctions() {
		const by = this.addByFunction(this.view === this.merged ? this.sums : this.addAll(this.merged));
		const tests = this.tests[this.shown.event];
		const functions = [];

		for (let fn = 1; fn < by.size.length; fn++)
			if (by.size[fn])
				functions.push({ fn, label: this.names.label(fn), where: this.names.where(fn),
					self: by.self[fn], total: by.total[fn], baseSelf: by.baseSelf[fn],
					change: by.self[fn] - by.baseSelf[fn],
					...(tests.get(fn) || { error: null, p: null }),
					ratio: this.ratio(by.counter[fn], by.per[fn], by.samples[fn]) });
		return functions;
	}

	/* A metric, null where there are too few samples for it. */
	ratio(counter, per, samples) {
		const m = this.metric;

		return m && per > 0 && samples >= m.min ? m.factor * counter / per : null;
	}

	ratioAt(node) {
		const { counter, per, count } = this.sums;

		return counter ? this.ratio(counter.total[node], per.total[node], count.total[node]) : null;
	}

	showGraph() {
		const { view, sums } = this;

		this.matched = this.findMatched();
		this.graph.show({ view, total: sums.size.total, matched: this.matched,
			colour: (node) => this.colour(node), label: (node) => this.label(node) });
		if (this.graph.zoom && !sums.size.total[this.graph.zoom])
			this.graph.setZoom(0);
		$("reset").hidden = !this.graph.zoom;
		this.tellMatched();
	}

	label(node) {
		return node ? this.names.label(this.view.fn[node]) :
			`all ${this.event.name}`;
	}

	colour(node) {
		const { colour } = this.shown;

		if (colour === "diff")
			return this.colourOfChange(node);
		if (colour === "kind")
			return this.colourOfKind(node);
		const value = this.ratioAt(node);
		return value === null ? painted(neutral()) :
			scaleColour(this.most ? value / this.most : 0);
	}

	colourOfKind(node) {
		const fn = this.view.fn[node];
		const key = fn * 2 + this.view.inlined[node];

		if (!this.paint.has(key)) {
			const colour = KIND_COLOURS[this.names.kind(fn, this.view.inlined[node])];
			const light = chance(this.names.label(fn)) * 0.3;

			this.paint.set(key, painted(blend(colour, [255, 255, 255], light)));
		}
		return this.paint.get(key);
	}

	colourOfChange(node) {
		const now = this.sums.now.total[node];
		const base = this.sums.base.total[node];
		const change = now + base ? (now - base) / (now + base) : 0;
		const strength = Math.min(1, Math.abs(change) * 2);

		return painted(blend(neutral(), change > 0 ? MORE : LESS, strength));
	}

	findMatched() {
		const { wanted } = this.shown;
		const { view } = this;

		if (!wanted)
			return null;
		const offset = this.names.lowest;
		const known = new Uint8Array(this.data.fnLabel.length + 1 + offset);
		for (let fn = -offset; fn < known.length - offset; fn++)
			known[fn + offset] = wanted(this.names.label(fn)) ? 1 : 0;
		return Uint8Array.from(view.fn, (fn, i) => i ? known[fn + offset] : 0);
	}

	/* The share of what is zoomed to that has a match, or is below one. */
	tellMatched() {
		const { view, matched, sums } = this;
		const { zoom } = this.graph;
		const within = new Uint8Array(view.n);
		let sum = 0;

		if (!matched) {
			$("matched").textContent = "";
			return;
		}
		/* 0: outside; 1: in the zoomed frame; 2: and in a match, which counts once */
		within[zoom] = 1;
		for (let i = zoom; i < view.n; i++) {
			const above = i === zoom ? 1 : within[view.parent[i]];

			if (!above)
				continue;
			within[i] = above;
			if (above === 1 && matched[i]) {
				within[i] = 2;
				sum += sums.now.total[i];
			}
		}
		$("matched").textContent = `${percent(sum, sums.now.total[zoom])} matched`;
	}

	search(text) {
		let regex = null;

		text = text.trim();
		if (/^\/.+\/$/.test(text)) {
			try {
				regex = new RegExp(text.slice(1, -1), "i");
			} catch {
				$("matched").textContent = "not a regular expression";
				return;
			}
		}
		const lower = text.toLowerCase();
		this.shown.wanted = !text ? null : regex ? (name) => regex.test(name) :
			(name) => name.toLowerCase().includes(lower);
		this.showGraph();
		this.showTable();
		this.showTimeline();
	}

	/* All samples of the event, or those of a search. */
	showTimeline() {
		const { heat } = this;

		if (!heat)
			return;
		heat.show(this.weights.cells(this.shown.event, this.rowsMatched()), this.event.unit);
		$("heat-title").textContent = this.matched ? "Timeline of what matches" : "Timeline";
		$("heat-legend").replaceChildren(...this.scaleOf("0",
			`${amount(heat.most, this.event.unit)} per cell of ${seconds(heat.t.cell_ns)}`));
	}

	rowsMatched() {
		const { view, matched } = this;
		const below = matched && matched.slice();

		if (!below)
			return null;
		for (let i = 1; i < view.n; i++)
			below[i] |= below[view.parent[i]];
		return Uint8Array.from(view.nodeOfRow, (node) => below[node]);
	}

	searchFor(fn) {
		const text = this.names.label(fn);

		$("search").value = `/^${text.replace(/[\\^$.*+?()[\]{}|/]/g, "\\$&")}$/`;
		this.search($("search").value);
	}

	showTable() {
		const { wanted } = this.shown;
		const whole = this.sums.now.total[0];
		const unit = this.event.unit;
		const columns = [
			{ key: "self", title: "Self", width: "74px", text: (f) => percent(f.self, whole),
				hint: (f) => amount(f.self, unit) },
			{ key: "total", title: "Total", width: "78px", text: (f) => percent(f.total, whole),
				hint: (f) => amount(f.total, unit) },
		];

		if (this.sums.base)
			columns.push(...this.columnsOfChange(unit));
		if (this.metric)
			columns.push({ key: "ratio", title: this.metric.title,
				width: `${Math.max(72, 9 * this.metric.title.length)}px`,
				text: (f) => f.ratio === null ? "" : digits(f.ratio), hint: () => this.metric.words });
		columns.push({ key: "label", title: "Function", text: (f) => f.label,
			hint: (f) => `${f.label} ${f.where}` });
		this.table.show(columns, this.functions, (fn) => wanted(this.names.label(fn)), !!wanted);
	}

	/* The interval is of the change, and p of there being none. */
	columnsOfChange(unit) {
		const few = "too few samples to tell";
		const columns = [
			{ key: "change", title: "Change", width: "84px", isSure: (f) => f.differs,
				text: (f) => difference(f.change, this.sums.base.total[0]),
				hint: (f) => `${amount(f.baseSelf, unit)} → ${amount(f.self, unit)}` },
			{ key: "error", title: "±", width: "72px",
				text: (f) => f.error === null ? "" : `${f.error.toFixed(2)} %`,
				hint: (f) => f.error === null ? few : "half of the change's interval" },
			{ key: "p", title: "p", width: "52px",
				text: (f) => f.p === null ? "" : f.p < 0.001 ? "<.001" : f.p.toFixed(3),
				hint: (f) => f.p === null ? few : `q ${f.q < 0.001 ? "<.001" : f.q.toFixed(3)}, ` +
					`corrected for the number of rows: ${f.differs ? "differs" : "may be noise"}` },
		];

		return this.tests[this.shown.event].size ? columns : columns.slice(0, 1);
	}

	showLegends() {
		const legend = $("colour-legend");
		const { colour } = this.shown;

		legend.replaceChildren();
		if (colour === "kind") {
			const used = new Set();

			for (let i = 1; i < this.view.n; i++)
				if (this.sums.size.total[i])
					used.add(this.names.kind(this.view.fn[i], this.view.inlined[i]));
			for (const kind of Array.from(used).sort())
				legend.append(this.swatch(rgb(KIND_COLOURS[kind]), KINDS[kind]));
		} else if (colour === "diff") {
			legend.append(this.swatch(rgb(LESS), "less than before"), this.swatch(rgb(neutral()), "the same"),
				this.swatch(rgb(MORE), "more; widths are the mean of both"));
		} else {
			legend.append(...this.scaleOf(`0`, `${digits(this.most)} ${this.metric.words}`),
				this.swatch(rgb(neutral()), `fewer than ${this.metric.min} samples`));
		}
	}

	swatch(colour, text) {
		const item = element("span", "");
		const square = element("i", "", "swatch");

		square.style.background = colour;
		item.append(square, text);
		return item;
	}

	scaleOf(least, most) {
		const scale = element("i", "", "scale");

		scale.style.background =
			`linear-gradient(to right, ${scaleColours().map(rgb).join(",")})`;
		return [element("span", least), scale, element("span", most)];
	}

	summarise() {
		const { every } = this.data.meta.timeline || { every: 1 };
		const { range } = this.shown;
		const { now, base, count } = this.sums;
		const about = range && (every > 1 || this.event.leader !== this.shown.event) ? "about " : "";
		const what = base ? `${this.data.meta.diff.base} → ${this.data.meta.diff.new}: ` : "";
		const before = base ? `${amount(base.total[0], this.event.unit)} → ` : "";

		$("summary").textContent = `${what}${this.event.name}: ${before}${about}` +
			`${amount(now.total[0], this.event.unit)} in ${about}${grouped(count.total[0])} samples` +
			(range ? ` of ${this.heat.words(range)}` : "") +
			(range && every > 1 ? `, from one of every ${every}` : "");
	}

	/* All about a node, in lines. */
	lines(node) {
		const { now, base } = this.sums;
		const { unit } = this.event;
		const whole = now.total[0];
		const fn = this.view.fn[node];
		const kind = KINDS[this.names.kind(fn, this.view.inlined[node])];
		const lines = [this.label(node), ""];
		const ratio = this.ratioAt(node);

		lines[1] = `${percent(now.total[node], whole)} (${amount(now.total[node], unit)})`;
		if (node)
			lines[1] += `, self ${percent(now.self[node], whole)}`;
		if (this.graph.zoom && node !== this.graph.zoom)
			lines[1] += `, ${percent(now.total[node], now.total[this.graph.zoom])} of the zoomed frame`;
		if (base)
			lines.push(`${this.data.meta.diff.base}: ${amount(base.total[node], unit)}, change ` +
				difference(now.total[node] - base.total[node], base.total[0]));
		if (ratio !== null)
			lines.push(`${digits(ratio)} ${this.metric.words}`);
		if (fn > 0)
			lines.push([this.names.where(fn), kind].filter((t) => t).join(", "));
		return lines;
	}

	pointAt(node, e) {
		this.describe(node < 0 ? this.graph.zoom : node);
		this.tell(node < 0 || !e ? null : this.lines(node), e);
	}

	describe(node) {
		const [name, ...rest] = this.lines(node);

		$("detail").replaceChildren(element("b", name), ` ${rest.join("; ")}`);
	}

	/* A few lines beside the mouse. */
	tell(lines, e) {
		const tip = $("tip");

		tip.hidden = !lines || !e;
		if (tip.hidden)
			return;
		tip.replaceChildren(...lines.map((line) => element("p", line)));
		const { width, height } = tip.getBoundingClientRect();
		tip.style.left = `${Math.max(4, Math.min(e.clientX + 14, window.innerWidth - width - 8))}px`;
		tip.style.top = `${e.clientY + 18 + height > window.innerHeight ?
			Math.max(4, e.clientY - height - 10) : e.clientY + 18}px`;
	}
}

async function start() {
	try {
		const data = await readData();

		$("main").hidden = false;
		new Page(data);
		$("message").hidden = true;
	} catch (e) {
		$("main").hidden = true;
		$("message").hidden = false;
		$("message").textContent = typeof DecompressionStream === "undefined" ?
			"This browser is too old to unpack the profile: it wants DecompressionStream." :
			`Cannot show the profile: ${e.message}`;
		throw e;
	}
}

start();
