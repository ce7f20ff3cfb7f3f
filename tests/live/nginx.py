# SPDX-License-Identifier: GPL-2.0-or-later
"""nginx.py existing|follow WORK PORT STATUS_PORT: the recording WORK/RUN.ndjson of nginx under wrk.

What it is held against: the access log (RUN.access: each worker's requests and all of their bytes),
stub_status before and after, what wrk counted, and the sizes of the files. Bytes are within 1%: wrk
goes away amid a few responses, of which nginx logs what it had given to the kernel.
"""
import json
import os
import sys
from collections import Counter

from truth import Recording, Worst, get, ok, read_truth

RUN, WORK, PORT, STATUS_PORT = sys.argv[1:]
PATH = {name: os.path.join(WORK, name) for name in ("www/sendfile.bin", "www/buffered.bin",
                                                    "access.log")}
MET = {"existing": 5, "follow": 0}[RUN]
CUT = 8 # wrk's connections: it goes away amid a response on each


def number(record, path):
    return get(record, path) or 0


class Truth:
    def __init__(self):
        path = os.path.join(WORK, RUN)
        self.before, self.after = (read_truth(f"{path}.{when}")[0] for when in ("before", "after"))
        self.wrk = read_truth(f"{path}.wrk")[0]
        self.log_bytes = os.path.getsize(f"{path}.access")
        self.lines = read_truth(f"{path}.access")
        self.workers = {str(line["pid"]) for line in self.lines}
        self.by = Counter() # (worker, port, what) -> sum; of what is by uri, port is the uri
        for line in self.lines:
            pid, port, uri = str(line["pid"]), str(line["port"]), line["uri"]
            for key in ((pid, port), (pid, uri)):
                self.by[key + ("requests",)] += 1
                for what in ("sent", "body", "received"):
                    self.by[key + (what,)] += line[what]

    def grown(self, what):
        return self.after[what] - self.before[what]


def check_truth(truth):
    """What the sources of truth say of each other; else a difference means nothing."""
    requests = sum(count for key, count in truth.by.items() if key[1:] == (PORT, "requests"))
    # the second look counts itself, the first one was counted by itself
    ok(abs(truth.grown("requests") - 1 - requests) <= 16, "truth: access log and stub_status agree",
       truth.grown("requests") - 1, requests)
    of_wrk = requests - truth.by_client["requests"]
    ok(truth.wrk["errors"] == 0 and truth.wrk["requests"] > 1000 and
       abs(truth.wrk["requests"] - of_wrk) <= max(0.01 * of_wrk, CUT), "truth: so does wrk",
       truth.wrk, of_wrk)
    ok(len(truth.workers) in (1, 2), "truth: one or two workers served", truth.workers)


def of_worker(recording, records):
    """(worker, record) of each record of a task of a process that served"""
    for record in records:
        task = recording.by_id.get(record["task_id"])
        if task:
            yield str(task["pid"]), record


def connections_on(recording, port):
    """What was accepted on a port: {worker: its records}"""
    found = {}
    for pid, record in of_worker(recording, recording.of("connection")):
        if (record["local"] or "").rpartition(":")[2] == port and record["role"] == "server":
            found.setdefault(pid, []).append(record)
    return found


def total(records, path):
    return sum(number(record, path) for record in records)


def compare_peers(recording, truth):
    received = Worst("bytes received by each worker and peer within 1% of its access log")
    sent = Worst("bytes sent by each worker and peer within 1%")
    requests = Worst("requests of each worker and peer within 1%")
    for port in (PORT, STATUS_PORT):
        by_worker = connections_on(recording, port)
        for pid in truth.workers:
            got, key = by_worker.get(pid, []), (pid, port)
            floor = 0 if port == STATUS_PORT else 1
            received.add(key, total(got, "received.bytes"), truth.by[key + ("received",)], 0.01, floor)
            sent.add(key, total(got, "sent.bytes"), truth.by[key + ("sent",)], 0.01, floor)
            requests.add(key, total(got, "request.count"), truth.by[key + ("requests",)], 0.01, floor)
    for worst in (received, sent, requests):
        worst.finish()


def compare_whole(recording, truth):
    """All workers together, against the other two sources of truth."""
    mine = [record for records in connections_on(recording, PORT).values() for record in records]
    status = [record for records in connections_on(recording, STATUS_PORT).values()
              for record in records]
    peers = {record["peer"] for record in mine + status}
    ok(peers == {"127.0.0.1"}, "the one peer is 127.0.0.1", peers)
    worst = Worst("all together: stub_status and wrk within 1%")
    worst.add("requests, stub_status", total(mine, "request.count"), truth.grown("requests") - 1,
              0.01, 0)
    extra = truth.by_client
    worst.add("requests, wrk", total(mine, "request.count"),
              truth.wrk["requests"] + extra["requests"], 0.01, CUT)
    worst.add("bytes, wrk", total(mine, "sent.bytes"), truth.wrk["bytes"] + extra["received"], 0.01,
              CUT * (os.path.getsize(PATH["www/sendfile.bin"]) + 1024))
    worst.finish()
    worst = Worst("connections are those of stub_status")
    # on the other port each look made one, of which the first one had counted itself
    worst.add("accepted", total(mine, "connections.opened"), truth.grown("accepts") - 1, 0, 0)
    worst.add("accepted for status", total(status, "connections.opened"), 2, 0, 0)
    worst.add("met", total(mine, "connections.met"), MET, 0, 0)
    active = 0 if RUN == "follow" else truth.after["active"] - 1
    worst.add("active", total(mine, "connections.active"), active, 0, 0)
    worst.add("closed", total(mine, "connections.closed"),
              MET + truth.grown("accepts") - 1 - active, 0, 0)
    worst.finish()


def compare_files(recording, truth):
    files = {}
    for pid, record in of_worker(recording, recording.of("file")):
        files.setdefault((pid, record["path"]), []).append(record)
    read = Worst("bytes read from each file by each worker within 1% of what it sent of it")
    for pid in truth.workers:
        for name in ("sendfile.bin", "buffered.bin"):
            got = files.get((pid, PATH["www/" + name]), [])
            # responses that wrk did not wait for
            read.add((pid, name), total(got, "read.bytes"), truth.by[(pid, "/" + name, "body")], 0.01,
                     CUT * os.path.getsize(PATH["www/" + name]))
    read.finish()
    log = [record for key, records in files.items() if key[1] == PATH["access.log"]
           for record in records]
    ok(total(log, "write.bytes") == truth.log_bytes,
       "bytes written to the access log are what it grew by", total(log, "write.bytes"),
       truth.log_bytes)
    ok(total(log, "write.operations") == len(truth.lines), "in one write for each of its lines",
       total(log, "write.operations"), len(truth.lines))
    lines = Worst("each worker wrote its own lines")
    for pid in truth.workers:
        lines.add(pid, total(files.get((pid, PATH["access.log"]), []), "write.operations"),
                  sum(str(line["pid"]) == pid for line in truth.lines), 0, 0)
    lines.finish()
    kinds = {record["kind"] for key, records in files.items() if key[1] in PATH.values()
             for record in records}
    ok(kinds == {"file"}, "all three are files", kinds)


def compare_sums(recording, truth):
    """The counters of a task come another way than its connections and files."""
    sums = Worst("what goes to peers and files adds up to each task's own sums")
    for task in recording.tasks:
        if str(task["pid"]) not in truth.workers:
            continue
        mine = {kind: [record for record in recording.of(kind)
                       if record["task_id"] == task["task_id"]] for kind in ("connection", "file")}
        for field, kind, path in (("network_metrics.bytes_sent", "connection", "sent.bytes"),
                                  ("network_metrics.bytes_received", "connection", "received.bytes"),
                                  ("io_metrics.bytes_read", "file", "read.bytes"),
                                  ("io_metrics.operations_read", "file", "read.operations"),
                                  ("io_metrics.bytes_written", "file", "write.bytes"),
                                  ("io_metrics.operations_written", "file", "write.operations")):
            sums.add((task["native_id"], field), get(task, field), total(mine[kind], path), 0, 0)
    sums.finish()


def main():
    truth, recording = Truth(), Recording(os.path.join(WORK, f"{RUN}.ndjson"))
    clients = os.path.join(WORK, f"{RUN}.client")
    truth.by_client = read_truth(clients)[0] if os.path.exists(clients) else Counter()
    check_truth(truth)
    compare_peers(recording, truth)
    compare_whole(recording, truth)
    compare_files(recording, truth)
    compare_sums(recording, truth)
    ok(not recording.losses(), "nothing was lost", json.dumps(recording.losses()))


main()
