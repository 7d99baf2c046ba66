"""Nothing that must be sealed is ever in clear. Addresses, names, tokens and secrets that all hold one marked word go
through everything that the programs do; then tables, redo and binary log, spool, logs and argument lists are searched
for it: as it is, in small letters, in base64 at every offset, in hexadecimal, and as a URL would have it.
"""

import base64
import json
import os
import secrets
import string
import threading
import unittest

from fake_miro import FakeMiro
from mariadb import MariaDB
from programs import SOURCE, Deployment, new_standard_secret
from signing import mint_id_token
from waiting import wait_for

USER, OTHER, TEAM = "3458764514838390001", "3458764514838390002", "3458764514838396336"
SHOPS = ("shopify", "stripe", "paddle", "lemonsqueezy", "gumroad", "fastspring", "standard")
PATIENCE = 90


def planted_word():
    """Letters and digits that stand nowhere by chance, in both cases."""
    letters = string.ascii_letters + string.digits
    return "Qz" + "".join(secrets.choice(letters) for _ in range(16)) + "Xj"


def in_base64(data):
    """What base64 of anything that holds the data contains: one text for each offset."""
    found = set()
    for offset in range(3):
        text = base64.b64encode(b"\0" * offset + data)
        whole = text[4 if offset else 0:len(text) // 4 * 4 - 4]  # what neighbours do not change
        found |= {whole, whole.replace(b"+", b"-").replace(b"/", b"_")}
    return found


def forms(text):
    """How a text may be written; the case-insensitive ones in small letters."""
    data = text.encode()
    sensitive = in_base64(data) | in_base64(data.lower())
    insensitive = {data.lower(), data.hex().encode(), data.lower().hex().encode()}
    return sensitive, insensitive


class Arguments(threading.Thread):
    """Watches the argument lists of our programs for as long as it runs."""

    def __init__(self, folder):
        super().__init__(daemon=True)
        self.folder, self.seen, self.ended = folder, set(), threading.Event()

    def run(self):
        while not self.ended.is_set():
            for entry in os.listdir("/proc"):
                if entry.isdigit():
                    self.look(f"/proc/{entry}")
            self.ended.wait(0.01)

    def look(self, process):
        try:
            with open(f"{process}/cmdline", "rb") as file:
                line = file.read()
        except OSError:
            return
        if line.startswith(self.folder.encode() + b"/"):
            self.seen.add(line)

    def end(self):
        self.ended.set()
        self.join()
        return b"\n".join(self.seen)


class Sealed(unittest.TestCase):

    def deployment(self, server):
        word = self.word
        files = {f"{shop}.secret": f"{word}-{shop}\n" for shop in SHOPS}
        files |= {"standard.secret": new_standard_secret() + "\n", f"{SOURCE}.secret": f"{word}-woo\n",
                  f"{SOURCE}.key": f"ck_{word}:cs_{word}\n", "gumroad.key": f"{word}-gumroad-key\n", "miro.secret": f"{word}-app-secret-0123456789\n"}
        sections = {f"source {shop}": {"provider": shop, "webhook_secret_file": f"{shop}.secret", "live": "false"}
                    for shop in SHOPS}
        site = Deployment(server, {"miro": self.miro.settings(), **sections}, files)
        site.miro_secret = site.file_text("miro.secret").strip()
        site.configure({
            f"source {SOURCE}": {"api_url": f"http://127.0.0.1:{site.sandbox_port}", "live": "false",
                                 "api_key_file": f"{SOURCE}.key"},
            "source gumroad": {"api_url": self.miro.url, "api_key_file": "gumroad.key"}})  # knows no sale
        return site

    def shops(self):
        """Deliveries of every shop, good and bad, and a resync of the one with an API."""
        site, word = self.site, self.word
        address = f"{word}.buyer@example.test"
        for shop in SHOPS + (SOURCE,):
            site.ctl("trigger", shop, "paid", "--email", "-", "--product", "10", stdin=address + "\n")
        site.deliver_woocommerce({
            "id": 77, "status": "completed", "customer_note": word, "customer_ip_address": "192.0.2.7",
            "billing": {"email": f"  {word}@Example.Test ", "first_name": word, "last_name": word, "phone": word},
            "line_items": [{"id": 1, "product_id": 10, "quantity": 1, "name": "Icons"}]})
        site.deliver_woocommerce(f'{{"not": "json {word}'.encode())
        self.assertEqual(site.deliver(SOURCE, word.encode(), {"X-WC-Webhook-Signature": word})[0], 401)
        self.assertEqual(site.deliver("gumroad", word.encode(), suffix=f"/{word}")[0], 401)
        self.assertIn(site.request("GET", f"/{word}?{word}", headers={"X-Token": word})[0], (400, 404))
        status, _, _ = site.request_json(
            "POST", "/sandbox/api/orders", json.dumps(
                {"email": f"{word}.api@example.test", "items": [{"product": 10, "quantity": 1}], "pay": True}),
            {"Content-Type": "application/json"}, site.sandbox_port)
        self.assertIn(status, (200, 201))
        site.run("purchase-worker", "resync", "--full", expected=None)

    def people(self):
        """A sign-in, a refresh, checks, and callbacks that fail."""
        site, word = self.site, self.word
        self.miro.token(USER, TEAM, access_token=f"access-{word}", refresh_token=f"refresh-{word}")
        self.miro.profile(USER, f"{word}.profile@example.test", name=word)
        self.assertEqual(site.request("GET", f"/oauth/callback?code={word}")[0], 302)
        site.request("GET", f"/oauth/callback?code={word}&state={word}", headers={"Cookie": f"a={word}"})
        site.request("GET", f"/oauth/callback?error=access_denied&error_description={word}")
        wait_for(lambda: site.sql("SELECT COUNT(*) FROM link") == "1\n", PATIENCE, "the link")
        site.sql(f"UPDATE miro_token SET refresh_due_at = 0, expires_at = 1 WHERE user_id = '{USER}'")
        self.miro.token(USER, TEAM, access_token=f"access2-{word}", refresh_token=f"refresh2-{word}")
        wait_for(lambda: any(form["grant_type"] == "refresh_token" for form in self.miro.exchanges()), PATIENCE,
                 "the refresh")
        for token in self.tokens:
            site.request("GET", "/v1/entitlements", headers={"Authorization": f"Bearer {token}"})
        site.request("GET", "/v1/entitlements", headers={"Authorization": f"Bearer {word}.{word}.{word}"})

    def operator(self):
        """Every verb that reads or writes something of a person."""
        site, word = self.site, self.word
        address = f"{word}.link@example.test\n"
        site.ctl("link", OTHER, "-", "--why", "the receipt", stdin=address)
        site.ctl("user", "show", "-", stdin=address)
        site.ctl("explain", "-", "icons-pro", stdin=address)
        site.ctl("grant", "-", "icons-pro", "--why", "a gift", stdin=address)
        site.ctl("unlink", "-", "--why", "a mistake", stdin=address)
        site.ctl("import", "orders", "-", stdin="source,id,status,email,paid_at,line,product,quantity\n"
                 f"{SOURCE},9001,paid,{word}.old@example.test,2024-05-01,1,10,1\n")
        site.ctl("import", "links", "-", stdin=f"user,email,why\n{OTHER},{word}.old@example.test,known\n")
        site.ctl("import", "grants", "-", stdin=f"user,key,why\n{OTHER},icons-pro,a promise\n")
        site.ctl("import", "links", "-", stdin=f"user,email,why\n{OTHER},{word} at nowhere,known\n", expected=1)
        for verb in (["deliveries", "list"], ["deliveries", "show", "1"], ["deliveries", "replay", "1"],
                     ["order", "show", SOURCE, "77"], ["rebuild", "--check"], ["catalog", "show"]):
            site.ctl(*verb, expected=None)
        site.ctl("doctor", expected=None)

    def rotation(self):
        site = self.site
        kid = site.ctl_json("keys", "new")["kid"]
        for program in site.programs[:2]:
            site.reload(program)
            wait_for(lambda program=program: "reloaded" in program.log_text(), PATIENCE, "the reload")
        site.ctl("keys", "promote", kid)
        site.ctl("keys", "rewrap")
        site.ctl("keys")

    def ended(self):
        """Whatever was delivered has been looked at."""
        wait_for(lambda: self.site.sql("SELECT COUNT(*) FROM delivery WHERE attempts = 0 AND state IN"
                                       " ('pending','leased')") == "0\n", PATIENCE, "the drain")

    def places(self, server):
        """(name, bytes) of all that lies somewhere: the server's files, the spool, the logs."""
        secret = {value for keys in self.site.settings.values() for key, value in keys.items()
                  if key.endswith("_file")}
        for folder in (server.folder, self.site.folder):
            for path, _, files in os.walk(folder):
                for name in files:
                    whole = os.path.join(path, name)
                    if name in secret or not os.path.isfile(whole):
                        continue
                    with open(whole, "rb") as file:
                        yield whole, file.read()

    def find(self, name, data, needles):
        small = data.lower()
        for what, (sensitive, insensitive) in needles.items():
            for form in sensitive:
                self.assertNotIn(form, Found(data), f"{what} in {name}")
            for form in insensitive:
                self.assertNotIn(form, Found(small), f"{what} in {name}")

    def needles(self):
        """The word, and what cannot hold it."""
        needles = {"the planted word": forms(self.word)}
        for line in self.site.file_text("keyring").split():
            key = base64.b64decode(line.partition(":")[2])
            needles[f"key {line.partition(':')[0]}"] = (in_base64(key) | {key}, {key.hex().encode()})
        for number, token in enumerate(self.tokens):
            needles[f"idToken {number}"] = ({token.rpartition(".")[2].encode()}, set())
        whsec = base64.b64decode(self.site.secret("standard").removeprefix("whsec_"))
        needles["the standard shop's secret"] = (in_base64(whsec) | {whsec}, set())
        return needles

    def everything(self, server):
        self.word = planted_word()
        self.site = self.enterContext(self.deployment(server))
        arguments = Arguments(os.path.abspath(os.environ["PURCHASE_SYNC_BIN"]))
        arguments.start()
        self.addCleanup(arguments.ended.set)
        self.tokens = [mint_id_token(USER, TEAM, self.site.miro_secret),
                       mint_id_token(USER, TEAM, self.site.miro_secret, exp=1),
                       mint_id_token(USER, TEAM, self.word)]
        self.site.migrate()
        self.site.apply_catalogue({
            "entitlements": {"icons-pro": {}},
            "products": [{"source": shop, "product": "10", "grants": ["icons-pro"]} for shop in SHOPS + (SOURCE,)]})
        self.site.start_webhook()
        self.site.start_worker()
        self.site.start_sandbox()
        self.shops()
        self.people()
        self.operator()
        self.rotation()
        self.ended()
        self.assertGreaterEqual(int(self.site.sql("SELECT COUNT(*) FROM address")), 4)
        self.assertGreaterEqual(int(self.site.sql("SELECT COUNT(*) FROM delivery")), len(SHOPS) + 3)
        server.sql("FLUSH TABLES; FLUSH LOGS; SET GLOBAL innodb_max_dirty_pages_pct = 0")
        needles = self.needles()
        self.find("an argument list", arguments.end(), needles)
        self.assertTrue(arguments.seen)
        for name, data in self.places(server):
            if os.path.basename(name) == "ibtmp1":  # temporary tables, gone when it stops
                self.find(name, data, needles)
        server.stop()  # everything that it still held in memory is in its files now
        names, clear = [], []
        for name, data in self.places(server):
            names.append(os.path.basename(name))
            self.find(name, data, needles)
            if USER.encode() in data:
                clear.append(names[-1])
        server.start()
        self.assertLessEqual({"miro_token.ibd", "binlog.000001"}, set(clear))  # what is not sealed is seen there
        for wanted in ("address.ibd", "delivery.ibd", "binlog.000001", "ib_logfile0"):
            self.assertIn(wanted, names)
        self.assertTrue(any(name.endswith(".stderr") for name in names))

    def setUp(self):
        self.miro = self.enterContext(FakeMiro())

    def logged(self, binlog_format):
        with MariaDB(options=["--log-bin=binlog", "--sync-binlog=1", "--server-id=1",
                              f"--binlog-format={binlog_format}"]) as server:
            self.everything(server)
            self.doCleanups()

    def test_rows_in_the_binary_log(self):
        self.logged("ROW")

    def test_statements_in_the_binary_log(self):
        self.logged("MIXED")  # statements wherever READ COMMITTED allows it

    def test_the_search_finds_what_it_is_to_find(self):
        word = planted_word()
        needles = {"the word": forms(word)}
        for planted in (word, word.lower(), word.upper(), word.encode().hex(), f"mailto:{word}%40example.test",
                        *(base64.b64encode(b"x" * n + word.encode() + b"@example.test").decode() for n in range(6))):
            with self.assertRaises(AssertionError, msg=planted):
                self.find("here", f"before {planted} after".encode(), needles)
        self.find("here", b"nothing of it", needles)


class Found:
    """Bytes that are not printed when an assertion about them fails."""

    def __init__(self, data):
        self.data = data

    def __contains__(self, form):
        return form in self.data

    def __repr__(self):
        return f"{len(self.data)} bytes"


if __name__ == "__main__":
    unittest.main()
