"""Debian's nginx as a test runs it."""

import os
import pathlib
import signal

from processes import accepts, child_pids, end_process, need, wait_until


class Nginx:
    """Debian's nginx with a configuration of its own: 4 workers, ports of 127.0.0.1, every file in the lab's folder."""

    def __init__(self, lab, servers, binary=None, workers=4, name="nginx", user="www-data"):
        """`servers`: list of (port, certificate file, key file or list of such pairs, extra server lines)."""
        self.lab, self.name, self.count = lab, name, workers
        self.binary = str(binary or need("nginx"))
        self.dir = lab.dir / name
        self.root = self.dir / "www"
        self.root.mkdir(parents=True)
        (self.root / "index.html").write_text(f"served by {name}\n")
        for folder in ("body", "proxy", "fastcgi", "uwsgi", "scgi"):
            (self.dir / folder).mkdir(mode=0o777)
            (self.dir / folder).chmod(0o777)
        self.pid_file = self.dir / "nginx.pid"
        self.error_log = self.lab.dir / f"{name}-error.log"
        self.config = self.dir / "nginx.conf"
        self.ports = [server[0] for server in servers]
        self.config.write_text(self._config_text(servers, workers, user))
        self.process = None

    def _config_text(self, servers, workers, user):
        lines = [f"worker_processes {workers};", "daemon off;", f"pid {self.pid_file};",
                 f"error_log {self.error_log} info;", "env KEYCLAVE_CONFIG;", "env OPENSSL_CONF;",
                 "env LD_PRELOAD;", "env ASAN_OPTIONS;", "env UBSAN_OPTIONS;", "env TSAN_OPTIONS;",
                 "events { worker_connections 1024; }", "http {", "  access_log off;"]
        if os.geteuid() == 0:
            lines.insert(0, f"user {user};")
        for kind, folder in (("client_body", "body"), ("proxy", "proxy"), ("fastcgi", "fastcgi"), ("uwsgi", "uwsgi"),
                             ("scgi", "scgi")):
            lines.append(f"  {kind}_temp_path {self.dir / folder};")
        for port, certificate, key, *extra in servers:
            pairs = key if isinstance(key, list) else [(certificate, key)]
            lines += ["  server {", f"    listen 127.0.0.1:{port} ssl;", "    server_name localhost;"]
            for one_certificate, one_key in pairs:
                lines += [f"    ssl_certificate {one_certificate};", f"    ssl_certificate_key {one_key};"]
            lines += ["    ssl_protocols TLSv1.2 TLSv1.3;", f"    root {self.root};"]
            lines += [f"    {line}" for line in extra] + ["  }"]
        return "\n".join(lines + ["}", ""])

    def check(self):
        """`nginx -t`; the finished process."""
        return self.lab.run([self.binary, "-t", "-p", self.dir, "-c", self.config], check=False)

    def start(self):
        """Starts it and returns once all workers run and every port accepts connections."""
        self.process = self.lab.spawn([self.binary, "-p", self.dir, "-c", self.config], f"{self.name}.log")
        for port in self.ports:
            wait_until(lambda port=port: accepts(port), f"{self.name} on port {port}", process=self.process)
        wait_until(lambda: len(self.workers()) == self.count, f"workers of {self.name}", process=self.process)
        return self

    def workers(self):
        """Process ids of the workers that are not shutting down."""
        return [pid for pid in child_pids(self.process.pid) if self._title(pid) == b"nginx: worker process"]

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
        self.process.send_signal(signal.SIGHUP)
        wait_until(lambda: len(now := set(self.workers())) == self.count and not now & before and all(map(accepts, self.ports)),
                   f"new workers of {self.name}", process=self.process)

    def stop(self):
        """Ends it; returns the exit status."""
        return end_process(self.process)
