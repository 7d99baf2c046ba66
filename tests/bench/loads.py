"""The load generator, as Python sees it: one call a measurement, the figures as a dictionary."""

import json
import subprocess

from programs import SOURCE, program_path

FOREVER = 600  # seconds: for loads that end after so many requests


class Loads:
    """Loads upon any server that answers the same requests. Orders are numbered on from load to load: each is new."""

    def __init__(self, run, body, tokens):
        self.run = run
        self.body = body
        self.tokens = tokens
        self.next_order = 0

    @staticmethod
    def _command(kind, port, connections, seconds, arguments, rate=None, requests=None):
        options = (["--rate", f"{rate:.1f}"] if rate else []) + \
                  (["--requests", str(requests)] if requests else [])
        return [program_path("bench_load"), *options, kind, str(port), str(connections), str(seconds), *arguments]

    def _load(self, kind, port, connections, seconds, arguments, **how):
        done = subprocess.run(self._command(kind, port, connections, seconds, arguments, **how),
                              capture_output=True, text=True, check=False)
        if done.returncode != 0:
            raise RuntimeError(f"load {kind}: {done.stdout}{done.stderr}")
        result = json.loads(done.stdout)
        result["rate"] = result["requests"] / result["seconds"]
        return result

    def get(self, port, connections, seconds):
        return self._load("get", port, connections, seconds, ["/"])

    def check(self, port, connections, seconds, rate=None):
        return self._load("check", port, connections, seconds, [self.tokens], rate=rate)

    def deliver(self, port, connections, seconds=FOREVER, rate=None, requests=None):
        result = self._load("deliver", port, connections, seconds,
                            [SOURCE, self.run.path(f"{SOURCE}.secret"), self.body, str(self.next_order)],
                            rate=rate, requests=requests)
        self.next_order += result["requests"]
        return result
