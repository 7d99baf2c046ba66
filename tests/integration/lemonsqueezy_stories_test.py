"""A Lemon Squeezy store's sales and subscriptions, told by the sandbox: step by step, and in every order of their webhooks."""

import os
import sys
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "property"))
from stories import BOARDS, ICONS, MAX, PRO, Stories  # noqa: E402

BOUGHT = {"icons": 1, "boards": 3}
TERM = {"items": [PRO], "subscription": {"days": 30}}
TRIAL = {"items": [PRO], "subscription": {"days": 30, "trial_days": 7}}


class LemonSqueezyStories(Stories):
    PROVIDER = "lemonsqueezy"
    KEY = "eyJ0eXAiOiJKV1QiLCJhbGciOiJSUzI1NiJ9.key.of-the-store"
    SECRET = "secret-of-{}"
    SETTINGS = {"live": "true"}

    @staticmethod
    def order_id(sale):
        term = sale["subscription"]
        return f"sub_{term['id']}" if term else sale["id"]

    def test_the_life_of_an_order(self):
        """Money goes back by amount; of a dispute Lemon Squeezy tells nobody."""
        for source, bought in (("keyed", BOUGHT), ("plain", {"icons": 1})):
            with self.subTest(source):
                self.walk(source, [
                    (0, "buy", {"items": [ICONS, BOARDS], "unpaid": True}, {},
                     {"icons": "pending"}),
                    (1, "pay", None, bought, {"icons": "active"}),
                    (2, "refund", {"amount": "20.00"}, bought, {"icons": "active"}),
                    (3, "dispute", {}, bought, {"icons": "active"}),
                    (4, "dispute-close", {"won": True}, bought, {"icons": "active"}),
                    (5, "refund", {"all": True}, {}, {"icons": "refunded"}),
                ])

    def test_the_life_of_a_subscription(self):
        for source in self.sources:
            with self.subTest(source):
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

    def test_a_renewal_that_is_given_back(self):
        for source in self.sources:
            with self.subTest(source):
                self.walk(source, [
                    (0, "buy", TERM, {"pro": 2}, {"pro": "active"}),
                    (1, "renew", None, {"pro": 2}, {"pro": "active"}),
                    (2, "refund", {"amount": "5.00"}, {"pro": 2}, {"pro": "active"}),
                    (3, "refund", {"all": True}, {}, {"pro": "refunded"}),
                    (4, "renew", None, {"pro": 2}, {"pro": "active"}),
                ])

    def test_every_order_of_six_webhooks(self):
        """A trial begins, falls due and ends; what ends a contribution is its date."""
        story = [(0, "buy", TRIAL), (1, "past-due", None), (2, "expire", None)]
        for source in self.sources:
            with self.subTest(source):
                self.permute(source, story, {"pro": ("active", 2)}, 6, over=True)

    def test_every_order_of_a_refund(self):
        partial = [(0, "buy", {"items": [ICONS, BOARDS], "unpaid": True}), (1, "pay", None),
                   (2, "refund", {"amount": "20.00"})]
        whole = partial + [(3, "refund", {"all": True})]
        boards = {"keyed": {"boards": ("active", 3)}, "plain": {}}
        gone = {"keyed": {"boards": ("refunded", 0)}, "plain": {}}
        for source in self.sources:
            with self.subTest(source):
                self.permute(source, partial, {"icons": ("active", 1), **boards[source]}, 3)
                self.permute(source, whole, {"icons": ("refunded", 0), **gone[source]}, 4)

    def test_every_order_of_a_renewal_that_is_given_back(self):
        story = [(0, "buy", TRIAL), (1, "renew", None), (2, "refund", {"all": True})]
        for source in self.sources:
            with self.subTest(source):
                self.permute(source, story, {"pro": ("refunded", 0)}, 5)


if __name__ == "__main__":
    unittest.main(verbosity=2)
