"""A backlog and one worker process: ours, and the peer's, each in a database of its own."""

import time

from buyers import Buyers, prepared
from peak import watched
from peer import Peer
from programs import Deployment
from rounds import Measurement


def ours(run, _, backlog):
    """A front of ours stores the backlog, and the worker drains it."""
    front = prepared(run)
    Buyers(run, 0).deliver(backlog)
    run.stop_program(front)
    took, peak, _ = watched(run, "purchase-worker", "run", "--once")
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
