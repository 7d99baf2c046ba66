#!/usr/bin/env python3
"""The resync at several sizes: how fast the stand-in shop serves pages, how fast a resync is, and what memory it takes.

    resync.py                    10,000 and 100,000 orders
    resync.py --smoke            500 and 2,000: proves that it runs, and that memory does not grow with the orders
    resync.py --orders N,N,...   other sizes

Shop, worker and database share the machine's cores. A fifth of the orders carry a refund whose lines take a call of
their own. What the shop can serve is measured with one client that throws the answers away: its pages alone, and the
questions that a resync asks, pages and refunds, in their order and without waiting between them. Beside that stands how
fast the resync reads (asks, reads and stages), judges and applies.
"""

import argparse
import base64
import json
import socket
import subprocess
import sys
import threading
import time

from mariadb import MariaDB, find
from peak import watched
from programs import SOURCE, Deployment, wait_for

CATALOGUE = {"entitlements": {"icons-pro": {}, "extra-boards": {}},
             "products": [{"source": SOURCE, "product": "10", "grants": ["icons-pro"]},
                          {"source": SOURCE, "product": "11", "grants": ["extra-boards"]}]}
PER_PAGE = 100
PAGES_TIMED = 100
LOOK_EVERY = 0.03  # seconds
ROOMY = ["--innodb-buffer-pool-size=512M", "--innodb-log-file-size=256M"]  # as a small host of a seller's would have
GROWTH_MOST = 1.25  # of the peak, from the smallest to the greatest size


def parse():
    parser = argparse.ArgumentParser()
    parser.add_argument("--smoke", action="store_true")
    parser.add_argument("--orders")
    options = parser.parse_args()
    sizes = options.orders or ("500,2000" if options.smoke else "10000,100000")
    return [int(size) for size in sizes.split(",")]


def ask(run, method, path, body=None):
    headers = {"Content-Type": "application/json"}
    status, _, value = run.request_json(method, f"/sandbox/api/{path}", body and json.dumps(body),
                                        headers, run.sandbox_port)
    assert status in (200, 201, 202), (status, value)
    return value


def stock(run, orders):
    """A shop with so many orders, none of which was told."""
    run.configure({f"source {SOURCE}": {"api_url": f"http://127.0.0.1:{run.sandbox_port}",
                                        "api_key_file": f"{SOURCE}.key"}})
    run.migrate()
    run.apply_catalogue(CATALOGUE)
    run.start_sandbox()
    ask(run, "POST", "orders/many",
        {"source": SOURCE, "count": orders, "seed": 7, "silent": True, "days": 60})
    wait_for(lambda: ask(run, "GET", "many")["left"] == 0, 300, "the shop's orders")


class Reader:
    """A kept connection to the shop on which questions are sent ahead and answers are thrown away."""

    def __init__(self, run):
        key = base64.b64encode(b"ck_1:cs_1").decode()
        self.head = f" HTTP/1.1\r\nHost: 127.0.0.1:{run.sandbox_port}\r\nAuthorization: Basic {key}\r\n\r\n"
        self.socket = socket.create_connection(("127.0.0.1", run.sandbox_port), timeout=60)
        self.file = self.socket.makefile("rb", buffering=1 << 20)

    def ask(self, targets):
        self.socket.sendall("".join(f"GET {target}{self.head}" for target in targets).encode())
        return [self.answer() for _ in targets]

    def answer(self):
        status, length = self.file.readline().split()[1], 0
        while (line := self.file.readline()) != b"\r\n":
            name, _, value = line.partition(b":")
            if name.lower() == b"content-length":
                length = int(value)
        body = self.file.read(length)
        assert status == b"200", (status, body[:200])
        return body

    def close(self):
        self.file.close()
        self.socket.close()


def served(run, orders):
    """(of its pages alone, of all that a resync asks): orders a second that the shop serves."""
    pages = [f"/wp-json/wc/v3/orders?status=any&per_page={PER_PAGE}&orderby=modified&order=asc"
             f"&dates_are_gmt=true&page={page}" for page in range(1, min(PAGES_TIMED, orders // PER_PAGE) + 1)]
    reader = Reader(run)
    refunds = [[f"/wp-json/wc/v3/orders/{order['id']}/refunds?per_page=100"
                for order in json.loads(reader.ask([page])[0]) if order["refunds"]] for page in pages]
    began = time.monotonic()
    for page in pages:
        reader.ask([page])
    alone = time.monotonic() - began
    for page, lists in zip(pages, refunds):
        reader.ask([page, *lists])
    reader.close()
    return len(pages) * PER_PAGE / alone, len(pages) * PER_PAGE / (time.monotonic() - began - alone)


class Phases:
    """How long the run that is under way spends in each of its states: asked every few hundredths of a second, of one
    client that stays (a client for each question would take a tenth of the machine from what is measured)."""

    def __init__(self, run):
        self.client = subprocess.Popen(
            [find("mariadb"), "--no-defaults", f"--socket={run.server.socket}", "--user=root", "--unbuffered",
             "--skip-column-names", run.database], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.seconds = {}
        self.over = threading.Event()
        self.thread = threading.Thread(target=self.watch)
        self.thread.start()

    def state(self):
        self.client.stdin.write("SELECT COALESCE((SELECT state FROM resync_run WHERE finished_at IS NULL LIMIT 1), '');\n")
        self.client.stdin.flush()
        return self.client.stdout.readline().strip()

    def watch(self):
        last = time.monotonic()
        while not self.over.wait(LOOK_EVERY):
            state = self.state()
            now = time.monotonic()
            self.seconds[state] = self.seconds.get(state, 0) + now - last
            last = now
        self.client.communicate()

    def end(self, orders):
        self.over.set()
        self.thread.join()
        return {state: orders / self.seconds[state] if self.seconds.get(state) else None
                for state in ("reading", "judging", "applying")}


def resync(run, *options):
    """(seconds, peak resident kB, the summary) of one resync."""
    took, peak, printed = watched(run, "purchase-worker", "resync", *options)
    return took, peak, next(line for line in printed.splitlines() if " -> " not in line).strip()


def measure(server, orders):
    with Deployment(server, files={f"{SOURCE}.key": "ck_1:cs_1\n"}) as run:
        stock(run, orders)
        alone, asked = served(run, orders)
        phases = Phases(run)
        first, first_peak, summary = resync(run)
        rates = phases.end(orders)
        second, second_peak, again = resync(run, "--full")
        assert " 0 changes" in again, again
        print(f"  {summary}\n  {again}", file=sys.stderr)
    return {"orders": orders, "served": alone, "asked": asked, **rates, "first": orders / first,
            "second": orders / second, "first_peak": first_peak, "second_peak": second_peak}


COLUMNS = (("served", "pages served"), ("asked", "all it asks"), ("reading", "read"), ("judging", "judged"),
           ("applying", "applied"), ("first", "first resync"), ("second", "--full again"))


def show(rows):
    print(f"{'orders':>9}" + "".join(f"{name:>14}" for _, name in COLUMNS) + f"{'peak, first':>14}{'peak, again':>14}")
    for row in rows:
        print(f"{row['orders']:>9,}" +
              "".join(f"{row[key]:>12,.0f}/s" if row[key] else f"{'-':>14}" for key, _ in COLUMNS) +
              f"{row['first_peak']:>11,} kB{row['second_peak']:>11,} kB")


def main():
    with MariaDB(options=ROOMY, flushes=True) as server:
        rows = [measure(server, orders) for orders in parse()]
    show(rows)
    for peak in ("first_peak", "second_peak"):
        if rows[-1][peak] > GROWTH_MOST * rows[0][peak]:
            sys.exit(f"memory grows with the number of orders: {peak}")


if __name__ == "__main__":
    main()
