"""A simulated Stripe account that sells subscriptions: events of its own, each of another second, and the plain truth.

An event of the checkout tells the buyer, one of the subscription what it holds and until when, an invoice that a period
was paid. Only an older word on the same subscription may be lost. No money goes back: a refund that comes before the
payment that it is of waits, without an API key, for a person.
"""

import hashlib
import hmac
import random
import time
from dataclasses import dataclass

from model import DAY, PRODUCTS, Line, Order
from shops import Shop, encode, spelled

PERIOD = 360 * DAY  # the first one is not over yet when the test runs
SOLD = [product for product in PRODUCTS if product.sku in ("ICONS", "ADD-1", "MUG")]
RULES = [{"source": "stripe", "product": "10", "grants": ["icons"]},
         {"source": "stripe", "sku": "ADD-1", "grants": ["boards"]},
         {"source": "stripe", "product": "77", "ignore": True}]


@dataclass
class Subscription(Order):
    begins: int = 0  # the running period
    ended: bool = False

    @property
    def ends(self):
        return self.begins + PERIOD

    @property
    def payment(self):
        return f"pi_{self.id}_{self.begins}"

    def owned(self):
        if self.state != "paid" or self.ended:
            return
        for line in self.lines:
            for key, _, _ in line.product.gives:
                yield key, line.quantity, self.ends, None


class Stripe(Shop):
    source = "stripe"
    steps = ("place", "place", "renew", "renew", "resize", "resize", "end")

    def do_place(self, step):
        self.clock += 1
        rng = random.Random(step.key)
        buyer, email = rng.choice(self.buyers())
        order = Subscription(f"sub_{self.next_id()}", buyer, spelled(rng, email).strip(), self.clock, self.clock,
                             [Line(self.next_id(), product, rng.choice((1, 1, 2, 5)))
                              for product in rng.sample(SOLD, rng.choice((1, 2)))],
                             state="paid", begins=self.clock)
        self.orders.append(order)
        self.note(f"subscription {order.id} of {order.email}")
        self.event("checkout.session.completed", order, ("checkout", order.id), {
            "id": f"cs_live_{order.id}", "object": "checkout.session", "mode": "subscription",
            "status": "complete", "payment_status": "paid", "payment_intent": None,
            "amount_total": order.cents, "currency": "usd", "created": self.clock,
            "customer_details": {"email": order.email}, "subscription": order.id})
        self.paid(order)
        self.tell(order, "created")
        return True

    def running(self, step):
        return self.live(step, lambda one: one.state == "paid" and not one.ended)

    def do_renew(self, step):
        """Paid a little before the period is over, as far as this account's clock goes."""
        order = self.running(step)
        if not order:
            return False
        order.begins += PERIOD // 4
        self.note(f"subscription {order.id} runs until {order.ends}")
        self.paid(order)
        self.tell(order, "updated")
        return True

    def do_resize(self, step):
        order = self.running(step)
        if not order:
            return False
        line = order.lines[int(step.size * len(order.lines))]
        line.quantity = random.Random(step.key).randint(1, 9)
        self.note(f"subscription {order.id} has {line.quantity} of {line.product.sku}")
        self.tell(order, "updated")
        return True

    def do_end(self, step):
        order = self.running(step)
        if not order or step.size > 0.5:
            return False
        order.ended = True
        self.note(f"subscription {order.id} is over")
        self.tell(order, "deleted")
        return True

    # Events

    def event(self, kind, order, tells, value):
        number = f"evt_{self.run}_{len(self.sent)}"
        self.send(kind, encode({
            "id": number, "object": "event", "api_version": "2024-06-20", "livemode": True,
            "created": self.clock, "type": kind, "data": {"object": value}}), order, tells, self.clock)
        self.sent[-1].message = number

    def tell(self, order, kind):
        """What the subscription is now. It outdates what was told of it before."""
        self.clock += 1
        order.modified = self.clock
        self.event(f"customer.subscription.{kind}", order, ("order", order.id), {
            "id": order.id, "object": "subscription", "customer": "cus_1",
            "status": "canceled" if order.ended else "active",
            "ended_at": self.clock if order.ended else None, "cancel_at_period_end": False,
            "current_period_start": order.begins, "current_period_end": order.ends,
            "items": {"object": "list", "has_more": False, "data": [
                {"id": f"si_{line.id}", "quantity": line.quantity, "price": {
                    "id": str(line.product.product), "product": "prod_1",
                    "lookup_key": line.product.sku}} for line in order.lines]}})

    def paid(self, order):
        self.clock += 1
        self.event("invoice.paid", order, ("payment", order.payment), {
            "id": f"in_{order.payment}", "object": "invoice", "subscription": order.id,
            "status": "paid", "amount_paid": order.cents, "currency": "usd", "created": self.clock,
            "billing_reason": "subscription_cycle", "payment_intent": order.payment,
            "customer_email": order.email, "status_transitions": {"paid_at": self.clock},
            "lines": {"object": "list", "has_more": False, "data": [
                {"type": "subscription", "period": {"start": order.begins, "end": order.ends}}]}})

    def headers(self, webhook, secret):
        now = int(time.time())
        mac = hmac.new(secret.encode(), f"{now}.".encode() + webhook.body, hashlib.sha256).hexdigest()
        return {"Stripe-Signature": f"t={now},v1={mac}"}
