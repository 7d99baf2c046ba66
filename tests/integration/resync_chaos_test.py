"""A shop that loses, doubles and shuffles its webhooks: one resync ends in the shop's own truth, whatever happens to it.

PURCHASE_SYNC_ORDERS says how many orders (10,000 unless told), PURCHASE_SYNC_KILLS how often it is killed (20); the truth
is worked out here, from the shop's REST API.
"""

import base64
import json
import os
import random
import subprocess
import time
import unittest

from mariadb import MariaDB
from programs import SOURCE, Deployment, program_path, wait_for

ORDERS = int(os.environ.get("PURCHASE_SYNC_ORDERS", "10000"))
KILLS = int(os.environ.get("PURCHASE_SYNC_KILLS", "20"))
GRANTS = {"10": "icons-pro", "11": "extra-boards"}  # 12 is sold, and grants nothing
CATALOGUE = {"entitlements": {key: {} for key in GRANTS.values()},
             "products": [{"source": SOURCE, "product": product, "grants": [key]}
                          for product, key in GRANTS.items()]}
LINES = ("SELECT CONCAT(c.order_id, '/', c.line_id, '/', c.entitlement_key, '=', c.quantity)"
         " FROM contribution c JOIN source s ON s.id = c.source_id"
         f" WHERE s.name = '{SOURCE}' AND c.state = 'active'")


class ChaosTest(unittest.TestCase):

    @classmethod
    def setUpClass(cls):
        cls.server = MariaDB()
        cls.addClassCleanup(cls.server.close)

    def setUp(self):
        self.run_ = Deployment(self.server, files={f"{SOURCE}.key": "ck_1:cs_1\n"})
        self.addCleanup(self.run_.close)
        self.run_.configure({f"source {SOURCE}": {
            "api_url": f"http://127.0.0.1:{self.run_.sandbox_port}",
            "api_key_file": f"{SOURCE}.key"}})
        self.run_.migrate()
        self.run_.apply_catalogue(CATALOGUE)
        self.run_.start_webhook()
        self.run_.start_sandbox()

    def knob(self, path, **body):
        headers = {"Content-Type": "application/json"}
        status, _, value = self.run_.request_json("POST", f"/sandbox/api/{path}", json.dumps(body),
                                                  headers, self.run_.sandbox_port)
        self.assertIn(status, (200, 201, 202), value)
        return value

    def trade(self, **faults):
        """The orders and what becomes of them, as their webhooks tell it: what comes of those is drained."""
        self.knob("faults", seed=20261123, **faults)
        self.knob("orders/many", source=SOURCE, count=ORDERS, seed=7)
        worker = self.run_.start_worker()
        wait_for(lambda: self.left() == 0, 240, "the shop's trade")
        wait_for(lambda: self.run_.sql("SELECT COUNT(*) FROM delivery WHERE state IN"
                                       " ('pending','leased')").strip() == "0", 240, "the inbox")
        self.run_.stop_program(worker)

    def left(self):
        status, _, value = self.run_.request_json("GET", "/sandbox/api/many",
                                                  port=self.run_.sandbox_port)
        self.assertEqual(status, 200, value)
        return value["left"] + value["open"]

    # The shop's truth

    def shop_get(self, target):
        key = {"Authorization": "Basic " + base64.b64encode(b"ck_1:cs_1").decode()}
        status, headers, value = self.run_.request_json("GET", target, headers=key,
                                                        port=self.run_.sandbox_port)
        self.assertEqual(status, 200, value)
        return headers, value

    def refunded(self, order):
        """{line: quantity given back}"""
        back = {}
        if order["refunds"]:
            for refund in self.shop_get(f"/wp-json/wc/v3/orders/{order['id']}/refunds"
                                        "?per_page=100")[1]:
                for item in refund["line_items"]:
                    line = next(int(meta["value"]) for meta in item["meta_data"]
                                if meta["key"] == "_refunded_item_id")
                    back[line] = back.get(line, 0) - item["quantity"]
        return back

    def truth(self):
        """Every line that grants something now, as LINES writes it."""
        lines, page, pages = set(), 1, 1
        while page <= pages:
            headers, orders = self.shop_get("/wp-json/wc/v3/orders?status=any&per_page=100"
                                            f"&orderby=id&order=asc&page={page}")
            pages, page = int(headers["X-WP-TotalPages"]), page + 1
            for order in orders:
                if order["status"] not in ("processing", "completed"):
                    continue
                back = self.refunded(order)
                for line in order["line_items"]:
                    key = GRANTS.get(str(line["product_id"]))
                    left = line["quantity"] - back.get(line["id"], 0)
                    if key and left > 0:
                        lines.add(f"{order['id']}/{line['id']}/{key}={left}")
        return lines

    def ours(self):
        return set(self.run_.sql(LINES).split())

    def expect_truth(self):
        ours, truth = self.ours(), self.truth()
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
        self.assertNotEqual(self.ours(), self.truth())  # or nothing is proved
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
        self.knob("faults", busy_percent=0, error_percent=0)
        self.expect_truth()
        rows = self.audit_rows()
        self.assertIn(" 0 changes", self.resync("--full").stdout)
        self.assertEqual(self.audit_rows(), rows)

    def test_orders_that_change_between_the_pages_are_not_missed(self):
        self.trade(lose_percent=100)
        self.knob("faults", lose_percent=100, page_under_writes=3)
        self.resync()
        self.knob("faults", page_under_writes=0)
        self.resync()  # what changed since the first began
        self.expect_truth()


if __name__ == "__main__":
    unittest.main()
