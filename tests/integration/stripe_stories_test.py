"""A Stripe account's sales, told by the sandbox: step by step, and in every order of their events.

An event of a checkout session carries no lines, and one of a subscription no address. So without an API key a single
purchase is known and gives nothing, while a subscription, whose lines and whose buyer stand in different events, works.
"""

import os
import sys
import time
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "property"))
from stories import BOARDS, ICONS, MAX, PRO, Stories  # noqa: E402
from waiting import wait_for  # noqa: E402

BOUGHT = {"icons": 1, "boards": 3}
BUY = {"items": [ICONS, BOARDS]}
ALL = {"all": True}
MONTH = {"items": [PRO], "subscription": {"days": 30}}
ACTIVE = {"pro": 2}


class StripeStories(Stories):
    PROVIDER = "stripe"
    KEY = "sk_live_0123456789abcdef"
    SETTINGS = {"live": "true"}

    @staticmethod
    def order_id(sale):
        if sale["subscription"]:
            return f"sub_Sandbox{sale['subscription']['id']:016}"
        return f"cs_live_Sandbox{sale['id'] * 10000:016}"

    def setUp(self):
        self.second = 0
        self.is_past = False

    def turn(self, source, sale, minute, do, body=None):
        """
        An answer of the API tells what is so now. So a step is lived now too, a second after the
        one before; only what is held and comes late anyway may lie in the past.
        """
        if self.is_past:
            return super().turn(source, sale, minute, do, body)
        wait_for(lambda: int(time.time()) > self.second, 5, "the next second")
        self.second = int(time.time())
        path = "sales" if do == "buy" else f"sales/{sale['id']}/{do}"
        return self.knob(path, {"source": source, **(body or {})})

    def settle(self):
        """What several events of one second leave open is asked about when that second is over."""
        wait_for(lambda: int(time.time()) > self.second, 5, "the next second")
        super().settle()
        self.second = int(time.time())

    def live_through(self, *arguments):
        self.is_past = True
        try:
            return super().live_through(*arguments)
        finally:
            self.is_past = False

    def purchase(self, steps):
        """With a key as it is told; without one nothing is ever live."""
        for source in self.sources:
            with self.subTest(source):
                if source == "keyed":
                    self.walk(source, steps)
                else:
                    self.walk(source, [step[:3] + ({}, None) for step in steps])

    def test_the_life_of_a_purchase(self):
        self.purchase([
            (0, "buy", {**BUY, "unpaid": True}, {}, None),
            (1, "pay", None, BOUGHT, {"icons": "active"}),
            (2, "refund", {"amount": "5.00"}, BOUGHT, {"icons": "active"}),
            (3, "dispute", {"inquiry": True}, BOUGHT, {"icons": "active"}),
            (4, "dispute", {"escalate": True}, {}, {"icons": "disputed"}),
            (5, "dispute-close", {"won": True}, BOUGHT, {"icons": "active"}),
            (6, "refund", {"all": True, "pending": True}, BOUGHT, {"icons": "active"}),
            (7, "refund-approve", {}, {}, {"icons": "refunded", "boards": "refunded"}),
            (8, "refund-fail", {}, BOUGHT, {"icons": "active"}),
        ])

    def test_a_payment_that_fails_and_a_dispute_that_is_lost(self):
        self.purchase([(0, "buy", {**BUY, "unpaid": True}, {}, None),
                       (1, "fail", None, {}, None)])
        self.purchase([(0, "buy", BUY, BOUGHT, {"icons": "active"}),
                       (1, "dispute", {}, {}, {"icons": "disputed"}),
                       (2, "dispute-close", {"won": False}, {}, {"icons": "disputed"})])

    def test_a_free_purchase(self):
        self.purchase([(0, "buy", {**BUY, "free": True}, BOUGHT, {"icons": "active"})])

    def test_a_subscription_through_every_state(self):
        """In the shape of basil with a key, in that before it without one."""
        for source in self.sources:
            with self.subTest(source):
                self.knob("stand", {"source": source, "old_shape": source == "plain"})
                self.addCleanup(self.knob, "stand", {"source": source, "old_shape": False})
                self.walk(source, [
                    (0, "buy", MONTH, ACTIVE, {"pro": "active"}),
                    (10, "past-due", None, ACTIVE, None),
                    (20, "renew", None, ACTIVE, {"pro": "active"}),
                    (30, "pause", None, {}, None),
                    (40, "resume", None, ACTIVE, {"pro": "active"}),
                    (50, "cancel", None, ACTIVE, None),
                    (60, "resume", None, ACTIVE, {"pro": "active"}),
                    (70, "change", {"quantity": 5}, {"pro": 5}, {"pro": "active"}),
                    (80, "change", {"items": [MAX]}, {"max": 1}, {"max": "active"}),
                    (90, "expire", None, {}, {"max": "expired"}),
                ])

    def test_a_trial(self):
        for source in self.sources:
            with self.subTest(source):
                self.walk(source, [
                    (0, "buy", {**MONTH, "subscription": {"trial_days": 7}}, ACTIVE, None),
                    (1, "cancel", None, ACTIVE, None),
                    (2, "expire", None, {}, {"pro": "expired"}),
                ])

    def test_every_order_of_what_is_bought_disputed_and_won(self):
        story = [(0, "buy", {**BUY, "unpaid": True}), (1, "pay", None), (2, "dispute", {}),
                 (3, "dispute-close", {"won": True})]
        self.permute("keyed", story, {"icons": ("active", 1), "boards": ("active", 3)}, 5)

    def test_every_order_of_what_ends_with_nothing(self):
        given_back = [(0, "buy", BUY), (1, "refund", {"amount": "5.00"}), (2, "refund", ALL)]
        self.permute("keyed", given_back, {"icons": ("refunded", 0), "boards": ("refunded", 0)}, 5)

    def test_every_order_of_a_subscription(self):
        story = [(0, "buy", MONTH), (10, "change", {"quantity": 5})]
        for source in self.sources:
            with self.subTest(source):
                self.permute(source, story, {"pro": ("active", 5)}, 5)


if __name__ == "__main__":
    unittest.main(verbosity=2)
