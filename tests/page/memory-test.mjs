// SPDX-License-Identifier: GPL-2.0-or-later
// The section "Memory", its tiles and chart, and what the budget did: equal to the NDJSON of the same
// recording, bounded, with reasons for what is not there. Called by page-test.mjs.

import { bytesText, findBarriers, makePage, ok, openPage, same, setHash } from "./driver.mjs";

const rowsMax = 30;

function shownName(name) {
	return name.replace(/[\u0000-\u0008\u000b-\u001f\u007f\u202a-\u202e\u2066-\u2069]/g, "\ufffd");
}

// The table as objects, by the heads of its columns; the first column is "name".
async function readTable(page, label) {
	return page.locator(`#memory [role=region][aria-label="${label}"] table`).evaluate((table) => {
		const heads = [...table.querySelectorAll("thead th")].map((cell) => cell.textContent);
		return [...table.querySelectorAll("tbody tr")].map((row) => Object.fromEntries(
			[...row.children].map((cell, i) => [i ? heads[i] : "name", cell.textContent])));
	});
}

// By class and, for places, by name and module: what the stacks say.
function sumStacks(records) {
	const sites = new Map();
	for (const one of records.filter((record) => record.record === "stack")) {
		const frame = one.frames[0], key = `${frame.site} ${frame.module}`;
		const site = sites.get(key) ?? { site: frame.site, alloc: 0, cnt: 0, live: 0, blocks: 0 };
		if (one.kind === "alloc") {
			site.alloc += one.bytes;
			site.cnt += one.samples;
		} else {
			site.live += one.bytes;
			site.blocks += one.samples;
		}
		sites.set(key, site);
	}
	return [...sites.values()].sort((a, b) => b.live - a.live || b.alloc - a.alloc);
}

async function testSites(page, records) {
	const wanted = sumStacks(records), shown = await readTable(page, "places that allocate");
	same(shown.length, rowsMax, "memory: so many places at most");
	const wrong = shown.map((row, i) => [row, wanted[i]]).filter(([row, one]) =>
		row.Held !== bytesText(one.live) || row.Allocated !== bytesText(one.alloc) ||
		row.Blocks !== one.blocks.toLocaleString("en-US") ||
		row.Allocations !== one.cnt.toLocaleString("en-US"));
	ok(!wrong.length, "memory: places have the bytes and blocks of the stack records, the most held first",
		...wrong.slice(0, 3));
	ok(shown.some((row) => row.name.startsWith(shownName("</script><img"))), "hostile names are text");
	ok(shown.some((row) => /[1-9]/.test(row.Failed)), "allocations that failed are there");
}

async function testOwners(page, records) {
	const classes = records.filter((one) => one.record === "class" &&
		one.memory_metrics.allocations_count.total > 0);
	const shown = await readTable(page, "who holds memory");
	const wrong = classes.filter((one) => !shown.some((row) => row.name === shownName(one.name) &&
		row.Held === bytesText(one.memory_metrics.current_bytes.total) &&
		row.Allocated === bytesText(one.memory_metrics.total_bytes.total) &&
		row["Largest peak of a task"] === bytesText(one.memory_metrics.peak_bytes.max) &&
		row["Held by ended tasks"] === bytesText(one.leaked.bytes) &&
		row["Ended tasks"] === one.leaked.tasks.toLocaleString("en-US")));
	ok(classes.length > 3 && !wrong.length, `memory: ${classes.length} classes are as in their records`,
		...wrong.slice(0, 2).map((one) => [one.name, one.memory_metrics, one.leaked]));
}

export async function testMemory(browser) {
	const { path, records } = makePage(1000, true);
	const opened = await openPage(browser, path);
	const { page } = opened;
	const meta = records.find((one) => one.record === "meta");
	const leak = records.find((one) => one.record === "finding" && one.id === "memory_leak");

	await testSites(page, records);
	await testOwners(page, records);
	const tile = await page.locator(".tile:has(dt:text-is('Memory held'))").textContent();
	ok(tile.includes(bytesText(meta.heap.live_bytes)), "the tile says what is held", tile);
	ok(leak && (await page.textContent("#memory .leaks")).includes(leak.title), "the leak stands there", leak);
	same(await page.locator("#overview .chart:has-text('Memory held') .plot").count(), 1, "a chart over time");
	ok(await page.locator("#memory .chart .plot").count() > 2, "charts of lifetimes");
	const quality = await page.textContent(".quality");
	ok(quality.includes("memory: from exact to sampled at 400 ms: 9.1% of the <target>'s CPU") &&
		quality.includes("2 more times"), "what was stepped down stands at the top", quality);
	ok(quality.includes("one stands for 1.5 on average"), "and what is an estimate");
	same(await page.locator("#memory li:has-text(': from ')").count(), 5, "all steps in the section");
	const task = records.find((one) => one.record === "task" && one.memory_metrics.current_bytes > 0);
	await setHash(page, `task=${task.task_id}`);
	const rows = await page.locator("#detail tr").evaluateAll((all) => Object.fromEntries(
		all.map((row) => [row.children[0].textContent, row.children[1]?.textContent])));
	ok(rows["Memory held"]?.startsWith(bytesText(task.memory_metrics.current_bytes)),
		"a task's details have what it holds", rows);
	await page.keyboard.press("Escape");
	await page.setViewportSize({ width: 360, height: 800 });
	same(await findBarriers(page), [], "memory: axe finds nothing on a phone");
	await opened.close();
}

export async function testMemoryUnmeasured(page) {
	const text = await page.textContent("#memory");
	ok(text.includes("not measured: the test says <so>"), "memory: not measured, with the reason", text);
	same(await page.locator("#memory table, #memory svg").count(), 0, "and no table");
}

export async function testMemoryWithoutScript(page, size, label) {
	ok(await page.isVisible("#memory"), `${label}: memory is there`);
	same(await page.locator("#memory [aria-label='places that allocate'] tbody tr").count(),
		Math.min(size, rowsMax), `${label}: with its places`);
}
