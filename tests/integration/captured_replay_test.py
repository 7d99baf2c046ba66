"""Deliveries captured from a real WooCommerce shop, byte for byte, in any order and any number of times, end in
the same contributions; and on the way each step gives what the shop sold at that moment.

The captures are not part of the project: PURCHASE_SYNC_FIXTURES names the folder, and without it these tests
skip. The same histories, with payloads of our own, are walked in woocommerce_life_test.py.
"""

import json
import os
import random
import unittest

from fake_shop import FakeShop
from mariadb import MariaDB
from programs import SOURCE, Deployment

FIXTURES = os.environ.get("PURCHASE_SYNC_FIXTURES", "")
CAPTURED = os.path.join(FIXTURES, "woocommerce", "captured")
SECRET = 's3cr&t"key'
BUYER = "zoe.mueller+shop@example.test"
USER = "3458764514838398337"
CATALOGUE = {
    "entitlements": {"icons-pro": {"name": "Icon pack Pro"}, "extra-boards": {"name": "Boards"}},
    "products": [{"source": SOURCE, "product": "10", "grants": ["icons-pro"]},
                 {"source": SOURCE, "sku": "ADD-1", "grants": ["extra-boards"]}],
}


def captured():
    """[(name, headers, body)] in the order they were captured."""
    found = []
    for name in sorted(os.listdir(CAPTURED)):
        if not name.endswith(".body"):
            continue
        base = os.path.join(CAPTURED, name[:-len(".body")])
        with open(base + ".headers", encoding="latin-1") as file:
            lines = file.read().splitlines()[1:]
        headers = dict(line.split(": ", 1) for line in lines if ": " in line)
        for own in ("Host", "Connection", "Content-Length", "Accept-Encoding"):
            headers.pop(own, None)
        with open(base + ".body", "rb") as file:
            found.append((name[:2], headers, file.read()))
    return found


@unittest.skipUnless(os.path.isdir(CAPTURED), "PURCHASE_SYNC_FIXTURES names no captures")
class CapturedReplay(unittest.TestCase):
    """One server for all; a database and a front for each history."""

    @classmethod
    def setUpClass(cls):
        cls.server = MariaDB()
        cls.addClassCleanup(cls.server.close)
        cls.deliveries = captured()

    def deployment(self, shop=None):
        source = {"webhook_secret_file": "captured.secret"}
        if shop:
            source.update({"api_url": shop.url, "api_key_file": "captured.key"})
        run = Deployment(self.server, {f"source {SOURCE}": source},
                         {"captured.secret": SECRET + "\n", "captured.key": "ck_1:cs_1\n"})
        run.migrate()
        run.apply_catalogue(CATALOGUE)
        run.ctl("link", USER, "-", "--why", "the buyer of the captures", stdin=BUYER + "\n")
        run.start_webhook()
        return run

    def shop(self):
        """The shop's API, as it answered when the captures were made."""
        shop = FakeShop()
        self.addCleanup(shop.close)
        rest = os.path.join(FIXTURES, "woocommerce", "captured-rest")
        for path, name in (("orders/12", "order12.json"), ("orders/12/refunds", "refunds12.json")):
            with open(os.path.join(rest, name), encoding="utf-8") as file:
                shop.answers[f"/wp-json/wc/v3/{path}"] = json.load(file)
        return shop

    def send(self, run, delivery, expected=None):
        name, headers, body = delivery
        status, answer = run.deliver(SOURCE, body, headers)
        self.assertEqual(status, 200, (name, answer))
        if expected:
            self.assertEqual(answer["status"], expected, name)

    def contributions(self, run):
        return run.server.rows(
            "SELECT order_id, line_id, entitlement_key, HEX(subject), subject_kind, state, quantity,"
            " starts_at, ends_at FROM contribution ORDER BY 1, 2, 3", run.database)

    def live(self, run):
        return {item["key"]: item["quantity"] for item in run.entitlements(USER)["entitlements"]}

    def settle(self, run):
        run.worker_once()
        run.ctl("rebuild", "--check")

    def walk(self, run, boards_after_line_refund):
        """The history in its order, and what is live after each step."""
        paid = {"extra-boards": 3, "icons-pro": 1}
        refunded = {"extra-boards": boards_after_line_refund, "icons-pro": 1}
        steps = {"05": {}, "06": {}, "07": paid, "08": paid, "09": refunded, "10": refunded}
        for delivery in self.deliveries:
            name = delivery[0]
            self.send(run, delivery, "ping" if name <= "04" else None)
            self.settle(run)
            self.assertEqual(self.live(run), steps.get(name, {}), f"after {name}")

    def test_each_step_without_the_api(self):
        """Refund 13 tells no lines: it takes nothing until the order is refunded whole."""
        with self.deployment() as run:
            self.walk(run, boards_after_line_refund=3)
            self.assertEqual(run.sql("SELECT reason, COUNT(*) FROM delivery"
                                     " WHERE state = 'set_aside' GROUP BY reason").strip(),
                             "needs_api_key\t1")

    def test_each_step_with_the_api(self):
        """The refunds endpoint tells that two of the three add-ons went back."""
        with self.deployment(self.shop()) as run:
            self.walk(run, boards_after_line_refund=1)
            self.assertEqual(run.sql("SELECT COUNT(*) FROM delivery WHERE state = 'set_aside'")
                             .strip(), "0")

    def orders(self):
        """In order, reversed, shuffled, each twice."""
        yield "in order", self.deliveries
        yield "reversed", self.deliveries[::-1]
        yield "each twice", [item for item in self.deliveries for _ in range(2)]
        for seed in range(3):
            shuffled = self.deliveries * (1 + seed % 2)
            random.Random(seed).shuffle(shuffled)
            yield f"shuffled {seed}", shuffled

    def replay(self, shop, name, deliveries):
        with self.deployment(shop) as run:
            for number, delivery in enumerate(deliveries):
                self.send(run, delivery)
                if number % 5 == 4:
                    run.worker_once()
            self.settle(run)
            ids = run.sql("SELECT id FROM delivery").split()
            run.ctl("deliveries", "replay", *ids)
            self.settle(run)
            self.assertEqual(self.live(run), {}, name)
            return self.contributions(run)

    def test_any_order_ends_the_same(self):
        ends = {}
        shop = self.shop()
        for name, deliveries in self.orders():
            ends[f"{name}, no API"] = self.replay(None, name, deliveries)
            ends[f"{name}, API"] = self.replay(shop, name, deliveries)
        subjects = {name: [[column for at, column in enumerate(row) if at != 3] for row in rows]
                    for name, rows in ends.items()}  # the index differs: each run has its own key
        first = subjects["in order, API"]
        self.assertTrue(first)
        for name, rows in subjects.items():
            self.assertEqual(rows, first, name)


if __name__ == "__main__":
    unittest.main(verbosity=2)
