#!/usr/bin/env python3
"""`keyclave evidence verify` on real evidence (KEYCLAVE_EVIDENCE_DIR): each vector's verdict, TCB status and claims.

A vector is a folder with a META.json that says what must come out, and at which time.
"""
# ctest: TIMEOUT=900

import json
import os
import pathlib
import subprocess
import unittest

from lab import KEYCLAVE, main

EVIDENCE = os.environ.get("KEYCLAVE_EVIDENCE_DIR", "")

# The claim prefix of each folder's vendor fields.
PREFIX = {"sgx": "sgx.", "tdx": "tdx.", "snp": "sev-snp.", "nitro": "nitro.", "tpm": "tpm.", "azure-cvm": "tpm.", "jwt": "token.",
          "cca": "cca."}


def plain(name, value):
    """A value in one spelling: flags may be numbers, and the issuer of a PCK may be its whole name."""
    text = str(value).lower()
    if name == "safe":
        return str(bool(value)).lower()
    if name == "pck_ca":
        return text.removeprefix("intel sgx pck ").removesuffix(" ca")
    return text


class Vector:
    def __init__(self, folder):
        self.folder = folder
        self.name = f"{folder.parent.name}/{folder.name}"
        self.meta = json.loads((folder / "META.json").read_text())
        self.expected = self.meta["expected"]

    def runs(self):
        """(arguments, wanted TCB status or None) of each collateral set, or one without."""
        at = self.expected.get("verify_at")
        statuses = self.expected.get("tcb_status") or {}
        sets = {one["dir"]: one for one in self.meta.get("collateral") or []} if isinstance(self.meta.get("collateral"), list) else {}
        if not statuses:
            yield (["--at", at] if at and at != "-" else []), None
        for name, status in statuses.items():
            time = sets.get(name, {}).get("verify_at") or at
            yield ["--at", time, "--collateral", str(self.folder / name)], status

    def claims_that_differ(self, claims):
        """Vendor fields of META.json that verify names otherwise; and how many were compared."""
        differ, compared = [], 0
        for name, value in (self.meta.get("claims") or {}).items():
            mine = claims.get(PREFIX[self.folder.parent.name] + name)
            if mine is None or isinstance(value, (dict, list)):
                continue
            compared += 1
            if plain(name, mine) != plain(name, value):
                differ.append(f"{name}: wanted {value}, got {mine}")
        return differ, compared


def verify(arguments, folder):
    process = subprocess.run([str(KEYCLAVE), "evidence", "verify", str(folder), "--json", *arguments], capture_output=True, text=True,
                             timeout=120, check=False)
    return process, json.loads(process.stdout or "{}")


@unittest.skipUnless(EVIDENCE and pathlib.Path(EVIDENCE).is_dir(), "KEYCLAVE_EVIDENCE_DIR names no folder: no outside evidence here")
class Vectors(unittest.TestCase):
    def check(self, vector):
        compared = 0
        for arguments, status in vector.runs():
            bundle = [] if "fake-root" in vector.name else ["--trust-bundle"]
            process, answer = verify([*arguments, *bundle], vector.folder)
            said = f"{vector.name} {arguments}: {json.dumps(answer.get('failure'))} {process.stderr}"
            wanted = vector.expected["verdict_code"]
            if wanted == "edge":
                self.assertIn(answer.get("verdict"), ("accept", "policy", "reject"), said)
                continue
            self.assertEqual(answer.get("verdict"), wanted, said)
            self.assertEqual(process.returncode, 0 if wanted == "accept" else 1, said)
            if wanted == "reject":
                self.assertIn(answer["failure"]["step"], ("parse", "verify"), said)
                continue
            if status:
                self.assertEqual(answer["tcb_status"], status, said)
            differ, more = vector.claims_that_differ(answer["claims"])
            self.assertEqual(differ, [], said)
            compared += more
        return compared

    def test_each_gets_what_it_must(self):
        vectors = [Vector(path.parent) for path in sorted(pathlib.Path(EVIDENCE).glob("*/*/META.json"))]
        self.assertTrue(vectors, EVIDENCE)
        good, compared = 0, 0
        for vector in vectors:
            with self.subTest(vector=vector.name):
                compared += self.check(vector)
                good += 1
        print(f"evidence: {good} of {len(vectors)} vectors, {compared} vendor fields compared")


if __name__ == "__main__":
    main()
