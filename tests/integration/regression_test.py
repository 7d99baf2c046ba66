"""Faults that were found once, each by its name, in whole deployments."""

import json
import unittest
from datetime import datetime, timedelta, timezone
from email.utils import format_datetime

from fake_shop import Answer, FakeShop, Sequence
from mariadb import MariaDB
from programs import SOURCE, Deployment, new_standard_secret, wait_for

USER = "3458764514838398337"
BUYER = "buyer@example.test"
ORDER = "/wp-json/wc/v3/orders/12"


def text(when):
    return when.strftime("%Y-%m-%dT%H:%M:%S")


def order(modified, status="processing", refunds=()):
    """An order of a shop: three add-ons of one line."""
    return {"id": 12, "status": status, "total": "30.00", "billing": {"email": BUYER},
            "date_modified_gmt": text(modified), "date_paid_gmt": text(modified), "meta_data": [],
            "line_items": [{"id": 2, "product_id": 11, "variation_id": 0, "sku": "ADD-1",
                            "quantity": 3}],
            "refunds": [{"id": number, "total": "-20.00"} for number in refunds]}


REFUND = {"id": 13, "amount": "20.00", "date_created_gmt": "2026-01-05T10:00:02",
          "line_items": [{"id": 3, "quantity": -2,
                          "meta_data": [{"key": "_refunded_item_id", "value": "2"}]}]}


class Regressions(unittest.TestCase):
    """A WooCommerce shop with an API that each test words."""

    @classmethod
    def setUpClass(cls):
        cls.server = MariaDB()
        cls.addClassCleanup(cls.server.close)

    def setUp(self):
        self.shop = FakeShop()
        self.addCleanup(self.shop.close)
        self.run_ = Deployment(self.server, {f"source {SOURCE}": {
            "api_url": self.shop.url, "api_key_file": "shop.key"}}, {"shop.key": "ck_1:cs_1\n"})
        self.addCleanup(self.run_.close)
        self.run_.migrate()
        self.run_.apply_catalogue({
            "entitlements": {"boards": {"name": "Boards"}},
            "products": [{"source": SOURCE, "product": "11", "grants": ["boards"]}]})
        self.run_.ctl("link", USER, "-", "--why", "the buyer", stdin=BUYER + "\n")
        self.run_.start_webhook()

    def live(self):
        return {item["key"]: item["quantity"]
                for item in self.run_.entitlements(USER)["entitlements"]}

    def test_refund_lines_that_could_not_be_read_are_asked_for_again(self):
        """A 503 on the refunds endpoint, or a list that lacks the refund, must not lose it for good."""
        begin = datetime(2026, 1, 5, 10, 0, 0)
        self.shop.order(order(begin, refunds=[13]))
        self.shop.answers[ORDER + "/refunds"] = Sequence(Answer({}, 503), [], [REFUND])
        self.run_.deliver_woocommerce(order(begin, refunds=[13]))
        self.run_.start_worker()
        wait_for(lambda: self.live() == {"boards": 1}, 60, "the refund's lines to be told")
        self.assertGreaterEqual(len(self.shop.asked(ORDER + "/refunds")), 3)

    def test_a_shop_whose_clock_is_ahead_does_not_outrun_later_deliveries(self):
        """Times from the API are cut at receipt + 5 minutes like delivered ones."""
        ahead = datetime.now(timezone.utc) + timedelta(hours=1)
        paid = order(ahead)
        self.shop.answers[ORDER] = Answer(paid, headers={"Date": format_datetime(ahead, True)})
        self.run_.deliver_woocommerce({"id": 12})
        self.run_.worker_once()
        self.assertEqual(self.live(), {"boards": 3})
        self.shop.answers[ORDER] = Answer({}, 503)
        self.run_.deliver_woocommerce(order(ahead + timedelta(seconds=30), "refunded"))
        self.run_.worker_once()
        self.assertEqual(self.live(), {})

    def test_an_id_reused_with_another_body_is_news(self):
        """Standard Webhooks: what is validly signed is stored; a retry has the same bytes."""
        self.run_.write("standard.secret", new_standard_secret() + "\n")
        self.run_.configure({"source standard-shop": {
            "provider": "standard", "webhook_secret_file": "standard.secret"}})
        webhook = self.run_.programs[0]
        self.run_.stop_program(webhook)
        self.run_.start_webhook()
        first = {"type": "order.updated", "timestamp": "2026-01-05T10:00:00Z",
                 "data": {"id": "A-1", "status": "paid", "email": BUYER, "lines": []}}
        second = json.loads(json.dumps(first).replace("paid", "refunded"))
        for event, expected in ((first, "stored"), (first, "duplicate"), (second, "stored")):
            answer = self.run_.deliver_standard(event, "standard-shop", message_id="msg_1")
            self.assertEqual(answer["status"], expected)

    def audit(self):
        return self.server.rows("SELECT cause_id, action, before_value, after_value, HEX(subject)"
                                " FROM audit WHERE order_id IS NOT NULL ORDER BY id",
                                self.run_.database)

    def test_the_audit_names_the_delivery_that_changed_the_outcome(self):
        """Of several of one order in one batch, not the first, nor one that is stale."""
        begin = datetime(2026, 1, 5, 10, 0, 0)
        for modified, status in ((0, "processing"), (-60, "pending"), (60, "refunded")):
            moment = order(begin + timedelta(seconds=modified), status)
            self.shop.order(moment)
            self.run_.deliver_woocommerce(moment)
            if status == "processing":
                self.run_.worker_once()
        self.run_.deliver_woocommerce(order(begin - timedelta(seconds=30), "on-hold"))
        self.run_.worker_once()
        self.assertEqual([row[:4] for row in self.audit()],
                         [["1", "granted", "NULL", "active x3"],
                          ["3", "changed", "active x3", "refunded x0"]])

    def test_an_address_that_moves_is_told_of_the_loser_and_the_winner(self):
        begin = datetime(2026, 1, 5, 10, 0, 0)
        self.run_.deliver_woocommerce(order(begin))
        self.run_.worker_once()
        moved = order(begin + timedelta(seconds=60))
        moved["billing"]["email"] = "another@example.test"
        self.run_.deliver_woocommerce(moved)
        self.run_.worker_once()
        first, *rest = self.audit()
        loser = first[4]
        told = {row[1]: row[4] for row in rest}
        self.assertEqual(sorted(told), ["dropped", "granted"])
        self.assertEqual(told["dropped"], loser)
        self.assertNotEqual(told["granted"], loser)
        self.assertEqual({row[0] for row in rest}, {"2"})


if __name__ == "__main__":
    unittest.main(verbosity=2)
