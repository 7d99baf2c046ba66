"""How the worker speaks with its mail server: STARTTLS, certificates, a sign-in."""

import json
import time
import unittest

from certificates import Authority
from mail_server import MailServer, can_run, code_of
from mariadb import MariaDB
from programs import SOURCE, Deployment, new_standard_secret, wait_for
from scratch import Scratch

USER, TEAM = "3458764514838398337", "3458764514838398336"
ADDRESS = "zoe@example.test"
DEADLINE = 60


@unittest.skipUnless(can_run(), "needs Node and the packages of tests/peers")
class MailTls(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = Scratch("mail")
        cls.addClassCleanup(cls.folder.close)
        cls.authority = Authority(cls.folder.path)
        cls.other = Authority(cls.folder.path, "other")
        cls.certificate, cls.key = cls.authority.sign("mail", "IP:127.0.0.1")
        cls.server = MariaDB()
        cls.addClassCleanup(cls.server.close)

    def setUp(self):
        self.shop = Deployment(
            self.server,
            {f"source {SOURCE}": None,
             "source bare": {"provider": "standard", "webhook_secret_file": "bare.secret"}},
            {"bare.secret": new_standard_secret() + "\n"})
        self.addCleanup(self.shop.close)
        self.shop.migrate()
        self.shop.start_webhook()
        stamp = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
        self.shop.deliver_standard(
            {"type": "order.updated", "timestamp": stamp,
             "data": {"id": "1", "status": "paid", "email": ADDRESS,
                      "lines": [{"id": "1", "product": "10", "quantity": 1}]}}, "bare")

    def serve(self, **options):
        mail = MailServer(key=self.key, cert=self.certificate, **options)
        self.addCleanup(mail.close)
        return mail

    def send(self, mail, scheme="smtp", **settings):
        """One claim and one run of the worker with these settings; the worker's log."""
        self.shop.configure({"mail": None})
        self.shop.configure({"mail": {"smtp_url": f"{scheme}://127.0.0.1:{mail.port}",
                                      "from": "licences@example.com", **settings}})
        self.shop.sql("UPDATE claim SET due_at = 0")
        if self.shop.sql("SELECT COUNT(*) FROM claim WHERE state IN ('asked','mailing')"
                         ).strip() == "0":
            status, _, answer = self.shop.request_json(
                "POST", "/v1/claims", json.dumps({"email": ADDRESS}), self.shop.bearer(USER, TEAM))
            self.assertEqual(status, 202, answer)
        return self.shop.worker_once().stderr

    def sent(self, mail, count, secure, user=None):
        wait_for(lambda: len(mail.mails()) == count, DEADLINE, "the mail")
        self.assertEqual((mail.mails()[-1]["secure"], mail.mails()[-1]["user"]), (secure, user))
        self.assertTrue(code_of(mail.mails()[-1]))

    def test_starttls(self):
        mail = self.serve(starttls=True)
        for settings in ({"starttls": "required"},
                         {"starttls": "required", "tls_ca": self.other.certificate}):
            log = self.send(mail, **settings)
            self.assertIn("mail_later", log)
            self.assertRegex(log, "certificate|SSL")
            self.assertEqual(mail.mails(), [])
        self.send(mail, starttls="required", tls_ca=self.authority.certificate)
        self.sent(mail, 1, True)
        self.send(mail)  # this machine's own server: TLS, whatever its certificate
        self.sent(mail, 2, True)
        self.send(mail, starttls="never")
        self.sent(mail, 3, False)

    def test_a_server_without_tls(self):
        mail = self.serve(starttls=False)
        self.assertIn("mail_later", self.send(mail, starttls="required"))
        self.assertEqual(mail.mails(), [])
        self.send(mail)
        self.sent(mail, 1, False)

    def test_smtps_and_a_sign_in(self):
        mail = self.serve(secure=True, user="sync", password="correct: horse")
        self.shop.write("mail.good", "sync:correct: horse\n")
        self.shop.write("mail.bad", "sync:wrong\n")
        settings = {"tls_ca": self.authority.certificate, "credentials_file": "mail.good"}
        log = self.send(mail, "smtps", **dict(settings, credentials_file="mail.bad"))
        self.assertIn("mail_later", log)
        for secret in ("wrong", ADDRESS):
            self.assertNotIn(secret, log)
        log = self.send(mail, "smtps", credentials_file="mail.good")
        self.assertRegex(log, "certificate|SSL")
        self.assertEqual(mail.mails(), [])
        self.send(mail, "smtps", **settings)
        self.sent(mail, 1, True, "sync")

    def test_no_mail_section(self):
        mail = self.serve()
        log = self.send(mail)
        self.sent(mail, 1, False)
        self.shop.configure({"mail": None})
        status, _, _ = self.shop.request_json(
            "POST", "/v1/claims", json.dumps({"email": ADDRESS}), self.shop.bearer(USER, TEAM))
        self.assertEqual(status, 202)
        log = self.shop.worker_once().stderr
        self.assertIn("no_mail_section", log)


if __name__ == "__main__":
    unittest.main(verbosity=2)
