"""Sales of a shop that signs as Standard Webhooks say, told by the sandbox: step by step, and in every order. Once in the
project's own order shape, once as Polar tells them."""

import os
import sys
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "property"))
from stories import BOARDS, ICONS, MAX, PRO, Stories  # noqa: E402

BUY = {"items": [ICONS, BOARDS], "unpaid": True}
BOUGHT = {"icons": 1, "boards": 3}
REST = {"icons": 1, "boards": 1}
TWO_BOARDS = {"items": [{"item": 1, "quantity": 2}]}
TERM = {"items": [PRO], "subscription": {"days": 30}}
TRIAL = {"items": [PRO], "subscription": {"days": 30, "trial_days": 7}}


class StandardStories(Stories):
    PROVIDER = "standard"
    KEY = None
    SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"

    @staticmethod
    def order_id(sale):
        return f"A-{sale['id']}"

    def walk_order(self):
        self.walk("plain", [
            (0, "buy", BUY, {}, {"icons": "pending", "boards": "pending"}),
            (1, "pay", None, BOUGHT, {"icons": "active"}),
            (2, "refund", TWO_BOARDS, REST, {"boards": "active"}),
            (3, "dispute", {"inquiry": True}, REST, {"icons": "active"}),
            (4, "dispute", {"escalate": True}, {}, {"icons": "disputed"}),
            (5, "dispute-close", {"won": True}, REST, {"icons": "active"}),
            (6, "refund", {"all": True}, {}, {"icons": "refunded", "boards": "refunded"}),
        ])

    def test_the_life_of_an_order(self):
        self.walk_order()

    def test_the_life_of_an_order_under_svix_s_header_names(self):
        self.knob("stand", {"source": "plain", "svix": True})
        self.addCleanup(self.knob, "stand", {"source": "plain", "svix": False})
        self.walk_order()

    def test_every_order_of_six_webhooks(self):
        story = [(0, "buy", BUY), (1, "pay", None), (2, "dispute", {}),
                 (3, "dispute-close", {"won": True}), (4, "refund", TWO_BOARDS),
                 (5, "email", {"email": None})]
        self.permute("plain", story[:5] + [(5, "refund", {"items": [{"item": 1}]})],
                     {"icons": ("active", 1), "boards": ("refunded", 0)}, 6)

    def test_every_order_of_a_dispute_that_is_lost(self):
        story = [(0, "buy", BUY), (1, "pay", None), (2, "dispute", {}),
                 (3, "dispute-close", {"won": False})]
        self.permute("plain", story, {"icons": ("disputed", 0), "boards": ("disputed", 0)}, 4)


class PolarStories(Stories):
    PROVIDER = "standard"
    KEY = None
    SECRET = "polar-secret-as-plain-text"
    MANNERS = {"polar": True}
    SETTINGS = {"secret_encoding": "raw"}

    @staticmethod
    def order_id(sale):
        term = sale["subscription"]
        return f"00000000-0000-4000-8000-{(term['id'] if term else sale['id'] * 10000 + 2):012}"

    def test_the_life_of_an_order(self):
        """Polar sells one thing at a time, and tells the seller of no dispute."""
        self.walk("plain", [
            (0, "buy", {"items": [BOARDS]}, {"boards": 3}, {"boards": "active"}),
            (1, "refund", {"amount": "10.00"}, {"boards": 3}, {"boards": "active"}),
            (2, "dispute", {}, {"boards": 3}, {"boards": "active"}),
            (3, "dispute-close", {"won": True}, {"boards": 3}, {"boards": "active"}),
            (4, "refund", {"all": True, "pending": True}, {"boards": 3}, {"boards": "active"}),
            (5, "refund-approve", {}, {}, {"boards": "refunded"}),
            (6, "refund-fail", {}, {"boards": 3}, {"boards": "active"}),
        ])

    def test_the_life_of_a_subscription(self):
        self.walk("plain", [
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

    def test_every_order_of_six_webhooks(self):
        story = [(0, "buy", TERM), (1, "renew", None), (2, "cancel", None)]
        self.permute("plain", story, {"pro": ("active", 2)}, 6)

    def test_every_order_of_a_refund(self):
        story = [(0, "buy", {"items": [BOARDS]}), (1, "refund", {"amount": "10.00"}),
                 (2, "refund", {"all": True})]
        self.permute("plain", story, {"boards": ("refunded", 0)}, 5)


if __name__ == "__main__":
    unittest.main(verbosity=2)
