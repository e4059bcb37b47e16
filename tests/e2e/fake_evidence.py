"""Evidence of fake TEEs, made by the program fake_evidence (fake_evidence_main.cc says what it writes)."""

import sys

from lab import BUILD_DIR

FAKE_EVIDENCE = BUILD_DIR / "bin" / "fake_evidence"


def make_fake(lab, kind, name=None):
    """A folder in the lab with evidence of this type, its trust and its collateral."""
    if not FAKE_EVIDENCE.exists():
        sys.exit(f"{FAKE_EVIDENCE} is not built: ./run build")
    folder = lab.dir / (name or f"fake-{kind}")
    lab.run([FAKE_EVIDENCE, kind, folder])
    return folder
