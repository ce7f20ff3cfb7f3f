// What is shown of files, peers and disks: the fields of each, and what to say where there is no
// value. The rows come costliest first from the program (user/report/flows.h).

const opLabels = {
	read: "Reads", write: "Writes", sync: "Syncs", open: "Opens", connect: "Connects",
	accept: "Accepted", request: "Served", response: "Answers", queued: "In the queue",
	fault: "Page faults", disk_read: "Reads", disk_write: "Writes",
};
// Those that move data; and what cannot fail, because it is no call.
const movingOps = ["read", "write", "disk_read", "disk_write"];
const spanOps = ["request", "response", "queued"];
const opDocs = {
	read: "reads, or receives", write: "writes, or sends", sync: "fsync and its like",
	open: "opened", connect: "from the call until the connection is established",
	accept: "established until the program took it from the queue",
	request: "requests served: from the first byte received until the first byte sent",
	response: "waited for: from the first byte sent until the first one received",
	queued: "data lay in the socket until the program received it",
	fault: "pages of a mapped file that had to be fetched",
	disk_read: "requests to the device, from issue to completion",
	disk_write: "writes and flushes at the device, from issue to completion",
};

const whoField = { key: "who", label: "Used by", kind: "who", width: 150, prio: 6,
	doc: "the task, or the class where several tasks of it used it" };
const callFields = [
	{ key: "mean", label: "Mean", kind: "ns", width: 84, prio: 5, doc: "latency of its reads, writes and syncs, mean" },
	{ key: "p50", label: "p50", kind: "ns", width: 84, doc: "half of these took less" },
	{ key: "p99", label: "p99", kind: "ns", width: 84, prio: 7, doc: "99 of 100 of these took less" },
	{ key: "max", label: "Longest", kind: "ns", width: 88, prio: 20, doc: "the longest of these" },
];
const errorField = { key: "errors", label: "Failed", kind: "count", width: 80, prio: 4,
	doc: "operations that failed; those that would have blocked or were interrupted are no failures" };

const fileFields = [
	{ key: "kind", label: "Kind", kind: "string", width: 112, prio: 8, doc: "what it is" },
	whoField,
	{ key: "time", label: "Time", kind: "ns", width: 88, prio: 1,
		doc: "in reads, writes, syncs, opens and page faults; files on storage only" },
	{ key: "read_bytes", label: "Read", kind: "bytes", width: 88, prio: 2, doc: "bytes read" },
	{ key: "write_bytes", label: "Written", kind: "bytes", width: 88, prio: 3, doc: "bytes written" },
	{ key: "read_cnt", label: "Reads", kind: "count", width: 84, prio: 9, doc: "reads that succeeded" },
	{ key: "write_cnt", label: "Writes", kind: "count", width: 84, prio: 10, doc: "writes that succeeded" },
	errorField,
	...callFields,
	{ key: "sync_cnt", label: "Syncs", kind: "count", width: 80, prio: 11, doc: opDocs.sync },
	{ key: "sync_mean", label: "Sync mean", kind: "ns", width: 100, prio: 12, doc: "a sync, mean" },
	{ key: "open_cnt", label: "Opens", kind: "count", width: 84, doc: "times opened" },
	{ key: "bytes", label: "Both ways", kind: "bytes", doc: "bytes read and written" },
];

const peerFields = [
	{ key: "local", label: "Own end", kind: "string", width: 130, prio: 15, doc: "own address of what listens" },
	{ key: "kind", label: "Kind", kind: "string", width: 100, prio: 8,
		doc: "the protocol, and the recorded program's role: client, it connected; server, it was connected to" },
	{ key: "role", label: "Role", kind: "string", doc: "client, server, listener, datagram" },
	whoField,
	{ key: "time", label: "Time", kind: "ns", width: 88, prio: 1,
		doc: "in sends, receives and connects, waiting for the other end too" },
	{ key: "active", label: "Open", kind: "count", width: 76, prio: 5, doc: "connections open at the end" },
	{ key: "opened", label: "Opened", kind: "count", width: 84, prio: 17, doc: "connections opened in the recording" },
	{ key: "failed", label: "Refused", kind: "count", width: 86, prio: 18, doc: "connections that could not be made" },
	{ key: "read_bytes", label: "Received", kind: "bytes", width: 92, prio: 2, doc: "bytes received" },
	{ key: "write_bytes", label: "Sent", kind: "bytes", width: 88, prio: 3, doc: "bytes sent" },
	{ key: "calls", label: "Calls", kind: "count", width: 80, prio: 19, doc: "sends and receives that succeeded" },
	errorField,
	{ ...callFields[0], prio: 9, doc: "latency of its sends and receives, waiting included, mean" },
	callFields[1],
	{ ...callFields[2], prio: 21 },
	{ ...callFields[3], prio: 22 },
	{ key: "rtt", label: "RTT", kind: "ns", width: 118, prio: 7, tcp: true,
		doc: "the kernel's smoothed round trip at the end, mean of the connections" },
	{ key: "rtt_max", label: "RTT max", kind: "ns", width: 118, tcp: true, doc: "of its connections the slowest" },
	{ key: "retransmits", label: "Sent again", kind: "count", width: 118, prio: 10, tcp: true,
		doc: "segments retransmitted" },
	{ key: "segs_out", label: "Segments out", kind: "count", width: 112, tcp: true, doc: "TCP segments sent" },
	{ key: "segs_in", label: "Segments in", kind: "count", width: 112, tcp: true, doc: "TCP segments received" },
	{ key: "request_cnt", label: "Served", kind: "count", width: 84, prio: 11, doc: opDocs.request },
	{ key: "request_p50", label: "Served p50", kind: "ns", width: 104, prio: 13, doc: "half were answered faster" },
	{ key: "request_p99", label: "Served p99", kind: "ns", width: 104, prio: 12, doc: "99 of 100 were answered faster" },
	{ key: "response_cnt", label: "Answers", kind: "count", width: 92, doc: opDocs.response },
	{ key: "response_p99", label: "Answer p99", kind: "ns", width: 106, prio: 14, doc: "99 of 100 came faster" },
	{ key: "queued_mean", label: "In queue", kind: "ns", width: 92, prio: 14, doc: `${opDocs.queued}, mean` },
	{ key: "queued_p99", label: "In queue p99", kind: "ns", width: 112, doc: `${opDocs.queued}, 99 of 100 shorter` },
	{ key: "bytes", label: "Both ways", kind: "bytes", doc: "bytes sent and received" },
];

const diskFields = [
	whoField,
	{ key: "time", label: "Time", kind: "ns", width: 88, prio: 1, doc: "from issue to completion, summed" },
	{ key: "disk_read_bytes", label: "Read", kind: "bytes", width: 88, prio: 2, doc: "bytes read" },
	{ key: "disk_write_bytes", label: "Written", kind: "bytes", width: 88, prio: 3, doc: "bytes written" },
	{ key: "disk_read_cnt", label: "Reads", kind: "count", width: 84, prio: 9, doc: opDocs.disk_read },
	{ key: "disk_write_cnt", label: "Writes", kind: "count", width: 84, prio: 10, doc: opDocs.disk_write },
	errorField,
	...callFields,
	{ key: "bytes", label: "Both ways", kind: "bytes", doc: "bytes read and written" },
];

const flowKinds = [
	{ id: "files", one: "file", head: "Files", first: "Path", fields: fileFields,
		none: "No file was used in this recording.",
		ops: ["read", "write", "sync", "open", "fault"] },
	{ id: "peers", one: "peer", head: "Peers", first: "Peer", fields: peerFields,
		none: "No socket was used in this recording.", labels: { read: "Receives", write: "Sends" },
		ops: ["read", "write", "connect", "accept", "request", "response", "queued"] },
	{ id: "disks", one: "disk", head: "Disks", first: "Disk", fields: diskFields,
		none: "Nothing reached a disk in this recording.", ops: ["disk_read", "disk_write"] },
];

// The rows of one of them, and the source of its filter.
class FlowData {
	constructor(section, kind) {
		this.section = section;
		this.kind = kind;
		this.rows = section.rows;
		this.fieldByKey = new Map(kind.fields.map((field) => [field.key, field]));
	}

	name(row) {
		return cleanName(this.section.string("name", row)) || `[${this.section.string("kind", row)}]`;
	}

	// "" for many tasks or none: then there is no single one to link to
	taskId(row) {
		const tid = this.section.number("task_tid", row);
		return Number.isNaN(tid) ? "" : `${tid}:${this.section.number("task_seq", row)}`;
	}

	who(row) {
		const tasks = this.section.number("tasks", row);
		const folded = this.section.number("folded", row) === 1;
		const who = cleanName(this.section.string("who", row));
		if (!tasks && !folded)
			return "";
		const many = folded ? ", with folded tasks" : tasks > 1 ? `, ${formatCount(tasks)} tasks` : "";
		return (who || "(no name)") + many;
	}

	kindText(row) {
		const kind = this.section.string("kind", row);
		const role = this.section.string("role", row);
		if (["client", "server", "listener"].includes(role))
			return `${kind} ${role}`;
		return this.section.number("deleted", row) ? `${kind}, deleted` : kind;
	}

	text(field, row) {
		if (field.kind === "who")
			return this.who(row);
		if (field.key === "kind")
			return this.kindText(row);
		if (field.kind === "string")
			return cleanName(this.section.string(field.key, row));
		const val = this.section.number(field.key, row);
		if (Number.isNaN(val))
			return "";
		return { ns: formatNs, bytes: formatBytes, count: formatCount }[field.kind](val);
	}

	// Why text() is "": [short word, reason].
	missing(field, row) {
		if (field.tcp)
			return this.section.string("kind", row) === "tcp"
				? ["not measured", "none of its connections told"]
				: ["none", "only TCP has it"];
		const part = /^(?:(.+)_)?(p50|p99|max|mean)$/.exec(field.key);
		if (part) {
			const cnt = this.section.number(part[1] ? `${part[1]}_cnt` : "calls", row);
			return cnt > 0 && part[2].startsWith("p")
				? ["n too small", `a percentile needs more values than those of ${formatCount(cnt)} operations`]
				: ["none", "no such operation was seen from its beginning"];
		}
		if (/_(cnt|bytes|errors|again)$/.test(field.key))
			return ["none", "no such operation was seen"];
		const waits = this.kind.id === "files" &&
			!["file", "directory", "block device"].includes(this.section.string("kind", row));
		const reasons = {
			time: waits ? ["not storage", "reads of pipes and the like wait for somebody"]
				: ["none", "no such operation was seen from its beginning"],
			who: ["nobody", "no task could be told"],
			local: ["none", "only what listens has one"],
			active: ["none", "no connection to it was seen"],
		};
		return reasons[field.key] ?? (["opened", "failed"].includes(field.key)
			? reasons.active : ["unknown", "no value was recorded"]);
	}

	fill(element, field, row) {
		const text = this.text(field, row);
		const id = field.kind === "who" ? this.taskId(row) : "";
		if (text === "") {
			element.removeAttribute("title");
			element.replaceChildren(makeMissing(...this.missing(field, row)));
			return;
		}
		element.title = exactText(field, this.section.number(field.key, row)) ?? text;
		element.replaceChildren(id ? make("a", { href: `#task=${id}` }, make("bdi", {}, text))
			: field.kind === "count" || exactText(field, 0) ? text : make("bdi", {}, text));
		element.classList.toggle("warn", ["errors", "failed"].includes(field.key) &&
			this.section.number(field.key, row) > 0);
	}

	// What a column sorts by.
	keys(key) {
		const field = this.fieldByKey.get(key);
		if (key === "name" || field?.kind === "string" || field?.kind === "who")
			return rankedKeys(this.section, key);
		return this.section.numbers(key);
	}

	word(word) {
		return anyOf(["name", "who", "class", "kind", "local", "role"]
			.filter((name) => this.section.has(name))
			.map((name) => containsInColumn(this.section, name, word)));
	}

	keyed(key, word) {
		const column = { path: "name", peer: "name", task: "who", protocol: "kind" }[key] ?? key;
		if (!["name", "who", "class", "kind", "local", "role"].includes(column))
			return null;
		return this.section.has(column) ? containsInColumn(this.section, column, word) : () => false;
	}

	// A field that only the others have holds for no row of this one.
	numeric(name) {
		const field = this.fieldByKey.get(name);
		if (field && numericKinds.includes(field.kind) && this.section.has(name))
			return { vals: this.section.numbers(name) };
		const known = flowKinds.some((kind) =>
			kind.fields.some((one) => one.key === name && numericKinds.includes(one.kind)));
		return known ? { vals: new Float64Array(this.rows).fill(NaN) } : undefined;
	}
}
