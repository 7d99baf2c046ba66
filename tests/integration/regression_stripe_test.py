"""A period of a Stripe subscription that was not paid at once: five events tell what became of it. They come in every
order, any one of them is lost, and what is left says the same.
"""

import hashlib
import hmac
import itertools
import json
import time
import unittest

from mariadb import MariaDB
from programs import Deployment

SHOP, SECRET = "stripe-shop", "whsec_of_a_subscription"
DAY, HOUR = 86400, 3600
BUYER, OTHER = "3458764514838398337", "3458764514838398338"


class PastDue(unittest.TestCase):
    """Each order of the events is told of a subscription of its own, all in one batch of deliveries."""

    @classmethod
    def setUpClass(cls):
        cls.server = MariaDB()
        cls.addClassCleanup(cls.server.close)
        cls.run_ = Deployment(cls.server, {f"source {SHOP}": {
            "provider": "stripe", "webhook_secret_file": "stripe.secret"}},
            {"stripe.secret": SECRET + "\n"})
        cls.addClassCleanup(cls.run_.close)
        cls.run_.migrate()
        cls.run_.apply_catalogue({
            "entitlements": {"pro": {"name": "Pro"}},
            "products": [{"source": SHOP, "product": "price_1", "grants": ["pro"],
                          "grace_days": 3}]})
        cls.run_.start_webhook()
        cls.renews = int(time.time()) - 10 * DAY
        cls.ends = cls.renews + 30 * DAY
        cls.number = cls.events = 0

    def send(self, kind, at, data):
        type(self).events += 1
        body = json.dumps({"id": f"evt_{self.events}", "object": "event", "livemode": True,
                           "api_version": "2024-06-20", "created": at, "type": kind,
                           "data": {"object": data}}).encode()
        stamp = int(time.time())
        mac = hmac.new(SECRET.encode(), f"{stamp}.".encode() + body, hashlib.sha256).hexdigest()
        status, answer = self.run_.deliver(SHOP, body, {"Stripe-Signature": f"t={stamp},v1={mac}"})
        self.assertEqual(status, 200, answer)

    def state(self, number, kind, at, status, start, end, **more):
        self.send(f"customer.subscription.{kind}", at, {
            "id": f"sub_{number}", "object": "subscription", "status": status, "customer": "cus_1",
            "current_period_start": start, "current_period_end": end,
            "cancel_at_period_end": False, "items": {"object": "list", "has_more": False, "data": [
                {"id": f"si_{number}", "quantity": 1,
                 "price": {"id": "price_1", "product": "prod_1"}}]}, **more})

    def invoice(self, number, kind, at, start, end, email="zoe@example.test"):
        paid = kind == "paid"
        self.send(f"invoice.{kind}", at, {
            "id": f"in_{number}_{start}", "object": "invoice", "subscription": f"sub_{number}",
            "status": "paid" if paid else "open", "amount_paid": 1900 if paid else 0,
            "currency": "usd", "created": start, "billing_reason": "subscription_cycle",
            "payment_intent": f"pi_{number}_{start}", "customer_email": email,
            "status_transitions": {"paid_at": at if paid else None},
            "lines": {"object": "list", "has_more": False, "data": [
                {"type": "subscription", "period": {"start": start, "end": end}}]}})

    def event(self, name, number):
        start, end = self.renews, self.ends
        if name == "created":
            self.state(number, "created", start - 30 * DAY, "active", start - 30 * DAY, start)
        elif name == "begun":
            self.state(number, "updated", start, "active", start, end)
        elif name == "failed":
            self.invoice(number, "payment_failed", start + HOUR, start, end)
        elif name == "past due":
            self.state(number, "updated", start + HOUR, "past_due", start, end)
        elif name == "paid":
            self.invoice(number, "paid", start + 3 * DAY, start, end)
        elif name == "active":
            self.state(number, "updated", start + 3 * DAY, "active", start, end)
        elif name == "deleted":
            self.state(number, "deleted", start + 2 * DAY, "canceled", start, end,
                       ended_at=start + 2 * DAY)

    def ends_of(self, names, lost=()):
        """(when what is given ends, in days after the renewal) of each order of the events without each of `lost`."""
        told = {}
        for missing in (None, *lost):
            for order in itertools.permutations([name for name in names if name != missing]):
                type(self).number += 1
                told[f"sub_{self.number}"] = f"{', '.join(order)} ({missing} lost)"
                self.invoice(self.number, "paid", self.renews - 30 * DAY, self.renews - 30 * DAY,
                             self.renews)
                for name in order:
                    self.event(name, self.number)
        self.run_.worker_once()
        ends = {}
        for row in self.run_.sql("SELECT order_id, state, ends_at FROM contribution").splitlines():
            order_id, state, at = row.split("\t")
            if order_id in told:
                ends[told.pop(order_id)] = (state, int(at) // 1000000 - self.renews)
        self.assertEqual(told, {}, "nothing is known of these")
        return ends

    def check(self, names, lost, days):
        for order, end in self.ends_of(names, lost).items():
            self.assertEqual(end, ("active", days * DAY), order)

    def test_paid_after_all_whichever_event_is_lost(self):
        names = ("created", "failed", "past due", "paid", "active")
        self.check(names, names, 30)

    def test_past_due_whichever_event_is_lost(self):
        names = ("created", "begun", "failed", "past due")
        self.check(names, names, 0)

    def test_an_invoice_paid_after_the_end_brings_nothing_back(self):
        names = ("created", "failed", "past due", "deleted", "paid")
        self.check(names, ("created", "failed", "past due", "paid"), 2)

    def test_the_first_payment_s_buyer_has_it_also_where_it_is_told_last(self):
        for user, address in ((BUYER, "zoe@example.test"), (OTHER, "other@example.test")):
            self.run_.ctl("link", user, "-", "--why", "the buyer", stdin=address + "\n")
        type(self).number += 1
        first = self.renews - 30 * DAY
        self.state(self.number, "created", first, "active", self.renews, self.ends)
        self.invoice(self.number, "paid", self.renews, self.renews, self.ends, "other@example.test")
        self.run_.worker_once()
        self.assertTrue(self.has_it(OTHER))
        self.invoice(self.number, "paid", first, first, self.renews)
        self.run_.worker_once()
        self.assertTrue(self.has_it(BUYER))
        self.assertFalse(self.has_it(OTHER))

    def has_it(self, user):
        """Whether what the last subscription gives is this user's."""
        return f"sub_{self.number}" in json.dumps(self.run_.ctl_json("explain", user, "pro"))


if __name__ == "__main__":
    unittest.main(verbosity=2)
