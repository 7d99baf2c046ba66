#!/usr/bin/env python3
"""The benchmark: this program beside the yardsticks of HTTP on this machine, in one run, in interleaved rounds.

    bench.py            8 s a measurement, 3 rounds
    bench.py --smoke    1 s, one round: proves that everything runs, and asserts no time
    bench.py --json     the figures as JSON at the end

Load generator, server and database share the machine's cores, so only the ratios within one run mean anything.
The database is durable (innodb_flush_log_at_trx_commit = 1), and no answer leaves before its commit.
"""

import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time

from mariadb import MariaDB
from programs import SOURCE, Deployment, program_path
from scratch import Ports
from waiting import wait_for

USERS = 5000
ANSWER_BYTES = 256
CONNECTIONS = 64

NGINX = """daemon off; master_process off; worker_processes 1; pid {folder}/nginx.pid;
error_log {folder}/error.log;
events {{ worker_connections 2048; }}
http {{
    access_log off; keepalive_requests 100000000; default_type application/json;
    client_body_temp_path {folder}; proxy_temp_path {folder}; fastcgi_temp_path {folder};
    uwsgi_temp_path {folder}; scgi_temp_path {folder};
    server {{ listen 127.0.0.1:{port}; location / {{ return 200 "{answer}"; }} }}
}}
"""


def order_template():
    """A WooCommerce order of the usual size, with marks where its number goes."""
    line = {"id": 1, "name": "Icon pack Pro", "product_id": 10, "variation_id": 0, "quantity": 1,
            "tax_class": "", "subtotal": "49.00", "subtotal_tax": "0.00", "total": "49.00",
            "total_tax": "0.00", "taxes": [], "meta_data": [], "sku": "LIC-PRO", "price": 49}
    order = {
        "id": "@@@@@@@@@@", "parent_id": 0, "status": "completed", "currency": "USD",
        "total": "49.00", "customer_id": 0, "order_key": "wc_order_@@@@@@@@@@",
        "billing": {"first_name": "A", "last_name": "Buyer", "email": "b@@@@@@@@@@@x.example.test"},
        "line_items": [line], "refunds": [], "number": "@@@@@@@@@@", "meta_data": [],
        "date_created_gmt": "2026-01-05T10:00:00", "date_modified_gmt": "2026-01-05T10:00:05",
        "date_paid_gmt": "2026-01-05T10:00:05", "date_completed_gmt": "2026-01-05T10:00:05",
    }
    order["padding"] = "x" * (2400 - len(json.dumps(order)) - 14)
    return json.dumps(order).replace('"id": "@@@@@@@@@@"', '"id": @@@@@@@@@@', 1)


class Bench:
    """One server, one deployment, the yardsticks, and the rounds."""

    def __init__(self, seconds, rounds):
        self.seconds = seconds
        self.rounds = rounds
        self.ports = Ports()
        self.folder = tempfile.mkdtemp(prefix="purchase-sync-bench-")
        self.server = MariaDB(options=["--innodb-buffer-pool-size=512M"])
        self.run = Deployment(self.server)
        self.children = []
        self.first = 0
        self.results = {}

    def close(self):
        for child in self.children:
            child.terminate()
            child.wait(10)
        self.run.close()
        self.server.close()
        self.ports.close()
        shutil.rmtree(self.folder, ignore_errors=True)

    def start(self, command, port):
        child = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        self.children.append(child)

        def answers():
            if child.poll() is not None:
                raise RuntimeError(f"{command[0]} ended with {child.returncode}")
            try:
                return self.run.request("GET", "/", port=port)[0] == 200
            except OSError:
                return False

        wait_for(answers, 10, f"{command[0]}'s start")
        return port

    def start_yardsticks(self):
        evhttp, ours = self.ports.take(), self.ports.take()
        self.evhttp = self.start([program_path("bench_evhttp"), str(evhttp), str(ANSWER_BYTES)],
                                 evhttp)
        self.constant = self.start([program_path("bench_server"), str(ours), str(ANSWER_BYTES)],
                                   ours)
        self.nginx = None
        nginx = shutil.which("nginx") or shutil.which("/usr/sbin/nginx")
        if nginx:
            port = self.ports.take()
            config = os.path.join(self.folder, "nginx.conf")
            with open(config, "w", encoding="utf-8") as file:
                file.write(NGINX.format(folder=self.folder, port=port, answer="x" * ANSWER_BYTES))
            self.nginx = self.start([nginx, "-c", config], port)

    def seed(self):
        """Buyers whose orders went the usual way: delivered, drained, and linked."""
        run = self.run
        run.migrate()
        run.apply_catalogue({
            "entitlements": {"icons-pro": {"name": "Icon pack Pro"}},
            "products": [{"source": SOURCE, "product": "10", "grants": ["icons-pro"]}]})
        run.start_webhook()
        self.write("body", order_template())
        self.write("tokens", "\n".join(run.token(str(3458764514838398337 + i), "1")
                                       for i in range(USERS)) + "\n")
        self.load_deliver(2)
        run.worker_once()
        users = ",".join(f"('{3458764514838398337 + i}', {i})" for i in range(USERS))
        run.sql(f"""CREATE TEMPORARY TABLE seed (user_id VARBINARY(32), n INT);
            INSERT INTO seed VALUES {users};
            INSERT INTO link (address_index, user_id, origin, linked_at)
            SELECT a.address_index, s.user_id, 'import', 0 FROM seed s JOIN
            (SELECT address_index, ROW_NUMBER() OVER (ORDER BY address_index) - 1 AS n
             FROM address) a ON a.n = s.n""")

    def write(self, name, text):
        with open(os.path.join(self.folder, name), "w", encoding="utf-8") as file:
            file.write(text)

    def load(self, kind, port, *arguments, connections=CONNECTIONS, seconds=None):
        done = subprocess.run([program_path("bench_load"), kind, str(port), str(connections),
                               str(seconds or self.seconds), *arguments],
                              capture_output=True, text=True, check=False)
        if done.returncode != 0:
            raise RuntimeError(f"load {kind}: {done.stdout}{done.stderr}")
        return json.loads(done.stdout)

    def load_deliver(self, seconds=None):
        result = self.load("deliver", self.run.port, SOURCE, self.run.path(f"{SOURCE}.secret"),
                           os.path.join(self.folder, "body"), str(self.first), seconds=seconds)
        self.first += result["requests"] + CONNECTIONS
        return result

    def measurements(self):
        """(name, what is measured) in the order of one round."""
        yield "nothing but HTTP: nginx, one worker", self.nginx and (
            lambda: self.load("get", self.nginx, "/"))
        yield "nothing but HTTP: evhttp", lambda: self.load("get", self.evhttp, "/")
        yield "nothing but HTTP: ours", lambda: self.load("get", self.constant, "/")
        yield "checks", lambda: self.load("check", self.run.port,
                                          os.path.join(self.folder, "tokens"))
        yield "durable deliveries", self.load_deliver

    def measure(self):
        for number in range(self.rounds):
            for name, measurement in self.measurements():
                if not measurement:
                    continue
                print(f"round {number + 1} of {self.rounds}: {name} …", file=sys.stderr)
                result = measurement()
                result["rate"] = result["requests"] / result["seconds"]
                self.results.setdefault(name, []).append(result)

    def waiting(self):
        return int(self.run.sql("SELECT COUNT(*) FROM delivery WHERE state IN"
                                " ('pending', 'leased')"))

    def drain(self):
        """What one worker does in a while with what the deliveries left."""
        before, began = self.waiting(), time.monotonic()
        worker = self.run.start_worker()
        until = began + 2 * self.seconds

        def over():
            worker.must_live()
            return time.monotonic() > until or self.waiting() == 0

        wait_for(over, 2 * self.seconds + 30, "the worker's share", every=0.2)
        self.run.stop_program(worker)
        done, took = before - self.waiting(), time.monotonic() - began
        return {"deliveries": done, "seconds": took, "rate": done / took}

    def summary(self):
        bare = statistics.median(item["rate"] for item in
                                 self.results["nothing but HTTP: evhttp"])
        rows = []
        for name, results in self.results.items():
            rates = [item["rate"] for item in results]
            rows.append({
                "name": name, "rate": statistics.median(rates),
                "spread": (max(rates) - min(rates)) / statistics.median(rates),
                **{key: statistics.median(item[key] for item in results) / 1000
                   for key in ("p50", "p99", "p999")},
                "of_evhttp": statistics.median(rates) / bare})
        return rows


def print_table(rows):
    print(f"\n{'':38}{'a second':>10}{'spread':>8}{'p50 ms':>9}{'p99 ms':>9}{'p99.9':>9}"
          f"{'of evhttp':>11}")
    for row in rows:
        print(f"{row['name']:38}{row['rate']:>10,.0f}{row['spread']:>7.0%} {row['p50']:>8.2f}"
              f"{row['p99']:>9.2f}{row['p999']:>9.2f}{row['of_evhttp']:>11.2f}")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--smoke", action="store_true")
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--seconds", type=int, default=8)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    bench = Bench(1 if options.smoke else options.seconds, 1 if options.smoke else options.rounds)
    try:
        bench.start_yardsticks()
        bench.seed()
        bench.measure()
        drained = bench.drain()
        flush = bench.run.sql("SELECT @@innodb_flush_log_at_trx_commit").strip()
        rows = bench.summary()
        print_table(rows)
        print(f"\n{CONNECTIONS} connections; {os.cpu_count()} cores shared by load, server and"
              f" database; innodb_flush_log_at_trx_commit = {flush}")
        print(f"drain, one worker: {drained['deliveries']:,} deliveries in"
              f" {drained['seconds']:.1f} s, {drained['rate']:,.0f} a second")
        if options.json:
            print(json.dumps({"measurements": rows, "drain": drained}))
        bench.run.ctl("rebuild", "--check")
        assert drained["deliveries"] > 0 and flush == "1"
    finally:
        bench.close()


if __name__ == "__main__":
    main()
