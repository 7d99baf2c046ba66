"""A whole deployment: configuration, secrets, catalogue and the four programs, for one test.

    with MariaDB() as server, Deployment(server) as shop:
        shop.migrate()
        shop.start_webhook()
        shop.apply_catalogue({...})
        shop.deliver("main-store", body, sign_woocommerce(body, shop.secret("main-store")))
        shop.worker_once()
        shop.entitlements("42", "7")

Programs come from $PURCHASE_SYNC_BIN. When a test fails, the logs of all programs are printed.
"""

import base64
import http.client
import json
import os
import secrets
import shutil
import signal
import subprocess
import sys

from mariadb import PASSWORD, USER
from processes import Program, check_ended
from scratch import Ports, Scratch
from signing import (MIRO_CLIENT_ID, mint_id_token, sign_shopify,  # noqa: F401 (re-exported)
                     sign_standard, sign_woocommerce)
from waiting import TimedOut, wait_for  # noqa: F401 (re-exported)

ONE_SHOT_DEADLINE = 120
START_DEADLINE = 30
REQUEST_DEADLINE = 40  # longer than the longest wait that the API grants
SOURCE = "main-store"
BAD_CONFIGURATION = 78


def program_path(name):
    folder = os.environ.get("PURCHASE_SYNC_BIN")
    if not folder:
        raise RuntimeError("PURCHASE_SYNC_BIN does not say where the programs are")
    return os.path.join(os.path.abspath(folder), name)


def new_standard_secret():
    return "whsec_" + base64.b64encode(secrets.token_bytes(32)).decode()


class Deployment:
    """
    `overrides` is {section: {key: value}}, laid over the default configuration; a value of None
    removes a key, a section of None the section. `files` is {name: text} of further secret files.
    By default there is one WooCommerce shop, SOURCE, without an API.
    """

    def __init__(self, server, overrides=None, files=None, database=None):
        self._scratch = Scratch("run")
        self._ports = Ports()
        self.server = server
        self.folder = self._scratch.path
        self.database = database or server.database()
        self.port = self._ports.take()
        self.internal_port = self._ports.take()
        self.sandbox_port = self._ports.take()
        self.config = os.path.join(self.folder, "purchase-sync.conf")
        self.miro_secret = secrets.token_urlsafe(24)
        self.programs = []
        self.surroundings = {}  # variables of the programs that are started from now on
        self.migrated = False
        self._calls = 0
        os.mkdir(self.path("state"), 0o700)
        self._write_files(files or {})
        self.settings = self._defaults()
        self.configure(overrides or {})

    # Configuration

    def path(self, name):
        return os.path.join(self.folder, name)

    def write(self, name, text, mode=0o600):
        """A file of the configuration folder."""
        path = self.path(name)
        with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, mode), "w",
                  encoding="utf-8") as file:
            file.write(text)
        os.chmod(path, mode)
        return path

    def _write_files(self, files):
        key = base64.b64encode(secrets.token_bytes(32)).decode()
        self.write("keyring", f"1:{key}\n")
        self.write("db.password", PASSWORD + "\n")
        self.write("miro.secret", self.miro_secret + "\n")
        self.write(f"{SOURCE}.secret", secrets.token_urlsafe(24) + "\n")
        for name, text in files.items():
            self.write(name, text)

    def _defaults(self):
        miro = f"http://127.0.0.1:{self.sandbox_port}"
        return {
            "server": {
                "listen": f"127.0.0.1:{self.port}",
                "internal_listen": f"127.0.0.1:{self.internal_port}",
                "public_url": f"http://127.0.0.1:{self.port}",
                "allowed_origins": "https://plugin.example.com",
                "state_dir": self.path("state"),
            },
            "database": {"socket": self.server.socket, "user": USER, "name": self.database,
                         "password_file": "db.password"},
            "keys": {"keyring_file": "keyring"},
            "miro": {
                "client_id": MIRO_CLIENT_ID,
                "client_secret_file": "miro.secret",
                "authorize_url": f"{miro}/oauth/authorize",
                "api_url": miro,
                "profile_url": f"{miro}/v1/users/me",
                "completed_url": f"{miro}/app-install-completed/",
            },
            f"source {SOURCE}": {"provider": "woocommerce",
                                 "webhook_secret_file": f"{SOURCE}.secret"},
        }

    def configure(self, overrides):
        """Lays overrides over the settings and writes the configuration file anew."""
        for section, keys in overrides.items():
            if keys is None:
                self.settings.pop(section, None)
                continue
            target = self.settings.setdefault(section, {})
            target.update(keys)
            for key in [key for key, value in target.items() if value is None]:
                del target[key]
        lines = []
        for section, keys in self.settings.items():
            lines += [f"[{section}]"] + [f"{key} = {value}" for key, value in keys.items()]
        self.write("purchase-sync.conf", "\n".join(lines) + "\n", 0o644)

    def secret(self, source):
        """The first webhook secret of a source, as its file holds it."""
        with open(self.path(self.settings[f"source {source}"]["webhook_secret_file"]),
                  encoding="utf-8") as file:
            return file.readline().strip()

    def file_text(self, name):
        with open(self.path(name), encoding="utf-8") as file:
            return file.read()

    # Programs

    def environment(self):
        """Nothing of the test's surroundings may decide how a program behaves."""
        kept = {name: os.environ[name] for name in os.environ
                if name in ("PATH", "TZ") or name.endswith("SAN_OPTIONS")}
        return {**kept, **self.surroundings}

    def _start(self, program, *arguments):
        self._calls += 1
        started = Program(f"{program}-{self._calls}",
                          [program_path(program), "--config", self.config, *arguments],
                          self.folder, self.environment())
        self.programs.append(started)
        return started

    def start_webhook(self, ready=True):
        """Returns once /readyz says 200; with ready=False once /healthz does."""
        webhook = self._start("purchase-webhook")
        path = "/readyz" if ready else "/healthz"

        def answers():
            webhook.must_live()
            try:
                return self.internal(path)[0] == 200
            except OSError:
                return False

        wait_for(answers, START_DEADLINE, f"{path} of purchase-webhook")
        return webhook

    def start_worker(self):
        worker = self._start("purchase-worker", "run")
        wait_for(worker.handles_sigterm, START_DEADLINE, "purchase-worker's start")
        return worker

    def start_sandbox(self, *arguments):
        sandbox = self._start("purchase-sandbox", "--listen", f"127.0.0.1:{self.sandbox_port}",
                              *arguments)

        def answers():
            sandbox.must_live()
            try:
                self.request("GET", "/", port=self.sandbox_port)
                return True
            except OSError:
                return False

        wait_for(answers, START_DEADLINE, "purchase-sandbox's start")
        return sandbox

    def run(self, program, *arguments, expected=0, stdin=""):
        """One shot. Checks the exit code unless `expected` is None, and for sanitizer reports."""
        done = subprocess.run([program_path(program), "--config", self.config, *arguments],
                              input=stdin, capture_output=True, text=True, cwd=self.folder,
                              env=self.environment(), timeout=ONE_SHOT_DEADLINE, check=False)
        check_ended(f"{program} {' '.join(arguments)}", done.returncode, done.stdout + done.stderr,
                    done.returncode if expected is None else expected)
        return done

    def ctl(self, *arguments, expected=0, stdin=""):
        return self.run("purchasectl", *arguments, expected=expected, stdin=stdin)

    def ctl_json(self, *arguments, stdin=""):
        return json.loads(self.ctl(*arguments, "--json", stdin=stdin).stdout)

    def migrate(self):
        self.migrated = True
        return self.ctl("migrate")

    def check_drift(self):
        """What stands is what the facts give: after every test, whatever it did."""
        if not self.migrated or not self.server.running():
            return
        first = self.ctl("rebuild", "--check", expected=None)
        if first.returncode in (0, BAD_CONFIGURATION):  # a test may have spoilt that on purpose
            return
        # It may have ended before the worker followed its last catalogue: let it, and look again.
        self.run("purchase-worker", "run", "--once", expected=None)
        self.ctl("rebuild", "--check")

    def worker_once(self):
        return self.run("purchase-worker", "run", "--once")

    def apply_catalogue(self, catalogue, *options):
        path = self.write("catalogue.json", json.dumps(catalogue))
        return self.ctl("catalog", "apply", path, *options)

    def stop_program(self, program):
        self.programs.remove(program)
        program.stop()

    def kill_program(self, program):
        self.programs.remove(program)
        program.kill()

    def reload(self, program):
        program.signal(signal.SIGHUP)

    # Requests

    def request(self, method, path, body=None, headers=None, port=None):
        """(status, headers, bytes) from the front, or from another port."""
        connection = http.client.HTTPConnection("127.0.0.1", port or self.port,
                                                timeout=REQUEST_DEADLINE)
        try:
            connection.request(method, path, body=body, headers=headers or {})
            answer = connection.getresponse()
            return answer.status, answer.headers, answer.read()
        finally:
            connection.close()

    def request_json(self, method, path, body=None, headers=None, port=None):
        """(status, headers, value); the value is None where there is no JSON body."""
        status, answered, data = self.request(method, path, body, headers, port)
        kind = answered.get("Content-Type", "")
        return status, answered, json.loads(data) if data and "json" in kind else None

    def internal(self, path):
        """(status, text) from the internal listener."""
        status, _, data = self.request("GET", path, port=self.internal_port)
        return status, data.decode()

    def metric(self, name, **labels):
        """One figure of /metrics, or None if it is not there."""
        wanted = {f'{key}="{value}"' for key, value in labels.items()}
        for line in self.internal("/metrics")[1].splitlines():
            head, _, value = line.rpartition(" ")
            label_text = head[len(name):].strip("{}")
            if head.startswith(name) and head[len(name):][:1] in ("", "{") and \
                    wanted <= set(label_text.split(",") if label_text else []):
                return float(value)
        return None

    def deliver(self, source, body, headers=None, suffix=""):
        """(status, json) of a delivery; `body` is bytes, signed by the caller."""
        head = {"Content-Type": "application/json"}
        head.update(headers or {})
        status, _, value = self.request_json("POST", f"/webhooks/{source}{suffix}", body, head)
        return status, value

    def deliver_woocommerce(self, order, source=SOURCE):
        """Signs a dict or bytes as the shop does, and expects it to be stored."""
        body = order if isinstance(order, bytes) else json.dumps(order).encode()
        status, answer = self.deliver(source, body, sign_woocommerce(body, self.secret(source)))
        assert status == 200, (status, answer)
        return answer

    def deliver_standard(self, event, source, **signing):
        body = event if isinstance(event, bytes) else json.dumps(event).encode()
        headers = sign_standard(body, self.secret(source), **signing)
        status, answer = self.deliver(source, body, headers)
        assert status == 200, (status, answer)
        return answer

    def token(self, user, team, **claims):
        return mint_id_token(user, team, self.miro_secret, **claims)

    def bearer(self, user, team, **claims):
        return {"Authorization": f"Bearer {self.token(user, team, **claims)}"}

    def entitlements(self, user, team="3458764514838398336", etag=None, wait=None):
        """The answer to the plugin; None for 304. Anything else fails the test."""
        headers = self.bearer(user, team)
        if etag:
            headers["If-None-Match"] = etag
        path = "/v1/entitlements" + ("" if wait is None else f"?wait={wait}")
        status, answered, value = self.request_json("GET", path, headers=headers)
        if status == 304:
            return None
        assert status == 200, (status, value)
        assert answered["ETag"] == f'"{value["version"]}"', answered.as_string()
        return value

    def entitlement(self, key, user, team="3458764514838398336"):
        status, _, value = self.request_json("GET", f"/v1/entitlements/{key}",
                                             headers=self.bearer(user, team))
        assert status == 200, (status, value)
        return value

    def keys(self, user, team="3458764514838398336"):
        """Just the keys that are live, sorted."""
        return [item["key"] for item in self.entitlements(user, team)["entitlements"]]

    def sql(self, text):
        return self.server.sql(text, self.database)

    # The end

    def print_logs(self):
        for program in self.programs:
            print(f"--- {program.name}\n{program.log_text()}", file=sys.stderr)

    def close(self):
        """Ends every program in order; the first complaint is raised once all have ended."""
        complaint = None
        for program in reversed(self.programs):
            try:
                program.stop()
            except AssertionError as error:
                complaint = complaint or error
        self.programs = []
        try:
            self.check_drift()
        except AssertionError as error:
            complaint = complaint or error
        keep = os.environ.get("PURCHASE_SYNC_KEEP")
        if keep:
            shutil.copytree(self.folder, os.path.join(keep, os.path.basename(self.folder)))
        self._ports.close()
        self._scratch.close()
        if complaint:
            raise complaint

    def __enter__(self):
        return self

    def __exit__(self, kind, *_):
        if kind:
            self.print_logs()
        try:
            self.close()
        except AssertionError as error:
            if not kind:
                raise
            print(f"and at the end: {error}", file=sys.stderr)
