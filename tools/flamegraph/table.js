/* SPDX-License-Identifier: Apache-2.0 */
/* table.js - the functions of what is shown, with their shares, in the order that one likes. */

const ROWS = 250;

class Table {
	/* on.pick(fn): a row was clicked */
	constructor(key, on) {
		this.on = on;
		this.head = document.querySelector("#table thead");
		this.body = document.querySelector("#table tbody");
		this.more = document.getElementById("more");
		this.key = key;
		this.down = true;
		this.body.addEventListener("click", (e) => this.pick(e.target));
		this.body.addEventListener("keydown", (e) => {
			if (e.key === "Enter")
				this.pick(e.target);
		});
	}

	pick(target) {
		const row = target.closest("tr");

		if (row)
			this.on.pick(Number(row.dataset.fn));
	}

	/*
	 * columns: {key, title, text(row), hint(row), isSure(row)}; rows: {fn, label, where, ...}; matches(fn): is it
	 * what is looked for; searching: is anything
	 */
	show(columns, rows, matches, searching) {
		this.columns = columns;
		this.rows = rows;
		this.matches = matches;
		this.searching = searching;
		if (!columns.some((c) => c.key === this.key))
			this.key = "self";
		this.draw();
	}

	sorted() {
		const sign = this.down ? -1 : 1;
		const key = this.key;
		/* of changes both those up and those down matter */
		const known = (value) => typeof value !== "number" ? -Infinity :
			key === "change" ? Math.abs(value) : value;

		return (this.searching ? this.rows.filter((r) => this.matches(r.fn)) : this.rows.slice())
			.sort((a, b) => {
				if (key === "label")
					return sign * (a.label < b.label ? -1 : a.label > b.label ? 1 : 0);
				return sign * (known(a[key]) - known(b[key])) || b.total - a.total || a.fn - b.fn;
			});
	}

	draw() {
		const rows = this.sorted();

		this.drawHead();
		this.body.replaceChildren(...rows.slice(0, ROWS).map((row) => this.drawRow(row)));
		this.more.textContent = rows.length > ROWS ?
			`${grouped(rows.length - ROWS)} more functions; search to see them` :
			`${grouped(rows.length)} function${rows.length === 1 ? "" : "s"}`;
	}

	drawHead() {
		const row = document.createElement("tr");

		for (const column of this.columns) {
			const cell = document.createElement("th");
			const button = document.createElement("button");
			const here = column.key === this.key;

			button.type = "button";
			button.dataset.key = column.key;
			button.textContent = column.title + (here ? this.down ? " ↓" : " ↑" : "");
			button.addEventListener("click", () => this.sort(column.key));
			if (column.width)
				cell.style.width = column.width;
			cell.setAttribute("aria-sort", here ? this.down ? "descending" : "ascending" : "none");
			cell.append(button);
			row.append(cell);
		}
		this.head.replaceChildren(row);
	}

	sort(key) {
		this.down = this.key === key ? !this.down : key !== "label";
		this.key = key;
		this.draw();
		this.head.querySelector(`[data-key="${key}"]`).focus();
	}

	drawRow(row) {
		const line = document.createElement("tr");

		line.dataset.fn = row.fn;
		line.tabIndex = 0;
		for (const column of this.columns) {
			const cell = document.createElement("td");

			cell.textContent = column.text(row);
			cell.title = column.hint ? column.hint(row) : "";
			cell.classList.toggle("sure", !!column.isSure && !!column.isSure(row));
			if (column.key === "label" && row.where) {
				const where = document.createElement("small");

				where.textContent = ` ${row.where}`;
				cell.append(where);
			}
			line.append(cell);
		}
		return line;
	}
}
