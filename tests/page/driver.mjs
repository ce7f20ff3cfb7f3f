// SPDX-License-Identifier: GPL-2.0-or-later
// TAP, the browser, and pages that remember everything that they should not do. Used by
// page-test.mjs.

import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";

const require = createRequire(`${process.env.PAGE_NPM}/index.js`);
const { chromium } = require("playwright-core");
export const axeSource = readFileSync(require.resolve("axe-core/axe.min.js"), "utf8");

let testCnt = 0;
let failedCnt = 0;

export function ok(good, name, ...details) {
	testCnt++;
	console.log(`${good ? "" : "not "}ok ${testCnt} - ${name}`);
	if (good)
		return;
	failedCnt++;
	for (const detail of details)
		console.log(`# ${JSON.stringify(detail)}`.slice(0, 2000));
}

export function same(got, wanted, name) {
	ok(JSON.stringify(got) === JSON.stringify(wanted), name, { got, wanted });
}

export function note(text) {
	console.log(`# ${text}`);
}

export function finish() {
	console.log(`1..${testCnt}`);
	process.exitCode = failedCnt ? 1 : 0;
}

// Writes the page of so many tasks; its path and its truth. With `ndjson` the same recording's lines.
export function makePage(tasks, ndjson) {
	const path = `${process.env.PAGE_DIR}/${tasks}.html`;
	const truthPath = `${process.env.PAGE_DIR}/${tasks}.json`;
	const lines = ndjson ? [`${process.env.PAGE_DIR}/${tasks}.ndjson`] : [];
	execFileSync(process.env.PAGE_GENERATOR, ["--page", String(tasks), path, truthPath, ...lines]);
	return { path, truth: JSON.parse(readFileSync(truthPath, "utf8")),
		records: lines.flatMap((line) => readFileSync(line, "utf8").trim().split("\n").map((text) => JSON.parse(text))) };
}

export function startBrowser() {
	return chromium.launch({
		executablePath: "/usr/bin/chromium",
		args: ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
			"--disable-background-networking", "--disable-component-update", "--disable-sync"],
	});
}

// A page and `sins`: console errors, exceptions, dialogs, CSP violations, requests.
export async function openPage(browser, path, { hash = "", options = {}, wait = true } = {}) {
	const context = await browser.newContext({ viewport: { width: 1440, height: 900 }, ...options });
	const page = await context.newPage();
	const sins = [];
	page.on("console", (message) => {
		if (["error", "warning"].includes(message.type()))
			sins.push(`console: ${message.text()}`);
	});
	page.on("pageerror", (error) => sins.push(`exception: ${error.message}`));
	page.on("dialog", (dialog) => {
		sins.push(`dialog: ${dialog.message()}`);
		dialog.dismiss();
	});
	page.on("request", (request) => {
		if (request.url().split("#")[0] !== `file://${path}`)
			sins.push(`request: ${request.url()}`);
	});
	await page.addInitScript(() => {
		window.violations = [];
		document.addEventListener("securitypolicyviolation", (event) =>
			window.violations.push(`${event.violatedDirective} ${event.blockedURI}`));
	});
	const started = Date.now();
	await page.goto(`file://${path}${hash}`);
	if (wait)
		await page.waitForFunction(() => document.documentElement.dataset.ready === "yes", null,
			{ timeout: 30000 });
	return { page, sins, ms: Date.now() - started, close: () => context.close() };
}

// The visible rows of the task table: for each column its text and the exact number of its title.
export function readRows(page, label = "Tasks") {
	return page.evaluate((name) => {
		const table = document.querySelector(`[role=table][aria-label="${name}"]`);
		const keys = [...table.querySelectorAll("[role=columnheader] button")].map((b) => b.dataset.sort);
		const rows = [...table.querySelectorAll(".grid-row:not([hidden])")];
		rows.sort((a, b) => a.getAttribute("aria-rowindex") - b.getAttribute("aria-rowindex"));
		return rows.map((row) => Object.fromEntries([["at", Number(row.getAttribute("aria-rowindex"))],
			...keys.map((key, i) => {
				const cell = row.children[i];
				const exact = /^(-?[0-9,]+) (?:ns|bytes)$/.exec(cell.title);
				return [key, exact ? Number(exact[1].replaceAll(",", "")) : cell.textContent];
			})]));
	}, label);
}

export async function setHash(page, hash) {
	await page.evaluate((text) => { location.hash = text; }, hash);
	await page.waitForTimeout(50);
}

export async function findBarriers(page) {
	await page.evaluate(axeSource);
	return page.evaluate(async () => (await window.axe.run(document, { resultTypes: ["violations"] }))
		.violations.map((one) => `${one.id}: ${one.nodes.map((node) => node.target).slice(0, 4)}`));
}

// As format_bytes() says it.
export function bytesText(val) {
	const units = [[1024 ** 4, "TiB"], [1024 ** 3, "GiB"], [1024 ** 2, "MiB"], [1024, "KiB"], [0, "B"]];
	const [size, unit] = units.find(([from]) => val >= from);
	if (!size)
		return `${val} B`;
	const scaled = val / size;
	return `${scaled.toFixed(scaled >= 99.95 ? 0 : scaled >= 9.995 ? 1 : 2)} ${unit}`;
}
