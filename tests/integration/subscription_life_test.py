"""The life of a subscription, over a Paddle shop: one order under the subscription's id, however often it renews,
told by transactions, subscription events and adjustments that name each other by their own ids.
"""

import hashlib
import hmac
import itertools
import json
import time
import unittest
from datetime import datetime, timedelta, timezone

from fake_shop import FakeServer
from mariadb import MariaDB
from programs import Deployment

USER, BUYER = "3458764514838398337", "zoe@example.test"
SHOP, SECRET = "paddle-shop", "pdl_ntfset_01hs0t3tw21j988db1pam5xg8m_secret"


def text(when):
    return when.strftime("%Y-%m-%dT%H:%M:%S.%fZ")


class SubscriptionLife(unittest.TestCase):
    """Each step is delivered; what the payload lacks is asked of the shop's API."""

    @classmethod
    def setUpClass(cls):
        cls.server = MariaDB()
        cls.addClassCleanup(cls.server.close)

    def setUp(self):
        self.api = FakeServer()
        self.addCleanup(self.api.close)
        self.api.answers["/customers/ctm_1"] = {"data": {"id": "ctm_1", "email": BUYER,
                                                         "updated_at": "2026-01-01T00:00:00Z"}}
        self.run_ = Deployment(self.server, {f"source {SHOP}": {
            "provider": "paddle", "webhook_secret_file": "paddle.secret",
            "api_url": self.api.url, "api_key_file": "paddle.key"}},
            {"paddle.secret": SECRET + "\n", "paddle.key": "pdl_live_apikey_1\n"})
        self.addCleanup(self.run_.close)
        self.run_.migrate()
        self.run_.apply_catalogue({
            "entitlements": {"pro": {"name": "Pro"}},
            "products": [{"source": SHOP, "product": "pri_1", "grants": ["pro"],
                          "grace_days": 7}]})
        self.run_.ctl("link", USER, "-", "--why", "the buyer", stdin=BUYER + "\n")
        self.run_.start_webhook()
        self.now = datetime.now(timezone.utc)
        self.number = 0

    def at(self, days):
        return self.now + timedelta(days=days)

    def event(self, kind, at, data):
        self.number += 1
        return json.dumps({"event_id": f"evt_{self.number:026}", "event_type": kind,
                           "occurred_at": text(at), "notification_id": f"ntf_{self.number}",
                           "data": {"updated_at": text(at), **data}}).encode()

    def send(self, body):
        stamp = str(int(time.time()))
        mac = hmac.new(SECRET.encode(), f"{stamp}:".encode() + body, hashlib.sha256).hexdigest()
        status, answer = self.run_.deliver(SHOP, body, {"Paddle-Signature": f"ts={stamp};h1={mac}"})
        self.assertEqual(status, 200, answer)

    def payment(self, number, at):
        return self.event("transaction.completed", at, {
            "id": f"txn_{number}", "status": "completed", "customer_id": "ctm_1",
            "subscription_id": "sub_1", "origin": "subscription_recurring", "currency_code": "USD",
            "billed_at": text(at), "created_at": text(at),
            "items": [{"price": {"id": "pri_1", "product_id": "pro_1"}, "quantity": 2}],
            "details": {"totals": {"grand_total": "2000", "total": "2000", "currency_code": "USD"},
                        "line_items": [{"id": f"txnitm_{number}", "price_id": "pri_1",
                                        "quantity": 2}]}})

    def state(self, status, at, until=None, kind="updated", **more):
        period = until and {"starts_at": text(at), "ends_at": text(until)}
        return self.event(f"subscription.{kind}", at, {
            "id": "sub_1", "status": status, "customer_id": "ctm_1", "transaction_id": "txn_1",
            "created_at": text(at), "canceled_at": None, "scheduled_change": None,
            "current_billing_period": period, "currency_code": "USD",
            "items": [{"price": {"id": "pri_1", "product_id": "pro_1"}, "quantity": 2,
                       "status": "active"}], **more})

    def refund(self, number, transaction, at, amount="2000"):
        return self.event("adjustment.updated", at, {
            "id": f"adj_{number}", "action": "refund", "status": "approved",
            "transaction_id": transaction, "subscription_id": "sub_1", "customer_id": "ctm_1",
            "currency_code": "USD", "created_at": text(at),
            "totals": {"total": amount, "currency_code": "USD"},
            "items": [{"item_id": "txnitm_1", "type": "full", "amount": amount}]})

    def settle(self):
        self.run_.worker_once()
        self.run_.ctl("rebuild", "--check")

    def live(self):
        return {item["key"]: (item["status"], item["quantity"])
                for item in self.run_.entitlements(USER)["entitlements"]}

    def step(self, name, bodies, expected):
        for body in bodies:
            self.send(body)
        self.settle()
        self.assertEqual(self.live(), expected, name)

    def test_paid_renewed_past_due_cancelled_and_over(self):
        active = {"pro": ("active", 2)}
        self.step("began", [self.state("active", self.at(-40), self.at(-10), "created"),
                            self.payment(1, self.at(-40))], {})
        self.step("renewed", [self.state("active", self.at(-10), self.at(20)),
                              self.payment(2, self.at(-10))], active)
        self.assertEqual(self.run_.sql("SELECT COUNT(DISTINCT order_id) FROM contribution").strip(),
                         "1")
        self.step("past due", [self.state("past_due", self.at(-2), self.at(28),
                                          kind="past_due")], {"pro": ("grace", 2)})
        self.step("paid after all", [self.state("active", self.at(-1), self.at(29))], active)
        self.step("will not renew", [self.state(
            "active", self.at(-0.5), self.at(29),
            scheduled_change={"action": "cancel", "effective_at": text(self.at(29)),
                              "resume_at": None})], active)
        self.step("over", [self.state("canceled", self.at(-0.1), None, "canceled",
                                      canceled_at=text(self.at(-0.1)))], {})
        self.assertEqual(self.run_.entitlement("pro", USER)["reason"], "expired")

    def test_a_refund_of_an_earlier_payment_ends_nothing(self):
        active = {"pro": ("active", 2)}
        self.step("renewed", [self.state("active", self.at(-10), self.at(20)),
                              self.payment(1, self.at(-40)), self.payment(2, self.at(-10))], active)
        self.step("the first one back", [self.refund(1, "txn_1", self.at(-5))], active)
        self.step("a part of the second", [self.refund(2, "txn_2", self.at(-4), "1999")], active)
        self.step("all of the second", [self.refund(3, "txn_2", self.at(-3), "2000")], {})
        self.assertEqual(self.run_.entitlement("pro", USER)["reason"], "refunded")
        self.step("paid again", [self.payment(3, self.at(-1)),
                                 self.state("active", self.at(-1), self.at(29))], active)

    def test_a_renewal_keeps_the_first_payment_s_owner(self):
        """The customer's address changes; whoever has the new one gets nothing."""
        other = "3458764514838398338"
        self.run_.ctl("link", other, "-", "--why", "another person", stdin="new@example.test\n")
        active = {"pro": ("active", 2)}
        self.step("began", [self.state("active", self.at(-40), self.at(20), "created"),
                            self.payment(1, self.at(-40))], active)
        self.api.answers["/customers/ctm_1"]["data"]["email"] = "new@example.test"
        self.step("renewed", [self.payment(2, self.at(-10))], active)
        self.assertEqual(self.run_.entitlements(other)["entitlements"], [])

    def test_a_new_catalogue_is_followed_and_then_there_is_nothing_left_to_do(self):
        """A payment's own id has a row too, which no projection ever writes: it must not be due for ever."""
        self.step("began", [self.state("active", self.at(-40), self.at(20), "created"),
                            self.payment(1, self.at(-40))], {"pro": ("active", 2)})
        self.run_.apply_catalogue({
            "entitlements": {"pro": {"name": "Pro"}, "more": {}},
            "products": [{"source": SHOP, "product": "pri_1", "grants": ["pro", "more"]}]})
        self.step("more of it", [], {"more": ("active", 2), "pro": ("active", 2)})
        self.assertEqual(self.run_.sql("SELECT order_id FROM shop_order WHERE catalogue_version < 2"), "")

    def test_a_refund_under_a_payment_s_own_id_in_any_order(self):
        """The adjustment names the transaction; that it is the subscription's is told by others."""
        bodies = [self.state("active", self.at(-5), self.at(25), "created"),
                  self.payment(1, self.at(-5)), self.refund(1, "txn_1", self.at(-1))]
        ends = set()
        for order in itertools.permutations(bodies):
            self.run_.sql("SET FOREIGN_KEY_CHECKS = 0; " + "".join(
                f"DELETE FROM {table};" for table in (
                    "delivery", "shop_order", "order_snapshot", "order_line", "snapshot_refund",
                    "order_refund", "order_refund_line", "order_dispute", "order_subscription",
                    "order_alias", "contribution", "unmapped_line")))
            for body in order:
                self.send(body)
                self.settle()
            ends.add(self.run_.sql("SELECT order_id, line_id, entitlement_key, state, quantity"
                                   " FROM contribution"))
            self.assertEqual(self.live(), {})
        self.assertEqual(len(ends), 1, ends)


if __name__ == "__main__":
    unittest.main(verbosity=2)
