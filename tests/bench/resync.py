#!/usr/bin/env python3
"""The resync at several sizes: how fast the stand-in shop serves pages, how fast a resync is, and what memory it takes.

    resync.py                    10,000 and 100,000 orders
    resync.py --smoke            500 and 2,000: proves that it runs, and that memory does not grow with the orders
    resync.py --orders N,N,...   other sizes

Shop, worker and database share the machine's cores. Every third order carries a refund whose lines take a call of
their own; the shop's rate is that of its pages alone, read by one client that does nothing else.
"""

import argparse
import base64
import http.client
import json
import os
import subprocess
import sys
import time

from mariadb import MariaDB
from programs import SOURCE, Deployment, program_path, wait_for

CATALOGUE = {"entitlements": {"icons-pro": {}, "extra-boards": {}},
             "products": [{"source": SOURCE, "product": "10", "grants": ["icons-pro"]},
                          {"source": SOURCE, "product": "11", "grants": ["extra-boards"]}]}
PER_PAGE = 100
PAGES_TIMED = 100
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


def page_rate(run, orders):
    """Orders a second that the shop serves, in pages."""
    key = {"Authorization": "Basic " + base64.b64encode(b"ck_1:cs_1").decode()}
    connection = http.client.HTTPConnection("127.0.0.1", run.sandbox_port, timeout=60)
    pages = min(PAGES_TIMED, orders // PER_PAGE)
    began = time.monotonic()
    for page in range(1, pages + 1):
        connection.request("GET", f"/wp-json/wc/v3/orders?status=any&per_page={PER_PAGE}"
                                  f"&orderby=modified&order=asc&page={page}", headers=key)
        answer = connection.getresponse()
        answer.read()
        assert answer.status == 200, answer.status
    connection.close()
    return pages * PER_PAGE / (time.monotonic() - began)


def peak_of(pid):
    """The most memory that the process ever had resident, in kB; None once it is gone."""
    try:
        with open(f"/proc/{pid}/status", encoding="ascii") as status:
            return next((int(line.split()[1]) for line in status if line.startswith("VmHWM")), None)
    except OSError:
        return None


def resync(run, *options):
    """(seconds, peak resident kB, the summary) of one resync."""
    began, peak = time.monotonic(), 0
    with open(run.path("resync.out"), "w+", encoding="utf-8") as out, \
            open(run.path("resync.err"), "w+", encoding="utf-8") as err:
        process = subprocess.Popen(
            [program_path("purchase-worker"), "--config", run.config, "resync", *options],
            stdout=out, stderr=err, env=run.environment(), cwd=run.folder)
        while process.poll() is None:
            peak = max(peak, peak_of(process.pid) or 0)
            try:
                process.wait(0.02)
            except subprocess.TimeoutExpired:
                pass
        took = time.monotonic() - began
        out.seek(0)
        err.seek(0)
        lines = [line for line in out if " -> " not in line]
        assert process.returncode == 0, (process.returncode, lines, err.read()[-2000:])
    return took, peak, lines[0].strip()


def measure(server, orders):
    with Deployment(server, files={f"{SOURCE}.key": "ck_1:cs_1\n"}) as run:
        stock(run, orders)
        served = page_rate(run, orders)
        first, first_peak, summary = resync(run)
        second, second_peak, again = resync(run, "--full")
        assert " 0 changes" in again, again
        print(f"  {summary}\n  {again}", file=sys.stderr)
    return {"orders": orders, "served": served, "first": orders / first, "second": orders / second,
            "first_peak": first_peak, "second_peak": second_peak}


def show(rows):
    print(f"{'orders':>10}{'pages served':>16}{'first resync':>16}{'--full again':>16}"
          f"{'of the pages':>14}{'peak, first':>14}{'peak, again':>14}")
    for row in rows:
        print(f"{row['orders']:>10,}{row['served']:>14,.0f}/s{row['first']:>14,.0f}/s"
              f"{row['second']:>14,.0f}/s{row['first'] / row['served']:>14.2f}"
              f"{row['first_peak']:>11,} kB{row['second_peak']:>11,} kB")


def main():
    with MariaDB(options=ROOMY) as server:
        rows = [measure(server, orders) for orders in parse()]
    show(rows)
    for peak in ("first_peak", "second_peak"):
        if rows[-1][peak] > GROWTH_MOST * rows[0][peak]:
            sys.exit(f"memory grows with the number of orders: {peak}")


if __name__ == "__main__":
    main()
