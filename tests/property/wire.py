"""HTTP/1.1 with as little between as Python allows: kept connections out, one thread of answers in."""

import asyncio
import email.utils
import json
import socket
import threading


class Wire:
    """One kept connection to a server on loopback."""

    def __init__(self, port):
        self._socket = socket.create_connection(("127.0.0.1", port), timeout=40)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._rest = b""

    def _more(self):
        data = self._socket.recv(65536)
        if not data:
            raise ConnectionError("the server closed the connection")
        self._rest += data

    def request(self, method, path, headers, body=b""):
        """(status, body)"""
        lines = [f"{method} {path} HTTP/1.1", "Host: 127.0.0.1",
                 *(f"{name}: {value}" for name, value in headers.items())]
        if method == "POST":
            lines.append(f"Content-Length: {len(body)}")
        self._socket.sendall("\r\n".join(lines).encode() + b"\r\n\r\n" + body)
        while b"\r\n\r\n" not in self._rest:
            self._more()
        head, _, self._rest = self._rest.partition(b"\r\n\r\n")
        lower = head.lower()
        length = 0
        if b"content-length:" in lower:
            length = int(lower.split(b"content-length:")[1].split(b"\r\n")[0])
        while len(self._rest) < length:
            self._more()
        answer, self._rest = self._rest[:length], self._rest[length:]
        return int(head[9:12]), answer

    def close(self):
        self._socket.close()


class _Connection(asyncio.Protocol):
    def __init__(self, answer):
        self._answer = answer
        self._rest = b""

    def connection_made(self, transport):
        self._transport = transport

    def data_received(self, data):
        self._rest += data
        while b"\r\n\r\n" in self._rest:
            head, _, rest = self._rest.partition(b"\r\n\r\n")
            first, *lines = head.decode("latin-1").split("\r\n")
            headers = dict(line.lower().split(": ", 1) for line in lines if ": " in line)
            length = int(headers.get("content-length", 0))
            if len(rest) < length:
                return
            self._rest = rest[length:]
            status, value, date = self._answer(first.split(" ")[1], head, rest[:length])
            body = json.dumps(value).encode()
            self._transport.write(
                f"HTTP/1.1 {status} X\r\nDate: {email.utils.formatdate(date, usegmt=True)}\r\n"
                f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n".encode()
                + body)


class Server:
    """Answers with what `answer(target, head, body)` gives: (status, value, date)."""

    def __init__(self, answer):
        self._loop = asyncio.new_event_loop()
        self._server = self._loop.run_until_complete(
            self._loop.create_server(lambda: _Connection(answer), "127.0.0.1", 0))
        self.port = self._server.sockets[0].getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}"
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()

    def close(self):
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._server.close()
        self._loop.close()
