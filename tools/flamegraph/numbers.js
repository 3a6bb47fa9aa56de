/* SPDX-License-Identifier: Apache-2.0 */
/* numbers.js - numbers and names as people read them. */

function grouped(value) {
	return Math.round(value).toLocaleString("en-US");
}

function digits(value) {
	if (!value)
		return "0";
	return value >= 100 ? grouped(value) : value.toPrecision(3);
}

function seconds(ns) {
	if (ns >= 120e9)
		return `${(ns / 60e9).toFixed(1)} min`;
	if (ns >= 1e9)
		return `${(ns / 1e9).toFixed(2)} s`;
	return ns >= 1e6 ? `${digits(ns / 1e6)} ms` : `${digits(ns / 1e3)} µs`;
}

function amount(value, unit) {
	if (unit === "nanoseconds")
		return seconds(value);
	if (value < 1e6)
		return grouped(value);
	return value < 1e9 ? `${digits(value / 1e6)} M` : `${digits(value / 1e9)} G`;
}

function percent(part, whole) {
	const share = whole ? 100 * part / whole : 0;

	return `${share.toFixed(share && Math.abs(share) < 0.1 ? 3 : 2)} %`;
}

/* A time in the recording, as exact as its cells are long. */
function instant(ns, cellNs) {
	const places = cellNs >= 1e9 ? 0 : Math.min(6, Math.ceil(9 - Math.log10(cellNs)));

	return `${(ns / 1e9).toFixed(places)} s`;
}

/* How much more of a whole: "+1.20 %". */
function difference(part, whole) {
	if (!whole || Math.abs(part / whole) < 5e-6)
		return "±0.00 %";
	return (part > 0 ? "+" : "−") + percent(Math.abs(part), whole);
}

const KINDS = ["user", "kernel", "made at run time", "unknown", "inlined", "process, thread"];
const KIND_INLINED = 4;
const KIND_WHO = 5;

/* Of a function, or where the id is negative, of a thread or process; see views.js. */
class Names {
	constructor(d) {
		this.data = d;
		this.threads = d.meta.threads.length;
		/* below the ids of threads and processes: those of whom nothing is known */
		this.lowest = this.threads + d.meta.processes.length + 1;
	}

	label(fn) {
		const { strings, threads, processes } = this.data.meta;

		if (!fn)
			return "";
		if (fn > 0)
			return strings[this.data.fnLabel[fn - 1]];
		if (fn >= -this.threads && fn < 0)
			return `${threads[-fn - 1][1]} (thread ${threads[-fn - 1][0]})`;
		const process = processes[-fn - this.threads - 1];
		return process ? `${process[1]} (${process[0]})` : "[unknown]";
	}

	where(fn) {
		return fn > 0 ? this.data.meta.strings[this.data.fnWhere[fn - 1]] : "";
	}

	kind(fn, inlined) {
		if (fn <= 0)
			return KIND_WHO;
		return inlined ? KIND_INLINED : this.data.fnKind[fn - 1];
	}
}
