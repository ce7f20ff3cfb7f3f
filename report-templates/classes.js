// The class table: tasks of one kind together. A click filters the task table to the class.

const classColumns = [
	{ key: "tasks", label: "Tasks", kind: "count", width: 80 },
	{ key: "live", label: "Alive", kind: "count", width: 76, wide: true },
	{ key: "run", label: "CPU", kind: "ns", width: 90 },
	{ key: "runq", label: "Run queue", kind: "ns", width: 96 },
	{ key: "lock", label: "Lock", kind: "ns", width: 90, wide: true },
	{ key: "net", label: "Network", kind: "ns", width: 90, wide: true },
	{ key: "disk", label: "Disk", kind: "ns", width: 90, wide: true },
	{ key: "io_bytes", label: "IO", kind: "bytes", width: 88, wide: true },
	{ key: "net_bytes", label: "Traffic", kind: "bytes", width: 88, wide: true },
	{ key: "wake_p99_ns", label: "Wake p99", kind: "ns", width: 100, wide: true },
	{ key: "wake_max_ns", label: "Wake max", kind: "ns", width: 100, wide: true },
	{ key: "runs_p99_ns", label: "Poll p99", kind: "ns", width: 100, wide: true },
	{ key: "runs_max_ns", label: "Poll max", kind: "ns", width: 100, wide: true },
];

class ClassView {
	constructor(section, parent) {
		this.section = section;
		this.parent = parent;
		this.docs = new Map(section.head.fields.map((doc) => [doc.name, doc]));
		this.table = new VirtualTable({ label: "Classes", height: 420, onSort: (key) => this.sortBy(key) });
		parent.append(this.table.element);
		this.follow(pageState);
		onState((state) => this.follow(state));
		new ResizeObserver(() => this.layout()).observe(parent);
	}

	name(row) {
		return cleanName(this.section.string("name", row)) || "(no name)";
	}

	fillValue(element, column, row) {
		const val = this.section.number(column.key, row);
		if (!Number.isNaN(val)) {
			element.textContent = { ns: formatNs, bytes: formatBytes, count: formatCount }[column.kind](val);
			element.title = exactText(column, val) ?? "";
			return;
		}
		element.removeAttribute("title");
		const cnt = this.section.number(column.key.startsWith("runs") ? "runs_count" : "wake_count", row);
		element.replaceChildren(cnt > 0
			? makeMissing("n too small", `a percentile needs more than ${formatCount(cnt)} values`)
			: makeMissing("none", "nothing of this kind happened"));
	}

	// At most as wide as the page: columns marked `wide` go, from the right, until the rest fits.
	columns() {
		const shown = classColumns.filter((column) => this.section.has(column.key));
		const room = this.parent.clientWidth - 20;
		const lead = leadWidths(room);
		const total = () => shown.reduce((sum, column) => sum + column.width, lead.name + lead.bar);
		for (let i = shown.length - 1; i >= 0 && total() > room; i--)
			if (shown[i].wide && shown[i].key !== this.sort.key)
				shown.splice(i, 1);
		while (shown.length > 1 && total() > room)
			shown.splice(shown.findLastIndex((column) => column.key !== this.sort.key), 1);
		return shown;
	}

	layout(force) {
		if (!force && this.room === this.parent.clientWidth)
			return;
		this.room = this.parent.clientWidth;
		const lead = leadWidths(this.room - 20);
		const bar = barParts.map((part) => this.section.numbers(part.key));
		this.table.setColumns([
			{ key: "name", label: "Class", width: lead.name, grow: 2, doc: "shows its tasks",
				cell: (element, row) => fillNameCell(element, this.name(row),
					() => this.showTasks(row)) },
			{ key: "busy", label: "Time", width: lead.bar, grow: 1, doc: "all its tasks together",
				cell: (element, row) =>
					element.replaceChildren(makeBar(bar.map((vals) => vals?.[row] ?? NaN), 0)) },
			...this.columns().map((column) => ({
				...column, num: true, doc: this.docs.get(column.key)?.doc,
				cell: (element, row) => this.fillValue(element, column, row),
			})),
		], this.sort);
	}

	showTasks(row) {
		const name = this.section.string("name", row);
		setState({ filter: `class:"${name.replaceAll('"', "")}"` });
		byId("tasks").scrollIntoView();
	}

	sortBy(key) {
		const descending = this.sort.key === key ? !this.sort.descending : key !== "name";
		setState({ csort: `${descending ? "-" : ""}${key}` });
	}

	follow(state) {
		const sort = parseSort(state.csort, "-busy");
		const known = ["busy", "name"].includes(sort.key) || this.section.has(sort.key);
		const wanted = known ? sort : parseSort("-busy");
		if (this.sort?.key === wanted.key && this.sort.descending === wanted.descending)
			return;
		this.sort = wanted;
		const keys = wanted.key === "busy" ? busyKeys(this.section)
			: wanted.key === "name" ? rankedKeys(this.section, "name")
				: this.section.numbers(wanted.key);
		const rows = Uint32Array.from({ length: this.section.rows }, (_, row) => row);
		this.layout(true);
		this.table.setOrder(sortRows(rows, keys, wanted.descending));
	}
}
