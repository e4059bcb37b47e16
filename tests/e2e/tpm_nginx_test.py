#!/usr/bin/env python3
# ctest: TIMEOUT=600
"""TPMs end to end: nginx proves its machine by one, the enclave its own by another, which also keeps its root secret and
counts for its witness."""

import json
import shutil
import subprocess
import unittest

from lab import KEYCLAVED, CommandFailed, Nginx, free_port, main, need, wait_until
from processes import end_process
from tpm_lab import CALLER_BOOT, ENCLAVE_BOOT, TpmLab, fingerprint

CHANGED = "ff" * 32  # what another program measures into a register


class TpmTest(unittest.TestCase):
    max_age = "1h"

    def setUp(self):
        self.lab = TpmLab()
        self.addCleanup(self.lab.close)
        self.lab.make_token("web", policy=self.lab.caller_policy(["sign"], self.max_age))
        self.lab.cli("key", "generate", "--token", "web", "--type", "ec:p256", "--label", "www")

    def run(self, result=None):
        bad = len(result.failures) + len(result.errors)
        super().run(result)
        if len(result.failures) + len(result.errors) > bad:
            self.lab.print_logs()

    def sign(self):
        """By pkcs11-tool, as this machine."""
        self.lab.write("message", "signed\n")
        self.lab.pkcs11_tool("--sign", "--label", "www", "-m", "ECDSA-SHA256", "-i", "message", "-o", "signature")

    def refused_start(self):
        """The daemon's last words when it does not start."""
        process = self.lab.run([KEYCLAVED, "--config", self.lab.config], check=False, timeout=60)
        self.assertEqual(process.returncode, 1, process.stderr)
        return process.stderr

    def reboot(self, tpm, boot):
        tpm.restart()
        self.lab.measure(tpm, boot)


class Caller(TpmTest):
    max_age = "2s"

    def setUp(self):
        super().setUp()
        self.lab.cli("cert", "self-sign", "--token", "web", "www", "--subject", "CN=localhost", "--san", "localhost",
                     "--out", self.lab.dir / "www.crt")
        self.lab.cli("key", "reference", "--token", "web", "www", "--out", self.lab.dir / "www.key")

    def fetch(self):
        """curl over a full handshake."""
        return self.lab.run([need("curl"), "--silent", "--show-error", "--cacert", self.lab.dir / "www.crt",
                             f"https://localhost:{self.port}/"], check=False, env={"OPENSSL_CONF": "/dev/null"})

    def test_a_changed_register_ends_the_use_of_the_key_within_its_max_age(self):
        self.port = free_port()
        nginx = Nginx(self.lab, [(self.port, self.lab.dir / "www.crt", self.lab.dir / "www.key", "ssl_session_tickets off;",
                                  "ssl_session_cache none;")]).start()
        for _ in range(4):
            self.assertEqual(self.fetch().stdout, "served by nginx\n")
        wanted = self.lab.registers_of(self.lab.caller_tpm)[9]
        self.lab.caller_tpm.extend_pcr(9, CHANGED)
        got = self.lab.registers_of(self.lab.caller_tpm)[9]
        wait_until(lambda: self.fetch().returncode != 0, "the key to be refused", process=nginx.process)
        explained = self.lab.cli("explain", "--token", "web", "www").stdout
        self.assertIn("tpm.pcr9", explained)
        self.assertIn(wanted, explained)
        self.assertIn(got, explained)
        # The machine boots as it did, and nginx, which was not touched, serves again.
        self.reboot(self.lab.caller_tpm, CALLER_BOOT)
        wait_until(lambda: self.fetch().returncode == 0, "the key to be permitted", process=nginx.process)
        self.assertEqual(nginx.stop(), 0)

    def test_another_machine_is_refused_by_name(self):
        self.sign()
        text = self.lab.client_config.read_text()
        self.lab.client_config.write_text(text.replace(self.lab.caller_tpm.tcti, self.lab.enclave_tpm.tcti))
        with self.assertRaises(CommandFailed):  # to callers whom no policy permits anything the key is not there
            self.sign()
        self.assertIn("platform_id", self.lab.cli("explain", "--token", "web", "www", "--self").stdout)


class Enclave(TpmTest):
    def test_the_root_secret_is_there_after_a_reboot_and_not_for_another_system(self):
        self.lab.stop()
        self.assertIn("sealing tpm\n", (self.lab.state / "root.key").read_text())
        self.reboot(self.lab.enclave_tpm, ENCLAVE_BOOT)
        self.lab.start_daemon()
        self.sign()
        self.lab.stop()
        self.reboot(self.lab.enclave_tpm, ENCLAVE_BOOT | {4: CHANGED})
        self.assertRegex(self.refused_start(), r"PCR 4 \(sha256\): wanted \w{64}, got \w{64}")
        self.reboot(self.lab.enclave_tpm, ENCLAVE_BOOT)
        self.lab.start_daemon()
        self.sign()

    def test_callers_notice_that_the_enclave_runs_on_another_system(self):
        self.sign()
        self.lab.enclave_tpm.extend_pcr(7, CHANGED)
        refused = self.lab.cli("status", check=False)
        self.assertNotEqual(refused.returncode, 0)
        self.assertIn("tpm.pcr7", refused.stderr)

    def test_doctor_tells_which_tokens_have_no_owners(self):
        def finding():
            answer = json.loads(self.lab.cli("doctor", "--json", check=False).stdout)
            return [one for one in answer["findings"] if one["code"] == "KD208"]
        told, = finding()
        self.assertEqual(told["result"], "warning")
        self.assertIn("tokens without owners: web", told["what"])
        self.assertIn("--owner", told["mend"])
        self.lab.cli("owner", "keygen", "ops", "-o", self.lab.dir / "ops.pem")
        self.lab.cli("token", "create", "owned", "--owner", f"ops={self.lab.dir}/ops.pem", "--policy",
                     self.lab.write("owned.yaml", self.lab.caller_policy(["sign"], self.max_age)))
        self.assertNotIn("owned", finding()[0]["what"])
        self.lab.cli("token", "delete", "web", "--yes")
        self.assertEqual(finding(), [])

    def test_a_state_that_was_put_back_is_refused(self):
        self.lab.stop()
        kept, newest = self.lab.dir / "kept", self.lab.dir / "newest"
        shutil.copytree(self.lab.state, kept)
        self.lab.start_daemon()
        self.lab.cli("key", "delete", "--token", "web", "www", "--yes")
        self.lab.stop()
        self.lab.state.rename(newest)
        shutil.copytree(kept, self.lab.state)
        self.assertRegex(self.refused_start(), "rolled back.*the TPM's counter")
        # What an operator who means it can say.
        self.lab.run([KEYCLAVED, "--config", self.lab.config, "--accept-store"])
        self.lab.start_daemon()
        self.sign()
        self.lab.stop()
        shutil.rmtree(self.lab.state)
        newest.rename(self.lab.state)
        self.assertRegex(self.refused_start(), "rolled back.*the TPM's counter")

    def test_a_backup_comes_back_under_the_same_tpm_and_counts_as_newer(self):
        backup = self.lab.dir / "b.kcb"
        self.lab.cli("backup", "create", backup)
        self.lab.cli("key", "delete", "--token", "web", "www", "--yes")
        self.lab.stop()
        lost = self.lab.dir / "lost.db"
        (self.lab.state / "store.db").rename(lost)
        self.lab.run([KEYCLAVED, "--config", self.lab.config, "--restore", backup])
        self.lab.start_daemon()
        self.sign()
        self.lab.stop()
        # The store that was thought lost is of before, for the TPM's counter too.
        shutil.copy2(lost, self.lab.state / "store.db")
        self.assertIn("rolled back", self.refused_start())

    def test_a_holder_brings_it_back_under_another_tpm(self):
        self.lab.stop()
        self.lab.run([need("openssl"), "genpkey", "-algorithm", "X25519", "-out", "holder.pem"], env={"OPENSSL_CONF": "/dev/null"})
        self.lab.run([need("openssl"), "pkey", "-in", "holder.pem", "-pubout", "-out", "holder.pub"], env={"OPENSSL_CONF": "/dev/null"})
        holders = f"recovery: {{threshold: 1, keys: {{ann: {self.lab.dir}/holder.pub}}}}"
        shutil.rmtree(self.lab.state)
        self.lab.enclave_tpm.tool("tpm2_nvundefine", "-C", "o", "0x01800001")
        self.lab.config.write_text(self.lab.config.read_text().replace("recovery: none", holders))
        self.lab.run([KEYCLAVED, "--config", self.lab.config, "--init"])
        self.lab.start_daemon()
        enclave = self.lab.cli("status", json=True)["enclave"]
        backup = self.lab.dir / "b.kcb"
        self.lab.cli("backup", "create", backup)
        self.lab.stop()
        shutil.rmtree(self.lab.state)
        # The other machine boots the same, and is named by the holder; the first TPM has no part in it.
        self.reboot(self.lab.caller_tpm, ENCLAVE_BOOT)
        self.lab.config.write_text(self.lab.config.read_text().replace(self.lab.enclave_tpm.tcti, self.lab.caller_tpm.tcti))
        self.lab.enclave_tpm.stop()
        log = self.lab.dir / "restore.log"
        with log.open("w") as out:
            process = subprocess.Popen([str(KEYCLAVED), "--config", str(self.lab.config), "--restore", str(backup)],
                                       stdin=subprocess.DEVNULL, stdout=out, stderr=subprocess.STDOUT,
                                       env=self.lab.foreign_env(KEYCLAVED))
        self.lab.on_close(end_process, process)
        wait_until(lambda: "waiting for 1 of ann" in log.read_text(), "the enclave to wait", process=process)
        # A TPM that the holder does not know; one that he knows, and that is not the machine that he expects; that machine.
        first, other = (fingerprint(self.lab, key) for key in (self.lab.enclave_key, self.lab.caller_key))
        for old, new, why in ((None, None, "is not enrolled"), (str(self.lab.enclave_key), str(self.lab.caller_key), "platform_id"),
                              (first, other, None)):
            text = self.lab.client_config.read_text()
            self.lab.client_config.write_text(text.replace(old, new) if old else text)
            if why is not None:
                refused = self.lab.cli("backup", "restore", "--key", "ann=holder.pem", check=False)
                self.assertEqual(refused.returncode, 1)
                self.assertIn(why, refused.stderr)
        self.assertIn("All shares are there", self.lab.cli("backup", "restore", "--key", "ann=holder.pem").stdout)
        self.assertEqual(process.wait(timeout=60), 0, log.read_text())
        self.lab.start_daemon()
        self.assertEqual(self.lab.cli("status", json=True)["enclave"], enclave)

    def test_without_its_counter_it_does_not_start(self):
        self.lab.stop()
        self.lab.enclave_tpm.tool("tpm2_nvundefine", "-C", "o", "0x01800001")
        self.assertIn("witness is missing", self.refused_start())

    def test_another_tpm_does_not_open_the_root_secret(self):
        self.lab.stop()
        text = self.lab.config.read_text()
        self.lab.config.write_text(text.replace(self.lab.enclave_tpm.tcti, self.lab.caller_tpm.tcti))
        self.lab.caller_tpm.restart()
        self.lab.measure(self.lab.caller_tpm, ENCLAVE_BOOT)
        self.assertIn("another TPM", self.refused_start())

    def test_a_second_enclave_with_the_same_counter_is_not_made(self):
        before = (self.lab.state / "witness").read_bytes()
        second = self.lab.write("second.yaml", self.lab.config.read_text().replace(f"state: {self.lab.state}",
                                                                                   f"state: {self.lab.dir}/second"))
        made = self.lab.run([KEYCLAVED, "--config", second, "--init"], check=False)
        self.assertEqual(made.returncode, 1)
        self.assertIn("is a counter already", made.stderr)
        self.assertFalse((self.lab.dir / "second").exists())
        self.assertEqual((self.lab.state / "witness").read_bytes(), before)
        self.sign()


if __name__ == "__main__":
    main()
