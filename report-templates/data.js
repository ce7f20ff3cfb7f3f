// Reads the sections: base64 -> gzip -> head and columns. The format is described in
// user/report/columns.h; this is its only reader. Columns are decoded when they are first asked
// for, into a Float64Array in which NaN is null.

function bytesOfBase64(text) {
	const raw = atob(text); // ignores the line breaks
	const bytes = new Uint8Array(raw.length);
	for (let i = 0; i < raw.length; i++)
		bytes[i] = raw.charCodeAt(i);
	return bytes;
}

async function inflate(bytes) {
	const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"));
	return new Uint8Array(await new Response(stream).arrayBuffer());
}

// The codes of one column, still without its smallest value.
function decodeCodes(bytes, offset, rows, width) {
	const codes = new Float64Array(rows);
	let factor = 1;
	for (let plane = 0; plane < width; plane++) {
		const at = offset + plane * rows;
		for (let row = 0; row < rows; row++)
			codes[row] += bytes[at + row] * factor;
		factor *= 256;
	}
	return codes;
}

function undelta(codes) {
	let before = 0;
	for (let row = 0; row < codes.length; row++) {
		const code = codes[row];
		before += code % 2 === 0 ? code / 2 : -(code + 1) / 2;
		codes[row] = before;
	}
}

class Section {
	constructor(bytes) {
		const size = new DataView(bytes.buffer).getUint32(0, true);
		this.head = JSON.parse(new TextDecoder().decode(bytes.subarray(4, 4 + size)));
		this.rows = this.head.rows;
		this.bytes = bytes;
		this.columns = new Map();
		this.decoded = new Map();
		let offset = 4 + size;
		for (const column of this.head.columns) {
			this.columns.set(column.name, { ...column, offset });
			offset += column.width * this.rows;
		}
	}

	has(name) {
		return this.columns.has(name);
	}

	// Numbers of a column, NaN where null; undefined for a column that the section has not.
	numbers(name) {
		if (this.decoded.has(name))
			return this.decoded.get(name);
		const column = this.columns.get(name);
		if (!column)
			return undefined;
		const vals = decodeCodes(this.bytes, column.offset, this.rows, column.width);
		if (column.delta)
			undelta(vals);
		const shift = column.min - (column.nullable ? 1 : 0);
		for (let row = 0; row < vals.length; row++)
			vals[row] = column.nullable && vals[row] === 0 ? NaN : vals[row] + shift;
		this.decoded.set(name, vals);
		return vals;
	}

	number(name, row) {
		const vals = this.numbers(name);
		return vals ? vals[row] : NaN;
	}

	strings(name) {
		return this.columns.get(name)?.strings ?? [];
	}

	// "" where null
	string(name, row) {
		return this.strings(name)[this.number(name, row)] ?? "";
	}
}

async function readSection(id) {
	const element = document.getElementById(id);
	const bytes = await inflate(bytesOfBase64(element.textContent));
	element.textContent = ""; // the text is not needed again: gives back its memory
	return new Section(bytes);
}
