"""The lives that orders of a Shopify shop lead, step by step and in any order."""

import os
import sys
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "property"))
from life import Life, catalogue  # noqa: E402
from payloads import DAY, shopify_dispute, shopify_order, shopify_refund, stamp  # noqa: E402

SHOP = "shopify"
PAID = {"icons": 1, "boards": 3}


class ShopifyLife(Life):
    SOURCES = {SHOP: {"provider": "shopify", "live": "true"}}

    def order(self, order_id, status, minute, left=(1, 3), **more):
        more.setdefault("email", self.email)
        lines = [(1, 10, "ICONS", 1, left[0], 49.0), (2, 11, "ADD-1", 3, left[1], 10.0)]
        return shopify_order(order_id, status, self.at(minute), lines, **more)

    def at(self, minute):
        return self.begin + int(minute * 60)

    def refund(self, refund_id, order_id, minute, amount, lines=()):
        return shopify_refund(refund_id, order_id, self.at(minute), amount, lines)

    # Step by step

    def test_paid_refunded_by_line_by_amount_and_whole(self):
        self.link()
        order_id = self.new_id()
        lines = [self.refund(11, order_id, 3, 20.0, [(2, 2)])]
        money = lines + [self.refund(12, order_id, 4, 5.0)]
        whole = money + [self.refund(13, order_id, 5, 54.0, [(1, 1), (2, 1)])]
        self.walk(SHOP, [
            ("pending", [self.order(order_id, "pending", 0)], {},
             {"icons": "pending", "boards": "pending"}),
            ("authorized", [self.order(order_id, "authorized", 1)], {}, {"icons": "pending"}),
            ("paid", [self.order(order_id, "paid", 2)], PAID, {"icons": "active"}),
            ("refunded by line", [lines[0], self.order(order_id, "partially_refunded", 3, (1, 1),
                                                       refunds=lines)],
             {"icons": 1, "boards": 1}, {"boards": "active"}),
            ("refunded by amount", [money[1], self.order(order_id, "partially_refunded", 4, (1, 1),
                                                         refunds=money)],
             {"icons": 1, "boards": 1}, {"icons": "active"}),
            ("refunded whole", [whole[2], self.order(order_id, "refunded", 5, (0, 0),
                                                     refunds=whole)],
             {}, {"icons": "refunded", "boards": "refunded", "support": "never_bought"}),
        ])

    def test_refunds_that_come_by_themselves(self):
        """refunds/create is enough, whether before its order or after."""
        self.link()
        order_id = self.new_id()
        self.walk(SHOP, [
            ("refund first", [self.refund(21, order_id, 3, 20.0, [(2, 2)])], {},
             {"boards": "never_bought"}),
            ("then its order", [self.order(order_id, "paid", 2)], {"icons": 1, "boards": 1}, {}),
            ("the rest of a line", [self.refund(22, order_id, 4, 10.0, [(2, 1)])], {"icons": 1},
             {"boards": "refunded"}),
            ("the same again", [self.refund(22, order_id, 4, 10.0, [(2, 1)])], {"icons": 1}, {}),
            ("the rest by amount", [self.refund(23, order_id, 5, 49.0)], {},
             {"icons": "refunded", "boards": "refunded"}),
        ])

    def test_a_refund_that_failed_moves_no_money(self):
        self.link()
        order_id = self.new_id()
        failed = self.refund(31, order_id, 3, 79.0)
        failed["transactions"][0]["status"] = "failure"
        self.walk(SHOP, [("paid", [self.order(order_id, "paid", 2), failed], PAID, {})])

    def test_cancelled_and_voided(self):
        self.link()
        order_id, other = self.new_id(), self.new_id()
        self.walk(SHOP, [
            ("paid", [self.order(order_id, "paid", 1)], PAID, {}),
            ("cancelled", [self.order(order_id, "paid", 2, cancelled=self.at(2))], {},
             {"icons": "cancelled"}),
            ("an old one late", [self.order(order_id, "paid", 1.5)], {}, {"icons": "cancelled"}),
            ("reopened", [self.order(order_id, "paid", 3)], PAID, {"icons": "active"}),
            ("voided", [self.order(other, "voided", 3)], PAID, {}),
        ])

    def test_disputes(self):
        self.link()
        order_id = self.new_id()
        opened, won = self.at(3), self.at(4)

        def dispute(number, status, start, end=None, kind="chargeback"):
            return shopify_dispute(100 + number, order_id, status, start, end, kind)
        self.walk(SHOP, [
            ("dispute first", [dispute(1, "needs_response", opened)], {},
             {"icons": "never_bought"}),
            ("then its order", [self.order(order_id, "paid", 2)], {},
             {"icons": "disputed", "boards": "disputed"}),
            ("a later paid changes nothing", [self.order(order_id, "paid", 3.5)], {},
             {"icons": "disputed"}),
            ("under review", [dispute(1, "under_review", opened)], {}, {"icons": "disputed"}),
            ("won", [dispute(1, "won", opened, won)], PAID, {"icons": "active"}),
            ("an old word late", [dispute(1, "needs_response", opened)], PAID, {}),
            ("an inquiry takes nothing", [dispute(2, "needs_response", self.at(5),
                                                  kind="inquiry")], PAID, {}),
            ("it becomes a chargeback", [dispute(2, "needs_response", self.at(5))], {},
             {"icons": "disputed"}),
            ("lost", [dispute(2, "lost", self.at(5), self.at(6))], {}, {"icons": "disputed"}),
            ("paid once more", [self.order(order_id, "paid", 7)], {}, {"icons": "disputed"}),
        ])

    # Any order

    def test_any_order_with_refunds(self):
        def life(order_id, email):
            one = self.refund(1, order_id, 2, 20.0, [(2, 2)])
            return [self.order(order_id, "pending", 0, email=email),
                    self.order(order_id, "paid", 1, email=email), one,
                    self.order(order_id, "partially_refunded", 2, (1, 1), refunds=[one],
                               email=email),
                    self.refund(2, order_id, 3, 10.0, [(2, 1)])]
        self.permute(SHOP, life, {"icons": 1},
                     {("1", "icons"): ("active", 1), ("2", "boards"): ("refunded", 0)})

    def test_any_order_with_a_dispute_that_is_won_at_once(self):
        def life(order_id, email):
            opened = self.at(2)
            number = order_id % 1000003
            return [self.order(order_id, "pending", 0, email=email),
                    self.order(order_id, "paid", 1, email=email),
                    shopify_dispute(number, order_id, "needs_response", opened),
                    shopify_dispute(number, order_id, "won", opened, opened),
                    self.order(order_id, "paid", 2, email=email)]
        self.permute(SHOP, life, PAID,
                     {("1", "icons"): ("active", 1), ("2", "boards"): ("active", 3)})

    def test_any_order_with_a_dispute_that_is_lost(self):
        def life(order_id, email):
            return [self.order(order_id, "paid", 1, email=email),
                    shopify_dispute(5, order_id, "needs_response", self.at(2)),
                    shopify_dispute(5, order_id, "lost", self.at(2), self.at(2)),
                    self.order(order_id, "paid", 3, email=email)]
        self.permute(SHOP, life, {},
                     {("1", "icons"): ("disputed", 0), ("2", "boards"): ("disputed", 0)})

    def test_any_order_of_all_within_one_second(self):
        """Money goes back, then a free item, which moves no money: the later list counts."""
        def life(order_id, email):
            one = self.refund(1, order_id, 1, 49.0, [(1, 1)])
            free = self.refund(2, order_id, 1, 0.0, [(3, 1)])

            def order(status, left, refunds):
                lines = [(1, 10, "ICONS", 1, left[0], 49.0), (2, 11, "ADD-1", 3, 3, 10.0),
                         (3, 12, "GIFT", 2, left[1], 0.0)]
                return shopify_order(order_id, status, self.at(1), lines, email, refunds)
            return [order("pending", (1, 2), []), order("paid", (1, 2), []),
                    order("partially_refunded", (0, 2), [one]),
                    order("partially_refunded", (0, 1), [one, free])]
        self.permute(SHOP, life, {"boards": 3, "icons": 1},
                     {("1", "icons"): ("refunded", 0), ("2", "boards"): ("active", 3),
                      ("3", "icons"): ("active", 1)})

    # What holds for orders together

    def test_another_order_keeps_what_it_gives(self):
        self.link()
        first, second = self.new_id(), self.new_id()
        self.walk(SHOP, [
            ("both", [self.order(first, "paid", 1), self.order(second, "paid", 1)],
             {"icons": 2, "boards": 6}, {}),
            ("one back", [self.refund(1, first, 2, 79.0)], PAID, {"icons": "active"}),
            ("the other disputed", [shopify_dispute(9, second, "needs_response", self.at(2))], {},
             {"icons": "disputed"}),
        ])

    def test_replays_are_duplicates(self):
        self.link()
        order = self.order(self.new_id(), "paid", 1)
        self.post(SHOP, order)
        self.post(SHOP, order, {"X-Shopify-Event-Id": "another"}, expected="duplicate")
        self.settle()
        self.expect(PAID)

    def test_bought_before_the_install_counts_from_the_link(self):
        self.post(SHOP, self.order(self.new_id(), "paid", 1, email=self.email.title()))
        self.settle()
        self.expect({}, {"icons": "never_bought"})
        self.install(self.email)
        self.expect(PAID, {"icons": "active"})

    def test_the_order_s_own_address_counts(self):
        """Then the one to contact, then the customer's; and without any it waits for one."""
        self.link()
        others = {"contact_email": "contact@example.test", "customer": {"email": "c@example.test"}}
        first, second, third = self.new_id(), self.new_id(), self.new_id()
        self.walk(SHOP, [
            ("the order's", [self.order(first, "paid", 1, **others)], PAID, {}),
            ("to contact", [self.order(second, "paid", 1, email=None, contact_email=self.email)],
             {"icons": 2, "boards": 6}, {}),
            ("the customer's", [self.order(third, "paid", 1, email=None,
                                           customer={"email": self.email})],
             {"icons": 3, "boards": 9}, {}),
            ("it is taken", [self.order(third, "paid", 2, email=None)],
             {"icons": 3, "boards": 9}, {}),
        ])

    def test_a_new_catalogue_grants_what_was_bought_before_it(self):
        self.link()
        lines = [(1, 99, "CAP", 2, 2, 10.0)]
        self.post(SHOP, shopify_order(self.new_id(), "paid", self.at(1), lines, self.email))
        self.settle()
        self.expect({}, {"later": "never_bought"})
        self.addCleanup(self.run_.apply_catalogue, catalogue(self.SOURCES))
        self.run_.apply_catalogue(catalogue(self.SOURCES, later="99"))
        self.settle()
        self.expect({"later": 2}, {"later": "active"})

    def test_terms_and_grace(self):
        self.link()
        lines = [(1, 30, "SUPPORT", 1, 1, 9.0)]
        for days, live, reason, end in ((45, {}, "expired", 40 - 45),
                                        (35, {"support": 1}, "grace", 40 - 35),
                                        (10, {"support": 2}, "active", 30 - 10)):
            paid = self.now - days * DAY
            self.post(SHOP, shopify_order(self.new_id(), "paid", paid + 60, lines, self.email,
                                          processed_at=stamp(paid, "Z")))
            self.settle()
            self.expect(live, {"support": reason}, days)
            answer = self.run_.entitlement("support", self.user)
            self.assertEqual(answer["expires_at"], stamp(self.now + end * DAY, "Z"), days)


if __name__ == "__main__":
    unittest.main(verbosity=2)
