// Everything that is known of one task, in a dialog: the bar with its numbers, then every field with
// its meaning, or the reason why it has no value.

function makeDialogHead(dialog, id, text) {
	const close = make("button", { type: "button", "aria-label": "Close" }, "Close");
	close.addEventListener("click", () => dialog.close());
	const head = make("h2", { id }, make("bdi", {}, text));
	return make("div", { class: "dialog-head" }, head, close);
}

function makeBarLegend(data, row) {
	const list = make("ul", { class: "legend" });
	for (const part of barParts) {
		const field = fieldByKey.get(part.key);
		const val = make("b");
		data.fill(val, field, row);
		list.append(make("li", {}, make("i", { class: `k-${part.key}` }), `${part.label} `, val));
	}
	return list;
}

function makeFieldTable(data, row, group, body) {
	const table = make("table", { class: "fields" });
	const rows = make("tbody");
	for (const field of taskFields.filter((one) => one.group === group)) {
		const val = make("td", { class: group === "Identity" ? null : "num" });
		data.fill(val, field, row);
		if (field.key === "parent" && data.parent(row))
			val.replaceChildren(make("a", { href: `#task=${data.parent(row)}` }, data.parent(row)));
		rows.append(make("tr", {}, make("th", { scope: "row" }, field.label), val,
			make("td", { class: "dim" }, data.doc(field).doc ?? "")));
	}
	table.append(make("caption", { class: "sr" }, group), rows);
	body.append(make("h3", {}, group), table);
}

// Groups that this recording could not measure at all, each with its reason.
function unmeasuredReasons(data) {
	const reasons = new Map();
	for (const doc of data.section.head.fields) {
		if (!doc.why)
			continue;
		const field = taskFields.find((one) => columnOf(one) === doc.name);
		const label = field ? field.label : doc.name.split(".")[0].replaceAll("_", " ");
		reasons.set(doc.why, [...(reasons.get(doc.why) ?? []), label]);
	}
	return reasons;
}

function showDetail(data, row) {
	const dialog = byId("detail");
	const body = make("div", { class: "dialog-body" });
	body.append(data.bar(row), makeBarLegend(data, row));
	for (const group of new Set(taskFields.map((field) => field.group)))
		makeFieldTable(data, row, group, body);
	const missing = [...unmeasuredReasons(data)].map(([why, labels]) =>
		make("li", {}, `${labels.join(", ")}: ${why}`));
	if (missing.length)
		body.append(make("h3", {}, "Not measured in this recording"), make("ul", { class: "dim" }, ...missing));
	dialog.replaceChildren(
		makeDialogHead(dialog, "detail-head", `${data.name(row)}  ${data.id(row)}`), body);
	if (!dialog.open)
		dialog.showModal();
	dialog.scrollTop = 0;
}

// The open detail is part of the URL: a link to a task opens it, Back closes it.
function startDetail(data) {
	const dialog = byId("detail");
	const follow = (state) => {
		const row = state.task ? data.rowOfId(state.task) : -1;
		if (row >= 0)
			showDetail(data, row);
		else if (dialog.open)
			dialog.close();
	};
	dialog.addEventListener("close", () => pageState.task && setState({ task: "" }));
	dialog.addEventListener("click", (event) => event.target === dialog && dialog.close());
	document.addEventListener("click", (event) => {
		const link = event.target.closest("a[href^='#task=']");
		if (!link)
			return;
		event.preventDefault(); // else the link would drop sort and filter from the hash
		setState({ task: link.getAttribute("href").slice("#task=".length) });
	});
	onState(follow);
	follow(pageState);
}
