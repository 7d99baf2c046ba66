"""A FastSpring store's orders and subscriptions, told by the sandbox: step by step, and in every order of their webhooks."""

import os
import sys
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "property"))
from stories import BOARDS, ICONS, MAX, PRO, Stories  # noqa: E402

BOUGHT = {"icons": 1, "boards": 3}
REST = {"icons": 1, "boards": 1}
BUY = {"items": [ICONS, BOARDS], "unpaid": True}
TWO_BOARDS = {"items": [{"item": 1, "quantity": 2}]}
TERM = {"items": [PRO], "subscription": {"days": 30}}
TRIAL = {"items": [PRO], "subscription": {"days": 30, "trial_days": 7}}


class FastSpringStories(Stories):
    PROVIDER = "fastspring"
    KEY = "user:password-of-the-store"
    SETTINGS = {"live": "true"}

    @staticmethod
    def order_id(sale):
        term = sale["subscription"]
        return f"U{term['id']}" if term else f"O{sale['id']}"

    def test_the_life_of_an_order(self):
        for source in self.sources:
            with self.subTest(source):
                self.walk(source, [
                    (0, "buy", BUY, {}, {"icons": "pending", "boards": "pending"}),
                    (1, "pay", None, BOUGHT, {"icons": "active"}),
                    (2, "refund", TWO_BOARDS, REST, {"boards": "active"}),
                    (3, "refund", {"amount": "5.00"}, REST, {"icons": "active"}),
                    (4, "dispute", {}, {}, {"icons": "disputed"}),
                    (5, "dispute-close", {"won": True}, REST, {"icons": "active"}),
                    (6, "refund", {"all": True}, {}, {"icons": "refunded", "boards": "refunded"}),
                ])
                self.walk(source, [
                    (0, "buy", {"items": [ICONS]}, {"icons": 1}, {"icons": "active"}),
                    (1, "dispute", {}, {}, {"icons": "disputed"}),
                    (2, "dispute-close", {"won": False}, {}, {"icons": "disputed"}),
                ])

    def walk_term(self, source):
        self.walk(source, [
            (0, "buy", TRIAL, {"pro": 2}, {"pro": "active"}),
            (1, "renew", None, {"pro": 2}, {"pro": "active"}),
            (2, "past-due", None, {"pro": 2}, {"pro": "grace"}),
            (3, "renew", None, {"pro": 2}, {"pro": "active"}),
            (4, "change", {"quantity": 5}, {"pro": 5}, {"pro": "active"}),
            (5, "change", {"items": [MAX]}, {"max": 1}, {"max": "active"}),
            (6, "pause", None, {}, {"max": "expired"}),
            (7, "resume", None, {"max": 1}, {"max": "active"}),
            (8, "cancel", None, {"max": 1}, {"max": "active"}),
            (9, "resume", None, {"max": 1}, {"max": "active"}),
            (10, "cancel", None, {"max": 1}, {"max": "active"}),
            (11, "expire", None, {}, {"max": "expired"}),
        ])

    def test_the_life_of_a_subscription(self):
        for source in self.sources:
            with self.subTest(source):
                self.walk_term(source)

    def test_the_life_of_a_subscription_with_objects_for_ids(self):
        """Webhook expansion puts objects in the places of their ids."""
        for source in self.sources:
            self.knob("stand", {"source": source, "expanded": True})
            self.addCleanup(self.knob, "stand", {"source": source, "expanded": False})
            with self.subTest(source):
                self.walk_term(source)

    def test_a_renewal_that_is_given_back(self):
        for source in self.sources:
            with self.subTest(source):
                self.walk(source, [
                    (0, "buy", TERM, {"pro": 2}, {"pro": "active"}),
                    (1, "renew", None, {"pro": 2}, {"pro": "active"}),
                    (2, "refund", {"all": True}, {}, {"pro": "refunded"}),
                    (3, "renew", None, {"pro": 2}, {"pro": "active"}),
                ])

    def test_every_order_of_six_webhooks(self):
        story = [(0, "buy", BUY), (1, "pay", None), (2, "refund", TWO_BOARDS),
                 (3, "dispute", {}), (4, "dispute-close", {"won": True}),
                 (5, "refund", {"amount": "5.00"})]
        for source in self.sources:
            with self.subTest(source):
                self.permute(source, story, {"icons": ("active", 1), "boards": ("active", 1)}, 6)

    def test_every_order_of_a_subscription(self):
        story = [(0, "buy", TERM), (1, "past-due", None), (2, "renew", None),
                 (3, "cancel", None)]
        gone = [(0, "buy", TERM), (1, "renew", None), (2, "refund", {"all": True})]
        for source in self.sources:
            with self.subTest(source):
                self.permute(source, story, {"pro": ("active", 2)}, 4)
                self.permute(source, gone, {"pro": ("refunded", 0)}, 3)


if __name__ == "__main__":
    unittest.main(verbosity=2)
