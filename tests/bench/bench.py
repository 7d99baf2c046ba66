#!/usr/bin/env python3
"""The benchmark: this program beside the yardsticks of HTTP on this machine and beside the service that a Node
developer would write instead, in one run, in interleaved rounds.

    bench.py                            everything but the growth of data: some twenty minutes
    bench.py --smoke                    under a minute: proves that everything runs, and asserts no time
    bench.py --only checks,drain        some parts: constants checks deliveries connections open drain resync memory
    bench.py --rounds N --seconds N     5 rounds, 5 s a measurement: many short rounds stand a busy machine best
    bench.py --json FILE                the figures and the targets as JSON, too
    bench.py --growth FILE              what `growth.py --json` printed: its targets stand in the table then

Load generator, servers and database share the machine's cores, so only the ratios within one run mean anything. The
database is durable (innodb_flush_log_at_trx_commit = 1), and no answer leaves before its commit. The peer's front is
one process, as ours is, and so is its worker.
"""

import argparse
import json
import os
import sys

import drain
import memory
import resync
from buyers import CATALOGUE
from mariadb import MariaDB
from programs import Deployment
from rounds import Measurement, Results, interleave, note, warm
from scratch import Ports
from stage import MORE, Stage
from targets import targets

SERVER = ["--innodb-buffer-pool-size=1G", "--innodb-log-file-size=512M"]
PARTS = ("constants", "checks", "deliveries", "connections", "open", "drain", "resync", "memory")
FULL = {"rounds": 5, "seconds": 5, "users": 10000, "backlog": 200000, "peer_backlog": 20000, "resync": 10000,
        "kept": memory.CONNECTIONS}
SMOKE = {"rounds": 1, "seconds": 0.4, "users": 1000, "backlog": 1000, "peer_backlog": 300, "resync": 300,
         "kept": 100}


def closed_loops(stage, parts):
    """In the order of one round: what is compared stands side by side."""
    if "constants" in parts:
        yield from stage.constants()
    if {"checks", "connections", "open"} & parts:
        yield from stage.checks()
    if "connections" in parts:
        for connections in MORE:
            yield from stage.checks(connections)
    if {"deliveries", "connections", "open"} & parts:
        yield from stage.deliveries()
    if "connections" in parts:
        for connections in MORE:
            yield from stage.deliveries(connections)
    if "deliveries" in parts and "open" not in parts:
        yield stage.single_insert()


def measure_requests(server, ports, options, results):
    stage = Stage(server, ports, options.users)
    try:
        measurements = list(closed_loops(stage, options.parts))
        warm(measurements, min(1, options.seconds))
        interleave(results, measurements, options.rounds, options.seconds)
        if "open" in options.parts:
            interleave(results, [*stage.open_loops(results), stage.single_insert()], options.rounds, options.seconds)
    finally:
        stage.close()


def measure_resync(server, orders):
    figures = resync.measure(server, orders)
    return {"requests": orders, "rate": figures["first"], "again": figures["second"],
            "peak_kb": max(figures["first_peak"], figures["second_peak"])}


def measure_memory(server, connections):
    with Deployment(server) as run:
        run.migrate()
        run.apply_catalogue(CATALOGUE)
        return memory.measure(run, connections)


def measure(options):
    results, ports = Results(), Ports()
    with MariaDB(options=SERVER, flushes=True) as server:
        results.machine["busy"] = os.getloadavg()[0]
        results.machine["flush"] = int(server.sql("SELECT @@innodb_flush_log_at_trx_commit"))
        assert results.machine["flush"] == 1
        if options.parts - {"drain", "resync", "memory"}:
            measure_requests(server, ports, options, results)
        if "drain" in options.parts:
            interleave(results, drain.measurements(server, ports, options.backlog, options.peer_backlog), 1, 0)
        if "resync" in options.parts:
            again = Measurement("resync", f"resync of {options.resync:,} orders",
                                lambda _: measure_resync(server, options.resync))
            interleave(results, [again], 1, 0)
        if "memory" in options.parts:
            note(f"memory: a front of its own for each state of {options.kept:,} connections …")
            results.memory = measure_memory(server, options.kept)
    ports.close()
    return results


def show(rows):
    print(f"\n{'':56}{'a second':>10}{'spread':>8}{'p50 ms':>9}{'p99 ms':>9}{'p99.9':>9}{'load':>6}")
    for row in rows:
        latencies = "".join(f"{row[figure]:>9.2f}" if figure in row else f"{'':9}"
                            for figure in ("p50", "p99", "p999"))
        load = f"{row['cpu_share']:>6.0%}" if "cpu_share" in row else ""
        print(f"{row['label']:56}{row['rate']:>10,.0f}{row['spread']:>8.0%}{latencies}{load}")


def show_targets(found):
    print(f"\n{'target':64}{'wanted':>16}{'measured':>11}")
    for target in found:
        measured = "not run" if target.measured is None else f"{target.measured:,.2f}{target.unit}"
        verdict = {True: "met", False: "NOT MET", None: ""}[target.met]
        print(f"{target.what:64}{target.wanted():>16}{measured:>11}  {verdict}")


def read_growth(path):
    """The last line of what growth.py printed."""
    if path is None:
        return None
    with open(path, encoding="utf-8") as file:
        return json.loads(file.read().strip().splitlines()[-1])


def parse():
    parser = argparse.ArgumentParser(description=__doc__.split(".")[0])
    parser.add_argument("--smoke", action="store_true")
    parser.add_argument("--only", default=",".join(PARTS), help="parts, with commas")
    parser.add_argument("--rounds", type=int)
    parser.add_argument("--seconds", type=float)
    parser.add_argument("--backlog", type=int, help="deliveries that our worker drains")
    parser.add_argument("--json", metavar="FILE")
    parser.add_argument("--growth", metavar="FILE")
    options = parser.parse_args()
    options.parts = set(options.only.split(","))
    if options.parts - set(PARTS):
        parser.error(f"no such part: {', '.join(options.parts - set(PARTS))}")
    for name, value in (SMOKE if options.smoke else FULL).items():
        if getattr(options, name, None) is None:
            setattr(options, name, value)
    return options


def main():
    options = parse()
    found = read_growth(options.growth)
    results = measure(options)
    rows, aims = list(results.rows()), targets(results, found)
    show(rows)
    print(f"\n{os.cpu_count()} cores shared by load, servers and database; innodb_flush_log_at_trx_commit ="
          f" {results.machine['flush']}; load: of one core\n"
          f"load average before the run: {results.machine['busy']:.1f}")
    show_targets(aims)
    if options.json:
        with open(options.json, "w", encoding="utf-8") as file:
            json.dump({"measurements": rows, "rounds": results.rounds, "machine": results.machine,
                       "memory": results.memory, "growth": found,
                       "targets": [aim.as_json() for aim in aims]}, file, indent=1)
    note("done")
    return 0


if __name__ == "__main__":
    sys.exit(main())
