#!/usr/bin/env python3
"""keyclave init: what it writes, with which modes, and what it refuses to touch."""

import grp
import json
import os
import pathlib
import shutil
import stat
import subprocess
import tempfile
import unittest

from lab import KEYCLAVE, KEYCLAVED, PATIENCE, main

FILES = ["client.yaml", "default-policy.yaml", "keyclave.module", "keyclaved.yaml", "openssl.cnf", "simulated-root.key",
         "simulated-root.pub"]


class Init(unittest.TestCase):
    def setUp(self):
        self.dir = pathlib.Path(tempfile.mkdtemp(prefix="keyclave-init."))
        self.addCleanup(shutil.rmtree, self.dir)
        self.etc, self.state, self.socket = self.dir / "etc", self.dir / "state", self.dir / "run" / "k.sock"

    def init(self, *more):
        socket = [] if "--socket" in more else ["--socket", self.socket]
        return subprocess.run([KEYCLAVE, "init", "--config-dir", self.etc, "--state", self.state, *socket, *more],
                              capture_output=True, text=True, timeout=60 * PATIENCE, check=False)

    def mode(self, path):
        return stat.S_IMODE(os.stat(path).st_mode)

    def test_writes_everything_and_says_what_is_next(self):
        process = self.init("--simulated")
        self.assertEqual(process.returncode, 0, process.stderr)
        self.assertEqual(sorted(p.name for p in self.etc.iterdir()), FILES)
        self.assertEqual(self.mode(self.state), 0o700)
        self.assertEqual(self.mode(self.state / "root.key"), 0o600)
        self.assertIn("SIMULATED", process.stdout)
        nexts = process.stdout.split("Next:\n")[1].splitlines()
        self.assertEqual(len(nexts), 3, nexts)
        self.assertIn("keyclaved", nexts[0])
        self.assertIn("token create", nexts[1])
        self.assertIn("key generate", nexts[2])

    def test_the_files_are_commented_and_say_simulated(self):
        self.assertEqual(self.init("--simulated").returncode, 0)
        for name in ("keyclaved.yaml", "client.yaml"):
            text = (self.etc / name).read_text()
            self.assertIn("# SIMULATED", text)
            self.assertGreater(text.count("#"), 5)

    def test_policy_check_accepts_the_default_policy(self):
        self.assertEqual(self.init("--simulated").returncode, 0)
        checked = subprocess.run([KEYCLAVE, "policy", "check", self.etc / "default-policy.yaml", "--json"],
                                 capture_output=True, text=True, check=False)
        self.assertEqual(checked.returncode, 0, checked.stderr)
        self.assertTrue(json.loads(checked.stdout)["warnings"])

    def test_overwrites_nothing(self):
        self.assertEqual(self.init("--simulated").returncode, 0)
        before = {p.name: p.read_bytes() for p in self.etc.iterdir()}
        root = (self.state / "root.key").read_bytes()
        again = self.init("--simulated")
        self.assertEqual(again.returncode, 1)
        self.assertIn(str(self.etc), again.stderr)
        self.assertEqual({p.name: p.read_bytes() for p in self.etc.iterdir()}, before)
        self.assertEqual((self.state / "root.key").read_bytes(), root)

    def test_an_old_state_stays_and_nothing_is_left_beside_it(self):
        self.assertEqual(self.init("--simulated").returncode, 0)
        root = (self.state / "root.key").read_bytes()
        for path in self.etc.iterdir():
            path.unlink()
        again = self.init("--simulated")
        self.assertEqual(again.returncode, 1, again.stdout)
        self.assertIn(str(self.state), again.stderr)
        self.assertEqual((self.state / "root.key").read_bytes(), root)
        self.assertEqual(list(self.etc.iterdir()), [])

    def test_without_simulated_says_how_to_go_on(self):
        process = self.init()
        self.assertEqual(process.returncode, 1)
        self.assertIn("--simulated", process.stderr)
        self.assertFalse(self.etc.exists())

    def test_refuses_what_cannot_work(self):
        for more, word in ((["--caller-group", "no-such-group"], "no-such-group"), (["--socket", "relative.sock"], "absolute"),
                           (["--socket", "/" + "x" * 120], "longer")):
            process = self.init("--simulated", *more)
            self.assertEqual(process.returncode, 2, process.stderr)
            self.assertIn(word, process.stderr)
            self.assertFalse(self.etc.exists())

    def test_a_bad_listen_address_is_an_error_and_leaves_nothing(self):
        process = self.init("--simulated", "--listen", "udp:1:2")
        self.assertEqual(process.returncode, 1, process.stderr)
        self.assertIn("tcp:HOST:PORT", process.stderr)
        self.assertEqual(list(self.etc.iterdir()), [])

    def test_the_caller_group_alone_reads_the_roots_key(self):
        # Only root can give files to any group; everybody else to their own.
        group = grp.getgrnam("www-data") if os.geteuid() == 0 else grp.getgrgid(os.getgid())
        self.assertEqual(self.init("--simulated", "--caller-group", group.gr_name).returncode, 0)
        key = os.stat(self.etc / "simulated-root.key")
        self.assertEqual((stat.S_IMODE(key.st_mode), key.st_uid, key.st_gid), (0o640, os.geteuid(), group.gr_gid))

    def test_json(self):
        process = self.init("--simulated", "--json")
        answer = json.loads(process.stdout)
        self.assertEqual(sorted(pathlib.Path(p).name for p in answer["written"]), FILES)
        self.assertTrue(answer["start"].startswith(str(KEYCLAVED)))


if __name__ == "__main__":
    main()
