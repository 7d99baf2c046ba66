"""docs/checkout.md, shop by shop: its address from the catalogue, the reference out of that, a sale that carries it."""

import json
import os
import re
import shutil
import subprocess
import unittest
from urllib.parse import parse_qs, urlsplit

from mariadb import MariaDB
from programs import Deployment, new_standard_secret, wait_for

ROOT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..")
TEAM = "3458764514838398336"
# What of the address reaches the order, by which name.
SHOPS = {"WooCommerce": "miro_reference", "Shopify": "attributes[miro_reference]",
         "Stripe": "client_reference_id", "Paddle": "miro_reference",
         "Lemon Squeezy": "checkout[custom][miro_reference]", "Gumroad": "miro_reference",
         "FastSpring": "miro_reference", "standard": "miro_reference"}
OWN_SHOP = "https://shop.example.com/pay?miro_reference={reference}"
KEYS = {"woocommerce": "ck_1:cs_1", "fastspring": "user:password"}


def provider(shop):
    return shop.lower().replace(" ", "")


def documented_urls():
    """{shop: checkout_url} of the page's table."""
    with open(os.path.join(ROOT, "docs", "checkout.md"), encoding="utf-8") as file:
        rows = re.findall(r"^\| ([A-Za-z ]+) \| (?:`(https://[^`]+)`|an address)", file.read(), re.M)
    return {shop: url or OWN_SHOP for shop, url in rows}


class CheckoutShops(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.urls = documented_urls()
        cls.server = MariaDB()
        cls.addClassCleanup(cls.server.close)
        cls.run_ = Deployment(cls.server, {"source main-store": None})
        cls.addClassCleanup(cls.run_.close)
        sandbox = f"http://127.0.0.1:{cls.run_.sandbox_port}"
        for name in map(provider, SHOPS):
            secret = new_standard_secret() if name == "standard" else f"the secret of {name}"
            cls.run_.write(f"{name}.secret", secret + "\n")
            source = {"provider": name, "webhook_secret_file": f"{name}.secret"}
            if name != "standard":
                cls.run_.write(f"{name}.key", KEYS.get(name, f"key_of_{name}") + "\n")
                home = sandbox if name == "woocommerce" else f"{sandbox}/shops/{name}"
                source.update(api_key_file=f"{name}.key", api_url=home)
            cls.run_.configure({f"source {name}": source})
        cls.run_.migrate()
        cls.run_.apply_catalogue({
            "entitlements": {"icons": {}},
            "products": [{"source": provider(shop), "product": "10", "grants": ["icons"],
                          "checkout_url": url} for shop, url in cls.urls.items()]})
        cls.run_.start_sandbox()
        webhook = cls.run_.start_webhook()
        wait_for(lambda: "catalogue read version=1" in webhook.log_text(), 30, "the catalogue")

    def knob(self, path, body=None):
        status, _, value = self.run_.request_json(
            "GET" if body is None else "POST", f"/sandbox/api/{path}",
            None if body is None else json.dumps(body), {"Content-Type": "application/json"},
            self.run_.sandbox_port)
        self.assertEqual(status, 200, value)
        return value

    def url(self, shop, user):
        status, _, answer = self.run_.request_json(
            "POST", "/v1/checkout", json.dumps({"source": provider(shop), "product": "10"}),
            self.run_.bearer(user, TEAM))
        self.assertEqual(status, 200, answer)
        return answer["url"]

    def sell(self, shop, reference):
        """As somebody whose address nobody knows."""
        sale = {"email": "stranger@example.test", "reference": reference,
                "items": [{"product": "10", "quantity": 1}]}
        if shop == "WooCommerce":
            self.knob("orders", dict(sale, pay=True))
        else:
            self.knob("sales", dict(sale, source=provider(shop)))
        wait_for(lambda: self.knob("deliveries")["open"] == 0, 60, "the deliveries")
        self.run_.worker_once()

    def test_every_shop_of_the_page(self):
        self.assertEqual(list(self.urls), list(SHOPS))
        for number, (shop, name) in enumerate(SHOPS.items()):
            with self.subTest(shop):
                user = str(3458764514838395000 + number)
                found = parse_qs(urlsplit(self.url(shop, user)).query)
                self.sell(shop, found[name][0])
                self.assertEqual(self.run_.keys(user), ["icons"])

    @unittest.skipUnless(shutil.which("php"), "needs PHP")
    def test_woocommerce_s_snippet(self):
        """At both checkouts the first order carries the link's reference, and the next none."""
        user = "3458764514838395100"
        query = urlsplit(self.url("WooCommerce", user)).query
        recipe = os.path.join(ROOT, "docs", "recipes", "woocommerce.php")
        for checkout in ("classic", "block"):
            done = subprocess.run(
                ["php", "-d", "display_errors=stderr", "-d", "error_reporting=-1",
                 os.path.join(ROOT, "tests", "peers", "wordpress.php"), recipe, query, checkout],
                capture_output=True, text=True, timeout=60, check=True)
            self.assertEqual(done.stderr, "")
            orders = json.loads(done.stdout)
            self.assertEqual(orders, [{"miro_reference": parse_qs(query)["miro_reference"][0]}, {}])
        self.sell("WooCommerce", orders[0]["miro_reference"])
        self.assertEqual(self.run_.keys(user), ["icons"])

    def test_doctor_names_what_has_no_address(self):
        run = Deployment(self.server)
        self.addCleanup(run.close)
        run.migrate()
        rules = [{"source": "main-store", "product": "10", "grants": ["a"],
                  "checkout_url": "https://shop.example.com/?add-to-cart=10"},
                 {"source": "main-store", "sku": "B-1", "grants": ["a"]},
                 {"source": "main-store", "product": "12", "ignore": True}]
        run.apply_catalogue({"entitlements": {"a": {}}, "products": rules})
        said = run.ctl("doctor", expected=None).stdout
        self.assertRegex(said, r"cannot offer to buy them: main-store B-1\s")
        self.assertRegex(said, r"without \{reference\}: main-store 10\s")
        self.assertIn("no [mail] section", said)


if __name__ == "__main__":
    unittest.main(verbosity=2)
