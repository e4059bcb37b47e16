"""PostgreSQL as a test runs it: a cluster of its own, as user postgres."""

import os
import pathlib
import shutil
import signal
import struct

from processes import PACKAGES, need
from servers import Server

USER = "postgres"
SSL_REQUEST = struct.pack("!ii", 8, 80877103)
STARTUP = struct.pack("!i", 196608) + b"user\0postgres\0database\0postgres\0\0"  # of version 3.0 of the protocol
READY_FOR_QUERY, TERMINATE = b"Z\0\0\0\5I", b"X\0\0\0\4"


def program(name):
    """A server program of the newest PostgreSQL that Debian's package has put here."""
    found = sorted(pathlib.Path("/usr/lib/postgresql").glob(f"*/bin/{name}"), key=lambda path: int(path.parts[4]))
    assert found, f"{name} is not installed: apt-get install {PACKAGES['postgres']}"
    return found[-1]


def as_user():
    """What makes root's command one of the user's: PostgreSQL does not run as root."""
    return [need("setpriv"), f"--reuid={USER}", f"--regid={USER}", "--init-groups"] if os.geteuid() == 0 else []


class Postgresql(Server):
    page = "postgresql"
    reload_signal = signal.SIGHUP
    replaces_workers = False  # each connection has a process of its own
    reload_word = "reloading configuration files"

    def __init__(self, lab, name=None, env=None):
        super().__init__(lab, name, env)
        self.data = self.dir / "data"
        self._own(self.dir)
        lab.run([*as_user(), "cp", "-a", self._cluster(lab), self.data])
        self.config = self.dir / "page.conf"

    @classmethod
    def _cluster(cls, lab):
        """A cluster that never ran, made once for a lab."""
        made = lab.dir / "cluster"
        if not made.exists():
            made.mkdir()
            cls._own(made)
            lab.run([*as_user(), program("initdb"), "-D", made, "-U", USER, "-A", "trust", "--no-sync", "--no-instructions"])
        return made

    @staticmethod
    def _own(path, mode=0o700):
        if os.geteuid() == 0:
            shutil.chown(path, USER, USER)
        path.chmod(mode)

    def configure(self, certificate, key):
        super().configure(certificate, key)
        self._own(self.certificate)
        self._own(self.key, 0o600)
        self._own(self.config)
        return self

    def changes(self, key):
        folder = "/etc/postgresql/15/main"
        return {"listen_addresses = '*'": "listen_addresses = '127.0.0.1'", "port = 5432": f"port = {self.port}",
                f"{folder}/www.crt": self.certificate, f"{folder}/www.key": key}

    def command(self):
        return [*as_user(), program("postgres"), "-D", self.data, "-c", f"config_file={self.config}", "-c",
                f"unix_socket_directories={self.dir}", "-c", "fsync=off", "-c", f"data_directory={self.data}", "-c",
                f"hba_file={self.data}/pg_hba.conf", "-c", f"ident_file={self.data}/pg_ident.conf"]

    def check(self):
        return self.lab.run(self.command(), check=False, env=self.env, timeout=20)

    def stop(self):
        """Fast: without SIGINT it waits for its clients."""
        self.process.send_signal(signal.SIGINT)
        return self.process.wait(timeout=60)

    def ready(self):
        return "ready to accept connections" in self.log_text() and self.listens_to_signals()

    def workers(self):
        return [self.process.pid, *super().workers()]

    def connect(self):
        plain = super().connect()
        plain.sendall(SSL_REQUEST)
        if plain.recv(1) != b"S":
            plain.close()
            raise ConnectionError(f"{self.name} has no TLS")
        return plain

    def talk(self, tls):
        """Until the server is ready for queries."""
        tls.sendall(struct.pack("!i", len(STARTUP) + 4) + STARTUP)
        answer = b""
        while not answer.endswith(READY_FOR_QUERY):
            block = tls.recv(4096)
            if not block:
                raise ConnectionError(f"{self.name} answered {answer!r}")
            answer += block
        tls.sendall(TERMINATE)
