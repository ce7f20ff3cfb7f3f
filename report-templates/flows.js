// "Files and peers": three tables under one filter box, and the dialog with everything of one row.

const longName = 100;

// A path in two parts: the first one shrinks where the column is narrow, the last `tail` letters stay.
function fillPathCell(element, name, tail, open) {
	fillNameCell(element, "", open);
	const button = element.firstElementChild;
	const letters = Array.from(name);
	const slash = letters.lastIndexOf("/");
	let from = slash > 0 && letters.length - slash <= tail ? slash : letters.length - tail;
	if (from < 4) // not worth a cut
		from = 0;
	button.classList.add("path");
	button.title = name;
	button.firstElementChild.replaceChildren(
		make("span", { class: "path-head" }, letters.slice(0, from).join("")),
		make("span", { class: "path-tail" }, letters.slice(from).join("")));
}

function makeOpTable(data, row) {
	const parts = [["cnt", "Done", "count"], ["bytes", "Bytes", "bytes"], ["errors", "Failed", "count"],
		["again", "Of no effect", "count"], ["mean", "Mean", "ns"], ["p50", "p50", "ns"], ["p99", "p99", "ns"],
		["max", "Longest", "ns"]];
	const body = make("tbody");
	for (const op of data.kind.ops) {
		if (Number.isNaN(data.section.number(`${op}_cnt`, row)))
			continue;
		const line = make("tr", {}, make("th", { scope: "row", title: opDocs[op] },
			data.kind.labels?.[op] ?? opLabels[op]));
		for (const [part, , kind] of parts) {
			const cell = make("td", { class: "num" });
			const fits = part === "bytes" ? movingOps.includes(op)
				: !["errors", "again"].includes(part) || !spanOps.includes(op);
			if (fits)
				data.fill(cell, { key: `${op}_${part}`, kind }, row);
			line.append(cell);
		}
		body.append(line);
	}
	const heads = parts.map(([, label]) => make("th", { scope: "col", class: "num" }, label));
	return make("div", { class: "wide", role: "region", tabindex: 0, "aria-label": "Operations" },
		make("table", { class: "ops" }, make("caption", { class: "sr" }, "Operations"),
			make("thead", {}, make("tr", {}, make("th", { scope: "col" }, "Operation"), ...heads)), body));
}

// The heading is short whatever the name; the whole of it then stands below.
function shortName(name) {
	const letters = Array.from(name);
	return letters.length <= longName ? name
		: `${letters.slice(0, longName / 2).join("")}\u2026${letters.slice(-longName / 2).join("")}`;
}

function flowNotes(data, row) {
	const name = data.name(row);
	const notes = shortName(name) === name ? [] : [name];
	if (data.section.number("deleted", row))
		notes.push("It was deleted while it was open.");
	if (data.section.number("cut", row))
		notes.push("The path is longer than what was read of it: its beginning is missing.");
	if (data.section.number("detached", row))
		notes.push("It lies outside of the program's root directory, or on a mount that is gone.");
	return notes.map((text) => make("p", { class: "dim" }, make("bdi", {}, text)));
}

function showFlow(data, row) {
	const dialog = byId("detail");
	const rows = make("tbody");
	for (const field of data.kind.fields) {
		const val = make("td", { class: numericKinds.includes(field.kind) ? "num" : null });
		data.fill(val, field, row);
		rows.append(make("tr", {}, make("th", { scope: "row" }, field.label), val,
			make("td", { class: "dim" }, field.doc)));
	}
	setState({ task: "" });
	dialog.replaceChildren(
		makeDialogHead(dialog, "detail-head", shortName(data.name(row))),
		make("div", { class: "dialog-body" }, ...flowNotes(data, row), makeOpTable(data, row),
			make("h3", {}, "All numbers"),
			make("table", { class: "fields" }, make("caption", { class: "sr" }, data.kind.one), rows)));
	if (!dialog.open)
		dialog.showModal();
	dialog.scrollTop = 0;
}

class FlowView {
	constructor(data, parent) {
		this.data = data;
		this.stateKey = `${data.kind.id}-sort`;
		this.table = new VirtualTable({ label: data.kind.head, height: 440, onSort: (key) => this.sortBy(key) });
		this.status = make("p", { class: "dim", role: "status", id: `${data.kind.id}-status` });
		const fields = data.kind.fields.filter((field) => data.section.has(field.key));
		this.select = make("select", { id: `${data.kind.id}-sort` },
			make("option", { value: "name" }, data.kind.first),
			...fields.map((field) => make("option", { value: field.key }, field.label)));
		this.select.addEventListener("change", () => this.sortBy(this.select.value));
		parent.append(make("div", { class: "flow-head" }, make("h3", {}, data.kind.head), this.status,
			make("label", { for: this.select.id, class: "hint" }, "Sort by"), this.select),
		this.table.element);
		this.follow(pageState);
		onState((state) => this.follow(state));
		new ResizeObserver(() => this.layout()).observe(parent);
	}

	columns(room) {
		const wide = room < 560 ? 130 : room < 1000 ? 220 : 270;
		const fields = this.data.kind.fields.filter((field) => this.data.section.has(field.key));
		const fitting = fittingFields(fields, this.sort.key, room - wide);
		return [
			{ key: "name", label: this.data.kind.first, width: wide, grow: 2, doc: "opens all its numbers",
				cell: (element, row) => fillPathCell(element, this.data.name(row),
					room < 560 ? 12 : 20, () => showFlow(this.data, row)) },
			...fields.filter((field) => fitting.has(field)).map((field) => ({
				...field, width: field.width ?? usualWidth, num: numericKinds.includes(field.kind),
				grow: field.kind === "who" ? 1 : 0,
				cell: (element, row) => this.data.fill(element, field, row),
			})),
		];
	}

	layout(force) {
		const room = this.table.element.parentElement?.clientWidth || 1000;
		if (!force && room === this.room)
			return;
		this.room = room;
		this.table.setColumns(this.columns(room - 20), this.sort);
	}

	sortBy(key) {
		const words = !numericKinds.includes(this.data.fieldByKey.get(key)?.kind);
		const descending = this.sort.key === key ? !this.sort.descending : !words;
		setState({ [this.stateKey]: `${descending ? "-" : ""}${key}` });
	}

	follow(state) {
		const sort = parseSort(state[this.stateKey], "-time");
		const known = sort.key === "name" ||
			(this.data.fieldByKey.has(sort.key) && this.data.section.has(sort.key));
		const wanted = known ? sort : parseSort("-time");
		const filter = state.flow ?? "";
		if (this.filter === filter && this.sort?.key === wanted.key &&
			this.sort.descending === wanted.descending)
			return;
		this.sort = wanted;
		this.filter = filter;
		this.select.value = wanted.key;
		const { rows, problems } = filterRows(this.data, filter);
		this.problems = problems;
		this.layout(true);
		this.table.element.scrollTop = 0;
		this.table.setOrder(sortRows(rows, this.data.keys(wanted.key), wanted.descending));
		this.table.element.hidden = !rows.length;
		this.status.textContent = this.statusText(rows);
	}

	statusText(rows) {
		const { left_rows: left, left_ns: ns, left_bytes: bytes } = this.data.section.head;
		const sum = (name) => rows.reduce((all, row) => all + (this.data.section.number(name, row) || 0), 0);
		const shown = rows.length === this.data.rows ? formatCount(rows.length)
			: `${formatCount(rows.length)} of ${formatCount(this.data.rows)}`;
		const word = this.data.rows === 1 ? "row" : "rows";
		let text = `${shown} ${word}: ${formatNs(sum("time"))}, ${formatBytes(sum("bytes"))}`;
		if (!rows.length)
			text = `${shown} ${word}: nothing matches the filter`;
		if (left)
			text += `. ${formatCount(left)} cheaper ones are left out: ${formatNs(ns)}, ${formatBytes(bytes)}`;
		return `${text}.`;
	}
}

// The filter is one for all three, because a name is looked for before one knows what it is.
function makeFlowFilter(views) {
	const input = make("input", { type: "search", id: "flow-filter", autocomplete: "off", spellcheck: "false",
		placeholder: "path, address, task, kind:pipe, errors>0, mean>10ms", "aria-describedby": "flow-problems" });
	const problems = make("p", { class: "error", id: "flow-problems", role: "status" });
	const follow = (state) => {
		if (input.value !== (state.flow ?? ""))
			input.value = state.flow ?? "";
		const all = new Set(views.flatMap((view) => view.problems));
		problems.textContent = [...all].map((problem) => `${problem}.`).join(" ");
	};
	input.addEventListener("input", () => setState({ flow: input.value }));
	onState(follow);
	follow(pageState);
	return [make("div", { class: "controls" },
		make("label", { for: "flow-filter", class: "hint" }, "Filter"), input), problems];
}

function startFlows(sections, parent) {
	const views = [];
	const boxes = [];
	sections.forEach((section, i) => {
		const box = make("div", { class: "flow" });
		const kind = flowKinds[i];
		boxes.push(box);
		if (section.head.why)
			box.append(make("h3", {}, kind.head),
				make("p", {}, makeMissing("not measured", section.head.why)));
		else if (!section.rows)
			box.append(make("h3", {}, kind.head), make("p", { class: "dim" }, kind.none));
		else
			views.push(new FlowView(new FlowData(section, kind), box));
	});
	if (views.length)
		parent.append(make("p", { class: "dim" }, "Each row is one file, peer or disk and the tasks of one " +
			"class that used it, the costliest first. Time is what the operations took, summed."), ...makeFlowFilter(views));
	parent.append(...boxes);
}
