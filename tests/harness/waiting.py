"""Waiting for a condition with a deadline: the only way a test ever waits."""

import time


class TimedOut(AssertionError):
    """The condition did not come true in time."""


def wait_for(predicate, deadline=10.0, what="the condition", every=0.02):
    """Returns predicate()'s first true value; raises TimedOut after `deadline` seconds."""
    end = time.monotonic() + deadline
    while True:
        value = predicate()
        if value:
            return value
        if time.monotonic() >= end:
            raise TimedOut(f"{what} did not come true within {deadline} s (last: {value!r})")
        time.sleep(every)
