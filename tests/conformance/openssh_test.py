#!/usr/bin/env python3
"""OpenSSH with keys of the token: ssh-keygen -D, an agent, and a login to a server, all of the test's own."""

import getpass
import os
import pathlib
import shutil

from clients import PIN, PKCS11_MODULE, ClientTest, OnPins, main, need
from lab import accepts, free_port, is_socket, wait_until

KEYS = {"01": "rsa:2048", "02": "EC:prime256v1", "03": "EC:secp384r1", "04": "EC:secp521r1"}
SERVER = """\
Port {port}
ListenAddress 127.0.0.1
HostKey {dir}/host
PidFile none
AuthorizedKeysFile {dir}/authorized
StrictModes no
UsePAM no
PasswordAuthentication no
KbdInteractiveAuthentication no
PermitRootLogin prohibit-password
"""


class OpenSsh(ClientTest):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        for key_id, key_type in KEYS.items():
            cls.tool("--keypairgen", "--key-type", key_type, "--id", key_id, "--label", f"key {key_id}", "--usage-sign")
        cls.lab.write("askpass", f"#!/bin/sh\necho {PIN}\n", 0o755)
        cls.lab.env.update(SSH_ASKPASS=str(cls.lab.dir / "askpass"), SSH_ASKPASS_REQUIRE="force", HOME=str(cls.lab.dir))
        cls.lab.env["OPENSSL_CONF"] = "/dev/null"  # nothing of ours but the module
        # ssh-pkcs11-helper finds the module's configuration by the agent's environment. Debian's ssh-agent is set-group-id, so
        # it takes no preloaded libraries; a copy is not.
        cls.agent_program = shutil.copy(need("ssh-agent"), cls.lab.dir)
        cls.agent = cls.start_agent("agent")

    @classmethod
    def start_agent(cls, name):
        """An agent that may load the module; the environment in which programs find it."""
        path = cls.lab.dir / name
        process = cls.lab.spawn([cls.agent_program, "-D", "-a", path, "-P", PKCS11_MODULE], log=f"{name}.log")
        wait_until(lambda: is_socket(path), "ssh-agent", process=process)
        return {"SSH_AUTH_SOCK": str(path)}

    @classmethod
    def start_server(cls):
        separate = pathlib.Path("/run/sshd")  # where root's sshd gives up its rights; services make it when they start
        if os.geteuid() == 0 and not separate.exists():
            separate.mkdir(mode=0o755)
            cls.lab.on_close(separate.rmdir)
        port = free_port()
        if not (cls.lab.dir / "host").exists():
            cls.lab.run([need("ssh-keygen"), "-q", "-t", "ed25519", "-N", "", "-f", "host"])
        config = cls.lab.write("sshd_config", SERVER.format(port=port, dir=cls.lab.dir))
        process = cls.lab.spawn([need("sshd"), "-D", "-e", "-f", config], log="sshd.log")
        wait_until(lambda: accepts(port), "sshd", process=process)
        return port

    def ssh(self, port, *options, check=True, env=None):
        return self.lab.run([need("ssh"), "-F", "none", "-p", port, "-o", "StrictHostKeyChecking=no", "-o", "BatchMode=no",
                             "-o", "UserKnownHostsFile=/dev/null", "-o", "PreferredAuthentications=publickey", *options,
                             f"{getpass.getuser()}@127.0.0.1", "echo", "logged", "in"], check=check, env=env)

    def public_keys(self):
        return self.lab.run([need("ssh-keygen"), "-D", PKCS11_MODULE]).stdout

    def test_shows_public_keys_without_login(self):
        kinds = sorted(line.split()[0] for line in self.public_keys().splitlines())
        self.assertEqual(kinds, ["ecdsa-sha2-nistp256", "ecdsa-sha2-nistp384", "ecdsa-sha2-nistp521", "ssh-rsa"])

    def test_agent_signs_and_keeps_its_login(self):
        self.lab.run([need("ssh-add"), "-s", PKCS11_MODULE], env=self.agent)
        listed = self.lab.run([need("ssh-add"), "-L"], env=self.agent).stdout.splitlines()
        self.assertEqual(len(listed), len(KEYS))
        for line in listed:
            self.lab.write("one.pub", line + "\n")
            for _ in range(3):
                self.lab.run([need("ssh-add"), "-T", "one.pub"], env=self.agent)
        self.lab.run([need("ssh-add"), "-e", PKCS11_MODULE], env=self.agent)
        self.assertIn("no identities", self.lab.run([need("ssh-add"), "-L"], env=self.agent, check=False).stdout)
        # Taken in again by the same helper.
        self.lab.run([need("ssh-add"), "-s", PKCS11_MODULE], env=self.agent)
        self.lab.run([need("ssh-add"), "-T", "one.pub"], env=self.agent)
        self.lab.run([need("ssh-add"), "-e", PKCS11_MODULE], env=self.agent)

    def test_logs_in(self):
        keys = self.public_keys().splitlines()
        port = self.start_server()
        for line in keys:  # each key alone opens the door
            with self.subTest(line.split()[0]):
                self.lab.write("authorized", line + "\n", 0o600)
                done = self.ssh(port, "-o", f"PKCS11Provider={PKCS11_MODULE}", "-o", "IdentitiesOnly=no")
                self.assertEqual(done.stdout, "logged in\n")
        self.lab.write("authorized", "", 0o600)
        refused = self.ssh(port, "-o", f"PKCS11Provider={PKCS11_MODULE}", check=False)
        self.assertIn("Permission denied", refused.stderr)

    def test_logs_in_through_the_agent(self):
        self.lab.run([need("ssh-add"), "-s", PKCS11_MODULE], env=self.agent)
        self.lab.write("authorized", self.public_keys(), 0o600)
        port = self.start_server()
        for _ in range(2):
            self.assertEqual(self.ssh(port, env=self.agent).stdout, "logged in\n")
        self.lab.run([need("ssh-add"), "-e", PKCS11_MODULE], env=self.agent)

    def test_certifies_with_a_key_of_the_token(self):
        """ssh-keygen -s … -D: a certificate of a user's key, signed by a key of the token."""
        self.lab.run([need("ssh-keygen"), "-q", "-t", "ed25519", "-N", "", "-f", "user"])
        self.addCleanup(lambda: [(self.lab.dir / name).unlink() for name in ("user", "user.pub", "user-cert.pub")])
        authority = next(line for line in self.public_keys().splitlines() if "nistp256" in line)
        self.lab.write("ca.pub", authority + "\n")
        self.lab.run([need("ssh-keygen"), "-s", "ca.pub", "-D", PKCS11_MODULE, "-I", "user", "-n", "someone", "user.pub"])
        shown = self.lab.run([need("ssh-keygen"), "-L", "-f", "user-cert.pub"]).stdout
        self.assertRegex(shown, r"Signing CA: ECDSA SHA256:\S+")
        self.assertIn("someone", shown)


class WithPins(OnPins, OpenSsh):
    """The same with a PIN, which comes by askpass."""


if __name__ == "__main__":
    main()
