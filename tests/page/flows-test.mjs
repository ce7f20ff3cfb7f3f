// SPDX-License-Identifier: GPL-2.0-or-later
// "Files and peers", the tiles, the charts and the tasks' numbers of IO and network: equal to the
// NDJSON of the same recording, sorted, filtered, bounded. Called by page-test.mjs.

import { bytesText, findBarriers, makePage, ok, openPage, readRows, same, setHash } from "./driver.mjs";

const rowsMax = 200;

function shownName(name) {
	return name.replace(/[\u0000-\u0008\u000b-\u001f\u007f\u202a-\u202e\u2066-\u2069]/g, "\ufffd");
}

// The rows of the page as the NDJSON says them: the records of one object and class together.
function groupRecords(records, kinds) {
	const classes = new Map(records.filter((one) => one.record === "class").map((one) => [one.class_id, one]));
	const tasks = new Map(records.filter((one) => one.record === "task").map((one) => [one.task_id, one]));
	const rows = new Map();
	for (const one of records.filter((record) => kinds(record))) {
		const name = shownName(one.path ?? one.peer);
		const key = `${name} by ${one.class_id}`;
		const row = rows.get(key) ?? { name, parts: [], tasks: new Set(), folded: false };
		row.parts.push(one);
		if (one.task_id)
			row.tasks.add(one.task_id);
		else
			row.folded = one.class_id !== null;
		row.className = one.class_id && shownName(classes.get(one.class_id).name);
		rows.set(key, row);
	}
	for (const row of rows.values())
		row.who = whoOf(row, tasks);
	return [...rows.values()];
}

function whoOf(row, tasks) {
	if (!row.tasks.size && !row.folded)
		return "nobody: no task could be told";
	if (row.tasks.size === 1 && !row.folded)
		return shownName(tasks.get([...row.tasks][0]).task_name);
	return row.className + (row.folded ? ", with folded tasks" : `, ${row.tasks.size} tasks`);
}

// The sum over the records of a row; null where none of them has the number.
function sum(row, ...path) {
	const vals = row.parts.map((part) => path.reduce((at, key) => at?.[key], part))
		.filter((val) => val !== null && val !== undefined);
	return vals.length ? vals.reduce((all, val) => all + val, 0) : null;
}

const storageKinds = ["file", "directory", "block device"];

function costOf(row) {
	const { record, kind } = row.parts[0];
	if (record === "connection")
		return (sum(row, "time_ns") ?? 0) + (sum(row, "connect", "total_ns") ?? 0);
	if (kind === "disk")
		return sum(row, "time_ns") ?? 0;
	if (!storageKinds.includes(kind))
		return null;
	return (sum(row, "time_ns") ?? 0) + (sum(row, "open", "total_ns") ?? 0) +
		(sum(row, "fault", "total_ns") ?? 0);
}

// All rows of a table, not only the visible ones.
async function readAllRows(page, label) {
	const grid = page.locator(`.grid:has([role=table][aria-label="${label}"])`);
	const cnt = Number(await page.getAttribute(`[role=table][aria-label="${label}"]`, "aria-rowcount")) - 1;
	const rows = new Map();
	for (let top = 0; rows.size < cnt && top <= cnt * 34; top += 300) {
		await grid.evaluate((element, at) => {
			element.scrollTop = at;
			element.dispatchEvent(new Event("scroll"));
		}, top);
		for (const row of await readRows(page, label))
			rows.set(row.at, row);
	}
	await grid.evaluate((element) => { element.scrollTop = 0; });
	return [...rows.values()].sort((a, b) => a.at - b.at);
}

const number = (text) => (/^[0-9,]+$/.test(text) ? Number(String(text).replaceAll(",", "")) : text);

// What a cell says where the NDJSON has null.
function orNone(val, text = "none: no such operation was seen") {
	return val ?? text;
}

// Of several records only about: each has its mean rounded down.
function meanOf(row) {
	const cnt = row.parts.reduce((all, part) => all + part.time_ns / part.latency_ns, 0);
	return row.parts.length === 1 ? row.parts[0].latency_ns : { about: sum(row, "time_ns") / cnt };
}

function fileCells(row) {
	return {
		name: row.name, who: row.who,
		time: orNone(costOf(row), "not storage: reads of pipes and the like wait for somebody"),
		read_bytes: orNone(sum(row, "read", "bytes")), write_bytes: orNone(sum(row, "write", "bytes")),
		read_cnt: orNone(sum(row, "read", "operations")), write_cnt: orNone(sum(row, "write", "operations")),
		errors: sum(row, "errors"), sync_cnt: orNone(sum(row, "sync", "operations")),
		mean: meanOf(row),
	};
}

function kindOf({ protocol, role }) {
	return protocol + (["client", "server", "listener"].includes(role) ? ` ${role}` : "");
}

function peerCells(row) {
	const tcp = row.parts[0].protocol === "tcp";
	return {
		name: row.name, who: row.who, kind: kindOf(row.parts[0]), time: costOf(row),
		active: orNone(sum(row, "connections", "active"), "none: no connection to it was seen"),
		read_bytes: orNone(sum(row, "received", "bytes")), write_bytes: orNone(sum(row, "sent", "bytes")),
		errors: sum(row, "errors"), mean: meanOf(row),
		rtt: tcp ? row.parts[0].tcp.rtt_ns : "none: only TCP has it",
		retransmits: tcp ? sum(row, "tcp", "retransmissions") : "none: only TCP has it",
		request_cnt: orNone(sum(row, "request", "count")),
	};
}

// Rows of equal name and user are told apart by nothing that is shown: the order decides.
function compareRows(shown, wanted, makeCells, name) {
	const wrong = [];
	const left = [...wanted];
	for (const row of shown) {
		const at = left.findIndex((one) => one.name === row.name && one.who === row.who);
		const cells = at < 0 ? null : makeCells(left.splice(at, 1)[0]);
		for (const [key, val] of Object.entries(cells ?? { missing: row.name })) {
			const got = number(row[key]);
			if (val?.about ? Math.abs(got / val.about - 1) > 0.001 : got !== val)
				wrong.push({ row: row.name, key, got, val });
		}
	}
	ok(shown.length && !wrong.length, `${name}: ${shown.length} rows equal the NDJSON`, ...wrong.slice(0, 4));
	return left;
}

async function testTables(page, records) {
	const files = groupRecords(records, (one) => one.record === "file" && one.kind !== "disk");
	const peers = groupRecords(records, (one) => one.record === "connection");
	const disks = groupRecords(records, (one) => one.kind === "disk");
	const shown = await readAllRows(page, "Files");
	const left = compareRows(shown, files, fileCells, "files");

	same(shown.length, rowsMax, "files: as many rows as the page holds");
	ok(files.length > rowsMax && files.some((row) => row.tasks.size > 1) &&
		files.some((row) => row.folded) && files.some((row) => row.who.startsWith("nobody")),
	"files: the sample has more of them, of several tasks, folded and nobody's");
	ok(shown.every((row, i) => !i || typeof row.time === "string" || row.time <= shown[i - 1].time),
		"files: the costliest first");
	const worst = Math.max(...left.map((row) => costOf(row) ?? 0));
	const kept = shown.filter((row) => typeof row.time === "number");
	ok(kept.every((row) => row.time >= worst), "files: what was left out costs less than what is shown");
	const text = await page.textContent("#files-status");
	ok(text.startsWith(`${rowsMax} rows: `) && text.includes(`${left.length} cheaper ones are left out`),
		"files: it is said how many were left out", text);
	same(compareRows(await readAllRows(page, "Peers"), peers, peerCells, "peers").length, 0, "peers: all are shown");
	same((await readAllRows(page, "Disks")).map((row) => [row.name, row.time, row.disk_read_bytes,
		row.disk_write_bytes, number(row.disk_read_cnt), number(row.disk_write_cnt), number(row.errors), row.mean]),
	disks.map((row) => [row.name, costOf(row), sum(row, "disk_read", "bytes"), sum(row, "disk_write", "bytes"),
		sum(row, "disk_read", "operations"), sum(row, "disk_write", "operations"), sum(row, "errors"),
		row.parts[0].latency_ns]), "disks: equal the NDJSON");
}

// What the scripts draw and what the program wrote are the same words.
async function testSameWords(page) {
	const drawn = await page.locator(".grid:has([aria-label=Files]) .grid-row:not([hidden])").evaluateAll((rows) =>
		rows.sort((a, b) => a.getAttribute("aria-rowindex") - b.getAttribute("aria-rowindex")).map((row) =>
			[row.querySelector(".name").title, ...[3, 4, 5, 6, 7, 8, 9, 10].map((i) => row.children[i].textContent)]));
	const written = await page.locator("#top-flows .wide").first().locator("tbody tr").evaluateAll((rows) =>
		rows.map((row) => [row.querySelector("bdi").title,
			...[1, 2, 3, 6, 7, 9, 10, 11].map((i) => row.cells[i].textContent)]));
	same(drawn.slice(0, 12), written.slice(0, 12), "the drawn table and the plain one say the same");
}

async function testFlowSort(page) {
	const column = async (key) => (await readRows(page, "Files")).map((row) => number(row[key]));
	const header = (key) => page.locator(`[role=table][aria-label=Files] [data-sort=${key}]`);
	const isSorted = (vals, sign) => vals.every((val, i) => !i || typeof val === "string" ||
		sign * (val - vals[i - 1]) >= 0);

	await header("read_bytes").click();
	ok(isSorted(await column("read_bytes"), -1), "a click on Read sorts, the most first", await column("read_bytes"));
	same(await header("read_bytes").locator("..").getAttribute("aria-sort"), "descending", "aria-sort says so");
	ok(page.url().includes("files-sort=-read_bytes"), "the sort stands in the URL", page.url());
	await header("read_bytes").click();
	ok(isSorted(await column("read_bytes"), 1), "another click turns it round");
	await header("name").click();
	const names = (await column("name")).map((name) => name.toLowerCase());
	ok(names.every((name, i) => !i || name >= names[i - 1]), "paths sort as text", names);
	await page.selectOption("#peers-sort", "queued_p99");
	const queued = (await readRows(page, "Peers")).map((row) => row.queued_p99);
	ok(queued.length > 5 && typeof queued[0] === "number" && isSorted(queued, -1),
		"a column that was not visible sorts and appears", queued);
	await setHash(page, "");
}

async function testFlowFilter(page, records) {
	const files = groupRecords(records, (one) => one.record === "file" && one.kind !== "disk");
	const peers = groupRecords(records, (one) => one.record === "connection");
	const counted = async (text, label = "Files") => {
		await page.fill("#flow-filter", text);
		return Number(await page.getAttribute(`[role=table][aria-label=${label}]`, "aria-rowcount")) - 1;
	};
	const shownFiles = (await readAllRows(page, "Files"));
	const expect = (test) => shownFiles.filter(test).length;

	same(await counted("shard-3"), expect((row) => row.name.includes("shard-3")), "a word filters the paths");
	same(await counted("kind:pipe"), files.filter((row) => row.parts[0].kind === "pipe").length, "kind: filters");
	same(await counted("shard-3 errors>0"), expect((row) => row.name.includes("shard-3") && number(row.errors) > 0),
		"conditions hold together");
	same(await counted("read>16MiB"), expect((row) => row.read_bytes > 16 * 2 ** 20), "bytes have units");
	same(await counted("<img"), expect((row) => row.name.includes("<img") || row.who.includes("<img")),
		"hostile text is just text");
	same([await counted("rtt>1ms", "Peers"), await counted("rtt>1ms")],
		[peers.filter((row) => row.parts[0].tcp?.rtt_ns > 1e6).length, 0],
		"a number that files do not have hides them");
	same(await counted("role:server", "Peers"), peers.filter((row) => row.parts[0].role === "server").length,
		"role: filters");
	ok(page.url().includes("flow=role%3Aserver"), "the filter stands in the URL", page.url());
	await page.fill("#flow-filter", "colour>4");
	same(await page.textContent("#flow-problems"), "there is no numeric field \"colour\".", "what is none is said");
	await page.fill("#flow-filter", "zzzz");
	ok((await page.textContent("#files-status")).includes("nothing matches"), "an empty result says so");
	await page.fill("#flow-filter", "");
}

async function testFlowDetail(page, records) {
	const peer = records.find((one) => one.request?.count > 100 && one.role === "server");
	await page.fill("#flow-filter", `peer:${peer.peer}`);
	await page.locator("[role=table][aria-label=Peers] .name").first().click();
	const cells = await page.locator("#detail .ops tbody tr").evaluateAll((rows) => rows.map((row) =>
		[row.children[0].textContent, ...[...row.children].slice(1).map((cell) => cell.title || cell.textContent)]));
	const served = cells.find(([label]) => label === "Served");
	const exact = (val) => `${val.toLocaleString("en-US")} ns`;
	same([served[1], served[5], served[6], served[7], served[8]], [peer.request.count.toLocaleString("en-US"),
		exact(peer.request.mean_ns), exact(peer.request.p50_ns), exact(peer.request.p99_ns),
		exact(peer.request.max_ns)], "the dialog has the requests of a peer, with their percentiles");
	same(await findBarriers(page), [], "axe finds nothing in the open dialog");
	await page.keyboard.press("Escape");
	await page.fill("#flow-filter", "the-very-end");
	await page.locator("[role=table][aria-label=Files] .name").first().click();
	ok((await page.textContent("#detail-head")).length <= 101 &&
		(await page.textContent("#detail .dialog-body")).includes("xxx/xxxxxx"), "a long path heads it shortened, and stands whole below");
	await page.keyboard.press("Escape");
	const title = await page.locator("[role=table][aria-label=Files] .name").first().getAttribute("title");
	ok(title.length > 1200 && title.endsWith("/the-very-end.log"), "in the table its title is the whole");
	const link = page.locator("[role=table][aria-label=Files] a[href^='#task=']").first();
	const name = await link.textContent();
	await link.click();
	ok((await page.textContent("#detail-head")).startsWith(name), "a task's name opens the task");
	await page.keyboard.press("Escape");
	await page.waitForFunction(() => !location.hash.includes("task="), null, { timeout: 10000 });
	await page.fill("#flow-filter", "");
}

// Label in the dialog -> what the NDJSON has.
const taskFields = [
	["IO", "Read", (task) => task.io_metrics.bytes_read],
	["IO", "Written", (task) => task.io_metrics.bytes_written],
	["IO", "Reads", (task) => task.io_metrics.operations_read],
	["IO", "Writes", (task) => task.io_metrics.operations_written],
	["IO", "Syncs", (task) => task.io_metrics.syncs],
	["IO", "IO failed", (task) => task.io_metrics.errors],
	["IO", "File latency", (task) => task.io_metrics.average_latency_ms, 1e6],
	["IO", "File latency p99", (task) => task.io_metrics.p99_latency_ms, 1e6],
	["IO", "Read from storage", (task) => task.io_metrics.disk_bytes_read],
	["Network", "Received", (task) => task.network_metrics.bytes_received],
	["Network", "Sent", (task) => task.network_metrics.bytes_sent],
	["Network", "Receives", (task) => task.network_metrics.operations_received],
	["Network", "Sends", (task) => task.network_metrics.operations_sent],
	["Network", "Packets sent", (task) => task.network_metrics.packets_sent],
	["Network", "Connections open", (task) => task.network_metrics.connections_active],
	["Network", "Opened", (task) => task.network_metrics.connections_opened],
	["Network", "Socket calls failed", (task) => task.network_metrics.error_count],
	["Network", "Sent again", (task) => task.network_metrics.retransmissions],
	["Network", "Socket latency", (task) => task.network_metrics.latency_avg_ms, 1e6],
	["Network", "Round trip", (task) => task.network_metrics.rtt_avg_ms, 1e6],
	["Network", "Requests served", (task) => task.network_metrics.request_latency?.count ?? null],
	["Network", "Served p99", (task) => task.network_metrics.request_latency?.p99_ns ?? null],
];

async function testTasks(page, records) {
	const tasks = records.filter((one) => one.record === "task");
	const picked = [...tasks.filter((one) => one.network_metrics.bytes_sent > 0).slice(0, 12),
		...tasks.filter((one) => one.io_metrics.errors > 0).slice(0, 4), tasks[900]];
	const wrong = [];
	for (const task of picked) {
		await setHash(page, `task=${task.task_id}`);
		const shown = await page.locator("#detail .fields").evaluateAll((tables) => Object.fromEntries(
			tables.map((table) => [table.caption.textContent, Object.fromEntries([...table.rows].map((row) =>
				[row.cells[0].textContent, row.cells[1].title || row.cells[1].textContent]))])));
		for (const [group, label, get, factor] of taskFields) {
			const text = shown[group][label];
			const got = /^-?[0-9,]+( ns| bytes)?$/.test(text) ? Number(text.replace(/[^-0-9]/g, "")) : null;
			const val = get(task) === null ? null : get(task) * (factor ?? 1);
			if ((got === null) !== (val === null) || Math.abs(got - val) > (factor ? 1 : 0))
				wrong.push({ task: task.task_id, label, text, val });
		}
	}
	ok(!wrong.length, `${picked.length} tasks: ${taskFields.length} numbers of IO and network equal the NDJSON`,
		...wrong.slice(0, 5));
	await setHash(page, "");
	const sums = new Map();
	for (const task of tasks)
		sums.set(task.task_id, task.io_metrics.bytes_read + task.io_metrics.bytes_written);
	await page.selectOption("#sort", "io_bytes");
	const rows = await readRows(page);
	ok(rows.length > 5 && rows.every((row) => row.io_bytes === sums.get(row.id)), "the task table has IO bytes",
		rows.slice(0, 2));
	await setHash(page, "");
}

// What the tiles and the charts say in words.
async function testOverview(page, records) {
	const series = new Map(records.filter((one) => one.record === "series").map((one) => [one.name, one]));
	const labels = await page.locator("#overview .plot").evaluateAll((plots) => plots.map((plot) => plot.getAttribute("aria-label")));
	const said = ["connections_active", "io_queue_depth", "disk_in_flight", "heap_live_bytes"].map((name) => {
		const vals = series.get(name).values.map(([, val]) => val);
		const text = { io_queue_depth: (val) => val.toFixed(2), heap_live_bytes: bytesText }[name] ?? String;
		return `min ${text(Math.min(...vals))}, max ${text(Math.max(...vals))} (`;
	});
	ok(labels.length === said.length && said.every((text, i) => labels[i].includes(text)),
		"the charts say the series' extremes", labels, said);
	ok(labels[0].endsWith(", last 6") && labels[0].includes("max 26 (at 10.1 s)"), "and when, and the last one", labels);
	const box = await page.locator(".plot").first().boundingBox();
	ok(box.width > 200 && box.height > 40, "the charts have a size", box);
	const tiles = new Map((await page.locator(".tile").allTextContents()).map((text) => [
		/^(IO read|IO written|File latency|Received|Sent|Connections|Retransmissions)/.exec(text)?.[0], text]));
	const tasks = records.filter((one) => one.record === "task");
	const folded = records.filter((one) => one.record === "file" && !one.task_id && one.class_id);
	const reads = tasks.reduce((all, one) => all + one.io_metrics.operations_read, 0) +
		folded.reduce((all, one) => all + (one.read?.operations ?? 0), 0);
	const again = tasks.reduce((all, one) => all + one.network_metrics.retransmissions, 0);
	ok(tiles.get("IO read").includes(`${reads.toLocaleString("en-US")} reads`), "a tile has all reads",
		tiles.get("IO read"), reads);
	ok(tiles.get("Retransmissions").startsWith(`Retransmissions${again.toLocaleString("en-US")}`),
		"a tile has all retransmissions", tiles.get("Retransmissions"), again);
	const open = records.filter((one) => one.record === "connection")
		.reduce((all, one) => all + (one.connections?.active ?? 0), 0);
	ok(tiles.get("Connections").startsWith(`Connections${open}at most 26, `), "a tile has the connections",
		tiles.get("Connections"), open);
}

async function testWidths(page) {
	for (const width of [360, 768, 1440]) {
		await page.setViewportSize({ width, height: 900 });
		await page.waitForTimeout(80);
		const wide = await page.locator("#flow-app .grid").evaluateAll((grids) =>
			grids.map((grid) => grid.scrollWidth - grid.clientWidth));
		same(wide, [0, 0, 0], `at ${width} no table is wider than the page`);
	}
}

export async function testFlows(browser) {
	const { path, records } = makePage(1000, true);
	const opened = await openPage(browser, path);
	const { page } = opened;

	await testOverview(page, records);
	await testTables(page, records);
	await testSameWords(page);
	await testFlowSort(page);
	await testFlowFilter(page, records);
	await testFlowDetail(page, records);
	await testTasks(page, records);
	await testWidths(page);
	same(opened.sins, [], "files and peers: no error, no dialog, no request");
	await opened.close();

	const few = await openPage(browser, `${process.env.PAGE_DIR}/0.html`);
	ok(/No file was used.*No socket was used.*Nothing reached a disk/.test(await few.page.textContent("#flow-app")),
		"without any: it is said");
	await few.close();
}

export async function testFlowsUnmeasured(page) {
	const text = await page.textContent("#flow-app");
	same(text.split("not measured: the test says <so>").length - 1, 3, "nothing measured: three reasons");
	same(await page.locator("#flow-app [role=table], .plot, .spark").count(), 0, "and no table and no chart");
}

export async function testFlowsWithoutScript(page, rows, label) {
	ok(await page.isVisible("#top-flows") && !(await page.isVisible("#flow-app")), `${label}: files are listed`);
	same(await page.locator("#top-flows table:first-of-type").count() ? await page.locator("#top-flows .wide").first()
		.locator("tbody tr").count() : 0, rows, `${label}: the costliest of them`);
}
