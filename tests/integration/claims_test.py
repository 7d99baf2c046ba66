"""POST /v1/claims and /v1/claims/confirm, with a real mail server between them."""

import json
import statistics
import threading
import time
import unittest

from mail_server import MailServer, can_run, code_of, read_mail
from mariadb import MariaDB
from programs import SOURCE, Deployment, new_standard_secret, wait_for

TEAM = "3458764514838398336"
ORIGIN = "https://plugin.example.com"
DEADLINE = 90
CATALOGUE = {
    "entitlements": {"icons-pro": {"name": "Icons <b>&amp;</b> \u202emore"}, "boards": {}},
    "products": [{"source": "bare", "product": "10", "grants": ["icons-pro"]},
                 {"source": "bare", "product": "11", "grants": ["boards"]}]}


def stamp(seconds):
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(seconds))


@unittest.skipUnless(can_run(), "needs Node and the packages of tests/peers")
class Claims(unittest.TestCase):
    users = 3458764514838400000

    @classmethod
    def setUpClass(cls):
        cls.server = MariaDB()
        cls.addClassCleanup(cls.server.close)
        cls.mail = MailServer()
        cls.addClassCleanup(cls.mail.close)
        cls.shop = Deployment(
            cls.server,
            {"source bare": {"provider": "standard", "webhook_secret_file": "bare.secret"},
             f"source {SOURCE}": None,
             "mail": {"smtp_url": f"smtp://127.0.0.1:{cls.mail.port}",
                      "from": "licences@example.com"}},
            {"bare.secret": new_standard_secret() + "\n"})
        cls.addClassCleanup(cls.shop.close)
        cls.shop.migrate()
        cls.shop.apply_catalogue(CATALOGUE)
        cls.webhook = cls.shop.start_webhook()
        cls.worker = cls.shop.start_worker()

    def setUp(self):
        Claims.users += 10
        self.user, self.other = str(Claims.users), str(Claims.users + 1)
        self.address = f"zoe{self.user}@example.test"

    # Asking

    def post(self, path, body, user=None, headers=None):
        head = self.shop.bearer(user or self.user, TEAM)
        head.update(headers or {})
        return self.shop.request_json("POST", path, json.dumps(body), head)

    def ask(self, address=None, user=None):
        status, headers, answer = self.post("/v1/claims", {"email": address or self.address}, user)
        self.assertEqual((status, answer, headers["Cache-Control"]),
                         (202, {"status": "accepted"}, "no-store"))

    def confirm(self, code, address=None, user=None):
        status, _, answer = self.post("/v1/claims/confirm",
                                      {"email": address or self.address, "code": code}, user)
        return status, answer.get("code") if status != 200 else answer["status"]

    def order(self, address=None, number=None, product="10"):
        """A paid order, merged by the running worker."""
        number, now = number or f"A-{self.user}", int(time.time())
        self.shop.deliver_standard(
            {"type": "order.updated", "timestamp": stamp(now),
             "data": {"id": number, "status": "paid", "email": address or self.address,
                      "lines": [{"id": "1", "product": product, "quantity": 1}]}}, "bare")
        wait_for(lambda: self.shop.sql("SELECT COUNT(*) FROM order_snapshot"
                                       f" WHERE order_id = '{number}'").strip() == "1",
                 DEADLINE, "the order")

    def mailed(self, count=1, address=None):
        """The newest of `count` mails to the address, once they are there."""
        wait_for(lambda: len(self.mail.mails(address or self.address)) >= count, DEADLINE, "a mail")
        mails = self.mail.mails(address or self.address)
        self.assertEqual(len(mails), count)
        return mails[-1]

    def settled(self, user=None):
        """The states of a user's claims once nothing of them is under way."""
        def states():
            rows = self.shop.sql("SELECT state FROM claim WHERE user_id ="
                                 f" '{user or self.user}' ORDER BY asked_at").split()
            return None if {"asked", "mailing"} & set(rows) else rows
        return wait_for(states, DEADLINE, "the claims to settle")

    def wrong(self, code):
        return f"{(int(code) + 1) % 10**8:08}"

    # The way

    def test_the_way(self):
        """A waiting plugin unlocks as soon as the code is told."""
        self.order()
        before = self.shop.entitlements(self.user)
        answers = []
        waiting = threading.Thread(target=lambda: answers.append(self.shop.entitlements(
            self.user, etag=f'"{before["version"]}"', wait=30)))
        self.ask(f"  {self.address.upper()} ")
        wait_for(lambda: self.mail.mails(), DEADLINE, "the mail")
        mail = self.mailed(address=self.address.upper())
        waiting.start()
        wait_for(lambda: self.shop.metric("purchase_waits") == 1, DEADLINE, "the wait")
        code = code_of(mail)
        began = time.monotonic()
        self.assertEqual(self.confirm(f"{code[:4]} {code[4:]}"), (200, "confirmed"))
        waiting.join(DEADLINE)
        self.assertLess(time.monotonic() - began, 20, "the wait ran out instead")
        self.assertEqual([item["key"] for item in answers[0]["entitlements"]], ["icons-pro"])
        self.assertEqual(answers[0]["identity"], {"state": "linked"})
        self.assertEqual(self.confirm(code), (200, "confirmed"), "the answer may have been lost")
        self.assertEqual(self.confirm(self.wrong(code)), (422, "code_invalid"))
        self.assertEqual(self.shop.sql("SELECT origin FROM link WHERE user_id ="
                                       f" '{self.user}'").strip(), "claim")

    def test_what_the_mail_says(self):
        self.order()
        self.ask()
        mail = self.mailed()
        message, text, html = read_mail(mail)
        self.assertEqual((mail["from"], mail["to"]), ("licences@example.com", [self.address]))
        self.assertEqual((message["From"], message["To"]),
                         ("licences@example.com", self.address))
        self.assertEqual(message.get_content_type(), "multipart/alternative")
        self.assertEqual(message["Auto-Submitted"], "auto-generated")
        self.assertTrue(message["Message-ID"].endswith("@example.com>"))
        self.assertLess(abs(message["Date"].datetime.timestamp() - time.time()), 600)
        self.assertNotIn(code_of(mail), message["Subject"])
        for part in (text, html):
            self.assertIn(self.user, part)
            self.assertIn(TEAM, part)
            self.assertNotIn("another Miro user", part)
            self.assertNotIn("\u202e", part)
        self.assertIn("Icons <b>&amp;</b> more", text)
        self.assertIn("Icons &lt;b&gt;&amp;amp;&lt;/b&gt; more", html)

    def test_nothing_in_clear(self):
        self.order()
        self.ask()
        code = code_of(self.mailed())
        dump = bytes.fromhex(self.shop.sql("SELECT HEX(CONCAT_WS('|', code_mac, sealed, user_id))"
                                           " FROM claim").replace("\n", "")).decode("latin1")
        logs = self.webhook.log_text() + self.worker.log_text()
        for secret in (code, self.address):
            self.assertNotIn(secret, dump)
            self.assertNotIn(secret, logs)
        self.settled()
        self.assertEqual(self.shop.sql("SELECT COUNT(*) FROM claim WHERE sealed IS NOT NULL AND"
                                       f" user_id = '{self.user}'").strip(), "0")

    # Who is told what

    def test_unknown_addresses_get_the_same_and_no_mail(self):
        """The same statement in the same batch; and, as far as a busy machine shows it, the time."""
        self.order()
        took = {True: [], False: []}
        for number in range(8):
            for known in (True, False):
                user = str(Claims.users * 100 + number)
                address = self.address if known else f"nobody{number}@example.test"
                began = time.perf_counter()
                self.ask(address, user)
                took[known].append(time.perf_counter() - began)
                self.assertEqual(self.confirm("00000000", address, user), (422, "code_invalid"))
        medians = [statistics.median(took[known]) for known in (True, False)]
        self.assertLess(abs(medians[0] - medians[1]), 0.25, took)
        for number in range(8):
            self.settled(str(Claims.users * 100 + number))
            self.assertEqual(self.mail.mails(f"nobody{number}@example.test"), [])
        # At most five an hour to one address, whoever asks, and those stay good.
        mails = self.mail.mails(self.address)
        self.assertEqual(len(mails), 5)
        asker = read_mail(mails[0])[1].split("The Miro user ")[1].split(",")[0]
        self.assertEqual(self.confirm(code_of(mails[0]), user=asker), (200, "confirmed"))

    def test_tries_are_counted_alike(self):
        """After five wrong codes 429, whether or not anybody knows the address."""
        self.order()
        for address in (self.address, f"nobody{self.user}@example.test"):
            self.ask(address)
        code = code_of(self.mailed())
        for address in (self.address, f"nobody{self.user}@example.test"):
            for _ in range(5):
                self.assertEqual(self.confirm(self.wrong(code), address), (422, "code_invalid"))
            status, headers, answer = self.post("/v1/claims/confirm",
                                                {"email": address, "code": code})
            self.assertEqual((status, answer["code"]), (429, "too_many_tries"))
            self.assertTrue(0 < int(headers["Retry-After"]) <= 900)
        self.ask()
        self.assertEqual(self.confirm(code_of(self.mailed(2))), (200, "confirmed"))

    def test_what_is_no_code_is_no_try(self):
        self.order()
        self.ask()
        code = code_of(self.mailed())
        for _ in range(7):
            self.assertEqual(self.confirm("1234567"), (422, "code_invalid"))
            self.assertEqual(self.confirm("1234567a"), (422, "code_invalid"))
        self.assertEqual(self.confirm(code), (200, "confirmed"))

    def test_a_second_mail_leaves_the_first_code_good(self):
        self.order()
        self.ask()
        first = code_of(self.mailed())
        self.ask()
        self.mailed(2)
        self.assertEqual(self.confirm(first), (200, "confirmed"))

    def test_a_code_is_one_user_s_and_one_address_s(self):
        self.order()
        self.order(f"b{self.address}", f"B-{self.user}")
        self.ask()
        self.ask(user=self.other)
        self.ask(f"b{self.address}")
        wait_for(lambda: len(self.mail.mails(self.address)) == 2, DEADLINE, "both mails")
        code = next(code_of(mail) for mail in self.mail.mails(self.address)
                    if f"user {self.user}," in read_mail(mail)[1])
        self.assertEqual(self.confirm(code, user=self.other), (422, "code_invalid"))
        self.assertEqual(self.confirm(code, f"b{self.address}"), (422, "code_invalid"))
        self.assertEqual(self.confirm(code), (200, "confirmed"))

    def test_expiry(self):
        self.order()
        self.ask()
        code = code_of(self.mailed())
        self.shop.sql("UPDATE claim SET asked_at = asked_at - 901000000,"
                      f" expires_at = expires_at - 901000000 WHERE user_id = '{self.user}'")
        self.assertEqual(self.confirm(code), (422, "code_invalid"))

    def test_many_claims_of_one_user(self):
        """Ten mails an hour, twenty rows, and always the same answer."""
        addresses = [f"m{number}{self.address}" for number in range(12)]
        for number, address in enumerate(addresses):
            self.order(address, f"M{number}-{self.user}")
        for address in addresses * 2:
            self.ask(address)
        self.assertEqual(len(self.settled()), 20)
        self.assertEqual(sum(len(self.mail.mails(address)) for address in addresses), 10)
        self.assertEqual(self.confirm(code_of(self.mail.mails(addresses[0])[0]), addresses[0]),
                         (200, "confirmed"))

    # Moving

    def test_an_address_moves_only_by_code(self):
        self.order()
        self.shop.ctl("link", self.other, self.address, "--why", "test")
        self.assertEqual(self.shop.keys(self.other), ["icons-pro"])
        self.ask()
        mail = self.mailed()
        self.assertIn("another Miro user", read_mail(mail)[1])
        self.assertEqual(self.shop.keys(self.other), ["icons-pro"])
        self.assertEqual(self.confirm(code_of(mail)), (200, "confirmed"))
        self.assertEqual((self.shop.keys(self.user), self.shop.keys(self.other)),
                         (["icons-pro"], []))
        identity = self.shop.entitlements(self.other)["identity"]
        self.assertEqual(sorted(identity), ["address_moved_at", "state"])
        self.assertNotIn("address_moved_at", self.shop.entitlements(self.user)["identity"])
        actions = self.shop.sql("SELECT action, cause, user_id FROM audit WHERE user_id IN"
                                f" ('{self.user}','{self.other}') AND cause = 'link' ORDER BY id")
        self.assertEqual(actions.split(), ["unlinked", "link", self.other,
                                           "linked", "link", self.user])
        self.ask(user=self.other)
        self.assertEqual(self.confirm(code_of(self.mailed(2)), user=self.other),
                         (200, "confirmed"))
        self.assertNotIn("address_moved_at", self.shop.entitlements(self.other)["identity"])
        self.assertIn("address_moved_at", self.shop.entitlements(self.user)["identity"])
        self.assertEqual(self.confirm(code_of(mail)), (422, "code_invalid"),
                         "a used code moves nothing")

    # Contested orders

    def contested(self):
        """An order by self.user's reference with an address that is self.other's; its event."""
        self.order()
        self.shop.ctl("link", self.other, self.address, "--why", "test")
        status, _, answer = self.post("/v1/checkout", {"source": "bare", "product": "11"})
        self.assertEqual(status, 200, answer)
        number = f"C-{self.user}"
        event = {"type": "order.updated", "timestamp": stamp(time.time()),
                 "data": {"id": number, "status": "paid", "email": self.address,
                          "lines": [{"id": "1", "product": "11", "quantity": 2}],
                          "metadata": {"miro_reference": answer["reference"]}}}
        self.shop.deliver_standard(event, "bare")
        wait_for(lambda: self.decision() == "open", DEADLINE, "the flag")
        self.assertEqual((self.shop.keys(self.user), self.shop.keys(self.other)),
                         (["boards"], ["icons-pro"]))
        shown = self.shop.ctl_json("user", "show", self.user)["contested"]
        self.assertEqual([(row["origin"], row["holder"]) for row in shown],
                         [("order", self.other)])
        return event

    def decision(self):
        return self.shop.sql("SELECT decision FROM contested_order WHERE order_id ="
                             f" 'C-{self.user}'").strip()

    def test_a_contested_order_goes_to_who_has_the_address(self):
        """Somebody paid at another's link: the mailed code brings them what they paid."""
        event = self.contested()
        self.ask(user=self.other)
        self.assertEqual(self.confirm(code_of(self.mailed()), user=self.other),
                         (200, "confirmed"))
        self.assertEqual((self.shop.keys(self.user), self.shop.keys(self.other)),
                         ([], ["boards", "icons-pro"]))
        self.assertEqual(self.decision(), "address")
        # What the shop says later of the order, reference and all, changes nothing of that.
        event["data"].update(updated_at=stamp(time.time() + 60),
                             lines=[dict(event["data"]["lines"][0], quantity=1)])
        self.shop.deliver_standard(event, "bare")
        wait_for(lambda: self.shop.entitlements(self.other)["entitlements"][0]["quantity"] == 1,
                 DEADLINE, "the news")
        self.assertEqual(self.shop.keys(self.user), [])
        causes = self.shop.sql("SELECT DISTINCT cause FROM audit WHERE order_id ="
                               f" 'C-{self.user}' AND action <> 'granted' AND cause_id ="
                               f" '{self.other}'").split()
        self.assertEqual(causes, ["link"])

    def test_a_contested_order_stays_with_the_reference(self):
        self.contested()
        self.ask()
        self.assertEqual(self.confirm(code_of(self.mailed())), (200, "confirmed"))
        self.assertEqual((self.shop.keys(self.user), self.shop.keys(self.other)),
                         (["boards", "icons-pro"], []))
        self.assertEqual(self.decision(), "reference")

    # The server's whims

    def test_a_server_that_is_busy_or_down(self):
        self.order()
        self.mail.manners(rcpt=451)
        refused = len(self.mail.refusals())
        self.ask()
        wait_for(lambda: len(self.mail.refusals()) >= refused + 2, DEADLINE, "two tries")
        self.mail.stop()
        log = self.worker.log_text().count("mail_later")
        wait_for(lambda: self.worker.log_text().count("mail_later") > log, DEADLINE, "a try in vain")
        self.mail.start()
        self.assertEqual(self.confirm(code_of(self.mailed())), (200, "confirmed"))

    def test_a_server_that_will_not_take_it(self):
        self.order()
        self.mail.manners(rcpt=550)
        self.addCleanup(self.mail.manners, rcpt=None)
        refused = len(self.mail.refusals())
        self.ask()
        self.assertEqual(self.settled(), ["dropped"])
        self.assertEqual(len(self.mail.refusals()), refused + 1)

    # What is refused

    def test_addresses(self):
        for address in ("zoe", "@example.test", "zoe@", "zoe@localhost", "a b@example.test",
                        "zoe@example.test\r\nBcc: eve@example.test", "zoe@example.test\n",
                        "zoe@example.test,eve@example.test", "<zoe@example.test>",
                        '"zoe"@example.test', "zoe@[127.0.0.1]", "zo\u00eb@example.test",
                        "zoe@ex\u00e4mple.test", "zoe@-example.test", "zoe@example..test",
                        ".zoe@example.test", "z" * 65 + "@example.test", "zoe(x)@example.test",
                        "zoe@example.test@example.test", "zoe%0d%0a@example.test\u0000"):
            for path in ("/v1/claims", "/v1/claims/confirm"):
                status, _, answer = self.post(path, {"email": address, "code": "12345678"})
                self.assertEqual(status, 400, address)
                self.assertIn(answer["code"], ("email_invalid", "body_invalid"), address)
        self.assertEqual(self.shop.sql("SELECT COUNT(*) FROM claim WHERE user_id ="
                                       f" '{self.user}'").strip(), "0")

    def test_tokens_and_origins(self):
        for path in ("/v1/claims", "/v1/claims/confirm"):
            status, headers, answer = self.shop.request_json(
                "POST", path, "{}", {"Authorization": "Bearer x.y.z", "Origin": ORIGIN})
            self.assertEqual((status, answer["code"]), (401, "token_invalid"))
            self.assertEqual(headers["Access-Control-Allow-Origin"], ORIGIN)
            self.assertEqual(self.shop.request("GET", path)[0], 405)


if __name__ == "__main__":
    unittest.main(verbosity=2)
