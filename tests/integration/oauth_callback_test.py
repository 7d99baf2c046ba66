"""GET /oauth/start and /oauth/callback: what each kind of round comes to, and what none may gain."""

import base64
import hashlib
import http.client
import json
import re
import threading
import time
import unittest
import urllib.parse

from fake_miro import FakeMiro, error
from fake_shop import Answer
from mariadb import MariaDB
from programs import Deployment, wait_for
from signing import MIRO_CLIENT_ID, base64url, mac

USER = "3458764514838398337"
TEAM = "3458764514838398336"
HTML = {"Accept": "text/html,application/xhtml+xml,*/*;q=0.8"}


class Browser:
    """One browser's cookies; follows nothing."""

    def __init__(self, shop):
        self.shop = shop
        self.cookies = {}

    def get(self, path, headers=None, html=True):
        head = dict(HTML if html else {}, **(headers or {}))
        if self.cookies:
            head["Cookie"] = "; ".join(f"{name}={value}" for name, value in self.cookies.items())
        status, answered, body = self.shop.request("GET", path, headers=head)
        for line in answered.get_all("Set-Cookie") or []:
            name, _, value = line.split(";")[0].partition("=")
            self.cookies[name] = value
            if "Max-Age=0" in line:
                del self.cookies[name]
        return status, answered, body.decode()

    def start(self, query=""):
        """Begins a round; returns the state that Miro is sent."""
        status, headers, _ = self.get(f"/oauth/start{query}")
        assert status == 302, status
        url = urllib.parse.urlsplit(headers["Location"])
        return urllib.parse.parse_qs(url.query)["state"][0]

    def callback(self, html=True, **parameters):
        query = urllib.parse.urlencode(parameters)
        return self.get(f"/oauth/callback?{query}", html=html)


class Callback(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.server = MariaDB()
        cls.addClassCleanup(cls.server.close)
        cls.miro = FakeMiro()
        cls.addClassCleanup(cls.miro.close)
        cls.shop = Deployment(
            cls.server,
            {"miro": cls.miro.settings(),
             "miro second": dict(cls.miro.settings(), client_id="3074457363680401097",
                                 client_secret_file="second.secret")},
            {"second.secret": "the second app's secret\n"})
        cls.addClassCleanup(cls.shop.close)
        cls.shop.migrate()
        cls.webhook = cls.shop.start_webhook()

    def setUp(self):
        self.miro.requests.clear()
        self.miro.answers.clear()
        self.shop.sql("DELETE FROM miro_token; DELETE FROM link; DELETE FROM address;"
                      " DELETE FROM miro_user; DELETE FROM contested_address;")
        self.browser = Browser(self.shop)
        self.miro.token(USER, TEAM)
        self.miro.profile(USER, "Zoe@Example.test ")

    def tokens(self):
        return self.server.rows("SELECT client_id, user_id, team_id, state, expires_at IS NULL,"
                                " refresh_token IS NULL FROM miro_token", self.shop.database)

    def links(self):
        return self.server.rows("SELECT user_id, origin FROM link", self.shop.database)

    def installed(self, answer, client_id=MIRO_CLIENT_ID):
        """The browser is sent on, with the ids of the token answer."""
        status, headers, _ = answer
        self.assertEqual(status, 302)
        url = urllib.parse.urlsplit(headers["Location"])
        self.assertEqual(f"{url.scheme}://{url.netloc}{url.path}",
                         f"{self.miro.url}/app-install-completed/")
        self.assertEqual(urllib.parse.parse_qs(url.query),
                         {"client_id": [client_id], "team_id": [TEAM]})
        self.assertEqual(headers["Cache-Control"], "no-store")
        self.assertEqual(headers["Referrer-Policy"], "no-referrer")

    def refused(self, answer, status, code, exchanged=False):
        """Refused with a page; the code was not sent to Miro, and nothing is stored."""
        got, headers, body = answer
        self.assertEqual((got, re.search("<code>(.*)</code>", body).group(1)), (status, code))
        self.assertEqual(headers["Content-Type"], "text/html; charset=utf-8")
        self.assertEqual(headers["Cache-Control"], "no-store")
        self.assertIn("default-src 'none'", headers["Content-Security-Policy"])
        self.assertEqual(headers["X-Content-Type-Options"], "nosniff")
        self.assertEqual(headers["Referrer-Policy"], "no-referrer")
        self.assertIsNone(headers["Location"])
        if not exchanged:
            self.assertEqual(self.miro.exchanges(), [])
        self.assertEqual(self.tokens(), [])

    # The round that works

    def test_start(self):
        status, headers, _ = self.browser.get("/oauth/start")
        self.assertEqual(status, 302)
        url = urllib.parse.urlsplit(headers["Location"])
        query = urllib.parse.parse_qs(url.query)
        self.assertEqual(query.pop("state")[0].count("."), 2)
        self.assertEqual(query, {"response_type": ["code"], "client_id": [MIRO_CLIENT_ID],
                                 "redirect_uri": [f"http://127.0.0.1:{self.shop.port}"
                                                  "/oauth/callback"]})
        cookie = headers["Set-Cookie"]
        for attribute in ("HttpOnly", "SameSite=Lax", "Path=/oauth", "Max-Age=600"):
            self.assertIn(attribute, cookie.split("; "))
        self.assertNotIn("Secure", cookie)
        self.assertEqual(headers["Cache-Control"], "no-store")

    def test_install(self):
        state = self.browser.start()
        self.installed(self.browser.callback(code="c1", state=state, client_id=MIRO_CLIENT_ID,
                                             team_id=TEAM))
        self.assertEqual(self.miro.exchanges(), [{
            "grant_type": "authorization_code", "client_id": MIRO_CLIENT_ID,
            "client_secret": self.shop.miro_secret, "code": "c1",
            "redirect_uri": f"http://127.0.0.1:{self.shop.port}/oauth/callback"}])
        self.assertEqual(self.tokens(), [[MIRO_CLIENT_ID, USER, TEAM, "valid", "0", "0"]])
        self.assertEqual(self.links(), [[USER, "profile"]])
        self.assertEqual(self.shop.entitlements(USER, TEAM)["identity"], {"state": "linked"})
        self.assertEqual(self.browser.cookies, {})

    def test_nothing_in_clear(self):
        self.browser.callback(code="c2", state=self.browser.start())
        for text in ("zoe@example.test", f"access-{USER}", f"refresh-{USER}"):
            for table, columns in (("miro_token", "access_token, refresh_token"),
                                   ("address", "sealed")):
                found = self.shop.sql(f"SELECT COUNT(*) FROM {table} WHERE"
                                      f" LOCATE('{text}', LOWER(CONCAT_WS('|', {columns})))")
                self.assertEqual(found.strip(), "0")
            self.assertNotIn(text, self.webhook.log_text().lower())
        self.assertNotIn("code=c2", self.webhook.log_text())

    def test_two_tabs(self):
        first, second = self.browser.start(), self.browser.start()
        self.installed(self.browser.callback(code="c3", state=first))
        self.installed(self.browser.callback(code="c4", state=second))

    def test_a_second_app(self):
        state = self.browser.start("?app=second")
        self.installed(self.browser.callback(code="c5", state=state, client_id=MIRO_CLIENT_ID),
                       "3074457363680401097")
        self.assertEqual(self.miro.exchanges()[0]["client_secret"], "the second app's secret")

    def test_unknown_app(self):
        self.refused(self.browser.get("/oauth/start?app=nobody"), 404, "unknown_app")
        self.refused(self.browser.get("/oauth/start?app=second&app=second"), 400,
                     "request_invalid")
        self.refused(self.browser.get("/oauth/start?app=%zz"), 400, "request_invalid")

    # Installs that Miro begins

    def test_without_a_state(self):
        answer = self.browser.callback(code="c6", client_id=MIRO_CLIENT_ID, team_id="1")
        self.installed(answer)
        self.assertIsNone(answer[1]["Set-Cookie"])
        self.assertEqual(self.tokens(), [[MIRO_CLIENT_ID, USER, TEAM, "valid", "0", "0"]])
        self.assertEqual(self.links(), [[USER, "profile"]])

    def test_without_a_state_the_client_id_picks_the_app(self):
        self.installed(self.browser.callback(code="c7", client_id="3074457363680401097"),
                       "3074457363680401097")
        self.installed(self.browser.callback(code="c8", client_id="nobody"))
        self.installed(self.browser.callback(code="c9"))

    def test_a_stripped_state_gains_nothing(self):
        """Another's code without its state does what the token proves, and no more."""
        self.browser.start()
        answer = self.browser.callback(code="stolen")
        self.installed(answer)
        self.assertIsNone(answer[1]["Set-Cookie"])
        self.assertEqual([row[1] for row in self.tokens()], [USER])

    # States

    def test_forged_states(self):
        state = self.browser.start()
        payload, kid, signature = state.split(".")
        raw = bytearray(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
        raw[20] ^= 1
        longer = base64.urlsafe_b64encode(raw).rstrip(b"=").decode()
        for forged in ("", "x", "..", payload, f"{payload}.", f"{payload}.{kid}",
                       f"{payload}.{kid}.", f".{kid}.{signature}", f"{longer}.{kid}.{signature}",
                       f"{payload}.{kid}.{signature[:-1]}", f"{payload}.{kid}.{signature}A",
                       f"{payload}.other.{signature}", state + "=", state.swapcase(), "A" * 2000,
                       "A" * 3000, "\0" * 8):
            answer = self.browser.callback(code="c10", state=forged)
            self.assertIn(answer[0], (400,), forged)
            self.assertEqual(self.miro.exchanges(), [])
        self.refused(self.browser.callback(code="c10", state="x"), 400, "state_invalid")
        self.refused(self.browser.callback(code="c10", state=""), 400, "state_invalid")
        self.installed(self.browser.callback(code="c10", state=state))

    def sign(self, payload):
        """The state's MAC as the deployment makes it: HKDF-SHA256 of the keyring's first key."""
        kid, _, key = self.shop.file_text("keyring").strip().partition(":")
        derived = mac(mac(bytes(32), base64.b64decode(key)), b"purchase-sync mac state v1\1")
        return f"{base64url(payload)}.{kid}.{base64url(mac(derived, payload))}"

    def test_expired_state(self):
        """States that this deployment's own key signed: one that is good still, one that is not."""
        name, cookie = f"purchase_oauth_{'07' * 6}", "c" * 43
        self.browser.cookies[name] = cookie

        def state(seconds, version=1, app=b""):
            expires_at = int((time.time() + seconds) * 10**6)
            return self.sign(bytes([version]) + b"\7" * 16 + expires_at.to_bytes(8, "big")
                             + hashlib.sha256(cookie.encode()).digest() + app)

        for bad in (state(-1), state(-600), state(60, version=2), state(60, app=b"nobody")):
            self.refused(self.browser.callback(code="c10", state=bad), 400, "state_invalid")
        self.installed(self.browser.callback(code="c10", state=state(60)))

    def test_a_state_lives_ten_minutes(self):
        payload = self.browser.start().split(".")[0]
        raw = base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4))
        left = int.from_bytes(raw[17:25], "big") / 10**6 - time.time()
        self.assertTrue(500 < left <= 600, left)

    def test_another_browser_s_state(self):
        state = self.browser.start()
        other = Browser(self.shop)
        self.refused(other.callback(code="c11", state=state), 400, "state_invalid")
        other.start()
        self.refused(other.callback(code="c11", state=state), 400, "state_invalid")
        for name in self.browser.cookies:
            other.cookies[name] = "x" * 43
        self.refused(other.callback(code="c11", state=state), 400, "state_invalid")
        self.installed(self.browser.callback(code="c11", state=state))

    def test_a_state_is_spent_once(self):
        state = self.browser.start()
        cookies = dict(self.browser.cookies)
        self.installed(self.browser.callback(code="c12", state=state))
        self.shop.sql("DELETE FROM miro_token")
        self.miro.requests.clear()
        self.browser.cookies = cookies
        self.refused(self.browser.callback(code="c13", state=state), 400, "state_invalid")

    # Refusals

    def test_denied(self):
        evil = "<script>alert(1)</script>"
        answer = self.browser.callback(error="access_denied", error_description=evil, state="x")
        self.refused(answer, 403, "access_denied")
        self.assertNotIn(evil, answer[2])
        self.assertNotIn("alert", answer[2])

    def test_repeated_parameters(self):
        for query in ("code=a&code=a", "code=a&state=x&state=x", "code=a&client_id=1&client_id=2",
                      "code=a&team_id=1&team_id=2", "error=x&error=y", "code=a&%63ode=b",
                      "code=%zz", "code=a&x=%00", "code=" + "a" * 2049):
            self.refused(self.browser.get(f"/oauth/callback?{query}"), 400, "request_invalid")

    def test_no_code(self):
        for query in ("", "?", "?code=", "?code", "?state=x"):
            self.refused(self.browser.get(f"/oauth/callback{query}"), 400, "code_missing")

    def test_problem_for_other_clients(self):
        status, headers, body = self.browser.callback(html=False, code="c", state="x")
        self.assertEqual((status, json.loads(body)["code"]), (400, "state_invalid"))
        self.assertEqual(headers["Content-Type"], "application/problem+json")
        self.assertIn("Accept", headers["Vary"])

    def test_the_page_s_style_is_allowed_by_its_policy(self):
        _, headers, body = self.browser.get("/oauth/callback")
        style = re.search("<style>(.*)</style>", body, re.S).group(1)
        digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
        self.assertIn(f"'sha256-{digest}'", headers["Content-Security-Policy"])

    # What Miro may answer

    def test_replayed_code(self):
        for answer in (error(401, "oauthError", "Invalid authorization code"),
                       Answer({"error": "invalid_grant"}, 400)):
            self.miro.token_says(answer)
            self.refused(self.browser.callback(code="c14"), 400, "code_refused", True)

    def test_miro_is_away(self):
        for answer in (Answer(close=True), Answer("no", 500), Answer("no", 502),
                       error(429, "tooManyRequests", "Request rate limit exceed")):
            self.miro.token_says(answer)
            got = self.browser.callback(code="c15")
            self.refused(got, 503, "miro_unreachable", True)
            self.assertGreater(int(got[1]["Retry-After"]), 0)

    def test_miro_answers_nonsense(self):
        for answer in (b"not json", {}, [], {"access_token": "x"}, None):
            self.miro.token_says(Answer(answer))
            self.refused(self.browser.callback(code="c16"), 502, "miro_strange", True)
        for lost in ("user_id", "team_id", "access_token"):
            self.miro.token(USER, TEAM, **{lost: None})
            self.refused(self.browser.callback(code="c16"), 502, "miro_strange", True)

    def test_numeric_ids(self):
        self.miro.token(int(USER), int(TEAM))
        self.miro.profile(int(USER), "zoe@example.test")
        self.installed(self.browser.callback(code="c17"))
        self.assertEqual(self.tokens(), [[MIRO_CLIENT_ID, USER, TEAM, "valid", "0", "0"]])
        self.assertEqual(self.links(), [[USER, "profile"]])

    def test_tokens_that_do_not_expire(self):
        for changes in ({"expires_in": None}, {"expires_in": 0}, {"expires_in": -1}):
            self.miro.token(USER, TEAM, refresh_token=None, **changes)
            self.installed(self.browser.callback(code="c18"))
            self.assertEqual(self.tokens(), [[MIRO_CLIENT_ID, USER, TEAM, "valid", "1", "1"]])

    def test_a_profile_of_somebody_else_links_nothing(self):
        self.miro.profile("42", "zoe@example.test")
        name = "purchase_profiles_total"
        before = self.shop.metric(name, outcome="mismatch")
        self.installed(self.browser.callback(code="c19"))
        self.assertEqual(len(self.tokens()), 1)
        self.assertEqual(self.links(), [])
        self.assertEqual(self.shop.sql("SELECT COUNT(*) FROM contested_address").strip(), "0")
        self.assertEqual(self.shop.metric(name, outcome="mismatch"), before + 1)
        self.assertEqual(self.shop.entitlements(USER, TEAM)["identity"], {"state": "no_email"})

    def test_a_profile_without_an_address(self):
        self.miro.profile(USER, None)
        self.installed(self.browser.callback(code="c20"))
        self.assertEqual((len(self.tokens()), self.links()), (1, []))

    def test_a_profile_that_is_not_registered_links_nothing(self):
        self.miro.profile(USER, "zoe@example.test", state="temporary")
        self.installed(self.browser.callback(code="c21"))
        self.assertEqual((len(self.tokens()), self.links()), (1, []))

    def test_a_failing_profile_does_not_fail_the_install(self):
        for answer in (Answer(close=True), Answer("no", 500), error(404, "notFound", "no"),
                       error(401, "tokenNotProvided", "no"), Answer(b"not json")):
            self.miro.profile_says(answer)
            self.installed(self.browser.callback(code="c22"))
            self.assertEqual((len(self.tokens()), self.links()), (1, []))
            self.assertEqual(self.shop.sql("SELECT profile_due_at IS NOT NULL FROM miro_user")
                             .strip(), "1")

    def test_an_address_that_somebody_holds_is_contested(self):
        self.installed(self.browser.callback(code="c23"))
        self.miro.token("42", TEAM)
        self.miro.profile("42", "zoe@example.test")
        self.installed(self.browser.callback(code="c24"))
        self.assertEqual(self.links(), [[USER, "profile"]])
        self.assertEqual(self.shop.sql("SELECT user_id FROM contested_address").strip(), "42")

    def test_a_client_that_leaves_has_its_tokens_stored(self):
        asked, answer = threading.Event(), threading.Event()

        def slowly(_):
            asked.set()
            answer.wait(20)
            return {"user_id": USER, "team_id": TEAM, "access_token": "a", "expires_in": 3599,
                    "refresh_token": "r", "token_type": "bearer", "scope": ""}

        self.miro.token_says(slowly)
        connection = http.client.HTTPConnection("127.0.0.1", self.shop.port, timeout=20)
        connection.request("GET", "/oauth/callback?code=c25")
        self.assertTrue(asked.wait(20))
        connection.close()
        answer.set()
        wait_for(lambda: self.links() == [[USER, "profile"]], 20, "the link")
        self.assertEqual(len(self.tokens()), 1)


class DatabaseAway(unittest.TestCase):
    def test_tokens_are_stored_when_the_database_comes_back(self):
        """The code is spent once Miro has answered: what it bought is not thrown away."""
        with MariaDB() as server, FakeMiro() as miro, \
                Deployment(server, {"miro": miro.settings()}) as shop:
            shop.migrate()
            webhook = shop.start_webhook()
            miro.profile(USER, "zoe@example.test")

            def late(_):
                server.kill()
                return {"user_id": USER, "team_id": TEAM, "access_token": "a", "scope": "",
                        "refresh_token": "r", "token_type": "bearer", "expires_in": 3599}

            miro.token_says(late)
            answers = []
            thread = threading.Thread(
                target=lambda: answers.append(shop.request("GET", "/oauth/callback?code=c")[0]))
            thread.start()
            wait_for(lambda: miro.exchanges() and not server.running(), 20, "the exchange")
            wait_for(lambda: shop.internal("/readyz")[0] == 503, 20, "readyz 503")
            server.start()
            thread.join()
            self.assertEqual(answers, [302], webhook.log_text())
            self.assertEqual(shop.sql("SELECT COUNT(*) FROM miro_token").strip(), "1")
            self.assertEqual(shop.sql("SELECT COUNT(*) FROM link").strip(), "1")

    def test_nothing_is_exchanged_while_it_is_away(self):
        with MariaDB() as server, FakeMiro() as miro, \
                Deployment(server, {"miro": miro.settings()}) as shop:
            shop.migrate()
            shop.start_webhook()
            browser = Browser(shop)
            state = browser.start()
            server.kill()
            status, headers, body = browser.callback(code="c", state=state)
            self.assertEqual(status, 503)
            self.assertIn("<code>unavailable</code>", body)
            self.assertGreater(int(headers["Retry-After"]), 0)
            self.assertEqual(miro.exchanges(), [])


class Secure(unittest.TestCase):
    def test_an_https_address_makes_the_cookie_secure(self):
        with MariaDB() as server, Deployment(
                server, {"server": {"public_url": "https://sync.example.com"}}) as shop:
            shop.migrate()
            shop.start_webhook()
            headers = shop.request("GET", "/oauth/start")[1]
            self.assertIn("Secure", headers["Set-Cookie"].split("; "))
            query = urllib.parse.parse_qs(urllib.parse.urlsplit(headers["Location"]).query)
            self.assertEqual(query["redirect_uri"], ["https://sync.example.com/oauth/callback"])


if __name__ == "__main__":
    unittest.main()
