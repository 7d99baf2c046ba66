"""The lives that orders of a WooCommerce shop lead, step by step and in any order."""

import os
import sys
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "property"))
from fake_miro import error  # noqa: E402
from fake_shop import Answer  # noqa: E402
from life import Life, catalogue  # noqa: E402
from payloads import DAY, stamp, woo_order, woo_refund  # noqa: E402

API, PLAIN, UNPAID = "woo", "woo-plain", "woo-unpaid"
ICONS = (1, 10, "ICONS", 1, 49.0)
BOARDS = (2, 11, "ADD-1", 3, 30.0)
GONE = Answer({"code": "woocommerce_rest_shop_order_invalid_id", "message": "Invalid ID.",
               "data": {"status": 404}}, 404)


class WooCommerceLife(Life):
    SOURCES = {API: {"provider": "woocommerce", "api": True}, PLAIN: {"provider": "woocommerce"},
               UNPAID: {"provider": "woocommerce", "unpaid_methods": "bacs cheque"}}

    def order(self, order_id, status, minute, lines=(ICONS, BOARDS), **more):
        more.setdefault("email", self.email)
        if status not in ("pending", "failed"):
            more.setdefault("paid", self.begin + 60)
        return woo_order(order_id, status, self.begin + minute * 60, lines, **more)

    def refund(self, refund_id, amount, minute, lines=()):
        return woo_refund(refund_id, amount, self.begin + minute * 60, lines)

    # Step by step

    def test_paid_refunded_by_line_by_amount_and_whole(self):
        self.link()
        order_id = self.new_id()
        lines = [self.refund(1, 20.0, 4, [(2, 11, 2)])]
        money = lines + [self.refund(2, 5.0, 5)]
        whole = money + [self.refund(3, 54.0, 6)]
        paid = {"icons": 1, "boards": 3}
        steps = [
            ("pending", "pending", 0, [], {}, {"icons": "pending", "boards": "pending"}),
            ("paid", "processing", 1, [], paid, {"icons": "active", "boards": "active"}),
            ("completed", "completed", 2, [], paid, {"icons": "active"}),
            ("on hold", "on-hold", 3, [], {}, {"icons": "pending"}),
            ("refunded by line", "completed", 4, lines, {"icons": 1, "boards": 1},
             {"boards": "active"}),
            ("refunded by amount", "completed", 5, money, {"icons": 1, "boards": 1},
             {"icons": "active"}),
            ("refunded whole", "refunded", 6, whole, {},
             {"icons": "refunded", "boards": "refunded", "support": "never_bought",
              "nothing": "unknown_key"}),
        ]
        for name, status, minute, refunds, live, reasons in steps:
            order = self.order(order_id, status, minute,
                               refunds=[(one["id"], float(one["amount"])) for one in refunds])
            self.shop.order(order)
            self.shop.refunds(order_id, refunds)
            self.post(API, order)
            self.settle()
            self.expect(live, reasons, name)

    def test_all_of_a_line_back_takes_that_line_alone(self):
        self.link()
        order_id = self.new_id()
        self.shop.refunds(order_id, [self.refund(7, 30.0, 2, [(2, 11, 3)])])
        self.post(API, self.order(order_id, "completed", 2, refunds=[(7, 30.0)]))
        self.settle()
        self.expect({"icons": 1}, {"boards": "refunded"})

    def test_a_refund_that_is_taken_back_gives_again(self):
        self.link()
        order_id = self.new_id()
        self.shop.refunds(order_id, [self.refund(8, 30.0, 2, [(2, 11, 3)])])
        self.post(API, self.order(order_id, "completed", 2, refunds=[(8, 30.0)]))
        self.settle()
        self.expect({"icons": 1})
        self.post(API, self.order(order_id, "completed", 3))
        self.settle()
        self.expect({"icons": 1, "boards": 3}, {"boards": "active"})

    def test_without_an_api_lines_stay_until_all_is_refunded(self):
        self.link()
        order_id = self.new_id()
        self.walk(PLAIN, [
            ("paid", [self.order(order_id, "processing", 1)], {"icons": 1, "boards": 3}, {}),
            ("some back", [self.order(order_id, "completed", 2, refunds=[(1, 20.0)])],
             {"icons": 1, "boards": 3}, {"boards": "active"}),
            ("amounts come to the whole", [self.order(order_id, "completed", 3,
                                                      refunds=[(1, 20.0), (2, 59.0)])],
             {}, {"icons": "refunded", "boards": "refunded"}),
        ])

    def test_cancelled_restored_binned_and_gone(self):
        self.link()
        order_id = self.new_id()
        everything = {"icons": 1, "boards": 3}

        def says(order):
            self.shop.answers[f"/wp-json/wc/v3/orders/{order_id}"] = order
            return order

        self.walk(API, [
            ("paid", [says(self.order(order_id, "processing", 1))], everything, {}),
            ("cancelled", [says(self.order(order_id, "cancelled", 2))], {},
             {"icons": "cancelled", "boards": "cancelled"}),
            ("failed", [says(self.order(order_id, "failed", 3))], {}, {"icons": "pending"}),
            ("paid again", [says(self.order(order_id, "completed", 4))], everything, {}),
        ])
        says(self.order(order_id, "trash", 5))
        self.walk(API, [("binned", [{"id": order_id}], {}, {"icons": "cancelled"})])
        self.walk(API, [("restored", [says(self.order(order_id, "completed", 6))], everything,
                         {})])
        says(GONE)
        self.post(API, {"id": order_id}, expected="duplicate")
        self.run_.worker_once()
        self.expect(everything, step="the same bytes wait for their minute")
        self.a_minute_passes()
        self.settle()
        self.expect({}, {"icons": "cancelled", "boards": "cancelled"}, "gone")

    def test_a_dispute_is_an_order_on_hold(self):
        """WooCommerce has no dispute of its own: gateways put the order on hold, or cancel it."""
        self.link()
        order_id = self.new_id()
        paid = {"icons": 1, "boards": 3}
        self.walk(PLAIN, [
            ("paid", [self.order(order_id, "processing", 1)], paid, {}),
            ("opened", [self.order(order_id, "on-hold", 2)], {}, {"icons": "pending"}),
            ("won", [self.order(order_id, "processing", 3)], paid, {"icons": "active"}),
            ("opened again", [self.order(order_id, "on-hold", 4)], {}, {"icons": "pending"}),
            ("lost", [self.order(order_id, "cancelled", 5)], {}, {"icons": "cancelled"}),
        ])

    def test_cash_on_delivery_is_paid_when_it_is_done(self):
        """Such an order is in `processing` from the start, and sent before it is paid."""
        self.link()
        order_id, method = self.new_id(), {"payment_method": "cod"}
        paid = {"icons": 1, "boards": 3}
        self.walk(PLAIN, [
            ("ordered", [self.order(order_id, "processing", 1, paid=None, **method)], {},
             {"icons": "pending", "boards": "pending"}),
            ("delivered and paid", [self.order(order_id, "completed", 2, **method)], paid, {}),
            ("given back", [self.order(order_id, "refunded", 3, refunds=[(1, 79.0)], **method)],
             {}, {"icons": "refunded"}),
        ])

    def test_a_bank_transfer_is_paid_when_the_seller_says_so(self):
        """It waits on hold; who moves it on has seen the money."""
        self.link()
        order_id, method = self.new_id(), {"payment_method": "bacs"}
        paid = {"icons": 1, "boards": 3}
        self.walk(PLAIN, [
            ("ordered", [self.order(order_id, "on-hold", 1, paid=None, **method)], {},
             {"icons": "pending"}),
            ("the money came", [self.order(order_id, "processing", 2, **method)], paid, {}),
        ])

    def test_unpaid_methods_of_a_source(self):
        self.link()
        transfer, cash = self.new_id(), self.new_id()
        self.walk(UNPAID, [
            ("listed", [self.order(transfer, "processing", 1, lines=[ICONS])], {},
             {"icons": "pending"}),
            ("done", [self.order(transfer, "completed", 2, lines=[ICONS])], {"icons": 1}, {}),
            ("not listed", [self.order(cash, "processing", 1, lines=[ICONS],
                                       payment_method="cod")], {"icons": 2}, {}),
        ])

    def test_a_free_order_gives_what_it_holds(self):
        """A coupon for everything: nothing was paid, and WooCommerce says that it is."""
        self.link()
        order_id, line = self.new_id(), (1, 10, "ICONS", 1, 0.0)
        self.walk(PLAIN, [
            ("ordered", [self.order(order_id, "processing", 1, lines=[line], payment_method="")],
             {"icons": 1}, {}),
            ("taken back", [self.order(order_id, "refunded", 2, lines=[line],
                                       payment_method="")], {}, {"icons": "refunded"}),
        ])

    def test_no_sync_touches_what_an_operator_gave(self):
        self.link()
        order_id = self.new_id()
        self.run_.ctl("grant", self.user, "icons", "--why", "a present")
        self.run_.ctl("grant", self.user, "support", "--until", "2099-01-01T00:00:00Z", "--why", "w")
        given = {"icons": 1, "support": 1}
        rows = ("SELECT HEX(grant_id), user_id, entitlement_key, quantity, ends_at, revoked_at"
                " FROM manual_grant ORDER BY 1")
        before = self.run_.sql(rows)
        self.walk(PLAIN, [
            ("bought too", [self.order(order_id, "processing", 1, lines=[ICONS])],
             {"icons": 2, "support": 1}, {}),
            ("all given back", [self.order(order_id, "refunded", 2, lines=[ICONS],
                                           refunds=[(1, 49.0)])], given, {"icons": "active"}),
            ("gone", [self.order(order_id, "trash", 3, lines=[ICONS])], given, {}),
        ])
        self.run_.ctl("rebuild")
        self.expect(given)
        self.assertEqual(self.run_.sql(rows), before)

    # Any order

    def test_any_order_with_lines_refunded_within_one_second(self):
        def life(order_id, email):
            last = self.order(order_id, "completed", 3, email=email,
                              refunds=[(1, 20.0), (2, 5.0)])
            self.shop.order(last)
            self.shop.refunds(order_id, [self.refund(1, 20.0, 3, [(2, 11, 2)]),
                                         self.refund(2, 5.0, 3)])
            return [self.order(order_id, "pending", 0, email=email),
                    self.order(order_id, "processing", 1, email=email),
                    self.order(order_id, "completed", 2, email=email),
                    self.order(order_id, "completed", 3, email=email, refunds=[(1, 20.0)]), last]
        self.permute(API, life, {"icons": 1, "boards": 1},
                     {("1", "icons"): ("active", 1), ("2", "boards"): ("active", 1)})

    def test_any_order_through_the_bin(self):
        def life(order_id, email):
            last = self.order(order_id, "processing", 5, email=email)
            self.shop.order(last)
            return [self.order(order_id, "pending", 0, email=email),
                    self.order(order_id, "processing", 1, email=email),
                    self.order(order_id, "cancelled", 2, email=email), {"id": order_id}, last]
        self.permute(API, life, {"icons": 1, "boards": 3},
                     {("1", "icons"): ("active", 1), ("2", "boards"): ("active", 3)})

    def test_every_order_of_six_webhooks(self):
        """Paid, a chargeback that the gateway puts on hold, won, and then two of the boards given back."""
        def life(order_id, email):
            last = self.order(order_id, "completed", 5, email=email, refunds=[(1, 20.0)])
            self.shop.order(last)
            self.shop.refunds(order_id, [self.refund(1, 20.0, 5, [(2, 11, 2)])])
            return [self.order(order_id, "pending", 0, email=email),
                    self.order(order_id, "processing", 1, email=email),
                    self.order(order_id, "completed", 2, email=email),
                    self.order(order_id, "on-hold", 3, email=email),
                    self.order(order_id, "completed", 4, email=email), last]
        for source, boards in ((API, 1), (PLAIN, 3)):  # what a refund gave back, the API alone tells
            with self.subTest(source):
                self.setUp()
                self.permute(source, life, {"icons": 1, "boards": boards},
                             {("1", "icons"): ("active", 1), ("2", "boards"): ("active", boards)})

    def test_any_order_to_a_whole_refund_without_an_api(self):
        def life(order_id, email):
            return [self.order(order_id, "pending", 0, email=email),
                    self.order(order_id, "processing", 1, email=email),
                    self.order(order_id, "completed", 2, email=email, refunds=[(1, 5.0)]),
                    self.order(order_id, "refunded", 3, email=email,
                               refunds=[(2, 74.0), (1, 5.0)])]
        self.permute(PLAIN, life, {},
                     {("1", "icons"): ("refunded", 0), ("2", "boards"): ("refunded", 0)})

    # What holds for orders together

    def test_another_order_keeps_what_it_gives(self):
        self.link()
        first, second = self.new_id(), self.new_id()
        other = (5, 12, "BUNDLE", 2, 80.0)
        self.walk(PLAIN, [
            ("both", [self.order(first, "processing", 1),
                      self.order(second, "processing", 1, lines=[other])],
             {"icons": 3, "boards": 3}, {}),
            ("one back", [self.order(first, "refunded", 2, refunds=[(1, 79.0)])], {"icons": 2},
             {"icons": "active", "boards": "refunded"}),
            ("both back", [self.order(second, "refunded", 2, lines=[other],
                                      refunds=[(2, 80.0)])], {}, {"icons": "refunded"}),
        ])

    def test_two_orders_under_one_delivery_id(self):
        """WooCommerce makes the id from the webhook and the second, so two orders can share it."""
        self.link()
        headers = {"X-WC-Webhook-Delivery-ID": "cdc20f6c2402239f76a07e20daf6b287",
                   "X-WC-Webhook-Topic": "order.updated", "X-WC-Webhook-ID": "3"}
        for order_id in (self.new_id(), self.new_id()):
            self.post(PLAIN, self.order(order_id, "processing", 1, lines=[ICONS]), headers)
        self.settle()
        self.expect({"icons": 2})

    def test_replays_are_duplicates(self):
        self.link()
        order = self.order(self.new_id(), "processing", 1)
        self.post(PLAIN, order)
        self.post(PLAIN, order, expected="duplicate")
        self.settle()
        self.post(PLAIN, order, expected="duplicate")
        self.a_minute_passes()
        self.settle()
        self.expect({"icons": 1, "boards": 3})

    def test_the_title_does_not_decide(self):
        """Topics are not signed: a body is what it says it is."""
        self.link()
        self.post(PLAIN, self.order(self.new_id(), "processing", 1),
                  {"X-WC-Webhook-Topic": "order.deleted"})
        self.settle()
        self.expect({"icons": 1, "boards": 3})

    # People

    def test_bought_before_the_install_counts_from_the_link(self):
        self.post(PLAIN, self.order(self.new_id(), "processing", 1,
                                    email=f" {self.email.upper()} "))
        self.settle()
        self.assertEqual(self.run_.entitlements(self.user)["identity"], {"state": "not_installed"})
        self.expect({}, {"icons": "never_bought"})
        self.install(self.email)
        self.expect({"icons": 1, "boards": 3}, {"icons": "active"})
        self.assertEqual(self.run_.entitlements(self.user)["identity"], {"state": "linked"})

    def test_losing_a_token_loses_nothing(self):
        self.install(None)
        self.assertEqual(self.run_.entitlements(self.user)["identity"], {"state": "no_email"})
        self.link()
        self.post(PLAIN, self.order(self.new_id(), "processing", 1))
        self.settle()
        before = {"icons": 1, "boards": 3}
        self.expect(before)
        self.miro.profile_says(error(401, "tokenNotProvided", "No token"))
        self.run_.sql(f"UPDATE miro_user SET profile_due_at = 0 WHERE user_id = '{self.user}'")
        self.settle()
        self.assertEqual(self.run_.sql("SELECT state FROM miro_token WHERE user_id ="
                                       f" '{self.user}'").strip(), "refused")
        self.assertEqual(self.run_.entitlements(self.user)["identity"], {"state": "reauthorize"})
        self.expect(before, {"icons": "active"})
        self.install(self.email)
        self.assertEqual(self.run_.entitlements(self.user)["identity"], {"state": "linked"})
        self.expect(before)

    # The catalogue, and time

    def test_a_new_catalogue_grants_what_was_bought_before_it(self):
        self.link()
        self.post(PLAIN, self.order(self.new_id(), "processing", 1,
                                    lines=[(1, 99, "CAP", 2, 10.0), (2, 77, "MUG", 1, 5.0)]))
        self.settle()
        self.expect({}, {"later": "never_bought"})
        self.addCleanup(self.run_.apply_catalogue, catalogue(self.SOURCES))
        self.run_.apply_catalogue(catalogue(self.SOURCES, later="99"))
        self.settle()
        self.expect({"later": 2}, {"later": "active"})

    def test_terms_and_grace(self):
        self.link()
        support = [(1, 30, "SUPPORT", 1, 9.0)]
        for days, live, reason, end in ((45, {}, "expired", 40 - 45),
                                        (35, {"support": 1}, "grace", 40 - 35),
                                        (10, {"support": 2}, "active", 30 - 10)):
            paid = self.now - days * DAY
            self.post(PLAIN, woo_order(self.new_id(), "completed", paid + 60, support, self.email,
                                       paid))
            self.settle()
            self.expect(live, {"support": reason}, days)
            answer = self.run_.entitlement("support", self.user)
            self.assertEqual(answer["expires_at"], stamp(self.now + end * DAY, "Z"), days)
        whole = self.run_.entitlements(self.user)["entitlements"]
        self.assertEqual(whole, [{"key": "support", "status": "active", "quantity": 2,
                                  "expires_at": stamp(self.now + 20 * DAY, "Z")}])


if __name__ == "__main__":
    unittest.main(verbosity=2)
