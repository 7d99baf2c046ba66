"""A backlog and one worker process: ours, and the peer's, each in a database of its own."""

import subprocess
import time

from buyers import Buyers, prepared
from peer import Peer
from programs import Deployment, program_path
from resync import peak_of
from rounds import Measurement

DEADLINE = 3600


def ours(run, _, backlog):
    """A front of ours stores the backlog, and the worker drains it."""
    front = prepared(run)
    Buyers(run, 0).deliver(backlog)
    run.stop_program(front)
    took, peak = worker_once(run)
    return {"seconds": took, "peak_kb": peak}, "delivery"


def the_peers(run, ports, backlog):
    run.stop_program(prepared(run))
    peer = Peer(run, ports.take())
    front = peer.start_front()
    Buyers(run, 0).deliver(backlog, peer.port)
    run.stop_program(front)
    began = time.monotonic()
    peer.drain()
    return {"seconds": time.monotonic() - began}, "peer_delivery"


def worker_once(run):
    """(seconds, peak resident kB) of our worker until nothing is due."""
    began, peak = time.monotonic(), 0
    with open(run.path("worker.err"), "w+", encoding="utf-8") as err:
        process = subprocess.Popen([program_path("purchase-worker"), "--config", run.config, "run", "--once"],
                                   stdout=err, stderr=err, env=run.environment(), cwd=run.folder)
        while process.poll() is None:
            peak = max(peak, peak_of(process.pid) or 0)
            try:
                process.wait(0.02)
            except subprocess.TimeoutExpired:
                if time.monotonic() - began > DEADLINE:
                    process.kill()
        took = time.monotonic() - began
        err.seek(0)
        assert process.returncode == 0, (process.returncode, err.read()[-2000:])
    return took, peak


def drain(server, ports, backlog, work):
    """Drains so many deliveries into an empty database, and looks that all of them were."""
    with Deployment(server) as run:
        figures, inbox = work(run, ports, backlog)
        states = run.server.rows(f"SELECT state, COUNT(*) FROM {inbox} GROUP BY state", run.database)
        granted = int(run.sql("SELECT COUNT(*) FROM contribution WHERE state = 'active'"))
        assert states == [["done", str(backlog)]] and granted == backlog, (states, granted)
        run.migrated = False  # rebuild --check has tests of its own, and its size is not this measurement's
        server.sql(f"DROP DATABASE {run.database}")
    return {**figures, "requests": backlog, "rate": backlog / figures["seconds"]}


def measurements(server, ports, backlog, peer_backlog):
    """The peer's worker before and after ours: its backlog may be smaller, for its rate a second counts."""
    its = Measurement("drain.peer", f"drain of {peer_backlog:,}, peer",
                      lambda _: drain(server, ports, peer_backlog, the_peers))
    mine = Measurement("drain.ours", f"drain of {backlog:,}, one worker",
                       lambda _: drain(server, ports, backlog, ours))
    return [its, mine, its]
