# SPDX-License-Identifier: GPL-2.0-or-later
"""What stands beside a program that allocates: nothing, this tracer in its modes, probes that do
nothing, bpftrace, heaptrack. Each begins, says which of its processes work, and ends."""
import os
import shutil
import signal
import subprocess

from benchmarks.common import BUILD, TRACER, cpu_ns, read_meta, start

# The recorder has the kernel time its programs for the first 100 ms of each 2 s.
SETTLE_SECONDS = 0.3
# The default budget steps down from the dearest: what it comes to is what a service lives with.
BUDGET_SETTLE_SECONDS = 2.0
LIMIT_SECONDS = 120
HEAPTRACK = "/usr/lib/heaptrack"
# bpftrace's default is 4096 entries, which a program with more live blocks soon fills.
BPFTRACE_KEYS = "1000000"
# What bpftrace can do about what a process holds: the size waits for the address, by thread. It knows
# neither calloc nor realloc, so where those are called it does less than ours. The last probe is the
# last to be attached, so it tells that all are.
BPFTRACE_SCRIPT = """
uprobe:%(lib)s:malloc { @size[tid] = arg0; }
uretprobe:%(lib)s:malloc /@size[tid]/ { @live[retval] = @size[tid]; delete(@size[tid]); }
uprobe:%(lib)s:free { delete(@live[arg0]); }
interval:ms:100 /!@told/ { @told = 1; printf("ready\\n"); }
END { clear(@size); clear(@live); clear(@told); }
"""


class Missing(Exception):
    """Cannot be measured here; the text says why."""


class Beside:
    settle = SETTLE_SECONDS

    def __init__(self, label):
        self.label = label
        self.processes = []

    def start(self, command, limit=LIMIT_SECONDS, **streams):
        self.processes.append(start(command, limit, **streams))
        return self.processes[-1]

    def environment(self, work):
        """For the target; called before it is started."""
        return {}

    def begin(self, pid, library, work):
        """library: the file whose malloc the target calls."""

    def cpu_ns(self):
        """What its processes have used; what works inside of the target is the target's."""
        return sum(cpu_ns(process.pid) for process in self.processes)

    def end(self):
        """Before the target ends. What is to be told of the run, by name."""
        return {}

    def finish(self):
        """After the target has ended, or when something went wrong."""
        for process in self.processes:
            if process.poll() is None:
                process.kill()
                process.wait()
        self.processes = []

    def log(self, work):
        return open(os.path.join(work, "errors"), "w+", encoding="utf-8")

    def last_error(self, work):
        with open(os.path.join(work, "errors"), encoding="utf-8", errors="replace") as errors:
            lines = [line.strip() for line in errors if line.strip()]
        return lines[-1] if lines else "no message"


class Ours(Beside):
    def __init__(self, label, *options, settle=SETTLE_SECONDS):
        super().__init__(label)
        self.options, self.settle, self.snapshot = options, settle, None

    def begin(self, pid, library, work):
        self.snapshot = os.path.join(work, "memory.asnap")
        command = [TRACER, "-p", str(pid), *self.options, "-o", self.snapshot]
        tracer = self.start(command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                            stderr=subprocess.PIPE)
        seen = []
        for line in tracer.stderr:
            if line.startswith("attached"):
                return
            seen.append(line.strip())
        tracer.wait()
        raise Missing("; ".join(seen[-3:]) or "the tracer said nothing")

    def end(self):
        tracer = self.processes[-1]
        if tracer.poll() is None:
            tracer.send_signal(signal.SIGINT)
        said = tracer.stderr.read()
        if tracer.wait():
            raise Missing(f"the tracer ended with {tracer.returncode}: {said.strip()[-200:]}")
        meta = read_meta(self.snapshot)
        steps = [step.get("to") for step in (meta.get("overhead") or {}).get("backoffs") or []]
        hits = (meta.get("overhead") or {}).get("probe_hits")
        seconds = (meta.get("duration_ns") or 0) / 1e9
        return {"steps": steps, "hits_per_s": hits / seconds if hits and seconds else None,
                "losses": {name: cnt for name, cnt in (meta.get("losses") or {}).items() if cnt}}


class Floor(Beside):
    """The probes of a mode of ours, with programs that do nothing."""

    def __init__(self, label, mode):
        super().__init__(label)
        self.mode = mode

    def begin(self, pid, library, work):
        with self.log(work) as errors:
            probes = self.start([os.path.join(BUILD, "bench-probes"), str(pid), self.mode],
                                stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=errors)
        if not probes.stdout.readline().startswith("ready"):
            raise Missing(self.last_error(work))

    def end(self):
        probes = self.processes[-1]
        probes.stdin.close()
        probes.wait()
        return {}


class Bpftrace(Beside):
    """Debian 12's attaches uprobes to all processes that map the file, whatever -p says: the target has
    a copy of the library, so nobody else pays."""

    def __init__(self):
        super().__init__("bpftrace script")

    def begin(self, pid, library, work):
        if not shutil.which("bpftrace"):
            raise Missing("bpftrace is not installed (tools/deps bench)")
        environment = dict(os.environ, BPFTRACE_MAP_KEYS_MAX=BPFTRACE_KEYS)
        with self.log(work) as errors:
            tracer = self.start(["bpftrace", "-B", "line", "-p", str(pid), "-e",
                                 BPFTRACE_SCRIPT % {"lib": library}], env=environment,
                                stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=errors)
        for line in tracer.stdout:
            if line.startswith("ready"):
                return
        tracer.wait()
        raise Missing(f"bpftrace: {self.last_error(work)}")

    def end(self):
        tracer = self.processes[-1]
        tracer.send_signal(signal.SIGINT)
        tracer.stdout.read()
        tracer.wait()
        return {}


class Heaptrack(Beside):
    """What the command heaptrack sets up when it starts a program: a library inside of it, whose pipe is
    read by an interpreter. (Attaching to a running one, it warns, may crash it.) Its result is not
    compressed and kept here."""

    def __init__(self):
        super().__init__("heaptrack")
        self.writing = None

    def environment(self, work):
        library = os.path.join(HEAPTRACK, "libheaptrack_preload.so")
        interpreter = os.path.join(HEAPTRACK, "libexec/heaptrack_interpret")
        if not os.path.exists(library) or not os.path.exists(interpreter):
            raise Missing("heaptrack is not installed (tools/deps bench)")
        pipe = os.path.join(work, "heaptrack.pipe")
        if not os.path.exists(pipe):
            os.mkfifo(pipe)
        reading = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
        os.set_blocking(reading, True)
        # until the target has opened it, or the interpreter sees its end at once
        self.writing = os.open(pipe, os.O_WRONLY)
        self.start([interpreter], stdin=reading, stdout=subprocess.DEVNULL,
                   stderr=subprocess.DEVNULL)
        os.close(reading)
        return {"LD_PRELOAD": library, "DUMP_HEAPTRACK_OUTPUT": pipe}

    def let_go(self):
        if self.writing is not None:
            os.close(self.writing)
        self.writing = None

    def begin(self, pid, library, work):
        self.let_go()

    def finish(self):
        self.let_go()
        super().finish()


def ours(mode):
    return Ours(f"ours, {mode}", "--heap", mode, "--max-overhead", "0", "--io-source", "off")


def all_besides():
    return [
        Beside("bare"),
        Floor("empty probes, as exact", "exact"),
        Floor("empty probes, as counting", "counting"),
        ours("off"),
        ours("counting"),
        ours("sampled"),
        ours("exact"),
        Ours("ours, budget of 5%", "--max-overhead", "5", "--io-source", "off",
             settle=BUDGET_SETTLE_SECONDS),
        Ours("ours, all defaults", settle=BUDGET_SETTLE_SECONDS),
        Bpftrace(),
        Heaptrack(),
    ]
