"""Debian's stunnel as a test runs it, before a backend of the test."""

import os
import signal

from backend import Backend
from processes import need
from servers import Server


class Stunnel(Server):
    page = "stunnel"
    reload_signal = signal.SIGHUP
    replaces_workers = False  # it is one process
    reload_word = "Configuration successful"

    def __init__(self, lab, name=None, env=None):
        super().__init__(lab, name, env)
        self.backend = Backend(lab)

    def changes(self, key):
        return {"setuid = stunnel4\nsetgid = stunnel4\n": "setuid = stunnel4\nsetgid = stunnel4\n" if os.geteuid() == 0 else "",
                "pid = /run/stunnel4/www.pid": "pid =\nforeground = yes", "accept = 443": f"accept = 127.0.0.1:{self.port}",
                "127.0.0.1:8080": f"127.0.0.1:{self.backend.port}", "/etc/stunnel/www.crt": self.certificate,
                "/etc/stunnel/www.key": key}

    def command(self):
        return [need("stunnel4"), self.config]

    def check(self):
        return self.lab.run(self.command(), check=False, env=self.env, timeout=20)

    def workers(self):
        return [self.process.pid]
