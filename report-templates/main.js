// Puts the page together. What the program wrote as HTML (quality, verdict, overview, environment)
// stays as it is; here come the parts that need the data. Tells `asyncscope-ready` when done, for
// whoever waits for it (tests/page).

const classesFirstFrom = 1000;

async function startPage() {
	document.documentElement.classList.add("js");
	startTheme();
	const [tasks, classes, timeline, ...flows] = await Promise.all(["as-tasks", "as-classes",
		"as-timeline", "as-files", "as-peers", "as-disks"].map(readSection));
	const data = new TaskData(tasks, classes);
	startTimeline(timeline, data, byId("timeline"));
	if (classes.head.shown && classes.rows) {
		byId("classes").hidden = false;
		new ClassView(classes, byId("classes"));
		// with few tasks they say more than their classes
		if (tasks.rows < classesFirstFrom)
			byId("tasks").after(byId("classes"));
	}
	const view = new TaskView(data, byId("task-app"));
	startFlows(flows, byId("flow-app"));
	startDetail(data);
	startKeys(view);
	document.documentElement.dataset.ready = "yes";
	document.dispatchEvent(new Event("asyncscope-ready"));
}

// A page that cannot read its data still is the page without scripts, and says why.
startPage().catch((error) => {
	document.documentElement.classList.remove("js");
	byId("tasks").prepend(make("p", { class: "error" }, `The interactive part failed: ${error.message}`));
	throw error;
});
