// The filter box: words and conditions, all of which must hold.
//
//	accept			name, class or id contains it
//	class:http state:waiting runtime:tokio bound:lock name:x tid:42 id:42:1
//	cpu>10ms  lock>=1s  wake_max_ns>500us  wakes<100	any numeric field, with units
//
// A filter is compiled once; text is compared with each distinct string once, not with each row.

const filterAliases = {
	cpu: "run", runqueue: "runq", network: "net", p99: "runs_p99_ns", max: "runs_max_ns",
	wake: "wake_max_ns", wall: "wall", polls: "runs_count",
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

function containsInClass(data, word) {
	const byString = flagStrings(data.classes.strings("name"), word);
	const names = data.classes.numbers("name");
	const classes = data.section.numbers("class");
	return (row) => byString[names[classes[row]]] === 1;
}

function containsInBound(data, word) {
	const causes = flagStrings(data.section.strings("cause"), word);
	const kinds = flagStrings(data.section.strings("bottleneck"), word);
	const cause = data.section.numbers("cause");
	const kind = data.section.numbers("bottleneck");
	return (row) => causes[cause[row]] === 1 || kinds[kind[row]] === 1;
}

function compileWord(data, word) {
	const inName = containsInColumn(data.section, "name", word);
	const inClass = containsInClass(data, word);
	if (!/^[0-9:]+$/.test(word))
		return (row) => inName(row) || inClass(row);
	return (row) => inName(row) || inClass(row) || data.id(row).startsWith(word);
}

function compileKey(data, key, word) {
	switch (key) {
	case "name": case "state": case "runtime": case "binding":
		return containsInColumn(data.section, key, word);
	case "class":
		return containsInClass(data, word);
	case "bound":
		return containsInBound(data, word);
	case "id":
		return (row) => data.id(row) === word;
	case "tid": {
		const threads = data.section.numbers("thread");
		return (row) => threads[row] === Number(word);
	}
	}
	return null;
}

function compileNumber(data, name, operator, text, problems) {
	const key = filterAliases[name] ?? name;
	const field = fieldByKey.get(key);
	const limit = parseQuantity(text);
	if (!field || !["ns", "count", "plain"].includes(field.kind)) {
		problems.push(`there is no numeric field "${name}"`);
		return null;
	}
	if (!data.has(field)) {
		problems.push(`"${name}" was not measured: ${data.doc(field).why}`);
		return null;
	}
	if (Number.isNaN(limit)) {
		problems.push(`"${text}" is not a number`);
		return null;
	}
	const vals = data.section.numbers(key);
	switch (operator) {
	case ">": return (row) => vals[row] > limit;
	case ">=": return (row) => vals[row] >= limit;
	case "<": return (row) => vals[row] < limit;
	case "<=": return (row) => vals[row] <= limit;
	}
	return (row) => vals[row] === limit;
}

// { tests: [row => boolean], problems: [text] }
function compileFilter(data, text) {
	const tests = [];
	const problems = [];
	for (const term of splitFilter(text)) {
		const number = /^([a-z][a-z0-9_]*)(>=|<=|>|<|=)(.+)$/.exec(term);
		const keyed = /^([a-z]+):(.+)$/.exec(term);
		let test = null;
		if (number)
			test = compileNumber(data, number[1], number[2], number[3], problems);
		else if (keyed)
			test = compileKey(data, keyed[1], keyed[2].toLowerCase());
		if (!test && !number)
			test = compileWord(data, term.toLowerCase());
		if (test)
			tests.push(test);
	}
	return { tests, problems };
}

function filterRows(data, text) {
	const { tests, problems } = compileFilter(data, text);
	const rows = new Uint32Array(data.rows);
	let cnt = 0;
	for (let row = 0; row < data.rows; row++)
		if (tests.every((test) => test(row)))
			rows[cnt++] = row;
	return { rows: rows.subarray(0, cnt), problems };
}
