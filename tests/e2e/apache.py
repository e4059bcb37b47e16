"""Debian's Apache httpd as a test runs it: the site of its page, in a server that has only what the site needs."""

import os
import signal

from processes import need
from servers import Server

MODULES = "/usr/lib/apache2/modules"
# What /etc/apache2/apache2.conf says in Debian, for a folder of its own.
AROUND = """\
ServerRoot {dir}
PidFile {dir}/apache.pid
DefaultRuntimeDir {dir}
ErrorLog {log}
LogLevel warn
ServerName localhost
{user}
{modules}
StartServers 2
Listen 127.0.0.1:{port}
<Directory {root}>
    Require all granted
</Directory>
{more}
"""


class Apache(Server):
    page = "apache"
    reload_signal = signal.SIGUSR1  # graceful

    def __init__(self, lab, name=None, env=None, more=""):
        """`more`: what stands before the site."""
        super().__init__(lab, name, env)
        self.more = more
        self.root = self.dir / "www"
        self.root.mkdir()
        (self.root / "index.html").write_text("served by apache\n")
        self.error_log = lab.dir / f"{self.name}-error.log"

    def configuration(self, key):
        modules = "\n".join(f"LoadModule {name}_module {MODULES}/mod_{name}.so" for name in (
            "mpm_event", "authz_core", "dir", "ssl"))
        user = "User www-data\nGroup www-data" if os.geteuid() == 0 else ""
        return AROUND.format(dir=self.dir, log=self.error_log, user=user, modules=modules, port=self.port, root=self.root,
                             more=self.more) + super().configuration(key)

    def changes(self, key):
        return {"*:443": f"127.0.0.1:{self.port}", "www.example.org": "localhost", "/var/www/html": self.root,
                "/etc/apache2/www.crt": self.certificate, "/etc/apache2/www.key": key}

    def command(self):
        return [need("apache2"), "-f", self.config, "-D", "FOREGROUND"]

    def check(self):
        """Not `-t`: that reads no keys. A start tells, in the log."""
        started = self.lab.run(self.command(), check=False, env=self.env)
        started.stderr += self.log_text()
        return started

    def log_text(self):
        return self.error_log.read_text(errors="replace") if self.error_log.exists() else ""
