/* SPDX-License-Identifier: Apache-2.0 */
/* data.js - unpacks the profile, see README.md beside it. */

async function inflate(base64) {
	const text = atob(base64);
	const bytes = new Uint8Array(text.length);

	for (let i = 0; i < text.length; i++)
		bytes[i] = text.charCodeAt(i);
	const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("deflate"));
	return new Uint8Array(await new Response(stream).arrayBuffer());
}

/* Numbers of a column, one after the other. */
class Column {
	constructor(bytes) {
		this.bytes = bytes;
		this.at = 0;
	}

	next() {
		let byte = this.bytes[this.at++];
		let value = byte & 0x7f;

		for (let factor = 128; byte & 0x80; factor *= 128) {
			byte = this.bytes[this.at++];
			value += (byte & 0x7f) * factor;
		}
		return value;
	}

	/* All of them, as many as there are. */
	all(Type) {
		let count = 0;

		for (const byte of this.bytes)
			count += byte < 0x80;
		const values = new Type(count);
		for (let i = 0; i < count; i++)
			values[i] = this.next();
		return values;
	}
}

/* What a sample's value stands for. */
function decode(code) {
	return code < 32 ? code : (16 + (code & 15)) * 2 ** ((code >> 4) - 1);
}

function readNodes(d, back, fn) {
	const n = fn.length + 1;

	d.nodes = n;
	d.nodeParent = new Int32Array(n);
	d.nodeFn = new Int32Array(n);
	d.nodeInlined = new Uint8Array(n);
	for (let i = 1; i < n; i++) {
		d.nodeParent[i] = i - back[i - 1];
		d.nodeFn[i] = fn[i - 1] >> 1;
		d.nodeInlined[i] = fn[i - 1] & 1;
	}
}

function readRows(d, event) {
	const n = event.length;
	let first = 0;

	d.rows = n;
	d.rowEvent = new Int32Array(n);
	d.rowShared = new Uint8Array(n);
	d.rowFirst = new Uint32Array(n);
	for (let i = 0; i < n; i++) {
		d.rowEvent[i] = event[i] >> 1;
		d.rowShared[i] = event[i] & 1;
		d.rowFirst[i] = first;
		first += d.meta.events[d.rowEvent[i]].places;
	}
}

/* Where each sample's values are; those of an event with one period and no group need none. */
function readSamples(d, column) {
	d.cellEnd = column("cell_count").all(Uint32Array);
	for (let i = 1; i < d.cellEnd.length; i++)
		d.cellEnd[i] += d.cellEnd[i - 1];
	d.sampleRow = column("sample_row").all(Uint32Array);
	for (let cell = 0, i = 0; cell < d.cellEnd.length; cell++) {
		let row = 0;

		for (; i < d.cellEnd[cell]; i++) {
			row += d.sampleRow[i];
			d.sampleRow[i] = row;
		}
	}
	d.sampleValue = column("sample_value").all(Uint16Array);
	d.sampleFirst = new Uint32Array(d.sampleValue.length ? d.sampleRow.length : 0);
	for (let i = 0, first = 0; i < d.sampleFirst.length; i++) {
		const event = d.meta.events[d.rowEvent[d.sampleRow[i] - 1]];

		/* as if the first were there, also where the period stands for it */
		d.sampleFirst[i] = first - (event.period ? 1 : 0);
		first += event.places - (event.period ? 1 : 0);
	}
}

async function readData() {
	const bytes = await inflate(document.getElementById("data").textContent);
	const length = new DataView(bytes.buffer).getUint32(0, true);
	const meta = JSON.parse(new TextDecoder().decode(bytes.subarray(4, 4 + length)));
	const columns = new Map();
	const d = { meta };
	let at = 4 + length;

	if (!meta.events.length) /* a recording without any */
		meta.events.push({ name: "no event", unit: "count", leader: 0, place: 0, places: 1, period: 0 });
	for (const [name, size] of meta.columns) {
		columns.set(name, bytes.subarray(at, at + size));
		at += size;
	}
	const column = (name) => new Column(columns.get(name));

	d.fnLabel = column("fn_label").all(Uint32Array);
	d.fnWhere = column("fn_where").all(Uint32Array);
	d.fnKind = column("fn_kind").all(Uint8Array);
	readNodes(d, column("node_back").all(Uint32Array), column("node_fn").all(Uint32Array));
	readRows(d, column("row_event").all(Uint32Array));
	d.rowNode = column("row_node").all(Uint32Array);
	d.rowThread = column("row_thread").all(Uint32Array);
	d.rowCount = column("row_count").all(Float64Array);
	d.value = column("value").all(Float64Array);
	if (meta.diff) {
		d.base = column("base").all(Float64Array);
		d.baseCount = column("base_count").all(Float64Array);
	}
	if (meta.timeline)
		readSamples(d, column);
	document.getElementById("data").textContent = "";
	return d;
}
