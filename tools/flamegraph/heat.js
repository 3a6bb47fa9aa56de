/* SPDX-License-Identifier: Apache-2.0 */
/*
 * heat.js - the timeline: a cell for each stretch of time, columns of them from left to right, time
 * within a column from the top down. A range goes from one cell to another in the order of time.
 */

const AXIS = 18;
const SIDE = 54;

/* From dark to light, which the colour-blind see alike (close to cividis). Much is what stands out. */
const SCALE = [[0, 32, 76], [0, 52, 110], [57, 72, 107], [87, 93, 109], [112, 113, 115], [138, 134, 120],
	[167, 156, 117], [196, 179, 108], [226, 204, 92], [255, 234, 70]];

function isDark() {
	return window.matchMedia("(prefers-color-scheme: dark)").matches;
}

function scaleColours() {
	return isDark() ? SCALE : SCALE.slice().reverse();
}

function scaleColour(share) {
	const light = isDark() ? share : 1 - share;
	const at = Math.max(0, Math.min(1, light)) * (SCALE.length - 1);
	const low = Math.min(Math.floor(at), SCALE.length - 2);

	return painted(SCALE[low].map((c, i) => c + (at - low) * (SCALE[low + 1][i] - c)));
}

class Heat {
	/* on.range({first, last} or null); on.point(text or null, event) */
	constructor(timeline, on) {
		this.canvas = document.getElementById("heat");
		this.t = timeline;
		this.on = on;
		this.columns = timeline.cells / timeline.rows;
		this.range = null;
		this.from = -1;
		this.cursor = -1;
		this.dragging = false;
		this.canvas.addEventListener("pointerdown", (e) => this.down(e));
		this.canvas.addEventListener("pointermove", (e) => this.move(e));
		this.canvas.addEventListener("pointerup", (e) => this.up(e));
		this.canvas.addEventListener("pointerleave", () => on.point(null, null));
		this.canvas.addEventListener("keydown", (e) => this.key(e));
		this.canvas.addEventListener("blur", () => { this.cursor = -1; this.draw(); });
	}

	show(sums, unit) {
		this.sums = sums;
		this.unit = unit;
		this.most = sums.reduce((a, b) => Math.max(a, b), 0);
		this.draw();
	}

	set(range) {
		this.range = range;
		this.from = -1;
		this.draw();
	}

	/* When a cell begins. */
	time(cell) {
		return this.t.origin_ns + cell * this.t.cell_ns;
	}

	words(range) {
		return `${instant(this.time(range.first), this.t.cell_ns)} – ` +
			`${instant(this.time(range.last + 1), this.t.cell_ns)}`;
	}

	draw() {
		if (!this.sums)
			return;
		const width = this.canvas.clientWidth;
		const height = this.canvas.clientHeight;
		const g = fit(this.canvas, width, height);

		this.canvas.style.height = "";
		this.cellWidth = Math.min((width - SIDE) / this.columns, 60);
		this.cellHeight = (height - AXIS) / this.t.rows;
		this.drawCells(g);
		this.drawAxes(g, width, height);
		if (this.cursor >= 0)
			this.outline(g, this.cursor, themed("--text"));
		if (this.from >= 0)
			this.outline(g, this.from, themed("--accent"));
	}

	drawCells(g) {
		const { rows, cells } = this.t;
		const gap = this.cellWidth > 5 ? 0.5 : 0;

		for (let cell = 0; cell < cells; cell++) {
			const out = this.range && (cell < this.range.first || cell > this.range.last);

			if (!this.sums[cell])
				continue;
			g.globalAlpha = out ? 0.22 : 1;
			g.fillStyle = scaleColour(this.sums[cell] / this.most).fill;
			const y = Math.round(cell % rows * this.cellHeight);
			g.fillRect(SIDE + Math.floor(cell / rows) * this.cellWidth, y, this.cellWidth - gap,
				Math.round((cell % rows + 1) * this.cellHeight) - y);
		}
		g.globalAlpha = 1;
	}

	outline(g, cell, colour) {
		g.strokeStyle = colour;
		g.lineWidth = 2;
		g.strokeRect(SIDE + Math.floor(cell / this.t.rows) * this.cellWidth - 1,
			cell % this.t.rows * this.cellHeight - 1, this.cellWidth + 2, this.cellHeight + 2);
	}

	drawAxes(g, width, height) {
		const columnNs = this.t.cell_ns * this.t.rows;
		const span = this.cellWidth * this.columns;
		const steps = [1, 2, 5, 10, 20, 50, 100, 200, 500];
		const step = steps.find((s) => s * this.cellWidth >= 60) || 500;

		g.strokeStyle = themed("--line");
		g.lineWidth = 1;
		g.strokeRect(SIDE - 0.5, 0.5, span + 1, height - AXIS);
		g.fillStyle = themed("--quiet");
		g.font = "11px system-ui, 'DejaVu Sans', sans-serif";
		g.textBaseline = "bottom";
		g.textAlign = "left";
		for (let column = 0; column < this.columns; column += step) {
			const x = SIDE + column * this.cellWidth;

			g.fillRect(x, height - AXIS, 1, 4);
			if (x + 40 < width)
				g.fillText(instant(this.time(column * this.t.rows), columnNs), x + 3, height - 1);
		}
		g.textAlign = "right";
		g.textBaseline = "top";
		g.fillText("0", SIDE - 5, 0);
		g.textBaseline = "bottom";
		g.fillText(`+${seconds(columnNs).replace(".00", "")}`, SIDE - 5, height - AXIS);
	}

	cellAt(e) {
		const limit = (value, max) => Math.max(0, Math.min(max - 1, value));
		const column = limit(Math.floor((e.offsetX - SIDE) / this.cellWidth), this.columns);
		const row = limit(Math.floor(e.offsetY / this.cellHeight), this.t.rows);

		return column * this.t.rows + row;
	}

	choose(a, b) {
		this.range = { first: Math.min(a, b), last: Math.max(a, b) };
	}

	down(e) {
		this.dragging = true;
		this.from = this.cellAt(e);
		this.canvas.setPointerCapture(e.pointerId);
	}

	move(e) {
		const cell = this.cellAt(e);

		if (this.dragging) {
			this.choose(this.from, cell);
			this.draw();
		}
		this.on.point(`${instant(this.time(cell), this.t.cell_ns)}: ` +
			amount(this.sums[cell], this.unit), e);
	}

	up(e) {
		if (!this.dragging)
			return;
		this.dragging = false;
		this.choose(this.from, this.cellAt(e));
		this.from = -1;
		this.on.range(this.range);
	}

	key(e) {
		const steps = { ArrowUp: -1, ArrowDown: 1, ArrowLeft: -this.t.rows, ArrowRight: this.t.rows };
		const to = Math.max(this.cursor, 0) + (steps[e.key] || 0);

		if (e.key in steps) {
			if (to >= 0 && to < this.t.cells)
				this.cursor = to;
		} else if (e.key === "Enter" || e.key === " ") {
			this.mark(Math.max(this.cursor, 0));
		} else {
			return;
		}
		e.preventDefault();
		this.draw();
		this.on.point(`${instant(this.time(this.cursor), this.t.cell_ns)}: ` +
			amount(this.sums[this.cursor], this.unit), null);
	}

	/* One end of a range, then the other. */
	mark(cell) {
		if (this.from < 0) {
			this.from = cell;
			return;
		}
		this.choose(this.from, cell);
		this.from = -1;
		this.on.range(this.range);
	}
}
