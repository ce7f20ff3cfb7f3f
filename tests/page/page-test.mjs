// SPDX-License-Identifier: GPL-2.0-or-later
// What the page promises, in Chromium: the numbers of the model, no network, no foreign script, no
// barrier, no overflow, sort, filter, theme, keyboard, state in the URL, and use without JavaScript.
// Started by run-page.t.

import { createHash } from "node:crypto";
import { readFileSync, writeFileSync } from "node:fs";
import { findBarriers, finish, makePage, note, ok, openPage, readRows, same, setHash, startBrowser }
	from "./driver.mjs";
import { testFlows, testFlowsUnmeasured, testFlowsWithoutScript } from "./flows-test.mjs";
import { testMemory, testMemoryUnmeasured, testMemoryWithoutScript } from "./memory-test.mjs";

const sizes = [0, 1, 5, 1000, 100000];
const widths = [360, 768, 1440];

// As the page shows hostile names.
function shownName(name) {
	return name.replace(/[\u0000-\u0008\u000b-\u001f\u007f\u202a-\u202e\u2066-\u2069]/g, "\ufffd");
}

const status = (page) => page.textContent("#filter-status");

async function testInnocence({ page, sins }, label) {
	same(await page.evaluate(() => window.violations), [], `${label}: no CSP violation`);
	same(sins, [], `${label}: no error, no dialog, no request`);
	same(await page.evaluate(() => [document.images.length,
		document.querySelectorAll("[onerror],[onload],[onmouseover],[style*='expression']").length,
		document.querySelectorAll("script:not([type='application/x-asyncscope'])").length]),
	[0, 0, 1], `${label}: no hostile name became markup`);
}

async function testNumbers(page, truth, label) {
	const step = Math.max(1, Math.floor(truth.rows.length / 16));
	const picked = truth.rows.filter((_, i) => i < 12 || i % step === 0);
	const wrong = [];
	for (const row of picked) {
		await setHash(page, `filter=id:${row.id}`);
		const [shown, ...more] = await readRows(page);
		const wanted = { name: shownName(row.name), id: row.id, class: shownName(row.class),
			run: row.run, runq: row.runq, lock: row.lock };
		const got = shown && Object.fromEntries(Object.keys(wanted).map((key) => [key, shown[key]]));
		if (more.length || JSON.stringify(got) !== JSON.stringify(wanted))
			wrong.push({ got, wanted, more: more.length });
	}
	ok(!wrong.length, `${label}: ${picked.length} tasks show the model's names, ids and times`,
		...wrong.slice(0, 3));
	await setHash(page, "");
}

async function testSize(browser, size) {
	const { path, truth } = makePage(size);
	const opened = await openPage(browser, path);
	const { page } = opened;
	const label = `${size} tasks`;
	note(`${label}: ${readFileSync(path).length} bytes, ready after ${opened.ms} ms`);

	same(truth.tasks, size, `${label}: the generator made them`);
	same(await page.getAttribute("[role=table][aria-label=Tasks]", "aria-rowcount"), String(size + 1),
		`${label}: aria-rowcount counts them and the header`);
	ok((await status(page)).startsWith(size ? `${size.toLocaleString("en-US")} tasks` : "No task"),
		`${label}: the status line counts them`, await status(page));
	same(await page.isVisible("#classes"), size >= 6, `${label}: classes only where they say more`);
	ok(await page.locator(".grid-row").count() < 120, `${label}: only visible rows exist`);
	ok(/\S/.test(await page.textContent(".verdict")), `${label}: there is a verdict`);
	for (const width of widths) {
		await page.setViewportSize({ width, height: 900 });
		await page.waitForTimeout(60);
		same(await page.evaluate(() => document.documentElement.scrollWidth - window.innerWidth), 0,
			`${label}: no horizontal overflow at ${width}`);
	}
	await testNumbers(page, truth, label);
	await testInnocence(opened, label);
	await opened.close();
}

// 100,000 rows: the ends are reachable, and a step costs less than a person notices.
async function testScroll(browser) {
	const opened = await openPage(browser, `${process.env.PAGE_DIR}/100000.html`);
	const { page } = opened;
	const cost = await page.evaluate(() => {
		const grid = document.querySelector("#task-app .grid");
		const started = performance.now();
		for (let i = 0; i < 50; i++) {
			grid.scrollTop = i * 60000;
			grid.dispatchEvent(new Event("scroll"));
			void grid.offsetHeight;
		}
		return (performance.now() - started) / 50;
	});
	note(`100000 tasks: ${cost.toFixed(1)} ms for a far scroll step`);
	await page.evaluate(() => { document.querySelector("#task-app .grid").scrollTop = 1e9; });
	await page.waitForTimeout(100);
	same(await page.evaluate(() => Math.max(...[...document.querySelectorAll("#task-app .grid-row:not([hidden])")]
		.map((row) => Number(row.getAttribute("aria-rowindex"))))), 100001, "the last of 100000 rows is reachable");
	for (const [what, hash] of [["sort", "sort=name"], ["sort", "sort=-wake_max_ns"], ["filter", "filter=cache"]]) {
		const ms = await page.evaluate((state) => {
			const started = performance.now();
			location.hash = state;
			return new Promise((done) => {
				window.addEventListener("hashchange", () => done(performance.now() - started), { once: true });
			});
		}, hash);
		note(`100000 tasks: ${what} by "${hash}" in ${ms.toFixed(0)} ms`);
	}
	await opened.close();
}

async function testSort(page) {
	const header = (key) => page.locator(`#task-app [data-sort=${key}]`);
	const column = async (key) => (await readRows(page)).map((row) => row[key]);
	const isSorted = (vals, sign) => vals.every((val, i) => !i || sign * (val - vals[i - 1]) >= 0);

	await header("run").click();
	ok(isSorted(await column("run"), -1), "a click on CPU sorts, the largest first", await column("run"));
	same(await header("run").locator("..").getAttribute("aria-sort"), "descending", "aria-sort says so");
	await header("run").click();
	ok(isSorted(await column("run"), 1), "another click turns it round");
	ok(page.url().endsWith("#sort=run"), "the sort stands in the URL", page.url());
	await header("name").click();
	const names = (await column("name")).map((name) => name.toLowerCase());
	ok(names.every((name, i) => !i || name >= names[i - 1]), "names sort as text", names);
	await page.selectOption("#sort", "faults");
	const faults = (await column("faults")).map((text) => Number(text.replaceAll(",", "")));
	ok(faults.length > 5 && isSorted(faults, -1), "a column that was not visible sorts and appears", faults);
}

async function testFilter(page, truth) {
	const counted = async (text) => {
		await page.fill("#filter", text);
		return Number((await status(page)).split(" ")[0].replaceAll(",", ""));
	};
	const expect = (test) => truth.rows.filter(test).length;

	same(await counted("class:cache"), expect((row) => row.class.includes("cache")), "class: filters");
	same(await counted("cache lock>=500ms"), expect((row) => (row.name.includes("cache") ||
		row.class.includes("cache")) && row.lock >= 5e8), "conditions hold together, with units");
	same(await counted("wakes<100"), expect((row) => row.wakes < 100), "numbers compare");
	same(await counted("<img"), expect((row) => row.name.includes("<img")), "hostile text is just text");
	ok(page.url().includes("filter=%3Cimg"), "the filter stands in the URL", page.url());
	await page.fill("#filter", "bytes_moved>4 cycles>1");
	ok(/no numeric field "bytes_moved".*"cycles" was not measured: no hardware/.test(await status(page)),
		"what cannot be filtered is said", await status(page));
	await page.fill("#filter", "zzzz");
	ok((await status(page)).includes("nothing matches"), "an empty result says so");
	await page.fill("#filter", "");
}

async function testKeyboard(page) {
	await page.locator("body").press("/");
	ok(await page.evaluate(() => document.activeElement.id === "filter"), "/ focuses the filter");
	await page.keyboard.type("gc");
	await page.keyboard.press("Escape");
	same(await page.inputValue("#filter"), "", "Esc clears the filter");
	await page.keyboard.press("?");
	ok(await page.isVisible("#help"), "? helps");
	await page.keyboard.press("Escape");
	ok(!(await page.isVisible("#help")), "Esc closes the help");
	await page.keyboard.press("j");
	await page.keyboard.press("j");
	await page.keyboard.press("k");
	const name = await page.textContent("#task-app .current .name");
	await page.keyboard.press("Enter");
	ok((await page.textContent("#detail-head")).startsWith(name), "j, k and Enter open a task");
	ok(page.url().includes("task="), "the open task stands in the URL");
	await page.keyboard.press("Escape");
	const followed = page.waitForFunction(() => !location.hash.includes("task="), null,
		{ timeout: 10000 }); // the close event comes after the key
	ok(await followed.then(() => true, () => false), "Esc closes it and the URL follows");
}

async function testDetail(page, truth) {
	const few = truth.rows.find((row) => row.runs > 0 && row.runs < 100);
	await setHash(page, `task=${few.id}`);
	const text = await page.textContent("#detail");
	ok(text.includes("n too small"), "a percentile of few values is not shown");
	ok(text.includes("not measured: no hardware counters here: <b>virtual</b> machine"),
		"what was not measured stands with its reason");
	same(await findBarriers(page), [], "axe finds nothing in the open dialog");
	await page.keyboard.press("Escape");
}

async function testTimeline(page) {
	const colours = await page.evaluate(() => {
		const canvas = document.querySelector(".lanes canvas");
		const data = canvas.getContext("2d").getImageData(200, 0, canvas.width - 200, 200).data;
		const seen = new Set();
		for (let i = 0; i < data.length; i += 4)
			seen.add(data[i] << 16 | data[i + 1] << 8 | data[i + 2]);
		return [0x2c3a72, 0x89480b, 0x8c4dc9, 0x10a0be, 0x6e1e18].map((colour) => seen.has(colour));
	});
	same(colours, [true, true, true, true, true], "the timeline shows run, runq, disk, net and lock");
	await page.focus(".lanes");
	await page.keyboard.press("ArrowDown");
	await page.keyboard.press("ArrowRight");
	ok(/ at 62\.5 ms: .*running \d/.test(await page.textContent(".readout")), "arrow keys read it out",
		await page.textContent(".readout"));
	await page.keyboard.press("Enter");
	ok(/^tid:\d+$/.test(await page.inputValue("#filter")), "Enter shows the thread's tasks");
	await page.fill("#filter", "");
}

async function testTheme(page) {
	const background = () => page.evaluate(() => getComputedStyle(document.body).backgroundColor);
	same(await background(), "rgb(255, 255, 255)", "light by the system's wish");
	await page.click("#theme-button");
	same(await background(), "rgb(18, 22, 28)", "the button makes it dark");
	await page.reload();
	await page.waitForFunction(() => document.documentElement.dataset.ready === "yes");
	same(await background(), "rgb(18, 22, 28)", "and it stays so");
	same(await findBarriers(page), [], "axe finds nothing in the dark theme");
	await page.emulateMedia({ media: "print" });
	same(await background(), "rgb(255, 255, 255)", "paper is light all the same");
	await page.emulateMedia({ media: null });
	await page.click("#theme-button");
	same(await findBarriers(page), [], "axe finds nothing in the light theme");
}

async function testUse(browser) {
	const path = `${process.env.PAGE_DIR}/1000.html`;
	const truth = JSON.parse(readFileSync(path.replace("html", "json"), "utf8"));
	const opened = await openPage(browser, path, { options: { colorScheme: "light" } });
	const { page } = opened;

	await testSort(page);
	await testFilter(page, truth);
	await testKeyboard(page);
	await testDetail(page, truth);
	await testTimeline(page);
	await page.click("#classes .name >> nth=0");
	ok((await page.inputValue("#filter")).startsWith("class:"), "a class filters its tasks");
	await testTheme(page);
	await page.emulateMedia({ media: "print" });
	ok(await page.isVisible("#top-tasks") && !(await page.isVisible("#task-app")), "print has the plain table");
	await testInnocence(opened, "after all that");
	await opened.close();

	const linked = await openPage(browser, path, { hash: "#sort=-lock&filter=class:gc" });
	same(await linked.page.inputValue("#filter"), "class:gc", "a link brings the filter");
	const locks = (await readRows(linked.page)).map((row) => row.lock);
	ok(locks.length > 3 && locks.every((val, i) => !i || val <= locks[i - 1]), "and the sort", locks);
	await linked.close();
}

// A recording that measured nothing shows reasons, and not one 0 in their place.
async function testUnmeasured(browser) {
	const opened = await openPage(browser, makePage("5u").path);
	const { page } = opened;
	const keys = Object.keys((await readRows(page))[0]);
	ok(!keys.some((key) => ["run", "runq", "lock", "wake_p99_ns"].includes(key)),
		"nothing measured: the table has no such columns", keys);
	same(await page.getAttribute("#task-app .bar", "aria-label"), "not measured", "nor bars");
	ok((await page.textContent("#timeline")).includes("not measured"), "nor a timeline");
	const tiles = await page.locator(".tile dd:not(.note)").allTextContents();
	ok(tiles.filter((text) => text.startsWith("not measured: the test says <so>")).length >= 7,
		"the tiles say why", tiles);
	await setHash(page, "task=4242:0");
	const values = await page.locator("#detail tr").evaluateAll((rows) => rows
		.filter((row) => /^(CPU|Run queue|Lock|Wakes|Page faults|Cycles)$/.test(row.children[0].textContent))
		.map((row) => row.children[1].textContent));
	same(values, Array(6).fill("not measured: the test says <so>"), "the details say why");
	await testFlowsUnmeasured(page);
	await testMemoryUnmeasured(page);
	await testInnocence(opened, "nothing measured");
	await opened.close();
}

async function testBarriers(browser) {
	for (const size of [0, 5])
		for (const colorScheme of ["light", "dark"]) {
			const opened = await openPage(browser, `${process.env.PAGE_DIR}/${size}.html`,
				{ options: { colorScheme, viewport: { width: 360, height: 800 } } });
			same(await findBarriers(opened.page), [], `${size} tasks, ${colorScheme}, phone: axe finds nothing`);
			await opened.close();
		}
}

async function testWithoutScript(browser) {
	for (const [size, rows] of [[0, 0], [5, 5], [1000, 20]]) {
		const opened = await openPage(browser, `${process.env.PAGE_DIR}/${size}.html`,
			{ wait: false, options: { javaScriptEnabled: false, viewport: { width: 360, height: 800 } } });
		const { page } = opened;
		const label = `${size} tasks without JavaScript`;
		same(await page.locator("#top-tasks tbody tr").count(), rows, `${label}: the busiest are listed`);
		ok(await page.isVisible("#top-tasks"), `${label}: visibly`);
		ok(/\S/.test(await page.textContent(".verdict")), `${label}: there is a verdict`);
		ok((await page.textContent("#environment")).includes("/srv/</script><img src=x onerror=alert(4)>/api"),
			`${label}: the environment is there, as text`);
		same((await page.locator("html").evaluate((html) => html.scrollWidth)), 360,
			`${label}: no horizontal overflow at 360`);
		await testFlowsWithoutScript(page, size ? 20 : 0, label);
		await testMemoryWithoutScript(page, size, label);
		ok(!(await page.isVisible("#timeline")), `${label}: nothing that cannot work is shown`);
		same(opened.sins, [], `${label}: no error, no request`);
		await opened.close();
	}
}

// The policy is what it says: the hashes are right, and what has no hash does not run.
async function testPolicy(browser) {
	const text = readFileSync(`${process.env.PAGE_DIR}/5.html`, "utf8");
	const hash = (tag) => createHash("sha256").update(text.slice(text.indexOf(tag) + tag.length,
		text.indexOf(`</${/\w+/.exec(tag)[0]}>`, text.indexOf(tag)))).digest("base64");
	const wanted = `default-src 'none'; script-src 'sha256-${hash('<script type="module">')}'; ` +
		`style-src 'sha256-${hash("<style>")}'; img-src data: blob:; worker-src blob:; ` +
		"connect-src data:; base-uri 'none'; form-action 'none'";
	same(/http-equiv="Content-Security-Policy" content="([^"]*)"/.exec(text)[1], wanted,
		"the policy names the hashes of the exact bytes");
	for (const [what, changed] of [
		["a foreign script", text.replace("</body>", "<script>document.title='owned'</script></body>")],
		["a changed script", text.replace('<script type="module">', '<script type="module">document.title="owned";')],
		["an attribute", text.replace("<footer", "<img src=x onerror=\"document.title='owned'\"><footer")]]) {
		const path = `${process.env.PAGE_DIR}/changed.html`;
		writeFileSync(path, changed);
		const opened = await openPage(browser, path, { wait: false });
		await opened.page.waitForTimeout(100);
		ok(!(await opened.page.title()).includes("owned") &&
			(await opened.page.evaluate(() => window.violations.length)) > 0, `${what} does not run`);
		await opened.close();
	}
}

const browser = await startBrowser();
try {
	for (const size of sizes)
		await testSize(browser, size);
	await testUse(browser);
	await testFlows(browser);
	await testMemory(browser);
	await testScroll(browser);
	await testUnmeasured(browser);
	await testBarriers(browser);
	await testWithoutScript(browser);
	await testPolicy(browser);
} catch (error) {
	ok(false, `the test itself failed: ${error.stack}`);
} finally {
	await browser.close();
}
finish();
