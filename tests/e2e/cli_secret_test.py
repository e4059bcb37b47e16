#!/usr/bin/env python3
"""keyclave secret: data and keys for programs, never by arguments, by the environment only where that was asked for."""

import json
import os
import stat

from lab import LabTest, PERMISSIVE_POLICY, main

VALUE = b"\x00correct horse\xff\nbattery staple\n"
# What a program sees: its arguments, environment, standard input, and what is at its last argument.
SHOW = """\
import json, os, sys
last = sys.argv[-1]
seen = {"argv": sys.argv[1:], "env": dict(os.environ), "stdin": sys.stdin.buffer.read().hex(),
        "file": open(last, "rb").read().hex() if os.path.exists(last) else None}
json.dump(seen, open("seen.json", "w"))
"""
USE_ONLY = """\
policy: inside
version: 1
permit:
  - operations: [sign]
    when: {tee: {is: simulated}}
    allow_unattested: true
"""


class Secret(LabTest):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.lab.make_token("vault")
        cls.lab.cli("policy", "apply", "--token", "vault", cls.lab.write("inside.yaml", USE_ONLY))
        (cls.lab.dir / "value").write_bytes(VALUE)
        cls.show = cls.lab.write("show.py", SHOW)
        cls.lab.cli("secret", "put", "phrase", "--token", "vault", "--in", cls.lab.dir / "value")

    def refused(self, *arguments, code=1, **more):
        process = self.lab.cli("secret", *arguments, "--token", "vault", check=False, **more)
        self.assertEqual(process.returncode, code, process.stdout + process.stderr)
        return process.stderr

    def seen(self, *more, name="phrase", program=("x",)):
        self.lab.cli("secret", "get", name, "--token", "vault", "--exec", *more, "--", "python3", self.show, *program)
        return json.loads((self.lab.dir / "seen.json").read_text())

    def test_a_file_is_new_whole_and_private(self):
        path = self.lab.dir / "out"
        shown = self.lab.cli("secret", "get", "phrase", "--token", "vault", "--out", path, json=True)
        self.assertEqual((path.read_bytes(), stat.S_IMODE(path.stat().st_mode), shown["bytes"]), (VALUE, 0o600, len(VALUE)))
        self.assertIn("is there already", self.refused("get", "phrase", "--out", path, code=2))
        self.assertEqual(path.read_bytes(), VALUE)
        self.refused("get", "phrase", "--out", self.lab.dir / "no such folder" / "out")
        self.refused("get", "absent", "--out", self.lab.dir / "absent")
        self.assertFalse((self.lab.dir / "absent").exists())

    def test_a_program_finds_it_where_the_braces_stand(self):
        seen = self.seen(program=("--password-file={}", "{}"))
        self.assertEqual(seen["file"], VALUE.hex())
        self.assertRegex(seen["argv"][0], r"^--password-file=/proc/self/fd/\d+$")
        self.assertEqual(seen["stdin"], "", "standard input is the program's own")
        self.assertNotIn("correct horse", json.dumps([seen["argv"], seen["env"]]))

    def test_or_on_standard_input(self):
        seen = self.seen()
        self.assertEqual(seen["stdin"], VALUE.hex())
        self.assertNotIn("correct horse", json.dumps([seen["argv"], seen["env"]]))

    def test_or_in_the_environment_where_that_was_asked_for(self):
        self.lab.cli("secret", "put", "word", "--token", "vault", "--in", "-", input="open sesame")
        seen = self.seen("--env", "PHRASE", name="word")
        self.assertEqual(seen["env"]["PHRASE"], "open sesame")
        self.assertEqual(seen["stdin"], "")
        self.assertIn("zero byte", self.refused("get", "phrase", "--exec", "--env", "PHRASE", "--", "true", code=2))

    def test_the_program_says_how_it_ended(self):
        process = self.lab.cli("secret", "get", "phrase", "--token", "vault", "--exec", "--", "sh", "-c", "exit 7", check=False)
        self.assertEqual(process.returncode, 7)
        self.assertIn("no-such-program", self.refused("get", "phrase", "--exec", "--", "no-such-program"))

    def test_up_to_a_mebibyte(self):
        path = self.lab.dir / "large"
        path.write_bytes(os.urandom(1 << 20))
        self.lab.cli("secret", "put", "large", "--token", "vault", "--in", path)
        self.lab.cli("secret", "get", "large", "--token", "vault", "--out", self.lab.dir / "large.out")
        self.assertEqual((self.lab.dir / "large.out").read_bytes(), path.read_bytes())
        path.write_bytes(bytes((1 << 20) + 1))
        self.refused("put", "larger", "--in", path)
        path.write_bytes(b"")
        self.refused("put", "nothing", "--in", path, code=2)

    def test_nothing_is_replaced(self):
        self.assertIn("nothing is replaced", self.refused("put", "phrase", "--in", self.lab.dir / "value"))

    def test_keys_that_may_leave(self):
        self.lab.cli("key", "generate", "--token", "vault", "--type", "ec:p256", "--label", "leaves", "--extractable")
        der, pem = self.lab.dir / "leaves.der", self.lab.dir / "leaves.pem"
        self.lab.cli("secret", "get", "leaves", "--token", "vault", "--out", der)
        self.lab.cli("secret", "get", "leaves", "--token", "vault", "--pem", "--out", pem)
        plain = {"OPENSSL_CONF": "/dev/null"}
        public = self.lab.cli("secret", "get", "leaves", "--token", "vault", "--public").stdout
        self.assertEqual(self.lab.openssl("pkey", "-in", pem, "-pubout", env=plain).stdout, public)
        self.assertEqual(self.lab.openssl("pkey", "-inform", "DER", "-in", der, "-pubout", env=plain).stdout, public)

    def test_what_the_policy_keeps_stays(self):
        self.lab.cli("key", "generate", "--token", "vault", "--type", "ec:p256", "--label", "stays")
        self.refused("get", "stays", "--out", self.lab.dir / "stays")
        self.lab.cli("secret", "put", "hidden", "--token", "vault", "--in", self.lab.dir / "value", "--policy", "inside")
        self.assertIn("read", self.refused("get", "hidden", "--out", self.lab.dir / "hidden"))
        for name in ("stays", "hidden"):
            self.assertFalse((self.lab.dir / name).exists())

    def test_usage(self):
        for arguments in (("get", "phrase"), ("get", "phrase", "--out", "a", "--exec"), ("get", "phrase", "--exec"),
                          ("get", "phrase", "--out", "a", "--env", "X"), ("get", "phrase", "--public", "--pem"),
                          ("get", "phrase", "--out", "a", "--pem"), ("put", "x")):
            self.refused(*arguments, code=2)
        self.assertIn("every process of the same user can read",
                      " ".join(self.lab.cli("secret", "get", "--help").stdout.split()))


assert "read" in PERMISSIVE_POLICY

if __name__ == "__main__":
    main()
