"""Independent clients from npm agree with us: each script of tests/peers runs against the built programs.

`scripts/install-npm` installs them; without them, or without Node 18, these tests skip.
"""

import json
import os
import shutil
import subprocess
import unittest

from mariadb import MariaDB
from programs import SOURCE, Deployment, new_standard_secret
from signing import MIRO_CLIENT_ID

PEERS = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "peers")
USER = "3458764514838398337"
TEAM = "3458764514838398336"
SHOP_KEY, SHOP_SECRET = "ck_peer", "cs_peer"
STRIPE_KEY, STRIPE_SECRET = "sk_test_peer", "whsec_0123456789abcdefghijklmnop"
PADDLE_KEY, PADDLE_SECRET = "pdl_sdbx_apikey_peer", "pdl_ntfset_0123456789abcdef_peer"
SHOPIFY_SECRET = "0123456789abcdef0123456789abcdef"
POLAR_SECRET = "polar_whs_peer0123456789"
DEADLINE = 120


@unittest.skipUnless(shutil.which("node") and os.path.isdir(os.path.join(PEERS, "node_modules")),
                     "needs Node and the packages of tests/peers")
class Peers(unittest.TestCase):
    """One deployment for all scripts: front, worker, and the stand-ins of Miro and a shop."""

    @classmethod
    def setUpClass(cls):
        cls.server = MariaDB()
        cls.addClassCleanup(cls.server.close)
        cls.run_ = Deployment(cls.server, {
            "source standard-shop": {"provider": "standard",
                                     "webhook_secret_file": "standard.secret"},
            "source stripe-shop": {
                "provider": "stripe", "webhook_secret_file": "stripe.secret",
                "api_key_file": "stripe.key", "live": "false"},
            "source paddle-shop": {
                "provider": "paddle", "webhook_secret_file": "paddle.secret",
                "api_key_file": "paddle.key"},
            "source shopify-shop": {"provider": "shopify", "webhook_secret_file": "shopify.secret"},
            "source polar-shop": {"provider": "standard", "webhook_secret_file": "polar.secret",
                                  "secret_encoding": "raw"},
        }, {"standard.secret": new_standard_secret() + "\n",
            "stripe.secret": STRIPE_SECRET + "\n", "stripe.key": STRIPE_KEY + "\n",
            "paddle.secret": PADDLE_SECRET + "\n", "paddle.key": PADDLE_KEY + "\n",
            "shopify.secret": SHOPIFY_SECRET + "\n", "polar.secret": POLAR_SECRET + "\n",
            "shop.key": f"{SHOP_KEY}:{SHOP_SECRET}\n"})
        cls.run_.configure({f"source {SOURCE}": {
            "api_url": f"http://127.0.0.1:{cls.run_.sandbox_port}", "api_key_file": "shop.key"}})
        for name in ("stripe-shop", "paddle-shop"):
            cls.run_.configure({f"source {name}": {
                "api_url": f"http://127.0.0.1:{cls.run_.sandbox_port}/shops/{name}"}})
        cls.addClassCleanup(cls.run_.close)
        cls.run_.migrate()
        cls.run_.apply_catalogue({
            "entitlements": {"icons-pro": {"name": "Icon pack Pro"}},
            "products": [{"source": "standard-shop", "product": "10", "grants": ["icons-pro"]}]})
        cls.run_.ctl("link", USER, "-", "--why", "the peers' buyer",
                     stdin="peer.buyer+a@example.test\n")
        cls.run_.start_sandbox("--listen", f"127.0.0.1:{cls.run_.sandbox_port}")
        cls.run_.start_webhook()
        cls.run_.start_worker()

    def peer(self, script):
        """Runs one script to its end; what it prints is shown if it does not agree."""
        run = self.run_
        about = {
            "front": f"http://127.0.0.1:{run.port}",
            "sandbox": f"http://127.0.0.1:{run.sandbox_port}",
            "redirectUrl": f"http://127.0.0.1:{run.port}/oauth/callback",
            "clientId": MIRO_CLIENT_ID, "clientSecret": run.miro_secret, "user": USER, "team": TEAM,
            "standardSecret": run.secret("standard-shop"),
            "shopKey": SHOP_KEY, "shopSecret": SHOP_SECRET,
            "stripeKey": STRIPE_KEY, "stripeSecret": STRIPE_SECRET,
            "paddleKey": PADDLE_KEY, "paddleSecret": PADDLE_SECRET,
            "shopifySecret": SHOPIFY_SECRET, "polarSecret": POLAR_SECRET,
        }
        done = subprocess.run(["node", os.path.join(PEERS, script)], capture_output=True, text=True,
                              env={**os.environ, "PURCHASE_SYNC_PEERS": json.dumps(about)},
                              timeout=DEADLINE, check=False)
        self.assertEqual(done.returncode, 0, f"{script}\n{done.stdout}{done.stderr}")

    def test_standardwebhooks_agrees_both_ways(self):
        self.peer("standardwebhooks.mjs")
        self.run_.ctl("rebuild", "--check")

    def test_svix_agrees_both_ways(self):
        self.peer("svix.mjs")

    def test_shopify_accepts_what_the_stand_in_signs(self):
        self.peer("shopify.mjs")

    def test_jsonwebtoken_mints_what_we_verify(self):
        self.peer("jsonwebtoken.mjs")

    def test_miro_api_completes_oauth_on_the_stand_in(self):
        self.peer("miro-api.mjs")

    def test_woocommerce_rest_api_pages_through_orders(self):
        self.peer("woocommerce.mjs")

    def test_stripe_signs_what_we_accept_and_reads_the_stand_in(self):
        self.peer("stripe.mjs")

    def test_paddle_accepts_what_the_stand_in_signs(self):
        self.peer("paddle.mjs")


if __name__ == "__main__":
    unittest.main(verbosity=2)
