/* SPDX-License-Identifier: Apache-2.0 */
/*
 * views.js - call trees of the same rows: merged or by process or thread, from the outermost
 * functions down or inverted; and what a choice of samples weighs in them.
 *
 * A tree is made once. What is chosen only changes the weights, which take a pass over the samples
 * and one over the nodes. Node 0 is all.
 */

/* Nodes by parent and function, where the tree differs from the one in the data. */
class Grower {
	constructor(rows) {
		this.room = 1 << 16;
		while (this.room < rows * 8)
			this.room *= 2;
		this.slots = new Int32Array(this.room * 2);
		this.parent = [0];
		this.fn = [0];
		this.inlined = [0];
	}

	hash(parent, fn, inlined) {
		const h = Math.imul(parent, 0x9e3779b1) ^ Math.imul(fn * 2 + inlined, 0x85ebca77);

		return (h ^ h >>> 15) & this.slots.length - 1;
	}

	enlarge() {
		this.slots = new Int32Array(this.slots.length * 2);
		for (let id = 1; id < this.parent.length; id++) {
			let slot = this.hash(this.parent[id], this.fn[id], this.inlined[id]);

			while (this.slots[slot])
				slot = slot + 1 & this.slots.length - 1;
			this.slots[slot] = id;
		}
	}

	child(parent, fn, inlined) {
		let slot = this.hash(parent, fn, inlined);

		for (let id; (id = this.slots[slot]); slot = slot + 1 & this.slots.length - 1)
			if (this.parent[id] === parent && this.fn[id] === fn && this.inlined[id] === inlined)
				return id;
		const id = this.parent.length;
		this.slots[slot] = id;
		this.parent.push(parent);
		this.fn.push(fn);
		this.inlined.push(inlined);
		if (id * 2 > this.slots.length)
			this.enlarge();
		return id;
	}
}

class Views {
	constructor(d, names) {
		this.data = d;
		this.names = names;
		this.made = new Map();
		this.rank = new Int32Array(d.fnLabel.length + 1);
		const labels = Array.from(d.fnLabel, (s) => d.meta.strings[s]);
		const order = Array.from(labels.keys()).sort((a, b) =>
			labels[a] < labels[b] ? -1 : labels[a] > labels[b] ? 1 : a - b);
		order.forEach((fn, i) => { this.rank[fn + 1] = i; });
	}

	get(who, inverted) {
		const key = who + inverted;

		if (!this.made.has(key))
			this.made.set(key, this.finish(who === "merged" && !inverted ?
				this.stored() : this.grow(who, inverted)));
		return this.made.get(key);
	}

	stored() {
		const d = this.data;

		return { n: d.nodes, parent: d.nodeParent, fn: d.nodeFn, inlined: d.nodeInlined,
			nodeOfRow: d.rowNode };
	}

	/* The id of whose row it is, as function ids less than 0 are. */
	who(row, who) {
		const thread = this.data.rowThread[row];

		if (who === "merged")
			return 0;
		if (!thread)
			return -this.names.lowest;
		const process = this.data.meta.threads[thread - 1][2];
		if (who === "thread")
			return -thread;
		return process ? -process - this.names.threads : -this.names.lowest;
	}

	grow(who, inverted) {
		const d = this.data;
		const grower = new Grower(d.rows);
		const nodeOfRow = new Uint32Array(d.rows);
		const path = [];

		for (let row = 0; row < d.rows; row++) {
			const root = this.who(row, who);
			let at = root ? grower.child(0, root, 0) : 0;

			path.length = 0;
			for (let node = d.rowNode[row]; node; node = d.nodeParent[node])
				path.push(node);
			if (!inverted)
				path.reverse();
			for (const node of path)
				at = grower.child(at, d.nodeFn[node], d.nodeInlined[node]);
			nodeOfRow[row] = at;
		}
		return { n: grower.parent.length, parent: Int32Array.from(grower.parent),
			fn: Int32Array.from(grower.fn), inlined: Uint8Array.from(grower.inlined), nodeOfRow };
	}

	/* Adds the children of each node in the order of their names, and how deep nodes are. */
	finish(v) {
		const count = new Uint32Array(v.n + 1);

		v.depth = new Uint16Array(v.n);
		for (let i = 1; i < v.n; i++) {
			count[v.parent[i] + 1]++;
			v.depth[i] = v.depth[v.parent[i]] + 1;
		}
		for (let i = 1; i <= v.n; i++)
			count[i] += count[i - 1];
		v.childStart = count.slice();
		v.child = new Uint32Array(v.n ? v.n - 1 : 0);
		const order = (i) => v.fn[i] > 0 ? this.rank[v.fn[i]] : v.fn[i];
		for (let i = 1; i < v.n; i++)
			v.child[count[v.parent[i]]++] = i;
		for (let i = 0; i < v.n; i++)
			if (v.childStart[i + 1] - v.childStart[i] > 1)
				v.child.subarray(v.childStart[i], v.childStart[i + 1])
					.sort((a, b) => order(a) - order(b));
		return v;
	}
}

/* Is a node's function not among its callers too? By node of the tree in the data. */
function findOutermost(d) {
	const outermost = new Uint8Array(d.nodes).fill(1);

	outermost[0] = 0;
	for (let i = 1; i < d.nodes; i++) {
		let at = d.nodeParent[i];

		while (at && d.nodeFn[at] !== d.nodeFn[i])
			at = d.nodeParent[at];
		if (at)
			outermost[i] = 0;
	}
	return outermost;
}

/*
 * What each row has of an event, and for the ratio of a metric of what it is one: in all, or of the
 * samples in some cells, first to last.
 */
class Weights {
	constructor(d) {
		this.data = d;
		this.row = new Float64Array(d.rows);
		this.count = new Float64Array(d.rows);
		this.base = d.base ? new Float64Array(d.rows) : null;
		this.counter = new Float64Array(d.rows);
		this.per = new Float64Array(d.rows);
	}

	choose(event, metric, range) {
		for (const column of [this.row, this.count, this.counter, this.per])
			column.fill(0);
		if (range)
			this.chooseRange(event, metric, range);
		else
			this.chooseAll(event, metric);
	}

	chooseAll(event, metric) {
		const d = this.data;
		const { leader, place } = d.meta.events[event];
		const scale = d.base ? d.meta.diff.scale[event] : 1;

		for (let r = 0; r < d.rows; r++) {
			const first = d.rowFirst[r];

			if (d.rowEvent[r] !== leader) {
				if (d.base)
					this.base[r] = 0;
				continue;
			}
			this.row[r] = d.value[first + place];
			this.count[r] = d.rowCount[r];
			if (d.base)
				this.base[r] = d.base[first + place] * scale;
			if (metric && !d.rowShared[r]) {
				this.counter[r] = d.value[first + metric.counter];
				this.per[r] = d.value[first + metric.per];
			}
		}
	}

	chooseRange(event, metric, range) {
		const d = this.data;
		const { leader, place, period } = d.meta.events[event];
		const every = d.meta.timeline.every;
		const end = d.cellEnd[range.last];

		for (let i = range.first ? d.cellEnd[range.first - 1] : 0; i < end; i++) {
			const r = d.sampleRow[i] - 1;

			if (d.rowEvent[r] !== leader)
				continue;
			this.row[r] += every * this.valueOf(i, place, period);
			this.count[r] += every;
			if (metric && !d.rowShared[r]) {
				this.counter[r] += every * this.valueOf(i, metric.counter, period);
				this.per[r] += every * this.valueOf(i, metric.per, period);
			}
		}
	}

	valueOf(sample, place, period) {
		if (!place && period)
			return period;
		return decode(this.data.sampleValue[this.data.sampleFirst[sample] + place]);
	}

	/* The same by cell of the timeline, of rows that are wanted (null: of all). */
	cells(event, wanted) {
		const d = this.data;
		const { leader, place, period } = d.meta.events[event];
		const sums = new Float64Array(d.cellEnd.length);

		for (let cell = 0, i = 0; cell < sums.length; cell++)
			for (; i < d.cellEnd[cell]; i++) {
				const r = d.sampleRow[i] - 1;

				if (d.rowEvent[r] === leader && (!wanted || wanted[r]))
					sums[cell] += d.meta.timeline.every * this.valueOf(i, place, period);
			}
		return sums;
	}
}

/* Adds rows up at their nodes, and nodes at their parents; node 0 has all. */
function addUp(view, column) {
	const total = new Float64Array(view.n);

	for (let r = 0; r < column.length; r++)
		total[view.nodeOfRow[r]] += column[r];
	const self = total.slice();
	for (let i = view.n - 1; i > 0; i--)
		total[view.parent[i]] += total[i];
	return { self, total };
}
