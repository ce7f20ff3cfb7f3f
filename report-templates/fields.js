// The fields of a task: label, how to show and filter them, and what to say where there is no
// value. Meanings and reasons come with the data (head.fields), from the program's schema.

// Kinds whose columns are numbers: to the right, the largest first, and to be compared in filters.
const numericKinds = ["ns", "count", "plain", "bytes"];

// prio: which columns stay when the window is narrow (1 first); none: only in the details.
const taskFields = [
	{ key: "id", label: "Id", group: "Identity", kind: "id", width: 112, prio: 7 },
	{ key: "native", label: "Native id", group: "Identity", kind: "native" },
	{ key: "class", label: "Class", group: "Identity", kind: "class", width: 150, prio: 8 },
	{ key: "runtime", label: "Runtime", group: "Identity", kind: "string" },
	{ key: "binding", label: "Identified by", group: "Identity", kind: "string" },
	{ key: "parent", label: "Created by", group: "Identity", kind: "parent" },
	{ key: "process", label: "Process", group: "Identity", kind: "plain" },
	{ key: "thread", label: "Thread", group: "Identity", kind: "plain" },
	{ key: "state", label: "State", group: "Identity", kind: "string", width: 100, prio: 13 },
	{ key: "start", label: "Began at", group: "Identity", kind: "ns" },
	{ key: "end", label: "Ended at", group: "Identity", kind: "ns" },
	{ key: "from_start", label: "Beginning seen", group: "Identity", kind: "bool" },
	{ key: "run", label: "CPU", group: "Time", kind: "ns", width: 84, prio: 2 },
	{ key: "runq", label: "Run queue", group: "Time", kind: "ns", width: 96, prio: 3 },
	{ key: "disk", label: "Disk", group: "Time", kind: "ns", width: 84, prio: 6 },
	{ key: "net", label: "Network", group: "Time", kind: "ns", width: 88, prio: 5 },
	{ key: "lock", label: "Lock", group: "Time", kind: "ns", width: 84, prio: 4 },
	{ key: "timer", label: "Timer", group: "Time", kind: "ns" },
	{ key: "other", label: "Other wait", group: "Time", kind: "ns" },
	{ key: "idle", label: "Idle", group: "Time", kind: "ns", width: 84, prio: 14 },
	{ key: "wall", label: "Wall", group: "Time", kind: "ns" },
	{ key: "self", label: "Self", group: "Time", kind: "ns" },
	{ key: "waiting", label: "Between polls", group: "Time", kind: "ns" },
	{ key: "inside", label: "In the recording", group: "Time", kind: "ns" },
	{ key: "bound", label: "Bound by", group: "Time", kind: "bound", width: 120, prio: 8 },
	{ key: "io_bytes", label: "IO", group: "IO", kind: "bytes", width: 88, prio: 9 },
	{ key: "io_read", label: "Read", group: "IO", kind: "bytes" },
	{ key: "io_written", label: "Written", group: "IO", kind: "bytes" },
	{ key: "io_reads", label: "Reads", group: "IO", kind: "count" },
	{ key: "io_writes", label: "Writes", group: "IO", kind: "count" },
	{ key: "io_syncs", label: "Syncs", group: "IO", kind: "count" },
	{ key: "io_errors", label: "IO failed", group: "IO", kind: "count" },
	{ key: "io_time", label: "In file operations", group: "IO", kind: "ns" },
	{ key: "io_mean", label: "File latency", group: "IO", kind: "ns" },
	{ key: "io_p99", label: "File latency p99", group: "IO", kind: "ns" },
	{ key: "disk_read", label: "Read from storage", group: "IO", kind: "bytes" },
	{ key: "disk_written", label: "Written to storage", group: "IO", kind: "bytes" },
	{ key: "net_bytes", label: "Traffic", group: "Network", kind: "bytes", width: 88, prio: 10 },
	{ key: "net_received", label: "Received", group: "Network", kind: "bytes" },
	{ key: "net_sent", label: "Sent", group: "Network", kind: "bytes" },
	{ key: "net_receives", label: "Receives", group: "Network", kind: "count" },
	{ key: "net_sends", label: "Sends", group: "Network", kind: "count" },
	{ key: "packets_received", label: "Packets received", group: "Network", kind: "count" },
	{ key: "packets_sent", label: "Packets sent", group: "Network", kind: "count" },
	{ key: "conns_active", label: "Connections open", group: "Network", kind: "count" },
	{ key: "conns_opened", label: "Opened", group: "Network", kind: "count" },
	{ key: "conns_failed", label: "Refused", group: "Network", kind: "count" },
	{ key: "net_errors", label: "Socket calls failed", group: "Network", kind: "count" },
	{ key: "net_retransmits", label: "Sent again", group: "Network", kind: "count" },
	{ key: "net_time", label: "In socket operations", group: "Network", kind: "ns" },
	{ key: "net_mean", label: "Socket latency", group: "Network", kind: "ns" },
	{ key: "rtt", label: "Round trip", group: "Network", kind: "ns" },
	{ key: "request_count", label: "Requests served", group: "Network", kind: "count" },
	{ key: "request_p99_ns", label: "Served p99", group: "Network", kind: "ns" },
	{ key: "response_count", label: "Answers waited for", group: "Network", kind: "count" },
	{ key: "response_p99_ns", label: "Answer p99", group: "Network", kind: "ns" },
	{ key: "runs_count", label: "Polls", group: "Polls or callbacks", kind: "count", width: 84, prio: 15 },
	{ key: "runs_total_ns", label: "Polls total", group: "Polls or callbacks", kind: "ns" },
	{ key: "runs_p50_ns", label: "Poll p50", group: "Polls or callbacks", kind: "ns" },
	{ key: "runs_p90_ns", label: "Poll p90", group: "Polls or callbacks", kind: "ns" },
	{ key: "runs_p99_ns", label: "Poll p99", group: "Polls or callbacks", kind: "ns", width: 104, prio: 12 },
	{ key: "runs_max_ns", label: "Poll max", group: "Polls or callbacks", kind: "ns", width: 92, prio: 16 },
	{ key: "wakes", label: "Wakes", group: "Wakes", kind: "count" },
	{ key: "wakes_self", label: "By itself", group: "Wakes", kind: "count" },
	{ key: "wakes_sent", label: "Woke others", group: "Wakes", kind: "count" },
	{ key: "wake_count", label: "Measured", group: "Wakes", kind: "count" },
	{ key: "wake_total_ns", label: "Wake total", group: "Wakes", kind: "ns" },
	{ key: "wake_p50_ns", label: "Wake p50", group: "Wakes", kind: "ns" },
	{ key: "wake_p90_ns", label: "Wake p90", group: "Wakes", kind: "ns" },
	{ key: "wake_p99_ns", label: "Wake p99", group: "Wakes", kind: "ns", width: 104, prio: 11 },
	{ key: "wake_max_ns", label: "Wake max", group: "Wakes", kind: "ns", width: 96, prio: 17 },
	{ key: "heap_held", label: "Memory held", group: "Memory", kind: "bytes", width: 108, prio: 9 },
	{ key: "heap_blocks", label: "Blocks held", group: "Memory", kind: "count" },
	{ key: "heap_peak", label: "Peak", group: "Memory", kind: "bytes" },
	{ key: "heap_bytes", label: "Allocated", group: "Memory", kind: "bytes" },
	{ key: "heap_allocs", label: "Allocations", group: "Memory", kind: "count" },
	{ key: "heap_freed", label: "Freed", group: "Memory", kind: "bytes" },
	{ key: "heap_freed_cnt", label: "Blocks freed", group: "Memory", kind: "count" },
	{ key: "heap_frees", label: "Frees made", group: "Memory", kind: "count" },
	{ key: "user", label: "User mode", group: "CPU and memory", kind: "ns" },
	{ key: "kernel", label: "Kernel mode", group: "CPU and memory", kind: "ns" },
	{ key: "switches", label: "Context switches", group: "CPU and memory", kind: "count" },
	{ key: "preempted", label: "Preempted", group: "CPU and memory", kind: "count" },
	{ key: "cycles", label: "Cycles", group: "CPU and memory", kind: "count" },
	{ key: "instructions", label: "Instructions", group: "CPU and memory", kind: "count" },
	{ key: "cache_misses", label: "Cache misses", group: "CPU and memory", kind: "count" },
	{ key: "branch_misses", label: "Branch misses", group: "CPU and memory", kind: "count" },
	{ key: "cpus", label: "Ran on CPUs", group: "CPU and memory", kind: "cpus" },
	{ key: "faults", label: "Page faults", group: "CPU and memory", kind: "count" },
	{ key: "faults_major", label: "From the disk", group: "CPU and memory", kind: "count" },
	{ key: "rss_grown", label: "Memory grown", group: "CPU and memory", kind: "bytes" },
	{ key: "mapped", label: "Memory mapped", group: "CPU and memory", kind: "bytes" },
	{ key: "unmapped", label: "Memory unmapped", group: "CPU and memory", kind: "bytes" },
	{ key: "probe_hits", label: "Probe hits", group: "Quality", kind: "count" },
	{ key: "forced", label: "Ends inferred", group: "Quality", kind: "count" },
	{ key: "slices_lost", label: "Pieces lost", group: "Quality", kind: "count" },
];
const fieldByKey = new Map(taskFields.map((field) => [field.key, field]));

// The whole number behind a rounded one, for the title.
function exactText(field, val) {
	return { ns: `${formatCount(val)} ns`, bytes: `${formatCount(val)} bytes` }[field.kind];
}

// Fields that are put together from other columns.
const columnOfField = {
	id: "tid", native: "native_lo", parent: "parent_tid", cpus: "cpus_lo", bound: "bottleneck",
};

function columnOf(field) {
	return columnOfField[field.key] ?? field.key;
}

// The data of the tasks and what belongs to it.
class TaskData {
	constructor(section, classes) {
		this.section = section;
		this.classes = classes;
		this.rows = section.rows;
		this.docs = new Map(section.head.fields.map((doc) => [doc.name, doc]));
	}

	has(field) {
		return this.section.has(columnOf(field));
	}

	doc(field) {
		if (field.key === "id")
			return { doc: "thread and sequence: its name in every output" };
		return this.docs.get(columnOf(field)) ?? { doc: "" };
	}

	id(row) {
		return `${this.section.number("tid", row)}:${this.section.number("seq", row)}`;
	}

	// -1 when there is no such task
	rowOfId(id) {
		const [tid, seq] = id.split(":").map(Number);
		const tids = this.section.numbers("tid");
		const seqs = this.section.numbers("seq");
		for (let row = 0; row < this.rows; row++)
			if (tids[row] === tid && seqs[row] === seq)
				return row;
		return -1;
	}

	name(row) {
		const name = cleanName(this.section.string("name", row));
		const native = this.section.string("runtime", row) === "thread" ? "" : this.native(row);
		return name ? name + (native && ` #${native}`) : "(no name)";
	}

	className(row) {
		const index = this.section.number("class", row);
		return Number.isNaN(index) ? "" : cleanName(this.classes.string("name", index));
	}

	bound(row) {
		return this.section.string("cause", row) || this.section.string("bottleneck", row);
	}

	bar(row) {
		return makeBar(barParts.map((part) => this.section.number(part.key, row)),
			this.section.number("inside", row));
	}

	native(row) {
		const high = this.section.number("native_hi", row);
		const low = this.section.number("native_lo", row);
		if (Number.isNaN(low))
			return "";
		return ((BigInt(high) << 32n) | BigInt(low)).toString();
	}

	parent(row) {
		const tid = this.section.number("parent_tid", row);
		return Number.isNaN(tid) ? "" : `${tid}:${this.section.number("parent_seq", row)}`;
	}

	cpus(row) {
		const list = [];
		["cpus_lo", "cpus_hi"].forEach((name, half) => {
			const mask = this.section.number(name, row);
			for (let bit = 0; bit < 32; bit++)
				if (Math.floor(mask / 2 ** bit) % 2 === 1)
					list.push(half * 32 + bit);
		});
		return list.join(", ");
	}

	// Text of a field, or "" where there is no value.
	text(field, row) {
		const number = () => this.section.number(field.key, row);
		switch (field.kind) {
		case "id": return this.id(row);
		case "native": return this.native(row);
		case "class": return this.className(row);
		case "parent": return this.parent(row);
		case "bound": return this.bound(row);
		case "cpus": return this.cpus(row);
		case "string": return this.section.string(field.key, row);
		}
		const val = number();
		if (Number.isNaN(val))
			return "";
		switch (field.kind) {
		case "ns": return formatNs(val);
		case "count": return formatCount(val);
		case "bytes": return formatBytes(val);
		case "bool": return val ? "yes" : "no";
		}
		return String(val);
	}

	// Why text() is "": [short word, reason].
	missing(field, row) {
		const doc = this.doc(field);
		if (!this.has(field))
			return ["not measured", doc.why ?? "this recording has no such column"];
		if (doc.async && this.section.string("runtime", row) === "thread")
			return ["none", "only tasks of a runtime above threads have it"];
		const counted = /^(runs|wake|request|response)_(p\d+|max|total)_ns$/.exec(field.key);
		if (counted) {
			const cnt = this.section.number(`${counted[1]}_count`, row);
			return cnt > 0
				? [`n too small`, `a percentile needs more than ${formatCount(cnt)} values`]
				: ["none", "nothing of this kind happened"];
		}
		if (field.key === "io_p99" && this.section.number("io_calls", row) > 0)
			return ["n too small", "a percentile needs at least 100 operations"];
		const reasons = {
			io_mean: ["none", "no operation on storage was seen from its beginning"],
			io_p99: ["none", "no operation on storage was seen from its beginning"],
			net_mean: ["none", "no send or receive was seen from its beginning"],
			request_count: ["none", "no request was seen"],
			response_count: ["none", "no request was seen"],
			rtt: ["none", "no TCP connection of it told its round trip"],
			packets_sent: ["none", "unix streams have no packets"],
			packets_received: ["none", "unix streams have no packets"],
			end: ["alive", "it had not ended when the recording stopped"],
			parent: ["unknown", "it was there before the recording, or its creator was not seen"],
			native: ["unknown", "met without its beginning"],
			cpus: Number.isNaN(this.section.number("cpus_lo", row))
				? ["not measured", "the mask holds 64 CPUs, this host has more"]
				: ["none", "it never ran in the recording"],
			start: ["unknown", "its beginning was not seen"],
			user: ["not measured", "no timer tick fell into it"],
			kernel: ["not measured", "no timer tick fell into it"],
		};
		return reasons[field.key] ?? ["unknown", "no value was recorded for this task"];
	}

	// Into a cell: the text or the reason for none.
	fill(element, field, row) {
		const text = this.text(field, row);
		if (text !== "") {
			element.textContent = text;
			element.title = exactText(field, this.section.number(field.key, row)) ?? text;
		} else {
			element.removeAttribute("title");
			element.replaceChildren(makeMissing(...this.missing(field, row)));
		}
	}
}
