"""A Gumroad account's sales and memberships, told by the sandbox: step by step, and in every order of the pings."""

import os
import sys
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "property"))
from stories import BOARDS, ICONS, MAX, PRO, Stories  # noqa: E402

TERM = {"items": [PRO], "subscription": {"days": 30}}
TRIAL = {"items": [PRO], "subscription": {"days": 30, "trial_days": 7}}


class GumroadStories(Stories):
    PROVIDER = "gumroad"
    KEY = "access-token-of-the-account"
    SECRET = "address-secret-of-{}"
    SETTINGS = {"live": "true"}
    READ_BY_SECONDS = True
    SOURCES = ("keyed",)  # without a key nothing a ping says is believed, and no such source starts

    @staticmethod
    def order_id(sale):
        term = sale["subscription"]
        return f"U{term['id']}==" if term else f"S{sale['items'][0]['item']}=="

    def test_the_life_of_a_sale(self):
        """Each thing bought is a sale of its own; of a part that went back nothing is told."""
        self.walk("keyed", [
            (0, "buy", {"items": [ICONS, BOARDS], "unpaid": True}, {},
             {"icons": "never_bought"}),
            (1, "pay", None, {"icons": 1, "boards": 3}, {"icons": "active"}),
            (2, "refund", {"items": [{"item": 1, "quantity": 2}]}, {"icons": 1, "boards": 3},
             {"boards": "active"}),
            (3, "dispute", {}, {}, {"icons": "disputed", "boards": "disputed"}),
            (4, "dispute-close", {"won": True}, {"icons": 1, "boards": 3}, {"icons": "active"}),
            (5, "refund", {"items": [{"item": 1, "quantity": 1}]}, {"icons": 1},
             {"boards": "refunded"}),
            (6, "refund", {"all": True}, {}, {"icons": "refunded", "boards": "refunded"}),
        ])
        self.walk("keyed", [
            (0, "buy", {"items": [ICONS]}, {"icons": 1}, {"icons": "active"}),
            (1, "dispute", {}, {}, {"icons": "disputed"}),
            (2, "dispute-close", {"won": False}, {}, {"icons": "disputed"}),
        ])

    def test_the_life_of_a_membership(self):
        """A payment that fails is tried again without a word, and there is no pause. Another tier or
        number of seats comes with the payment for it."""
        self.walk("keyed", [
            (0, "buy", TRIAL, {"pro": 2}, {"pro": "active"}),
            (1, "renew", None, {"pro": 2}, {"pro": "active"}),
            (2, "past-due", None, {"pro": 2}, {"pro": "active"}),
            (3, "renew", None, {"pro": 2}, {"pro": "active"}),
            (4, "change", {"quantity": 5}, None, None),
            (5, "renew", None, {"pro": 5}, {"pro": "active"}),
            (6, "change", {"items": [MAX]}, None, None),
            (7, "renew", None, {"max": 1}, {"max": "active"}),
            (8, "cancel", None, {"max": 1}, {"max": "active"}),
            (9, "resume", None, {"max": 1}, {"max": "active"}),
            (10, "cancel", None, {"max": 1}, {"max": "active"}),
            (11, "expire", None, {}, {"max": "expired"}),
        ])
        self.walk("keyed", [
            (0, "buy", TERM, {"pro": 2}, {"pro": "active"}),
            (1, "past-due", None, {"pro": 2}, {"pro": "active"}),
            (2, "expire", None, {}, {"pro": "expired"}),
        ])

    def test_every_order_of_six_pings(self):
        story = [(0, "buy", TERM), (1, "renew", None), (2, "cancel", None), (3, "resume", None),
                 (4, "dispute", {}), (5, "dispute-close", {"won": True})]
        self.permute("keyed", story, {"pro": ("active", 2)}, 6)

    def test_every_order_of_what_ends_with_nothing(self):
        refunded = [(0, "buy", {"items": [ICONS]}), (1, "dispute", {}),
                    (2, "dispute-close", {"won": True}), (3, "refund", {"all": True})]
        lost = [(0, "buy", {"items": [ICONS]}), (1, "dispute", {}),
                (2, "dispute-close", {"won": False})]
        ended = [(0, "buy", TRIAL), (1, "renew", None), (2, "cancel", None), (3, "expire", None)]
        self.permute("keyed", refunded, {"icons": ("refunded", 0)}, 4)
        self.permute("keyed", lost, {"icons": ("disputed", 0)}, 2)
        self.permute("keyed", ended, {"pro": ("active", 2)}, 4, over=True)


if __name__ == "__main__":
    unittest.main(verbosity=2)
