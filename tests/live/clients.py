# SPDX-License-Identifier: GPL-2.0-or-later
"""Clients of the servers that the live tests record (servers.sh).

clients.py ports CNT            prints free ports of the loopback
clients.py status PORT          prints the numbers of nginx's stub_status
clients.py http|redis PORT CNT  opens CNT connections, then does what the lines on stdin say:

  get PATH CNT   (http)   so many requests on each connection, one after another
  info           (redis)  on the first connection: the INFO numbers, and the size of this exchange
  idle CNT                so many more connections, on which nothing is said
  quit                    closes them all

Each answer is one line of JSON; the first one says that all connections are open.
"""
import json
import re
import socket
import sys

SOCKETS = []


def connect(port, cnt):
    for _ in range(cnt):
        sock = socket.create_connection(("127.0.0.1", port), timeout=10)
        SOCKETS.append(sock)
    return {"connections": len(SOCKETS)}


def receive(sock, data, complete):
    """Until complete(data) is true of all that came."""
    while not complete(data):
        part = sock.recv(1 << 16)
        if not part:
            sys.exit("clients.py: the server closed the connection")
        data += part
    return data


def http_is_complete(data):
    head, end, body = data.partition(b"\r\n\r\n")
    length = re.search(rb"\r\nContent-Length: *(\d+)", head, re.I)
    return bool(end) and len(body) >= int(length.group(1) if length else 0)


def http_get(path, cnt):
    request = f"GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode()
    sent = received = 0
    for _ in range(int(cnt)):
        for sock in SOCKETS:
            sock.sendall(request)
            reply = receive(sock, b"", http_is_complete)
            sent, received = sent + len(request), received + len(reply)
    return {"requests": int(cnt) * len(SOCKETS), "sent": sent, "received": received}


def nginx_status(port):
    """Counts its own connection and request."""
    connect(port, 1)
    SOCKETS[0].sendall(b"GET /status HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
    body = receive(SOCKETS[0], b"", http_is_complete).partition(b"\r\n\r\n")[2]
    numbers = [int(number) for number in re.findall(rb"\d+", body)]
    return dict(zip(("active", "accepts", "handled", "requests"), numbers))


def bulk_is_complete(data):
    head, end, body = data.partition(b"\r\n")
    return bool(end) and len(body) >= int(head[1:]) + 2


def redis_info():
    """INFO counts its own request, but not yet its own answer."""
    request = b"*2\r\n$4\r\nINFO\r\n$3\r\nall\r\n"
    SOCKETS[0].sendall(request)
    reply = receive(SOCKETS[0], b"", bulk_is_complete)
    info = {"request_bytes": len(request), "reply_bytes": len(reply)}
    for line in reply.decode().split("\r\n"):
        name, colon, val = line.partition(":")
        if colon and re.fullmatch(r"-?\d+", val):
            info[name] = int(val)
        elif name.startswith("cmdstat_"):
            info[name] = int(re.match(r"calls=(\d+)", val).group(1))
    return info


def main():
    if sys.argv[1] == "ports":
        held = [socket.create_server(("127.0.0.1", 0)) for _ in range(int(sys.argv[2]))]
        print(*(sock.getsockname()[1] for sock in held))
        return
    if sys.argv[1] == "status":
        print(json.dumps(nginx_status(int(sys.argv[2]))))
        return
    port = int(sys.argv[2])
    answer = connect(port, int(sys.argv[3]))
    commands = {"get": http_get, "info": redis_info, "idle": lambda cnt: connect(port, int(cnt))}
    while True:
        print(json.dumps(answer), flush=True)
        name, *args = sys.stdin.readline().split() or ["quit"]
        if name == "quit":
            break
        answer = commands[name](*args)
    for sock in SOCKETS:
        sock.close()
    print(json.dumps({"closed": len(SOCKETS)}), flush=True)


if __name__ == "__main__":
    main()
