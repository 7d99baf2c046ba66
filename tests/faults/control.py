"""The test's side of a library that is loaded into a program: words in a file that both have mapped (fault.h).

    with Control("disk", run.folder) as disk:
        run.surroundings = disk.environment     # of what is started from now on
        disk.mode = HANGS
        wait_for(lambda: disk.hanging, 10, "a flush")
        disk.mode = WELL
"""

import mmap
import os
import struct

WORDS = ("mode", "value", "calls", "struck", "hanging")
WELL, FAILS, HANGS = range(3)


class Control:
    _numbers = 0

    def __init__(self, library, folder):
        Control._numbers += 1
        self.path = os.path.join(folder, f"control-{library}-{Control._numbers}")
        with open(self.path, "wb") as file:
            file.write(bytes(8 * len(WORDS)))
        os.chmod(self.path, 0o666)  # the database runs as somebody else
        with open(self.path, "r+b") as file:
            self._words = mmap.mmap(file.fileno(), 8 * len(WORDS))
        shim = os.path.join(os.environ["PURCHASE_SYNC_FAULTS"], f"libfault_{library}.so")
        if not os.path.exists(shim):
            raise FileNotFoundError(shim)
        # A sanitizer wants to be the first; it still is before the program's own code.
        sanitizer = ":".join(filter(None, (os.environ.get("ASAN_OPTIONS"), "verify_asan_link_order=0")))
        self.environment = {"LD_PRELOAD": shim, "FAULT_CONTROL": self.path, "ASAN_OPTIONS": sanitizer}

    def __getattr__(self, name):
        if name not in WORDS:
            raise AttributeError(name)
        return struct.unpack_from("q", self._words, 8 * WORDS.index(name))[0]

    def __setattr__(self, name, value):
        if name in WORDS:
            struct.pack_into("q", self._words, 8 * WORDS.index(name), value)
        else:
            object.__setattr__(self, name, value)

    def close(self):
        """Lets go of whatever hangs."""
        self.mode = WELL
        self.value = 0
        self._words.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()
