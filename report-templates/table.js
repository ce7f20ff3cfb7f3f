// A table of which only the visible rows exist, so that 100,000 rows scroll like 20. Used for tasks
// and classes. It is told its columns and the order of its rows; it knows nothing of either.
//
// A column: { key, label, width, grow, num, doc, cell(element, row) }. The first one holds a button
// that opens the row. ARIA: role=table with row and column counts, because most rows are not there.

const rowHeight = 34;
const spareRows = 5;

// Orders rows by keys; what has no value comes last whichever way.
function sortRows(rows, keys, descending) {
	const known = new Uint32Array(rows.length);
	const unknown = [];
	let cnt = 0;
	for (const row of rows) {
		if (Number.isNaN(keys[row]))
			unknown.push(row);
		else
			known[cnt++] = row;
	}
	const sorted = known.subarray(0, cnt);
	const sign = descending ? -1 : 1;
	sorted.sort((a, b) => sign * (keys[a] - keys[b]) || a - b);
	known.set(unknown, cnt);
	return known;
}

// Ranks of a column of strings, so that strings sort as numbers do.
function stringRanks(strings) {
	const order = strings.map((text, i) => [text.toLowerCase(), i]);
	order.sort((a, b) => (a[0] < b[0] ? -1 : a[0] > b[0] ? 1 : 0));
	const ranks = new Float64Array(strings.length);
	order.forEach(([, i], rank) => { ranks[i] = rank; });
	return ranks;
}

const usualWidth = 104;

// Which fields have room as columns: by `prio`, the sorted one before all; without `prio` only that.
function fittingFields(fields, sortKey, room) {
	const rank = (field) => (field.key === sortKey ? 0 : field.prio);
	const candidates = fields.filter(rank).sort((a, b) => rank(a) - rank(b));
	const sorted = fields.find((field) => field.key === sortKey);
	const fitting = new Set();
	let left = room;
	for (const field of sorted ? [sorted, ...candidates] : candidates) {
		left -= field.width ?? usualWidth;
		if (left < 0)
			break;
		fitting.add(field);
	}
	return fitting;
}

class VirtualTable {
	constructor({ label, height, onSort }) {
		this.onSort = onSort;
		this.maxHeight = height;
		this.order = new Uint32Array(0);
		this.current = -1;
		this.pool = [];
		this.head = make("div", { role: "row", class: "grid-head", "aria-rowindex": 1 });
		this.body = make("div", { role: "rowgroup", class: "grid-body" });
		this.table = make("div", { role: "table", class: "grid-inner", "aria-label": label },
			make("div", { role: "rowgroup" }, this.head), this.body);
		this.element = make("div", {
			class: "grid", tabindex: 0, role: "region", "aria-label": `${label}, scrollable`,
		}, this.table);
		this.element.addEventListener("scroll", () => this.draw(), { passive: true });
	}

	setColumns(columns, sort) {
		this.columns = columns;
		this.template = columns.map((column) =>
			column.grow ? `minmax(${column.width}px, ${column.grow}fr)` : `${column.width}px`).join(" ");
		this.table.setAttribute("aria-colcount", columns.length);
		this.head.style.gridTemplateColumns = this.template;
		this.head.replaceChildren(...columns.map((column) => this.makeHeader(column, sort)));
		this.pool = [];
		this.body.replaceChildren();
		this.draw();
	}

	makeHeader(column, sort) {
		const sorted = sort.key === column.key;
		const cell = make("div", {
			role: "columnheader",
			class: column.num ? "num" : null,
			"aria-sort": sorted ? (sort.descending ? "descending" : "ascending") : "none",
		});
		const arrow = sorted ? (sort.descending ? " \u25be" : " \u25b4") : "";
		const button = make("button", { type: "button", title: column.doc || column.label,
			"data-sort": column.key }, column.label);
		if (arrow)
			button.append(make("span", { "aria-hidden": "true" }, arrow));
		button.addEventListener("click", () => this.onSort(column.key));
		cell.append(button);
		return cell;
	}

	setOrder(order) {
		this.order = order;
		this.current = Math.min(this.current, order.length - 1);
		this.table.setAttribute("aria-rowcount", order.length + 1);
		this.body.style.height = `${Math.max(order.length, 1) * rowHeight}px`;
		this.element.style.height = `${Math.min(order.length * rowHeight + 54, this.maxHeight)}px`;
		for (const element of this.pool)
			element.dataset.at = "";
		this.draw();
	}

	makeRow() {
		const cells = this.columns.map((column) =>
			make("div", { role: "cell", class: column.num ? "num" : null }));
		const element = make("div", { role: "row", class: "grid-row" }, ...cells);
		element.style.gridTemplateColumns = this.template;
		element.style.height = `${rowHeight}px`;
		this.body.append(element);
		return element;
	}

	fillRow(element, at) {
		const row = this.order[at];
		element.dataset.at = at;
		element.setAttribute("aria-rowindex", at + 2);
		element.style.transform = `translateY(${at * rowHeight}px)`;
		element.hidden = false;
		this.columns.forEach((column, i) => column.cell(element.children[i], row));
	}

	// Rows are reused: position `at` always lives in the same element of the pool.
	draw() {
		if (!this.columns)
			return;
		const visible = Math.ceil((this.element.clientHeight || this.maxHeight) / rowHeight) + 1;
		const first = Math.max(0, Math.floor(this.element.scrollTop / rowHeight) - spareRows);
		const last = Math.min(this.order.length, first + visible + 2 * spareRows);
		while (this.pool.length < Math.min(visible + 2 * spareRows, this.order.length))
			this.pool.push(this.makeRow());
		const used = new Set();
		for (let at = first; at < last; at++) {
			const element = this.pool[at % this.pool.length];
			used.add(element);
			if (element.dataset.at !== String(at))
				this.fillRow(element, at);
			element.classList.toggle("current", at === this.current);
		}
		for (const element of this.pool)
			if (!used.has(element)) {
				element.hidden = true;
				element.dataset.at = "";
			}
	}

	// j and k: moves the current row, shows it, and puts the focus on its button.
	move(step) {
		if (!this.order.length)
			return;
		this.current = Math.max(0, Math.min(this.order.length - 1, this.current + step));
		const top = this.current * rowHeight;
		const room = this.element.clientHeight - rowHeight - this.head.offsetHeight;
		if (top < this.element.scrollTop)
			this.element.scrollTop = top;
		else if (top > this.element.scrollTop + room)
			this.element.scrollTop = top - room;
		this.draw();
		this.pool.find((element) => element.dataset.at === String(this.current))
			?.querySelector("button")?.focus({ preventScroll: true });
	}
}
