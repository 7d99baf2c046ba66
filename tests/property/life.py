"""What the life tests of all providers share: one deployment, buyers of its own for each test, and permutations."""

import itertools
import json
import os
import random
import time
import unittest

from fake_miro import FakeMiro
from fake_shop import FakeShop
from mariadb import MariaDB
from payloads import DAY
from programs import Deployment, new_standard_secret
from signing import sign_shopify, sign_standard, sign_woocommerce

TEAM = "3458764514838398336"
KEYS = ("boards", "icons", "later", "support")


def catalogue(sources, **later):
    """icons and boards for ever, support for 30 days and 10 more; `later` names a product once it is sold."""
    rules = []
    for source in sources:
        rules += [{"source": source, "product": "10", "grants": ["icons"]},
                  {"source": source, "sku": "ADD-1", "grants": ["boards"]},
                  {"source": source, "product": "12", "grants": ["icons"]},
                  {"source": source, "product": "30", "grants": ["support"], "duration_days": 30,
                   "grace_days": 10},
                  {"source": source, "product": "77", "ignore": True}]
        rules += [{"source": source, "product": product, "grants": [key]}
                  for key, product in later.items()]
    return {"entitlements": {key: {} for key in KEYS}, "products": rules}


def permutations(count):
    """All of them; a sanitized build, which is slow, takes a sample: the same each time, with both ends."""
    orders = list(itertools.permutations(range(count)))
    most = int(os.environ.get("PURCHASE_SYNC_PERMUTATIONS", len(orders)))
    if len(orders) <= most:
        return orders
    return [orders[0], orders[-1]] + random.Random(count).sample(orders[1:-1], most - 2)


class Life(unittest.TestCase):
    """A subclass sets SOURCES ({name: keys of its section}) and `send(source, body)`."""

    SOURCES = {}
    SECRETS = {}

    @classmethod
    def setUpClass(cls):
        cls.server = MariaDB()
        cls.addClassCleanup(cls.server.close)
        cls.shop = FakeShop()
        cls.addClassCleanup(cls.shop.close)
        cls.miro = FakeMiro()
        cls.addClassCleanup(cls.miro.close)
        sections, files = {"source main-store": None, "miro": cls.miro.settings()}, {}
        for name, keys in cls.SOURCES.items():
            keys = dict(keys, webhook_secret_file=f"{name}.secret")
            if keys.pop("api", False):
                keys.update(api_url=cls.shop.url, api_key_file=f"{name}.key")
                files[f"{name}.key"] = "ck_1:cs_1\n"
            sections[f"source {name}"] = keys
            standard = keys["provider"] == "standard"
            files[f"{name}.secret"] = (new_standard_secret() if standard else f"of {name}") + "\n"
        cls.run_ = Deployment(cls.server, sections, files)
        cls.addClassCleanup(cls.run_.close)
        cls.run_.migrate()
        cls.run_.apply_catalogue(catalogue(cls.SOURCES))
        cls.run_.start_webhook()
        cls._ids = itertools.count(1)
        cls.now = int(time.time())
        cls.begin = cls.now - 5 * DAY

    def setUp(self):
        number = next(self._ids)
        self.user = str(3458764514838390000 + number)
        self.email = f"zoe.{number}@example.test"

    @classmethod
    def new_id(cls):
        return 9007199254740993 + next(cls._ids) * 1000  # beyond what a float can tell apart

    # Doing

    def post(self, source, body, headers=None, expected="stored"):
        """Signs and posts a dict or bytes; `expected` None takes any word."""
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        provider = self.SOURCES[source]["provider"]
        secret = self.run_.secret(source)
        sign = {"woocommerce": sign_woocommerce, "shopify": sign_shopify,
                "standard": sign_standard}[provider]
        signed = dict(sign(data, secret), **(headers or {}))
        status, answer = self.run_.deliver(source, data, signed)
        self.assertEqual(status, 200, answer)
        if expected:
            self.assertEqual(answer["status"], expected)
        return signed

    def settle(self):
        """The workers' turn; and nothing has drifted."""
        self.run_.worker_once()
        self.run_.ctl("rebuild", "--check")

    def a_minute_passes(self):
        """A body that came again waits a minute; a tie or a failed call waits for its time. It is over."""
        self.run_.sql("UPDATE delivery SET due_at = 0 WHERE state = 'pending';"
                      "UPDATE shop_order SET reread_due_at = 0 WHERE reread_due_at IS NOT NULL")

    def link(self, email=None, user=None):
        self.run_.ctl("link", user or self.user, "-", "--why", "the test's buyer",
                      stdin=f"{email or self.email}\n")

    def install(self, email=None, user=None):
        """Through OAuth: the profile's address is linked by itself."""
        user = user or self.user
        self.miro.token(user, TEAM)
        self.miro.profile(user, email)
        status, _, _ = self.run_.request("GET", "/oauth/callback?code=c")
        self.assertEqual(status, 302)

    # Asking

    def live(self, user=None):
        return {item["key"]: item["quantity"]
                for item in self.run_.entitlements(user or self.user)["entitlements"]}

    def why(self, key, user=None):
        return self.run_.entitlement(key, user or self.user)["reason"]

    def expect(self, live, reasons=None, step=None):
        """What is live, and why each of `reasons` is or is not."""
        self.assertEqual(self.live(), live, step)
        for key, reason in (reasons or {}).items():
            self.assertEqual(self.why(key), reason, (step, key))
        for key in live:
            answer = self.run_.entitlement(key, self.user)
            self.assertEqual((answer["entitled"], answer["reason"] in ("active", "grace")),
                             (True, True), step)

    def deliveries(self):
        """{(state, reason): how many}, since the last look()."""
        rows = self.server.rows("SELECT state, reason, COUNT(*) FROM delivery"
                                f" WHERE id > {self.seen} GROUP BY 1, 2", self.run_.database)
        return {(state, reason): int(count) for state, reason, count in rows}

    def look(self):
        type(self).seen = int(self.run_.sql("SELECT COALESCE(MAX(id), 0) FROM delivery"))

    def walk(self, source, steps):
        """steps: (name, bodies, what is live, reasons)"""
        for name, bodies, live, reasons in steps:
            for body in bodies:
                self.post(source, body, expected=None)
            self.settle()
            self.expect(live, reasons, name)

    # Any order, any number of times

    def permute(self, source, life, each_live, states):
        """
        `life(order id, email)` gives an order's deliveries and what its API says in the end. Every
        permutation is an order of its own, once plain and once with each delivery sent twice; all
        end alike: `each_live` is what one order gives, `states` its contributions.
        """
        orders = {}
        for twice in (False, True):
            order_id = 0
            count = len(life(self.new_id(), self.email))
            for places in permutations(count):
                order_id = self.new_id()
                bodies = life(order_id, self.email)
                orders[str(order_id)] = (places, twice)
                for place in places:
                    self.post(source, bodies[place], expected=None)
                    if twice:
                        self.post(source, bodies[place], expected="duplicate" if self.SOURCES[
                            source]["provider"] != "standard" else None)
        self.settle()
        self.a_minute_passes()
        self.settle()
        rows = self.server.rows("SELECT order_id, line_id, entitlement_key, state, quantity"
                                " FROM contribution ORDER BY 1, 2, 3", self.run_.database)
        found = {}
        for order_id, line_id, key, state, quantity in rows:
            name = order_id.removeprefix("A-")
            if name in orders:
                found.setdefault(name, {})[line_id, key] = (state, int(quantity))
        for name, order in orders.items():
            self.assertEqual(found.get(name), states, order)
        self.link()
        self.assertEqual(self.live(), {key: quantity * len(orders)
                                       for key, quantity in each_live.items()})
