"""Fronts on a socket of the service manager's are started anew under load, and no request is lost."""

import http.client
import itertools
import json
import select
import threading
import unittest

from manager import Listener
from mariadb import MariaDB
from processes import Program
from programs import SOURCE, Deployment, program_path, wait_for
from scratch import Ports
from signing import sign_woocommerce

DEADLINE = 60
RESTARTS = 4
BETWEEN = 40  # answers that each client is given between two restarts


class Shop(threading.Thread):
    """Sends one signed delivery after the other, and never a second time: what fails is a failure. With `keep` on one
    connection, for as long as that is not closed."""

    def __init__(self, site, numbers, keep):
        super().__init__(daemon=True)
        self._site = site
        self._secret = site.secret(SOURCE)
        self._numbers = numbers
        self._keep = keep
        self._connection = None
        self.stopping = threading.Event()
        self.acknowledged = []
        self.failures = []

    def connection(self):
        """A kept one that the front has closed meanwhile is no use, as every client finds out before it sends."""
        kept = self._connection
        if kept and kept.sock and not select.select([kept.sock], [], [], 0)[0]:
            return kept
        if kept:
            kept.close()
        self._connection = http.client.HTTPConnection("127.0.0.1", self._site.port, timeout=DEADLINE)
        return self._connection

    def deliver(self, number):
        body = json.dumps({"id": number, "status": "pending"}).encode()
        connection = self.connection()
        connection.request("POST", f"/webhooks/{SOURCE}", body, sign_woocommerce(body, self._secret))
        answer = connection.getresponse()
        text = answer.read()
        if answer.status != 200:
            raise ValueError(f"{answer.status} {text}")
        if not self._keep:
            connection.close()

    def run(self):
        while not self.stopping.is_set():
            number = next(self._numbers)
            try:
                self.deliver(number)
                self.acknowledged.append(number)
            except (OSError, http.client.HTTPException, ValueError) as error:
                self.failures.append(f"{number}: {error!r}")
                return
        if self._connection:
            self._connection.close()


class Handover(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.server = MariaDB()
        cls.addClassCleanup(cls.server.close)

    def setUp(self):
        self.site = self.enterContext(Deployment(self.server))
        self.site.migrate()
        self.listener = Listener(self.site.port)
        self.addCleanup(self.listener.close)
        self.ports = Ports()
        self.addCleanup(self.ports.close)
        self.started = 0

    def start(self):
        """An instance, as the template unit starts it."""
        self.started += 1
        internal = self.ports.take()
        command = [program_path("purchase-webhook"), "--config", self.site.config, "--internal-listen",
                   f"127.0.0.1:{internal}"]
        front = Program(f"front-{self.started}", self.listener.handing(command), self.site.folder,
                        self.site.environment(), self.listener.fds())
        self.site.programs.append(front)
        return front, internal

    def ready(self, front, port):
        def answers():
            front.must_live()
            try:
                return self.site.request("GET", "/readyz", port=port)[0] == 200
            except OSError:
                return False
        wait_for(answers, DEADLINE, "/readyz")

    def load(self):
        numbers = itertools.count(1)
        shops = [Shop(self.site, numbers, keep) for keep in (True, True, True, False, False)]
        for shop in shops:
            shop.start()
        return shops

    def more(self, shops):
        """Until each has had some more answers."""
        wanted = [len(shop.acknowledged) + BETWEEN for shop in shops]
        wait_for(lambda: any(shop.failures for shop in shops) or
                 all(len(shop.acknowledged) >= least for shop, least in zip(shops, wanted)), DEADLINE, "answers")

    def check(self, shops):
        for shop in shops:
            shop.stopping.set()
        for shop in shops:
            shop.join(DEADLINE)
            self.assertFalse(shop.is_alive())
        self.assertEqual([failure for shop in shops for failure in shop.failures], [])
        acknowledged = sum(len(shop.acknowledged) for shop in shops)
        self.assertGreaterEqual(acknowledged, RESTARTS * BETWEEN * len(shops))
        self.assertEqual(self.site.sql("SELECT COUNT(*) FROM delivery"), f"{acknowledged}\n")

    def test_one_front_after_the_other(self):
        """Between two of them nobody accepts, and who connects then waits for the next."""
        self.ready(*(front := self.start()))
        shops = self.load()
        for _ in range(RESTARTS):
            self.more(shops)
            self.site.stop_program(front[0])
            front = self.start()
        self.more(shops)
        self.check(shops)

    def test_two_fronts_in_turn(self):
        fronts = [self.start(), self.start()]
        for front in fronts:
            self.ready(*front)
        shops = self.load()
        for _ in range(RESTARTS):
            self.more(shops)
            self.site.stop_program(fronts.pop(0)[0])
            fronts.append(self.start())
            self.ready(*fronts[-1])
        self.check(shops)


if __name__ == "__main__":
    unittest.main()
