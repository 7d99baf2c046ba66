"""A shop that loses, doubles and shuffles its webhooks: one resync ends in the shop's own truth, whatever happens to it.

PURCHASE_SYNC_ORDERS says how many orders (10,000 unless told), PURCHASE_SYNC_KILLS how often it is killed (20); the truth
is worked out here, from the shop's REST API.
"""

import os
import random
import subprocess
import time
import unittest

from many_orders import CATALOGUE, ManyOrders
from mariadb import MariaDB
from programs import Deployment, program_path, wait_for

ORDERS = int(os.environ.get("PURCHASE_SYNC_ORDERS", "10000"))
KILLS = int(os.environ.get("PURCHASE_SYNC_KILLS", "20"))

class ChaosTest(unittest.TestCase):

    @classmethod
    def setUpClass(cls):
        cls.server = MariaDB()
        cls.addClassCleanup(cls.server.close)

    def setUp(self):
        self.run_ = Deployment(self.server)
        self.addCleanup(self.run_.close)
        self.many = ManyOrders(self.run_)
        self.run_.migrate()
        self.run_.apply_catalogue(CATALOGUE)
        self.run_.start_webhook()
        self.run_.start_sandbox()

    def trade(self, **faults):
        """The orders and what becomes of them, as their webhooks tell it: what comes of those is drained."""
        self.many.sell(ORDERS, 7, **faults)
        worker = self.run_.start_worker()
        wait_for(lambda: self.many.left() == 0, 240, "the shop's trade")
        wait_for(lambda: self.run_.sql("SELECT COUNT(*) FROM delivery WHERE state IN"
                                       " ('pending','leased')").strip() == "0", 240, "the inbox")
        self.run_.stop_program(worker)

    def expect_truth(self):
        ours, truth = self.many.ours(), self.many.truth()
        self.assertEqual(len(ours), len(truth))
        self.assertEqual(sorted(ours - truth)[:5], [], "given, and not bought")
        self.assertEqual(sorted(truth - ours)[:5], [], "bought, and not given")

    # The resync

    def resync(self, *options):
        return self.run_.run("purchase-worker", "resync", "--max-revoke", "100", *options)

    def killed_resyncs(self):
        """A resync that is killed at random moments, and goes on each time."""
        chance = random.Random(20261123)
        begun = 0
        for _ in range(KILLS):
            resync = subprocess.Popen(
                [program_path("purchase-worker"), "--config", self.run_.config, "resync",
                 "--max-revoke", "100"],
                cwd=self.run_.folder, env=self.run_.environment(), stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL)
            deadline = time.monotonic() + chance.uniform(0.05, 0.05 + ORDERS / 20000)
            while time.monotonic() < deadline and resync.poll() is None:
                try:
                    resync.wait(max(0.001, deadline - time.monotonic()))
                except subprocess.TimeoutExpired:
                    break
            resync.kill()
            begun += resync.wait() != 0
        return begun

    def audit_rows(self):
        return self.run_.sql("SELECT COUNT(*) FROM audit").strip()

    def test_one_resync_ends_in_the_shops_truth_and_a_second_changes_nothing(self):
        self.trade(lose_percent=30, duplicate_percent=30, reorder=1000)
        self.assertNotEqual(self.many.ours(), self.many.truth())  # or nothing is proved
        first = self.resync()
        self.expect_truth()
        self.assertIn("all orders", first.stdout)
        rows = self.audit_rows()
        second = self.resync("--full")
        self.assertIn(" 0 changes", second.stdout)
        self.assertEqual(self.audit_rows(), rows)

    def test_killed_at_random_moments_it_ends_in_the_same(self):
        self.trade(lose_percent=30, duplicate_percent=30, reorder=1000, busy_percent=3,
                   error_percent=3, retry_after_ms=20)
        self.assertGreater(self.killed_resyncs(), KILLS / 2)
        self.resync()
        self.many.knob("faults", busy_percent=0, error_percent=0)
        self.expect_truth()
        rows = self.audit_rows()
        self.assertIn(" 0 changes", self.resync("--full").stdout)
        self.assertEqual(self.audit_rows(), rows)

    def test_orders_that_change_between_the_pages_are_not_missed(self):
        self.trade(lose_percent=100)
        self.many.knob("faults", lose_percent=100, page_under_writes=3)
        self.resync()
        self.many.knob("faults", page_under_writes=0)
        self.resync()  # what changed since the first began
        self.expect_truth()


if __name__ == "__main__":
    unittest.main()
