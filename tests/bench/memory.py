#!/usr/bin/env python3
"""What connections cost the front in memory: busy, kept and idle, waiting for news, and idle after a burst of deliveries.

    memory.py           10,000 of each
    memory.py --smoke   1,000 of each
    memory.py --json    the figures as JSON at the end

VmRSS of purchase-webhook as the kernel tells it, each kind in a front of its own, so that none uses what another left in
the heap. Every connection is another user's, with the headers of a browser and an idToken, and has been answered
before it is counted. Fails where a target is missed: memory hardly depends on how busy the machine is.
"""

import argparse
import http.client
import json
import os
import resource
import select
import socket
import subprocess
import sys
import tempfile
import time

from mariadb import MariaDB
from programs import SOURCE, Deployment, program_path, sign_woocommerce
from waiting import TimedOut, wait_for

CONNECTIONS = 10000
SMOKE = 1000
BUSY = 64
BUSY_MOST_KB = 40 << 10
EACH_MOST_KB = 16
SPARE_DESCRIPTORS = 200
PER_ADDRESS = 5000  # connections from one loopback address: each has its own ports
AT_A_TIME = 200     # requests under way while connections are filled
DEADLINE = 120      # of one step, on a machine with other work
BURST_BYTES = 10000  # of each delivery of the burst
EBB_DEADLINE = 10   # for what a burst took to be given back
FIRST_USER = 3458764514838398337
TEAM = "3458764514838398336"

HEAD = ("GET /v1/entitlements{query} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nConnection: keep-alive\r\n"
        'sec-ch-ua: "Chromium";v="142", "Google Chrome";v="142", "Not_A Brand";v="99"\r\n'
        "sec-ch-ua-mobile: ?0\r\nAuthorization: Bearer {token}\r\n"
        "User-Agent: Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko)"
        " Chrome/142.0.0.0 Safari/537.36\r\n"
        'sec-ch-ua-platform: "Windows"\r\nAccept: */*\r\nOrigin: https://plugin.example.com\r\n'
        "Sec-Fetch-Site: cross-site\r\nSec-Fetch-Mode: cors\r\nSec-Fetch-Dest: empty\r\n"
        "Referer: https://plugin.example.com/\r\nAccept-Encoding: gzip, deflate, br, zstd\r\n"
        "Accept-Language: en-GB,en;q=0.9\r\n{more}\r\n")

ORDER = {"id": 1, "status": "completed", "currency": "USD", "total": "49.00", "order_key": "@@@@@@@@@@",
         "billing": {"email": "b@@@@@@@@@@@x.example.test"}, "line_items": [], "refunds": [],
         "date_created_gmt": "2026-01-05T10:00:00", "date_modified_gmt": "2026-01-05T10:00:05"}


def order_template():
    """A WooCommerce order of the usual size, with marks where its number goes."""
    body = json.dumps({**ORDER, "id": "@@@@@@@@@@", "padding": ""})
    body = body.replace('"padding": ""', f'"padding": "{"x" * (2400 - len(body))}"')
    return body.replace('"id": "@@@@@@@@@@"', '"id": @@@@@@@@@@', 1)


def raise_descriptors(wanted):
    """Room for that many sockets, here and in the programs that are started after it."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard != resource.RLIM_INFINITY and hard < wanted:
        raise RuntimeError(f"{wanted} descriptors are needed, and the hard limit is {hard}: raise it (ulimit -Hn)")
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


def status_kb(program, field):
    """A figure of /proc/PID/status, such as VmRSS or its greatest so far, VmHWM."""
    with open(f"/proc/{program.process.pid}/status", encoding="ascii", errors="replace") as file:
        for line in file:
            if line.startswith(field + ":"):
                return int(line.split()[1])
    raise RuntimeError(f"{field} is not told of {program.name}")


class Crowd:
    """Many kept connections, each of another user."""

    def __init__(self, run, count):
        self.run = run
        self.tokens = [run.token(str(FIRST_USER + i), TEAM) for i in range(count)]
        self.sockets = []
        self.etags = [None] * count

    def connect(self):
        for i in range(len(self.tokens)):
            opened = socket.socket()
            opened.bind((f"127.0.0.{2 + i // PER_ADDRESS}", 0))
            opened.settimeout(DEADLINE)
            opened.connect(("127.0.0.1", self.run.port))
            self.sockets.append(opened)

    def send(self, i, query="", more=""):
        self.sockets[i].sendall(HEAD.format(query=query, port=self.run.port, token=self.tokens[i],
                                            more=more).encode())

    def answer(self, i):
        """(status, ETag) of the answer on a connection."""
        answer = http.client.HTTPResponse(self.sockets[i])
        answer.begin()
        answer.read()
        return answer.status, answer.headers["ETag"]

    def ask(self):
        """One check on each connection; keeps the versions that were answered."""
        for first in range(0, len(self.sockets), AT_A_TIME):
            batch = range(first, min(first + AT_A_TIME, len(self.sockets)))
            for i in batch:
                self.send(i)
            for i in batch:
                status, self.etags[i] = self.answer(i)
                assert status == 200, status

    def burst(self):
        """A signed delivery on each connection, all but the last byte of each before the last of any. Where more come
        than may wait for the database, some are told 503."""
        for i, opened in enumerate(self.sockets):
            body = json.dumps({"id": i + 1, "padding": "x" * BURST_BYTES}).encode()
            signed = sign_woocommerce(body, self.run.secret(SOURCE))
            headers = "".join(f"{name}: {value}\r\n" for name, value in signed.items())
            opened.sendall(f"POST /webhooks/{SOURCE} HTTP/1.1\r\nHost: 127.0.0.1:{self.run.port}\r\n{headers}"
                           f"Content-Length: {len(body)}\r\n\r\n".encode() + body[:-1])
        for opened in self.sockets:
            opened.sendall(b"}")
        stored = sum(self.answer(i)[0] == 200 for i in range(len(self.sockets)))
        assert stored >= min(len(self.sockets), 1000), f"{stored} deliveries were stored"

    def wait(self, i):
        self.send(i, "?wait=30", f"If-None-Match: {self.etags[i]}\r\n")

    def all_wait(self):
        """A waiting check on each connection, a few at a time: each begins with a look at the database. One that is
        told to come again does."""
        for first in range(0, len(self.sockets), AT_A_TIME):
            for i in range(first, min(first + AT_A_TIME, len(self.sockets))):
                self.wait(i)
            wait_for(lambda: self.waits() >= min(first + AT_A_TIME, len(self.sockets)), DEADLINE, "the waits")

    def waits(self):
        """How many wait, once those that were answered have asked again."""
        for i in self.answered():
            status = self.answer(i)[0]
            assert status in (304, 503), status
            self.wait(i)
        return self.run.metric("purchase_waits")

    def answered(self):
        """Which connections have something to read: an answer, or their end."""
        poll = select.poll()
        numbers = {}
        for i, opened in enumerate(self.sockets):
            poll.register(opened, select.POLLIN)
            numbers[opened.fileno()] = i
        return [numbers[descriptor] for descriptor, _ in poll.poll(0)]

    def close(self):
        for opened in self.sockets:
            opened.close()


class Memory:
    """One deployment; each measurement in a front that was started for it."""

    def __init__(self, run):
        self.run = run
        self.folder = tempfile.TemporaryDirectory(prefix="purchase-sync-memory-")

    def close(self):
        self.folder.cleanup()

    def path(self, name, text=None):
        path = os.path.join(self.folder.name, name)
        if text is not None:
            with open(path, "w", encoding="utf-8") as file:
                file.write(text)
        return path

    def load(self, kind, seconds, *arguments):
        done = subprocess.run([program_path("bench_load"), kind, str(self.run.port), str(BUSY),
                               str(seconds), *arguments], capture_output=True, text=True, check=False)
        if done.returncode != 0:
            raise RuntimeError(f"load {kind}: {done.stdout}{done.stderr}")

    def busy(self, seconds):
        """The most that a front took while 64 connections kept it busy, with checks and with deliveries."""
        tokens = (self.run.token(str(FIRST_USER + i), TEAM) for i in range(5000))
        tokens_path = self.path("tokens", "\n".join(tokens) + "\n")
        front = self.run.start_webhook()
        self.load("check", seconds, tokens_path)
        self.load("deliver", seconds, SOURCE, self.run.path(f"{SOURCE}.secret"),
                  self.path("body", order_template()), "0")
        most = status_kb(front, "VmHWM")
        self.run.stop_program(front)
        return most

    def settled(self, front):
        """VmRSS once it has stopped moving: the buffers of the threads fill with the first requests."""
        last = [status_kb(front, "VmRSS")]

        def still():
            before, last[0] = last[0], status_kb(front, "VmRSS")
            return before == last[0]

        try:
            wait_for(still, 10, "memory that stands still", every=0.3)
        except TimedOut:  # the last figure is as good as another
            pass
        return last[0]

    def warm(self, front):
        """A front that has served some: what it needs once is not a connection's cost."""
        crowd = Crowd(self.run, AT_A_TIME)
        crowd.connect()
        crowd.ask()
        crowd.close()
        wait_for(lambda: self.run.metric("purchase_http_connections", listener="public") == 0, 10,
                 "the first connections' end")
        return self.settled(front)

    def idle(self, front, crowd, _before):
        """Each has had its answer and says nothing more."""
        after = self.settled(front)
        assert not crowd.answered(), "the front closed a connection"
        return after

    def burst(self, front, crowd, before):
        """Each has delivered, all at once, and says nothing more."""
        crowd.burst()
        try:
            wait_for(lambda: status_kb(front, "VmRSS") - before < EACH_MOST_KB * len(crowd.sockets),
                     EBB_DEADLINE, "the end of the burst")
        except TimedOut:  # the figure says so
            pass
        return self.settled(front)

    def waiting(self, front, crowd, _before):
        """Each waits; a few looks at the database are part of what a wait costs."""
        crowd.all_wait()
        began = time.monotonic()
        wait_for(lambda: time.monotonic() > began + 2, 5, "a few looks")
        wait_for(lambda: crowd.waits() == len(crowd.sockets), DEADLINE, "the waits")
        return status_kb(front, "VmRSS")

    def each(self, count, state):
        """kB that each of `count` connections takes in a state: one of the three above."""
        front = self.run.start_webhook()
        crowd = Crowd(self.run, count)
        before = self.warm(front)
        try:
            crowd.connect()
            crowd.ask()
            after = state(front, crowd, before)
            held = self.run.metric("purchase_http_connections", listener="public")
            assert held == count, f"{held} of {count} connections stand still"
        finally:
            crowd.close()
        self.run.stop_program(front)
        return (after - before) / count


def measure(run, count=CONNECTIONS, busy_seconds=2):
    """Figures in kB, of a deployment that is migrated, with a catalogue, and whose front does not run."""
    raise_descriptors(count + SPARE_DESCRIPTORS)
    memory = Memory(run)
    try:
        return {"connections": count, "busy_connections": BUSY, "busy_kb": memory.busy(busy_seconds),
                **{f"{name}_kb_each": memory.each(count, state)
                   for name, state in (("idle", memory.idle), ("burst", memory.burst),
                                       ("waiting", memory.waiting))}}
    finally:
        memory.close()


EACH = (("idle_kb_each", "an idle connection"), ("burst_kb_each", "an idle connection after a burst"),
        ("waiting_kb_each", "a waiting check"))


def complaints(figures):
    """A sentence for each target that the figures miss."""
    rows = [(f"the front at {BUSY} connections", figures["busy_kb"], BUSY_MOST_KB)]
    rows += [(what, figures[key], EACH_MOST_KB) for key, what in EACH]
    return [f"{what}: {value:,.1f} kB, {most:,} kB at most" for what, value, most in rows
            if value > most]


def print_table(figures):
    name = f"the front's most at {figures['busy_connections']} busy connections"
    print(f"{name:50}{figures['busy_kb']:>10,} kB   (target: under {BUSY_MOST_KB:,})")
    for key, what in EACH:
        name = f"{what}, of {figures['connections']:,}"
        print(f"{name:50}{figures[key]:>10.1f} kB   (target: {EACH_MOST_KB} at most)")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--smoke", action="store_true")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    with MariaDB(flushes=True) as server, Deployment(server) as run:
        run.migrate()
        run.apply_catalogue({"entitlements": {"icons-pro": {"name": "Icon pack Pro"}},
                             "products": [{"source": SOURCE, "product": "10",
                                           "grants": ["icons-pro"]}]})
        figures = measure(run, SMOKE if options.smoke else CONNECTIONS, 1 if options.smoke else 2)
    print_table(figures)
    if options.json:
        print(json.dumps(figures))
    missed = complaints(figures)
    for sentence in missed:
        print(f"missed: {sentence}", file=sys.stderr)
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
