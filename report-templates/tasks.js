// The task table: filter box, sort, the columns that fit, and what of the whole is shown.

// The first two columns; a phone has room for them and the CPU time.
function leadWidths(room) {
	return room < 560 ? { name: 120, bar: 84 } : { name: 170, bar: 170 };
}

function taskColumns(data, room, sortKey) {
	const lead = leadWidths(room);
	const columns = [
		{ key: "name", label: "Task", width: lead.name, grow: 2, doc: "its name; opens all its numbers",
			cell: (element, row) => fillNameCell(element, data.name(row),
				() => setState({ task: data.id(row) })) },
		{ key: "busy", label: "Time", width: lead.bar, grow: 1,
			doc: "share of its time by state; sorts by what was not idle",
			cell: (element, row) => element.replaceChildren(data.bar(row)) },
	];
	const fitting = fittingFields(taskFields.filter((field) => data.has(field)), sortKey,
		room - lead.name - lead.bar);
	for (const field of taskFields.filter((one) => fitting.has(one)))
		columns.push(fieldColumn(data, field));
	// who they are stands left of the bar, numbers right of it
	const identity = columns.filter((column) => column.identity);
	return [columns[0], ...identity, columns[1], ...columns.slice(2).filter((one) => !one.identity)];
}

function fieldColumn(data, field) {
	return {
		key: field.key,
		label: field.label,
		width: field.width ?? usualWidth,
		num: numericKinds.includes(field.kind),
		identity: field.group === "Identity",
		doc: data.doc(field).doc,
		cell: (element, row) => data.fill(element, field, row),
	};
}

function fillNameCell(element, name, open) {
	let button = element.firstElementChild;
	if (!button) {
		button = make("button", { type: "button", class: "name" }, make("bdi"));
		element.append(button);
	}
	button.firstElementChild.textContent = name;
	button.title = name;
	button.onclick = open;
}

// What a column sorts by: one number per row.
function sortKeys(data, key) {
	const section = data.section;
	if (key === "name")
		return rankedKeys(section, "name");
	if (key === "busy")
		return busyKeys(section);
	const field = fieldByKey.get(key);
	switch (field?.kind) {
	case "string":
		return rankedKeys(section, key);
	case "bound": {
		const keys = rankedKeys(section, "bottleneck");
		const causes = rankedKeys(section, "cause");
		return keys.map((val, row) => val * 1000 + (Number.isNaN(causes[row]) ? 0 : causes[row]));
	}
	case "class": {
		const ranks = stringRanks(data.classes.strings("name"));
		const names = data.classes.numbers("name");
		return section.numbers("class").map((index) => ranks[names[index]] ?? NaN);
	}
	case "id": case "parent": case "native": {
		const [high, low] = { id: ["tid", "seq"], parent: ["parent_tid", "parent_seq"],
			native: ["native_hi", "native_lo"] }[field.kind];
		const lows = section.numbers(low);
		return section.numbers(high).map((val, row) => val * 2 ** 32 + lows[row]);
	}
	}
	return section.numbers(field ? columnOf(field) : key);
}

function rankedKeys(section, name) {
	const ranks = stringRanks(section.strings(name));
	return section.numbers(name).map((val) => ranks[val] ?? NaN);
}

function busyKeys(section) {
	const keys = new Float64Array(section.rows);
	for (const part of barParts.slice(0, -1)) {
		const vals = section.numbers(part.key);
		for (let row = 0; vals && row < keys.length; row++)
			keys[row] += vals[row];
	}
	return keys;
}

// "-run" = by run, descending
function parseSort(text, fallback) {
	const key = (text || fallback).replace(/^-/, "");
	return { key, descending: (text || fallback).startsWith("-") };
}

class TaskView {
	constructor(data, parent) {
		this.data = data;
		this.source = new TaskFilter(data);
		this.table = new VirtualTable({
			label: "Tasks",
			height: 640,
			onSort: (key) => this.sortBy(key),
		});
		this.makeControls();
		parent.append(this.controls, this.status, this.table.element, this.makeUnmeasured());
		this.follow(pageState);
		onState((state) => this.follow(state));
		new ResizeObserver(() => this.layout()).observe(parent);
	}

	makeControls() {
		this.input = make("input", {
			type: "search", id: "filter", autocomplete: "off", spellcheck: "false",
			placeholder: "name, class:http, cpu>10ms, state:waiting", "aria-describedby": "filter-status",
		});
		this.input.addEventListener("input", () => setState({ filter: this.input.value }));
		this.select = make("select", { id: "sort" },
			make("option", { value: "busy" }, "Time, not idle"),
			make("option", { value: "name" }, "Name"),
			...taskFields.filter((field) => this.data.has(field) && field.kind !== "cpus")
				.map((field) => make("option", { value: field.key }, field.label)));
		this.select.addEventListener("change", () => this.sortBy(this.select.value));
		this.controls = make("div", { class: "controls" },
			make("label", { for: "filter", class: "hint" }, "Filter"), this.input,
			make("label", { for: "sort", class: "hint" }, "Sort by"), this.select);
		this.status = make("p", { class: "dim", id: "filter-status", role: "status" });
	}

	makeUnmeasured() {
		const list = [...unmeasuredReasons(this.data)].map(([why, labels]) =>
			make("li", {}, `${labels.join(", ")}: ${why}`));
		if (!list.length)
			return "";
		return make("details", { class: "unmeasured" },
			make("summary", {}, `Not measured in this recording, so not in the table (${list.length} reasons)`),
			make("ul", {}, ...list));
	}

	// A second click turns the order round; numbers begin with the largest, words with A.
	sortBy(key) {
		const field = fieldByKey.get(key);
		const words = key === "name" || ["string", "class", "bound", "id"].includes(field?.kind);
		const descending = this.sort.key === key ? !this.sort.descending : !words;
		setState({ sort: `${descending ? "-" : ""}${key}` });
	}

	follow(state) {
		const sort = parseSort(state.sort, "-busy");
		const known = sort.key === "busy" || sort.key === "name" ||
			(fieldByKey.has(sort.key) && this.data.has(fieldByKey.get(sort.key)));
		const wanted = known ? sort : { key: "busy", descending: true };
		const filter = state.filter ?? "";
		if (this.filter === filter && this.sort?.key === wanted.key &&
			this.sort.descending === wanted.descending)
			return;
		if (this.sort?.key !== wanted.key)
			this.keys = sortKeys(this.data, wanted.key) ?? new Float64Array(this.data.rows);
		this.sort = wanted;
		this.filter = filter;
		if (this.input.value !== filter)
			this.input.value = filter;
		this.select.value = wanted.key;
		this.update();
	}

	update() {
		const { rows, problems } = filterRows(this.source, this.filter);
		this.layout(true);
		this.table.element.scrollTop = 0;
		this.table.setOrder(sortRows(rows, this.keys, this.sort.descending));
		this.showStatus(rows, problems);
	}

	showStatus(rows, problems) {
		const cpu = this.data.section.numbers("run");
		let text = rows.length === this.data.rows ? `${formatCount(rows.length)} tasks`
			: `${formatCount(rows.length)} of ${formatCount(this.data.rows)} tasks`;
		if (cpu) {
			let sum = 0;
			for (const row of rows)
				sum += cpu[row];
			text += `, CPU ${formatNs(sum)}`;
		}
		if (!this.data.rows)
			text = "No task was seen in this recording.";
		else if (!rows.length)
			text += ": nothing matches the filter";
		this.status.replaceChildren(text);
		for (const problem of problems)
			this.status.append(make("span", { class: "error" }, ` ${problem}.`));
		this.table.element.hidden = !rows.length;
	}

	layout(force) {
		const room = this.table.element.parentElement?.clientWidth || 1000;
		if (!force && room === this.room)
			return;
		this.room = room;
		// the scroll bar takes some, or the last column would not fit
		this.table.setColumns(taskColumns(this.data, room - 20, this.sort.key), this.sort);
	}
}
