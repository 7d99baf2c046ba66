"""A Paddle shop's sales, told by the sandbox: step by step, and in every order of their notifications.

No notification of Paddle's tells an address, so without an API key a purchase belongs to whom the buyer reference names.
"""

import os
import sys
import unittest
from datetime import datetime, timedelta, timezone

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "property"))
from stories import BOARDS, ICONS, MAX, PRO, Stories  # noqa: E402

BOUGHT = {"icons": 1, "boards": 3}
BUY = {"items": [ICONS, BOARDS]}
MONTH = {"items": [PRO], "subscription": {"days": 30}}
ACTIVE = {"pro": 2}
BOARDS_BACK = {"items": [{"item": 1, "quantity": 3}]}


class PaddleStories(Stories):
    PROVIDER = "paddle"
    KEY = "pdl_live_apikey_0123456789"

    @staticmethod
    def order_id(sale):
        made = datetime.fromisoformat(sale["created"].replace("Z", "+00:00"))
        micros = (made - datetime(1970, 1, 1, tzinfo=timezone.utc)) // timedelta(microseconds=1)
        kind, part = ("txn", sale["id"] * 10000)
        if sale["subscription"]:
            kind, part = "sub", sale["subscription"]["id"]
        return f"{kind}_01{micros:017}z{part:014}"

    def stories(self, steps):
        """With a key as it is told; without one nobody owns anything."""
        for source in self.sources:
            with self.subTest(source):
                if source == "keyed":
                    self.walk(source, steps)
                else:
                    self.walk(source, [step[:3] + ({}, None) for step in steps])

    def test_the_life_of_a_purchase(self):
        self.stories([
            (0, "buy", {**BUY, "unpaid": True}, {}, None),
            (1, "pay", None, BOUGHT, {"icons": "active"}),
            (2, "refund", {"amount": "5.00"}, BOUGHT, {"icons": "active"}),
            (3, "dispute", {"inquiry": True}, BOUGHT, {"icons": "active"}),
            (4, "dispute", {"escalate": True}, {}, {"icons": "disputed"}),
            (5, "dispute-close", {"won": True}, BOUGHT, {"icons": "active"}),
            (6, "refund", BOARDS_BACK, {"icons": 1}, {"boards": "refunded"}),
            (7, "refund", {"all": True, "pending": True}, {"icons": 1}, {"icons": "active"}),
            (8, "refund-approve", {}, {}, {"icons": "refunded", "boards": "refunded"}),
            (9, "refund-fail", {}, {"icons": 1}, {"icons": "active"}),
        ])

    def test_a_payment_that_fails_and_a_dispute_that_is_lost(self):
        self.stories([(0, "buy", {**BUY, "unpaid": True}, {}, None),
                      (1, "fail", None, {}, None)])
        self.stories([(0, "buy", BUY, BOUGHT, {"icons": "active"}),
                      (1, "dispute", {}, {}, {"icons": "disputed"}),
                      (2, "dispute-close", {"won": False}, {}, {"icons": "disputed"})])

    def test_a_free_purchase(self):
        self.stories([(0, "buy", {**BUY, "free": True}, BOUGHT, {"icons": "active"})])

    def test_a_subscription_through_every_state(self):
        self.stories([
            (0, "buy", MONTH, ACTIVE, {"pro": "active"}),
            (10, "past-due", None, ACTIVE, None),
            (20, "renew", None, ACTIVE, {"pro": "active"}),
            (30, "pause", None, {}, None),
            (40, "resume", None, ACTIVE, {"pro": "active"}),
            (50, "cancel", None, ACTIVE, None),
            (60, "resume", None, ACTIVE, {"pro": "active"}),
            (70, "change", {"quantity": 5}, {"pro": 5}, {"pro": "active"}),
            (80, "change", {"items": [MAX]}, {"max": 1}, {"max": "active"}),
            (90, "renew", None, {"max": 1}, {"max": "active"}),
            (100, "expire", None, {}, {"max": "expired"}),
        ])

    def test_a_trial(self):
        self.stories([
            (0, "buy", {**MONTH, "subscription": {"trial_days": 7}}, ACTIVE, None),
            (1, "cancel", None, ACTIVE, None),
            (2, "expire", None, {}, {"pro": "expired"}),
        ])

    def test_every_order_of_what_is_bought_disputed_and_won(self):
        story = [(0, "buy", {**BUY, "unpaid": True}), (1, "pay", None), (2, "dispute", {}),
                 (3, "dispute-close", {"won": True})]
        self.permute("keyed", story, {"icons": ("active", 1), "boards": ("active", 3)}, 5)

    def test_every_order_of_what_ends_with_nothing(self):
        story = [(0, "buy", BUY), (1, "refund", BOARDS_BACK),
                 (2, "refund", {"all": True, "pending": True}), (3, "refund-approve", {})]
        self.permute("keyed", story, {"icons": ("refunded", 0), "boards": ("refunded", 0)}, 5)

    def test_every_order_of_a_subscription(self):
        story = [(0, "buy", MONTH), (10, "change", {"quantity": 5})]
        self.permute("keyed", story, {"pro": ("active", 5)}, 5)


if __name__ == "__main__":
    unittest.main(verbosity=2)
