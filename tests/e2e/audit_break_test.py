#!/usr/bin/env python3
"""An audit log that lost something is noticed: by the daemon at its start, and offline by what was seen earlier. A full disk
stops changes and releases, not signatures, and says so."""

import json
import os
import pathlib
import unittest

from lab import KEYCLAVED, PKCS11_MODULE, Lab, main, need


def sign(lab):
    message = lab.write("message", "hello")
    return lab.run([need("pkcs11-tool"), "--module", PKCS11_MODULE, "--token-label", "t", "--sign", "--id", "01", "-m",
                    "ECDSA-SHA256", "-i", message, "-o", lab.dir / "signature"])


class AuditBreak(unittest.TestCase):
    def setUp(self):
        self.lab = Lab()
        self.addCleanup(self.lab.close)
        self.key = self.lab.dir / "audit.pem"
        self.lab.cli("audit", "key", "--out", self.key)
        self.lab.make_token("t")

    def file(self):
        return self.lab.state / "audit" / "00000001.jsonl"

    def verify(self, *more):
        return self.lab.cli("audit", "verify", self.lab.state / "audit", "--key", self.key, *more, check=False)

    def refused(self):
        process = self.lab.run([KEYCLAVED, "--config", self.lab.config], check=False, timeout=60)
        self.assertEqual(process.returncode, 1, process.stderr)
        return process.stderr

    def test_an_end_that_was_cut_off_shows_by_what_was_seen_earlier(self):
        head = self.lab.cli("audit", "head").stdout.strip()
        self.assertRegex(head, r"^\d+:[0-9a-f]{64}$")
        self.assertEqual(self.lab.cli("audit", "head", json=True)["head"], head, "nothing new: the same checkpoint")
        self.assertEqual(self.verify("--expect", head).returncode, 0)
        self.lab.stop()
        lines = self.file().read_text().splitlines(keepends=True)
        cut = int(head.split(":")[0]) - 1
        copy = self.lab.write("copy.jsonl", "".join(lines[:cut]))
        self.assertEqual(self.lab.cli("audit", "verify", copy, "--key", self.key).returncode, 0, "by itself it is whole")
        process = self.lab.cli("audit", "verify", copy, "--key", self.key, "--expect", head, check=False)
        self.assertEqual(process.returncode, 1)
        self.assertIn("its end was cut off", process.stderr)

    def test_the_daemon_notices_and_goes_on_only_when_told(self):
        self.lab.stop()
        lines = self.file().read_text().splitlines(keepends=True)
        self.file().write_text("".join(lines[:-2]))
        self.assertRegex(self.refused(), r"not a whole chain.*which this enclave wrote.*--accept-audit")
        self.lab.run([KEYCLAVED, "--config", self.lab.config, "--accept-audit"])
        self.lab.start_daemon()
        records = [json.loads(line) for line in self.lab.cli("audit", "show", "--json").stdout.splitlines()]
        broken = next(r for r in records if r["event"] == "break")
        self.assertEqual(broken["last_found"], str(len(lines) - 2))
        self.assertGreater(broken["seq"], len(lines), "no number is given twice")
        self.assertEqual(self.verify().returncode, 1, "a break stays visible")
        second = self.lab.state / "audit" / "00000002.jsonl"
        self.lab.cli("audit", "verify", second, "--key", self.key, "--from-checkpoint")
        self.lab.stop()
        self.lab.start_daemon()

    def test_export(self):
        everything = self.lab.cli("audit", "export").stdout.splitlines()
        out = self.lab.dir / "out.jsonl"
        self.lab.cli("audit", "export", "--from", "2", "--to", "3", "--out", out)
        self.assertEqual(out.read_text().splitlines(), everything[1:3])

    def test_records_say_who_and_by_what_permit(self):
        self.lab.cli("key", "generate", "--token", "t", "--type", "ec:p256", "--label", "k", "--id", "01")
        sign(self.lab)
        self.lab.stop()
        self.lab.start_daemon()
        records = [json.loads(line) for line in self.lab.cli("audit", "show", "--json").stdout.splitlines()]
        grant = next(r for r in records if r["event"] == "grant")
        self.assertEqual(grant["claims"]["tee"], "simulated")
        self.assertEqual(grant["permit"], "1")
        self.assertRegex(grant["policy_digest"], "^[0-9a-f]{64}$")
        usage = next(r for r in records if r["event"] == "usage")
        self.assertEqual((usage["operation"], usage["count"], usage["object"]), ("sign", "1", grant["object"]))
        self.assertEqual(usage["claims"], grant["claims"])


class FullDisk(unittest.TestCase):
    """The log lies on a small disk of its own, so that the store has room when the log has none."""

    def setUp(self):
        self.lab = Lab(start=False)
        self.addCleanup(self.lab.close)
        self.disk = self.lab.state / "audit"
        self.disk.mkdir()
        mounted = os.geteuid() == 0 and self.lab.run(["mount", "-t", "tmpfs", "-o", "size=256k", "none", self.disk],
                                                     check=False).returncode == 0
        if not mounted:
            self.skipTest("may not mount a file system here")
        self.lab.on_close(self.lab.run, ["umount", "--lazy", self.disk])
        self.lab.start_daemon()
        self.lab.make_token("t")
        self.generate("k", "01")

    def generate(self, label, number, check=True):
        return self.lab.cli("key", "generate", "--token", "t", "--type", "ec:p256", "--label", label, "--id", number, check=check)

    def labels(self):
        return {o["label"] for o in self.lab.cli("key", "list", "--token", "t", json=True)["objects"]}

    def fill(self):
        with open(self.disk / "filler", "wb", buffering=0) as out:
            for size in (4096, 512):
                try:
                    while out.write(b"x" * size) == size:
                        pass
                except OSError:
                    pass

    def test_a_full_disk_stops_changes_not_signatures(self):
        self.fill()
        # The room that was set aside for records before still takes a few.
        for number in range(2, 40):
            refused = self.generate(f"more-{number}", f"{number:02x}", check=False)
            if refused.returncode != 0:
                break
        self.assertEqual(refused.returncode, 1)
        self.assertIn("the audit log cannot be written", refused.stderr)
        self.assertNotIn(f"more-{number}", self.labels(), "what cannot be recorded is not done")
        sign(self.lab)
        status = self.lab.cli("status", json=True)
        self.assertTrue(any("changes and releases are refused" in warning for warning in status["warnings"]), status)
        self.assertIn("changes and releases are refused", self.lab.cli("doctor", check=False).stdout)
        self.assertIn("No space left", self.lab.log_text())
        pathlib.Path(self.disk / "filler").unlink()
        self.generate("at-last", "fe")
        status = self.lab.cli("status", json=True)
        self.assertFalse(any("changes and releases are refused" in warning for warning in status["warnings"]), status)


if __name__ == "__main__":
    main()
