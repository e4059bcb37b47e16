#!/usr/bin/env python3
"""The daemon and its state: what was edited, mixed up or put back is refused by name, and nothing of the right state is lost."""

import contextlib
import shutil
import sqlite3
import unittest
from lab import KEYCLAVED, Lab, main

STORE = ("store.db", "store.db-wal", "store.db-shm")


class DaemonStore(unittest.TestCase):
    def setUp(self):
        self.lab = Lab()
        self.addCleanup(self.lab.close)
        self.lab.make_token("web")
        self.generate("first")
        self.lab.stop()

    def generate(self, label):
        self.lab.cli("key", "generate", "--token", "web", "--type", "ec:p256", "--label", label)

    def labels(self):
        return {o["label"] for o in self.lab.cli("key", "list", "--token", "web", json=True)["objects"]}

    def refused(self, state=None):
        """The daemon's last words when it does not start."""
        process = self.lab.run([KEYCLAVED, "--config", self.lab.config], check=False, timeout=60)
        self.assertEqual(process.returncode, 1, process.stderr)
        return process.stderr

    def copy(self, source, target):
        """The store's files of one folder into another, and no others of the store."""
        target.mkdir(exist_ok=True)
        for name in STORE:
            (target / name).unlink(missing_ok=True)
            if (source / name).exists():
                shutil.copy2(source / name, target / name)

    def starts_with(self, *labels):
        self.lab.start_daemon()
        self.assertEqual(self.labels(), set(labels))

    def test_the_store_of_yesterday(self):
        state, today, yesterday = self.lab.state, self.lab.dir / "today", self.lab.dir / "yesterday"
        self.copy(state, yesterday)
        self.lab.start_daemon()
        self.generate("second")
        self.lab.stop()
        self.copy(state, today)
        self.copy(yesterday, state)
        self.assertRegex(self.refused(), r"older than the witness.*epoch \d+.*epoch \d+")
        self.copy(today, state)
        self.starts_with("first", "second")

    def test_the_store_of_another_enclave(self):
        with Lab() as other:
            other.make_token("web")
            other.stop()
            mine = self.lab.dir / "mine"
            self.copy(self.lab.state, mine)
            self.copy(other.state, self.lab.state)
            self.assertIn("another enclave", self.refused())
            self.copy(mine, self.lab.state)
        self.starts_with("first")

    def change_rows(self, statement, *arguments):
        with contextlib.closing(sqlite3.connect(self.lab.state / "store.db")) as database:
            database.execute(statement, arguments)
            database.commit()

    def rows(self):
        with contextlib.closing(sqlite3.connect(self.lab.state / "store.db")) as database:
            return database.execute("SELECT id, sealed FROM record").fetchall()

    def test_edited_swapped_and_removed_rows(self):
        kept = self.lab.dir / "kept"
        self.copy(self.lab.state, kept)
        (first, first_sealed), (second, second_sealed) = self.rows()[:2]
        edited = first_sealed[:-1] + bytes([first_sealed[-1] ^ 1])
        update = "UPDATE record SET sealed = ? WHERE id = ?"
        for change in ([(update, edited, first)],
                       [(update, second_sealed, first), (update, first_sealed, second)],
                       [("DELETE FROM record WHERE id = ?", first)]):
            for statement, *arguments in change:
                self.change_rows(statement, *arguments)
            self.assertIn("damaged or edited", self.refused())
            self.copy(kept, self.lab.state)
        self.starts_with("first")

    def test_a_missing_witness(self):
        witness = self.lab.state / "witness"
        kept = witness.read_bytes()
        witness.unlink()
        self.assertIn("witness is missing", self.refused())
        witness.write_bytes(kept)
        witness.chmod(0o600)
        self.starts_with("first")

    def test_a_truncated_root_secret(self):
        root = self.lab.state / "root.key"
        kept = root.read_bytes()
        root.write_bytes(kept[:-1])
        self.assertIn("root.key", self.refused())
        root.write_bytes(kept)
        self.starts_with("first")

    def test_no_state(self):
        self.lab.state.rename(self.lab.dir / "moved")
        self.assertIn("keyclave init", self.refused())
        (self.lab.dir / "moved").rename(self.lab.state)
        self.starts_with("first")

    def test_two_daemons(self):
        self.lab.start_daemon()
        self.assertIn("in use by another daemon", self.refused())
        self.assertEqual(self.labels(), {"first"})

    def test_nothing_of_an_object_is_readable(self):
        self.lab.start_daemon()
        self.lab.cli("key", "generate", "--token", "web", "--type", "ec:p256", "--label", "find-me-if-you-can")
        shown = self.lab.cli("key", "show", "--token", "web", "find-me-if-you-can", json=True)
        self.lab.stop()
        needles = [b"find-me-if-you-can", b"development", b"prime256v1", bytes.fromhex("06082a8648ce3d030107")]
        needles += [bytes.fromhex(shown["id"]), shown["id"].encode()]
        for name in STORE:
            path = self.lab.state / name
            if path.exists():
                content = path.read_bytes()
                for needle in needles:
                    self.assertNotIn(needle, content, name)

    def test_configuration_mistakes_are_named(self):
        good = self.lab.config.read_text()
        for mistake, expected in (
            ("colour: red\n", "colour"),
            ("workers: many\n", "workers"),
            ("state: /twice\n", "state"),
            ("evidence_max_age: 900d\n", "evidence_max_age"),
        ):
            self.lab.config.write_text(good + mistake)
            words = self.refused()
            self.assertRegex(words, r"keyclaved\.yaml:\d+", mistake)
            self.assertIn(expected, words)
        self.lab.config.write_text(good)
        self.starts_with("first")


if __name__ == "__main__":
    main()
