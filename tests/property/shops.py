"""Simulated shops: they live histories, and send webhooks in their providers' own shapes.

A shop does what the steps of a history tell it, if it can (a refund needs a paid order), and remembers each webhook
that it sent. Time has whole seconds, and often stands still between two steps.

Which webhooks may be lost without harm is what the product promises without a resync:
  - any that shows an order as it no longer is; the last one about an order must arrive;
  - with a shop whose API can be asked, also that last one, if two others of its second arrive that differ;
  - of Shopify also the last order, if all that it tells beyond the one before comes by refunds/create of a later
    second;
  - of a dispute all but the last;
  - never the last one that tells a buyer's address, once the shop has wiped it, nor any that must arrive then.
A shop that cannot be asked (Shopify and `standard` in this version, WooCommerce without a key) must not take a change
back within the second in which it made it: nothing in its webhooks would tell which came last. A dispute may open
and end within one second: its end is the later word.
"""

import json
import random
import time
from dataclasses import dataclass

from model import BEGIN, PRODUCTS, Dispute, Line, Order, Refund
from signing import sign_shopify, sign_standard, sign_woocommerce

DOMAINS = ("example.test", "Example.Test", "shop.example")


@dataclass
class Webhook:
    """One that was sent: `tells` names what it is the word on; `news` tells two of one second apart."""
    number: int
    wave: int
    topic: str
    body: bytes
    order: object
    tells: tuple
    second: int
    news: tuple
    address: bool = False
    message: str = ""


class Shop:
    """What all shops do alike. `run` sets the ids apart from those of other histories."""

    source = ""
    askable = False

    def __init__(self, run, seed):
        self.run = run
        self.seed = seed
        self.clock = BEGIN + seed % 1000 * 1000
        self.orders = []
        self.sent = []
        self.wave = 0
        self.log = []
        self._ids = 0

    # Ids and times

    def next_id(self):
        self._ids += 1
        return self.run * 1000 + self._ids

    def note(self, text):
        self.log.append(f"  {self.clock - BEGIN:>8}  {text}")

    def second_of_its_own(self, order):
        """Before what a shop that cannot be asked may not do twice in a second."""
        if not self.askable and order.modified >= self.clock:
            self.clock = order.modified + 1

    # Steps: each returns False if it cannot be done now.

    def live(self, step, wanted=lambda order: True):
        """The order that a step is about, among those that fit."""
        fit = [order for order in self.orders
               if not order.deleted and not order.binned and wanted(order)]
        return fit[int(step.pick * len(fit))] if fit else None

    def do_place(self, step):
        rng = random.Random(step.key)
        buyer, email = rng.choice(self.buyers())
        count = rng.choice((1, 1, 2, 3))
        products = rng.sample(PRODUCTS, count)
        order = Order(self.order_id(), buyer, spelled(rng, email), self.clock, self.clock,
                      [Line(self.next_id(), product, rng.choice((1, 1, 2, 3, 5)))
                       for product in products])
        self.orders.append(order)
        self.note(f"order {order.id} of {order.email}: "
                  + ", ".join(f"{line.quantity} x {line.product.sku}" for line in order.lines))
        self.created(order)
        return True

    def buyers(self):
        """Plus tags and case: the first two are two people, and each is written in many ways."""
        name = f"zoe.{self.run}"
        return [("one", f"{name}@example.test"), ("two", f"{name}+two@example.test")]

    def order_id(self):
        return self.next_id()

    def change(self, order, text):
        order.modified = max(order.modified, self.clock)
        self.note(f"order {order.id} {text}")
        self.changed(order)
        return True

    def do_pay(self, step):
        order = self.live(step, lambda one: one.state == "pending")
        if not order:
            return False
        order.state, order.detail = "paid", ""
        order.paid_at = order.paid_at or self.clock
        return self.change(order, "is paid")

    def do_cancel(self, step):
        order = self.live(step, lambda one: one.state in ("pending", "paid"))
        if not order:
            return False
        order.state = "cancelled"
        return self.change(order, "is cancelled")

    def do_refund_items(self, step):
        """Some of one line; in some shops a free item can be given back too."""
        order = self.live(step, lambda one: one.state == "paid" and any(
            line.left > 0 for line in one.lines))
        if not order:
            return False
        rng = random.Random(step.key)
        lines = [line for line in order.lines if line.left > 0]
        chosen = rng.sample(lines, rng.randint(1, min(2, len(lines))))
        back = {line.id: rng.randint(1, line.left) for line in chosen}
        money = sum(line.product.cents * back[line.id] for line in chosen)
        return self.give_back(order, back, min(money, order.cents - order.refunded_cents))

    def do_refund_money(self, step):
        """An amount, for nothing in particular."""
        order = self.live(step, lambda one: one.state == "paid" and
                          one.cents - one.refunded_cents > 1)
        if not order:
            return False
        left = order.cents - order.refunded_cents
        return self.give_back(order, {}, max(1, int(left * step.size)))

    def do_refund_all(self, step):
        order = self.live(step, lambda one: one.state == "paid" and
                          one.cents > one.refunded_cents)
        if not order:
            return False
        back = {line.id: line.left for line in order.lines if line.left}
        return self.give_back(order, back if step.size < 0.5 else {},
                              order.cents - order.refunded_cents)

    def give_back(self, order, back, cents):
        refund = Refund(self.next_id(), self.clock, cents, back)
        order.refunds.append(refund)
        for line in order.lines:
            line.returned += back.get(line.id, 0)
        self.refunded(order, refund)
        return self.change(order, f"gets {cents} back for {back}, refund {refund.id}")

    def refunded(self, order, refund):
        """What a provider does when money went back."""
        if order.refunded_cents >= order.cents > 0:
            order.state = "refunded"

    def do_wipe(self, step):
        """The privacy tool takes the address; the buyer keeps what they bought."""
        order = self.live(step, lambda one: not one.wiped)
        if not order:
            return False
        order.wiped = True
        order.email = None
        return self.change(order, "loses its address")

    def do_readdress(self, step):
        """Support corrects the address: the order is somebody else's now."""
        order = self.live(step, lambda one: not one.wiped)
        if not order:
            return False
        self.clock = max(self.clock, order.modified + 1)
        rng = random.Random(step.key)
        order.buyer, email = rng.choice(self.buyers())
        order.email = spelled(rng, email)
        self.change(order, f"is {order.email}'s")
        self.clock += 1
        return True

    def do_touch(self, step):
        """Saved without a change, or with one that is nobody's business."""
        order = self.live(step)
        return self.change(order, "is saved") if order else False

    # Webhooks

    def created(self, order):
        self.changed(order)

    def send(self, topic, body, order, tells, second, news=(), address=False):
        self.sent.append(Webhook(len(self.sent), self.wave, topic, body, order, tells, second, news,
                                 address, f"msg_{self.run}_{len(self.sent)}"))

    def pause(self):
        """Everything that waits to be sent is sent."""

    def headers(self, webhook, secret):
        raise NotImplementedError

    # What may be lost

    def needed(self):
        """The numbers of the webhooks that must arrive."""
        last = {}
        for webhook in self.sent:
            last[webhook.tells] = webhook.number
        for webhook in self.sent:
            if webhook.address and webhook.order.wiped:
                last["address", webhook.order.id] = webhook.number
        return set(last.values())

    def spared(self, needed, rng):
        """Needed ones that others replace; returns what is needed then, and what must be lost."""
        return needed, set()


def spelled(rng, email):
    """The address as somebody types it."""
    name, _, domain = email.partition("@")
    kind = rng.randrange(4)
    if kind == 0:
        return f"{name}@{domain}"
    if kind == 1:
        return f"{name.title()}@{domain.title()}"
    if kind == 2:
        return f" {name.upper()}@{domain} "
    return f"{name}@{domain.upper()}"


def money(cents):
    return f"{'-' if cents < 0 else ''}{abs(cents) // 100}.{abs(cents) % 100:02}"


def stamp(seconds):
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(seconds))


def encode(value):
    return json.dumps(value).encode()


class WooCommerce(Shop):
    """Webhooks are built when they leave, seconds after the change; one waits for each topic and order."""

    source = "woo"
    askable = True
    steps = ("place", "place", "pay", "pay", "pay", "pay", "complete", "hold", "fail", "cancel",
             "reinstate", "reinstate", "refund_items", "refund_items", "refund_money",
             "refund_line_money", "refund_all", "drop_refund", "trash", "restore", "restore",
             "delete", "wipe", "readdress", "touch", "meta")

    def __init__(self, run, seed):
        super().__init__(run, seed)
        self._waiting = []
        self.bin_answers = seed % 2 == 0  # the API shows what is in the bin; else it says 404
        self.tokens = {}

    def status(self, order):
        if order.binned:
            return "trash"
        if order.state == "paid":
            return order.detail or "processing"
        return order.detail if order.state == "pending" and order.detail else order.state

    def do_complete(self, step):
        order = self.live(step, lambda one: one.state == "paid" and not one.detail)
        if not order:
            return False
        order.detail = "completed"
        return self.change(order, "is completed")

    def do_hold(self, step):
        order = self.live(step, lambda one: one.state == "paid")
        if not order:
            return False
        self.second_of_its_own(order)
        order.state, order.detail = "pending", "on-hold"
        return self.change(order, "is put on hold")

    def do_fail(self, step):
        order = self.live(step, lambda one: one.state == "pending")
        if not order:
            return False
        order.detail = "failed"
        return self.change(order, "fails")

    def do_reinstate(self, step):
        order = self.live(step, lambda one: one.state == "cancelled")
        if not order:
            return False
        self.second_of_its_own(order)
        order.state, order.detail = "paid", "completed"
        order.paid_at = order.paid_at or self.clock
        return self.change(order, "is reinstated")

    def do_refund_line_money(self, step):
        """Part of a line's price, none of its pieces."""
        order = self.live(step, lambda one: one.state == "paid" and
                          one.cents - one.refunded_cents > 1)
        if not order:
            return False
        line = order.lines[int(step.size * len(order.lines))]
        return self.give_back(order, {line.id: 0}, 1)

    def do_drop_refund(self, step):
        order = self.live(step, lambda one: one.state == "paid" and one.refunds)
        if not order:
            return False
        self.second_of_its_own(order)
        refund = order.refunds.pop(int(step.size * len(order.refunds)))
        for line in order.lines:
            line.returned -= refund.lines.get(line.id, 0)
        return self.change(order, f"keeps refund {refund.id}, which is taken back")

    def do_trash(self, step):
        order = self.live(step)
        if not order:
            return False
        order.binned = True
        order.modified = max(order.modified, self.clock)
        self.note(f"order {order.id} goes to the bin")
        self.wait("order.deleted", order)
        return True

    def do_restore(self, step):
        binned = [order for order in self.orders if order.binned and not order.deleted]
        if not binned:
            return False
        order = binned[int(step.pick * len(binned))]
        order.binned = False
        order.modified = max(order.modified, self.clock)
        self.note(f"order {order.id} comes out of the bin")
        self.wait("order.restored", order)
        self.wait("order.updated", order)
        return True

    def do_delete(self, step):
        if step.size > 0.4:
            return False
        binned = [order for order in self.orders if order.binned and not order.deleted]
        if not binned:
            return False
        order = binned[int(step.pick * len(binned))]
        order.deleted = True
        self.note(f"order {order.id} is deleted for ever")
        self.wait("order.deleted", order)
        return True

    def do_meta(self, step):
        """Saves metadata alone: the date of the last change stays."""
        order = self.live(step)
        if not order:
            return False
        self.note(f"order {order.id} gets metadata")
        self.tokens[order.id] = step.key
        self.wait("order.updated", order)
        return True

    def do_readdress(self, step):
        self.pause()
        done = super().do_readdress(step)
        self.pause()
        return done

    def do_wipe(self, step):
        self.pause()
        return super().do_wipe(step)

    # Webhooks

    def created(self, order):
        self.wait("order.created", order)
        self.wait("order.updated", order)

    def changed(self, order):
        self.wait("order.updated", order)

    def wait(self, topic, order):
        """Action Scheduler: nothing new if one waits already, and what is sent is built then."""
        if not any(one[1] == topic and one[2] is order for one in self._waiting):
            lag = (-1, -1, 0, 2)[(self.seed + len(self.sent) + len(self._waiting)) % 4]
            self._waiting.append((self.clock + lag, topic, order))  # -1: before the second is over

    def pass_time(self, until):
        """Sends what is due before the clock gets there."""
        while self._waiting:
            due = min(self._waiting, key=lambda one: one[0])
            if due[0] >= until:
                break
            self._waiting.remove(due)
            self.deliver(due[1], due[2])

    def pause(self):
        self.pass_time(float("inf"))

    def deliver(self, topic, order):
        if topic == "order.deleted":
            self.send(topic, encode({"id": order.id}), order, ("order", order.id), order.modified)
            return
        if order.deleted or (order.binned and not self.bin_answers):
            self.send(topic, encode(self.gone()), order, ("nothing", len(self.sent)),
                      order.modified)
            return
        self.send(topic, encode(self.show(order)), order, ("order", order.id), order.modified,
                  ("cancelled" if order.binned else order.state,
                   tuple(refund.id for refund in order.refunds)), not order.wiped)

    @staticmethod
    def gone():
        return {"code": "woocommerce_rest_shop_order_invalid_id", "message": "Invalid ID.",
                "data": {"status": 404}}

    def headers(self, webhook, secret):
        return {"X-WC-Webhook-Topic": webhook.topic, "X-WC-Webhook-Delivery-ID": "0" * 32,
                **sign_woocommerce(webhook.body, secret)}

    def spared(self, needed, rng):
        """The last of a second, where two others of that second differ and the shop can be asked."""
        if not self.askable:
            return needed, set()
        for number in sorted(needed):
            last = self.sent[number]
            if last.tells[0] != "order" or not last.news or last.order.wiped or rng.random() < 0.5:
                continue
            others = [one for one in self.sent if one.tells == last.tells and one.news and
                      one.second == last.second and one.number < number]
            pair = [one for one in others if one.news != others[0].news][:1]
            if pair:
                needed = (needed - {number}) | {others[0].number, pair[0].number}
        return needed, set()

    # REST API

    def show(self, order):
        """The order as the REST API and the webhooks show it."""
        return {
            "id": order.id, "parent_id": 0, "status": self.status(order), "currency": "USD",
            "version": "11.0.1", "total": money(order.cents), "customer_id": 0,
            "billing": {"first_name": "Zoë", "country": "DE",
                        "email": order.email if order.email else "deleted@site.invalid"},
            "payment_method": "bacs", "transaction_id": "", "number": str(order.id),
            "meta_data": [{"id": 1, "key": "_note", "value": self.tokens[order.id]}]
            if order.id in self.tokens else [],
            "line_items": [self.show_line(line) for line in order.lines],
            "tax_lines": [], "shipping_lines": [],
            "refunds": [{"id": refund.id, "reason": "", "total": money(-refund.cents),
                         "total_tax": "0.00"} for refund in reversed(order.refunds)],
            "date_created_gmt": stamp(order.created), "date_modified_gmt": stamp(order.modified),
            "date_completed_gmt": None,
            "date_paid_gmt": stamp(order.paid_at) if order.paid_at else None,
        }

    @staticmethod
    def show_line(line):
        product = line.product
        return {"id": line.id, "name": product.sku.title(), "product_id": product.product,
                "variation_id": product.variant, "quantity": line.quantity,
                "total": money(line.quantity * product.cents), "sku": product.sku, "meta_data": []}

    def show_refund(self, order, refund):
        items = []
        for line in order.lines:
            if line.id in refund.lines:
                items.append({
                    "id": refund.id * 100 + len(items), "product_id": line.product.product,
                    "variation_id": line.product.variant, "quantity": -refund.lines[line.id],
                    "sku": line.product.sku, "total": money(-refund.cents),
                    "meta_data": [{"id": 1, "key": "_refunded_item_id", "value": str(line.id)}]})
        return {"id": refund.id, "date_created_gmt": stamp(refund.time),
                "amount": money(refund.cents), "reason": "", "line_items": items}

    def ask(self, order_id, refunds):
        """(status, value) of GET /orders/ID and GET /orders/ID/refunds."""
        order = next((one for one in self.orders if one.id == order_id), None)
        if not order or order.deleted or (order.binned and not self.bin_answers):
            return 404, self.gone()
        if refunds:
            return 200, [self.show_refund(order, one) for one in reversed(order.refunds)]
        return 200, self.show(order)


class WooCommerceWithoutKey(WooCommerce):
    """Its API cannot be asked: no bin, and no refund of single lines, which only the API tells."""

    source = "woo-plain"
    askable = False
    steps = ("place", "place", "pay", "pay", "pay", "pay", "complete", "cancel", "reinstate", "hold", "refund_money",
             "refund_all", "drop_refund", "wipe", "readdress", "touch", "meta")


class Shopify(Shop):
    """Ids beyond 2^53; refunds and disputes come by themselves, refunds in the order too."""

    source = "shopify"
    steps = ("place", "place", "pay", "pay", "pay", "pay", "cancel", "refund_items", "refund_items", "refund_money",
             "refund_all", "dispute", "inquire", "escalate", "answer_dispute", "end_dispute",
             "wipe", "readdress", "touch")

    def next_id(self):
        return 5_000_000_000_000_000_000 + super().next_id()

    def status(self, order):
        if order.state == "cancelled":
            return "paid" if order.paid_at else "voided"
        if order.state == "paid" and order.refunds:
            return "partially_refunded"
        return order.state

    def refunded(self, order, refund):
        """The refund's own webhook goes first; the order is saved in the same second, or the next."""
        super().refunded(order, refund)
        self.send("refunds/create", encode(self.show_refund(order, refund)), order,
                  ("refund", refund.id), refund.time)
        if refund.id % 3 == 0:
            self.clock += 1

    def disputes(self, step, wanted):
        found = [(order, one) for order in self.orders for one in order.disputes if wanted(one)]
        return found[int(step.pick * len(found))] if found else (None, None)

    def dispute_changed(self, order, dispute, text):
        dispute.changed = self.clock
        self.note(f"order {order.id} dispute {dispute.id} {text}")
        self.send("disputes/update", encode(self.show_dispute(order, dispute)), order,
                  ("dispute", dispute.id), self.clock)
        return True

    def do_dispute(self, step, kind="chargeback"):
        order = self.live(step, lambda one: one.paid_at)
        if not order:
            return False
        dispute = Dispute(self.next_id(), self.clock, kind)
        order.disputes.append(dispute)
        return self.dispute_changed(order, dispute, f"opened: {kind}")

    def do_inquire(self, step):
        return self.do_dispute(step, "inquiry")

    def do_escalate(self, step):
        order, dispute = self.disputes(step, lambda one: one.kind == "inquiry" and
                                       one.state == "open")
        if not order:
            return False
        dispute.kind = "chargeback"
        return self.dispute_changed(order, dispute, "becomes a chargeback")

    def do_answer_dispute(self, step):
        order, dispute = self.disputes(step, lambda one: one.state == "open" and not one.evidence)
        if not order:
            return False
        dispute.evidence = self.clock
        return self.dispute_changed(order, dispute, "is answered")

    def do_end_dispute(self, step):
        order, dispute = self.disputes(step, lambda one: one.state == "open")
        if not order:
            return False
        dispute.state = "won" if step.size < 0.7 else "lost"
        return self.dispute_changed(order, dispute, dispute.state)

    def created(self, order):
        self.show_to("orders/create", order)

    def changed(self, order):
        self.show_to("orders/updated", order)
        if order.state == "paid" and not order.refunds:
            self.show_to("orders/paid", order)
        if order.state == "cancelled":
            self.show_to("orders/cancelled", order)

    def show_to(self, topic, order):
        self.send(topic, encode(self.show(order)), order, ("order", order.id), order.modified,
                  (order.state, tuple(refund.id for refund in order.refunds), order.wiped,
                   order.email), not order.wiped)

    def show(self, order):
        customer = {"id": self.run, "email": order.email.strip()} if order.email else None
        return {
            "id": order.id, "admin_graphql_api_id": f"gid://shopify/Order/{order.id}",
            "email": order.email, "contact_email": order.email, "customer": customer,
            "financial_status": self.status(order), "test": False, "currency": "USD",
            "cancelled_at": offset(order.modified) if order.state == "cancelled" else None,
            "created_at": offset(order.created), "updated_at": offset(order.modified),
            "processed_at": offset(order.paid_at or order.created),
            "total_price": money(order.cents), "note_attributes": [],
            "line_items": [{
                "id": line.id, "product_id": line.product.product,
                "variant_id": line.product.variant or None, "sku": line.product.sku,
                "quantity": line.quantity, "current_quantity": line.left,
                "price": money(line.product.cents)} for line in order.lines],
            "refunds": [self.show_refund(order, refund) for refund in order.refunds],
        }

    @staticmethod
    def show_refund(order, refund):
        moved = [{"id": refund.id + 1, "kind": "refund", "status": "success",
                  "amount": money(refund.cents)},
                 {"id": refund.id + 2, "kind": "refund", "status": "failure", "amount": "999.00"}]
        return {"id": refund.id, "order_id": order.id, "created_at": offset(refund.time),
                "processed_at": offset(refund.time), "note": None, "transactions": moved,
                "refund_line_items": [
                    {"id": refund.id * 2, "line_item_id": line_id, "quantity": quantity,
                     "restock_type": "no_restock"} for line_id, quantity in refund.lines.items()]}

    @staticmethod
    def show_dispute(order, dispute):
        status = {"open": "under_review" if dispute.evidence else "needs_response",
                  "won": "won", "lost": "lost"}[dispute.state]
        ended = dispute.changed if dispute.state != "open" else None
        return {"id": dispute.id, "order_id": order.id, "type": dispute.kind, "amount": "11.50",
                "currency": "USD", "reason": "fraudulent", "status": status,
                "initiated_at": offset(dispute.opened),
                "evidence_sent_on": offset(dispute.evidence) if dispute.evidence else None,
                "finalized_on": offset(ended) if ended else None}

    def headers(self, webhook, secret):
        return {"X-Shopify-Topic": webhook.topic, **sign_shopify(webhook.body, secret)}

    def needed(self):
        """Refunds stand in the order too, so refunds/create may be lost."""
        return {number for number in super().needed() if self.sent[number].tells[0] != "refund"}

    def spared(self, needed, rng):
        """The last order, where refunds of later seconds are all that it tells anew. What shows the
        order in between is lost with it: within one second a list without the refund would win."""
        lost = set()
        for number in sorted(needed):
            last = self.sent[number]
            if last.tells[0] != "order" or last.order.wiped or rng.random() < 0.5:
                continue
            before = [one for one in self.sent if one.tells == last.tells and
                      one.second < last.second]
            if not before:
                continue
            base = before[-1]
            between = [one for one in self.sent if one.tells == last.tells and
                       one.number > base.number]
            refunds = [one for one in self.sent if one.tells[0] == "refund" and
                       one.order is last.order and one.tells[1] in last.news[1] and
                       one.tells[1] not in base.news[1]]
            only_refunds = base.news[2:] == last.news[2:] and base.news[0] == "paid" and \
                last.news[0] in ("paid", "refunded") and refunds and \
                all(one.second > base.second for one in refunds)
            if only_refunds:
                needed = (needed - {number}) | {base.number} | {one.number for one in refunds}
                lost |= {one.number for one in between}
        return needed, lost


def offset(seconds):
    """As Shopify writes times: local, with the distance to UTC."""
    return stamp(seconds - 5 * 3600) + "-05:00"


class Standard(Shop):
    """The project's own order shape; a dispute is a status, and there is no word on money."""

    source = "standard"
    steps = ("place", "place", "pay", "pay", "pay", "pay", "cancel", "reinstate", "refund_items", "refund_items",
             "refund_all", "dispute", "win", "wipe", "readdress", "touch")

    def order_id(self):
        return f"A-{self.next_id()}"

    def do_reinstate(self, step):
        order = self.live(step, lambda one: one.state == "cancelled")
        if not order:
            return False
        self.second_of_its_own(order)
        order.state = "paid"
        order.paid_at = order.paid_at or self.clock
        return self.change(order, "is reinstated")

    def do_dispute(self, step):
        order = self.live(step, lambda one: one.state == "paid" and not one.disputed)
        if not order:
            return False
        order.disputes.append(Dispute(self.next_id(), self.clock, "chargeback"))
        return self.change(order, "is disputed")

    def do_win(self, step):
        order = self.live(step, lambda one: one.disputed)
        if not order:
            return False
        self.second_of_its_own(order)
        order.disputes[-1].state = "won"
        return self.change(order, "is disputed no more")

    def changed(self, order):
        status = "disputed" if order.state == "paid" and order.disputed else order.state
        body = {"type": "order.updated", "timestamp": stamp(self.clock) + "Z",
                "data": {"id": order.id, "status": status, "email": order.email,
                         "updated_at": stamp(order.modified) + "Z",
                         "paid_at": stamp(order.paid_at) + "Z" if order.paid_at else None,
                         "lines": [{"id": str(line.id), "product": str(line.product.product),
                                    "variant": str(line.product.variant or "") or None,
                                    "sku": line.product.sku, "quantity": line.quantity,
                                    "refunded_quantity": line.returned} for line in order.lines],
                         "metadata": {}}}
        self.send("order.updated", encode(body), order, ("order", order.id), order.modified,
                  (status, tuple(line.returned for line in order.lines)), not order.wiped)

    def refunded(self, order, refund):
        if all(line.left == 0 for line in order.lines):
            order.state = "refunded"
        super().refunded(order, refund)

    def headers(self, webhook, secret):
        return sign_standard(webhook.body, secret, webhook.message)


SHOPS = (WooCommerce, Shopify, Standard, WooCommerce, WooCommerceWithoutKey)
