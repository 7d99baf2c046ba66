"""Interleaved rounds: every measurement once, then every one again, so that what else the machine does meets all."""

import statistics
import sys


def note(text):
    print(text, file=sys.stderr, flush=True)


class Measurement:
    """`key` names it in the results ("check.peer.64"), `label` for people; `run(seconds)` gives its figures."""

    def __init__(self, key, label, run):
        self.key = key
        self.label = label
        self.run = run


class Results:
    """What was measured: for each key, the figures of every round."""

    def __init__(self):
        self.labels = {}
        self.rounds = {}
        self.machine = {}  # what was so before the run: {name: number}
        self.memory = {}   # what memory.py measured

    def add(self, measurement, figures):
        self.labels[measurement.key] = measurement.label
        self.rounds.setdefault(measurement.key, []).append(figures)

    def has(self, key):
        return key in self.rounds

    def median(self, key, figure="rate"):
        """None if it was not measured."""
        figures = self.rounds.get(key)
        return statistics.median(one[figure] for one in figures) if figures else None

    def spread(self, key):
        rates = [one["rate"] for one in self.rounds[key]]
        return (max(rates) - min(rates)) / statistics.median(rates)

    def ratio(self, key, other, figure="rate"):
        """The median of the rounds' ratios, or None: what slows the machine for a while slows both of a round."""
        mine, others = self.rounds.get(key), self.rounds.get(other)
        if not mine or not others:
            return None
        if len(mine) != len(others):
            return self.median(key, figure) / self.median(other, figure)
        return statistics.median(one[figure] / another[figure] for one, another in zip(mine, others))

    def share(self, key):
        """Of one core, that the load itself took."""
        return statistics.median(one["cpu"] / one["seconds"] for one in self.rounds[key])

    def rows(self):
        for key, figures in self.rounds.items():
            yield {"key": key, "label": self.labels[key], "rounds": len(figures), "rate": self.median(key),
                   "spread": self.spread(key),
                   **{figure: self.median(key, figure) / 1000 for figure in ("p50", "p99", "p999")
                      if figure in figures[0]},
                   **({"cpu_share": self.share(key)} if "cpu" in figures[0] else {}),
                   **({"peak_kb": self.median(key, "peak_kb")} if "peak_kb" in figures[0] else {})}


def warm(measurements, seconds):
    """Unrecorded: for caches and just-in-time compilers."""
    for measurement in measurements:
        note(f"warming up: {measurement.label} …")
        measurement.run(seconds)


def interleave(results, measurements, rounds, seconds):
    for number in range(rounds):
        for measurement in measurements:
            note(f"round {number + 1} of {rounds}: {measurement.label} …")
            figures = measurement.run(seconds)
            note(f"    {figures['rate']:,.0f} a second")
            results.add(measurement, figures)
