/* SPDX-License-Identifier: Apache-2.0 */
/*
 * graph.js - draws a call tree as flame graph or icicle on a canvas that is as large as what one
 * sees of it, and tells which frame is where.
 */

const ROW = 18;
const NARROWEST = 0.5;      // pixels; what is narrower is drawn together, without a name
const NARROWEST_TEXT = 28;

/* Fits a canvas to its place on the screen, and gives what to draw on it with. */
function fit(canvas, width, height) {
	const ratio = window.devicePixelRatio || 1;
	const wide = Math.round(width * ratio);
	const high = Math.round(height * ratio);

	if (canvas.width !== wide || canvas.height !== high) {
		canvas.width = wide;
		canvas.height = high;
	}
	canvas.style.height = `${height}px`;
	const g = canvas.getContext("2d");
	g.setTransform(ratio, 0, 0, ratio, 0, 0);
	g.clearRect(0, 0, width, height);
	return g;
}

function themed(name) {
	return getComputedStyle(document.documentElement).getPropertyValue(name).trim();
}

function rgb(colour) {
	return `rgb(${colour.map(Math.round).join(",")})`;
}

/* A colour, and the one of text that can be read on it. */
function painted(colour) {
	const [red, green, blue] = colour;

	return { fill: rgb(colour), text: 0.299 * red + 0.587 * green + 0.114 * blue > 125 ? "#000" : "#fff" };
}

class Graph {
	/* on.zoom(node), on.point(node or -1, event): what the user does */
	constructor(on) {
		this.canvas = document.getElementById("graph");
		this.scroll = document.getElementById("scroll");
		this.space = document.getElementById("height");
		this.on = on;
		this.icicle = false;
		this.zoom = 0;
		this.cursor = -1;
		this.boxes = [];
		this.scroll.addEventListener("scroll", () => this.draw());
		this.canvas.addEventListener("click", (e) => {
			const node = this.at(e);

			if (node >= 0)
				on.zoom(node);
		});
		this.canvas.addEventListener("mousemove", (e) => on.point(this.at(e), e));
		this.canvas.addEventListener("mouseleave", () => on.point(-1, null));
		this.canvas.addEventListener("keydown", (e) => this.key(e));
		this.canvas.addEventListener("blur", () => this.setCursor(-1));
	}

	/*
	 * what: view; total by node; colour(node), dark for text on it; label(node);
	 * matched by node, null without a search
	 */
	show(what) {
		const changed = this.what && this.what.view !== what.view;

		this.what = what;
		if (changed) {
			this.zoom = 0;
			this.cursor = -1;
		}
		this.layOut();
	}

	setZoom(node) {
		this.zoom = node;
		this.cursor = this.cursor < 0 ? -1 : node;
		this.layOut();
	}

	setIcicle(icicle) {
		this.icicle = icicle;
		this.layOut();
	}

	/* How deep the frames go that are wide enough to be seen; how high that is. */
	layOut() {
		this.width = this.scroll.clientWidth;
		this.deepest = 0;
		this.walk((node, depth) => { this.deepest = Math.max(this.deepest, depth); });
		this.height = (this.deepest + 1) * ROW;
		this.space.style.height = `${this.height}px`;
		this.scroll.scrollTop = this.icicle ? 0 : this.space.offsetHeight;
		this.draw();
	}

	/* Gives box(node, depth, x, width) for all that is wide enough, and rest() for what is not. */
	walk(box, rest) {
		const { view, total } = this.what;
		const scale = total[this.zoom] ? this.width / total[this.zoom] : 0;
		const above = [];

		for (let node = this.zoom; node; node = view.parent[node])
			above.push(view.parent[node]);
		above.reverse().forEach((node, depth) => box(node, depth, 0, this.width));
		const stack = [this.zoom, above.length, 0];
		while (stack.length) {
			const x = stack.pop();
			const depth = stack.pop();
			const node = stack.pop();
			let left = x;
			let narrow = 0;

			box(node, depth, x, total[node] * scale);
			for (let i = view.childStart[node]; i < view.childStart[node + 1]; i++) {
				const child = view.child[i];
				const width = total[child] * scale;

				if (width >= NARROWEST) {
					stack.push(child, depth + 1, left);
				} else if (rest && (narrow += width) >= NARROWEST) {
					rest(depth + 1, left + width - narrow, narrow);
					narrow = 0;
				}
				left += width;
			}
		}
	}

	/* Where the row of a depth begins on the canvas. */
	top(depth) {
		return this.icicle ? depth * ROW - this.scrolled : this.bottom - (depth + 1) * ROW;
	}

	draw() {
		if (!this.what)
			return;
		const high = this.scroll.clientHeight;
		this.scrolled = this.scroll.scrollTop;
		this.bottom = this.space.offsetHeight - this.scrolled;
		const g = fit(this.canvas, this.width, high);

		this.boxes = [];
		g.font = "12px system-ui, 'DejaVu Sans', sans-serif";
		g.textBaseline = "middle";
		this.walk((node, depth, x, width) => {
			const y = this.top(depth);

			if (y > -ROW && y < high) {
				this.boxes.push({ node, x, y, width });
				this.drawBox(g, node, x, y, width);
			}
		}, (depth, x, width) => {
			g.globalAlpha = this.what.matched ? 0.25 : 0.6;
			g.fillStyle = "#9aa0a8";
			g.fillRect(x, this.top(depth), width, ROW - 1);
			g.globalAlpha = 1;
		});
		this.drawCursor(g);
	}

	drawBox(g, node, x, y, width) {
		const { matched, colour, label } = this.what;
		const wide = Math.max(width - (width > 3 ? 1 : 0), NARROWEST);
		const paint = matched && matched[node] ? { fill: "#d55fa5", text: "#000" } : colour(node);

		g.globalAlpha = matched && !matched[node] ? 0.3 : 1;
		g.fillStyle = paint.fill;
		g.fillRect(x, y, wide, ROW - 1);
		g.globalAlpha = 1;
		if (width < NARROWEST_TEXT)
			return;
		g.fillStyle = matched && !matched[node] ? themed("--text") : paint.text;
		g.fillText(this.cut(g, label(node), wide - 8), x + 4, y + ROW / 2);
	}

	/* A label as far as there is room. */
	cut(g, text, room) {
		let low = 0;
		let high = Math.min(text.length, Math.ceil(room / 3));

		if (high === text.length && g.measureText(text).width <= room)
			return text;
		while (low < high) {
			const middle = low + high + 1 >> 1;

			if (g.measureText(`${text.slice(0, middle)}…`).width <= room)
				low = middle;
			else
				high = middle - 1;
		}
		return low ? `${text.slice(0, low)}…` : "";
	}

	drawCursor(g) {
		const box = this.boxes.find((b) => b.node === this.cursor);

		if (!box)
			return;
		g.strokeStyle = themed("--text");
		g.lineWidth = 2;
		g.strokeRect(box.x + 1, box.y + 1, Math.max(box.width - 3, 2), ROW - 3);
	}

	/* The node at a place of the mouse, -1 for none. */
	at(e) {
		const box = this.boxes.find((b) => e.offsetX >= b.x && e.offsetX < b.x + Math.max(b.width, 1) &&
			e.offsetY >= b.y && e.offsetY < b.y + ROW);

		return box ? box.node : -1;
	}

	setCursor(node) {
		this.cursor = node;
		if (node >= 0) {
			const { view } = this.what;
			const y = this.top(view.depth[node]);

			if (y < 0)
				this.scroll.scrollTop += y;
			else if (y + ROW > this.scroll.clientHeight)
				this.scroll.scrollTop += y + ROW - this.scroll.clientHeight;
		}
		this.draw();
		this.on.point(node, null);
	}

	/* The frame beside, left (-1) or right (1), of those that can be seen. */
	beside(step) {
		const here = this.boxes.find((b) => b.node === this.cursor);
		const row = this.boxes.filter((b) => here && b.y === here.y).sort((a, b) => a.x - b.x);
		const next = row[row.indexOf(here) + step];

		return next ? next.node : this.cursor;
	}

	widestChild(node) {
		const { view, total } = this.what;
		let best = node;

		for (let i = view.childStart[node]; i < view.childStart[node + 1]; i++)
			if (total[view.child[i]] > (best === node ? 0 : total[best]))
				best = view.child[i];
		return best;
	}

	key(e) {
		const { view } = this.what;
		const deeper = this.icicle ? "ArrowDown" : "ArrowUp";
		let to = this.cursor;

		if (e.key === "Enter" && this.cursor >= 0)
			this.on.zoom(this.cursor);
		else if (e.key === "Home")
			this.on.zoom(0);
		else if (e.key === "ArrowLeft" || e.key === "ArrowRight")
			to = this.beside(e.key === "ArrowLeft" ? -1 : 1);
		else if (e.key === "ArrowUp" || e.key === "ArrowDown")
			to = this.cursor < 0 ? this.zoom :
				e.key === deeper ? this.widestChild(this.cursor) : view.parent[this.cursor];
		else
			return;
		e.preventDefault();
		if (to !== this.cursor)
			this.setCursor(to);
	}
}
