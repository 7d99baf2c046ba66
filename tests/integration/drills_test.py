"""The drills of docs/operations.md: the database comes back from a backup, and the keyring is lost for good. What
linked users bought survives both.
"""

import base64
import json
import os
import secrets
import shutil
import subprocess
import unittest

from fake_miro import FakeMiro
from hosts import Host
from mariadb import MariaDB, copy, find
from programs import SOURCE, Deployment
from waiting import wait_for

LINKED, WAITING, TEAM = "3458764514838390001", "3458764514838390002", "3458764514838398336"
ZOE, ADA = "zoe@example.test", "ada@example.test"
CATALOGUE = {"entitlements": {"icons-pro": {}, "extra-boards": {}},
             "products": [{"source": SOURCE, "product": "10", "grants": ["icons-pro"]},
                          {"source": SOURCE, "product": "11", "grants": ["extra-boards"]}]}
STANDING = "SELECT order_id, entitlement_key, HEX(subject), state FROM contribution ORDER BY order_id"
PATIENCE = 90


class Drills(unittest.TestCase):
    """A shop with an API, a buyer who has signed in, and one who has not yet."""

    def setUp(self):
        self.server = self.enterContext(MariaDB())
        self.miro = self.enterContext(FakeMiro())
        self.site = Deployment(self.server, {"miro": self.miro.settings()}, {f"{SOURCE}.key": "ck_1:cs_1\n"})
        self.addCleanup(self.site.close)
        self.shop_url = f"http://127.0.0.1:{self.site.sandbox_port}"
        self.site.configure({f"source {SOURCE}": {"api_url": self.shop_url, "api_key_file": f"{SOURCE}.key"}})
        self.site.migrate()
        self.site.apply_catalogue(CATALOGUE)
        self.site.start_webhook()
        self.site.start_worker()
        self.site.start_sandbox()
        self.sign_in(self.site, LINKED, ZOE)
        self.buy(ZOE)
        self.buy(ADA)
        wait_for(lambda: self.site.keys(LINKED) == ["icons-pro"], PATIENCE, "the purchase")
        wait_for(lambda: self.site.sql("SELECT COUNT(*) FROM contribution") == "2\n", PATIENCE, "both orders")

    def buy(self, address, product=10):
        status, _, value = self.site.request_json(
            "POST", "/sandbox/api/orders", json.dumps(
                {"email": address, "items": [{"product": product, "quantity": 1}], "pay": True}),
            {"Content-Type": "application/json"}, self.site.sandbox_port)
        self.assertIn(status, (200, 201), value)

    def sign_in(self, site, user, address):
        links = site.sql("SELECT COUNT(*) FROM link")
        self.miro.token(user, TEAM)
        self.miro.profile(user, address)
        self.assertEqual(site.request("GET", f"/oauth/callback?code={secrets.token_hex(4)}")[0], 302)
        wait_for(lambda: site.sql("SELECT COUNT(*) FROM link") != links, PATIENCE, "the link")

    def stop_programs(self, site):
        for program in [program for program in site.programs if "sandbox" not in program.name]:
            site.stop_program(program)

    def resync(self, site, *options):
        return site.run("purchase-worker", "resync", *options)

    # A backup

    def dumped(self):
        """A new server with what mariadb-dump wrote; None where that is not installed."""
        try:
            program = find("mariadb-dump")
        except FileNotFoundError:
            return None
        dump = subprocess.run([program, "--no-defaults", f"--socket={self.server.socket}", "--user=root",
                               "--single-transaction", "--hex-blob", self.site.database],
                              capture_output=True, check=True).stdout.decode()
        server = self.enterContext(MariaDB())
        server.sql(dump, server.database(self.site.database))
        return server

    def copied(self):
        """A new server on a copy of the stopped one's data."""
        server = self.enterContext(MariaDB())
        server.stop()
        self.server.stop()
        shutil.rmtree(os.path.join(server.folder, "data"))
        copy(os.path.join(self.server.folder, "data"), os.path.join(server.folder, "data"))
        self.server.start()
        server.start()
        return server

    def test_restored_from_a_backup(self):
        servers = [server for server in (self.dumped(), self.copied()) if server]
        self.buy(ZOE, 11)  # after the backup: the shop knows it
        wait_for(lambda: self.site.keys(LINKED) == ["extra-boards", "icons-pro"], PATIENCE, "the later purchase")
        self.stop_programs(self.site)
        for server in servers:
            with self.subTest(server=server.folder):
                restored = self.enterContext(Host(self.site, server))
                self.assertEqual(restored.ctl("migrate").stdout, "up to date\n")
                restored.start_webhook()
                self.assertEqual(restored.keys(LINKED), ["icons-pro"])
                self.resync(restored, "--full")
                self.assertEqual(restored.keys(LINKED), ["extra-boards", "icons-pro"])
                self.assertIn(ZOE, restored.ctl("user", "show", LINKED).stdout)
                restored.start_worker()
                self.sign_in(restored, WAITING, ADA)
                wait_for(lambda restored=restored: restored.keys(WAITING) == ["icons-pro"], PATIENCE, "Ada's purchase")
                restored.ctl("rebuild", "--check")

    # The keyring

    def lose_keyring(self):
        self.stop_programs(self.site)
        self.site.write("keyring", f"new:{base64.b64encode(secrets.token_bytes(32)).decode()}\n")

    def lost(self):
        answer = self.site.ctl("keys", "start-over", "--json", expected=1)
        return json.loads(answer.stdout)["lost"], answer.stderr

    def test_the_keyring_is_lost(self):
        self.assertIn("nothing is lost", self.site.ctl("keys", "start-over", "--lose-sealed", "--why", "w",
                                                       expected=1).stderr)
        before = self.site.sql(STANDING)
        self.lose_keyring()
        self.assertIn("none of the keyring's keys", self.site.run("purchase-webhook", expected=1).stderr)
        lost, complaint = self.lost()
        self.assertIn("nothing was changed", complaint)
        self.assertEqual({entry["what"]: entry["values"] for entry in lost if "bodies" not in entry["what"]},
                         {"index key": 1, "addresses": 2, "access tokens": 1, "refresh tokens": 1})
        self.site.ctl("keys", "start-over", "--lose-sealed", expected=2)
        self.assertEqual(self.site.sql(STANDING), before)
        done = self.site.ctl_json("keys", "start-over", "--lose-sealed", "--why", "the disk and its copy burnt")
        self.assertTrue(done["done"])
        self.assertEqual(done["orders_bound"], 1)
        self.assertIn("nothing is lost", self.site.ctl("keys", "start-over", expected=1).stderr)

        self.site.ctl("rebuild", "--check")
        self.site.start_webhook()
        self.site.start_worker()
        answer = self.site.entitlements(LINKED)
        self.assertEqual([item["key"] for item in answer["entitlements"]], ["icons-pro"])
        self.assertEqual(answer["identity"], {"state": "reauthorize"})

        # The shop's word: Ada's order comes to her address's new index, Zoe's stays hers.
        self.resync(self.site, "--full", "--max-revoke", "100")
        self.assertEqual(self.site.keys(LINKED), ["icons-pro"])
        self.sign_in(self.site, WAITING, ADA)
        wait_for(lambda: self.site.keys(WAITING) == ["icons-pro"], PATIENCE, "Ada's purchase")
        self.sign_in(self.site, LINKED, ZOE)
        self.assertEqual(self.site.entitlements(LINKED)["identity"], {"state": "linked"})
        self.buy(ZOE, 11)
        wait_for(lambda: self.site.keys(LINKED) == ["extra-boards", "icons-pro"], PATIENCE, "the next purchase")
        self.assertEqual(self.site.ctl_json("keys")["keys"][0]["state"], "seals")
        self.assertEqual(self.site.ctl_json("keys", "rewrap")["unopened"], 0)
        self.assertIn("keys_lost", self.site.sql("SELECT action FROM audit"))

    def test_one_key_of_two_is_lost(self):
        """The index key is under the one that is left: links and orders are as they were."""
        self.stop_programs(self.site)
        self.site.ctl("keys", "new", "next")
        self.site.ctl("keys", "promote", "next")
        self.site.start_webhook()
        self.sign_in(self.site, WAITING, "grace@example.test")
        self.stop_programs(self.site)
        first, last = self.site.file_text("keyring").splitlines()
        self.site.write("keyring", last + "\n")
        self.assertIn('no key "next"', self.site.run("purchase-worker", "resync", expected=1).stderr.replace("\\", ""))
        self.site.ctl_json("keys", "start-over", "--lose-sealed", "--why", "the copy was the older one")
        self.site.start_webhook()
        self.assertEqual(self.site.keys(LINKED), ["icons-pro"])
        self.assertEqual(self.site.entitlements(LINKED)["identity"], {"state": "linked"})
        self.assertEqual(self.site.entitlements(WAITING)["identity"], {"state": "reauthorize"})
        self.assertIn(ZOE, self.site.ctl("user", "show", LINKED).stdout)
        self.assertTrue(first.startswith("next:"))


if __name__ == "__main__":
    unittest.main()
