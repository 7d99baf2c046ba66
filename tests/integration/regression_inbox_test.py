"""Faults that were found once on the inbox's way through the worker, each by its name."""

import re
import subprocess
import threading
import time
import unittest
from contextlib import contextmanager
from datetime import datetime, timedelta, timezone

from fake_shop import Answer, FakeShop
from mariadb import MariaDB, find
from programs import Deployment, new_standard_secret, wait_for

BUYER = "buyer@example.test"
LEASE = 60  # seconds that a lease lasts
ATTEMPTS = 40  # of one delivery, then it is set aside
SUSPECT = 2  # attempts after which it is tried alone
PER_SHOP = 8  # calls of one batch to one shop
BATCH = 64
HELD = 30  # seconds after which a shop that was forgotten answers by itself


def stamp(ago=100):
    return (datetime.now(timezone.utc) - timedelta(seconds=ago)).strftime("%Y-%m-%dT%H:%M:%S")


def order(order_id):
    return {"id": order_id, "status": "processing", "total": "10.00", "billing": {"email": BUYER},
            "date_modified_gmt": stamp(), "date_paid_gmt": stamp(), "meta_data": [],
            "refunds": [], "line_items": [{"id": 1, "product_id": 10, "variation_id": 0,
                                           "sku": "", "quantity": 1}]}


def event(order_id, status="paid", ago=100):
    return {"type": "order.updated", "timestamp": stamp(ago) + "Z",
            "data": {"id": order_id, "status": status, "email": BUYER,
                     "lines": [{"id": "1", "product": "10", "quantity": 1}]}}


class HeldShop(FakeShop):
    """Answers about orders when the test lets it."""

    def __init__(self):
        super().__init__()
        self.gate = threading.Semaphore(0)
        self.seen = None  # called at each request
        for order_id in range(1, BATCH + 1):
            self.answers[f"/wp-json/wc/v3/orders/{order_id}"] = self.held

    def let(self, count=1000):
        """Lets it give that many more answers."""
        self.gate.release(count)

    def held(self, asked):
        if self.seen:
            self.seen()
        self.gate.acquire(timeout=HELD)
        return Answer(order(int(asked.path.rsplit("/", 1)[1])))


class Regressions(unittest.TestCase):
    """Two WooCommerce shops with an API, the first of which holds its answers, and another shop."""

    @classmethod
    def setUpClass(cls):
        cls.server = MariaDB()
        cls.addClassCleanup(cls.server.close)

    def setUp(self):
        self.held, self.quick = HeldShop(), FakeShop()
        self.addCleanup(self.held.close)
        self.addCleanup(self.quick.close)
        files = {"held.key": "ck_1:cs_1\n", "quick.key": "ck_2:cs_2\n",
                 "held.secret": "the held shop's\n", "quick.secret": "the quick shop's\n",
                 "plain.secret": new_standard_secret() + "\n"}
        sources = {
            f"source {name}": {"provider": "woocommerce", "webhook_secret_file": f"{name}.secret",
                               "api_url": shop.url, "api_key_file": f"{name}.key"}
            for name, shop in (("held", self.held), ("quick", self.quick))}
        sources["source plain"] = {"provider": "standard", "webhook_secret_file": "plain.secret"}
        self.run_ = Deployment(self.server, sources, files)
        self.addCleanup(self.run_.close)
        self.addCleanup(self.held.let)
        self.run_.migrate()
        self.run_.apply_catalogue({
            "entitlements": {"icons": {"name": "Icons"}},
            "products": [{"source": name, "product": "10", "grants": ["icons"]}
                         for name in ("held", "quick", "plain")]})
        self.run_.start_webhook()

    def rows(self, text):
        return self.server.rows(text, self.run_.database)

    def number(self, text):
        return int(self.rows(text)[0][0])

    def hint(self, order_id, source="held"):
        self.run_.deliver_woocommerce({"id": order_id}, source)

    def unfinished(self):
        return self.number("SELECT COUNT(*) FROM delivery WHERE state IN ('pending','leased')")

    def applied(self, order_id):
        return self.number(f"SELECT COUNT(*) FROM contribution WHERE order_id = '{order_id}'") > 0

    @contextmanager
    def locked_orders(self):
        """Another connection holds every order's row."""
        client = subprocess.Popen(
            [find("mariadb"), "--no-defaults", f"--socket={self.server.socket}", "--user=root",
             "--unbuffered", "--skip-column-names", self.run_.database],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        try:
            client.stdin.write("BEGIN; SELECT COUNT(*) FROM shop_order FOR UPDATE;\n")
            client.stdin.flush()
            client.stdout.readline()
            yield
        finally:
            client.kill()
            client.communicate()

    def test_leases_are_given_back_when_the_database_was_away(self):
        """A restart in the middle of a batch costs seconds, not the lease."""
        self.run_.deliver_standard(event("L-1", "pending"), "plain")
        self.run_.worker_once()
        with self.locked_orders():
            self.run_.deliver_standard(event("L-1", ago=50), "plain")
            for number in range(5):
                self.run_.deliver_standard(event(f"M-{number}"), "plain")
            self.run_.start_worker()
            wait_for(lambda: self.number("SELECT COUNT(*) FROM delivery WHERE state = 'leased'"),
                     20, "a batch under way")
            self.server.kill()
        self.server.start()
        wait_for(lambda: self.unfinished() == 0, LEASE / 3, "the batch's end")
        self.assertTrue(self.applied("L-1"))

    def test_a_replay_of_what_is_leased_does_not_underflow_its_attempts(self):
        """The replayed one is put off without an attempt, and had none left to give back."""
        for order_id in range(1, PER_SHOP + 3):
            self.hint(order_id)
        worker = self.run_.start_worker()
        wait_for(lambda: len(self.held.requests) == PER_SHOP, 20, "the first calls")
        ids = [row[0] for row in self.rows("SELECT id FROM delivery WHERE state = 'leased'")]
        self.assertEqual(len(ids), PER_SHOP + 2)
        self.run_.ctl("deliveries", "replay", *ids)
        self.held.let()
        wait_for(lambda: self.number("SELECT COUNT(*) FROM contribution") == PER_SHOP + 2, 20,
                 "all orders")
        self.assertLess(self.number("SELECT MAX(attempts) FROM delivery"), SUSPECT + 1)
        self.assertNotIn("statement_failed", worker.log_text())

    def test_what_ends_the_worker_again_and_again_is_set_aside_unread(self):
        self.run_.deliver_standard(event("P-1"), "plain")
        self.run_.sql(f"UPDATE delivery SET attempts = {ATTEMPTS}")
        self.run_.worker_once()
        self.assertEqual(self.rows("SELECT state, reason FROM delivery"),
                         [["set_aside", "retries_exhausted"]])
        self.assertFalse(self.applied("P-1"))

    def test_what_may_have_ended_the_worker_is_tried_alone(self):
        """Each call to the shop sees which deliveries are leased: a suspect, or those that are not."""
        leased = []
        self.held.seen = lambda: leased.append(
            [int(row[0]) for row in self.rows("SELECT attempts FROM delivery"
                                              " WHERE state = 'leased'")])
        for order_id in range(1, 7):
            self.hint(order_id)
        self.run_.sql(f"UPDATE delivery SET attempts = {SUSPECT} WHERE id % 2 = 0")
        self.held.let()
        self.run_.worker_once()
        self.assertEqual(self.unfinished(), 0)
        self.assertTrue(leased)
        for attempts in leased:
            alone = len(attempts) <= 1
            self.assertTrue(alone or max(attempts) <= SUSPECT, leased)

    def test_a_slow_shop_does_not_hold_up_another_shops_purchase(self):
        """Nor does what waits for its turn at the slow shop spend an attempt."""
        for order_id in range(1, BATCH + 1):
            self.hint(order_id)
        self.run_.start_worker()
        wait_for(lambda: len(self.held.requests) == PER_SHOP, 20, "calls to the slow shop")
        begun = time.monotonic()
        self.purchases_pass("first")
        self.assertEqual(self.number("SELECT COUNT(*) FROM delivery WHERE attempts > 0"
                                     " AND state = 'pending'"), 0)
        wait_for(lambda: time.monotonic() > begun + 1.2, 5, "answers that are slow")
        self.held.let(PER_SHOP)
        wait_for(lambda: len(self.held.requests) == 2 * PER_SHOP, 20, "the next calls")
        self.purchases_pass("second")
        self.held.let()
        wait_for(lambda: self.unfinished() == 0, 60, "the slow shop's orders")
        self.assertEqual(len(self.held.requests), BATCH)

    def purchases_pass(self, name):
        """One that says all, and one that must be asked for, each within 3 s."""
        number = 1000 + len(name)
        self.quick.order(order(number))
        self.run_.deliver_standard(event(f"H-{name}"), "plain")
        self.hint(number, "quick")
        wait_for(lambda: self.applied(f"H-{name}"), 3, "a purchase that tells all")
        wait_for(lambda: self.applied(str(number)), 3, "a purchase that is asked for")

    def test_figures_do_not_read_the_inboxes_rows(self):
        """What counts or sorts deliveries reads an index of a few bytes each."""
        self.run_.sql(
            "INSERT INTO delivery (source_id, delivery_key, state, reason, received_at,"
            " last_received_at, due_at, sealed_bytes, body) SELECT 1, UNHEX(SHA2(seq, 256)),"
            " ELT(1 + seq % 3, 'done', 'pending', 'set_aside'),"
            " IF(seq % 3 = 2, 'not_an_order', ''), seq, seq, 4000000000000000 + seq,"
            " 200, REPEAT('x', 200) FROM seq_1_to_6000; ANALYZE TABLE delivery")
        self.server.sql("SET GLOBAL log_output = 'TABLE'; SET GLOBAL general_log = 1")
        self.addCleanup(self.server.sql, "SET GLOBAL general_log = 0; SET GLOBAL log_output = 'FILE'")

        def statements():
            self.run_.internal("/metrics")
            told = self.rows("SELECT DISTINCT CONVERT(argument USING utf8mb4)"
                             " FROM mysql.general_log WHERE command_type = 'Execute'"
                             " AND argument LIKE '%FROM delivery%' AND argument LIKE 'SELECT%'")
            return told if len(told) >= 4 else None

        for statement, in wait_for(statements, 20, "the figures' statements"):
            if "general_log" in statement:
                continue
            for row in self.rows("EXPLAIN " + statement):
                table, access, key, extra = row[2], row[3], row[5], row[9]
                if table in ("delivery", "d") and access not in ("const", "eq_ref"):
                    self.assertTrue(key.startswith("delivery_"), (statement, row))
                    self.assertIn("Using index", re.split("; ?", extra), (statement, row))


if __name__ == "__main__":
    unittest.main(verbosity=2)
