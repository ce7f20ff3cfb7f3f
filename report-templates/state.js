// What the reader chose stands in the URL's hash, so that a link shows the same: sort, filter,
// csort (classes), task (the open detail). Listeners hear of every change, the Back button's too.

const stateListeners = [];
let pageState = readHash();

function readHash() {
	return Object.fromEntries(new URLSearchParams(location.hash.slice(1)));
}

function onState(listener) {
	stateListeners.push(listener);
}

// Merges; undefined and "" remove a key.
function setState(changes) {
	pageState = { ...pageState, ...changes };
	const params = new URLSearchParams();
	for (const [key, val] of Object.entries(pageState))
		if (val !== undefined && val !== "")
			params.set(key, val);
	const hash = params.toString();
	history.replaceState(null, "", hash ? `#${hash}` : location.pathname + location.search);
	for (const listener of stateListeners)
		listener(pageState);
}

window.addEventListener("hashchange", () => {
	pageState = readHash();
	for (const listener of stateListeners)
		listener(pageState);
});
