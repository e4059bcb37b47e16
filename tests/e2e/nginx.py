"""Debian's nginx as a test runs it."""

import contextlib
import os
import pathlib
import re
import signal

from processes import SANITIZE, Adopted, accepts, need, state, wait_until
from servers import Server, page_configuration, replaced

# What workers need in their environment in a build with sanitizers.
SANITIZER_ENV = "".join(f"env {name};\n" for name in ("LD_PRELOAD", "ASAN_OPTIONS", "UBSAN_OPTIONS", "TSAN_OPTIONS"))


class Nginx(Server):
    """Debian's nginx: 4 workers, ports of 127.0.0.1, every file in the lab's folder."""

    page = "nginx"
    reload_signal = signal.SIGHUP

    def __init__(self, lab, servers=None, binary=None, workers=4, name="nginx", user="www-data", env=None, extra=(),
                 daemon=False):
        """`servers`: list of (port, certificate file, key file or list of such pairs, extra server lines); without it there is
        one server, whose pair `configure` gives, with the `extra` lines. As a `daemon` it can be upgraded."""
        super().__init__(lab, name, env)
        self.count, self.user, self.extra, self.daemon = workers, user, extra, daemon
        self.binary = str(binary or need("nginx"))
        self.root = self.dir / "www"
        self.root.mkdir()
        (self.root / "index.html").write_text(f"served by {name}\n")
        for folder in ("body", "proxy", "fastcgi", "uwsgi", "scgi"):
            (self.dir / folder).mkdir()
            (self.dir / folder).chmod(0o777)
        self.pid_file = self.dir / "nginx.pid"
        self.error_log = self.lab.dir / f"{name}-error.log"
        if servers:
            self.ports = [server[0] for server in servers]
            self.config.write_text(self._config_text(servers))

    def configuration(self, key):
        return self._config_text([(self.port, self.certificate, key, *self.extra)])

    def changes(self, key):
        temporary = "".join(f"  {kind}_temp_path {self.dir / folder};\n" for kind, folder in (
            ("client_body", "body"), ("proxy", "proxy"), ("fastcgi", "fastcgi"), ("uwsgi", "uwsgi"), ("scgi", "scgi")))
        return {"user www-data;": f"user {self.user};" if os.geteuid() == 0 else "",
                "worker_processes auto;": f"worker_processes {self.count};\ndaemon {'on' if self.daemon else 'off'};\n"
                                          f"pid {self.pid_file};\nerror_log {self.error_log} info;\n"
                                          + (SANITIZER_ENV if SANITIZE else ""),
                "http {\n": f"http {{\n  access_log off;\n{temporary}"}

    def _config_text(self, servers):
        """The page's configuration, its server once for each of `servers`."""
        text = page_configuration(self.page)
        pattern = re.search(r"^  server \{\n.*?^  \}\n", text, re.M | re.S).group(0)
        made = ""
        for port, certificate, key, *extra in servers:
            pairs = key if isinstance(key, list) else [(certificate, key)]
            lines = [f"ssl_certificate {one};\n    ssl_certificate_key {other};" for one, other in pairs] + list(extra)
            made += replaced(re.sub(r"ssl_certificate(_key)? +[^\n]*\n *", "", pattern), {
                "listen 443 ssl;": f"listen 127.0.0.1:{port} ssl;",
                "server_name www.example.org;": "server_name localhost;\n    " + "\n    ".join(lines),
                "/var/www/html": self.root})
        return replaced(text, {pattern: made, **self.changes(None)})

    def command(self):
        return [self.binary, "-p", self.dir, "-c", self.config]

    def check(self):
        return self.lab.run([*self.command(), "-t"], check=False, env=self.env)

    def start(self):
        if not self.daemon:
            return super().start()
        self.lab.run(self.command(), env=self.env)
        return self._adopt()

    def _adopt(self):
        """Takes the master that the file names for ours; returns once it serves."""
        self.process = Adopted(wait_until(self._pid_in_file, f"the process id of {self.name}"))
        self.lab.on_close(self.process.terminate)
        wait_until(self.ready, f"workers of {self.name}", process=self.process)
        return self

    def ready(self):
        return super().ready() and len(self.workers()) == self.count

    def workers(self):
        """Process ids of the workers that are not shutting down."""
        return [pid for pid in super().workers() if self._title(pid) == b"nginx: worker process"]

    @staticmethod
    def _title(pid):
        """What nginx calls the process; empty if it has just ended."""
        try:
            return pathlib.Path(f"/proc/{pid}/cmdline").read_bytes().rstrip(b"\0 ")
        except (FileNotFoundError, ProcessLookupError):
            return b""

    def reload(self):
        """SIGHUP; returns once other workers than before serve."""
        before = set(self.workers())
        self.ask_to_reload()
        wait_until(lambda: len(now := set(self.workers())) == self.count and not now & before and all(map(accepts, self.ports)),
                   f"new workers of {self.name}", process=self.process)

    def upgrade(self):
        """Another master, of the same sockets, takes this one's place."""
        old = self.process
        old.send_signal(signal.SIGUSR2)
        wait_until(lambda: self._pid_in_file() not in (None, old.pid), f"another master of {self.name}", process=old)
        self._adopt()
        old.send_signal(signal.SIGQUIT)
        old.wait()

    def _pid_in_file(self):
        with contextlib.suppress(FileNotFoundError, ValueError):
            return int(self.pid_file.read_text())
        return None

    @contextlib.contextmanager
    def stopped(self, pids):
        """While the block runs, these processes do not."""
        for pid in pids:
            os.kill(pid, signal.SIGSTOP)
        try:
            wait_until(lambda: all(state(pid) == "T" for pid in pids), "processes to stop")
            yield
        finally:
            for pid in pids:
                os.kill(pid, signal.SIGCONT)

    def log_text(self):
        return self.error_log.read_text(errors="replace")
