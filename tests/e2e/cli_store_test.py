#!/usr/bin/env python3
"""keyclave store, keyclaved --check-store, and where the witness lies."""

import contextlib
import json
import sqlite3
import unittest

from lab import KEYCLAVE, KEYCLAVED, Lab, main


class Store(unittest.TestCase):
    def setUp(self):
        self.lab = Lab()
        self.addCleanup(self.lab.close)
        self.lab.make_token("web")
        self.generate("first")

    def generate(self, label, check=True):
        return self.lab.run([KEYCLAVE, "key", "generate", "--token", "web", "--type", "ec:p256", "--label", label], check=check)

    def daemon(self, *arguments, code=0):
        process = self.lab.run([KEYCLAVED, "--config", self.lab.config, *arguments], check=False, timeout=60)
        self.assertEqual(process.returncode, code, process.stdout + process.stderr)
        return process

    def warnings(self):
        return self.lab.cli("status", json=True)["warnings"]

    def set_witness(self, value):
        with self.lab.config.open("a") as out:
            out.write(f"witness: {value}\n")

    def test_a_whole_store(self):
        checked = self.lab.cli("store", "check", json=True)
        self.assertTrue(checked["whole"])
        self.assertTrue(checked["structure_checked"])
        self.assertGreater(checked["rows"], 2)
        self.assertEqual(checked["findings"], [])
        self.assertIn("The store is whole", self.lab.cli("store", "check", "--structure").stdout)
        compacted = self.lab.cli("store", "compact", json=True)
        self.assertEqual(compacted["after"]["log"], 0)
        self.assertIn("before", self.lab.cli("store", "compact").stdout)
        self.generate("second")
        self.lab.stop()
        before = {path.name: path.read_bytes() for path in self.lab.state.iterdir() if path.is_file()}
        self.assertIn("The store is whole", self.daemon("--check-store").stdout)
        self.assertEqual({path.name: path.read_bytes() for path in self.lab.state.iterdir() if path.is_file()}, before)

    def test_damage_under_a_running_daemon(self):
        self.lab.cli("store", "compact")  # what lies in the log would hide it
        store = self.lab.state / "store.db"
        kept = store.read_bytes()
        spoiled = bytearray(kept)
        for place in range(4096, len(spoiled), 16):  # all but the first page, which says what the file is
            spoiled[place + 8] ^= 0xff
        with store.open("r+b") as file:
            file.write(spoiled)
        process = self.lab.run([KEYCLAVE, "store", "check", "--json"], check=False)
        self.assertEqual(process.returncode, 1, process.stderr)
        if process.stdout:
            self.assertTrue(json.loads(process.stdout)["findings"])
        with store.open("r+b") as file:
            file.write(kept)
        self.assertTrue(self.lab.cli("store", "check", json=True)["whole"])

    def test_an_edited_row_is_named(self):
        self.lab.cli("store", "compact")
        store = self.lab.state / "store.db"
        content = store.read_bytes()
        object_id = self.lab.cli("key", "show", "--token", "web", "first", json=True)["object"]
        copy = self.lab.dir / "copy.db"
        copy.write_bytes(content)
        with contextlib.closing(sqlite3.connect(copy)) as database:
            rows = [sealed for (sealed,) in database.execute("SELECT sealed FROM record")]
        found = None
        # A byte of each row in turn: which one is the key's, only the enclave can tell.
        for sealed in rows:
            place = content.find(sealed[150:200])
            self.assertGreater(place, 0)
            edited = bytearray(content)
            edited[place] ^= 0x40
            with store.open("r+b") as file:
                file.write(edited)
            process = self.lab.run([KEYCLAVE, "store", "check", "--json"], check=False)
            self.assertEqual(process.returncode, 1, process.stderr)
            for finding in json.loads(process.stdout)["findings"]:
                if object_id in finding["subject"]:
                    found = finding
            if found:
                break
        with store.open("r+b") as file:
            file.write(content)
        self.assertIsNotNone(found)
        self.assertIn("edited", found["what"])
        self.assertIn("backup", found["mend"])

    def test_damage_of_a_store_that_lies(self):
        self.lab.stop()
        with contextlib.closing(sqlite3.connect(self.lab.state / "store.db")) as database:
            row, sealed = database.execute("SELECT id, sealed FROM record").fetchone()
            database.execute("UPDATE record SET sealed = ? WHERE id = ?", (sealed[:-1] + bytes([sealed[-1] ^ 1]), row))
            database.commit()
        process = self.daemon("--check-store", code=1)
        self.assertIn(f"row {row.hex()}: the row was edited", process.stdout)
        self.assertIn("1 finding.", process.stdout)
        self.assertIn("->", process.stdout)

    def test_a_store_in_use_is_not_checked_beside_its_daemon(self):
        self.assertIn("in use by another daemon", self.daemon("--check-store", code=1).stderr)

    def test_the_limit_of_a_witness_beside_the_store_is_said(self):
        self.assertTrue(any("beside the store" in warning for warning in self.warnings()))
        self.assertIn("beside the store", self.lab.daemon_log.read_text())

    def test_no_witness_is_said(self):
        self.lab.stop()
        self.set_witness("none")
        self.lab.start_daemon()
        self.assertTrue(any("no witness" in warning for warning in self.warnings()))
        doctor = self.lab.run([KEYCLAVE, "doctor", "--json"], check=False)
        self.assertIn("no witness", doctor.stdout)

    def test_a_witness_on_a_disk_that_goes_and_comes_back(self):
        self.lab.stop()
        disk = self.lab.dir / "usb"
        disk.mkdir()
        (self.lab.state / "witness").rename(disk / "witness")
        self.set_witness(f"{{file: {disk}/witness}}")
        self.lab.start_daemon()
        self.assertFalse(any("beside the store" in warning for warning in self.warnings()))
        disk.rename(self.lab.dir / "away")
        self.generate("second")  # in the store before the witness was asked
        refused = self.generate("third", check=False)
        self.assertEqual(refused.returncode, 1)
        self.assertIn("is its disk mounted?", refused.stderr)
        check = self.lab.run([KEYCLAVE, "store", "check", "--json"], check=False)
        self.assertEqual(check.returncode, 1)
        self.assertIn("witness", json.loads(check.stdout)["findings"][0]["what"])
        (self.lab.dir / "away").rename(disk)
        self.generate("third")
        self.assertTrue(self.lab.cli("store", "check", json=True)["whole"])


if __name__ == "__main__":
    main()
