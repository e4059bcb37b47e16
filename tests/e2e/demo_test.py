#!/usr/bin/env python3
"""The demo is what strangers see first: it runs through, shows what it promises, and leaves nothing behind."""

import os
import pathlib
import re
import subprocess
import sys
import tempfile
import unittest

from lab import BUILD_DIR, PATIENCE, SOURCE_DIR, alive, main


class DemoTest(unittest.TestCase):
    arguments = []

    @classmethod
    def setUpClass(cls):
        folder = tempfile.TemporaryDirectory()
        cls.addClassCleanup(folder.cleanup)
        cls.folder = pathlib.Path(folder.name)
        cls.folder.chmod(0o755)
        cls.process = subprocess.run([sys.executable, str(SOURCE_DIR / "tests" / "e2e" / "demo.py"), *cls.arguments], text=True,
                                     env={**os.environ, "KEYCLAVE_BUILD_DIR": str(BUILD_DIR), "TMPDIR": folder.name},
                                     capture_output=True, stdin=subprocess.DEVNULL, timeout=120 * PATIENCE, check=False)

    def test_runs_through(self):
        self.assertEqual(self.process.returncode, 0, self.process.stdout + self.process.stderr)

    def test_shows_the_audit_records(self):
        self.assertRegex(self.process.stdout, r"(?s)keyclave audit show.*denial")
        self.assertRegex(self.process.stdout, r"chain is whole: records 1 to \d+, [1-9]\d* signed checkpoint")

    def test_leaves_nothing_behind(self):
        self.assertEqual(list(self.folder.iterdir()), [])


class Demo(DemoTest):
    def test_serves_with_both_keys_before_and_after_the_crash(self):
        self.assertEqual(self.process.stdout.count("served by nginx"), 6)

    def test_names_the_term_that_refused(self):
        self.assertRegex(self.process.stdout, r"(?s)keyclave explain.*measurement")

    def test_leaves_no_process_behind(self):
        workers = re.search(r"nginx (\d+), workers ([\d, ]+)", self.process.stdout)
        self.assertIsNotNone(workers)
        pids = [int(pid) for pid in re.findall(r"\d+", workers.group(0))]
        self.assertEqual(len(pids), 5)
        self.assertEqual([pid for pid in pids if alive(pid)], [])


class TpmDemo(DemoTest):
    arguments = ["--tpm"]

    def test_serves_before_the_change_and_after_the_reboot(self):
        self.assertEqual(self.process.stdout.count("served by nginx"), 2)

    def test_names_the_registers_that_refused(self):
        self.assertRegex(self.process.stdout, r"(?s)keyclave explain.*tpm\.pcr9")
        self.assertRegex(self.process.stdout, r"PCR 4 \(sha256\): wanted \w{64}, got \w{64}")


del DemoTest  # it has no demo of its own


if __name__ == "__main__":
    main()
