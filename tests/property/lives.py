"""Histories: drawn from a seed, lived by a shop, and what becomes of each webhook on its way."""

import random
from dataclasses import dataclass

from shops import SHOPS

WAVES = 3
PAUSES = (0, 0, 0, 0, 1, 1, 2, 7, 90, 4000)


@dataclass(frozen=True)
class Step:
    """One thing that happens: which order (`pick`) and how much (`size`) are fractions."""
    kind: str
    pause: int
    pick: float
    size: float
    key: str
    cut: bool  # after it the deliveries so far are worked on


def draw(seed, shops=SHOPS):
    """The steps of a seed's history, whose shop is one of `shops`."""
    rng = random.Random(seed)
    kinds = shops[seed % len(shops)].steps
    favourite = rng.random()  # one order to which most of it happens
    steps = []
    for number in range(rng.randint(4, 24)):
        kind = "place" if number == 0 else rng.choice(kinds)
        pick = favourite if rng.random() < 0.6 else rng.random()
        steps.append(Step(kind, rng.choice(PAUSES), pick, rng.random(), f"{seed}/{number}",
                          rng.random() < 0.1))
    return steps


class Life:
    """A shop on its way through a history, a wave at a time. `run` is new for each, so that none meets another."""

    def __init__(self, run, seed, steps, shops=SHOPS):
        self.run = run
        self.seed = seed
        self.steps = steps
        self.shops = shops
        self.shop = shops[seed % len(shops)](run, seed)
        self._at = 0

    def advance(self):
        """Lives the next wave, the last one to the end."""
        shop = self.shop
        while self._at < len(self.steps):
            step = self.steps[self._at]
            self._at += 1
            shop.clock += step.pause
            if hasattr(shop, "pass_time"):
                shop.pass_time(shop.clock)
            getattr(shop, f"do_{step.kind}")(step)
            if step.cut and shop.wave < WAVES - 1:
                shop.clock += int(step.size * 4)  # the workers ask within the second, or later
                break
        if shop.wave == WAVES - 1:
            shop.pause()
            shop.clock += 5
        shop.wave += 1

    def rehearse(self):
        """The same life, lived to the end: what will have been sent."""
        other = Life(self.run, self.seed, self.steps, self.shops)
        for _ in range(WAVES):
            other.advance()
        return other.shop

    def plan(self):
        """{wave: [(place in the wave, number of the webhook)]}: lost, late, twice, in any order."""
        shop = self.rehearse()
        rng = random.Random(f"fate of {self.seed}")
        needed, lost = shop.spared(shop.needed(), rng)
        waves = {wave: [] for wave in range(WAVES)}
        for webhook in shop.sent:
            if webhook.number not in needed and rng.random() < 0.4:
                continue
            if webhook.number in lost:
                continue
            for _ in range(rng.choice((1, 1, 1, 2, 3))):
                wave = min(WAVES - 1, webhook.wave + rng.choice((0, 0, 0, 1, 2)))
                waves[wave].append((rng.random(), webhook.number))
        return {wave: sorted(deliveries) for wave, deliveries in waves.items()}


def tell(life, plan):
    """The history, as a person reads it."""
    shop = life.shop
    lines = [f"seed {life.seed}, a shop of kind {type(shop).__name__}, run {life.run}:"]
    lines += shop.log
    arrived = {}
    for wave, deliveries in plan.items():
        for _, number in deliveries:
            arrived.setdefault(number, []).append(str(wave + 1))
    for webhook in shop.sent:
        fate = f"arrives in wave {', '.join(arrived[webhook.number])}" \
            if webhook.number in arrived else "is lost"
        lines.append(f"  webhook {webhook.number} {webhook.topic} sent in wave {webhook.wave + 1}"
                     f" {fate}: {webhook.tells} second {webhook.second - shop.orders[0].created}"
                     f" {webhook.news}")
    return "\n".join(lines)
