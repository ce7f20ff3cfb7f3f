// The timeline: what all threads did together, then a lane for each, busiest first. Drawn once on a
// canvas; a readout below says in words what is under the pointer or the keyboard's cursor.

const laneHeight = 20;
const laneGap = 4;
const allHeight = 56;
const axisHeight = 22;

class TimelineView {
	constructor(section, data, parent) {
		this.section = section;
		this.data = data;
		this.bins = section.head.bins;
		this.binNs = section.head.bin_ns;
		this.lanes = section.head.lanes;
		this.parts = barParts.map((part) => section.numbers(part.key));
		this.labels = this.lanes.map((tid) => this.labelOf(tid));
		this.cursor = { lane: 0, bin: 0 };
		this.build(parent);
		themeListeners.push(() => this.draw());
		new ResizeObserver(() => this.draw()).observe(parent);
	}

	labelOf(tid) {
		this.threadNames ??= this.findThreadNames();
		return `${this.threadNames.get(tid) ?? "thread"} ${tid}`;
	}

	findThreadNames() {
		const names = new Map();
		const threads = this.data.section.numbers("thread");
		const runtimes = this.data.section.numbers("runtime");
		const thread = this.data.section.strings("runtime").indexOf("thread");
		for (let row = 0; row < this.data.rows; row++)
			if (runtimes[row] === thread)
				names.set(threads[row], this.data.name(row));
		return names;
	}

	build(parent) {
		const total = this.section.head.lanes_total;
		const shown = this.lanes.length;
		parent.append(make("p", { class: "dim" }, total > shown
			? `The ${formatCount(shown)} busiest of ${formatCount(total)} threads. Sums and tables hold all of them.`
			: `${formatCount(shown)} threads, the busiest first. Each column is ${formatNs(this.binNs)}.`));
		if (this.section.head.why_waits)
			parent.append(make("p", { class: "dim" }, "Waits were ",
				makeMissing("not measured", this.section.head.why_waits), "."));
		this.all = make("canvas", { class: "axis", role: "img", "aria-label": "All threads together" });
		this.canvas = make("canvas", { role: "img", "aria-label":
			`Timeline of ${shown} threads. The busiest are ${this.labels.slice(0, 5).join(", ")}.` });
		this.box = make("div", { class: "lanes", tabindex: 0, role: "group", "aria-label":
			"Timeline, arrow keys move, Enter shows the thread's tasks" }, this.canvas);
		this.readout = make("p", { class: "readout", role: "status" },
			"Point at the timeline, or focus it and use the arrow keys.");
		const legend = make("ul", { class: "legend" }, ...barParts.map((part) =>
			make("li", {}, make("i", { class: `k-${part.key}` }), part.label)));
		parent.append(this.all, this.box, legend, this.readout);
		this.listen();
	}

	listen() {
		this.canvas.addEventListener("pointermove", (event) => this.point(event));
		this.canvas.addEventListener("click", (event) => {
			this.point(event);
			this.showTasks();
		});
		this.box.addEventListener("keydown", (event) => this.key(event));
	}

	point(event) {
		const bounds = this.canvas.getBoundingClientRect();
		const bin = Math.floor(((event.clientX - bounds.left - this.left) / this.plot) * this.bins);
		const lane = Math.floor((event.clientY - bounds.top) / (laneHeight + laneGap));
		this.moveTo(lane, bin);
	}

	key(event) {
		const steps = { ArrowLeft: [0, -1], ArrowRight: [0, 1], ArrowUp: [-1, 0], ArrowDown: [1, 0] };
		const step = steps[event.key];
		if (step) {
			event.preventDefault();
			this.moveTo(this.cursor.lane + step[0], this.cursor.bin + step[1]);
			this.box.scrollTop = Math.max(0, (this.cursor.lane - 8) * (laneHeight + laneGap));
		} else if (event.key === "Enter") {
			this.showTasks();
		}
	}

	moveTo(lane, bin) {
		this.cursor.lane = Math.max(0, Math.min(this.lanes.length - 1, lane));
		this.cursor.bin = Math.max(0, Math.min(this.bins - 1, bin));
		this.describe();
	}

	describe() {
		const { lane, bin } = this.cursor;
		const at = lane * this.bins + bin;
		const words = barParts
			.map((part, i) => [part.label, this.parts[i][at] / 255])
			.filter(([, share]) => share > 0)
			.map(([label, share]) => `${label} ${formatPercent(share)}`);
		this.readout.replaceChildren(
			make("b", {}, make("bdi", {}, this.labels[lane])),
			` at ${formatNs(bin * this.binNs)}: ${words.join(", ") || "nothing was recorded"}`);
	}

	showTasks() {
		setState({ filter: `tid:${this.lanes[this.cursor.lane]}` });
	}

	prepare(canvas, width, height) {
		const scale = window.devicePixelRatio || 1;
		this.scale = scale;
		canvas.width = Math.round(width * scale);
		canvas.height = Math.round(height * scale);
		canvas.style.height = `${height}px`;
		const context = canvas.getContext("2d");
		context.scale(scale, scale);
		context.font = "12px system-ui, sans-serif";
		context.textBaseline = "middle";
		return context;
	}

	readColours() {
		const style = getComputedStyle(document.documentElement);
		this.colour = (name) => style.getPropertyValue(`--${name}`).trim();
		this.colours = barParts.map((part) => this.colour(part.key));
		this.idleAlpha = Number(this.colour("idle-alpha"));
	}

	draw() {
		const width = this.box.clientWidth;
		if (!width)
			return;
		this.readColours();
		this.left = width < 600 ? 96 : 190;
		this.plot = width - this.left - 8;
		this.drawAll(width);
		this.drawLanes(width);
	}

	// Where a bin begins, on a whole pixel: between them there would be seams.
	binX(bin) {
		return Math.round((this.left + (bin * this.plot) / this.bins) * this.scale) / this.scale;
	}

	// The shares of one bin as a column from the bottom up; idle is only a tint.
	drawBin(context, bin, bottom, height, shares) {
		const x = this.binX(bin);
		const width = this.binX(bin + 1) - x;
		let y = bottom;
		for (let i = 0; i < shares.length; i++) {
			if (!(shares[i] > 0))
				continue;
			const part = shares[i] * height;
			context.fillStyle = this.colours[i];
			context.globalAlpha = i === shares.length - 1 ? this.idleAlpha : 1;
			context.fillRect(x, y - part, width, part);
			y -= part;
		}
		context.globalAlpha = 1;
	}

	drawAll(width) {
		const context = this.prepare(this.all, width, allHeight + axisHeight);
		const sums = new Float64Array(this.bins * 8);
		let most = 0;
		for (let bin = 0; bin < this.bins; bin++) {
			let sum = 0;
			for (let i = 0; i < 7; i++) {
				for (let lane = 0; lane < this.lanes.length; lane++)
					sums[bin * 8 + i] += this.parts[i][lane * this.bins + bin] / 255;
				sum += sums[bin * 8 + i];
			}
			most = Math.max(most, sum);
		}
		for (let bin = 0; bin < this.bins && most; bin++)
			this.drawBin(context, bin, allHeight, allHeight - 4,
				sums.subarray(bin * 8, bin * 8 + 7).map((val) => val / most));
		context.fillStyle = this.colour("text");
		context.fillText("not idle", 8, 16);
		context.fillStyle = this.colour("dim");
		context.fillText(width < 600 ? `max ${most.toFixed(1)}` : `at most ${most.toFixed(1)} threads`, 8, 32);
		this.drawAxis(context);
	}

	drawAxis(context) {
		const total = this.bins * this.binNs;
		const wanted = Math.max(2, Math.floor(this.plot / 130));
		let step = 10 ** Math.floor(Math.log10(total / wanted));
		step *= [1, 2, 5, 10].find((factor) => total / (step * factor) <= wanted) ?? 10;
		context.fillStyle = this.colour("dim");
		context.strokeStyle = this.colour("line");
		for (let ns = 0; ns <= total; ns += step) {
			const x = this.left + (ns / total) * this.plot;
			context.fillRect(x, allHeight, 1, 5);
			const text = formatNs(ns);
			const room = context.measureText(text).width;
			if (x + room < this.left + this.plot + 8)
				context.fillText(text, x + 3, allHeight + 13);
		}
	}

	drawLanes(width) {
		const height = this.lanes.length * (laneHeight + laneGap);
		const context = this.prepare(this.canvas, width, height);
		const shares = new Float64Array(8);
		const raised = this.colour("raised");
		const text = this.colour("text");
		for (let lane = 0; lane < this.lanes.length; lane++) {
			const top = lane * (laneHeight + laneGap) + laneGap / 2;
			context.fillStyle = raised;
			context.fillRect(this.left, top, this.plot, laneHeight);
			for (let bin = 0; bin < this.bins; bin++) {
				for (let i = 0; i < 8; i++)
					shares[i] = this.parts[i][lane * this.bins + bin] / 255;
				this.drawBin(context, bin, top + laneHeight, laneHeight, shares);
			}
			context.fillStyle = text;
			context.fillText(this.clip(context, this.labels[lane]), 8, top + laneHeight / 2);
		}
	}

	clip(context, label) {
		let text = label;
		while (text.length > 3 && context.measureText(text).width > this.left - 16)
			text = `${text.slice(0, -2)}\u2026`.replace("\u2026\u2026", "\u2026");
		return text;
	}
}

function startTimeline(section, data, parent) {
	if (section.rows && !section.head.why)
		return new TimelineView(section, data, parent);
	const why = section.head.why ?? "the recording holds no slices";
	parent.append(make("p", {}, makeMissing("not measured", why), make("span", { class: "dim" }, ` (${why})`)));
	return null;
}
