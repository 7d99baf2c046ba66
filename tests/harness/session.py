"""A connection to the test's database that stays open, for transactions that take their time.

    with Session(server, database) as session:
        session.run("BEGIN", "INSERT ...")
        ... others commit ...
        session.run("COMMIT")
"""

import subprocess

from mariadb import find

DONE = "-- done --"


class Session:
    def __init__(self, server, database):
        self._client = subprocess.Popen(
            [find("mariadb"), "--no-defaults", f"--socket={server.socket}", "--user=root",
             "--batch", "--skip-column-names", "--unbuffered", "--force", database],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)

    def run(self, *statements):
        """Runs them; returns the rows that they print, once the last has ended."""
        self._client.stdin.write(";\n".join(statements) + f";\nSELECT '{DONE}';\n")
        self._client.stdin.flush()
        lines = []
        while True:
            line = self._client.stdout.readline()
            if not line:
                raise RuntimeError(f"the session ended: {self._client.stderr.read()}")
            if line.rstrip("\n") == DONE:
                return [row.split("\t") for row in lines]
            lines.append(line.rstrip("\n"))

    def close(self):
        self._client.stdin.close()
        self._client.wait(20)
        self._client.stdout.close()
        self._client.stderr.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()
