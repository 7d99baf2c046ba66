"""Checks and deliveries: who is measured, over how many connections, in a closed and in an open loop."""

import json
import subprocess

from fronts import Front, Yardsticks, start_peer
from mariadb import USER
from peer import check_answers, check_deliveries, make_inbox
from programs import Deployment, program_path
from rounds import Measurement, note

import buyers

USUAL = 64            # connections
MORE = (1, 256)       # beside the usual
OPEN_CONNECTIONS = 256
SEALED_BYTES = buyers.ORDER_BYTES + 50  # envelope and all
CHECKERS = (("cached", "checks, cache on"), ("uncached", "checks, cache off"), ("peer", "checks, peer"))
DELIVERERS = (("ours", "durable deliveries"), ("peer", "durable deliveries, peer"))


class Stage:
    """One deployment with its buyers; on it our front with and without its cache, the peer's, and the yardsticks."""

    def __init__(self, server, ports, users):
        self.server = server
        self.run = Deployment(server)
        self.alone = Deployment(server)  # a database of its own for the INSERT that is measured alone
        try:
            self._start(ports, users)
        except BaseException:
            self.close()
            raise

    def _start(self, ports, users):
        note(f"seeding {users:,} buyers, comparing the peer's answers with ours …")
        buyers.prepared(self.run)
        make_inbox(self.alone)
        self.peer = start_peer(self.run, ports)
        check_deliveries(self.run, self.peer)
        self.buyers = buyers.Buyers(self.run, users)
        self.buyers.settle()
        self.loads = self.buyers.loads
        check_answers(self.run, self.peer, users)
        self.uncached = Front(self.run, ports, "uncached", answer_cache="false")
        self.yardsticks = Yardsticks(self.run, ports)
        self.check_ports = {"cached": self.run.port, "uncached": self.uncached.port, "peer": self.peer.port}
        self.deliver_ports = {"ours": self.run.port, "peer": self.peer.port}

    def deliver(self, who, connections, seconds, rate=None):
        self.buyers.empty_inbox()
        return self.loads.deliver(self.deliver_ports[who], connections, seconds, rate=rate)

    def insert(self, seconds):
        """One INSERT with commit at a time, alone."""
        self.alone.sql("TRUNCATE TABLE peer_delivery")
        done = subprocess.run([program_path("bench_insert"), self.server.socket, self.alone.database, USER,
                               self.alone.path("db.password"), str(seconds), str(SEALED_BYTES)],
                              capture_output=True, text=True, check=False)
        if done.returncode != 0:
            raise RuntimeError(f"insert: {done.stderr}")
        result = json.loads(done.stdout)
        return {**result, "rate": result["requests"] / result["seconds"]}

    def close(self):
        self.run.close()
        self.alone.close()

    # Measurements

    def constants(self):
        for name, label in (("nginx", "constant: nginx, one worker"), ("evhttp", "constant: evhttp"),
                            ("ours", "constant: our server")):
            port = getattr(self.yardsticks, name)
            if port:
                yield Measurement(f"constant.{name}", label,
                                  lambda seconds, port=port: self.loads.get(port, USUAL, seconds))

    def checks(self, connections=USUAL):
        for who, label in CHECKERS:
            port = self.check_ports[who]
            yield Measurement(f"check.{who}.{connections}", f"{label}, {connections} connections",
                              lambda seconds, port=port: self.loads.check(port, connections, seconds))

    def deliveries(self, connections=USUAL):
        for who, label in DELIVERERS:
            yield Measurement(f"deliver.{who}.{connections}", f"{label}, {connections} connections",
                              lambda seconds, who=who: self.deliver(who, connections, seconds))

    def single_insert(self):
        return Measurement("insert", "one INSERT with commit, alone", self.insert)

    def open_loops(self, results):
        """At half of the peak that the closed loop found in this run."""
        for who, label in CHECKERS:
            rate = results.median(f"check.{who}.{USUAL}") / 2
            port = self.check_ports[who]
            yield Measurement(f"open.check.{who}", f"{label}, open loop at half of peak",
                              lambda seconds, port=port, rate=rate:
                              self.loads.check(port, OPEN_CONNECTIONS, seconds, rate=rate))
        for who, label in DELIVERERS:
            rate = results.median(f"deliver.{who}.{USUAL}") / 2
            yield Measurement(f"open.deliver.{who}", f"{label}, open loop at half of peak",
                              lambda seconds, who=who, rate=rate:
                              self.deliver(who, OPEN_CONNECTIONS, seconds, rate=rate))
