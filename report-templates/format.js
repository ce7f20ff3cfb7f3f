// Numbers for people. The same words and units as user/analyze/format.c, so that the HTML written
// by the program and the tables drawn here agree.

const countFormat = new Intl.NumberFormat("en-US", { maximumFractionDigits: 0 });

const timeUnits = [
	[7200e9, 3600e9, "h"], [600e9, 60e9, "min"], [999.5e6, 1e9, "s"],
	[999.5e3, 1e6, "ms"], [999.5, 1e3, "us"], [0, 1, "ns"],
];

function formatNs(ns) {
	if (ns === 0)
		return "0 s";
	const abs = Math.abs(ns);
	const [, size, unit] = timeUnits.find(([from]) => abs >= from);
	const val = abs / size;
	const digits = size === 1 || val >= 99.95 ? 0 : val >= 9.995 ? 1 : 2;
	return `${ns < 0 ? "-" : ""}${val.toFixed(digits)} ${unit}`;
}

const byteUnits = [[2 ** 40, "TiB"], [2 ** 30, "GiB"], [2 ** 20, "MiB"], [1024, "KiB"], [1, "B"]];

function formatBytes(bytes) {
	const abs = Math.abs(bytes);
	const [size, unit] = byteUnits.find(([from]) => abs >= from) ?? [1, "B"];
	const val = abs / size;
	const digits = size === 1 || val >= 99.95 ? 0 : val >= 9.995 ? 1 : 2;
	return `${bytes < 0 ? "-" : ""}${val.toFixed(digits)} ${unit}`;
}

function formatCount(cnt) {
	return countFormat.format(cnt);
}

function formatPercent(share) {
	const percent = share * 100;
	return percent > 0 && percent < 9.95 ? `${percent.toFixed(1)}%` : `${percent.toFixed(0)}%`;
}

const quantityUnits = {
	ns: 1, us: 1e3, µs: 1e3, ms: 1e6, s: 1e9, m: 60e9, k: 1e3, M: 1e6, B: 1, kB: 1e3, MB: 1e6, GB: 1e9,
	KiB: 1024, MiB: 2 ** 20, GiB: 2 ** 30, TiB: 2 ** 40,
};

// "12 ms", "1.5s", "300", "4k", "2MiB" -> a number (nanoseconds for times); NaN for anything else.
function parseQuantity(text) {
	const match = /^(-?[0-9]+(?:\.[0-9]+)?)\s*([a-zµA-Z]*)$/.exec(text.trim());
	const unit = match?.[2] ? quantityUnits[match[2]] : 1;
	return match && unit ? Number(match[1]) * unit : NaN;
}
