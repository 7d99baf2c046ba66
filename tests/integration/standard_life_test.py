"""The lives that orders in the project's own shape lead, step by step and in any order."""

import json
import os
import sys
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "property"))
from life import Life, catalogue  # noqa: E402
from payloads import DAY, stamp, standard_order  # noqa: E402

SHOP = "standard"
PAID = {"icons": 1, "boards": 3}


class StandardLife(Life):
    SOURCES = {SHOP: {"provider": "standard"}}

    def order(self, order_id, status, minute, back=(0, 0), **more):
        more.setdefault("email", self.email)
        if status in ("paid", "disputed", "refunded"):
            more.setdefault("paid", self.begin)
        lines = [("1", "10", "ICONS", 1, back[0]), ("2", "11", "ADD-1", 3, back[1])]
        return standard_order(f"A-{order_id}", status, self.begin + int(minute * 60), lines,
                              **more)

    # Step by step

    def test_paid_refunded_disputed_and_cancelled(self):
        self.link()
        order_id = self.new_id()
        rest = {"icons": 1, "boards": 1}
        self.walk(SHOP, [
            ("pending", [self.order(order_id, "pending", 0)], {},
             {"icons": "pending", "boards": "pending"}),
            ("paid", [self.order(order_id, "paid", 1)], PAID, {"icons": "active"}),
            ("two of three back", [self.order(order_id, "paid", 2, (0, 2))], rest,
             {"boards": "active"}),
            ("disputed", [self.order(order_id, "disputed", 3, (0, 2))], {},
             {"icons": "disputed", "boards": "disputed"}),
            ("an older paid late", [self.order(order_id, "paid", 2.5, (0, 2))], {},
             {"icons": "disputed"}),
            ("won", [self.order(order_id, "paid", 4, (0, 2))], rest, {"icons": "active"}),
            ("the rest of a line back", [self.order(order_id, "paid", 5, (0, 3))], {"icons": 1},
             {"boards": "refunded"}),
            ("cancelled", [self.order(order_id, "cancelled", 6, (0, 3))], {},
             {"icons": "cancelled"}),
            ("restored", [self.order(order_id, "paid", 7, (0, 3))], {"icons": 1}, {}),
            ("disputed again", [self.order(order_id, "disputed", 8, (0, 3))], {},
             {"icons": "disputed"}),
            ("lost: refunded", [self.order(order_id, "refunded", 9, (1, 3))], {},
             {"icons": "refunded", "boards": "refunded", "support": "never_bought"}),
        ])

    def test_refunded_whole_by_status_alone(self):
        self.link()
        order_id = self.new_id()
        self.walk(SHOP, [
            ("paid", [self.order(order_id, "paid", 1)], PAID, {}),
            ("refunded", [self.order(order_id, "refunded", 2)], {}, {"icons": "refunded"}),
            ("paid late", [self.order(order_id, "paid", 1.5)], {}, {"icons": "refunded"}),
        ])

    # Any order

    def test_any_order(self):
        def life(order_id, email):
            return [self.order(order_id, "pending", 0, email=email),
                    self.order(order_id, "paid", 1, email=email),
                    self.order(order_id, "disputed", 2, email=email),
                    self.order(order_id, "paid", 3, email=email),
                    self.order(order_id, "paid", 4, (0, 2), email=email)]
        self.permute(SHOP, life, {"icons": 1, "boards": 1},
                     {("1", "icons"): ("active", 1), ("2", "boards"): ("active", 1)})

    def test_any_order_within_one_second(self):
        """Where nothing is taken back, the greater word of a second is the later one."""
        def life(order_id, email):
            return [self.order(order_id, "pending", 1, email=email),
                    self.order(order_id, "paid", 1, email=email),
                    self.order(order_id, "paid", 1, (0, 1), email=email),
                    self.order(order_id, "paid", 1, (0, 3), email=email)]
        self.permute(SHOP, life, {"icons": 1},
                     {("1", "icons"): ("active", 1), ("2", "boards"): ("refunded", 0)})

    def test_any_order_to_the_end(self):
        def life(order_id, email):
            return [self.order(order_id, "pending", 0, email=email),
                    self.order(order_id, "paid", 1, email=email),
                    self.order(order_id, "cancelled", 2, email=email),
                    self.order(order_id, "refunded", 2, email=email)]
        self.permute(SHOP, life, {},
                     {("1", "icons"): ("refunded", 0), ("2", "boards"): ("refunded", 0)})

    # What holds for orders together

    def test_another_order_keeps_what_it_gives(self):
        self.link()
        first, second = self.new_id(), self.new_id()
        self.walk(SHOP, [
            ("both", [self.order(first, "paid", 1), self.order(second, "paid", 1)],
             {"icons": 2, "boards": 6}, {}),
            ("one back", [self.order(first, "refunded", 2)], PAID, {"icons": "active"}),
            ("both back", [self.order(second, "refunded", 2)], {}, {"icons": "refunded"}),
        ])

    def test_one_message_twice_and_one_body_in_two_messages(self):
        """The message's id is signed and tells replays; another message with the same words is another."""
        self.link()
        body = json.dumps(self.order(self.new_id(), "paid", 1)).encode()
        for message, expected in (("msg_one", "stored"), ("msg_one", "duplicate"),
                                  ("msg_two", "stored")):
            answer = self.run_.deliver_standard(body, SHOP, message_id=message)
            self.assertEqual(answer, {"status": expected})
        self.settle()
        self.expect(PAID)

    def test_bought_before_the_install_counts_from_the_link(self):
        self.post(SHOP, self.order(self.new_id(), "paid", 1, email=self.email.upper()))
        self.settle()
        self.expect({}, {"icons": "never_bought"})
        self.install(self.email)
        self.expect(PAID, {"icons": "active"})

    def test_a_tag_makes_another_address(self):
        self.link()
        name, _, domain = self.email.partition("@")
        self.walk(SHOP, [
            ("somebody else's", [self.order(self.new_id(), "paid", 1,
                                            email=f"{name}+tag@{domain}")], {},
             {"icons": "never_bought"})])
        self.link(f"{name}+tag@{domain}")
        self.expect(PAID)

    def test_a_corrected_address_moves_the_order(self):
        self.link()
        order_id = self.new_id()
        self.walk(SHOP, [
            ("mistyped", [self.order(order_id, "paid", 1, email=f"x{self.email}")], {}, {}),
            ("corrected", [self.order(order_id, "paid", 2)], PAID, {}),
            ("the mistyped one late", [self.order(order_id, "pending", 0,
                                                  email=f"x{self.email}")], PAID, {}),
            ("taken", [self.order(order_id, "paid", 3, email=None)], PAID, {}),
        ])

    def test_times_default_to_the_event_s(self):
        self.link()
        event = self.order(self.new_id(), "paid", 1, paid=None)
        del event["data"]["updated_at"], event["data"]["paid_at"]
        event["data"]["lines"].append({"id": "3", "product": "30", "quantity": 1})
        self.walk(SHOP, [("paid", [event], {**PAID, "support": 1}, {"support": "active"})])
        self.assertEqual(self.run_.entitlement("support", self.user)["expires_at"],
                         stamp(self.begin + 60 + 30 * DAY, "Z"))

    def test_a_new_catalogue_grants_what_was_bought_before_it(self):
        self.link()
        self.post(SHOP, standard_order(f"A-{self.new_id()}", "paid", self.begin,
                                       [("1", "99", "CAP", 2, 0)], self.email, self.begin))
        self.settle()
        self.expect({}, {"later": "never_bought"})
        self.addCleanup(self.run_.apply_catalogue, catalogue(self.SOURCES))
        self.run_.apply_catalogue(catalogue(self.SOURCES, later="99"))
        self.settle()
        self.expect({"later": 2}, {"later": "active"})

    def test_terms_and_grace(self):
        self.link()
        for days, live, reason, end in ((45, {}, "expired", 40 - 45),
                                        (35, {"support": 1}, "grace", 40 - 35),
                                        (10, {"support": 2}, "active", 30 - 10)):
            paid = self.now - days * DAY
            self.post(SHOP, standard_order(f"A-{self.new_id()}", "paid", paid + 60,
                                           [("1", "30", "SUPPORT", 1, 0)], self.email, paid))
            self.settle()
            self.expect(live, {"support": reason}, days)
            answer = self.run_.entitlement("support", self.user)
            self.assertEqual(answer["expires_at"], stamp(self.now + end * DAY, "Z"), days)


if __name__ == "__main__":
    unittest.main(verbosity=2)
