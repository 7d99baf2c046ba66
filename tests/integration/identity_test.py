"""Which shop a source is of, and which order a number is: a copy of the shop that knows the secret, or another
shop's order of the same number, takes and gives nothing. What was told first is kept; the configuration can say
otherwise, and what was set aside is replayed then.
"""

import hashlib
import hmac
import json
import os
import sys
import time
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "property"))
from fake_shop import FakeShop  # noqa: E402
from mariadb import MariaDB  # noqa: E402
from payloads import shopify_order, woo_order, woo_refund  # noqa: E402
from programs import Deployment, wait_for  # noqa: E402
from signing import sign_shopify, sign_woocommerce  # noqa: E402

USER, BUYER = "3458764514838398337", "zoe@example.test"
SHOP, STAGING = "https://shop.example.com", "https://shop.example.com/staging"
WOO, SHOPIFY, STRIPE = "woo", "shopify", "stripe"
ICONS = (1, 10, "ICONS", 1, 49.0)


def sign_stripe(body, secret):
    stamp = str(int(time.time()))
    mac = hmac.new(secret.encode(), f"{stamp}.".encode() + body, hashlib.sha256).hexdigest()
    return {"Stripe-Signature": f"t={stamp},v1={mac}"}


SIGN = {WOO: sign_woocommerce, SHOPIFY: sign_shopify, STRIPE: sign_stripe}


def link(site, path):
    return {"self": [{"href": f"{site}/wp-json/wc/v3/{path}"}]}


class Identity(unittest.TestCase):
    """A deployment for each test: what a source has learned, it keeps."""

    @classmethod
    def setUpClass(cls):
        cls.server = MariaDB()
        cls.addClassCleanup(cls.server.close)

    def setUp(self):
        self.now = int(time.time()) - 3600
        self.shop = FakeShop()
        self.addCleanup(self.shop.close)
        sections = {"source main-store": None, "source woo": {
            "provider": "woocommerce", "api_url": self.shop.url, "api_key_file": "woo.key"}}
        sections["source shopify"] = {"provider": "shopify"}
        sections["source stripe"] = {"provider": "stripe"}
        for name in (WOO, SHOPIFY, STRIPE):
            sections[f"source {name}"]["webhook_secret_file"] = f"{name}.secret"
        self.run_ = Deployment(self.server, sections, {
            "woo.secret": "of woo\n", "shopify.secret": "of shopify\n", "stripe.secret": "of stripe\n",
            "woo.key": "ck_1:cs_1\n"})
        self.addCleanup(self.run_.close)
        self.run_.migrate()
        self.run_.apply_catalogue({
            "entitlements": {"icons": {}},
            "products": [{"source": name, "product": "10", "grants": ["icons"]}
                         for name in (WOO, SHOPIFY)]})
        self.run_.ctl("link", USER, "-", "--why", "the buyer", stdin=BUYER + "\n")
        self.run_.start_webhook()

    # Doing

    def order(self, number, status="processing", minute=1, site=SHOP, **more):
        if site:
            more["_links"] = link(site, f"orders/{number}")
        more.setdefault("paid", self.now)
        return woo_order(number, status, self.now + minute * 60, [ICONS], email=BUYER, **more)

    def post(self, source, body):
        data = json.dumps(body).encode()
        status, answer = self.run_.deliver(source, data,
                                           SIGN[source](data, self.run_.secret(source)))
        self.assertEqual((status, answer["status"]), (200, "stored"))

    def settle(self):
        self.run_.worker_once()
        self.run_.ctl("rebuild", "--check")

    def tell(self, *orders, source=WOO):
        for order in orders:
            self.post(source, order)
        self.settle()

    # Asking

    def live(self):
        return {item["key"]: item["quantity"]
                for item in self.run_.entitlements(USER)["entitlements"]}

    def set_aside(self):
        """[(reason, detail)] in the order in which they came."""
        return [tuple(row) for row in self.server.rows(
            "SELECT reason, detail FROM delivery WHERE state = 'set_aside' ORDER BY received_at, id",
            self.run_.database)]

    def learned(self, source=WOO):
        return self.run_.sql(f"SELECT COALESCE(identity, '-') FROM source WHERE name = '{source}'").strip()

    def orders(self):
        return [row[0] for row in self.server.rows("SELECT order_id FROM shop_order ORDER BY 1",
                                                   self.run_.database)]

    def replay_all(self):
        ids = self.run_.sql("SELECT id FROM delivery WHERE state = 'set_aside'").split()
        self.run_.ctl("deliveries", "replay", *ids)
        self.settle()

    # WooCommerce

    def test_a_staging_clone_with_the_same_secret(self):
        """It has the same orders by the same keys: what is tried out there does not count."""
        self.tell(self.order(12))
        self.assertEqual((self.live(), self.learned()), ({"icons": 1}, "shop.example.com"))
        self.tell(self.order(12, "refunded", 5, STAGING), self.order(13, "processing", 6, STAGING))
        self.assertEqual(self.live(), {"icons": 1})
        self.assertEqual(self.orders(), ["12"], "the clone leaves nothing behind")
        reasons = self.set_aside()
        self.assertEqual([reason for reason, _ in reasons], ["source_misconfigured"] * 2)
        for word in ("shop.example.com/staging", "is of shop.example.com:", "`identity`", "replay"):
            self.assertIn(word, reasons[0][1])
        self.tell(self.order(12, "refunded", 7))
        self.assertEqual(self.live(), {}, "the shop itself is believed all the while")

    def test_the_same_site_however_it_writes_itself(self):
        forms = ["https://shop.example.com/wp-json/wc/v3/orders/1",
                 "http://SHOP.example.com:80/wp-json/wc/v3/orders/2",
                 "https://shop.example.com:443/index.php/wp-json/wc/v3/orders/3",
                 "https://shop.example.com/index.php?rest_route=/wc/v3/orders/4",
                 "https://shop.example.com/api/wc/v3/orders/5"]
        for number, href in enumerate(forms, 1):
            self.post(WOO, dict(self.order(number), _links={"self": [{"href": href}]}))
        self.post(WOO, self.order(6, site=None))
        self.settle()
        self.assertEqual(self.live(), {"icons": 6})

    def test_another_order_of_the_same_number(self):
        """As a shop that is set up anew counts from the start, or one that tells no links."""
        for site in (SHOP, None):
            number = 12 if site else 112
            self.tell(self.order(number, site=site))
            before = self.live()
            self.tell(self.order(number, "refunded", 5, site, order_key="wc_order_another"))
            self.assertEqual(self.live(), before)
            reason, detail = self.set_aside()[-1]
            self.assertEqual(reason, "source_misconfigured")
            self.assertIn("number", detail)
            self.assertNotIn("wc_order", detail)
        self.assertEqual(self.run_.sql("SELECT COUNT(*) FROM order_snapshot").strip(), "2")

    def test_all_in_one_batch(self):
        """The first to be told is kept; what a refused one tells counts for nothing."""
        self.tell(self.order(1), self.order(2, minute=2, site=STAGING, order_key="wc_order_clone"),
                  self.order(2, minute=1), self.order(1, "refunded", 9, order_key="wc_order_x"))
        self.assertEqual(self.live(), {"icons": 2})
        self.assertEqual(len(self.set_aside()), 2)

    def test_a_refused_order_teaches_nothing(self):
        self.run_.configure({"source woo": {"identity": "shop.example.com"}})
        self.tell(self.order(12))
        self.run_.configure({"source woo": {"identity": None}})
        self.tell(self.order(12, "refunded", 3, STAGING, order_key="wc_order_clone"))
        self.assertEqual((self.learned(), self.live()), ("-", {"icons": 1}))
        self.tell(self.order(13))
        self.assertEqual((self.learned(), self.live()), ("shop.example.com", {"icons": 2}))

    def test_a_configured_list(self):
        self.run_.configure({"source woo": {
            "identity": "https://old.example.com/ shop.example.com"}})
        self.tell(self.order(1), self.order(2, site="http://old.example.com"),
                  self.order(3, site=STAGING))
        self.assertEqual((self.live(), self.learned()), ({"icons": 2}, "-"))
        self.assertIn("old.example.com", self.set_aside()[0][1])
        self.run_.configure({"source woo": {"identity": "*"}})
        self.replay_all()
        self.assertEqual((self.live(), self.set_aside()), ({"icons": 3}, []))

    def test_a_shop_that_moved_is_replayed_after_mending(self):
        self.tell(self.order(1))
        self.tell(self.order(1, "refunded", 4, "https://new.example.com"),
                  self.order(2, minute=5, site="https://new.example.com"))
        self.assertEqual(self.live(), {"icons": 1})
        self.replay_all()
        self.assertEqual(len(self.set_aside()), 2, "nothing was mended yet")
        self.run_.configure({"source woo": {"identity": "new.example.com shop.example.com"}})
        self.replay_all()
        self.assertEqual((self.live(), self.set_aside()), ({"icons": 1}, []))
        self.assertEqual(self.run_.sql("SELECT status FROM shop_order WHERE order_id = '1'").strip(),
                         "refunded")

    def test_two_workers_learn_at_once(self):
        """Whoever is first, one shop is learned, and every order is of it."""
        sites = ["https://a.example.com", "https://b.example.com"]
        for number in range(60):
            self.post(WOO, self.order(number + 1, site=sites[number % 2]))
        workers = [self.run_.start_worker() for _ in range(2)]

        def is_done():
            return self.run_.sql("SELECT COUNT(*) FROM delivery"
                                 " WHERE state NOT IN ('done', 'set_aside')").strip() == "0"

        wait_for(is_done, 60, "both workers to drain")
        for worker in workers:
            self.run_.stop_program(worker)
        first = 0 if self.learned() == "a.example.com" else 1
        self.assertEqual(self.learned(), sites[first].removeprefix("https://"))
        paid = {int(row[0]) for row in self.server.rows(
            "SELECT order_id FROM contribution", self.run_.database)}
        self.assertEqual(paid, {number + 1 for number in range(60) if number % 2 == first})
        self.assertEqual(len(self.set_aside()), 30)

    # What the API answers

    def test_the_api_of_another_shop(self):
        """api_url leads to the clone: what is delivered counts, what is read there does not."""
        self.tell(self.order(12))
        self.shop.refunds(12, [dict(woo_refund(1, 49.0, self.now, [(1, 10, 1)]),
                                    _links=link(STAGING, "orders/12/refunds/1"))])
        self.tell(self.order(12, "completed", 4, refunds=[(1, 20.0)]))
        self.assertEqual(self.live(), {"icons": 1})
        reason, detail = self.set_aside()[0]
        self.assertEqual(reason, "fetch_failed")
        self.assertIn("api_url", detail)
        self.assertIn("shop.example.com/staging", detail)

    def test_a_re_read_from_another_shop(self):
        self.tell(self.order(12))
        self.shop.order(self.order(12, "refunded", 9, STAGING))
        self.tell({"id": 12})
        self.assertEqual((self.live(), self.set_aside()[0][0]), ({"icons": 1}, "fetch_failed"))
        self.shop.order(self.order(12, "refunded", 9))
        self.replay_all()
        self.assertEqual((self.live(), self.set_aside()), ({}, []))

    # Other shops

    def test_shopify_tells_its_number_in_the_order(self):
        """One shop's orders lie under many hosts: its own domain, that of a market, myshopify.com."""
        def order(number, status, minute, host, shop=548380009):
            return shopify_order(number, status, self.now + minute * 60,
                                 [(1, 10, "ICONS", 1, 1 if status == "paid" else 0, 49.0)],
                                 email=BUYER,
                                 order_status_url=f"https://{host}/{shop}/orders/1/authenticate")
        self.tell(order(7, "paid", 1, "zoe.myshopify.com"), source=SHOPIFY)
        self.tell(order(8, "paid", 1, "shop.example.com"), source=SHOPIFY)
        self.tell(order(7, "refunded", 2, "zoe-dev.myshopify.com", 548380010), source=SHOPIFY)
        self.assertEqual((self.live(), self.learned(SHOPIFY)), ({"icons": 2}, "548380009"))
        self.assertIn("548380010", self.set_aside()[0][1])

    def stripe_event(self, number, account=None):
        event = {"id": f"evt_{number}", "object": "event", "type": "checkout.session.completed",
                 "api_version": "2024-06-20", "created": self.now, "livemode": True,
                 "data": {"object": {
                     "id": f"cs_{number}", "object": "checkout.session", "mode": "payment",
                     "status": "complete", "payment_status": "paid", "amount_total": 4900,
                     "currency": "eur", "customer_details": {"email": BUYER}, "line_items": {
                         "object": "list", "has_more": False, "data": [{
                             "id": "li_1", "quantity": 1,
                             "price": {"id": "price_1", "product": "prod_1"}}]}}}}
        return dict(event, account=account) if account else event

    def test_stripe_tells_a_connected_account(self):
        self.tell(self.stripe_event(1), source=STRIPE)
        self.tell(self.stripe_event(2, "acct_2"), source=STRIPE)
        self.assertEqual((self.learned(STRIPE), self.orders()), ("own", ["cs_1"]))
        self.assertIn("acct_2", self.set_aside()[0][1])
        self.run_.configure({"source stripe": {"identity": "own acct_2"}})
        self.replay_all()
        self.assertEqual((self.orders(), self.set_aside()), (["cs_1", "cs_2"], []))

    def test_stripe_of_one_connected_account(self):
        self.tell(self.stripe_event(1, "acct_1"), source=STRIPE)
        self.tell(self.stripe_event(2, "acct_2"), self.stripe_event(3), source=STRIPE)
        self.assertEqual((self.learned(STRIPE), self.orders()), ("acct_1", ["cs_1"]))
        self.assertEqual(len(self.set_aside()), 2)


if __name__ == "__main__":
    unittest.main(verbosity=2)
