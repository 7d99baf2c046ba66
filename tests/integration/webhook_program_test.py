"""The front as a program: routes, the internal listener, starting, reloading, stopping."""

import base64
import http.client
import json
import secrets
import signal
import socket
import subprocess
import threading
import unittest

from mariadb import MariaDB
from processes import SANITIZER_REPORTS
from programs import SOURCE, Deployment, program_path, wait_for
from signing import sign_woocommerce

USER = "42"
TEAM = "7"


def setUpModule():
    global server
    server = MariaDB()
    unittest.addModuleCleanup(server.close)


class Routes(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.shop = Deployment(server)
        cls.addClassCleanup(cls.shop.close)
        cls.shop.migrate()
        cls.webhook = cls.shop.start_webhook()

    def ask(self, method, path, internal=False, headers=None):
        return self.shop.request_json(method, path, headers=headers,
                                      port=self.shop.internal_port if internal else None)

    def test_not_found(self):
        for path in ("/", "/v1", "/v1/", "/v1/entitlements/", "/v1/entitlements/a/b", "/webhooks",
                     "/webhooks/", "/webhooks/a/b/c", "/oauth", "/oauth/start/", "//oauth/start",
                     "/healthz", "/metrics", "/V1/entitlements", "/v1/entitlements/%zz"):
            status, headers, answer = self.ask("GET", path)
            self.assertEqual((status, answer["code"], answer["status"]), (404, "not_found", 404),
                             path)
            self.assertEqual(headers["Content-Type"], "application/problem+json")
        for path in ("/v1/entitlements", "/webhooks/main-store", "/"):
            self.assertEqual(self.ask("GET", path, internal=True)[0], 404)

    def test_method_not_allowed(self):
        for method, path, allow, internal in (
                ("GET", "/webhooks/main-store", "POST", False),
                ("PUT", "/webhooks/main-store/x", "POST", False),
                ("POST", "/v1/entitlements", "GET, HEAD, OPTIONS", False),
                ("DELETE", "/v1/entitlements/x", "GET, HEAD, OPTIONS", False),
                ("HEAD", "/oauth/callback", "GET", False),
                ("OPTIONS", "/oauth/start", "GET", False),
                ("POST", "/metrics", "GET, HEAD", True)):
            status, headers, answer = self.ask(method, path, internal)
            self.assertEqual((status, headers["Allow"]), (405, allow), path)
            if method != "HEAD":
                self.assertEqual(answer["code"], "method_not_allowed")

    def test_healthz_and_readyz(self):
        self.assertEqual(self.shop.internal("/healthz"), (200, '{"status":"ok"}'))
        self.assertEqual(self.ask("GET", "/readyz", True)[0], 200)

    def test_internal_host_is_checked(self):
        for host in ("evil.example", f"evil.example:{self.shop.internal_port}", "127.0.0.1:1"):
            self.assertEqual(self.ask("GET", "/healthz", True, {"Host": host})[0], 421, host)

    def test_metrics_are_well_formed(self):
        status, headers, text = self.shop.request("GET", "/metrics", port=self.shop.internal_port)
        self.assertEqual(status, 200)
        self.assertTrue(headers["Content-Type"].startswith("text/plain; version=0.0.4"))
        helped, typed, seen = set(), {}, set()
        for line in text.decode().splitlines():
            if line.startswith("# HELP "):
                name = line.split()[2]
                self.assertNotIn(name, helped)
                helped.add(name)
            elif line.startswith("# TYPE "):
                typed[line.split()[2]] = line.split()[3]
            else:
                sample, _, value = line.rpartition(" ")
                float(value)
                self.assertNotIn(sample, seen)
                seen.add(sample)
                name = sample.split("{")[0]
                for suffix in ("_bucket", "_sum", "_count"):
                    if name.endswith(suffix) and typed.get(name[:-len(suffix)]) == "histogram":
                        name = name[:-len(suffix)]
                self.assertIn(name, typed)
        self.assertEqual(helped, set(typed))
        for name in ("purchase_deliveries_total", "purchase_ingest_seconds",
                     "purchase_inbox_pending", "purchase_inbox_oldest_seconds",
                     "purchase_checks_total", "purchase_check_seconds", "purchase_tokens",
                     "purchase_entitlements_active"):
            self.assertIn(name, typed)
        self.assertEqual(typed["purchase_ingest_seconds"], "histogram")

    def test_answers_are_not_cached_nor_sniffed(self):
        for path in ("/v1/entitlements", "/oauth/callback", "/nothing"):
            headers = self.ask("GET", path)[1]
            self.assertEqual(headers["Cache-Control"], "no-store")
            self.assertEqual(headers["X-Content-Type-Options"], "nosniff")

    def test_no_core_file(self):
        with open(f"/proc/{self.webhook.process.pid}/limits", encoding="ascii") as file:
            core = next(line for line in file if line.startswith("Max core file size"))
        self.assertEqual(core.split()[4:6], ["0", "0"])


class Start(unittest.TestCase):
    """What refuses to start, and how it says so."""

    def start(self, shop, *arguments):
        done = subprocess.run([program_path("purchase-webhook"), *arguments], cwd=shop.folder,
                              capture_output=True, text=True, timeout=60, check=False,
                              env=shop.environment())
        for report in SANITIZER_REPORTS:
            self.assertNotIn(report, done.stderr)
        return done.returncode, done.stdout, done.stderr

    def configured(self, shop):
        return self.start(shop, "--config", shop.config)

    def test_usage(self):
        with Deployment(server) as shop:
            code, out, _ = self.start(shop, "--help")
            self.assertEqual(code, 0)
            self.assertIn("--config", out)
            code, out, _ = self.start(shop, "--version")
            self.assertEqual(code, 0)
            self.assertRegex(out, r"\d+\.\d+\.\d+")
            self.assertEqual(self.start(shop, "--nonsense")[0], 2)
            self.assertEqual(self.start(shop, "serve")[0], 2)

    def test_bad_configuration(self):
        with Deployment(server, {"server": {"lisen": "x"}}) as shop:
            code, _, err = self.configured(shop)
            self.assertEqual(code, 78)
            self.assertRegex(err, r"purchase-sync\.conf:\d+: .*lisen")
            code, _, err = self.start(shop, "--config", "/nonexistent.conf")
            self.assertEqual(code, 78)
            self.assertIn("/nonexistent.conf", err)

    def test_no_schema(self):
        with Deployment(server) as shop:
            code, _, err = self.configured(shop)
            self.assertEqual(code, 1)
            self.assertIn("purchasectl migrate", err)

    def test_wrong_keyring(self):
        with Deployment(server) as shop:
            shop.migrate()
            key = base64.b64encode(secrets.token_bytes(32)).decode()
            shop.write("keyring", f"1:{key}\n")
            code, _, err = self.configured(shop)
            self.assertEqual(code, 1)
            self.assertIn("keyring", err)
            self.assertNotIn(key, err)

    def test_unreadable_keyring(self):
        with Deployment(server) as shop:
            shop.write("keyring", "not a keyring\n")
            self.assertEqual(self.configured(shop)[0], 78)

    def test_address_in_use(self):
        with Deployment(server) as shop:
            shop.migrate()
            shop.start_webhook()
            code, _, err = self.configured(shop)
            self.assertEqual(code, 1)
            self.assertIn("listen = 127.0.0.1:", err)

    def test_database_comes_later(self):
        with MariaDB() as own, Deployment(own) as shop:
            shop.migrate()
            own.stop()
            webhook = shop.start_webhook(ready=False)
            status, why = shop.internal("/readyz")
            self.assertEqual(status, 503)
            self.assertIn("database cannot be reached", json.loads(why)["detail"])
            body = b'{"id":1}'
            signed = sign_woocommerce(body, shop.secret(SOURCE))
            self.assertIn("deliveries are spooled", json.loads(why)["detail"])
            self.assertEqual(shop.deliver(SOURCE, body, signed), (200, {"status": "stored"}))
            self.assertEqual(shop.request("GET", "/oauth/start")[0], 503)
            self.assertEqual(shop.request("GET", "/v1/entitlements",
                                          headers=shop.bearer(USER, TEAM))[0], 503)
            own.start()
            wait_for(lambda: shop.internal("/readyz")[0] == 200, 30, "readiness")
            webhook.must_live()
            wait_for(lambda: shop.metric("purchase_spool_pending") == 0, 30, "the spool to be empty")
            self.assertEqual(shop.deliver(SOURCE, body, signed), (200, {"status": "duplicate"}))


class Reload(unittest.TestCase):
    def setUp(self):
        self.shop = Deployment(server)
        self.addCleanup(self.shop.close)
        self.shop.migrate()
        self.webhook = self.shop.start_webhook()

    def reload(self, wanted):
        said = self.webhook.log_text().count(wanted)
        self.shop.reload(self.webhook)
        wait_for(lambda: self.webhook.log_text().count(wanted) > said, 20, wanted)

    def post(self, source, secret):
        body = json.dumps({"id": secrets.randbelow(10**9)}).encode()
        return self.shop.deliver(source, body, sign_woocommerce(body, secret))

    def test_a_new_source(self):
        self.assertEqual(self.post("second", "second-secret")[0], 404)
        self.shop.write("second.secret", "second-secret\n")
        self.shop.configure({"source second": {"provider": "woocommerce",
                                               "webhook_secret_file": "second.secret"}})
        self.reload("webhook reloaded")
        self.assertEqual(self.post("second", "second-secret")[0], 200)
        self.assertEqual(self.shop.metric("purchase_deliveries_total", source="second",
                                          outcome="stored"), 1)
        self.assertEqual(self.post(SOURCE, self.shop.secret(SOURCE))[0], 200)

    def test_a_bad_one_changes_nothing(self):
        good = self.shop.secret(SOURCE)
        cases = (lambda: self.shop.configure({"server": {"lisen": "x"}}),
                 lambda: self.shop.write(f"{SOURCE}.secret", "\n"),
                 lambda: self.shop.write(f"{SOURCE}.secret", "public\n", 0o644),
                 lambda: self.shop.write("keyring", "nonsense\n"),
                 lambda: self.shop.write(
                     "keyring", f"1:{base64.b64encode(secrets.token_bytes(32)).decode()}\n"),
                 lambda: self.shop.configure({"database": {"name": "no_such_database"}}))
        for spoil in cases:
            files = {name: self.shop.file_text(name)
                     for name in ("keyring", f"{SOURCE}.secret", "purchase-sync.conf")}
            spoil()
            self.reload("reload_refused")
            for name, text in files.items():
                self.shop.write(name, text)
            self.assertEqual(self.post(SOURCE, good)[0], 200)
            self.assertEqual(self.shop.internal("/readyz")[0], 200)
        log = self.webhook.log_text()
        self.assertIn("lisen", log)

    def test_a_listening_address_wants_a_restart(self):
        self.shop.configure({"server": {"listen": "127.0.0.1:1"}})
        self.reload("restart_needed")
        self.assertEqual(self.post(SOURCE, self.shop.secret(SOURCE))[0], 200)

    def test_a_rotated_client_secret(self):
        self.shop.write("miro.secret", "the-next-one\n" + self.shop.miro_secret + "\n")
        self.reload("webhook reloaded")
        self.assertEqual(self.shop.entitlements(USER, TEAM)["user"], USER)
        self.shop.miro_secret = "the-next-one"
        self.assertEqual(self.shop.entitlements(USER, TEAM)["user"], USER)

    def test_under_load_loses_nothing(self):
        answers, stop = [], threading.Event()

        def send():
            while not stop.is_set():
                answers.append(self.post(SOURCE, self.shop.secret(SOURCE))[0])

        threads = [threading.Thread(target=send) for _ in range(4)]
        for thread in threads:
            thread.start()
        for _ in range(5):
            self.reload("webhook reloaded")
        stop.set()
        for thread in threads:
            thread.join()
        self.assertEqual(set(answers), {200})
        self.assertEqual(int(self.shop.sql("SELECT COUNT(*) FROM delivery")), len(answers))


class Stop(unittest.TestCase):
    def setUp(self):
        self.shop = Deployment(server)
        self.addCleanup(self.shop.close)
        self.shop.migrate()
        self.webhook = self.shop.start_webhook()

    def test_waits_are_answered_and_the_exit_code_is_0(self):
        tag = f'"{self.shop.entitlements(USER, TEAM)["version"]}"'
        connection = http.client.HTTPConnection("127.0.0.1", self.shop.port, timeout=30)
        self.addCleanup(connection.close)
        connection.request("GET", "/v1/entitlements?wait=30", headers=dict(
            self.shop.bearer(USER, TEAM), **{"If-None-Match": tag}))
        wait_for(lambda: self.shop.metric("purchase_waits") == 1, 10, "the wait")
        self.webhook.signal(signal.SIGTERM)
        self.assertEqual(connection.getresponse().status, 304)
        self.assertEqual(self.webhook.process.wait(20), 0)
        self.assertIn("webhook stopped", self.webhook.log_text())

    def test_what_is_under_way_is_finished(self):
        server.freeze()
        try:
            body = b'{"id":77}'
            connection = http.client.HTTPConnection("127.0.0.1", self.shop.port, timeout=30)
            self.addCleanup(connection.close)
            connection.request("POST", f"/webhooks/{SOURCE}", body,
                               sign_woocommerce(body, self.shop.secret(SOURCE)))
            wait_for(self.queued, 10, "the delivery in the queue")
            self.webhook.signal(signal.SIGTERM)
            wait_for(lambda: "webhook draining" in self.webhook.log_text(), 10, "the drain")
            with self.assertRaises(OSError):
                self.shop.request("GET", "/v1/entitlements")
        finally:
            server.thaw()
        self.assertEqual(connection.getresponse().read(), b'{"status":"stored"}')
        self.assertEqual(self.webhook.process.wait(20), 0)

    def queued(self):
        return self.shop.metric("purchase_ingest_bytes")

    def test_a_second_signal_ends_at_once(self):
        half = socket.create_connection(("127.0.0.1", self.shop.port), 30)
        self.addCleanup(half.close)
        half.sendall(f"POST /webhooks/{SOURCE} HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\n1".encode())
        wait_for(lambda: self.shop.metric("purchase_http_connections", listener="public") == 1, 10, "its connection")
        self.webhook.signal(signal.SIGTERM)
        wait_for(lambda: "webhook draining" in self.webhook.log_text(), 10, "the drain")
        self.webhook.signal(signal.SIGTERM)
        self.assertEqual(self.webhook.process.wait(5), 1)
        self.shop.programs.remove(self.webhook)


if __name__ == "__main__":
    unittest.main()
