"""What a client was told: a line for each 2xx, written and flushed to the disk before the client goes on.

The record alone is evidence. replay() works out from it what every buyer owns, by the property tests' model, and
holdings() under which key the inbox must hold each delivery; neither asks the programs.
"""

import hashlib
import json
import os
import threading

from lives import Life, draw


class Record:
    """Appended to by many threads; each line is durable when note() returns."""

    def __init__(self, path):
        self.path = path
        self._file = open(path, "x", encoding="utf-8")
        self._lock = threading.Lock()

    def note(self, life, webhook, source, tries):
        line = json.dumps({"run": life.run, "seed": life.seed, "number": webhook.number, "source": source,
                           "key": delivery_key(source, webhook).hex(), "tries": tries})
        with self._lock:
            self._file.write(line + "\n")
            self._file.flush()
            os.fsync(self._file.fileno())

    def close(self):
        self._file.close()

    def lines(self):
        with open(self.path, encoding="utf-8") as file:
            return [json.loads(line) for line in file]


def of_parts(*parts):
    """A digest of several parts, each with its length before it."""
    return hashlib.sha256(b"".join(len(part).to_bytes(8, "big") + part for part in parts)).digest()


def delivery_key(source, webhook):
    """Under which a delivery is kept: its signed event's id, else its body."""
    body = hashlib.sha256(webhook.body).digest()
    if source == "stripe":
        return of_parts(b"event", webhook.message.encode())
    if source == "standard":
        return of_parts(b"event", webhook.message.encode(), body)
    return body


def holdings(lines):
    """{(source, key): how often it was acknowledged}"""
    found = {}
    for line in lines:
        place = (line["source"], line["key"])
        found[place] = found.get(place, 0) + 1
    return found


def replay(lines, shops):
    """
    Each life that the record tells of, lived again: [(life, shop)], where the shop says what its buyers own. Raises if
    a webhook was acknowledged that the life does not send, or one was not that it cannot do without.
    """
    told = {}
    for line in lines:
        told.setdefault((line["run"], line["seed"]), {})[line["number"]] = line
    lives = []
    for (run, seed), numbers in sorted(told.items()):
        life = Life(run, seed, draw(seed, shops), shops)
        shop = life.rehearse()
        for number, line in numbers.items():
            assert delivery_key(shop.source, shop.sent[number]).hex() == line["key"], (seed, number)
        planned = {number for wave in life.plan().values() for _, number in wave}
        assert planned == set(numbers), f"seed {seed}: never acknowledged: {planned - set(numbers)}"
        lives.append((life, shop))
    return lives
