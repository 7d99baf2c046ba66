"""What is aimed at, as ratios within one run, and whether it was met."""

import memory
from stage import USUAL

MB = 1024  # kB


class Target:
    """`measured` is None where its part was not run. At least `bound`, unless `most` says at most."""

    def __init__(self, what, measured, bound, most=False, unit=""):
        self.what = what
        self.measured = measured
        self.bound = bound
        self.most = most
        self.unit = unit

    @property
    def met(self):
        if self.measured is None:
            return None
        shown = round(self.measured, 2)
        return shown <= self.bound if self.most else shown >= self.bound

    def wanted(self):
        return f"{'at most' if self.most else 'at least'} {self.bound:g}{self.unit}"

    def as_json(self):
        return {"what": self.what, "measured": self.measured, "bound": self.bound, "most": self.most,
                "unit": self.unit, "met": self.met}


def rates(results):
    usual = f"{USUAL}"
    yield Target("checks, cache on: of evhttp's constants",
                 results.ratio(f"check.cached.{usual}", "constant.evhttp"), 1.0, unit=" ×")
    yield Target("checks, cache on: of the peer",
                 results.ratio(f"check.cached.{usual}", f"check.peer.{usual}"), 5.0, unit=" ×")
    yield Target("checks, cache off: of the peer",
                 results.ratio(f"check.uncached.{usual}", f"check.peer.{usual}"), 3.0, unit=" ×")
    yield Target("durable deliveries: of the peer",
                 results.ratio(f"deliver.ours.{usual}", f"deliver.peer.{usual}"), 3.0, unit=" ×")
    yield Target("deliveries' p99 at half of peak: of one INSERT's p99, alone",
                 results.ratio("open.deliver.ours", "insert", "p99"), 4.0, most=True, unit=" ×")
    yield Target("drain, one worker: of the peer's worker", results.ratio("drain.ours", "drain.peer"), 6.0, unit=" ×")


def connections(results):
    for key, name in (("check.cached", "checks, cache on"), ("check.uncached", "checks, cache off"),
                      ("deliver.ours", "deliveries")):
        yield Target(f"{name}: 256 connections of 64", results.ratio(f"{key}.256", f"{key}.64"), 1.0, unit=" ×")


def sizes(results):
    found = results.memory

    def peak(key):
        return (results.median(key, "peak_kb") or 0) / MB or None

    yield Target(f"front at {memory.BUSY} connections", found.get("busy_kb") and found["busy_kb"] / MB,
                 memory.BUSY_MOST_KB / MB, True, " MB")
    for key, what in memory.EACH:
        yield Target(f"front, {what} of {found.get('connections', memory.CONNECTIONS):,}", found.get(key),
                     memory.EACH_MOST_KB, True, " kB")
    yield Target("worker, peak", peak("drain.ours"), 64, True, " MB")
    yield Target("resync, peak", peak("resync"), 64, True, " MB")


def growth(found):
    """From what growth.py measured, if its JSON was given."""
    if not found:
        return
    for row in found["rates"]:
        if row["users"] != min(other["users"] for other in found["rates"]):
            yield Target(f"{row['name']} with {row['users']:,} users and {row['orders']:,} orders", row["ratio"], 0.85,
                         unit=" ×")
    if found["rebuild"]:
        least, most = found["rebuild"][0], found["rebuild"][-1]
        for key, name in (("us_an_order", "time of an order"), ("peak_kb", "memory")):
            yield Target(f"rebuild --check of {most['orders']:,} orders: {name}", most[key] / least[key], 1.25, True,
                         " ×")


def targets(results, found):
    return [*rates(results), *connections(results), *growth(found), *sizes(results)]
