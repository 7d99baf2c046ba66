"""GET /v1/entitlements: idTokens, CORS, ETags, waiting, single keys."""

import http.client
import threading
import time
import unittest

from mariadb import MariaDB
from programs import Deployment, wait_for
from signing import base64url, mint_id_token, mint_jwt

USER = "3458764514838398337"
TEAM = "3458764514838398336"
ORIGIN = "https://plugin.example.com"
CATALOGUE = {"entitlements": {"icons-pro": {"name": "Icon pack Pro"}, "extra-boards": {}},
             "products": [{"source": "main-store", "product": "10", "grants": ["icons-pro"]}]}


class Checks(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.server = MariaDB()
        cls.addClassCleanup(cls.server.close)
        cls.shop = Deployment(
            cls.server,
            {"server": {"allowed_origins": f"{ORIGIN} https://other.example.com"},
             "miro second": {**{key: "http://127.0.0.1:9" for key in
                                ("authorize_url", "api_url", "profile_url", "completed_url")},
                             "client_id": "3074457363680401097",
                             "client_secret_file": "second.secret"}},
            {"second.secret": "the second app's secret\n"})
        cls.addClassCleanup(cls.shop.close)
        cls.shop.migrate()
        cls.shop.apply_catalogue(CATALOGUE)
        cls.webhook = cls.shop.start_webhook()
        wait_for(lambda: "catalogue read version=1" in cls.webhook.log_text(), 20, "the catalogue")

    def get(self, path="/v1/entitlements", token=None, headers=None, method="GET"):
        head = {} if token is None else {"Authorization": f"Bearer {token}"}
        head.update(headers or {})
        return self.shop.request_json(method, path, headers=head)

    def token(self, user=USER, team=TEAM, **claims):
        return self.shop.token(user, team, **claims)

    def refused(self, code, token=None, headers=None):
        status, answered, answer = self.get(token=token, headers=headers)
        self.assertEqual((status, answer and answer.get("code")), (401, code), token)
        self.assertTrue(answered["WWW-Authenticate"].startswith("Bearer"))
        self.assertEqual(answered["Content-Type"], "application/problem+json")
        self.assertEqual(answered["Cache-Control"], "no-store")

    def grant(self, user, key, ends_at="NULL"):
        self.shop.sql("INSERT INTO manual_grant (grant_id, user_id, entitlement_key, granted_at,"
                      f" ends_at, granted_by, why) VALUES (RANDOM_BYTES(8), '{user}', '{key}', 0,"
                      f" {ends_at}, 'test', 'test');"
                      "INSERT INTO change_feed (subject, changed_at) VALUES"
                      f" (UNHEX(SHA2('{user}', 256)), UNIX_TIMESTAMP(NOW(6)) * 1000000)")

    # idTokens

    def test_valid(self):
        status, headers, answer = self.get(token=self.token())
        self.assertEqual(status, 200)
        self.assertEqual({name: answer[name] for name in ("user", "team", "entitlements",
                                                          "identity")},
                         {"user": USER, "team": TEAM, "entitlements": [],
                          "identity": {"state": "not_installed"}})
        self.assertEqual(headers["ETag"], f'"{answer["version"]}"')
        self.assertEqual(headers["Cache-Control"], "no-store")
        self.assertNotIn("stale_seconds", answer)

    def test_ids_as_numbers_to_the_last_digit(self):
        for user in (9223372036854775807, 3458764514838398337, 9007199254740993):
            answer = self.get(token=self.token(user, int(TEAM), sub=3074457363680401096))[2]
            self.assertEqual((answer["user"], answer["team"]), (str(user), TEAM))

    def test_missing(self):
        self.refused("token_missing")
        self.refused("token_missing", headers={"Authorization": "Basic Zm9vOmJhcg=="})
        self.refused("token_missing", headers={"Authorization": "Bearer"})
        self.refused("token_missing", headers={"Authorization": "Bearer "})
        self.refused("token_missing", headers={"X-Miro-Token": self.token()})

    def test_scheme_in_any_case(self):
        status = self.get(headers={"Authorization": f"bEARER   {self.token()}"})[0]
        self.assertEqual(status, 200)

    def test_algorithms(self):
        now = int(time.time())
        claims = {"sub": "3074457363680401096", "iss": "miro", "team": TEAM, "user": USER,
                  "iat": now, "exp": now + 600}
        for alg in ("none", "None", "RS256", "HS512", "HS384", "hs256", "", None, 1):
            self.refused("token_invalid", mint_jwt({"alg": alg, "typ": "JWT"}, claims,
                                                   self.shop.miro_secret))
        unsigned = ".".join(mint_jwt({"alg": "none"}, claims, "").split(".")[:2]) + "."
        self.refused("token_invalid", unsigned)
        self.refused("token_invalid", mint_jwt({"alg": "HS256", "crit": ["exp"]}, claims,
                                               self.shop.miro_secret))

    def test_other_secrets(self):
        for secret in ("", "x", self.shop.miro_secret + " ", "the second app's secret"):
            self.refused("token_invalid", mint_id_token(USER, TEAM, secret))
        second = mint_id_token(USER, TEAM, "the second app's secret", sub="3074457363680401097")
        self.assertEqual(self.get(token=second)[0], 200)
        self.refused("token_invalid", mint_id_token(USER, TEAM, self.shop.miro_secret,
                                                    sub="3074457363680401097"))

    def test_times(self):
        now = int(time.time())
        self.refused("token_invalid", self.token(exp=None))
        self.refused("token_expired", self.token(exp=now - 3600))
        self.refused("token_expired", self.token(exp=now - 62))
        self.refused("token_expired", self.token(exp=0))
        self.assertEqual(self.get(token=self.token(exp=now - 30))[0], 200)
        self.refused("token_invalid", self.token(iat=now + 3600))
        self.refused("token_invalid", self.token(nbf=now + 3600))
        self.assertEqual(self.get(token=self.token(nbf=now + 30, iat=now + 30))[0], 200)
        self.refused("token_invalid", self.token(exp="tomorrow"))

    def test_claims(self):
        self.refused("token_invalid", self.token(iss="Miro"))
        self.refused("token_invalid", self.token(iss=None))
        self.refused("token_invalid", self.token(sub="3074457363680401098"))
        self.refused("token_invalid", self.token(sub=None))
        self.refused("token_invalid", self.token(user=None))
        self.refused("token_invalid", self.token(team=None))
        self.refused("token_invalid", self.token(user=""))
        self.refused("token_invalid", self.token(user="1" * 33))
        self.refused("token_invalid", self.token(user=[USER]))
        self.refused("token_invalid", self.token(user=1.5))

    def test_shapes(self):
        good = self.token()
        head, body, mac = good.split(".")
        for bad in ("x", "..", "a.b", "a.b.c.d", good + ".", "." + good, good[:-1], good + "=",
                    f"{head}.{body}.", f"{head}..{mac}", f"{head}.{base64url(b'[]')}.{mac}",
                    "A" * 10240, self.token(padding="x" * 10240)):
            self.refused("token_invalid", bad)

    def test_two_authorizations(self):
        connection = http.client.HTTPConnection("127.0.0.1", self.shop.port, timeout=20)
        self.addCleanup(connection.close)
        connection.putrequest("GET", "/v1/entitlements")
        for _ in range(2):
            connection.putheader("Authorization", f"Bearer {self.token()}")
        connection.endheaders()
        answer = connection.getresponse()
        self.assertEqual(answer.status, 401)
        self.assertIn(b'"code":"token_invalid"', answer.read())

    def test_no_token_reaches_the_log(self):
        token = self.token()
        self.get(token=token)
        self.get(token=token[:-2])
        log = self.webhook.log_text()
        self.assertNotIn(token.split(".")[2][:20], log)
        self.assertIn("check refused request=", log)

    # CORS

    def test_preflight(self):
        for path in ("/v1/entitlements", "/v1/entitlements/icons-pro", "/v1/nothing"):
            status, headers, _ = self.shop.request("OPTIONS", path, headers={
                "Origin": ORIGIN, "Access-Control-Request-Method": "GET",
                "Access-Control-Request-Headers": "authorization,if-none-match"})
            self.assertEqual(status, 204)
            self.assertEqual(headers["Access-Control-Allow-Origin"], ORIGIN)
            allowed = headers["Access-Control-Allow-Headers"].lower().split(", ")
            self.assertEqual(sorted(allowed), ["authorization", "content-type", "if-none-match"])
            self.assertIn("GET", headers["Access-Control-Allow-Methods"])
            self.assertGreater(int(headers["Access-Control-Max-Age"]), 0)
            self.assertIn("Origin", headers["Vary"])
            self.assertIsNone(headers["Access-Control-Allow-Credentials"])

    def test_preflight_of_strangers(self):
        for origin in ("https://evil.example", "null", "https://plugin.example.com.evil.example",
                       "https://plugin.example.com:443", "http://plugin.example.com", ""):
            status, headers, _ = self.shop.request("OPTIONS", "/v1/entitlements", headers={
                "Origin": origin, "Access-Control-Request-Method": "GET"})
            self.assertEqual(status, 204)
            self.assertFalse([name for name in headers if name.startswith("Access-Control")])
            self.assertIn("Origin", headers["Vary"])

    def test_answers_carry_cors(self):
        token = self.token()
        for headers, wanted in ((self.shop.bearer(USER, TEAM), 200), ({}, 401),
                                ({"Authorization": f"Bearer {token}", "If-None-Match": "*"}, 304)):
            status, answered, _ = self.get(headers=dict(headers, Origin=ORIGIN))
            self.assertEqual(status, wanted)
            self.assertEqual(answered["Access-Control-Allow-Origin"], ORIGIN)
            self.assertIn("ETag", answered["Access-Control-Expose-Headers"])
            self.assertIn("Origin", answered["Vary"])
        status, answered, answer = self.get(token=token, headers={"Origin": "https://evil.example"})
        self.assertEqual(status, 200)
        self.assertIsNone(answered["Access-Control-Allow-Origin"])
        self.assertEqual(answer, self.get(token=token)[2])
        status, answered, _ = self.get("/v1/nothing", headers={"Origin": ORIGIN})
        self.assertEqual((status, answered["Access-Control-Allow-Origin"]), (404, ORIGIN))

    def test_only_the_api_answers_other_origins(self):
        _, headers, _ = self.shop.request("GET", "/oauth/start", headers={"Origin": ORIGIN})
        self.assertIsNone(headers["Access-Control-Allow-Origin"])

    # ETags

    def test_if_none_match(self):
        token = self.token("100")
        _, headers, answer = self.get(token=token)
        tag = headers["ETag"]
        for asked in (tag, f"W/{tag}", "*", f'"x", {tag}', f'{tag} , "y"', f'W/"z",W/{tag}'):
            status, answered, body = self.get(token=token, headers={"If-None-Match": asked})
            self.assertEqual((status, answered["ETag"], body), (304, tag, None), asked)
            self.assertEqual(answered["Cache-Control"], "no-store")
        for asked in ('"x"', answer["version"], tag[:-2] + '"', "", "**", f'"{tag}"', '"', "W/"):
            self.assertEqual(self.get(token=token, headers={"If-None-Match": asked})[0], 200, asked)

    def test_head(self):
        status, headers, body = self.shop.request("HEAD", "/v1/entitlements",
                                                  headers=self.shop.bearer(USER, TEAM))
        self.assertEqual((status, body), (200, b""))
        self.assertTrue(headers["ETag"])
        self.assertGreater(int(headers["Content-Length"]), 0)

    def test_the_answer_changes_with_a_grant(self):
        before = self.shop.entitlements("101")
        self.grant("101", "icons-pro")
        after = self.shop.entitlements("101")
        self.assertEqual(after["entitlements"], [{"key": "icons-pro", "status": "active",
                                                  "quantity": 1, "expires_at": None}])
        self.assertNotEqual(before["version"], after["version"])

    # Waiting

    def test_wait_ends_with_news(self):
        tag = self.tag("102")
        timer = threading.Timer(0.3, self.grant, ("102", "icons-pro"))
        timer.start()
        begun = time.monotonic()
        answer = self.shop.entitlements("102", etag=tag, wait=25)
        timer.join()
        self.assertEqual([item["key"] for item in answer["entitlements"]], ["icons-pro"])
        self.assertLess(time.monotonic() - begun, 10)

    def tag(self, user):
        return f'"{self.shop.entitlements(user)["version"]}"'

    def test_wait_ends_with_304(self):
        begun = time.monotonic()
        self.assertIsNone(self.shop.entitlements("103", etag=self.tag("103"), wait=1))
        self.assertGreater(time.monotonic() - begun, 0.9)

    def test_wait_ends_when_time_alone_changes_the_answer(self):
        self.grant("104", "icons-pro", int(time.time() * 1e6) + 1500000)
        tag = self.tag("104")
        answer = self.shop.entitlements("104", etag=tag, wait=25)
        self.assertEqual(answer["entitlements"], [])

    def test_no_wait_without_a_tag_or_with_another(self):
        begun = time.monotonic()
        self.shop.entitlements("105", wait=25)
        self.shop.entitlements("105", etag='"x"', wait=25)
        self.assertIsNone(self.shop.entitlements("105", etag=self.tag("105"), wait=0))
        self.assertLess(time.monotonic() - begun, 5)

    def test_wait_is_a_number(self):
        for bad in ("", "x", "-1", "1.5", "1s", "%20", "0x10", "+1"):
            status, _, answer = self.get(f"/v1/entitlements?wait={bad}", self.token())
            self.assertEqual((status, answer["code"]), (400, "wait_invalid"), bad)
        huge = "9" * 40
        self.assertEqual(self.get(f"/v1/entitlements?wait={huge}", self.token())[0], 200)

    def test_wait_ends_at_the_token_s_end(self):
        token = self.token("106", exp=int(time.time()) - 60 + 3)
        tag = self.tag("106")
        status = self.get("/v1/entitlements?wait=25", token, {"If-None-Match": tag})[0]
        self.assertEqual(status, 304)
        self.assertEqual(self.get(token=token)[2]["code"], "token_expired")

    def test_a_user_s_third_wait_ends_the_oldest(self):
        tag, ended = self.tag("107"), []

        def ask(name):
            self.shop.entitlements("107", etag=tag, wait=20)
            ended.append(name)

        threads = []
        for name in ("first", "second", "third"):
            threads.append(threading.Thread(target=ask, args=(name,)))
            threads[-1].start()
            wait_for(lambda n=len(threads): self.waits() + len(ended) >= n, 10, "the wait")
        wait_for(lambda: ended == ["first"], 10, "the oldest's end")
        self.grant("107", "icons-pro")
        for thread in threads:
            thread.join()
        self.assertEqual(len(ended), 3)

    def waits(self):
        return self.shop.metric("purchase_waits")

    def test_a_client_that_leaves_ends_its_wait(self):
        wait_for(lambda: self.waits() == 0, 40, "no other wait")
        tag = self.tag("108")
        connection = http.client.HTTPConnection("127.0.0.1", self.shop.port, timeout=20)
        connection.request("GET", "/v1/entitlements?wait=30", headers=dict(
            self.shop.bearer("108", TEAM), **{"If-None-Match": tag}))
        wait_for(lambda: self.waits() == 1, 10, "the wait")
        connection.close()
        wait_for(lambda: self.waits() == 0, 10, "the wait's end")

    # Single keys

    def test_keys(self):
        self.grant("109", "icons-pro", 4102444800000000)
        answer = self.shop.entitlement("icons-pro", "109")
        self.assertEqual(answer, {"key": "icons-pro", "entitled": True, "reason": "active",
                                  "expires_at": "2100-01-01T00:00:00Z"})
        answer = self.shop.entitlement("extra-boards", "109")
        self.assertEqual(answer, {"key": "extra-boards", "entitled": False,
                                  "reason": "never_bought", "expires_at": None})
        for name, key in (("nothing", "nothing"), ("a%20b%2Bc+d", "a b+c+d"), ("%22", '"')):
            answer = self.shop.entitlement(name, "109")
            self.assertEqual((answer["key"], answer["entitled"], answer["reason"]),
                             (key, False, "unknown_key"))

    def test_keys_want_a_token_too(self):
        status, _, answer = self.get("/v1/entitlements/icons-pro")
        self.assertEqual((status, answer["code"]), (401, "token_missing"))

    def test_a_new_catalogue_is_known_soon(self):
        changed = dict(CATALOGUE, entitlements=dict(CATALOGUE["entitlements"], **{"brand-new": {}}))
        self.assertEqual(self.shop.entitlement("brand-new", "110")["reason"], "unknown_key")
        self.shop.apply_catalogue(changed)
        wait_for(lambda: self.shop.entitlement("brand-new", "110")["reason"] == "never_bought", 20,
                 "the new catalogue")

    def test_counted(self):
        name = "purchase_checks_total"
        before = self.shop.metric(name, outcome="answered")
        self.shop.entitlements("111")
        self.assertEqual(self.shop.metric(name, outcome="answered"), before + 1)
        self.assertGreater(self.shop.metric("purchase_check_seconds_count"), 0)


class DatabaseAway(unittest.TestCase):
    def test_503(self):
        with MariaDB() as server, Deployment(server) as shop:
            shop.migrate()
            shop.start_webhook()
            server.kill()
            status, headers, answer = shop.request_json("GET", "/v1/entitlements",
                                                        headers=shop.bearer(USER, TEAM))
            self.assertEqual((status, answer["code"]), (503, "unavailable"))
            self.assertGreater(int(headers["Retry-After"]), 0)


if __name__ == "__main__":
    unittest.main()
