"""What stands between a program and the stand-in shops: it passes on all that a test does not change.

    with Between(deployment.sandbox_port) as between:
        ... api_url = between.url ...
        between.hook = lambda asked: Answer(status=500) if asked.path.endswith("/refunds") else None
        between.ahead = -1800  # its clock is half an hour behind
"""

import http.client
import time

from fake_shop import Answer, FakeServer, Handler

NOT_PASSED_ON = ("host", "connection", "content-length", "transfer-encoding", "date", "server")
PASS_DEADLINE = 40


def passed_on(headers):
    """The headers that belong to the words and not to the way they came."""
    return {name: value for name, value in headers.items() if name.lower() not in NOT_PASSED_ON}


class BetweenHandler(Handler):
    """Answers by its own clock, and bears it if nobody listens any more."""

    disable_nagle_algorithm = True  # hundreds of calls, and none of them waits for the other's timer

    def date_time_string(self, timestamp=None):
        now = self.server.fake.clock() if timestamp is None else timestamp
        return super().date_time_string(now)

    def handle(self):
        try:
            super().handle()
        except OSError:
            self.close_connection = True


class Between(FakeServer):
    """
    `hook` is a function of the Asked that gives None, for what the shop itself says, or a value or an
    Answer. `ahead` is by how many seconds its clock is ahead.
    """

    def __init__(self, port):
        super().__init__()
        self._server.RequestHandlerClass = BetweenHandler
        self._port = port
        self.hook = None
        self.ahead = 0

    def clock(self):
        return time.time() + self.ahead

    def take(self, asked):
        """Remembers the request; the hook is free to wait, others go past it."""
        with self._lock:
            self.requests.append(asked)
        answer = self.hook(asked) if self.hook else None
        if answer is None:
            return self.pass_on(asked)
        return answer if isinstance(answer, Answer) else Answer(answer)

    def pass_on(self, asked):
        connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=PASS_DEADLINE)
        try:
            target = f"{asked.path}?{asked.query}" if asked.query else asked.path
            connection.request(asked.method, target, asked.body or None, passed_on(asked.headers))
            answer = connection.getresponse()
            return Answer(answer.read(), answer.status, passed_on(answer.headers))
        finally:
            connection.close()

    def forget(self):
        """As if nothing had been asked yet."""
        with self._lock:
            self.requests.clear()
