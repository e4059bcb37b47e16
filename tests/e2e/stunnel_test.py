#!/usr/bin/env python3
"""Debian's stunnel with keys of the enclave."""

from lab import LabTest, main
from server_cases import ServerCases
from stunnel import Stunnel


class StunnelTest(ServerCases, LabTest):
    user = "stunnel4"
    mismatch = "key values mismatch"
    # With any key: it closes its sockets and opens them again, and who waits to be accepted in between is turned away.
    test_reload_under_load_loses_nothing = None

    def make(self, name):
        return Stunnel(self.lab, name=name)

    def test_reload_leaves_connections_alone(self):
        server = self.serve("p256")
        context = self.context()
        with server.connect() as plain, context.wrap_socket(plain, server_hostname="localhost") as tls:
            self.reload_to(server, "other")
            server.talk(tls)


if __name__ == "__main__":
    main()
