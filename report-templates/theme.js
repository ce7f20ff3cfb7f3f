// Automatic, dark or light: <html data-theme>. The choice is kept where the browser allows it.

const themeNames = { auto: "Auto: colours as the system has them", dark: "Dark colours",
	light: "Light colours" };
const themeWords = { auto: "Auto", dark: "Dark", light: "Light" };
const themeListeners = [];

function keepTheme(theme) {
	try {
		localStorage.setItem("asyncscope-theme", theme);
	} catch {
		// a page without storage (sandboxed, private) just forgets it
	}
}

function keptTheme() {
	try {
		return localStorage.getItem("asyncscope-theme");
	} catch {
		return null;
	}
}

function setTheme(theme) {
	document.documentElement.dataset.theme = theme;
	const button = byId("theme-button");
	button.textContent = themeWords[theme];
	button.setAttribute("aria-label", themeNames[theme]);
	for (const listener of themeListeners)
		listener();
}

function nextTheme() {
	const order = ["auto", "dark", "light"];
	const now = order.indexOf(document.documentElement.dataset.theme);
	const theme = order[(now + 1) % order.length];
	keepTheme(theme);
	setTheme(theme);
}

function startTheme() {
	const kept = keptTheme();
	const written = document.documentElement.dataset.theme;
	// what the recording's command line asked for wins over what was kept from another page
	setTheme(written === "auto" && kept in themeNames ? kept : written);
	byId("theme-button").addEventListener("click", nextTheme);
	// paper is light whatever the screen is: what is drawn must be drawn again
	for (const query of ["(prefers-color-scheme: dark)", "print"])
		matchMedia(query).addEventListener("change", () => {
			for (const listener of themeListeners)
				listener();
		});
}
