#!/usr/bin/env python3
"""Secrets stay where they are: not in logs, records, arguments, environment or files, however much goes wrong.

lesson 30, lesson 32, lesson 33 (no request names a file, and the README's way is the safe one)
"""

import base64
import pathlib
import re
import unittest

from lab import SOURCE_DIR, Lab, main

PIN, SO_PIN, WRONG = "correct-horse-7391", "battery-staple-4862", "wrong-guess-5520"


class Secrets(unittest.TestCase):
    def setUp(self):
        self.lab = Lab()
        self.addCleanup(self.lab.close)
        self.lab.make_token("vault", pin=PIN, so_pin=SO_PIN)
        self.pin = self.lab.dir / "pin-vault"
        key = self.lab.dir / "key.pem"
        plain = {"OPENSSL_CONF": "/etc/ssl/openssl.cnf"}
        self.lab.run(["openssl", "genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256", "-out", key], env=plain)
        text = self.lab.run(["openssl", "pkey", "-in", key, "-text", "-noout"], env=plain).stdout
        private = bytes.fromhex(re.sub(r"[\s:]", "", text.split("priv:")[1].split("pub:")[0]))[-32:]
        self.lab.cli("key", "import", "--token", "vault", "--label", "mine", key, "--pin-file", self.pin)
        pem = "".join(key.read_text().splitlines()[1:-1])
        self.needles = [PIN.encode(), SO_PIN.encode(), WRONG.encode(), private, private.hex().encode(),
                        base64.b64encode(private), pem[-40:].encode()]

    def go_wrong(self):
        """Requests that are refused with a secret in hand."""
        wrong = self.lab.write("wrong-pin", WRONG + "\n", 0o600)
        self.lab.cli("key", "generate", "--token", "vault", "--label", "x", "--pin-file", wrong, check=False)
        self.lab.pkcs11_tool("--token-label", "vault", "--login", "--pin", WRONG, "--list-objects", check=False)
        self.lab.cli("key", "import", "--token", "vault", "--label", "mine", self.lab.dir / "key.pem", "--pin-file", self.pin,
                     check=False)
        broken = self.lab.write("broken.pem", (self.lab.dir / "key.pem").read_text()[:-60], 0o600)
        return self.lab.cli("key", "import", "--token", "vault", "--label", "y", broken, "--pin-file", self.pin, check=False)

    def written(self):
        """What the daemon wrote or shows: log, state (store, audit), arguments, environment."""
        process = pathlib.Path("/proc") / str(self.lab.daemon.pid)
        yield "log", self.lab.daemon_log.read_bytes()
        for name in ("cmdline", "environ"):
            yield name, (process / name).read_bytes()
        for path in self.lab.state.rglob("*"):
            if path.is_file():
                yield str(path), path.read_bytes()
        for path in self.lab.config_dir.rglob("*"):
            if path.is_file():
                yield str(path), path.read_bytes()

    def test_nothing_is_written_anywhere(self):
        refused = self.go_wrong()
        self.assertNotEqual(refused.returncode, 0)
        places = dict(self.written())
        self.assertTrue(any("audit" in place for place in places), "the audit log was looked at")
        self.assertTrue(any(place.endswith("store.db") for place in places), "the store was looked at")
        for place, content in list(places.items()) + [("error text", (refused.stdout + refused.stderr).encode())]:
            for needle in self.needles:
                self.assertNotIn(needle, content, place)
        audit = self.lab.cli("audit", "show").stdout
        for needle in self.needles:
            self.assertNotIn(needle, audit.encode(errors="replace"))

    def test_no_option_takes_a_secret(self):
        for command in (["token", "create"], ["key", "import"], ["key", "generate"], ["init"], ["run"], ["audit"]):
            text = self.lab.cli(*command, "--help").stdout
            for line in text.splitlines():
                if re.search(r"--(so-)?pin\b|--passw|--secret\b|--key-pass\b", line):
                    self.assertIn("-file", line, line)


class Documents(unittest.TestCase):
    def test_no_request_names_a_file(self):
        """lesson 32: what a caller can ask for is objects, never paths."""
        rows = re.findall(r"^\| \d+ \| (\w+) \| (.*?) \| (.*?) \|$", (SOURCE_DIR / "docs/wire.md").read_text(), re.M)
        self.assertGreater(len(rows), 100)
        for field, _, meaning in rows:
            self.assertNotRegex(field, r"path|file|dir|folder|url", field)
            self.assertNotRegex(meaning, r"\bpath\b|\bfile name\b", field)

    def test_the_readme_starts_nothing_unsafe(self):
        """lesson 33: what makes the daemon lax is in no command that the README has to offer."""
        readme = (SOURCE_DIR / "README.md").read_text()
        for block in re.findall(r"```[a-z]*\n(.*?)```|^    (.*)$", readme, re.S | re.M):
            for switch in ("--accept-store", "allow_unlocked_memory", "--insecure", "ALLOW_DEBUG", "ALLOW_OUTDATED"):
                self.assertNotIn(switch, "".join(block))


if __name__ == "__main__":
    main()
