# SPDX-License-Identifier: GPL-2.0-or-later
"""What it costs to watch a program's memory, side by side with others who do it.

All take turns in one run, and each is compared with the bare program of its own round, because the
machine is not equally fast from one minute to the next. A figure is the median over the rounds; CPU
time per unit of work is the steadier one, work per second is what the program's user notices."""
import statistics
import sys

from benchmarks.common import busy_percent, table
from benchmarks.memory_beside import Missing, all_besides
from benchmarks.memory_targets import all_targets

BARE, BPFTRACE = "bare", "bpftrace script"
EXACT, COUNTING = "ours, exact", "ours, counting"
FLOORS = {EXACT: "empty probes, as exact", COUNTING: "empty probes, as counting"}
BUDGET = ["ours, budget of 5%", "ours, all defaults"]
# What is wanted: of bpftrace's added cost, of the floor, and of the bare program's work per second.
EXACT_OF_BPFTRACE, COUNTING_OF_FLOOR, BUDGET_OF_BARE = 0.2, 1.3, 0.95
QUIET_PERCENT = 10
LOOP = "malloc and free"


def run_once(target, beside, seconds, work):
    try:
        target.start(beside, seconds, work, beside.environment(work))
        beside.begin(target.process.pid, target.library, work)
        run = target.measure(beside, seconds)
        run.update(beside.end())
        target.stop()
    finally:
        target.finish()
        beside.finish()
    if not run["units"]:
        raise Missing(f"{target.name} did nothing in {seconds} s")
    return {"cpu_ns": run["cpu_ns"] / run["units"], "per_s": run["units"] * 1e9 / run["wall_ns"],
            "beside_percent": 100 * run["beside_ns"] / run["wall_ns"],
            **{name: run.get(name) for name in ("steps", "hits_per_s", "losses")}}


def one_round(targets, besides, seconds, work, runs, reasons):
    for target in targets:
        bare = None
        for beside in besides:
            key = (target.name, beside.label)
            try:
                run = run_once(target, beside, seconds, work)
            except (Missing, OSError, ValueError) as why:
                reasons[key] = str(why) or type(why).__name__
                continue
            bare = run if beside.label == BARE else bare
            if bare:
                run.update(added_ns=run["cpu_ns"] - bare["cpu_ns"],
                           cpu_of_bare=run["cpu_ns"] / bare["cpu_ns"],
                           work_of_bare=run["per_s"] / bare["per_s"])
                runs.setdefault(key, []).append(run)


def summary(runs, reason):
    if not runs:
        return {"not_measured": reason or f"{BARE} could not be measured"}
    result = {"rounds": len(runs)}
    for name in ("cpu_ns", "per_s", "beside_percent", "hits_per_s", "added_ns", "cpu_of_bare",
                 "work_of_bare"):
        vals = [run[name] for run in runs if run[name] is not None]
        result[name] = statistics.median(vals) if vals else None
    result["added_ns_range"] = [min(run["added_ns"] for run in runs),
                                max(run["added_ns"] for run in runs)]
    for name in ("steps", "losses"):
        result[name] = next((run[name] for run in reversed(runs) if run[name]), None)
    if reason:
        result["failed_once"] = reason
    return result


def ratio(figures, label, other):
    """Added cost over another's added cost; None: one of them is not there, or nothing was added."""
    both = [figures.get(name, {}).get("added_ns") for name in (label, other)]
    return both[0] / both[1] if None not in both and both[1] > 0 else None


def number(val, form):
    return "-" if val is None else format(val, form)


def remark(figure):
    if "not_measured" in figure:
        return f"not measured: {figure['not_measured']}"
    parts = []
    if figure["steps"]:
        parts.append("stepped to " + ", ".join(str(step) for step in figure["steps"][-3:]))
    if figure["losses"]:
        parts.append("lost " + ", ".join(f"{k} {v:,}" for k, v in figure["losses"].items()))
    return "; ".join(parts)


def show(target, figures):
    rows = []
    for label, figure in figures.items():
        rows.append([label, number(figure.get("per_s"), ",.0f"),
                     number(figure.get("work_of_bare"), ".3f"),
                     number(figure.get("cpu_ns"), ",.1f"),
                     number(figure.get("cpu_of_bare"), ".2f"), number(figure.get("added_ns"), "+,.1f"),
                     number(ratio(figures, label, BPFTRACE), ".3f"),
                     number(figure.get("beside_percent"), ".1f"),
                     number(figure.get("hits_per_s"), ",.0f")])
    head = ["", f"{target.of}s/s", "of bare", f"CPU ns/{target.of}", "of bare", "added", "of bpftrace's",
            "CPU % beside", "probe hits/s"]
    table(f"memory: {target.name}", head, rows)
    for label, figure in figures.items():
        said = remark(figure)
        if said:
            print(f"    {label}: {said}")
    sys.stdout.flush()


def verdicts(figures, quiet):
    """(what, what it is, whether that is what is wanted); None: not measured. Who shares the CPUs with
    others does less work however cheap tracing is: then the CPU time of a unit of work decides."""
    result = []
    if LOOP in figures:
        loop = figures[LOOP]
        got = ratio(loop, EXACT, BPFTRACE)
        result.append((f"exact's added cost of bpftrace's, at most {EXACT_OF_BPFTRACE}", got,
                       None if got is None else got <= EXACT_OF_BPFTRACE))
        got = ratio(loop, COUNTING, FLOORS[COUNTING])
        result.append((f"counting's added cost of its floor's, at most {COUNTING_OF_FLOOR}", got,
                       None if got is None else got <= COUNTING_OF_FLOOR))
        result.append(("exact's added cost of its floor's", ratio(loop, EXACT, FLOORS[EXACT]),
                       None))
    for name in figures:
        for label in BUDGET if name != LOOP else []:
            cpu = figures[name][label].get("cpu_of_bare")
            both = {"work per second": figures[name][label].get("work_of_bare"),
                    "work per CPU time": 1 / cpu if cpu else None}
            for (what, got), decides in zip(both.items(), (quiet, not quiet)):
                result.append((f"{name}, {label}: {what} of bare's, at least {BUDGET_OF_BARE}", got,
                               got >= BUDGET_OF_BARE if got is not None and decides else None))
    return result


def show_verdicts(list_of):
    words = {True: "as wanted", False: "NOT as wanted", None: ""}
    table("memory: what is wanted", ["", "is", ""],
          [[what, number(got, ".3f"), words[good]] for what, got, good in list_of])


def bench_memory(seconds, rounds, names, work):
    """The figures as a dictionary; what is missing has its reason. names: how those of the programs
    begin that are wanted."""
    targets = [target for target in all_targets()
               if target.name.lower().startswith(tuple(name.lower() for name in names))]
    besides = all_besides()
    runs, reasons, busy = {}, {}, []
    for target in targets:
        if target.why_not():
            reasons.update({(target.name, beside.label): target.why_not() for beside in besides})
    here = [target for target in targets if not target.why_not()]
    for _ in range(rounds):
        busy.append(round(busy_percent(), 1))
        one_round(here, besides, seconds, work, runs, reasons)
    figures = {target.name: {beside.label: summary(runs.get((target.name, beside.label)),
                                                   reasons.get((target.name, beside.label)))
                             for beside in besides} for target in targets}
    for target in targets:
        show(target, figures[target.name])
    quiet = max(busy) <= QUIET_PERCENT
    wanted = verdicts(figures, quiet)
    show_verdicts(wanted)
    print(f"\n  {rounds} rounds of {seconds:g} s; before each, the CPUs were "
          f"{', '.join(f'{val:g}' for val in busy)} % busy with others"
          f"{'' if quiet else ': taken under load, not figures to cite'}")
    return {"rounds": rounds, "seconds": seconds, "busy_percent_before": busy, "quiet": quiet,
            "programs": figures,
            "wanted": [{"what": what, "is": got, "good": good} for what, got, good in wanted]}
