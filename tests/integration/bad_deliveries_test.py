"""What the workers do with deliveries, and with answers of shops, that are not what they should be.

Nothing is lost and nothing blocks what comes behind it: what cannot be used is set aside with its reason.
"""

import json
import os
import sys
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "property"))
from fake_shop import Answer  # noqa: E402
from life import Life  # noqa: E402
from payloads import (DAY, shopify_order, shopify_refund, standard_order, woo_order,  # noqa: E402
                      woo_refund)
from signing import sign_standard  # noqa: E402

WOO, PLAIN, SHOPIFY, TRIAL, STANDARD = "woo", "woo-plain", "shopify", "shopify-trial", "standard"
ICONS = (1, 10, "ICONS", 1, 49.0)
BOARDS = (2, 11, "ADD-1", 3, 30.0)
CANNOT_VIEW = {"code": "woocommerce_rest_cannot_view",
               "message": "Sorry, you cannot view this resource.", "data": {"status": 401}}
HTML = b"<!DOCTYPE html><html><body>One moment, please</body></html>"


class BadDeliveries(Life):
    SOURCES = {WOO: {"provider": "woocommerce", "api": True}, PLAIN: {"provider": "woocommerce"},
               SHOPIFY: {"provider": "shopify", "live": "true"},
               TRIAL: {"provider": "shopify", "live": "false"}, STANDARD: {"provider": "standard"}}

    def setUp(self):
        super().setUp()
        self.look()

    def order(self, order_id, status="processing", minute=1, lines=(ICONS,), **more):
        more.setdefault("email", self.email)
        if status != "pending":
            more.setdefault("paid", self.begin)
        return woo_order(order_id, status, self.begin + minute * 60, lines, **more)

    def details(self):
        return self.server.rows("SELECT state, reason, COALESCE(detail, '') FROM delivery"
                                f" WHERE id > {self.seen} ORDER BY id", self.run_.database)

    # Bodies that are none

    def test_what_is_not_an_order_is_set_aside_and_blocks_nothing(self):
        """A validly signed body is stored, whatever it holds."""
        self.link()
        whole = json.dumps(self.order(self.new_id())).encode()
        deep = b'{"id":' + b"[" * 5000 + b"]" * 5000 + b"}"
        bad = {
            PLAIN: [b"", b" ", b"no JSON", b"\x00", b"{}\x00", b"\xff\xfe{}", b"null", b"[]", b"17",
                    b'"id"', whole[:-1], whole + b"}", b"{" * 1000, deep,
                    b'{"id":1,"status":"\xc3\x28","line_items":[]}',
                    whole.replace(b'"processing"', b'"proc\xed\xa0\x80essing"'),
                    b'{"id":"1\\u00002","status":"completed","line_items":[]}',
                    b'{"id":1.5,"status":"completed","line_items":[]}',
                    b'{"id":{},"status":"completed","line_items":[]}',
                    b'{"id":99999999999999999999,"status":"completed","line_items":[]}',
                    json.dumps(self.order("x" * 129)).encode(),
                    json.dumps(self.order(1, lines=(ICONS, ICONS))).encode(),
                    json.dumps(self.order(1, lines=[(1, 10, "S", -1, 1.0)])).encode(),
                    json.dumps(self.order(1, lines=[(1, 10, "S", 10 ** 15, 1.0)])).encode(),
                    json.dumps(self.order(1, date_modified_gmt=None)).encode(),
                    json.dumps(self.order(1, date_modified_gmt="yesterday")).encode()],
            SHOPIFY: [b"no JSON", deep,
                      json.dumps(shopify_order(1, "strange", self.begin, [])).encode(),
                      json.dumps(shopify_order(1, "paid", self.begin, [],
                                               updated_at=None)).encode()],
            STANDARD: [b"no JSON", deep, b'{"data":{}}', b'{"type":"order.paid"}',
                       json.dumps(standard_order("1", "strange", self.begin, [])).encode(),
                       b'{"type":"order.paid","timestamp":"2026-01-01T00:00:00Z",'
                      b'"data":{"id":"1","status":"paid","lines":"none"}}'],
        }
        count = 0
        for source, bodies in bad.items():
            for body in bodies:
                self.post(source, body)
                count += 1
        self.post(PLAIN, self.order(self.new_id()))
        self.settle()
        self.assertEqual(self.deliveries(), {("done", ""): 1, ("set_aside", "malformed"): count})
        for _, reason, detail in self.details():
            self.assertEqual(bool(detail), bool(reason), detail)
            self.assertNotIn("example.test", detail)
        self.expect({"icons": 1})
        told = self.run_.metric("purchase_set_aside", source=PLAIN, reason="malformed")
        self.assertGreaterEqual(told, len(bad[PLAIN]))

    def test_other_records_are_not_orders(self):
        for source, body in ((PLAIN, {"id": 5, "name": "a product", "status": "publish"}),
                             (PLAIN, self.order(5, type="shop_subscription")),
                             (PLAIN, self.order(5, billing_period="month")),
                             (SHOPIFY, {"id": 5, "title": "a product"}),
                             (SHOPIFY, {"id": 6, "order_id": None, "status": "won",
                                        "type": "chargeback"}),
                             (STANDARD, {"type": "customer.created", "data": {"id": "1"}})):
            self.post(source, body)
        self.settle()
        self.assertEqual(self.deliveries(), {("set_aside", "not_an_order"): 6})

    def test_a_signed_error_is_the_source_s_fault(self):
        """Never an order; counted, and the source is not healthy until it stops."""
        self.link()
        self.assertEqual(self.run_.metric("purchase_source_healthy", source=WOO), 1)
        self.post(WOO, CANNOT_VIEW, {"X-WC-Webhook-Topic": "order.updated"})
        self.post(PLAIN, self.order(self.new_id()))
        self.settle()
        self.assertEqual(self.deliveries(), {("set_aside", "source_misconfigured"): 1,
                                             ("done", ""): 1})
        self.assertEqual(self.run_.metric("purchase_set_aside", source=WOO,
                                          reason="source_misconfigured"), 1)
        self.assertEqual(self.run_.metric("purchase_source_healthy", source=WOO), 0)
        self.post(WOO, CANNOT_VIEW, expected="duplicate")
        self.a_minute_passes()
        self.settle()
        self.expect({"icons": 1})

    # Orders that are odd

    def test_ids_as_numbers_and_as_strings(self):
        """Beyond 2^53, to the last digit; a number and its digits are one id."""
        self.link()
        number = 9223372036854775800
        for order_id in (number, number + 1, str(number + 1)):
            self.post(PLAIN, self.order(order_id))
        self.post(PLAIN, self.order(str(number), lines=[("1", "10", "ICONS", 1, 49.0)], minute=2))
        self.settle()
        self.expect({"icons": 2})
        for order_id in (number + 2, str(number + 3)):
            self.post(SHOPIFY, shopify_order(order_id, "paid", self.begin,
                                             [(number, "10", "I", 1, 1, 5.0)], self.email))
            self.post(STANDARD, standard_order(order_id, "paid", self.begin,
                                               [(7, 10, "I", 1, 0)], self.email))
        self.post(SHOPIFY, shopify_refund(1, number + 3, self.begin + 60, 5.0, [(str(number), 1)]))
        self.settle()
        self.expect({"icons": 5})

    def test_an_anonymised_address_is_forgotten_and_unbinds_nothing(self):
        """Our sealed copy goes, whichever of the two words comes first; what was bought stays."""
        cases = ((PLAIN, {"email": "deleted@site.invalid"}, 1),
                 (PLAIN, {"meta_data": [{"id": 1, "key": "_anonymized", "value": "yes"}]}, 2))
        for source, wiped, live in cases:
            order_id = self.new_id()
            words = [self.order(order_id), self.order(order_id, minute=2, **wiped)]
            for word in words if live == 1 else words[::-1]:
                self.post(source, word)
                self.settle()
            sealed = self.run_.sql(
                "SELECT a.sealed IS NULL FROM address a JOIN order_snapshot o USING (address_index)"
                f" WHERE o.order_id = '{order_id}'").split()
            self.assertEqual(sealed, ["1"])
            self.link()
            self.expect({"icons": live})
            self.run_.sql("UPDATE address SET erased_at = NULL, sealed = 'x'")

    def test_an_address_that_is_null_unbinds_nothing(self):
        self.link()
        for source, words in (
                (PLAIN, lambda number, email, minute: self.order(number, minute=minute,
                                                                 email=email)),
                (SHOPIFY, lambda number, email, minute: shopify_order(
                    number, "paid", self.begin + minute * 60, [(1, 10, "I", 1, 1, 5.0)], email)),
                (STANDARD, lambda number, email, minute: standard_order(
                    number, "paid", self.begin + minute * 60, [(1, 10, "I", 1, 0)], email))):
            order_id = self.new_id()
            before = self.live().get("icons", 0)
            self.post(source, words(order_id, None, 3))
            self.settle()
            self.assertEqual(self.live().get("icons", 0), before, source)
            self.post(source, words(order_id, self.email, 2))
            self.settle()
            self.assertEqual(self.live(), {"icons": before + 1}, source)
            self.post(source, words(order_id, "no address", 4))
            self.settle()
            self.assertEqual(self.live(), {"icons": before + 1}, source)

    def test_orders_for_testing_stay_apart(self):
        """The sample that Shopify's admin sends is voided, cancelled and a test."""
        self.link()
        sample = shopify_order(self.new_id(), "voided", self.begin, [(1, 10, "I", 1, 1, 5.0)],
                               self.email, cancelled=self.begin, test=True)
        paid = shopify_order(self.new_id(), "paid", self.begin, [(1, 10, "I", 1, 1, 5.0)],
                             self.email, test=True)
        for body in (sample, paid):
            self.post(SHOPIFY, body, {"X-Shopify-Topic": "orders/paid"})
        self.settle()
        self.assertEqual(self.deliveries(), {("set_aside", "wrong_mode"): 2})
        self.expect({}, {"icons": "never_bought"})
        self.post(TRIAL, sample, {"X-Shopify-Topic": "orders/paid"})
        self.settle()
        self.expect({}, {"icons": "cancelled"})
        self.post(TRIAL, paid)
        self.post(TRIAL, dict(paid, id=self.new_id(), test=False))
        self.settle()
        self.expect({"icons": 1})
        self.assertEqual(self.deliveries(), {("set_aside", "wrong_mode"): 3, ("done", ""): 2})

    def test_a_time_a_year_ahead_does_not_rule_for_a_year(self):
        """It is cut to its receipt, so that what the shop says later wins."""
        self.link()
        order_id = self.new_id()
        ahead = woo_order(order_id, "processing", self.now + 365 * DAY, [ICONS], self.email,
                          self.now)
        self.post(PLAIN, ahead)
        self.run_.sql(f"UPDATE delivery SET received_at = received_at - {DAY * 1000000}"
                      f" WHERE id > {self.seen}")  # that was yesterday
        self.settle()
        self.expect({"icons": 1})
        self.assertEqual(self.run_.sql("SELECT time_flagged FROM order_snapshot"
                                       f" WHERE order_id = '{order_id}'").strip(), "1")
        self.post(PLAIN, woo_order(order_id, "refunded", self.now, [ICONS], self.email, self.now))
        self.settle()
        self.expect({}, {"icons": "refunded"})
        self.post(PLAIN, ahead, expected="duplicate")
        self.a_minute_passes()
        self.settle()
        self.expect({}, {"icons": "refunded"}, "the same again is no news")

    def test_products_that_no_rule_knows_are_counted(self):
        self.link()
        order_id = self.new_id()
        order = self.order(order_id, lines=[ICONS, (2, 404, "STRANGE", 1, 5.0)])
        order["line_items"].append({"id": 3, "name": "made up by hand", "product_id": 0,
                                    "variation_id": 0, "quantity": 1, "sku": "", "total": "5.00"})
        self.post(PLAIN, order)
        self.settle()
        self.expect({"icons": 1})
        self.assertEqual(self.deliveries(), {("done", ""): 1})
        self.assertEqual(self.server.rows("SELECT line_id, product FROM unmapped_line WHERE"
                                          f" order_id = '{order_id}' ORDER BY 1",
                                          self.run_.database), [["2", "404"], ["3", "NULL"]])

    def test_a_refund_of_an_order_that_never_came(self):
        self.link()
        order_id = self.new_id()
        self.post(SHOPIFY, shopify_refund(1, order_id, self.begin + 60, 5.0, [(1, 1)]))
        self.settle()
        self.assertEqual(self.deliveries(), {("done", ""): 1})
        self.expect({}, {"icons": "never_bought"})
        self.post(SHOPIFY, shopify_order(order_id, "paid", self.begin, [(1, 10, "I", 1, 1, 5.0)],
                                         self.email))
        self.settle()
        self.expect({}, {"icons": "refunded"})

    # Hints, and the answers of shops

    def test_a_hint_without_an_api_is_set_aside(self):
        self.link()
        order_id = self.new_id()
        self.post(PLAIN, self.order(order_id))
        self.post(PLAIN, {"id": order_id})
        self.post(SHOPIFY, {"id": order_id})
        self.post(SHOPIFY, {"order_edit": {"id": 1, "order_id": order_id}})
        self.settle()
        self.assertEqual(self.deliveries(), {("done", ""): 1, ("set_aside", "needs_api_key"): 3})
        self.expect({"icons": 1})

    def path(self, order_id, rest=""):
        return f"/wp-json/wc/v3/orders/{order_id}{rest}"

    def test_answers_that_may_be_better_later(self):
        """The delivery waits and comes again; once the shop answers, it counts."""
        self.link()
        answers = [Answer(HTML, 200, {"Content-Type": "text/html"}),
                   Answer(HTML, 503, {"Content-Type": "text/html"}),
                   Answer({"code": "internal"}, 500), Answer({}, 429, {"Retry-After": "120"}),
                   Answer(b'{"id":', 200), Answer(b"\xff\xff", 200), Answer(close=True),
                   Answer(b"", 200), Answer({}, 302, {"Location": "http://127.0.0.1:1/"})]
        for number, answer in enumerate(answers):
            self.look()
            order_id = self.new_id()
            self.shop.answers[self.path(order_id)] = answer
            self.post(WOO, {"id": order_id})
            self.settle()
            self.assertEqual(self.deliveries(), {("pending", ""): 1}, (number, self.details()))
            self.assertTrue(self.details()[0][2])
            if answer.status == 429:
                wait = self.run_.sql("SELECT due_at - processed_at >= 115000000 FROM delivery"
                                     f" WHERE id > {self.seen}")
                self.assertEqual(wait.strip(), "1", "Retry-After counts")
            self.shop.order(self.order(order_id))
            self.a_minute_passes()
            self.settle()
            self.assertEqual(self.deliveries(), {("done", ""): 1}, number)
            self.expect({"icons": number + 1})

    def test_answers_that_a_person_must_look_at(self):
        """The delivery is set aside; replayed once that is mended, it counts."""
        self.link()
        answers = [Answer({"code": "woocommerce_rest_cannot_view"}, 401), Answer({}, 403),
                   Answer({"code": "rest_no_route"}, 404),
                   Answer(HTML, 404, {"Content-Type": "text/html"}),
                   Answer(self.order(1), 200), Answer([], 200), Answer({"id": 5}, 200)]
        for number, answer in enumerate(answers):
            self.look()
            order_id = self.new_id()
            self.shop.answers[self.path(order_id)] = answer
            self.post(WOO, {"id": order_id})
            self.settle()
            self.assertEqual(self.deliveries(), {("set_aside", "fetch_failed"): 1},
                             (number, self.details()))
            self.assertTrue(self.details()[0][2])
            self.expect({"icons": number} if number else {})
            self.shop.order(self.order(order_id))
            self.run_.ctl("deliveries", "replay", str(self.seen + 1))
            self.settle()
            self.assertEqual(self.deliveries(), {("done", ""): 1}, number)
            self.expect({"icons": number + 1})
        self.assertEqual(self.run_.sql("SELECT COUNT(*) FROM shop_order WHERE order_id = '1'"
                                       " AND merged_at IS NOT NULL").strip(), "0")

    def test_an_order_counts_though_its_refunds_cannot_be_read(self):
        self.link()
        order_id = self.new_id()
        self.shop.answers[self.path(order_id, "/refunds")] = Answer({}, 500)
        self.post(WOO, self.order(order_id, lines=(ICONS, BOARDS), refunds=[(1, 20.0)]))
        self.settle()
        self.assertEqual(self.deliveries(), {("pending", ""): 1})
        self.expect({"icons": 1, "boards": 3})
        self.shop.refunds(order_id, [woo_refund(1, 20.0, self.begin, [(2, 11, 2)])])
        self.a_minute_passes()
        self.settle()
        self.assertEqual(self.deliveries(), {("done", ""): 1})
        self.expect({"icons": 1, "boards": 1})

    def test_refunds_that_are_nonsense(self):
        """A line that is not the order's, more than there was, one id twice."""
        self.link()
        order_id = self.new_id()
        self.shop.refunds(order_id, [woo_refund(1, 1.0, self.begin, [(99, 11, 2)]),
                                     woo_refund(2, 1.0, self.begin, [(2, 11, 50)])])
        self.post(WOO, self.order(order_id, lines=(ICONS, BOARDS), refunds=[(1, 1.0), (2, 1.0)]))
        self.settle()
        self.expect({"icons": 1}, {"boards": "refunded"})
        self.look()
        other = self.new_id()
        twice = woo_refund(3, 1.0, self.begin, [(2, 11, 1)])
        self.shop.refunds(other, [twice, twice])
        self.post(WOO, self.order(other, lines=(ICONS, BOARDS), refunds=[(3, 1.0)]))
        self.settle()
        self.expect({"icons": 2, "boards": 3})

    def test_in_the_end_it_gives_up_and_says_so(self):
        order_id = self.new_id()
        self.shop.answers[self.path(order_id)] = Answer({}, 500)
        self.post(WOO, {"id": order_id})
        attempts = 0
        while ("set_aside", "retries_exhausted") not in self.deliveries():
            self.assertEqual(self.deliveries(), {("pending", ""): 1})
            self.assertLess(attempts, 100)
            self.a_minute_passes()
            self.run_.worker_once()
            attempts += 1
        self.assertGreaterEqual(attempts, 12)
        self.assertEqual(len(self.shop.asked(self.path(order_id))), attempts)
        self.a_minute_passes()
        self.settle()
        self.assertEqual(len(self.shop.asked(self.path(order_id))), attempts, "it is left alone")

    # What bytes cannot do

    def test_nobody_s_address_or_body_is_in_a_log_or_a_table(self):
        secret = "Zebra.Unseen@Hidden.test"
        body = self.order(self.new_id(), email=secret, order_key="wc_order_okapi")
        self.post(PLAIN, body)
        self.post(PLAIN, dict(body, id=[]))
        self.post(PLAIN, json.dumps(body).encode()[:-1])
        log = self.run_.worker_once()
        said = log.stdout + log.stderr + self.run_.programs[0].log_text()
        said += self.run_.sql("SELECT detail, topic, HEX(body) FROM delivery;"
                              "SELECT cause_id, action, before_value, after_value FROM audit;"
                              "SELECT HEX(sealed), HEX(address_index) FROM address")
        for word in ("zebra", "okapi", "hidden.test"):
            self.assertNotIn(word, said.lower())
            self.assertNotIn(word.encode().hex(), said.lower())

    def test_a_replay_outside_its_window_is_not_even_stored(self):
        body = json.dumps(standard_order("old", "paid", self.begin, [])).encode()
        for age in (-301, 301):
            headers = sign_standard(body, self.run_.secret(STANDARD), timestamp=self.now + age * 2)
            status, answer = self.run_.deliver(STANDARD, body, headers)
            self.assertEqual((status, answer["code"]), (401, "timestamp_outside_window"))
        self.assertEqual(self.deliveries(), {})


if __name__ == "__main__":
    unittest.main(verbosity=2)
