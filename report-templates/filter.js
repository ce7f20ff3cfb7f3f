// The filter box: words and conditions, all of which must hold.
//
//	accept			name, class or id contains it
//	class:http state:waiting runtime:tokio bound:lock name:x tid:42 id:42:1
//	cpu>10ms  lock>=1s  wakes<100  io_bytes>2MiB	any numeric field, with units
//
// A filter is compiled once; text is compared with each distinct string once, not with each row.

const filterAliases = {
	cpu: "run", runqueue: "runq", network: "net", p99: "runs_p99_ns", max: "runs_max_ns",
	wake: "wake_max_ns", polls: "runs_count", io: "io_bytes", traffic: "net_bytes",
	read: "read_bytes", written: "write_bytes", received: "read_bytes", sent: "write_bytes",
};

function splitFilter(text) {
	return [...text.matchAll(/(?:[^\s"]+|"[^"]*")+/g)].map((match) => match[0].replaceAll('"', ""));
}

// One flag per distinct string of a column: does it contain `word`?
function flagStrings(strings, word) {
	return Uint8Array.from(strings, (text) => (text.toLowerCase().includes(word) ? 1 : 0));
}

function containsInColumn(section, name, word) {
	const flags = flagStrings(section.strings(name), word);
	const vals = section.numbers(name);
	return (row) => flags[vals[row]] === 1;
}

function anyOf(tests) {
	return (row) => tests.some((test) => test(row));
}

function compileNumber(source, name, operator, text, problems) {
	const found = source.numeric(filterAliases[name] ?? name);
	const limit = parseQuantity(text);
	if (!found) {
		problems.push(`there is no numeric field "${name}"`);
		return null;
	}
	if (found.why !== undefined) {
		problems.push(`"${name}" was not measured: ${found.why}`);
		return null;
	}
	if (Number.isNaN(limit)) {
		problems.push(`"${text}" is not a number`);
		return null;
	}
	const vals = found.vals;
	switch (operator) {
	case ">": return (row) => vals[row] > limit;
	case ">=": return (row) => vals[row] >= limit;
	case "<": return (row) => vals[row] < limit;
	case "<=": return (row) => vals[row] <= limit;
	}
	return (row) => vals[row] === limit;
}

// What is filtered is told by `source`: its number of `rows`; word(text) and keyed(key, text) give a
// test of a row (keyed: or null for a key it does not know); numeric(name) gives { vals }, { why }
// it was not measured, or nothing. Returns { tests: [row => boolean], problems: [text] }.
function compileFilter(source, text) {
	const tests = [];
	const problems = [];
	for (const term of splitFilter(text)) {
		const number = /^([a-z][a-z0-9_]*)(>=|<=|>|<|=)(.+)$/.exec(term);
		const keyed = /^([a-z]+):(.+)$/.exec(term);
		let test = null;
		if (number)
			test = compileNumber(source, number[1], number[2], number[3], problems);
		else if (keyed)
			test = source.keyed(keyed[1], keyed[2].toLowerCase());
		if (!test && !number)
			test = source.word(term.toLowerCase());
		if (test)
			tests.push(test);
	}
	return { tests, problems };
}

function filterRows(source, text) {
	const { tests, problems } = compileFilter(source, text);
	const rows = new Uint32Array(source.rows);
	let cnt = 0;
	for (let row = 0; row < source.rows; row++)
		if (tests.every((test) => test(row)))
			rows[cnt++] = row;
	return { rows: rows.subarray(0, cnt), problems };
}

// The tasks as a source of the filter.
class TaskFilter {
	constructor(data) {
		this.data = data;
		this.rows = data.rows;
	}

	inClass(word) {
		const byString = flagStrings(this.data.classes.strings("name"), word);
		const names = this.data.classes.numbers("name");
		const classes = this.data.section.numbers("class");
		return (row) => byString[names[classes[row]]] === 1;
	}

	word(word) {
		const tests = [containsInColumn(this.data.section, "name", word), this.inClass(word)];
		if (/^[0-9:]+$/.test(word))
			tests.push((row) => this.data.id(row).startsWith(word));
		return anyOf(tests);
	}

	keyed(key, word) {
		const section = this.data.section;
		switch (key) {
		case "name": case "state": case "runtime": case "binding":
			return containsInColumn(section, key, word);
		case "class":
			return this.inClass(word);
		case "bound":
			return anyOf([containsInColumn(section, "cause", word),
				containsInColumn(section, "bottleneck", word)]);
		case "id":
			return (row) => this.data.id(row) === word;
		case "tid": {
			const threads = section.numbers("thread");
			return (row) => threads[row] === Number(word);
		}
		}
		return null;
	}

	numeric(name) {
		const field = fieldByKey.get(name);
		if (!field || !numericKinds.includes(field.kind))
			return undefined;
		if (!this.data.has(field))
			return { why: this.data.doc(field).why };
		return { vals: this.data.section.numbers(name) };
	}
}
