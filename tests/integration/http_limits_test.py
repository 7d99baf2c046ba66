"""What one client may ask for: its connections, its requests, its installs, and who it is behind a proxy."""

import base64
import http.client
import json
import re
import secrets
import socket
import threading
import unittest

from fake_miro import FakeMiro
from fake_shop import Answer
from mariadb import MariaDB
from programs import SOURCE, Deployment, wait_for

TEAM = "3458764514838398336"
OURS = "127.0.0.1"  # where the test's requests come from: the proxy, or a client without one


def setUpModule():
    global server
    server = MariaDB()
    unittest.addModuleCleanup(server.close)


def forwarded(client):
    return {"X-Forwarded-For": client}


class Limited(unittest.TestCase):
    """A front with settings of its own; its log and figures are each test's."""

    def start(self, **settings):
        self.miro = FakeMiro()
        self.addCleanup(self.miro.close)
        settings.setdefault("unlimited_addresses", "192.0.2.250")
        self.shop = Deployment(server, {"server": settings, "miro": self.miro.settings()})
        self.addCleanup(self.shop.close)
        self.shop.migrate()
        self.webhook = self.shop.start_webhook()
        return self.shop

    def ask(self, path, client=None, method="GET", body=None, **headers):
        head = {name.replace("_", "-"): value for name, value in headers.items()}
        head.update(forwarded(client) if client else {})
        return self.shop.request_json(method, path, body, head)

    def statuses(self, count, *arguments, **options):
        return [self.ask(*arguments, **options)[0] for _ in range(count)]

    def check(self, user, client=None):
        return self.ask("/v1/entitlements", client, **self.shop.bearer(user, TEAM))

    def limited(self, answer):
        """It is a refusal by a limit, and says when to come back."""
        status, headers, problem = answer
        self.assertEqual((status, problem["code"], problem["status"]), (429, "rate_limited", 429))
        self.assertEqual(headers["Content-Type"], "application/problem+json")
        self.assertRegex(headers["Retry-After"], "^[1-9][0-9]*$")

    def until_limited(self, ask):
        """An allowance comes back meanwhile: a slow machine asks more often until it is used up."""
        for _ in range(300):
            answer = ask()
            if answer[0] == 429:
                self.limited(answer)
                return
        self.fail("nothing was limited")

    def figure(self, limit):
        return self.shop.metric("purchase_limited_total", limit=limit)


class Requests(Limited):
    def test_of_an_address(self):
        self.start(requests_per_address=2)
        self.assertEqual(self.statuses(20, "/nothing"), [404] * 20)
        self.until_limited(lambda: self.ask("/nothing"))
        self.until_limited(lambda: self.ask("/oauth/start"))
        self.until_limited(lambda: self.ask("/v1/entitlements", Authorization="Bearer x"))
        self.until_limited(lambda: self.ask("/webhooks/main-store", method="POST", body=b"{}"))
        self.assertGreaterEqual(self.figure("address"), 4)
        # A preflight is not counted: a page could not read its refusal.
        self.assertEqual(self.ask("/v1/entitlements", method="OPTIONS",
                                  Origin="https://plugin.example.com",
                                  Access_Control_Request_Method="GET")[0], 204)
        # The plugin's page can read the others.
        answers = [self.ask("/v1/entitlements", Origin="https://plugin.example.com")
                   for _ in range(60)]
        self.assertIn(429, {answer[0] for answer in answers})
        self.assertEqual({answer[1]["Access-Control-Allow-Origin"] for answer in answers},
                         {"https://plugin.example.com"})
        wait_for(lambda: self.ask("/nothing")[0] == 404, what="an allowance to come back")
        self.assertEqual(self.shop.internal("/healthz")[0], 200)

    def test_a_burst_of_orders_is_never_refused(self):
        """Whatever else its address did: what is validly signed is stored."""
        self.start(requests_per_address=1)
        wrong = {"X-WC-Webhook-Signature": base64.b64encode(b"0" * 32).decode()}
        self.assertEqual(self.statuses(10, "/webhooks/main-store", method="POST", body=b"{}",
                                       **wrong), [401] * 10)
        self.until_limited(lambda: self.ask("/webhooks/main-store", method="POST", body=b"{}",
                                            **wrong))
        self.until_limited(lambda: self.ask("/webhooks/elsewhere", method="POST", body=b"{}"))
        for number in range(30):
            self.assertEqual(self.shop.deliver_woocommerce({"id": number, "status": "processing"}),
                             {"status": "stored"})
        outcomes = {outcome: self.shop.metric("purchase_deliveries_total", source=SOURCE,
                                              outcome=outcome)
                    for outcome in ("stored", "signature_invalid", "rate_limited")}
        self.assertEqual(outcomes["stored"], 30)
        self.assertGreaterEqual(outcomes["rate_limited"], 1)
        # Of what was refused, one line each while there are few.
        self.assertEqual(len(re.findall(" delivery signature_invalid ", self.webhook.log_text())),
                         outcomes["signature_invalid"])

    def test_of_a_user(self):
        """One user's loop takes nothing from those behind the same address."""
        self.start(requests_per_user=2, requests_per_address=5)
        self.assertEqual([self.check("42")[0] for _ in range(20)], [200] * 20)
        self.until_limited(lambda: self.check("42"))
        self.assertIn(429, [self.check("42")[0] for _ in range(60)])
        self.assertEqual(self.shop.metric("purchase_checks_total", outcome="rate_limited"),
                         self.figure("user"))
        self.assertEqual([self.check(str(user))[0] for user in range(100, 120)], [200] * 20)
        self.assertEqual(self.figure("address"), 0)
        # A second token of the same user is no second allowance.
        self.until_limited(lambda: self.check("42"))
        self.assertIn(429, self.statuses(20, "/v1/entitlements", **self.shop.bearer("42", "7")))

    def test_loopback_is_not_limited_unless_told(self):
        """Many behind a local proxy that was not named: better no limit than one for all of them."""
        self.start(unlimited_addresses=None, requests_per_address=1, requests_per_user=1,
                   connections_per_address=1)
        held = [socket.create_connection((OURS, self.shop.port)) for _ in range(30)]
        self.assertEqual(self.statuses(50, "/nothing"), [404] * 50)
        self.assertEqual([self.check("42", "203.0.113.9")[0] for _ in range(50)], [200] * 50)
        self.assertEqual(self.webhook.log_text().count("gate proxy_not_trusted"), 1)
        for connection in held:
            connection.close()

    def test_a_reload_changes_the_limits(self):
        self.start(requests_per_address=1)
        self.until_limited(lambda: self.ask("/nothing"))
        self.shop.configure({"server": {"requests_per_address": 0}})
        self.shop.reload(self.webhook)
        wait_for(lambda: "webhook reloaded" in self.webhook.log_text(), what="the reload")
        self.assertEqual(self.statuses(50, "/nothing"), [404] * 50)

    def test_the_log_is_bounded(self):
        self.start(requests_per_address=1)
        statuses = self.statuses(400, "/nothing")
        lines = re.findall(r" gate limited .*unsaid=(\d+)", self.webhook.log_text())
        told = len(lines) + sum(int(unsaid) for unsaid in lines)
        self.assertLessEqual(told, statuses.count(429))
        self.assertGreater(len(lines), 0)


class Proxies(Limited):
    def log_clients(self):
        return re.findall(r" gate limited .*client=(\S+)", self.webhook.log_text())

    def test_the_client_is_whom_our_proxy_names(self):
        self.start(trusted_proxies=f"{OURS} 10.0.0.0/8", requests_per_address=1)
        self.until_limited(lambda: self.ask("/nothing", "198.51.100.1"))
        self.assertEqual(self.ask("/nothing", "198.51.100.2")[0], 404)
        # What the client itself wrote stands to the left, and makes it nobody else.
        for forged in ("198.51.100.3, 198.51.100.1", "127.0.0.1, 198.51.100.1",
                       "192.0.2.250, 198.51.100.1, 10.1.2.3"):
            self.assertIn(429, self.statuses(10, "/nothing", forged))
        self.assertEqual(set(self.log_clients()), {"198.51.100.1"})
        # So are the log's lines about what was refused for another reason.
        self.ask("/webhooks/main-store", "192.0.2.250, 198.51.100.7", "POST", b"{}")
        self.ask("/v1/entitlements", "192.0.2.250, 198.51.100.8")
        self.assertRegex(self.webhook.log_text(), "delivery signature_invalid .*client=198.51.100.7")
        self.assertRegex(self.webhook.log_text(), "check refused .*client=198.51.100.8")
        # The whole /64 of an IPv6 client is one client.
        numbers = iter(range(1, 1000))
        self.until_limited(lambda: self.ask("/nothing", f"2001:db8:1:2::{next(numbers):x}"))
        self.assertEqual(self.ask("/nothing", "2001:db8:1:3::1")[0], 404)

    def test_a_stranger_is_not_believed(self):
        self.start(trusted_proxies="192.0.2.7", requests_per_address=1)
        numbers = iter(range(1, 1000))
        self.until_limited(lambda: self.ask("/nothing", f"198.51.{next(numbers) % 250}.1"))
        self.assertEqual(set(self.log_clients()), {OURS})

    def test_a_proxy_may_have_many_connections(self):
        self.start(trusted_proxies=OURS, connections_per_address=1)
        held = [socket.create_connection((OURS, self.shop.port)) for _ in range(40)]
        self.assertEqual(self.ask("/nothing", "198.51.100.1")[0], 404)
        for connection in held:
            connection.close()


class Connections(Limited):
    def open(self, source=OURS):
        connection = socket.create_connection((OURS, self.shop.port), timeout=30,
                                              source_address=(source, 0))
        self.addCleanup(connection.close)
        return connection

    def count(self):
        return self.shop.metric("purchase_http_connections", listener="public")

    def test_of_an_address(self):
        self.start(connections_per_address=3)
        for _ in range(3):
            self.open()
        wait_for(lambda: self.count() == 3, what="three connections")
        answer = http.client.HTTPResponse(self.open())
        answer.begin()
        self.assertEqual((answer.status, answer.headers["Retry-After"]), (503, "1"))
        problem = json.loads(answer.read())
        self.assertEqual((problem["code"], problem["detail"]), ("overloaded", "too-many-of-address"))
        # Another address has its own three.
        other = self.open("127.0.0.2")
        other.sendall(b"GET /nothing HTTP/1.1\r\nHost: x\r\n\r\n")
        self.assertTrue(other.recv(100).startswith(b"HTTP/1.1 404 "))
        self.assertIn("rule=too-many-of-address", self.webhook.log_text())

    def test_in_all(self):
        self.start(max_connections=16)
        for number in range(16):
            self.open(f"127.0.0.{number + 1}")
        wait_for(lambda: self.count() == 16, what="sixteen connections")
        answer = http.client.HTTPResponse(self.open("127.0.0.99"))
        answer.begin()
        self.assertEqual(answer.status, 503)
        self.assertIn("too-many-connections", answer.read().decode())


class Installs(Limited):
    """A callback makes us ask Miro before anybody has proved anything."""

    def callback(self, client):
        status, headers, problem = self.ask(f"/oauth/callback?code={secrets.token_hex(8)}", client)
        if status == 429:
            self.assertEqual(problem["code"], "rate_limited")
            self.assertTrue(headers["Retry-After"])
        return status

    def test_of_an_address_and_in_all(self):
        self.start(trusted_proxies=OURS, installs_per_address=3, installs_per_minute=5)
        self.miro.token("42", TEAM)
        self.miro.profile("42", "zoe@example.test")
        statuses = [self.callback("198.51.100.1") for _ in range(3)]
        while statuses.count(429) == 0 and len(statuses) < 30:
            statuses.append(self.callback("198.51.100.1"))
        self.assertEqual(statuses[:3], [302] * 3)
        self.assertEqual((self.figure("installs_of_address"), self.figure("installs")), (1, 0))
        while statuses.count(429) == 1 and len(statuses) < 60:
            statuses.append(self.callback(f"198.51.100.{len(statuses)}"))
        self.assertEqual((self.figure("installs_of_address"), self.figure("installs")), (1, 1))
        self.assertEqual(len(self.miro.exchanges()), statuses.count(302))

    def test_one_address_does_not_hold_the_places_of_all(self):
        """While Miro hangs, sixteen of an address may wait for it."""
        self.start(trusted_proxies=OURS)
        released = threading.Event()

        def hang(_):
            released.wait(60)
            return Answer(close=True)

        self.addCleanup(released.set)
        self.miro.answers["/v1/oauth/token"] = hang
        for number in range(16):
            connection = socket.create_connection((OURS, self.shop.port), timeout=60)
            self.addCleanup(connection.close)
            connection.sendall(f"GET /oauth/callback?code={number} HTTP/1.1\r\nHost: x\r\n"
                               "X-Forwarded-For: 198.51.100.1\r\n\r\n".encode())
        wait_for(lambda: self.shop.metric("purchase_installs_in_flight") == 16, 30,
                 "sixteen installs under way")
        self.assertEqual(self.callback("198.51.100.1"), 429)
        self.assertEqual(self.figure("installs_of_address"), 1)
        other = socket.create_connection((OURS, self.shop.port), timeout=60)
        self.addCleanup(other.close)
        other.sendall(b"GET /oauth/callback?code=x HTTP/1.1\r\nHost: x\r\n"
                      b"X-Forwarded-For: 198.51.100.2\r\n\r\n")
        wait_for(lambda: self.shop.metric("purchase_installs_in_flight") == 17, 30,
                 "another address's install")
        released.set()


class Internal(Limited):
    def test_a_page_of_another_origin_is_refused(self):
        self.start()
        own = f"http://127.0.0.1:{self.shop.internal_port}"
        for origin, status in ((own, 200), (f"http://localhost:{self.shop.internal_port}", 200),
                               ("https://evil.example", 403), ("null", 403),
                               (f"http://127.0.0.1:{self.shop.port}", 403)):
            got, _, problem = self.shop.request_json("GET", "/healthz", headers={"Origin": origin},
                                                     port=self.shop.internal_port)
            self.assertEqual(got, status, origin)
            if status == 403:
                self.assertEqual(problem["code"], "origin_elsewhere")


if __name__ == "__main__":
    unittest.main()
