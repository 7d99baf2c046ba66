"""TLS on the public listener: what is spoken, what is not, and how a certificate changes."""

import http.client
import json
import os
import select
import shutil
import socket
import ssl
import subprocess
import tempfile
import unittest

from certificates import Authority, openssl
from mariadb import MariaDB
from programs import BAD_CONFIGURATION, SOURCE, Deployment, wait_for
from signing import sign_woocommerce

HOST = "127.0.0.1"
TEAM = "3458764514838398336"
REQUEST = b"GET /nothing HTTP/1.1\r\nHost: x\r\n\r\n"
PATIENCE = 60


def setUpModule():
    global server, authority, folder
    server = MariaDB()
    unittest.addModuleCleanup(server.close)
    folder = tempfile.mkdtemp(prefix="tls-test-")
    unittest.addModuleCleanup(shutil.rmtree, folder)
    authority = Authority(folder)
    for name in ("first", "second"):
        authority.sign(name, "IP:127.0.0.1,DNS:localhost")


def contents(name):
    with open(os.path.join(folder, name), encoding="ascii") as file:
        return file.read()


class Secured(unittest.TestCase):
    """A front that speaks TLS with the first certificate."""

    def prepare(self, **settings):
        settings = {"tls_certificate_file": "server.pem", "tls_key_file": "server.key",
                    "public_url": "https://localhost", **settings}
        shop = Deployment(server, {"server": settings})
        self.addCleanup(shop.close)
        self.shop = shop
        self.install("first")
        return shop

    def start(self, **settings):
        self.prepare(**settings).migrate()
        self.webhook = self.shop.start_webhook()
        return self.shop

    def install(self, certificate, key=None, mode=0o600):
        self.shop.write("server.pem", contents(f"{certificate}.pem"), 0o644)
        self.shop.write("server.key", contents(f"{key or certificate}.key"), mode)

    def context(self, **attributes):
        context = ssl.create_default_context(cafile=authority.certificate)
        for name, value in attributes.items():
            setattr(context, name, value)
        return context

    def plain(self):
        connection = socket.create_connection((HOST, self.shop.port), timeout=PATIENCE)
        self.addCleanup(connection.close)
        return connection

    def connect(self, context=None, **options):
        secured = (context or self.context()).wrap_socket(self.plain(), server_hostname="localhost",
                                                          **options)
        self.addCleanup(secured.close)
        return secured

    def request(self, method, path, body=None, headers=None):
        connection = http.client.HTTPSConnection(HOST, self.shop.port, context=self.context(),
                                                 timeout=PATIENCE)
        try:
            connection.request(method, path, body, headers or {})
            answer = connection.getresponse()
            return answer.status, json.loads(answer.read() or b"null")
        finally:
            connection.close()

    def subject(self):
        """Whose certificate a new connection is shown."""
        return dict(pair[0] for pair in self.connect().getpeercert()["subject"])["commonName"]

    def wait_for_log(self, text):
        wait_for(lambda: text in self.webhook.log_text(), PATIENCE, text)

    def closed(self, connection, sends=b""):
        """The server ends it without a byte in the clear but an alert of TLS."""
        connection.sendall(sends)
        heard = b""
        try:
            while piece := connection.recv(4096):
                heard += piece
        except ConnectionResetError:
            pass
        self.assertTrue(heard == b"" or heard[:2] == b"\x15\x03", heard)


class Spoken(Secured):
    @classmethod
    def setUpClass(cls):
        cls.case = cls("setUp")
        cls.addClassCleanup(cls.case.doCleanups)
        cls.shop = cls.case.start(request_timeout=3)
        cls.webhook = cls.case.webhook

    def s_client(self, *options, stdin=""):
        done = subprocess.run(["openssl", "s_client", "-connect", f"{HOST}:{self.shop.port}",
                               "-CAfile", authority.certificate, *options],
                              input=stdin, capture_output=True, text=True, timeout=PATIENCE,
                              check=False)
        return done.returncode, done.stdout + done.stderr

    def test_versions_and_ciphers(self):
        for version, cipher in ((ssl.TLSVersion.TLSv1_3, "TLS_"),
                                (ssl.TLSVersion.TLSv1_2, "ECDHE-ECDSA-")):
            secured = self.connect(self.context(minimum_version=version, maximum_version=version))
            self.assertTrue(secured.cipher()[0].startswith(cipher), secured.cipher())
            self.assertRegex(secured.cipher()[0], "GCM|CHACHA20")
            self.assertIsNone(secured.compression())
            secured.sendall(REQUEST)
            self.assertTrue(secured.recv(100).startswith(b"HTTP/1.1 404 "))

    def test_old_versions_and_ciphers_are_refused(self):
        for options in (("-tls1", "-cipher", "ALL:@SECLEVEL=0"),
                        ("-tls1_1", "-cipher", "ALL:@SECLEVEL=0"),
                        ("-tls1_2", "-cipher", "ECDHE-ECDSA-AES128-SHA256:@SECLEVEL=0"),
                        ("-tls1_2", "-cipher", "AES128-GCM-SHA256:@SECLEVEL=0"),
                        ("-tls1_2", "-cipher", "aNULL:@SECLEVEL=0")):
            code, text = self.s_client(*options)
            self.assertNotEqual(code, 0, options)
            self.assertIn("Cipher is (NONE)", text, options)

    def test_protocols(self):
        context = self.context()
        context.set_alpn_protocols(["h2", "http/1.1"])
        self.assertEqual(self.connect(context).selected_alpn_protocol(), "http/1.1")
        self.assertIsNone(self.connect().selected_alpn_protocol())
        context.set_alpn_protocols(["h2"])
        with self.assertRaises(ssl.SSLError):
            self.connect(context)

    def test_nothing_is_resumed(self):
        for version in (ssl.TLSVersion.TLSv1_3, ssl.TLSVersion.TLSv1_2):
            context = self.context(minimum_version=version, maximum_version=version)
            first = self.connect(context)
            first.sendall(REQUEST)
            self.assertTrue(first.recv(100))
            self.assertFalse(first.session.has_ticket)
            again = self.connect(context, session=first.session)
            self.assertFalse(again.session_reused)

    def test_renegotiation_is_refused(self):
        text = self.s_client("-tls1_2", "-msg", stdin="R\n")[1]
        self.assertIn("RENEGOTIATING", text)
        self.assertIn("no_renegotiation", text)

    def test_plain_http_is_closed(self):
        for sent in (REQUEST, b"\r\n", b"POST /webhooks/main-store HTTP/1.1\r\n\r\n",
                     b"\x16\x03\x01\xff\xff" + b"x" * 100, os.urandom(64)):
            self.closed(self.plain(), sent)
        self.wait_for_log("rule=tls-handshake")
        self.assertGreater(self.shop.metric("purchase_http_refused_total", status="other"), 0)
        self.assertEqual(self.request("GET", "/nothing")[0], 404)

    def test_a_handshake_has_a_deadline(self):
        """However it is drawn out: nothing, a part, a byte now and then; and silence behind it."""
        incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        hello = self.context().wrap_bio(incoming, outgoing, server_hostname="localhost")
        with self.assertRaises(ssl.SSLWantReadError):
            hello.do_handshake()
        greeting = outgoing.read()
        silent, half, drawn, idle = self.plain(), self.plain(), self.plain(), self.connect()
        half.sendall(greeting[:-1])
        drawn.settimeout(0.05)
        for byte in greeting:
            try:
                drawn.sendall(bytes([byte]))
                if drawn.recv(1) == b"":
                    break
            except TimeoutError:
                pass
            except OSError:
                break
        else:
            self.fail("a handshake of single bytes was let be")
        for connection in (silent, half):
            self.closed(connection)
        self.assertEqual(idle.recv(1), b"")

    def test_a_request_has_its_deadline(self):
        secured = self.connect()
        secured.sendall(REQUEST[:-2])
        self.assertTrue(secured.recv(100).startswith(b"HTTP/1.1 408 "))

    def test_requests(self):
        """Pipelined, large, in many records, and answered after the client's end."""
        secured = self.connect()
        secured.sendall(REQUEST * 300)
        heard = b""
        while heard.count(b"HTTP/1.1 404 ") < 300:
            heard += secured.recv(65536)
        body = json.dumps({"id": 7, "note": "x" * 1900000}).encode()
        self.assertEqual(self.request("POST", f"/webhooks/{SOURCE}", body,
                                      sign_woocommerce(body, self.shop.secret(SOURCE))),
                         (200, {"status": "stored"}))
        status, answer = self.request("GET", "/v1/entitlements",
                                      headers=self.shop.bearer("42", TEAM))
        self.assertEqual((status, answer["user"]), (200, "42"))
        ending = self.connect()
        ending.sendall(REQUEST)
        with socket.socket(fileno=os.dup(ending.fileno())) as beneath:
            beneath.shutdown(socket.SHUT_WR)  # FIN without close_notify
        self.assertTrue(ending.recv(100).startswith(b"HTTP/1.1 404 "))

    def test_a_client_that_reads_late(self):
        """Answers wait, in part within a record, until there is room for them, and none is lost."""
        count = 4000
        plain = socket.socket()
        plain.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 16384)
        plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_MAXSEG, 1400)  # or windows close for long
        plain.settimeout(PATIENCE)
        plain.connect((HOST, self.shop.port))
        secured = self.context().wrap_socket(plain, server_hostname="localhost")
        self.addCleanup(secured.close)
        secured.setblocking(False)
        unsent, heard = memoryview(REQUEST * count), 0
        tail = b""
        while heard < count:
            try:
                while unsent:
                    unsent = unsent[secured.send(unsent[:16384]):]
            except (ssl.SSLWantWriteError, ssl.SSLWantReadError):
                pass
            if not secured.pending():
                ready, room, _ = select.select([secured], [secured] if unsent else [], [], PATIENCE)
                self.assertTrue(ready or room, f"{heard} answers came")
            try:
                piece = tail + secured.recv(4096)
            except ssl.SSLWantReadError:
                continue
            heard += piece.count(b"HTTP/1.1 404 ")
            cut = piece.rfind(b"HTTP/1.1 404 ")
            tail = piece[max(cut + 1, len(piece) - 12):]

    def test_a_wait_ends_with_its_client(self):
        status, answer = self.request("GET", "/v1/entitlements",
                                      headers=self.shop.bearer("43", TEAM))
        self.assertEqual(status, 200)
        secured = self.connect()
        token = self.shop.bearer("43", TEAM)["Authorization"]
        secured.sendall("GET /v1/entitlements?wait=30 HTTP/1.1\r\nHost: x\r\n"
                        f"Authorization: {token}\r\n"
                        f"If-None-Match: \"{answer['version']}\"\r\n\r\n".encode())
        waits = lambda: self.shop.metric("purchase_waits")  # noqa: E731
        wait_for(lambda: waits() == 1, PATIENCE, "the wait")
        secured.close()
        wait_for(lambda: waits() == 0, PATIENCE, "the wait's end")


class Reload(Secured):
    def reload(self, text):
        before = self.webhook.log_text().count(text)
        self.shop.reload(self.webhook)
        wait_for(lambda: self.webhook.log_text().count(text) > before, PATIENCE, text)

    def test_certificates(self):
        self.start()
        kept = self.connect()
        self.assertEqual(self.subject(), "first")
        self.install("second")
        self.reload("webhook reloaded")
        self.assertEqual(self.subject(), "second")
        kept.sendall(REQUEST)
        self.assertTrue(kept.recv(100).startswith(b"HTTP/1.1 404 "))
        # A bad one changes nothing, and says why.
        for spoil, why in ((lambda: self.install("first", key="second"), "is not the key of"),
                           (lambda: self.install("first", mode=0o644), "can be used by others"),
                           (lambda: self.shop.write("server.pem", "nothing\n"),
                            "holds no certificate"),
                           (lambda: os.unlink(self.shop.path("server.pem")), "cannot be opened")):
            self.install("first")
            spoil()
            self.reload("webhook reload_refused")
            self.assertIn(why, self.webhook.log_text())
            self.assertEqual(self.subject(), "second")
        # Nor does a listener turn plain while it runs.
        self.shop.configure({"server": {"tls_certificate_file": None, "tls_key_file": None}})
        self.reload("webhook reloaded")
        self.assertIn("tls_key_file", self.webhook.log_text())
        self.closed(self.plain(), REQUEST)
        self.assertEqual(self.subject(), "second")

    def test_plain_to_tls(self):
        self.start(tls_certificate_file=None, tls_key_file=None)
        self.assertEqual(self.shop.request("GET", "/nothing")[0], 404)
        self.shop.configure({"server": {"tls_certificate_file": "server.pem",
                                        "tls_key_file": "server.key"}})
        self.reload("webhook reloaded")
        self.closed(self.plain(), REQUEST)
        self.assertEqual(self.subject(), "first")

    def test_idle_connections_do_not_hold_up_the_end(self):
        self.start()
        idle, used = self.connect(), self.connect()
        used.sendall(REQUEST)
        self.assertTrue(used.recv(1000).startswith(b"HTTP/1.1 404 "))
        self.webhook.process.terminate()
        self.assertEqual((idle.recv(1), self.webhook.process.wait(20)), (b"", 0))

    def test_too_many_are_closed_without_a_word(self):
        self.start(unlimited_addresses="192.0.2.1", connections_per_address=2)
        held = [self.connect(), self.connect()]
        self.closed(self.plain())
        self.assertEqual(len(held), 2)


class Configuration(Secured):
    def refused(self, why):
        done = self.shop.run("purchase-webhook", expected=BAD_CONFIGURATION)
        self.assertIn(why, done.stderr)

    def test_refusals(self):
        self.prepare()
        self.install("first", key="second")
        self.refused("tls_key_file is not the key of the first certificate")
        self.install("first", mode=0o640)
        self.shop.migrate()
        webhook = self.shop.start_webhook()  # a group may read it
        self.shop.stop_program(webhook)
        self.install("first", mode=0o604)
        self.refused("tls_key_file: ")
        self.install("first")
        key = os.path.join(folder, "first.key")
        locked = os.path.join(folder, "locked.key")
        openssl("ec", "-in", key, "-aes128", "-passout", "pass:secret", "-out", locked)
        self.install("first", key="locked")
        self.refused("without a passphrase")
        self.install("first")
        self.shop.write("server.pem", contents("first.pem") + contents("ca.pem")[:-100])
        self.refused("holds a damaged certificate")
        self.install("first")
        for settings, why in (({"tls_key_file": None}, "tls_key_file: is missing beside"),
                              ({"tls_key_file": "server.key", "tls_certificate_file": None},
                               "tls_certificate_file: is missing beside"),
                              ({"tls_certificate_file": "server.pem",
                                "public_url": "http://localhost"}, "public_url: is not https"),
                              ({"public_url": None}, "public_url: is not https")):
            self.shop.configure({"server": settings})
            self.refused(why)


if __name__ == "__main__":
    unittest.main()
