"""Clients that hold connections and hardly use them, in a process of its own so that who measures is not slowed by them.

    with SlowClients(port, 400) as crowd:      # all 400 are connected
        ...
        crowd.stop()                           # those that are ended from now on are not replaced
        crowd.ended(60)                        # until the last one was; {kind: how many were, of themselves or replaced}

A quarter each send a head one byte at a time, send a body so, keep a connection after an answer, and say nothing at all; half
of them from one address, the others from 127.0.1.x.
"""

import json
import select
import socket
import subprocess
import sys
import time

HOST = "127.0.0.1"
PAUSE = 0.4  # between two bytes of one client
HEAD = b"GET /v1/entitlements HTTP/1.1\r\nHost: x\r\nX-Padding: " + b"x" * 8000
BODY = b"POST /webhooks/main-store HTTP/1.1\r\nHost: x\r\nContent-Length: 9000\r\n\r\n"
ASKED = b"GET /nothing HTTP/1.1\r\nHost: x\r\n\r\n"
KINDS = {"head": (b"", HEAD), "body": (BODY, b"x" * 9000), "kept": (ASKED, b""), "silent": (b"", b"")}


class Client:
    """One slow client, which begins anew when its server ends it."""

    def __init__(self, port, number):
        self.port = port
        self.kind = list(KINDS)[number % len(KINDS)]
        self.source = HOST if number % 8 < 4 else f"127.0.1.{1 + number // 8 % 250}"
        self.connect()

    def connect(self):
        begin, self.script = KINDS[self.kind]
        self.at = 0
        self.socket = socket.create_connection((HOST, self.port), 60, (self.source, 0))
        self.socket.sendall(begin)
        self.socket.setblocking(False)

    def drip(self):
        """One more byte; what the server thinks of it is read elsewhere."""
        try:
            self.at += self.socket.send(self.script[self.at:self.at + 1])
        except OSError:
            pass

    def is_over(self):
        """Reads what there is; True at the end."""
        try:
            return self.socket.recv(65536) == b""
        except BlockingIOError:
            return False
        except OSError:
            return True


def drive(port, count):
    clients = {}
    ended = dict.fromkeys(KINDS, 0)
    poll = select.poll()

    def add(client):
        clients[client.socket.fileno()] = client
        poll.register(client.socket, select.POLLIN)

    for number in range(count):
        add(Client(port, number))
    print("connected", flush=True)
    poll.register(sys.stdin, select.POLLIN)
    stopping, phase = False, 0  # an eighth of them says a byte in each phase
    while clients:
        for fd, _ in poll.poll(PAUSE * 1000 / 8):
            if fd == sys.stdin.fileno():
                poll.unregister(fd)
                stopping = True
            elif clients[fd].is_over():
                client = clients.pop(fd)
                poll.unregister(fd)
                client.socket.close()
                ended[client.kind] += 1
                if not stopping:
                    client.connect()
                    add(client)
        before, phase = phase, int(time.monotonic() / PAUSE * 8) % 8
        for fd, client in clients.items() if phase != before else ():
            if fd % 8 == phase and client.script:
                client.drip()
    print(json.dumps(ended), flush=True)


class SlowClients:
    """The process that drives them."""

    def __init__(self, port, count):
        self.process = subprocess.Popen(
            ["setpriv", "--pdeathsig", "KILL", sys.executable, __file__, str(port), str(count)],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        assert self.process.stdout.readline() == "connected\n"

    def stop(self):
        self.process.stdin.write("stop\n")
        self.process.stdin.flush()

    def ended(self, deadline):
        assert self.process.wait(deadline) == 0
        return json.loads(self.process.stdout.read())

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        self.process.stdin.close()
        self.process.stdout.close()


if __name__ == "__main__":
    drive(int(sys.argv[1]), int(sys.argv[2]))
