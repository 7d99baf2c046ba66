"""A real SMTP server for tests, from the packages of tests/peers: it keeps the mails that it takes."""

import email
import email.policy
import json
import os
import re
import shutil
import subprocess
import threading

from scratch import Ports
from waiting import wait_for

PEERS = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "peers")
START_DEADLINE = 60
CODE = re.compile(r"\b(\d{8})\b")


def can_run():
    return bool(shutil.which("node")) and os.path.isdir(os.path.join(PEERS, "node_modules",
                                                                     "smtp-server"))


class MailServer:
    """`options` are those of smtp.mjs. Its port stays its own while it is down."""

    def __init__(self, **options):
        self._ports = Ports()
        self.port = self._ports.take()
        self.options = options
        self.told = []
        self.process = self.listener = None
        self.start()

    def start(self, **options):
        self.options.update(options)
        self.process = subprocess.Popen(
            ["setpriv", "--pdeathsig", "KILL", "node", os.path.join(PEERS, "smtp.mjs"),
             json.dumps(dict(self.options, port=self.port))],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=PEERS)
        self.listener = threading.Thread(target=self._listen, args=(self.process,), daemon=True)
        self.listener.start()
        before = len(self.told)
        wait_for(lambda: any("listening" in line for line in self.told[before:]), START_DEADLINE,
                 "the mail server's start")

    def _listen(self, process):
        for line in process.stdout:
            self.told.append(json.loads(line))

    def stop(self):
        self.process.stdin.close()
        self.process.wait(START_DEADLINE)
        self.listener.join(START_DEADLINE)
        self.process.stdout.close()

    def manners(self, **manners):
        """How it answers from now on; returns once it does."""
        before = len(self.told)
        self.process.stdin.write(json.dumps(manners) + "\n")
        self.process.stdin.flush()
        wait_for(lambda: any("manners" in line for line in self.told[before:]), START_DEADLINE,
                 "the mail server's new manners")

    def mails(self, to=None):
        return [line for line in self.told if "data" in line and (to is None or to in line["to"])]

    def refusals(self):
        return [line for line in self.told if "refused" in line]

    def close(self):
        if self.process.poll() is None:
            self.stop()
        self._ports.close()


def read_mail(mail):
    """(message, text, html) of a mail that the server took."""
    message = email.message_from_bytes(mail["data"].encode("latin1"), policy=email.policy.default)
    return (message, message.get_body(("plain",)).get_content(),
            message.get_body(("html",)).get_content())


def code_of(mail):
    """The code, which text and HTML tell alike."""
    _, text, html = read_mail(mail)
    codes = CODE.findall(text)
    assert codes and codes == CODE.findall(re.sub(r"<[^>]*>", " ", html)), (text, html)
    return codes[0]
