# SPDX-License-Identifier: GPL-2.0-or-later
"""io_compare.py io|conn TRUTH NDJSON [SOURCE [LOSS...]]: the recording of tests/programs/io_truth.c or
conn_truth.c against what it printed.

Bytes, operations and errors are exact, for each task and for each file or peer of it. Times are within
10% of the program's own clock, or CLOCK_US: the program reads its clock before the call and after it,
the tracer does so inside, and accounts each message before the call returns. FIRST_US more for the
first use of a file or peer, when it is told what that is, or an interrupt beside one of the calls. A
call that was preempted may have been so between two clocks: such ones widen the tolerance by all that
they took.

SOURCE is what counted (--io-source). What a source cannot see stands in the tables below, and in the
man page. LOSS... are counters of the recording that may say that calls were missed: then so many may
lack, see Missed.
"""
import sys

from truth import CLOCK_FACTOR, CLOCK_GAP_NS, MS, US, Recording, Worst, get, ok, read_truth

CLOCK_US = 4 * CLOCK_FACTOR
FIRST_US = 250 * CLOCK_FACTOR
OPS = ["read", "write", "sync", "open", "connect", "accept"]
COUNTS = ["operations", "bytes", "errors", "again"]
SOCKETS = ("tcp", "udp", "unix")
RECORDED = {"socket": {"read": "received", "write": "sent"}, "file": {}}

# Rows that system calls do not show.
KERNEL_ONLY = {"uring": "io_uring's operations are no system calls"}

# What the kernel's functions do not show. Their beginning must be seen, and what a system call itself
# refuses does not come to them: descriptors that are none, positions before the file's begin or in
# what has none. (row, kind, operation): {count: how many}
BEFORE = {"operations": 1, "bytes": 5}
UNSEEN = {
    ("early-pipe", "pipe", "read"): BEFORE,
    ("early-unix", "unix", "read"): BEFORE,
    ("errors", "unknown", "read"): {"errors": 2},
    ("errors", "unknown", "write"): {"errors": 1},
    ("errors", "file", "read"): {"errors": 1},
    ("errors", "pipe", "read"): {"errors": 1},
}
KERNEL_SOURCES = ("kprobe", "kprobe-tracefs", "fentry")


def is_socket(obj):
    return obj["kind"] in SOCKETS


class Row:
    """What a thread says that it did, as far as the source can know it."""

    def __init__(self, truth, task, source):
        self.name, self.truth, self.task = truth["row"], truth, task
        self.objects = truth["objects"]
        self.is_short = False # calls were missed
        if source in KERNEL_SOURCES:
            for obj in self.objects:
                self.leave_out(obj)

    def leave_out(self, obj):
        for op, counts in list(obj["ops"].items()):
            unseen = UNSEEN.get((self.name, obj["kind"], op))
            if not unseen:
                continue
            for field, val in unseen.items():
                counts[field] -= val
            counts["timed"] = 0
            if not any(counts[field] for field in COUNTS):
                del obj["ops"][op]

    def sum(self, count, ops, sockets):
        return sum(obj["ops"].get(op, {}).get(count, 0) for obj in self.objects
                   for op in ops if is_socket(obj) == sockets)


def expected_metrics(row):
    """io_metrics and network_metrics of the task."""
    io, net = "io_metrics.", "network_metrics."
    files, sockets = ["read", "write", "sync"], ["read", "write", "connect", "accept"]
    return {
        io + "bytes_read": row.sum("bytes", ["read"], False),
        io + "bytes_written": row.sum("bytes", ["write"], False),
        io + "operations_read": row.sum("operations", ["read"], False),
        io + "operations_written": row.sum("operations", ["write"], False),
        io + "syncs": row.sum("operations", ["sync"], False),
        io + "errors": row.sum("errors", files, False),
        io + "again": row.sum("again", files, False),
        net + "bytes_sent": row.sum("bytes", ["write"], True),
        net + "bytes_received": row.sum("bytes", ["read"], True),
        net + "operations_sent": row.sum("operations", ["write"], True),
        net + "operations_received": row.sum("operations", ["read"], True),
        net + "error_count": row.sum("errors", sockets, True),
        net + "again": row.sum("again", sockets, True),
    }


class Missed:
    """Calls that the recording itself says were not seen. So many may lack among all rows, give or
    take a twentieth (one that is not seen may be part of another), but no more than a quarter of what
    was done, whatever it says; and nothing may be too much. In an emulated guest calls take so long
    that a tenth may meet another one."""

    def __init__(self, cnt=0):
        self.cnt = cnt
        self.done, self.lacking = {}, {} # by what is compared

    def ok(self, what, row, found, description):
        """found: (name, got, truth, is it a count of calls)"""
        diffs = [f"{name}: got {got}, truth {want}" for name, got, want, _ in found if got != want]
        calls = [(got or 0, want) for _, got, want, is_calls in found if is_calls]
        lacking = sum(max(0, want - got) for got, want in calls)
        self.done[what] = self.done.get(what, 0) + sum(want for _, want in calls)
        # a call's bytes lack with it, and only so
        short = self.cnt and lacking and all((got or 0) <= want for _, got, want, _ in found)
        if short:
            self.lacking[what] = self.lacking.get(what, 0) + lacking
            row.is_short = True
        ok(short or not diffs, f"{row.name}: {description}", *diffs)

    def finish(self):
        if not self.cnt:
            return
        for what, lacking in self.lacking.items():
            most = min(self.cnt + self.cnt // 20 + 2, self.done[what] // 4)
            ok(lacking <= most, f"{what}: no more lacks than was missed", f"{lacking} lack",
               f"missed {self.cnt}, of {self.done[what]}")


def compare_sums(row, missed):
    missed.ok("sums", row, [(path, get(row.task, path), want, "bytes" not in path)
                            for path, want in expected_metrics(row).items()],
              "bytes, operations and errors")


def key_of(obj):
    """How an object of the truth is called in a recording."""
    name = obj["name"] + (" (deleted)" if obj["deleted"] else "")
    return obj["kind"], name, obj.get("local") or None, obj["deleted"], obj.get("role")


def record_key(record):
    if record["record"] == "connection":
        return record["protocol"], record["peer"], record["local"], False, record["role"]
    return record["kind"], record["path"], None, record["deleted"], None


def keyed(records):
    return {record_key(record): record for record in records
            if record["record"] == "connection" or record["kind"] != "disk"}


def find(by_key, obj):
    """The record of an object, {} without one. Where the program cannot know who is the client, any
    role will do."""
    key = key_of(obj)
    if key[-1] != "unknown":
        return by_key.get(key, {})
    return next((record for other, record in by_key.items() if other[:-1] == key[:-1]), {})


def counted(record, op):
    """What a record says of an operation, or None when it says nothing."""
    socket = record.get("record") == "connection"
    return record.get(RECORDED["socket" if socket else "file"].get(op, op))


def count(entry, field):
    return (entry or {}).get(field) or 0


def is_seen(obj, op):
    """Datagram sockets only take an address; a name that is not there is nobody's file."""
    if op == "connect" and obj["kind"] == "udp":
        return False
    return not (op == "open" and obj["kind"] == "unknown")


def compare_object(obj, record, ops):
    name = obj["name"][-60:]
    found = []
    for op in ops:
        truth, got = obj["ops"].get(op), counted(record, op)
        for field in COUNTS:
            want = count(truth, field) if is_seen(obj, op) else 0
            if field == "bytes" and op not in ("read", "write", "fault"):
                continue
            found.append((f"{name}: {op}.{field}", count(got, field), want, field != "bytes"))
    return found


def sees_kernel(source):
    """Pages of mapped files, and io_uring: by the kernel's functions only, on their own or beside
    system calls."""
    return source in (*KERNEL_SOURCES, "auto+kernel")


def compare_objects(row, records, source, missed):
    """Each file and peer of the task, and no other."""
    diffs, found, left = [], [], keyed(records)
    ops = OPS + (["fault"] if sees_kernel(source) else [])
    for obj in row.objects:
        if not any(is_seen(obj, op) for op in obj["ops"] if op in ops):
            continue
        record = find(left, obj)
        if record:
            del left[record_key(record)]
        found += compare_object(obj, record, ops)
        if not record and not missed.cnt:
            diffs.append(f"no record of {key_of(obj)}")
    for key, record in left.items():
        # a socket that was met, or data that lay in one, is no operation on it
        # and where calls were not seen, a file or socket may be met later, and be called otherwise
        if not missed.cnt and any(
                count(counted(record, op), field) for op in ops for field in COUNTS):
            diffs.append(f"a record too many: {key}")
    missed.ok("files and peers", row, found, "by file and peer")
    ok(not diffs, f"{row.name}: no other file or peer", *diffs)


def clock_floor(truth):
    once = FIRST_US * US + truth["unsure_ns"] + CLOCK_GAP_NS
    return CLOCK_US * US * max(1, truth["messages"] / truth["timed"]) + once / truth["timed"]


def compare_latency(rows, records):
    mean = Worst("latencies: means within 10%")
    slow = Worst("latencies of calls that take more than 5 ms: means within 10%, nothing else allowed")
    some = Worst("latencies: every call takes some time")
    for row in rows:
        by_key = keyed(records[row.task["task_id"]])
        for obj in row.objects:
            record = find(by_key, obj)
            for op, truth in obj["ops"].items():
                entry = counted(record, op) if record else None
                # connections: not how long the calls took, see compare_durations()
                if not truth["timed"] or op in ("fault", "connect", "accept") or (
                        not is_seen(obj, op)):
                    continue
                want = truth["ns"] / truth["timed"]
                got = entry["mean_ns"] if entry else None
                name = f"{row.name} {op} {obj['name'][-30:]}"
                some.require(name, (got or 0) > 0, got)
                mean.add(name, got, want, 0.1, clock_floor(truth))
                if want > 5 * MS and not truth["unsure_ns"]:
                    slow.add(name, got, want, 0.1, CLOCK_GAP_NS / truth["timed"])
    for worst in (mean, slow, some):
        worst.finish()


def compare_memory(rows):
    mapped = Worst("bytes mapped and unmapped")
    resident = Worst("resident bytes")
    for row in rows:
        for field in ("mapped_bytes", "unmapped_bytes"):
            if row.truth["mapped_bytes"]:
                mapped.add(f"{row.name} {field}", get(row.task, f"memory_metrics.{field}"),
                           row.truth[field], 0, 0)
    mapped.finish()
    for row in rows:
        if row.truth["resident_bytes"]:
            # before 6.2 the kernel tells of 64 pages at once
            resident.add(row.name, get(row.task, "memory_metrics.rss_growth_bytes"),
                         row.truth["resident_bytes"], 0, 2 * 64 * 4096)
    resident.finish()
    faults = Worst("page faults, minor and major")
    major = Worst("page faults, major")
    for row in rows:
        truth = row.truth
        faults.add(row.name, get(row.task, "memory_metrics.page_faults"),
                   truth["minflt"] + truth["majflt"], 0, 6) # birth and exit
        major.add(row.name, get(row.task, "memory_metrics.page_faults_major"), truth["majflt"],
                  0, 0)
    faults.finish()
    major.finish()


def compare_disk(rows, records):
    """The kernel's own account of each thread, as the program read it there."""
    disk = Worst("bytes from and to the disk, by the kernel's account")
    for row in rows:
        if row.truth["kernel_io"]:
            for field, path in (("read_bytes", "disk_bytes_read"),
                                ("write_bytes", "disk_bytes_written")):
                disk.add(f"{row.name} {field}", get(row.task, f"io_metrics.{path}"),
                         row.truth["kernel_io"][field], 0, 0)
    disk.finish()
    direct = next((row for row in rows if row.name == "direct"), None)
    if not direct or direct.truth["skipped"]:
        return
    wanted = {op: sum(obj["ops"].get(op, {}).get("bytes", 0) for obj in direct.objects)
              for op in ("read", "write")}
    requests = [record for record in records[direct.task["task_id"]]
                if record["record"] == "file" and record["kind"] == "disk"]
    read, written = (sum(count(record[op], "bytes") for record in requests)
                     for op in ("disk_read", "disk_write"))
    ok(read == wanted["read"], f"direct: what was read came from the device: {read}",
       f"truth {wanted['read']}")
    ok(wanted["write"] <= written <= 1.2 * wanted["write"],
       f"direct: what was written went to the device, and the journal: {written}",
       f"truth {wanted['write']}")
    mean = max(get(record, "disk_read.mean_ns") or 0 for record in requests) if requests else 0
    call = next((obj["ops"]["read"] for obj in direct.objects), None)
    ok(0 < mean <= call["ns"] / call["timed"], "direct: the device is no slower than the call",
       f"device {mean} ns, call {call['ns'] / call['timed']:.0f} ns")


def compare_packets(rows):
    packets = Worst("datagrams sent and received")
    for row in rows:
        sent, received = row.truth["datagrams_sent"], row.truth["datagrams_received"]
        if sent or received:
            packets.add(f"{row.name} sent", get(row.task, "network_metrics.packets_sent"), sent,
                        0, 0)
            packets.add(f"{row.name} received",
                        get(row.task, "network_metrics.packets_received"), received, 0, 0)
    packets.finish()


def load(truth_path, recording_path, source, said):
    recording = Recording(recording_path)
    with open(truth_path, encoding="utf-8") as lines:
        pid = int(next(line for line in lines if line.startswith("ready ")).split()[1])
    tasks = recording.runtime("thread", pid)
    truths = [record for record in read_truth(truth_path) if "row" in record]
    missing = [truth["row"] for truth in truths if str(truth["tid"]) not in tasks]
    ok(not missing, f"every row's thread is in the recording ({len(truths)})", missing)
    rows = [Row(truth, tasks[str(truth["tid"])], source) for truth in truths
            if str(truth["tid"]) in tasks]
    by_task = {task["task_id"]: [] for task in recording.tasks}
    for record in recording.of("file") + recording.of("connection"):
        if record["task_id"] is not None:
            by_task[record["task_id"]].append(record)
    lost = recording.losses()
    lost.pop("file_unknown", None) # of calls on descriptors that are none
    missed = Missed(sum(lost.pop(name, 0) for name in said))
    ok(not lost, "nothing else was lost" if said else "nothing was lost", lost)
    return recording, rows, by_task, missed


def compare_counts(rows, records, source, missed):
    """Returns the rows of which all is there: what lacks calls is not compared any further."""
    for row in rows:
        compare_sums(row, missed)
        compare_objects(row, records[row.task["task_id"]], source, missed)
    missed.finish()
    return [row for row in rows if not row.is_short]


def compare_io(truth_path, recording_path, source, said):
    _, rows, records, missed = load(truth_path, recording_path, source, said)
    skipped = []
    for row in rows:
        why = row.truth["skipped"]
        if not sees_kernel(source):
            why = why or KERNEL_ONLY.get(row.name)
        if why:
            print(f"ok - {row.name} # SKIP {why}")
            skipped.append(row)
    rows = compare_counts([row for row in rows if row not in skipped], records, source, missed)
    compare_latency(rows, records)
    compare_packets(rows)
    compare_disk(rows, records)
    compare_memory(rows)


def compare_connections(rows, records):
    """How many of each peer were met, opened, refused, closed, and are open."""
    diffs, seen = [], 0
    for row in rows:
        by_key = keyed(records[row.task["task_id"]])
        for obj in row.objects:
            truth = obj.get("connections")
            if not truth:
                continue
            seen += 1
            got = get(find(by_key, obj), "connections") or {}
            # of one that was refused the socket ends unconnected: it was never open
            want = dict(truth, active=truth["met"] + truth["opened"] - truth["closed"])
            for field, val in want.items():
                if got.get(field) != val:
                    diffs.append(f"{row.name} {obj['name']} {obj['role']} {field}: "
                                 f"got {got.get(field)}, truth {val}")
    ok(seen and not diffs, f"connections met, opened, failed, closed and active ({seen})", *diffs)


def recording_start(rows):
    """The moment zero of the recording by the program's clock: each thread began, by its own account,
    between its creator's clock and its first own instruction."""
    spans = [(row.truth["born_ns"] - row.task["start_time"],
              row.truth["start_ns"] - row.task["start_time"]) for row in rows]
    low, high = max(span[0] for span in spans), min(span[1] for span in spans)
    return (low + high) // 2


def compare_series(recording, rows, windows):
    start = recording_start(rows)
    series = next((record for record in recording.of("series")
                   if record["name"] == "connections_active"), None)
    if not ok(series is not None, "there is a series of the connections open"):
        return
    diffs, shown = [], []
    for window in windows:
        values = [val for at, val in series["values"]
                  if window["from_ns"] + 10 * MS < at + start < window["to_ns"] - 10 * MS]
        shown.append(str(window["active"]))
        if not values or set(values) != {window["active"]}:
            diffs.append(f"from {(window['from_ns'] - start) / MS:.0f} ms: got {values}, "
                         f"truth {window['active']}")
    ok(not diffs, f"connections open over time: {' -> '.join(shown)}", *diffs)


def compare_durations(rows, records):
    """Times that the program made: a slow service, a slow accept, data left lying, a first segment
    that comes again after a second."""
    mean = Worst("connect, accept, request and response: means within 10%")
    cnt = Worst("connect, accept, request and response: how many")
    queued = Worst("data that lay in the socket: mean within 10%")
    for row in rows:
        by_key = keyed(records[row.task["task_id"]])
        for obj in row.objects:
            record = find(by_key, obj)
            for op in ("connect", "accept", "request", "response", "queued"):
                truth, got = obj["ops"].get(op), record.get(op) or {}
                name = f"{row.name} {op} {obj['name']}"
                if truth and op in ("request", "response"):
                    cnt.add(name, count(got, "count"), truth["operations"], 0, 0)
                if not truth or not truth["timed"]:
                    continue
                want = truth["ns"] / truth["timed"]
                floor = FIRST_US * US + (truth["unsure_ns"] + CLOCK_GAP_NS) / truth["timed"]
                if op == "connect" and want < 200 * MS:
                    # it is connected before the program runs again, which may be later
                    mean.require(name, 0 < (got.get("mean_ns") or 0) <= want + floor,
                                 got.get("mean_ns"))
                    continue
                worst = queued if op == "queued" else mean
                worst.add(name, got.get("mean_ns"), want, 0.1, floor)
    for worst in (mean, cnt, queued):
        worst.finish()


# TCP_INFO -> (the record's name, factor)
TCP_EXACT = {"rtt_us": ("rtt_ns", 1000), "rttvar_us": ("rttvar_ns", 1000),
             "min_rtt_us": ("path_rtt_ns", 1000), "cwnd": ("cwnd", 1), "mss": ("mss", 1),
             "segments_sent": ("segments_sent", 1), "segments_received": ("segments_received", 1),
             "retransmissions": ("retransmissions", 1), "bytes_acked": ("bytes_acked", 1),
             "bytes_received": ("bytes_received", 1)}


def compare_tcp(rows, records):
    for row in rows:
        by_key = keyed(records[row.task["task_id"]])
        for obj in row.objects:
            if "tcp" not in obj:
                continue
            tcp = get(find(by_key, obj), "tcp") or {}
            text = f"{row.name}: TCP's numbers of the {obj['role']}'s end"
            if row.name == "info-open":
                diffs = [f"{name}: got {tcp.get(name)}, truth {obj['tcp'][field] * factor}"
                         for field, (name, factor) in TCP_EXACT.items()
                         if tcp.get(name) != obj["tcp"][field] * factor]
                ok(not diffs, text + " equal TCP_INFO", *diffs)
            elif row.name == "info-close":
                compare_tcp_end(text, tcp, obj["tcp"])
            else:
                ok(tcp.get("retransmissions") == obj["tcp"]["retransmissions"] == 1,
                   f"{row.name}: the first segment was sent again",
                   f"got {tcp.get('retransmissions')}")
                got = get(row.task, "network_metrics.retransmissions")
                ok(got == 1, f"{row.name}: and its task is charged", f"got {got}")


def compare_tcp_end(text, tcp, truth):
    """What TCP_INFO said before close(), and what closing adds: a segment each way that ends the
    stream, counted as a byte, and their acknowledgements."""
    diffs = []
    for field in ("cwnd", "mss", "retransmissions"):
        if tcp.get(field) != truth[field]:
            diffs.append(f"{field}: got {tcp.get(field)}, truth {truth[field]}")
    for field, most in (("segments_sent", 2), ("segments_received", 2), ("bytes_acked", 1),
                        ("bytes_received", 1)):
        if not 0 <= (tcp.get(field) or 0) - truth[field] <= most:
            diffs.append(f"{field}: got {tcp.get(field)}, truth {truth[field]} + 0..{most}")
    ok(not diffs, text + " equal TCP_INFO before close() and what closing adds", *diffs)


def compare_conn(truth_path, recording_path, source, said):
    recording, rows, records, missed = load(truth_path, recording_path, source, said)
    windows = next(record["windows"] for record in read_truth(truth_path) if "windows" in record)
    rows = compare_counts(rows, records, source, missed)
    compare_connections(rows, records)
    compare_series(recording, rows, windows)
    compare_durations(rows, records)
    compare_tcp(rows, records)


def main(what, truth_path, recording_path, source="auto", *said):
    {"io": compare_io, "conn": compare_conn}[what](truth_path, recording_path, source, said)


main(*sys.argv[1:])
