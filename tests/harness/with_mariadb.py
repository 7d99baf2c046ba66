"""Runs a program beside a private MariaDB and ends with the program's exit code.

    python3 with_mariadb.py [--tls] PROGRAM [ARGUMENT...]

The program finds the server by PURCHASE_SYNC_TEST_SOCKET and an empty database by
PURCHASE_SYNC_TEST_DATABASE; its user is `root`, without a password.

With --tls the server also listens at PURCHASE_SYNC_TEST_PORT, for `localhost` by its certificate,
which PURCHASE_SYNC_TEST_CA signed and PURCHASE_SYNC_TEST_OTHER_CA did not; a second server, at
PURCHASE_SYNC_TEST_PLAIN_PORT, knows no TLS. Over TCP the user is PURCHASE_SYNC_TEST_USER with
PURCHASE_SYNC_TEST_PASSWORD.
"""

import contextlib
import os
import subprocess
import sys

from certificates import Authority
from mariadb import PASSWORD, USER, MariaDB, give_away
from scratch import Scratch

DATABASE = "purchase_sync_test"


def surroundings(server):
    return {"PURCHASE_SYNC_TEST_SOCKET": server.socket,
            "PURCHASE_SYNC_TEST_DATABASE": server.database(DATABASE)}


@contextlib.contextmanager
def socket_only():
    with MariaDB() as server:
        yield surroundings(server)


@contextlib.contextmanager
def tls_and_plain():
    with contextlib.ExitStack() as stack:
        scratch = stack.enter_context(contextlib.closing(Scratch("tls")))
        authority, other = Authority(scratch.path), Authority(scratch.path, "other")
        certificate, key = authority.sign("server", "DNS:localhost")
        for path in (scratch.path, certificate, key):
            give_away(path)
        server = stack.enter_context(MariaDB(tcp=True, options=[
            f"--ssl-ca={authority.certificate}", f"--ssl-cert={certificate}", f"--ssl-key={key}"]))
        plain = stack.enter_context(MariaDB(tcp=True, options=["--skip-ssl"]))
        plain.database(DATABASE)
        yield dict(surroundings(server), PURCHASE_SYNC_TEST_PORT=str(server.port),
                   PURCHASE_SYNC_TEST_PLAIN_PORT=str(plain.port),
                   PURCHASE_SYNC_TEST_CA=authority.certificate,
                   PURCHASE_SYNC_TEST_OTHER_CA=other.certificate, PURCHASE_SYNC_TEST_USER=USER,
                   PURCHASE_SYNC_TEST_PASSWORD=PASSWORD)


def main(arguments):
    tls = arguments[:1] == ["--tls"]
    command = arguments[1:] if tls else arguments
    if not command:
        print(__doc__, file=sys.stderr)
        return 2
    with (tls_and_plain() if tls else socket_only()) as environment:
        return subprocess.run(command, env={**os.environ, **environment}, check=False).returncode


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
