#!/usr/bin/env python3
# ctest: TIMEOUT=600
"""Servers whose key libp11's engine finds through the PKCS#11 module: the provider's cases on another road."""

from clients import PKCS11_MODULE, main
from apache import Apache
from lab import LabTest, Nginx, wait_until
from provider_keys import ENGINE_CONFIGURATION, TOKEN
from server_cases import ServerCases


class Engine(ServerCases):
    user = "www-data"
    reason = "Device error"
    mismatch = "key values mismatch"
    greeting = (*ServerCases.greeting, "ListTokens", "FindObjects", "ListMechanisms")  # each fork looks the key up
    test_starting_asks_nothing = None                # it looks the key up
    test_reload_while_the_daemon_is_away = None      # so it needs the daemon

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        # Servers load keys from an engine that is ready, and make none so.
        conf = cls.lab.write("engine.cnf", ENGINE_CONFIGURATION.format(module=PKCS11_MODULE, more="init = 1"))
        cls.env = {"OPENSSL_CONF": str(conf)}

    def key_of(self, pair):
        return f"pkcs11:token={TOKEN};object={pair};type=private"


class NginxByEngine(Engine, LabTest):
    def make(self, name):
        # One worker: libp11 0.4.12 waits for ever in a fork whose first session is refused, as it is without a daemon.
        return Nginx(self.lab, name=name, env=self.env, workers=1)

    def key_of(self, pair):
        return f'"engine:pkcs11:{super().key_of(pair)}"'

    def test_a_reload_without_the_daemon_changes_nothing(self):
        server = self.serve("p256")
        self.configure(server, "other")
        self.lab.stop()
        try:
            server.ask_to_reload()
            wait_until(lambda: "ENGINE_load_private_key" in server.log_text(), "the log to say why")
        finally:
            self.lab.start_daemon()
        self.full(server, self.context("p256"))


class ApacheByEngine(Engine, LabTest):
    survives_wrong_pair = False
    test_the_daemon_is_killed_and_comes_back = None  # a child that has not signed before waits for ever, as above

    def make(self, name):
        return Apache(self.lab, name=name, env=self.env)


if __name__ == "__main__":
    main()
