"""A shop's REST API that says exactly what a test wants, and remembers what it was asked.

    with FakeShop() as shop:
        shop.answers["/wp-json/wc/v3/orders/12"] = {"id": 12, ...}
        ... api_url = shop.url ...
        assert shop.requests[0].path == "/wp-json/wc/v3/orders/12"
"""

import json
import threading
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


@dataclass
class Asked:
    """A request as it came."""
    method: str
    path: str
    query: str
    headers: dict
    body: bytes


@dataclass
class Answer:
    """What to say: `body` is bytes, or anything that JSON can tell. `close` sends nothing at all."""
    body: object = None
    status: int = 200
    headers: dict = field(default_factory=dict)
    close: bool = False

    def bytes(self):
        return self.body if isinstance(self.body, bytes) else json.dumps(self.body).encode()


class Handler(BaseHTTPRequestHandler):
    """Finds the answer and sends it."""

    protocol_version = "HTTP/1.1"

    def answer(self):
        path, _, query = self.path.partition("?")
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        answer = self.server.fake.take(Asked(self.command, path, query, dict(self.headers), body))
        if answer.close:
            self.close_connection = True
            return
        data = answer.bytes()
        self.send_response(answer.status)
        for name, value in {"Content-Type": "application/json", **answer.headers}.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(data)

    do_GET = do_POST = do_PUT = do_DELETE = do_HEAD = answer

    def log_message(self, *_):
        """Requests are remembered, not printed."""


class FakeServer:
    """
    `answers` maps a path, or "path?query", to a value (JSON, 200), an Answer, a Sequence of those,
    or a function of the Asked that gives one of those.
    """

    def __init__(self):
        self.answers = {}
        self.requests = []
        self._lock = threading.Lock()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self._server.fake = self
        self.port = self._server.server_address[1]
        self.url = f"http://127.0.0.1:{self.port}"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,),
                                        daemon=True)
        self._thread.start()

    def take(self, asked):
        """Remembers the request and chooses its answer."""
        with self._lock:
            self.requests.append(asked)
            found = self.answers.get(f"{asked.path}?{asked.query}", self.answers.get(asked.path))
            if isinstance(found, Sequence):
                found = found.next()
        if callable(found):
            found = found(asked)
        if found is None:
            return Answer({"code": "rest_no_route", "message": "No route"}, 404)
        return found if isinstance(found, Answer) else Answer(found)

    def asked(self, path):
        with self._lock:
            return [request for request in self.requests if request.path == path]

    def close(self):
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


class Sequence:
    """One answer after the other; the last one stays."""

    def __init__(self, *answers):
        self._answers = list(answers)

    def next(self):
        return self._answers.pop(0) if len(self._answers) > 1 else self._answers[0]


class FakeShop(FakeServer):
    """WooCommerce's paths in one word."""

    def order(self, order):
        self.answers[f"/wp-json/wc/v3/orders/{order['id']}"] = order

    def refunds(self, order_id, refunds):
        self.answers[f"/wp-json/wc/v3/orders/{order_id}/refunds"] = refunds
