// Elements. Text goes in as textContent and attributes by setAttribute, never as markup: every name
// in this page is written by somebody who may want the reader's browser.

const svgSpace = "http://www.w3.org/2000/svg";

// make("p", { class: "dim", title: why }, "text", otherElement)
function make(tag, attributes = {}, ...children) {
	const element = document.createElement(tag);
	for (const [name, val] of Object.entries(attributes))
		if (val !== undefined && val !== null && val !== false)
			element.setAttribute(name, val === true ? "" : val);
	element.append(...children);
	return element;
}

// Names as they may be shown: what is no character, and what turns the direction of the text around
// it, becomes U+FFFD, as in the HTML that the program writes (user/report/markup.c).
function cleanName(text) {
	return text.replace(/[\u0000-\u0008\u000b-\u001f\u007f\u202a-\u202e\u2066-\u2069]/g, "\ufffd");
}

function byId(id) {
	return document.getElementById(id);
}

// "not measured" and the like: the short word to see, the reason to hover and to hear.
function makeMissing(word, why) {
	const element = make("span", { class: "missing", title: why }, word);
	if (why)
		element.append(make("span", { class: "sr" }, `: ${why}`));
	return element;
}

const barParts = [
	{ key: "run", label: "running" },
	{ key: "runq", label: "waiting for a CPU" },
	{ key: "disk", label: "disk" },
	{ key: "net", label: "network" },
	{ key: "lock", label: "lock" },
	{ key: "timer", label: "timer" },
	{ key: "other", label: "other wait" },
	{ key: "idle", label: "idle" },
];

// The stacked bar. The parts of `vals` are in the order of barParts; NaN is nothing.
function makeBar(vals, of) {
	const svg = document.createElementNS(svgSpace, "svg");
	const words = [];
	let sum = 0;
	for (const val of vals)
		sum += val > 0 ? val : 0;
	const full = Math.max(of > 0 ? of : 0, sum) || 1;
	let x = 0;
	vals.forEach((val, i) => {
		const width = (val / full) * 1000;
		if (!(width >= 0.5))
			return;
		const rect = document.createElementNS(svgSpace, "rect");
		rect.setAttribute("class", `s-${barParts[i].key}`);
		rect.setAttribute("x", x.toFixed(1));
		rect.setAttribute("width", width.toFixed(1));
		rect.setAttribute("height", "10");
		svg.append(rect);
		x += width;
		if (width >= 10)
			words.push(`${barParts[i].label} ${formatPercent(val / full)}`);
	});
	const label = words.join(", ") ||
		(vals.every(Number.isNaN) ? "not measured" : "nothing was charged");
	svg.setAttribute("class", "bar");
	svg.setAttribute("viewBox", "0 0 1000 10");
	svg.setAttribute("preserveAspectRatio", "none");
	svg.setAttribute("role", "img");
	svg.setAttribute("aria-label", label);
	const title = document.createElementNS(svgSpace, "title");
	title.textContent = label;
	svg.append(title);
	return svg;
}
