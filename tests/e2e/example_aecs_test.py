#!/usr/bin/env python3
"""docs/examples/aecs, block by block, as its README has it: from a file of AECS's to a program in C that has its secrets."""

import json
import os
import re
import shutil

from lab import KEYCLAVE, SOURCE_DIR, LabTest, main, need

EXAMPLE = SOURCE_DIR / "docs" / "examples" / "aecs"
BLOCK = re.compile(r"^```sh\n(.*?)^```$", re.MULTILINE | re.DOTALL)


class AecsExample(LabTest):
    def setUp(self):
        need("cc")
        self.folder = self.lab.dir / "example"
        shutil.copytree(EXAMPLE, self.folder)
        self.env = {"PATH": f"{KEYCLAVE.parent}:{os.environ['PATH']}"}

    def sh(self, text):
        return self.lab.run(["bash", "-c", "set -e -o pipefail\n" + text], cwd=self.folder, env=self.env).stdout

    def test_it_runs_as_it_stands(self):
        blocks = BLOCK.findall((self.folder / "README.md").read_text())
        self.assertEqual(len(blocks), 8)
        said = []
        exported = ""
        for block in blocks:
            # A shell for each block, with what those before it have set.
            done = self.sh(f"{exported}{block}\n: ; echo; echo @@@; declare -p WORKLOAD KEYCLAVE_PKCS11_MODULE 2>/dev/null || :\n")
            shown, exported = done.split("\n@@@\n")
            said.append(shown)
        self.assertRegex(said[2], r"(?m)^create +policy ledger-password, version 1$")
        self.assertEqual(said[2].count("unchanged"), 6)  # three secrets and their policies
        self.assertRegex(said[3], r"(?m)^change +policy ledger-settings, version 1 -> 2$")
        settings = json.loads(said[4].strip().splitlines()[0].split("correct")[0])
        self.assertEqual(settings, {"database": "ledger.internal.example", "user": "ledger"})
        self.assertIn("correct horse battery staple", said[4])
        self.assertRegex(said[5], r"20\d\d")
        self.assertIn("BEGIN PUBLIC KEY", (self.folder / "ledger-signing.pub").read_text())
        self.assertFalse((self.folder / "ledger-signing.key").exists())


if __name__ == "__main__":
    main()
