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

# Where either answer can be defended, this is ours (docs/attestation.md says why), with the code of a refusal.
EDGES = {
    "nitro/edge-cose-tag-18": ("accept", None),
    "nitro/mut-trailing-byte": ("reject", "EvidenceMalformed"),
    "sgx/fortanix-chain-order-old-root": ("reject", "CollateralMissing"),
    "jwt/jwk-x5c-trust-06": ("accept", None),
    "jwt/jwk-x5c-trust-07": ("accept", None),
}
HARDWARE = {"sgx", "tdx", "snp", "nitro", "tpm", "azure-cvm", "cca"}
# Sections of META.json's claims that are about another kind of evidence, inside Azure's and Arm's, and Arm's numbers of claims.
SECTIONS = {"snp": "sev-snp.", "td": "tdx.", "tpm_quote": "tpm.", "platform": "cca.platform_", "realm": "cca.realm_"}
ARM = {"10": "challenge", "265": "profile", "2395": "lifecycle", "2396": "implementation_id", "2401": "config",
       "2402": "hash_algo_id", "44236": "hash_algo_id", "44238": "initial_measurement"}


def vendor_fields(claims, prefix):
    """(claim's name, value) of what META.json says in the vendor's words."""
    for name, value in claims.items():
        if name in SECTIONS and isinstance(value, dict):
            yield from vendor_fields(value, SECTIONS[name])
        elif not isinstance(value, (dict, list)):
            yield prefix + ARM.get(name, name), value


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
        for name, value in vendor_fields(self.meta.get("claims") or {}, PREFIX[self.folder.parent.name]):
            mine = claims.get(name)
            if mine is None:
                continue
            compared += 1
            last = name.rpartition(".")[2]
            if plain(last, mine) != plain(last, value):
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
                self.assertIn(vector.name, EDGES, "decide what its verdict is, and say why in docs/attestation.md")
                wanted, code = EDGES[vector.name]
                self.assertEqual((answer.get("failure") or {}).get("code"), code, said)
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
        if vector.expected["verdict_code"] == "accept" and vector.folder.parent.name in HARDWARE:
            self.assertGreater(compared, 0, f"{vector.name}: no field of META.json was compared with a claim")
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
