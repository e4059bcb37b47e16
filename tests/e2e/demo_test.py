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


class Demo(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        folder = tempfile.TemporaryDirectory()
        cls.addClassCleanup(folder.cleanup)
        cls.folder = pathlib.Path(folder.name)
        cls.folder.chmod(0o755)
        cls.process = subprocess.run([sys.executable, str(SOURCE_DIR / "tests" / "e2e" / "demo.py")], text=True,
                                     env={**os.environ, "KEYCLAVE_BUILD_DIR": str(BUILD_DIR), "TMPDIR": folder.name},
                                     capture_output=True, stdin=subprocess.DEVNULL, timeout=120 * PATIENCE, check=False)

    def test_runs_through(self):
        self.assertEqual(self.process.returncode, 0, self.process.stdout + self.process.stderr)

    def test_serves_with_both_keys_before_and_after_the_crash(self):
        self.assertEqual(self.process.stdout.count("served by nginx"), 6)

    def test_names_the_term_that_refused(self):
        self.assertRegex(self.process.stdout, r"(?s)keyclave explain.*measurement")

    def test_shows_the_audit_records(self):
        self.assertRegex(self.process.stdout, r"(?s)keyclave audit show.*denial")
        self.assertRegex(self.process.stdout, r"chain is whole: \d+ records, [1-9]\d* signed checkpoint")

    def test_leaves_nothing_behind(self):
        self.assertEqual(list(self.folder.iterdir()), [])
        workers = re.search(r"nginx (\d+), workers ([\d, ]+)", self.process.stdout)
        self.assertIsNotNone(workers)
        pids = [int(pid) for pid in re.findall(r"\d+", workers.group(0))]
        self.assertEqual(len(pids), 5)
        self.assertEqual([pid for pid in pids if alive(pid)], [])


if __name__ == "__main__":
    main()
