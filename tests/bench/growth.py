#!/usr/bin/env python3
"""What size costs: the same checks and deliveries beside 10,000 users and beside 1,000,000 with 3,000,000 orders, in
interleaved rounds, and `rebuild --check` at three sizes.

    growth.py               everything: half an hour, 20 GB of disk
    growth.py --smoke       a few hundred: proves that everything runs, and asserts no time
    growth.py --json        the figures as JSON at the end
    growth.py --part rates|rebuild
    growth.py --pool 512M   of each database server; 2G unless told: what a small host of 4 GB gives it

Each size has a server of its own, and only one of them is under load at a time. Every check reads the database, for
another user than the one before, drawn from the whole population. What a round's deliveries leave is taken away
before the next, and pages that are still to be written are written, so that no measurement pays for another.
"""

import argparse
import json
import os
import random
import statistics
import subprocess
import sys
import time

from mariadb import MariaDB
from peak import watched
from population import FAST, TEAM, Population, woocommerce_order
from programs import SOURCE, Deployment, program_path
from waiting import wait_for

CONNECTIONS = 64
TOKENS = 100000      # users of one round's checks at most
LEAST_RATIO = 0.85   # of the small size's rate, at the large one
MARK = "@@@@@@@@@@"  # where the load generator puts an order's number
FLUSH_DEADLINE = 300
GROWTH_MOST = 1.25   # of rebuild's peak memory, and of its time for an order, from the smallest to the greatest size
SERVER = FAST + ["--innodb-flush-method=O_DIRECT", "--innodb-stats-persistent-sample-pages=100"]


def note(text):
    print(text, file=sys.stderr, flush=True)


def body_template():
    """The order of the population, with marks for its number."""
    text = json.dumps(woocommerce_order(MARK, "completed", (10,)))
    return text.replace(f'"id": "{MARK}"', f'"id": {MARK}', 1)


class Size:
    """One population with its server and its front."""

    def __init__(self, users, orders, pool):
        self.users = users
        self.orders = orders
        self.server = MariaDB(options=SERVER + [f"--innodb-buffer-pool-size={pool}"], flushes=True)
        self.run = Deployment(self.server, {"server": {"answer_cache": "false"}})
        self.population = Population(self.run, users, orders)
        self.random = random.Random(users)
        self.next = 1
        self.results = {"checks": [], "deliveries": []}

    def close(self):
        self.run.close()
        self.server.close()

    def grow(self):
        began = time.monotonic()
        self.population.grow()
        gigabytes = sum(int(row[0]) for row in self.server.rows(
            "SELECT SUM(data_length + index_length) FROM information_schema.tables"
            f" WHERE table_schema = '{self.run.database}'")) / (1 << 30)
        note(f"{self.users:,} users with {self.orders:,} orders: {gigabytes:.1f} GB in"
             f" {time.monotonic() - began:.0f} s")
        self.run.write("body", body_template())
        self.read_everything()
        self.run.start_webhook()
        note("/metrics takes " + ", then ".join(f"{self.scrape():.3f} s" for _ in range(3)))

    def scrape(self):
        began = time.monotonic()
        status, text = self.run.internal("/metrics")
        assert status == 200, status
        took = time.monotonic() - began
        if "purchase_entitlements_active " not in text:
            note("/metrics had no patience for the database's figures")
        return took

    def read_everything(self):
        """Such a front was not started a minute ago: what fits the pool is in it."""
        for table, keys in (("delivery", ("delivery_once",)), ("link", ("link_user",)), ("miro_token", ("miro_token_user",)),
                            ("contribution", ("contribution_subject", "PRIMARY"))):
            for key in keys:
                self.run.sql(f"SELECT COUNT(*) FROM {table} FORCE INDEX ({key}) WHERE source_id >= 0"
                             if key == "PRIMARY" else f"SELECT COUNT(*) FROM {table} FORCE INDEX ({key})")

    # Between measurements

    def status(self, name):
        return int(self.server.sql(f"SHOW GLOBAL STATUS LIKE '{name}'").split("\t")[1])

    def settle(self):
        """Takes away what was delivered, and waits until the server has written and purged all."""
        self.run.sql("DELETE FROM delivery WHERE state = 'pending'")
        self.server.sql("SET GLOBAL innodb_max_dirty_pages_pct = 0; SET GLOBAL innodb_max_dirty_pages_pct_lwm = 0")
        wait_for(lambda: self.status("Innodb_history_list_length") < 100 and
                 self.status("Innodb_buffer_pool_pages_dirty") < 200, FLUSH_DEADLINE, "the server's rest", every=0.2)
        self.server.sql("SET GLOBAL innodb_max_dirty_pages_pct = 90")

    # Measurements

    def cpu(self):
        """Seconds of processor time that server and front have had: what is left to compare while others work too."""
        total = 0
        for pid in (self.server.process.pid, self.run.programs[-1].process.pid):
            with open(f"/proc/{pid}/stat", encoding="ascii") as stat:
                total += sum(map(int, stat.read().rpartition(")")[2].split()[11:13]))
        return total / os.sysconf("SC_CLK_TCK")

    def load(self, kind, seconds, *arguments):
        read, cpu = self.status("Innodb_buffer_pool_reads"), self.cpu()
        done = subprocess.run([program_path("bench_load"), kind, str(self.run.port), str(CONNECTIONS), str(seconds),
                               *arguments], capture_output=True, text=True, check=False)
        if done.returncode != 0:
            raise RuntimeError(f"load {kind}: {done.stdout}{done.stderr}")
        result = json.loads(done.stdout)
        result["rate"] = result["requests"] / result["seconds"]
        result["cpu"] = (self.cpu() - cpu) / result["requests"] * 1e6
        result["misses"] = (self.status("Innodb_buffer_pool_reads") - read) / result["requests"]
        return result

    def checks(self, seconds):
        users = self.random.sample(range(self.users), min(TOKENS, self.users))
        tokens = self.run.write("tokens", "".join(self.run.token(self.population.user(user), TEAM) + "\n"
                                                  for user in users))
        self.load("check", max(1, seconds // 3), tokens)
        return self.load("check", seconds, tokens)

    def deliveries(self, seconds):
        result = self.load("deliver", seconds, SOURCE, self.run.path(f"{SOURCE}.secret"), self.run.path("body"),
                           str(self.next))
        self.next += result["requests"] + CONNECTIONS
        return result

    def measure(self, name, seconds):
        self.settle()
        self.results[name].append(getattr(self, name)(seconds))


def summary(sizes):
    """A row for each kind and size."""
    rows = []
    for name in ("checks", "deliveries"):
        for size in sizes:
            results = size.results[name]
            rates = [result["rate"] for result in results]
            rows.append({"name": name, "users": size.users, "orders": size.orders, "rate": statistics.median(rates),
                         "spread": (max(rates) - min(rates)) / statistics.median(rates),
                         **{key: statistics.median(result[key] for result in results) / 1000
                            for key in ("p50", "p99", "p999")},
                         "cpu": statistics.median(result["cpu"] for result in results),
                         "misses": statistics.median(result["misses"] for result in results),
                         # Of each round, so that what slows the machine for a while slows both.
                         "ratio": statistics.median(result["rate"] / least["rate"] for result, least in
                                                    zip(results, sizes[0].results[name]))})
    return rows


def measure_rates(sizes, pool, seconds, rounds):
    sizes = [Size(users, orders, pool) for users, orders in sizes]
    try:
        for size in sizes:
            size.grow()
            assert size.run.keys(size.population.user(size.users - 1)), "a user of the population has what was bought"
        for number in range(rounds):
            for name in ("checks", "deliveries"):
                for size in sizes:
                    note(f"round {number + 1} of {rounds}: {name} at {size.users:,} users …")
                    size.measure(name, seconds)
        for size in sizes:
            size.settle()
        return summary(sizes)
    finally:
        for size in sizes:
            size.run.migrated = False  # the small part proves that all of it is consistent
            size.close()


def measure_rebuild(counts, pool):
    rows = []
    with MariaDB(options=SERVER + [f"--innodb-buffer-pool-size={pool}"], flushes=True) as server:
        for orders in counts:
            with Deployment(server) as run:
                Population(run, max(1, orders // 3), orders, without=("delivery", "audit")).grow()
                took, peak, _ = watched(run, "purchasectl", "rebuild", "--check")  # which must find no drift
                note(f"rebuild --check of {orders:,} orders: {took:.1f} s, {peak:,} kB")
                rows.append({"orders": orders, "seconds": took, "us_an_order": took / orders * 1e6, "peak_kb": peak})
                run.migrated = False
                server.sql(f"DROP DATABASE {run.database}")
    return rows


def show_rates(rows, pool):
    print(f"\n{'':12}{'users':>12}{'orders':>12}{'a second':>10}{'spread':>8}{'p50 ms':>9}{'p99 ms':>9}{'p99.9':>9}"
          f"{'CPU µs':>9}{'misses':>9}{'ratio':>7}")
    for row in rows:
        print(f"{row['name']:12}{row['users']:>12,}{row['orders']:>12,}{row['rate']:>10,.0f}{row['spread']:>8.0%}"
              f"{row['p50']:>9.2f}{row['p99']:>9.2f}{row['p999']:>9.2f}{row['cpu']:>9.0f}{row['misses']:>9.3f}{row['ratio']:>7.2f}")
    print(f"\n{CONNECTIONS} connections; buffer pool {pool} each; for a request: CPU of server and front, and misses, pages"
          " read from disk")


def show_rebuild(rows):
    print(f"\n{'rebuild --check':>15}{'orders':>12}{'seconds':>10}{'µs an order':>14}{'peak':>14}")
    for row in rows:
        print(f"{'':15}{row['orders']:>12,}{row['seconds']:>10.1f}{row['us_an_order']:>14.0f}{row['peak_kb']:>11,} kB")


def complaints(rates, rebuilt):
    """What falls short, in sentences."""
    for row in rates:
        if row["ratio"] < LEAST_RATIO:
            yield f"{row['name']} at {row['users']:,} users: {row['ratio']:.2f} of the rate, wanted {LEAST_RATIO}"
    for key in ("us_an_order", "peak_kb"):
        if rebuilt and rebuilt[-1][key] > GROWTH_MOST * rebuilt[0][key]:
            yield f"rebuild --check: {key} grows from {rebuilt[0][key]:,.0f} to {rebuilt[-1][key]:,.0f}"


def parse():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--smoke", action="store_true")
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--part", choices=("rates", "rebuild"))
    parser.add_argument("--pool", default=None)
    parser.add_argument("--seconds", type=int)
    parser.add_argument("--rounds", type=int)
    parser.add_argument("--sizes", default=None, help="USERS:ORDERS,USERS:ORDERS")
    parser.add_argument("--rebuild-orders", default=None, help="N,N,...")
    options = parser.parse_args()
    usual = (("100:300,1000:3000", "500,3000", "128M", 1, 1) if options.smoke else
             ("10000:30000,1000000:3000000", "10000,100000,1000000", "2G", 8, 5))
    options.sizes = [tuple(map(int, size.split(":"))) for size in (options.sizes or usual[0]).split(",")]
    options.rebuild_orders = [int(count) for count in (options.rebuild_orders or usual[1]).split(",")]
    options.pool = options.pool or usual[2]
    options.seconds = options.seconds or usual[3]
    options.rounds = options.rounds or usual[4]
    return options


def main():
    options = parse()
    rates = [] if options.part == "rebuild" else measure_rates(options.sizes, options.pool, options.seconds,
                                                               options.rounds)
    rebuilt = [] if options.part == "rates" else measure_rebuild(options.rebuild_orders, options.pool)
    if rates:
        show_rates(rates, options.pool)
    if rebuilt:
        show_rebuild(rebuilt)
    if options.json:
        print(json.dumps({"rates": rates, "rebuild": rebuilt}))
    short = [] if options.smoke else list(complaints(rates, rebuilt))
    for sentence in short:
        note(f"falls short: {sentence}")
    return 1 if short else 0


if __name__ == "__main__":
    sys.exit(main())
