# SPDX-License-Identifier: GPL-2.0-or-later
"""The programs whose memory is watched: a loop of malloc and free, redis-server under redis-benchmark, a
Rust and a Node program. Each is started, works through a time that does not count and one that does,
and ends.

Each runs with a copy of the library whose malloc it calls: what is attached to that file by a tool
that knows no processes is then in nobody else."""
import json
import os
import shutil
import socket
import subprocess
import time

from benchmarks.common import PROGRAMS, ROOT, cpu_ns, start
from benchmarks.memory_beside import Missing

LIMIT_SECONDS = 180
PORT_TRIES_SECONDS = 10


def find_library(program, name):
    """Where the dynamic linker finds a library of a program; None: it has none of that name."""
    listed = subprocess.run(["ldd", program], capture_output=True, text=True, check=False).stdout
    for line in listed.splitlines():
        words = line.split()
        if len(words) > 2 and words[0].startswith(name) and words[1] == "=>":
            return words[2]
    return None


class Target:
    """name; of is what a unit of its work is called."""

    def __init__(self, name, of, command):
        self.name, self.of, self.command = name, of, command
        self.process, self.library = None, None

    def why_not(self):
        """Why it cannot run here, or None."""
        if not self.command[0] or not shutil.which(self.command[0]):
            return f"{self.name}: not here (tools/deps bench, make programs)"
        return None

    def environment(self, work, extra):
        folder = os.path.join(work, f"lib-{self.name}".replace(" ", "-"))
        program = shutil.which(self.command[0])
        real = find_library(program, "libjemalloc") or find_library(program, "libc.so")
        if real is None:
            raise Missing(f"{program} has no library with malloc")
        self.library = os.path.join(folder, os.path.basename(real))
        if not os.path.exists(self.library):
            os.makedirs(folder, exist_ok=True)
            shutil.copy(os.path.realpath(real), self.library)
        return dict(os.environ, LD_LIBRARY_PATH=folder, **extra)


    def finish(self):
        """When something went wrong."""
        if self.process and self.process.poll() is None:
            self.process.kill()
            self.process.wait()


class Program(Target):
    """Keeps to the protocol of tests/programs/bench_pairs.c. units: of work that it does before anything
    is attached, as a service that has run for a while."""

    def __init__(self, name, of, command, units):
        super().__init__(name, of, command)
        self.units = units

    def start(self, beside, seconds, work, extra):
        self.process = start([*self.command, "--wait", str(self.units), str(beside.settle),
                              str(seconds)], LIMIT_SECONDS, env=self.environment(work, extra),
                             stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        if not self.process.stdout.readline().startswith("ready"):
            raise Missing(f"{self.name} did not start")

    def measure(self, beside, seconds):
        self.process.stdin.write("go\n")
        self.process.stdin.flush()
        if not self.process.stdout.readline().startswith("begin"):
            raise Missing(f"{self.name} ended early")
        before = beside.cpu_ns()
        line = self.process.stdout.readline()
        beside_ns = beside.cpu_ns() - before
        if not line.startswith("{"):
            raise Missing(f"{self.name} ended early")
        return dict(json.loads(line), beside_ns=beside_ns)

    def stop(self):
        self.process.stdin.close()
        if self.process.wait():
            raise Missing(f"{self.name} ended with {self.process.returncode}")


class Redis(Target):
    """Commands done and CPU time are the server's own figures; the load runs on the other side."""
    # The same number of keys for all: after a moment each SET takes a block and gives one back.
    load = ["-t", "set", "-r", "10000", "-d", "64", "-c", "8"]

    def __init__(self):
        super().__init__("redis", "command", [None])
        self.port = 0

    def why_not(self):
        if not shutil.which("redis-benchmark") or not (shutil.which("redis-server") or
                                                       shutil.which("redis-check-rdb")):
            return "redis-tools is not installed (tools/deps bench)"
        return None

    def start(self, beside, seconds, work, extra):
        server = shutil.which("redis-server")
        if not server:
            # the same file: what it is called decides what it is
            server = os.path.join(work, "redis-server")
            if not os.path.lexists(server):
                os.symlink(shutil.which("redis-check-rdb"), server)
        self.command = [server]
        with socket.socket() as sock:
            sock.bind(("127.0.0.1", 0))
            self.port = sock.getsockname()[1]
        self.process = start([server, "--port", str(self.port), "--bind", "127.0.0.1", "--save", "",
                              "--appendonly", "no", "--dir", work], LIMIT_SECONDS,
                             env=self.environment(work, extra), stdin=subprocess.DEVNULL,
                             stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        self.wait_for_port()
        self.benchmark("-n", "40000", "-P", "16").wait() # all keys are there

    def wait_for_port(self):
        end = time.monotonic() + PORT_TRIES_SECONDS
        while time.monotonic() < end and self.process.poll() is None:
            try:
                self.commands()
                return
            except OSError:
                time.sleep(0.02)
        raise Missing("redis-server did not start")

    def benchmark(self, *more):
        return start(["redis-benchmark", "-h", "127.0.0.1", "-p", str(self.port), *self.load, "-q",
                      *more], LIMIT_SECONDS, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                     stderr=subprocess.DEVNULL)

    def commands(self):
        with socket.create_connection(("127.0.0.1", self.port), timeout=5) as sock:
            sock.sendall(b"INFO stats\r\n")
            got = b""
            while b"instantaneous_ops_per_sec" not in got:
                part = sock.recv(65536)
                if not part:
                    raise OSError("no answer")
                got += part
        return int(got.split(b"total_commands_processed:")[1].split()[0])

    def now(self, beside):
        return {"units": self.commands(), "cpu_ns": cpu_ns(self.process.pid),
                "wall_ns": time.monotonic_ns(), "beside_ns": beside.cpu_ns()}

    def measure(self, beside, seconds):
        load = self.benchmark("-n", "1000000000")
        time.sleep(beside.settle)
        before = self.now(beside)
        time.sleep(seconds)
        after = self.now(beside)
        if load.poll() is not None:
            raise Missing("redis-benchmark ended early")
        load.kill()
        load.wait()
        return {name: after[name] - before[name] for name in after}

    def stop(self):
        self.process.terminate()
        self.process.wait()


def all_targets():
    programs = os.path.join(ROOT, "tests/programs")
    return [
        Program("malloc and free", "pair", [os.path.join(PROGRAMS, "bench_pairs")], 100_000),
        Redis(),
        Program("Rust program", "order", [os.path.join(PROGRAMS, "bench_rust")], 5_000),
        # V8 has compiled by then what it is going to
        Program("Node program", "request", ["node", os.path.join(programs, "bench_node.js")],
                20_000),
    ]
