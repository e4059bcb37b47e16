#!/usr/bin/env python3
# ctest: LABEL=with-crypto-mb TIMEOUT=300
"""The real crypto_mb of Debian under load: its groups, and what it may not sign."""

from lab import SOURCE_DIR, main
from sign_groups_test import SignGroups as Groups

UNPACKED = SOURCE_DIR / "build" / "deps" / "crypto-mb"


class CryptoMb(Groups):
    def serve(self, fault_after=0):
        found = sorted(UNPACKED.glob("usr/lib/*/libcrypto_mb.so.*"))
        self.assertTrue(found, "crypto_mb is missing: ./run deps crypto-mb")
        self.lab.stop()
        self.lab.env["LD_LIBRARY_PATH"] = str(found[0].parent)
        self.lab.start_daemon()
        if "needs a processor with AVX-512 IFMA" in self.lab.log_text():
            self.skipTest("this processor has no AVX-512 IFMA")

    def test_groups_are_made_and_right(self):
        self.serve()
        status = self.load("groups")
        by = status["signing"]["by"]
        self.assertRegex(by, r"crypto_mb \d+\.\d+\.\d+: .*rsa-2048 from \d, ")
        # A build that computes Ed25519 wrongly is found out, and then OpenSSL signs; the signatures above verified.
        self.assertRegex(by, r"ed25519 (from \d|computed wrongly, not used)")
        self.assertGreater(sum(status["signing"]["groups"].values()), 0, status["signing"])
        self.assertFalse([text for text in status["warnings"] if "did not verify" in text])

    test_wrong_signatures_do_not_leave = test_one_thread_with_jobs = test_without = None  # the fake's


del Groups

if __name__ == "__main__":
    main()
