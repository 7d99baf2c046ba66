"""A Shopify shop's sales, told by the sandbox: step by step, and in every order of their webhooks."""

import os
import sys
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "property"))
from stories import BOARDS, ICONS, Stories  # noqa: E402

BOUGHT = {"icons": 1, "boards": 3}
REST = {"icons": 1, "boards": 1}
BUY = {"items": [ICONS, BOARDS], "unpaid": True}
TWO_BOARDS = {"items": [{"item": 1, "quantity": 2}]}


class ShopifyStories(Stories):
    PROVIDER = "shopify"
    KEY = "shpat_0123456789abcdef"
    SETTINGS = {"live": "true"}

    @staticmethod
    def order_id(sale):
        return 820000000000000000 + sale["id"] * 10000

    def test_the_life_of_an_order(self):
        for source in self.sources:
            with self.subTest(source):
                self.walk(source, [
                    (0, "buy", BUY, {}, {"icons": "pending", "boards": "pending"}),
                    (1, "pay", None, BOUGHT, {"icons": "active"}),
                    (2, "refund", TWO_BOARDS, REST, {"boards": "active"}),
                    (3, "refund", {"amount": "5.00"}, REST, {"icons": "active"}),
                    (4, "dispute", {"inquiry": True}, REST, {"icons": "active"}),
                    (5, "dispute", {"escalate": True}, {}, {"icons": "disputed"}),
                    (6, "dispute-close", {"won": True}, REST, {"icons": "active"}),
                    (7, "refund", {"all": True}, {}, {"icons": "refunded", "boards": "refunded"}),
                ])

    def test_a_dispute_that_is_lost_and_a_payment_that_fails(self):
        for source in self.sources:
            with self.subTest(source):
                self.walk(source, [
                    (0, "buy", {"items": [ICONS]}, {"icons": 1}, {"icons": "active"}),
                    (1, "dispute", {}, {}, {"icons": "disputed"}),
                    (2, "dispute-close", {"won": False}, {}, {"icons": "disputed"}),
                ])
                self.walk(source, [
                    (0, "buy", BUY, {}, {"icons": "pending"}),
                    (1, "fail", None, {}, {"icons": "cancelled"}),
                ])

    def test_every_order_of_six_webhooks(self):
        story = [(0, "buy", BUY), (1, "pay", None), (2, "refund", TWO_BOARDS),
                 (3, "dispute", {}), (4, "dispute-close", {"won": True})]
        for source in self.sources:
            with self.subTest(source):
                self.permute(source, story, {"icons": ("active", 1), "boards": ("active", 1)}, 6)

    def test_every_order_of_what_ends_with_nothing(self):
        whole = [(0, "buy", {"items": [ICONS, BOARDS]}), (1, "refund", TWO_BOARDS),
                 (2, "refund", {"all": True})]
        lost = [(0, "buy", BUY), (1, "pay", None), (2, "dispute", {}),
                (3, "dispute-close", {"won": False})]
        for source in self.sources:
            with self.subTest(source):
                self.permute(source, whole, {"icons": ("refunded", 0), "boards": ("refunded", 0)}, 5)
                self.permute(source, lost, {"icons": ("disputed", 0), "boards": ("disputed", 0)}, 4)


if __name__ == "__main__":
    unittest.main(verbosity=2)
