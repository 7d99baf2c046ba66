"""POST /webhooks/{source}: what is stored, what is refused, and that 200 means durable."""

import base64
import hashlib
import json
import os
import resource
import socket
import threading
import unittest

from mariadb import MariaDB
from programs import SOURCE, Deployment, new_standard_secret, wait_for
from signing import sign_shopify, sign_standard, sign_woocommerce

ORDER = {"id": 9001, "status": "processing", "currency": "EUR", "total": "12.00",
         "date_modified_gmt": "2026-11-23T10:00:00", "date_paid_gmt": "2026-11-23T09:59:00",
         "billing": {"email": "zoe@example.test"}, "refunds": [], "meta_data": [],
         "line_items": [{"id": 1, "product_id": 10, "variation_id": 0, "sku": "ICONS",
                         "quantity": 1}]}
SIGNATURE = "X-WC-Webhook-Signature"


class Deliveries(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.server = MariaDB()
        cls.addClassCleanup(cls.server.close)
        cls.shop = Deployment(
            cls.server,
            {"server": {"max_body": "65536"},
             "source boutique": {"provider": "shopify", "webhook_secret_file": "boutique.secret",
                                 "live": "true"},
             "source own": {"provider": "standard", "webhook_secret_file": "own.secret"}},
            {"boutique.secret": "a-shopify-app-secret\n", "own.secret": new_standard_secret() + "\n"})
        cls.addClassCleanup(cls.shop.close)
        cls.shop.migrate()
        cls.webhook = cls.shop.start_webhook()

    def post(self, body, headers=None, source=SOURCE):
        return self.shop.deliver(source, body, headers)

    def stored(self):
        return int(self.shop.sql("SELECT COUNT(*) FROM delivery"))

    def refused(self, body, headers, status=401, code="signature_invalid", source=SOURCE):
        """Refused by its code, and nothing is stored."""
        before = self.stored()
        got, answer = self.post(body, headers, source)
        self.assertEqual((got, answer["code"], answer["status"]), (status, code, status), headers)
        self.assertEqual(self.stored(), before)

    def test_stored_then_duplicate(self):
        body = json.dumps(dict(ORDER, id=1)).encode()
        signed = sign_woocommerce(body, self.shop.secret(SOURCE))
        self.assertEqual(self.post(body, signed), (200, {"status": "stored"}))
        self.assertEqual(self.post(body, signed), (200, {"status": "duplicate"}))
        rows = self.server.rows("SELECT state, times_received, LOCATE('zoe@example.test', body)"
                                " FROM delivery WHERE delivery_key = UNHEX(SHA2('"
                                + body.decode() + "', 256))", self.shop.database)
        self.assertEqual(rows, [["pending", "2", "0"]])

    def test_answers_are_exact(self):
        body = json.dumps(dict(ORDER, id=2)).encode()
        signed = sign_woocommerce(body, self.shop.secret(SOURCE))
        status, headers, data = self.shop.request("POST", f"/webhooks/{SOURCE}", body, signed)
        self.assertEqual((status, data), (200, b'{"status":"stored"}'))
        self.assertEqual(headers["Content-Type"], "application/json")
        self.assertEqual(headers["Cache-Control"], "no-store")
        self.assertEqual(self.shop.request("POST", f"/webhooks/{SOURCE}", body, signed)[2],
                         b'{"status":"duplicate"}')

    def test_bad_signatures(self):
        body = json.dumps(dict(ORDER, id=3)).encode()
        good = sign_woocommerce(body, self.shop.secret(SOURCE))[SIGNATURE]
        raw = base64.b64decode(good)
        for bad in ("", "x", good[:-1], good[:20], good + "AAAA", "!" * 44, raw.hex(),
                    base64.b64encode(raw[:31]).decode(), base64.b64encode(raw + b"x").decode(),
                    base64.b64encode(bytes(32)).decode(), good.swapcase()):
            self.refused(body, {SIGNATURE: bad})
        self.refused(body, {})
        self.refused(body + b" ", {SIGNATURE: good})
        self.refused(body, sign_woocommerce(body, "another secret"))
        self.refused(b"", {})

    def test_a_repeated_signature_is_refused(self):
        body = json.dumps(dict(ORDER, id=4)).encode()
        good = sign_woocommerce(body, self.shop.secret(SOURCE))[SIGNATURE]
        for first, second in ((good, good), (good, "x"), ("x", good)):
            answer = self.raw(f"POST /webhooks/{SOURCE} HTTP/1.1\r\nHost: x\r\n"
                              f"{SIGNATURE}: {first}\r\n{SIGNATURE}: {second}\r\n"
                              f"Content-Length: {len(body)}\r\nConnection: close\r\n\r\n".encode()
                              + body)
            self.assertIn(b" 401 ", answer.split(b"\r\n")[0])
            self.assertIn(b'"code":"signature_invalid"', answer)

    def raw(self, data):
        with socket.create_connection(("127.0.0.1", self.shop.port), 20) as connection:
            connection.sendall(data)
            answer = b""
            while chunk := connection.recv(65536):
                answer += chunk
        return answer

    def test_rotation_accepts_both_secrets(self):
        path = self.shop.settings[f"source {SOURCE}"]["webhook_secret_file"]
        before = self.shop.file_text(path)
        self.shop.write(path, "the-new-one\n" + before)
        self.addCleanup(self.reload_with, path, before)
        self.reload_with(path, "the-new-one\n" + before)
        for number, secret in ((5, "the-new-one"), (6, before.strip())):
            body = json.dumps(dict(ORDER, id=number)).encode()
            self.assertEqual(self.post(body, sign_woocommerce(body, secret))[0], 200)

    def reload_with(self, path, text):
        said = self.webhook.log_text().count("webhook reloaded")
        self.shop.write(path, text)
        self.shop.reload(self.webhook)
        wait_for(lambda: self.webhook.log_text().count("webhook reloaded") > said, 20, "the reload")

    def test_ping(self):
        before = self.stored()
        status, answer = self.post(b"webhook_id=7", {
            "Content-Type": "application/x-www-form-urlencoded"})
        self.assertEqual((status, answer), (200, {"status": "ping"}))
        self.assertEqual(self.stored(), before)

    def test_what_is_validly_signed_is_stored_whatever_it_holds(self):
        secret = self.shop.secret(SOURCE)
        deep = b"[" * 20000 + b"]" * 20000
        for body in (b"not json", b"", b"\0\0\0", b"{\"id\":\"\xff\xfe\"}", deep, b"null", b"[]",
                     b'{"code":"woocommerce_rest_cannot_view","data":{"status":401}}',
                     b'{"id":99999999999999999999999999}', b'{"id":"12"}'):
            status, answer = self.post(body, sign_woocommerce(body, secret))
            self.assertEqual((status, answer), (200, {"status": "stored"}), body[:40])

    def test_body_over_the_limit(self):
        body = b"x" * 65537
        status, answer = self.post(body, sign_woocommerce(body, self.shop.secret(SOURCE)))
        self.assertEqual((status, answer["code"]), (413, "body_too_large"))
        body = body[:65536]
        self.assertEqual(
            self.post(body, sign_woocommerce(body, self.shop.secret(SOURCE)))[0], 200)

    def test_unknown_source(self):
        body = b"{}"
        for name in ("nobody", "MAIN-STORE", "main-store%00", "main%2Dstore%20", "..", "a" * 300):
            status, answer = self.post(body, sign_woocommerce(body, self.shop.secret(SOURCE)), name)
            self.assertEqual(status, 404, name)
            self.assertIn(answer["code"], ("unknown_source", "not_found"))
        self.refused(body, sign_woocommerce(body, self.shop.secret(SOURCE)), 404, "unknown_source",
                     "nobody")

    def test_a_path_secret_is_for_shops_that_have_one(self):
        body = b"{}"
        self.refused(body, sign_woocommerce(body, self.shop.secret(SOURCE)), 404, "unknown_source",
                     f"{SOURCE}/hunter2")
        self.assertNotIn("hunter2", self.webhook.log_text())

    def test_shopify(self):
        body = json.dumps({"id": 820982911946154508, "test": True}).encode()
        secret = self.shop.secret("boutique")
        self.assertEqual(self.post(body, sign_shopify(body, secret), "boutique")[0], 200)
        self.refused(body, sign_shopify(body, "x"), source="boutique")
        self.refused(body, sign_woocommerce(body, secret), source="boutique")

    def test_standard(self):
        secret = self.shop.secret("own")
        body = json.dumps({"type": "order.updated", "timestamp": "2026-11-23T10:00:00Z",
                           "data": {"id": "A-1", "status": "paid", "lines": []}}).encode()
        signed = sign_standard(body, secret, "msg_1")
        self.assertEqual(self.post(body, signed, "own"), (200, {"status": "stored"}))
        self.assertEqual(self.post(body, signed, "own"), (200, {"status": "duplicate"}))
        for stamp in (0, 1, 4102444800):
            self.refused(body, sign_standard(body, secret, timestamp=stamp), 401,
                         "timestamp_outside_window", "own")
        late = sign_standard(body, secret)
        late["webhook-timestamp"] = str(int(late["webhook-timestamp"]) + 1)
        self.refused(body, late, source="own")
        for lost in ("webhook-id", "webhook-timestamp", "webhook-signature"):
            headers = sign_standard(body, secret)
            del headers[lost]
            self.refused(body, headers, source="own")
        late = sign_standard(body, secret)
        late["webhook-timestamp"] = "soon"
        self.refused(body, late, source="own")

    def test_one_log_line_an_attempt(self):
        body = json.dumps(dict(ORDER, id=7)).encode()
        self.post(body, sign_woocommerce(body, self.shop.secret(SOURCE)))
        self.post(body, {SIGNATURE: "x"})
        log = self.webhook.log_text()
        lines = [line for line in log.splitlines() if " delivery " in line]
        self.assertIn("source=main-store", lines[-2])
        self.assertIn(f"bytes={len(body)}", lines[-2])
        self.assertRegex(lines[-2], r"delivery stored request=\w+ .*key=[0-9a-f]{12}$")
        self.assertIn("signature_invalid", lines[-1])
        for secret in ("zoe@example.test", self.shop.secret(SOURCE)):
            self.assertNotIn(secret, log)

    def test_counted(self):
        body = json.dumps(dict(ORDER, id=8)).encode()
        name = "purchase_deliveries_total"
        stored = self.shop.metric(name, source=SOURCE, outcome="stored")
        unknown = self.shop.metric(name, source="unknown", outcome="unknown_source")
        self.post(body, sign_woocommerce(body, self.shop.secret(SOURCE)))
        self.post(body, {}, "whoever")
        self.assertEqual(self.shop.metric(name, source=SOURCE, outcome="stored"), stored + 1)
        self.assertEqual(self.shop.metric(name, source="unknown", outcome="unknown_source"),
                         unknown + 1)
        self.assertIsNone(self.shop.metric(name, source="whoever", outcome="unknown_source"))
        self.assertGreater(self.shop.metric("purchase_ingest_seconds_count"), 0)

    def test_many_at_once_share_commits_and_all_are_there(self):
        secret, before, answers = self.shop.secret(SOURCE), self.stored(), []

        def send(first):
            for number in range(first, first + 25):
                body = json.dumps(dict(ORDER, id=number, note=os.urandom(8).hex())).encode()
                answers.append(self.post(body, sign_woocommerce(body, secret)))

        threads = [threading.Thread(target=send, args=(10000 * n,)) for n in range(1, 9)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.assertEqual(answers, [(200, {"status": "stored"})] * 200)
        self.assertEqual(self.stored(), before + 200)


class DatabaseAway(unittest.TestCase):
    def test_503_where_there_is_no_spool_and_nothing_acknowledged_is_lost(self):
        with MariaDB() as server, Deployment(server, {"server": {"state_dir": "/nowhere"}}) as shop:
            shop.migrate()
            shop.start_webhook()
            body = json.dumps(ORDER).encode()
            signed = sign_woocommerce(body, shop.secret(SOURCE))
            self.assertEqual(shop.deliver(SOURCE, body, signed)[0], 200)
            server.kill()
            other = body + b" "
            status, headers, answer = shop.request_json(
                "POST", f"/webhooks/{SOURCE}", other,
                sign_woocommerce(other, shop.secret(SOURCE)))
            self.assertEqual((status, answer["code"]), (503, "unavailable"))
            self.assertGreater(int(headers["Retry-After"]), 0)
            wait_for(lambda: shop.internal("/readyz")[0] == 503, 20, "readyz 503")
            self.assertEqual(shop.internal("/healthz")[0], 200)
            self.assertEqual(shop.internal("/metrics")[0], 200)
            server.start()
            wait_for(lambda: shop.internal("/readyz")[0] == 200, 60, "readyz 200")
            self.assertEqual(shop.sql("SELECT COUNT(*) FROM delivery").strip(), "1")
            self.assertEqual(shop.deliver(SOURCE, body, signed), (200, {"status": "duplicate"}))


class Overload(unittest.TestCase):
    CLIENTS = 4600  # more than LIMIT_BATCH_QUEUE and what the executor has taken, and than the spool holds

    def test_503_early_and_what_was_acknowledged_is_there(self):
        wanted = self.CLIENTS + 200
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        if hard != resource.RLIM_INFINITY and hard < wanted:
            self.skipTest(f"wants {wanted} open files; the hard limit is {hard}")
        resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, wanted), hard))
        self.addCleanup(resource.setrlimit, resource.RLIMIT_NOFILE, (soft, hard))
        with MariaDB() as server, Deployment(server, {"server": {"spool_max": "1 MiB"}}) as shop:
            shop.migrate()
            shop.start_webhook()
            server.freeze()
            clients = []
            try:
                self.send_all(shop, clients)
                answers = [self.answer(client) for client in clients]  # while it is frozen
            finally:
                server.thaw()
            stored = {number for number, answer in enumerate(answers) if b'{"status":"stored"}' in answer}
            refused = [answer for answer in answers if b'"code":"unavailable"' in answer]
            self.assertEqual(len(stored) + len(refused), len(answers))
            self.assertGreater(len(stored), 2000)
            self.assertGreater(len(refused), 500)
            for answer in refused:
                self.assertIn(b" 503 ", answer.split(b"\r\n")[0])
                self.assertIn(b"Retry-After: ", answer)
            wait_for(lambda: shop.metric("purchase_spool_pending") == 0 and shop.metric("purchase_ingest_bytes") == 0,
                     60, "the spool to be empty")
            there = set(shop.sql("SELECT LOWER(HEX(delivery_key)) FROM delivery").split())
            keys = {hashlib.sha256(b'{"id":%d}' % number).hexdigest() for number in stored}
            self.assertEqual(keys - there, set())  # of those refused, some came late: they are sent again

    def send_all(self, shop, clients):
        secret = shop.secret(SOURCE)
        for number in range(self.CLIENTS):
            body = b'{"id":%d}' % number
            signature = sign_woocommerce(body, secret)[SIGNATURE]
            client = socket.create_connection(("127.0.0.1", shop.port), 30)
            self.addCleanup(client.close)
            client.sendall(f"POST /webhooks/{SOURCE} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n"
                           f"Content-Length: {len(body)}\r\n{SIGNATURE}: {signature}\r\n\r\n"
                           .encode() + body)
            clients.append(client)

    @staticmethod
    def answer(client):
        answer = b""
        while chunk := client.recv(65536):
            answer += chunk
        return answer


if __name__ == "__main__":
    unittest.main()
