"""What stands between a front and its database: it passes everything on, and can hold back what the server says on
the connections of one kind, so that a statement has run and its answer is on its way for as long as a test likes.

    with Held(server.port, b" FROM link l ") as held:
        ... [database] host = 127.0.0.1, port = held.port ...
        held.hold()       # answers on connections that ever prepared such a statement wait from now on
        held.release()
"""

import socket
import threading

DEADLINE = 60


class Held:
    def __init__(self, port, mark):
        self._target = port
        self._mark = mark
        self._open = threading.Event()
        self._open.set()
        self._waiting = threading.Semaphore(0)
        self._sockets = []
        self._threads = []
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        self._start(self._accept)

    def _start(self, run, *arguments):
        thread = threading.Thread(target=run, args=arguments, daemon=True)
        self._threads.append(thread)
        thread.start()

    def _accept(self):
        while True:
            try:
                client = self._listener.accept()[0]
            except OSError:
                return
            server = socket.create_connection(("127.0.0.1", self._target), DEADLINE)
            marked = threading.Event()
            self._sockets += [client, server]
            self._start(self._pass, client, server, marked, None)
            self._start(self._pass, server, client, marked, self._open)

    def _pass(self, source, target, marked, gate):
        """Towards the server it looks for the mark; the other way it waits at the gate."""
        try:
            while True:
                data = source.recv(65536)
                if not data:
                    break
                if gate is None and self._mark in data:
                    marked.set()
                if gate is not None and marked.is_set() and not gate.is_set():
                    self._waiting.release()
                    gate.wait(DEADLINE)
                target.sendall(data)
        except OSError:
            pass
        for end in (source, target):
            try:
                end.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass

    def hold(self):
        self._open.clear()

    def held(self, deadline=20):
        """Returns once an answer is being held back: its statement has run."""
        assert self._waiting.acquire(timeout=deadline), "no answer came"

    def release(self):
        self._open.set()

    def close(self):
        self.release()
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for end in self._sockets:
            end.close()
        for thread in self._threads:
            thread.join(DEADLINE)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()
