"""One of our programs run to its end: how long that took, and what memory it had."""

import subprocess
import time

from programs import program_path

LOOK_EVERY = 0.01  # seconds


def peak_of(pid):
    """The most memory that the process ever had resident, in kB; None once it is gone."""
    try:
        with open(f"/proc/{pid}/status", encoding="ascii") as status:
            return next((int(line.split()[1]) for line in status if line.startswith("VmHWM")), None)
    except OSError:
        return None


def watched(run, program, *arguments, deadline=3600):
    """(seconds, peak resident kB, what it printed) of a program that must end well."""
    began, peak = time.monotonic(), 0
    with open(run.path(f"{program}.out"), "w+", encoding="utf-8") as out, \
            open(run.path(f"{program}.err"), "w+", encoding="utf-8") as err:
        process = subprocess.Popen([program_path(program), "--config", run.config, *arguments],
                                   stdout=out, stderr=err, env=run.environment(), cwd=run.folder)
        while process.poll() is None:
            peak = max(peak, peak_of(process.pid) or 0)
            try:
                process.wait(LOOK_EVERY)
            except subprocess.TimeoutExpired:
                if time.monotonic() - began > deadline:
                    process.kill()
        took = time.monotonic() - began
        out.seek(0)
        err.seek(0)
        printed = out.read()
        assert process.returncode == 0, (process.returncode, printed[-2000:], err.read()[-2000:])
    return took, peak, printed
