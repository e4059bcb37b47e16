#!/usr/bin/env python3
"""Debian's Apache httpd with keys of the enclave: what every server must do, and what is Apache's own."""

from apache import Apache
from lab import LabTest, main
from server_cases import ServerCases


class ApacheTest(ServerCases, LabTest):
    user = "www-data"
    mismatch = "do not match"
    survives_wrong_pair = False

    def make(self, name):
        return Apache(self.lab, name=name)

    def test_configtest_reads_no_keys(self):
        """So it does not keep anybody from a reload that ends the server."""
        server = self.make("configtest").configure(self.lab.dir / "other.crt", self.key_of("p256"))
        self.assertIn("Syntax OK", self.lab.run([*server.command(), "-t"]).stderr)

    def test_without_log_level_the_reason_is_not_logged(self):
        server = self.configure(self.make("quiet"), "p256")
        server.config.write_text(server.config.read_text().replace("LogLevel ssl:info", "LogLevel warn"))
        self.addCleanup(self.end, server.start())
        self.lab.stop()
        try:
            with self.assertRaises(OSError):
                self.full(server, self.context())
        finally:
            self.lab.start_daemon()
        self.full(server, self.context())
        self.assertNotIn(self.reason, server.log_text())


if __name__ == "__main__":
    main()
