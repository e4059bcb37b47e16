"""Debian's HAProxy as a test runs it: a master and one worker, before a backend of the test."""

import os
import signal

from backend import Backend
from processes import need
from servers import Server


class Haproxy(Server):
    page = "haproxy"
    reload_signal = signal.SIGUSR2
    exit_status = (0, 143)  # 143: SIGTERM, as it says itself

    def __init__(self, lab, name=None, env=None):
        super().__init__(lab, name, env)
        self.certificate, self.key = self.dir / "www.pem", self.dir / "www.pem.key"
        self.backend = Backend(lab)

    def changes(self, key):
        return {"    user haproxy\n    group haproxy\n": "    user haproxy\n    group haproxy\n" if os.geteuid() == 0 else "",
                "/dev/log": "stdout format raw",
                "bind :443": f"bind 127.0.0.1:{self.port}",
                "/etc/haproxy/www.pem": self.certificate,
                "127.0.0.1:8080": f"127.0.0.1:{self.backend.port}"}

    def say(self, *lines):
        """Adds lines to the section `global`."""
        section, rest = self.config.read_text().split("\n\n", 1)
        self.config.write_text("\n    ".join([section, *lines]) + f"\n\n{rest}")

    def command(self):
        return [need("haproxy"), "-W", "-f", self.config]

    def check(self):
        return self.lab.run([*self.command(), "-c"], check=False, env=self.env)
