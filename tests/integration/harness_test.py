"""The harness itself: what other tests take for granted."""

import base64
import json
import os
import signal
import subprocess
import sys
import threading
import time
import unittest
import urllib.error
import urllib.request

import scratch
from fake_miro import PROFILE, TOKEN, FakeMiro, error
from fake_shop import Answer, FakeShop, Sequence
from mariadb import PASSWORD, USER, MariaDB
from processes import Program
from signing import mint_id_token, sign_shopify, sign_standard, sign_woocommerce
from waiting import TimedOut, wait_for


def fetch(url, data=None):
    """(status, parsed JSON), past any proxy"""
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(url, data=data, timeout=10) as answer:
            return answer.status, json.loads(answer.read())
    except urllib.error.HTTPError as refused:
        with refused:
            return refused.code, json.loads(refused.read())


class Waiting(unittest.TestCase):
    def test_true_values_come_back_and_deadlines_are_kept(self):
        values = iter([0, None, "done"])
        self.assertEqual(wait_for(lambda: next(values), 5), "done")
        begun = time.monotonic()
        with self.assertRaises(TimedOut):
            wait_for(lambda: False, 0.1)
        self.assertLess(time.monotonic() - begun, 5)


class Signing(unittest.TestCase):
    """Against openssl, which shares no code with Python's hmac module."""

    @staticmethod
    def openssl(key, message):
        done = subprocess.run(["openssl", "dgst", "-sha256", "-mac", "HMAC", "-macopt",
                               "hexkey:" + key.hex(), "-binary"], input=message,
                              capture_output=True, check=True)
        return base64.b64encode(done.stdout).decode()

    def test_shop_signatures(self):
        body = b'{"id":1}\n'
        want = self.openssl(b"s&cret", body)
        self.assertEqual(sign_woocommerce(body, "s&cret"), {"X-WC-Webhook-Signature": want})
        self.assertEqual(sign_shopify(body, "s&cret"), {"X-Shopify-Hmac-Sha256": want})

    def test_standard_signature(self):
        key = bytes(range(32))
        secret = "whsec_" + base64.b64encode(key).decode()
        headers = sign_standard(b"{}", secret, "msg_1", 1700000000)
        self.assertEqual(headers["webhook-signature"],
                         "v1," + self.openssl(key, b"msg_1.1700000000.{}"))
        self.assertEqual(sign_standard(b"{}", secret.rstrip("="), "msg_1", 1700000000), headers)

    def test_id_tokens(self):
        token = mint_id_token("42", "7", "k", exp=None, nonce="n")
        head, payload, signature = token.split(".")
        claims = json.loads(base64.urlsafe_b64decode(payload + "=="))
        self.assertEqual((claims["user"], claims["team"], claims["nonce"]), ("42", "7", "n"))
        self.assertNotIn("exp", claims)
        mac = base64.b64decode(self.openssl(b"k", f"{head}.{payload}".encode()))
        self.assertEqual(base64.urlsafe_b64encode(mac).decode().rstrip("="), signature)


class Folders(unittest.TestCase):
    def test_what_a_killed_test_left_is_swept(self):
        code = ("import scratch, sys; s = scratch.Scratch('kill'); print(s.path, flush=True);"
                "sys.stdin.read()")
        folder = os.path.dirname(scratch.__file__)
        with subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE, text=True,
                              stdout=subprocess.PIPE, cwd=folder) as child:
            path = child.stdout.readline().strip()
            scratch.sweep()
            self.assertTrue(os.path.isdir(path))
            child.kill()
        scratch.sweep()
        self.assertFalse(os.path.exists(path))

    def test_ports_differ(self):
        one, two = scratch.Ports(), scratch.Ports()
        taken = [one.take() for _ in range(20)] + [two.take() for _ in range(20)]
        self.assertEqual(len(set(taken)), 40)
        one.close()
        two.close()


class Servers(unittest.TestCase):
    def test_two_at_once_and_what_a_crash_leaves(self):
        with MariaDB() as server, MariaDB() as other:
            self.assertNotEqual(os.stat(f"/proc/{server.process.pid}").st_uid, 0)
            name = server.database("shop")
            server.sql("CREATE TABLE t (n INT PRIMARY KEY); INSERT INTO t VALUES (1),(2)", name)
            self.assertEqual(server.rows("SELECT n, n * 2 FROM t", name), [["1", "2"], ["2", "4"]])
            self.assertEqual(server.sql("SELECT @@innodb_flush_log_at_trx_commit").strip(), "1")
            with self.assertRaisesRegex(RuntimeError, "doesn't exist"):
                other.sql("SELECT * FROM shop.t")
            server.kill()
            self.assertFalse(server.running())
            server.start()
            self.assertEqual(server.sql("SELECT SUM(n) FROM t", name).strip(), "3")
            server.restart()
            self.assertEqual(server.sql("SELECT SUM(n) FROM t", name).strip(), "3")
            server.database("shop")
            self.assertEqual(server.sql("SHOW TABLES", name), "")
            folder, process = server.folder, server.process
        self.assertIsNotNone(process.poll())
        self.assertFalse(os.path.exists(folder))

    def test_a_frozen_server_answers_later(self):
        with MariaDB() as server:
            server.freeze()
            answers = []
            asking = threading.Thread(target=lambda: answers.append(server.sql("SELECT 1")))
            asking.start()
            asking.join(0.3)
            self.assertEqual(answers, [])
            server.thaw()
            asking.join(30)
            self.assertEqual(answers, ["1\n"])

    def test_tcp(self):
        with MariaDB(tcp=True) as server:
            done = subprocess.run(
                ["mariadb", "--no-defaults", "--protocol=tcp", "--host=127.0.0.1",
                 f"--port={server.port}", f"--user={USER}", f"--password={PASSWORD}", "-N", "-B",
                 "-e", "SELECT CURRENT_USER()"], capture_output=True, text=True, check=True)
            self.assertEqual(done.stdout.strip(), f"{USER}@%")


class Programs(unittest.TestCase):
    def setUp(self):
        self.scratch = scratch.Scratch("programs")
        self.addCleanup(self.scratch.close)

    def start(self, script):
        return Program("script", ["sh", "-c", script], self.scratch.path, {"PATH": "/usr/bin:/bin"})

    def test_an_orderly_end_passes(self):
        program = self.start("trap 'exit 0' TERM; echo up >&2; while :; do sleep 0.05; done")
        wait_for(program.handles_sigterm, 10)
        program.stop()
        self.assertIn("up", program.log_text())

    def test_a_wrong_exit_code_a_report_and_a_hang_are_told(self):
        with self.assertRaisesRegex(AssertionError, "ended with 3"):
            self.start("trap 'exit 3' TERM; while :; do sleep 0.05; done").stop()
        with self.assertRaisesRegex(AssertionError, "AddressSanitizer"):
            self.start("echo '==1==ERROR: AddressSanitizer: x' >&2;"
                       "trap 'exit 0' TERM; while :; do sleep 0.05; done").stop()
        with self.assertRaisesRegex(AssertionError, "did not end"):
            self.start("trap '' TERM; trap : TERM; while :; do sleep 0.05; done").stop(deadline=1)
        dead = self.start("exit 5")
        wait_for(lambda: not dead.alive(), 10)
        with self.assertRaisesRegex(AssertionError, "ended with 5"):
            dead.must_live()

    def test_signals_and_kills(self):
        program = self.start("trap 'echo hup >&2' HUP; trap 'exit 0' TERM;"
                             "while :; do sleep 0.05; done")
        wait_for(program.handles_sigterm, 10)
        program.signal(signal.SIGHUP)
        wait_for(lambda: "hup" in program.log_text(), 10)
        program.kill()
        self.assertFalse(program.alive())


class Fakes(unittest.TestCase):
    def test_answers_of_every_kind(self):
        with FakeShop() as shop:
            shop.order({"id": 12})
            shop.answers["/page?n=2"] = [1, 2]
            shop.answers["/flaky"] = Sequence(Answer({"e": 1}, 503), {"ok": 1})
            shop.answers["/echo"] = lambda asked: {"got": asked.body.decode()}
            shop.answers["/drop"] = Answer(close=True)
            self.assertEqual(fetch(f"{shop.url}/wp-json/wc/v3/orders/12"), (200, {"id": 12}))
            self.assertEqual(fetch(f"{shop.url}/page?n=2"), (200, [1, 2]))
            self.assertEqual(fetch(f"{shop.url}/page?n=3")[0], 404)
            self.assertEqual([fetch(f"{shop.url}/flaky")[0] for _ in range(3)], [503, 200, 200])
            self.assertEqual(fetch(f"{shop.url}/echo", b"hello"), (200, {"got": "hello"}))
            with self.assertRaises(OSError):
                fetch(f"{shop.url}/drop")
            self.assertEqual(len(shop.asked("/flaky")), 3)
            self.assertEqual(shop.asked("/page")[0].query, "n=2")

    def test_miro(self):
        with FakeMiro() as miro:
            miro.token("42", "7", refresh_token=None, team_id=7)
            status, answer = fetch(miro.url + TOKEN, b"grant_type=authorization_code&code=c")
            self.assertEqual((status, answer["team_id"]), (200, 7))
            self.assertNotIn("refresh_token", answer)
            self.assertEqual(miro.exchanges()[0]["code"], "c")
            miro.profile_says(error(401, "tokenNotProvided", "No token"), {"id": "42"})
            self.assertEqual(fetch(miro.url + PROFILE)[0], 401)
            self.assertEqual(fetch(miro.url + PROFILE), (200, {"id": "42"}))


if __name__ == "__main__":
    unittest.main()
