"""Memory that runs out at one allocation, whichever: front and worker end themselves and say so, or answer 503, or do
without, and what was acknowledged is there. They never go on with a pointer to nothing.

PURCHASE_SYNC_ALLOCATIONS says how many allocations of each kind of work are tried (25 unless told; 0: every one).
"""

import json
import os
import random
import signal
import sys
import unittest

from control import Control
from mariadb import MariaDB
from programs import SOURCE, Deployment, wait_for
from signing import sign_woocommerce

TRIED = int(os.environ.get("PURCHASE_SYNC_ALLOCATIONS", "25"))
DEADLINE = 60
RUNS_OUT = 1
BUYER = "3458764514838398337"
EMAIL = "zoe@example.test"
# A library that itself forgets to look at what it was given, and so ends the program as surely: json-c 0.16 does where
# it copies a member's name or makes its buffer, libmariadb 3.3 where it keeps the server's version when it connects.
FORGETS = ("libjson-c", "libmariadb")
CATALOGUE = {"entitlements": {"icons": {}}, "products": [{"source": SOURCE, "product": "10", "grants": ["icons"]}]}


def order(number):
    return json.dumps({
        "id": number, "status": "completed", "billing": {"email": EMAIL}, "total": "1.00",
        "date_modified_gmt": "2026-11-01T10:00:00", "date_paid_gmt": "2026-11-01T10:00:00",
        "line_items": [{"id": 1, "product_id": 10, "quantity": 1, "total": "1.00"}], "refunds": []}).encode()


class MemoryTest(unittest.TestCase):
    def setUp(self):
        self.server = MariaDB()
        self.addCleanup(self.server.close)
        self.run_ = Deployment(self.server)
        self.addCleanup(self.run_.close)
        self.run_.migrate()
        self.run_.apply_catalogue(CATALOGUE)
        self.run_.ctl("link", BUYER, "-", "--why", "the test's buyer", stdin=EMAIL + "\n")
        self.memory = Control("memory", self.run_.folder)
        self.addCleanup(self.memory.close)
        self.orders = 0
        self.ends = {}

    def points(self, count):
        """Which of so many allocations fail, one at a time."""
        if not TRIED or TRIED >= count:
            return range(1, count + 1)
        return sorted(random.Random(count).sample(range(1, count + 1), TRIED))

    def start(self, starter):
        self.run_.surroundings = self.memory.environment
        program = starter()
        self.run_.surroundings = {}
        return program

    def allocations(self, work):
        """How many a piece of work takes, the second time that it is done."""
        work()
        before = self.memory.calls
        work()
        return self.memory.calls - before

    def arm(self, point):
        self.memory.value = point
        self.memory.mode = RUNS_OUT

    def judge(self, program, point):
        """How a program ended that did: by its own decision, with a word on it."""
        code = program.process.wait(DEADLINE)
        text = program.log_text()
        last = text.strip().splitlines()[-1] if text.strip() else ""
        if code == -signal.SIGSEGV:
            last = self.victim(text)
        self.ends.setdefault((code, last), []).append(point)
        self.run_.programs.remove(program)

    @staticmethod
    def victim(text):
        """Who was left without memory, and went on: the first of the trace that is not the C library's."""
        trace = text.rpartition("libfault_memory.so")[2].splitlines()[1:]
        return next((line for line in trace if "libc.so" not in line), text[-2000:])

    def check_ends(self):
        wrong = {(code, last): points for (code, last), points in self.ends.items()
                 if not (code == -signal.SIGABRT and last.startswith("fatal: "))
                 and not (code == -signal.SIGSEGV and any(name in last for name in FORGETS))}
        for (code, last), points in sorted(self.ends.items()):
            print(f"{self.id()}: {len(points)} times {code}: {last[:100]}, at {points[:6]}", file=sys.stderr)
        self.assertEqual(wrong, {}, "ended, and not by their own decision")
        self.assertTrue(self.ends, "memory never ran out")

    def deliver(self):
        """Whether a new order was acknowledged."""
        self.orders += 1
        body = order(self.orders)
        try:
            status, _ = self.run_.deliver(SOURCE, body, sign_woocommerce(body, self.run_.secret(SOURCE)))
        except OSError:
            return False
        self.assertIn(status, (200, 503))
        return status == 200

    def ask(self):
        """
        A token may be refused: json-c and jansson drop what they have no memory for, without a word, and a claim that
        is dropped is missing. The next request is answered.
        """
        for accepted in ((200, 401, 503), (200, 503)):
            try:
                status = self.run_.request("GET", "/v1/entitlements", headers=self.run_.bearer(BUYER, "1"))[0]
            except OSError:
                return
            self.assertIn(status, accepted)
            if status != 401:
                return

    def kept(self):
        return int(self.run_.sql("SELECT COUNT(*) FROM delivery"))

    def try_front(self, work):
        """At each point the work is done once; returns how often it was acknowledged."""
        front = self.start(self.run_.start_webhook)
        acknowledged = 0
        for point in self.points(self.allocations(work)):
            self.arm(point)
            acknowledged += bool(work())
            if self.memory.mode != RUNS_OUT:
                try:
                    front.process.wait(0.05)
                except Exception:  # noqa: BLE001 (it lives)
                    pass
            self.memory.mode = 0
            if not front.alive():
                self.judge(front, point)
                front = self.start(self.run_.start_webhook)
        self.check_ends()
        return acknowledged

    def test_a_front_that_receives(self):
        acknowledged = self.try_front(self.deliver)
        self.assertGreaterEqual(self.kept(), acknowledged)

    def test_a_front_that_is_asked(self):
        self.try_front(self.ask)

    def test_a_worker(self):
        self.run_.start_webhook()
        worker = self.start(self.run_.start_worker)

        def work():
            self.assertTrue(self.deliver())
            wait_for(lambda: not worker.alive() or self.pending() == 0, DEADLINE, "the inbox")

        for point in self.points(self.allocations(work)):
            self.arm(point)
            work()
            self.memory.mode = 0
            if not worker.alive():
                self.judge(worker, point)
                self.run_.sql("UPDATE delivery SET due_at = 0")  # its lease is over at once
                worker = self.start(self.run_.start_worker)
        wait_for(lambda: self.pending() == 0, DEADLINE, "the inbox")
        self.check_ends()
        self.assertEqual(self.kept(), self.orders)

    def pending(self):
        return int(self.run_.sql("SELECT COUNT(*) FROM delivery WHERE state IN ('pending','leased')"))


if __name__ == "__main__":
    unittest.main()
