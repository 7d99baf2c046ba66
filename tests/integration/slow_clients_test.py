"""Slow clients cost the others nothing: how long a good one waits, with a crowd of them and without.

$PURCHASE_SYNC_SLOW_CLIENTS says how many, 400 unless told. Two fronts are asked in turn, one of which has the crowd, so that
whatever else the machine does slows both.
"""

import os
import socket
import time
import unittest

from mariadb import MariaDB
from programs import Deployment, wait_for
from slow_clients import SlowClients

SLOW = int(os.environ.get("PURCHASE_SYNC_SLOW_CLIENTS", "400"))
TEAM = "3458764514838398336"
ASKS = 500  # of each front in a round
ROUNDS = 6  # of which one must be undisturbed
TIMES = 3
TIMEOUT = 4


class Asker:
    """A good client, on a connection that it keeps."""

    def __init__(self, shop):
        self.request = (f"GET /v1/entitlements HTTP/1.1\r\nHost: x\r\n"
                        f"Authorization: {shop.bearer('42', TEAM)['Authorization']}\r\n\r\n").encode()
        self.socket = socket.create_connection(("127.0.0.1", shop.port), timeout=60)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def ask(self):
        """Seconds until the answer was there."""
        begun = time.perf_counter()
        self.socket.sendall(self.request)
        answer = b""
        while not answer.endswith(b"}"):
            piece = self.socket.recv(65536)
            assert piece, answer
            answer += piece
        assert answer.startswith(b"HTTP/1.1 200 "), answer
        return time.perf_counter() - begun


def percentile(times, share):
    return sorted(times)[int(len(times) * share)]


class SlowClientsTest(unittest.TestCase):
    def start(self):
        shop = Deployment(self.server, {"server": {"request_timeout": TIMEOUT,
                                                   "idle_timeout": TIMEOUT}})
        self.addCleanup(shop.close)
        shop.migrate()
        shop.start_webhook()
        return shop

    def round(self, crowded, quiet):
        """How many times as long the crowd's front takes, at the 99th percentile."""
        times = {crowded: [], quiet: []}
        for _ in range(ASKS):
            for asker in (crowded, quiet):
                times[asker].append(asker.ask())
        figures = [percentile(times[asker], 0.99) for asker in (crowded, quiet)]
        print(f"p99 {figures[0] * 1000:.2f} ms with {SLOW} slow clients, {figures[1] * 1000:.2f} ms without")
        return figures[0] / figures[1]

    def test_a_crowd(self):
        self.server = MariaDB()
        self.addCleanup(self.server.close)
        shop, other = self.start(), self.start()
        connections = lambda: shop.metric("purchase_http_connections", listener="public")  # noqa: E731
        with SlowClients(shop.port, SLOW) as crowd:
            crowded, quiet = Asker(shop), Asker(other)
            ratios = []
            while len(ratios) < ROUNDS and (not ratios or min(ratios) > TIMES):
                ratios.append(self.round(crowded, quiet))
                self.assertGreater(connections(), SLOW / 2)
            self.assertLessEqual(min(ratios), TIMES, ratios)
            crowded.socket.close()
            quiet.socket.close()
            crowd.stop()
            # Nobody's slowness lasts: every one of them is ended by a deadline.
            ended = crowd.ended(60)
        self.assertGreaterEqual(sum(ended.values()), SLOW)
        wait_for(lambda: connections() == 0, 60, "the last connection's end")
        late = shop.metric("purchase_http_refused_total", status="408")
        self.assertGreaterEqual(late, ended["head"])


if __name__ == "__main__":
    unittest.main()
