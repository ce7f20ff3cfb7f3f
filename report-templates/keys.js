// The keyboard: / filters, Esc clears, j and k walk the table, t changes colours, ? explains.

const keyHelp = [
	["/", "focus the filter"],
	["Esc", "clear the filter, close what is open"],
	["j  k", "next and previous task"],
	["Enter", "open the task"],
	["t", "change colours"],
	["?", "this help"],
];

const filterHelp = [
	["accept", "name, class or id contains it"],
	["class:http", "also name: state: runtime: bound: tid: id:"],
	["cpu>10ms", "any number: runq, lock, net, disk, idle, wake, wakes, p99, max ..."],
	["errors>0  rtt>1ms", "in Files and peers: any of its numbers; also path: peer: who: class: kind: role:"],
	["\"two words\"", "quotes keep them together; several conditions must all hold"],
];

function helpTable(rows) {
	return make("table", {}, make("tbody", {}, ...rows.map(([key, text]) =>
		make("tr", {}, make("th", { scope: "row" }, make("kbd", {}, key)), make("td", {}, text)))));
}

function showHelp() {
	const dialog = byId("help");
	dialog.replaceChildren(makeDialogHead(dialog, "help-head", "Keyboard and filter"),
		make("div", { class: "dialog-body" }, helpTable(keyHelp), make("h3", {}, "Filter"),
			helpTable(filterHelp)));
	if (!dialog.open)
		dialog.showModal();
}

function isTyping(target) {
	return target.closest?.("input, select, textarea") !== null;
}

function startKeys(view) {
	const actions = {
		"/": () => {
			view.input.focus();
			view.input.select();
		},
		"?": showHelp,
		j: () => view.table.move(1),
		k: () => view.table.move(-1),
		t: nextTheme,
	};
	document.addEventListener("keydown", (event) => {
		if (event.ctrlKey || event.altKey || event.metaKey || document.querySelector("dialog[open]"))
			return;
		if (event.key === "Escape") {
			setState({ filter: "" });
			view.input.blur();
			return;
		}
		const action = isTyping(event.target) ? null : actions[event.key];
		if (!action)
			return;
		event.preventDefault();
		action();
	});
	byId("help-button").addEventListener("click", showHelp);
}
