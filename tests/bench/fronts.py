"""Everything that listens: our fronts, the peer's, and the yardsticks that answer a constant."""

import os
import shutil

from peer import Peer, is_installed
from processes import Program
from programs import START_DEADLINE, program_path, wait_for

ANSWER_BYTES = 256
NGINX = """daemon off; master_process off; worker_processes 1; pid {folder}/nginx.pid;
error_log {folder}/nginx.log;
events {{ worker_connections 2048; }}
http {{
    access_log off; keepalive_requests 100000000; default_type application/json;
    client_body_temp_path {folder}; proxy_temp_path {folder}; fastcgi_temp_path {folder};
    uwsgi_temp_path {folder}; scgi_temp_path {folder};
    server {{ listen 127.0.0.1:{port}; location / {{ return 200 "{answer}"; }} }}
}}
"""


def start(run, name, command, path, port):
    """A program of the deployment's, once `path` answers 200 at `port`; it ends with the deployment."""
    program = Program(name, command, run.folder, run.environment())
    run.programs.append(program)

    def answers():
        program.must_live()
        try:
            return run.request("GET", path, port=port)[0] == 200
        except OSError:
            return False

    wait_for(answers, START_DEADLINE, f"{name}'s start")
    return program


class Front:
    """Another front of the same deployment, with settings of its own: keys of [server]."""

    def __init__(self, run, ports, name, **settings):
        self.port, internal = ports.take(), ports.take()
        state = run.path(f"state-{name}")
        os.mkdir(state, 0o700)
        settings.update(listen=f"127.0.0.1:{self.port}", internal_listen=f"127.0.0.1:{internal}", state_dir=state)
        saved = {key: run.settings["server"].get(key) for key in settings}
        run.configure({"server": settings})
        config = shutil.copy(run.config, run.path(f"{name}.conf"))
        run.configure({"server": saved})
        start(run, name, [program_path("purchase-webhook"), "--config", config], "/readyz", internal)


class Yardsticks:
    """What does nothing but HTTP on this machine: ports of a constant answer of ANSWER_BYTES. nginx is None where it is
    not installed."""

    def __init__(self, run, ports):
        self.evhttp = self._start(run, ports.take(), "bench_evhttp")
        self.ours = self._start(run, ports.take(), "bench_server")
        self.nginx = None
        nginx = shutil.which("nginx") or shutil.which("/usr/sbin/nginx")
        if nginx:
            self.nginx = ports.take()
            config = run.write("nginx.conf", NGINX.format(folder=run.folder, port=self.nginx,
                                                          answer="x" * ANSWER_BYTES))
            start(run, "nginx", [nginx, "-c", config], "/", self.nginx)

    @staticmethod
    def _start(run, port, program):
        start(run, program, [program_path(program), str(port), str(ANSWER_BYTES)], "/", port)
        return port


def start_peer(run, ports):
    if not is_installed():
        raise RuntimeError("the peer needs node and its packages: scripts/install-npm")
    peer = Peer(run, ports.take())
    peer.start_front()
    return peer
