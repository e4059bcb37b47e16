#!/usr/bin/env python3
# ctest: LABEL=with-pkcs11-provider TIMEOUT=600
"""Servers whose key the pkcs11 provider finds through the PKCS#11 module: the cases of our own on another road."""

from clients import PKCS11_MODULE, main
from pkcs11_provider_test import CONFIGURATION, provider
from apache import Apache
from haproxy import Haproxy
from lab import LabTest, Nginx
from server_cases import ServerCases


class Provider(ServerCases):
    """The keys are named by the same references."""

    reason = "EVP lib"  # and no more
    greeting = (*ServerCases.greeting, "ListTokens", "ListMechanisms", "FindObjects", "Random")  # each fork looks the key up
    test_starting_asks_nothing = None            # it looks the key up
    test_reload_while_the_daemon_is_away = None  # so it needs the daemon

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        # Its copy of a key is a session object, which the daemon does not have any more once it was started again.
        more = "pkcs11-module-cache-keys = false"
        conf = cls.lab.write("pkcs11-provider.cnf", CONFIGURATION.format(provider=provider(), module=PKCS11_MODULE, more=more))
        cls.env = {"OPENSSL_CONF": str(conf)}


class NginxByProvider(Provider, LabTest):
    user, mismatch = "www-data", "key values mismatch"

    def make(self, name):
        return Nginx(self.lab, name=name, env=self.env)


class HaproxyByProvider(Provider, LabTest):
    user, mismatch = "haproxy", "inconsistencies between private key and certificate"

    def make(self, name):
        return Haproxy(self.lab, name=name, env=self.env)


class ApacheByProvider(Provider, LabTest):
    user, mismatch, survives_wrong_pair = "www-data", "do not match", False

    def make(self, name):
        return Apache(self.lab, name=name, env=self.env)


if __name__ == "__main__":
    main()
