# SPDX-License-Identifier: GPL-2.0-or-later
"""redis.py one|two|synced WORK PORT: the recording WORK/RUN.ndjson of redis-server under redis-benchmark.

INFO counts its own request but not its own answer, and the commands before itself. So from the first
INFO's answer on until the second one's, which is what the recorder sees besides the first request:
  received = what input grew by + the first INFO's request
  sent     = what output grew by + the second INFO's answer
  commands = what they grew by + the second INFO
"""
import json
import os
import sys

from truth import Recording, Worst, get, ok, read_truth

RUN, WORK, PORT = sys.argv[1:]
MET, IDLE = 4, 3 if RUN != "synced" else 0


def number(record, path):
    return get(record, path) or 0


def total(records, path):
    return sum(number(record, path) for record in records)


class Truth:
    def __init__(self):
        path = os.path.join(WORK, RUN)
        self.before, self.after = (read_truth(f"{path}.{when}.info")[0]
                                   for when in ("before", "after"))
        io = [{str(row["tid"]): row for row in read_truth(f"{path}.{when}.io")}
              for when in ("before", "after")]
        self.threads = {tid: {name: row[name] - io[0][tid][name] for name in row if name != "name"}
                        for tid, row in io[1].items() if tid in io[0]}
        self.names = {tid: row["name"] for tid, row in io[1].items()}

    def grown(self, what):
        return self.after[what] - self.before[what]


def check_truth(truth, clients):
    ok(truth.grown("total_commands_processed") > 500 and truth.grown("total_net_input_bytes") > 50000,
       "truth: redis was busy", truth.after)
    busy = [tid for tid, io in truth.threads.items() if io["rchar"] > 50000]
    ok(len(busy) == clients, f"truth: {clients} threads read what clients sent", busy, truth.threads)


def compare_peer(recording, truth):
    peer = [record for record in recording.of("connection")
            if (record["local"] or "").rpartition(":")[2] == PORT and record["role"] == "server"]
    ok({record["peer"] for record in peer} == {"127.0.0.1"}, "the one peer is 127.0.0.1",
       {record["peer"] for record in peer})
    worst = Worst("bytes of the peer are those of INFO")
    worst.add("received", total(peer, "received.bytes"),
              truth.grown("total_net_input_bytes") + truth.before["request_bytes"], 0, 0)
    worst.add("sent", total(peer, "sent.bytes"),
              truth.grown("total_net_output_bytes") + truth.after["reply_bytes"], 0, 0)
    worst.finish()
    worst = Worst("operations and requests of the peer within 1% of INFO")
    worst.add("receives", total(peer, "received.operations"), truth.grown("total_reads_processed") + 1,
              0.01, 1)
    worst.add("sends", total(peer, "sent.operations"), truth.grown("total_writes_processed") + 1,
              0.01, 1)
    worst.add("requests", total(peer, "request.count"), truth.grown("total_commands_processed") + 1,
              0.01, 1)
    worst.finish()
    worst = Worst("connections are those of INFO")
    opened, active = truth.grown("total_connections_received"), truth.after["connected_clients"]
    worst.add("met", total(peer, "connections.met"), MET, 0, 0)
    worst.add("opened", total(peer, "connections.opened"), opened, 0, 0)
    worst.add("active", total(peer, "connections.active"), active, 0, 0)
    worst.add("closed", total(peer, "connections.closed"), MET + opened - active, 0, 0)
    worst.finish()
    ok(truth.after["connected_clients"] == MET + IDLE, "truth: who is connected at the end",
       truth.after["connected_clients"])


def compare_threads(recording, truth):
    """What the kernel counts for a thread in its read and write calls, files and sockets together."""
    tasks = recording.runtime("thread")
    read = Worst("bytes that each thread reads within 1% of /proc/PID/task/TID/io")
    written = Worst("bytes that each thread writes within 1%")
    # between the kernel's numbers and the ends of the recording redis looks at /proc/self/stat
    for tid, io in truth.threads.items():
        task = tasks.get(tid)
        name = f"{truth.names[tid]} {tid}"
        read.add(name, task and number(task, "io_metrics.bytes_read") +
                 number(task, "network_metrics.bytes_received"), io["rchar"], 0.01, 16384)
        written.add(name, task and number(task, "io_metrics.bytes_written") +
                    number(task, "network_metrics.bytes_sent"), io["wchar"], 0.01, 16384)
    read.finish()
    written.finish()


def compare_file(recording, truth):
    path = os.path.join(WORK, "synced/appendonlydir/appendonly.aof.1.incr.aof")
    mine = [record for record in recording.of("file") if record["path"] == path]
    threads = {get(recording.by_id.get(record["task_id"], {}), "task_name") for record in mine}
    size = read_truth(os.path.join(WORK, "synced.aof"))[0]["size"]
    commands = truth.grown("cmdstat_set") if "cmdstat_set" in truth.before else \
        truth.after["cmdstat_set"]
    ok(commands == 500, "truth: 500 commands were executed", commands)
    ok(threads == {"redis-server"}, "the main thread writes the file", threads)
    worst = Worst("bytes, writes and syncs of the append-only file are exact")
    worst.add("bytes", total(mine, "write.bytes"), size, 0, 0)
    worst.add("writes", total(mine, "write.operations"), commands, 0, 0)
    worst.add("syncs", total(mine, "sync.operations"), commands, 0, 0)
    worst.add("errors", total(mine, "errors"), 0, 0, 0)
    worst.finish()


def main():
    truth, recording = Truth(), Recording(os.path.join(WORK, f"{RUN}.ndjson"))
    check_truth(truth, 2 if RUN == "two" else 1)
    compare_peer(recording, truth)
    compare_threads(recording, truth)
    if RUN == "synced":
        compare_file(recording, truth)
    ok(not recording.losses(), "nothing was lost", json.dumps(recording.losses()))


main()
