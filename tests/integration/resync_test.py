"""`purchase-worker resync` against the stand-in WooCommerce shop: what it reads, when it refuses, how it goes on."""

import base64
import json
import unittest

from mariadb import MariaDB
from programs import SOURCE, Deployment, wait_for

CATALOGUE = {"entitlements": {"icons-pro": {}, "extra-boards": {}},
             "products": [{"source": SOURCE, "product": "10", "grants": ["icons-pro"]},
                          {"source": SOURCE, "product": "11", "grants": ["extra-boards"]}]}
FIRST_USER = 3458764514838390000


class ResyncTest(unittest.TestCase):

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
        self.buyers = 0

    # The shop

    def knob(self, path, **body):
        headers = {"Content-Type": "application/json"}
        status, _, value = self.run_.request_json("POST", f"/sandbox/api/{path}", json.dumps(body),
                                                  headers, self.run_.sandbox_port)
        self.assertIn(status, (200, 201), value)
        return value

    def lose_webhooks(self):
        self.knob("faults", drop=1_000_000)

    def user(self, number):
        return str(FIRST_USER + number)

    def buy(self, product=10, number=None):
        """One more buyer, linked; returns the order's id."""
        if number is None:
            self.buyers += 1
            number = self.buyers
            self.run_.ctl("link", self.user(number), "-", "--why", "the test's buyer",
                          stdin=f"buyer{number}@example.test\n")
        order = self.knob("orders", email=f"buyer{number}@example.test",
                          items=[{"product": product, "quantity": 1}], pay=True)
        return order["id"]

    # The resync

    def resync(self, *options, expected=0):
        return self.run_.run("purchase-worker", "resync", *options, expected=expected)

    def sql(self, text):
        return self.run_.sql(text).strip()

    def changes(self, done):
        return [line for line in done.stdout.splitlines() if " -> " in line]

    def keys(self, number):
        return self.run_.keys(self.user(number))

    def entitled(self, count):
        return [number for number in range(1, count + 1) if self.keys(number)]

    # What it does

    def test_first_run_reads_every_order_and_the_second_changes_nothing(self):
        self.lose_webhooks()
        for _ in range(4):
            self.buy()
        first = self.resync()
        self.assertEqual(len(self.changes(first)), 4, first.stdout)
        self.assertIn("all orders", first.stdout)
        self.assertEqual(self.entitled(4), [1, 2, 3, 4])
        second = self.resync()
        self.assertEqual(self.changes(second), [], second.stdout)
        self.assertNotIn("all orders", second.stdout)
        self.assertEqual(self.changes(self.resync("--full")), [])

    def test_lost_webhooks_are_made_good_by_what_changed(self):
        self.resync()
        self.lose_webhooks()
        order, other = self.buy(), self.buy(11)
        self.assertEqual(len(self.changes(self.resync())), 2)
        self.knob(f"orders/{order}/refund", all=True)
        self.knob(f"orders/{other}/trash")
        changed = self.changes(self.resync("--max-revoke", "100"))
        self.assertEqual(len(changed), 2, changed)
        self.assertEqual(self.entitled(2), [])
        self.knob(f"orders/{other}/restore")
        self.resync()
        self.run_.start_worker()  # the trash and the way back may lie in one second: it asks again
        wait_for(lambda: self.keys(2) == ["extra-boards"], 20, "the restored order")

    def test_an_order_deleted_for_good_is_found_by_a_full_run(self):
        self.lose_webhooks()
        order = self.buy()
        self.buy()
        self.resync()
        self.knob(f"orders/{order}/delete")
        self.resync()
        self.assertEqual(self.entitled(2), [1, 2])  # no list of changes tells of it
        self.resync("--full")
        self.assertEqual(self.entitled(2), [2])

    def test_a_dry_run_tells_and_changes_nothing(self):
        self.lose_webhooks()
        self.buy()
        told = self.resync("--dry-run")
        self.assertEqual(len(self.changes(told)), 1)
        self.assertIn("1 change to come", told.stdout)
        self.assertEqual(self.entitled(1), [])
        self.assertEqual(self.sql("SELECT COUNT(*) FROM resync_staged"), "0")
        self.assertEqual(len(self.changes(self.resync())), 1)

    def test_each_change_has_its_audit_row(self):
        self.lose_webhooks()
        order = self.buy()
        self.resync()
        rows = self.sql("SELECT cause, order_id, action FROM audit WHERE cause = 'resync'")
        self.assertEqual(rows.split(), ["resync", str(order), "granted"])
        run = self.sql("SELECT LOWER(HEX(run_id)) FROM resync_run WHERE state = 'done'")
        self.assertEqual(self.sql("SELECT cause_id FROM audit WHERE cause = 'resync'"), run)

    # When it refuses

    def test_a_shop_that_tells_everything_refunded_locks_nobody(self):
        self.lose_webhooks()
        orders = [self.buy() for _ in range(3)]
        self.resync()
        before = self.sql("SELECT watermark FROM resync_source")
        for order in orders:
            self.knob(f"orders/{order}/refund", all=True)
        refused = self.resync(expected=1)
        self.assertIn("3 of 3 entitled buyers would lose a key", refused.stderr)
        self.assertEqual(self.changes(refused), [])
        self.assertEqual(self.entitled(3), [1, 2, 3])
        self.assertEqual(self.sql("SELECT watermark FROM resync_source"), before)
        self.assertEqual(self.sql("SELECT COUNT(*) FROM resync_staged"), "0")
        self.assertEqual(len(self.changes(self.resync("--max-revoke", "100"))), 3)
        self.assertEqual(self.entitled(3), [])

    def test_a_shop_whose_api_goes_mad_locks_nobody(self):
        self.lose_webhooks()
        for _ in range(3):
            self.buy()
        self.resync()
        for mode in ("empty", "html", "refunded", "gone"):
            for options in ([], ["--full"]):
                with self.subTest(f"{mode} {options}"):
                    self.knob("faults", api_mode=mode)
                    self.resync(*options, expected=None)
                    self.assertEqual(self.entitled(3), [1, 2, 3])
        self.knob("faults", api_mode="truth")
        self.resync("--full")
        self.assertEqual(self.entitled(3), [1, 2, 3])

    def test_one_buyer_alone_may_lose_a_key(self):
        self.lose_webhooks()
        order = self.buy()
        self.resync()
        self.knob(f"orders/{order}/refund", all=True)
        self.assertEqual(len(self.changes(self.resync())), 1)
        self.assertEqual(self.entitled(1), [])

    def test_buyers_with_two_orders_of_one_key_are_seen_to_lose_it(self):
        self.lose_webhooks()
        orders = []
        for number in range(1, 4):
            orders += [self.buy(), self.buy(number=number)]
        self.resync()
        for order in orders[::2]:
            self.knob(f"orders/{order}/refund", all=True)
        self.assertEqual(len(self.changes(self.resync())), 3)  # they keep it by the other order
        for order in orders[1::2]:
            self.knob(f"orders/{order}/refund", all=True)
        self.resync(expected=1)
        self.assertEqual(self.entitled(3), [1, 2, 3])

    def test_a_page_of_html_locks_nobody_and_the_next_run_goes_on(self):
        self.lose_webhooks()
        self.buy()
        self.resync()
        self.buy()
        self.knob("faults", shop_calls=1_000, shop_status=200)
        failed = self.resync(expected=1)
        self.assertIn("the next resync goes on from here", failed.stderr)
        self.assertEqual(self.entitled(2), [1])
        self.knob("faults", shop_calls=0)
        done = self.resync()
        self.assertIn("goes on with a resync that did not end", done.stdout)
        self.assertEqual(self.entitled(2), [1, 2])

    def test_a_shop_that_answers_429_and_503_now_and_then_is_read_all_the_same(self):
        self.lose_webhooks()
        self.buy()
        self.knob("faults", shop_calls=2, shop_status=503)
        self.resync()
        self.assertEqual(self.entitled(1), [1])

    def test_a_wrong_key_is_told_and_makes_the_source_unhealthy(self):
        self.lose_webhooks()
        self.buy()
        self.resync()
        self.knob("faults", shop_calls=1_000, shop_status=401)
        self.resync(expected=1)
        self.expect_healthy(0)
        self.knob("faults", shop_calls=0)
        self.resync()
        self.expect_healthy(1)

    # The shop's webhook

    def expect_healthy(self, expected):
        """The front reads the database's figures every few seconds."""
        wait_for(lambda: self.run_.metric("purchase_source_healthy", source=SOURCE) == expected, 30,
                 f"purchase_source_healthy {expected}")

    def set_webhooks(self, status):
        """As the shop's own settings page does."""
        key = {"Authorization": "Basic " + base64.b64encode(b"ck_1:cs_1").decode(),
               "Content-Type": "application/json"}
        port = self.run_.sandbox_port
        hooks = self.run_.request_json("GET", "/wp-json/wc/v3/webhooks", headers=key, port=port)[2]
        for hook in hooks:
            answer, _, value = self.run_.request_json(
                "PUT", f"/wp-json/wc/v3/webhooks/{hook['id']}", json.dumps({"status": status}),
                key, port)
            self.assertEqual((answer, value["status"]), (200, status))

    def test_a_webhook_that_the_shop_disabled_is_told(self):
        self.set_webhooks("disabled")
        told = self.resync()
        self.assertIn("webhook is disabled", told.stdout)
        self.expect_healthy(0)
        self.set_webhooks("active")
        self.resync()
        self.expect_healthy(1)

    def test_orders_without_an_address_are_counted(self):
        self.lose_webhooks()
        order = self.buy()
        self.knob(f"orders/{order}/email", email="")
        told = self.resync()
        self.assertIn("1 paid orders tell no address", told.stdout)

    # One at a time

    def test_a_second_resync_leaves_the_first_alone(self):
        self.resync()
        self.run_.sql("UPDATE resync_source SET lease_owner = 'elsewhere:1:0',"
                      " lease_until = (UNIX_TIMESTAMP() + 60) * 1000000")
        told = self.resync()
        self.assertIn("another resync is at it (elsewhere:1:0)", told.stdout)
        self.run_.sql("UPDATE resync_source SET lease_until = 1")
        self.assertNotIn("another resync", self.resync().stdout)

    def test_bad_usage(self):
        for options in (["--since", "tomorrow"], ["--since", "2999-01-01"], ["--max-revoke", "101"],
                        ["--max-revoke", "x"], ["--full", "--since", "7d"], ["--source", "nobody"],
                        ["--once"]):
            self.resync(*options, expected=2)


if __name__ == "__main__":
    unittest.main()
