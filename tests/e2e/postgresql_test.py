#!/usr/bin/env python3
"""PostgreSQL with keys of the enclave: what every server must do, and what is PostgreSQL's own."""

from lab import LabTest, main
from postgresql import Postgresql, program
from provider_keys import operations_during
from server_cases import ServerCases


class PostgresqlTest(ServerCases, LabTest):
    user = "postgres"
    mismatch = "key values mismatch"
    test_a_resumed_session_asks_nothing = None  # there are none

    def make(self, name):
        return Postgresql(self.lab, name=name)

    def test_sessions_are_not_resumed(self):
        server = self.serve("p256")
        for version in ("1.2", "1.3"):
            context = self.context(version=version)
            _, session = self.request(server, context)
            self.assertFalse(self.request(server, context, session)[0])

    def test_each_connection_greets_the_daemon(self):
        """The process that serves it is new, and so is that process's connection."""
        server = self.serve("p256")
        context = self.context()
        done = operations_during(self.lab, lambda: [self.full(server, context) for _ in range(4)])
        self.assertEqual(done, {"Hello": 4, "Attest": 4, "Sign": 4})

    def test_psql_verifies_it(self):
        server = self.serve("p256")
        where = f"host=localhost port={server.port} user=postgres sslmode=verify-full sslrootcert={self.lab.dir}"
        asked = "select version from pg_stat_ssl where pid = pg_backend_pid()"
        answered = self.lab.run([program("psql"), "-XAt", f"{where}/p256.crt", "-c", asked], env={"OPENSSL_CONF": "/dev/null"})
        self.assertEqual(answered.stdout, "TLSv1.3\n")
        refused = self.lab.run([program("psql"), "-XAt", f"{where}/other.crt", "-c", asked], check=False)
        self.assertIn("certificate verify failed", refused.stderr)

    def test_a_reference_that_others_may_read_is_refused(self):
        server = self.configure(self.make("readable"), "p256")
        server.key.chmod(0o644)
        checked = server.check()
        self.assertNotEqual(checked.returncode, 0)
        self.assertIn("has group or world access", checked.stderr)


if __name__ == "__main__":
    main()
