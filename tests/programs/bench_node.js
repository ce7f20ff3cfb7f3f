// SPDX-License-Identifier: GPL-2.0-or-later
// A server of HTTP on the loopback and the clients that load it, in one process: JSON in and out, a map
// of the last orders, buffers and a checksum of each. Run by tools/bench; the protocol is that of
// bench_pairs.c, a unit is one request answered.
//
//   node bench_node.js [--wait] UNITS WARM SECONDS
"use strict";

const crypto = require("node:crypto");
const http = require("node:http");
const readline = require("node:readline");

const CLIENTS = 8;
const KEPT = 2000;
const LIMIT_MS = 120000;

const kept = new Map();
let asked = 0;
let answered = 0;

function answer(text) {
	const order = JSON.parse(text);
	const packed = Buffer.from(JSON.stringify({ ...order, seen: kept.size }), "utf8");
	const sum = crypto.createHash("sha256").update(packed).digest("hex");

	kept.set(order.id, { packed, sum });
	if (kept.size > KEPT)
		kept.delete(kept.keys().next().value);
	return JSON.stringify({ id: order.id, sum, items: order.items.length });
}

function serve(request, response) {
	const chunks = [];

	request.on("data", (chunk) => chunks.push(chunk));
	request.on("end", () => {
		const body = answer(Buffer.concat(chunks).toString("utf8"));

		response.writeHead(200, {
			"Content-Type": "application/json",
			"Content-Length": Buffer.byteLength(body),
		});
		response.end(body);
	});
}

function order(id) {
	const items = [];

	for (let nr = 0; nr < 12; nr++)
		items.push({ name: `thing ${(id * 7 + nr) % 400}`, cnt: nr + 1, price: (id % 89) + 0.5 });
	return JSON.stringify({ id, customer: `customer-${id % 977}`, items });
}

function ask(agent, port, id, done) {
	const body = order(id);
	const request = http.request({
		agent,
		port,
		host: "127.0.0.1",
		method: "POST",
		headers: { "Content-Length": Buffer.byteLength(body) },
	});

	request.on("response", (response) => {
		response.resume();
		response.on("end", () => {
			answered++;
			done();
		});
	});
	request.on("error", (error) => {
		console.error(error.message);
		process.exit(1);
	});
	request.end(body);
}

// Clients ask until `until` says that it is enough; then, when the last has its answer, `done`.
function load(port, until, done) {
	const agent = new http.Agent({ keepAlive: true, maxSockets: CLIENTS });
	let clients = CLIENTS;
	const next = () => {
		if (!until()) {
			ask(agent, port, asked++, next);
			return;
		}
		if (--clients === 0) {
			agent.destroy();
			done();
		}
	};

	for (let i = 0; i < CLIENTS; i++)
		next();
}

function now() {
	const cpu = process.cpuUsage();

	return { units: answered, cpu_ns: (cpu.user + cpu.system) * 1000,
		wall_ns: Number(process.hrtime.bigint()) };
}

function since(before) {
	return Object.fromEntries(
		Object.entries(now()).map(([name, val]) => [name, val - before[name]]));
}

function measure(port, warm, seconds) {
	let stopped = false;

	load(port, () => stopped, () => {});
	setTimeout(() => {
		console.log("begin");
		const before = now();

		setTimeout(() => {
			console.log(JSON.stringify(since(before)));
			stopped = true;
		}, seconds * 1000);
	}, warm * 1000);
}

function main() {
	const args = process.argv.slice(2).filter((arg) => arg !== "--wait");
	const wait = process.argv.includes("--wait");
	const [units, warm, seconds] = args.map(Number);

	if (args.length !== 3 || !(units >= 0) || !(warm >= 0) || !(seconds > 0)) {
		console.error("usage: bench_node.js [--wait] UNITS WARM SECONDS");
		process.exit(2);
	}
	setTimeout(() => process.exit(3), LIMIT_MS + (warm + seconds) * 1000).unref();
	const server = http.createServer(serve);
	const lines = readline.createInterface({ input: process.stdin });

	server.listen(0, "127.0.0.1", () => {
		const { port } = server.address();

		load(port, () => answered >= units, () => {
			console.log(`ready ${process.pid}`);
			if (wait)
				lines.once("line", () => measure(port, warm, seconds));
			else
				measure(port, warm, seconds);
		});
	});
	lines.on("close", () => process.exit(0));
}

main();
