#!/usr/bin/env python3
"""keyclaved in a virtual machine whose boot is measured; its callers are outside, on a machine with another TPM.

Nothing is simulated but the machines themselves (QEMU, swtpm): the enclave proves what its machine booted, its root secret is
sealed to that boot, the TPM counts for its witness, and callers prove their machine to it.
"""

# ctest: TIMEOUT=400

import shutil
import unittest

from lab import PKCS11_MODULE, CommandFailed, Lab, main, need
from tpm import SoftTpm
from tpm_lab import fingerprint, terms
from vm import VirtualMachine, register_9
from vm_image import build_image

# What decides what runs: the firmware, the kernel, Secure Boot's state, and command line with initial ramdisk.
MEASURED = (0, 4, 7, 9)
OTHER = "systemd.debug-shell=1"

DAEMON_CONFIG = """\
state: /disk/state
listen:
  - unix:/run/keyclaved.sock
tee: tpm
recovery: none
tpm:
  pcrs: {bank: sha256, registers: [0, 4, 7, 9]}
trust:
  keys: {tpm: [/etc/keyclave/machine-ak.pem, /etc/keyclave/caller-ak.pem]}
operators: [0]
"""

CLIENT_CONFIG = """\
endpoint: unix:{endpoint}
expect:
  tee: {{is: tpm}}
  platform_id: {{is: {machine}}}
{expected}
evidence: tpm
tpm:
  tcti: "{tcti}"
trust:
  keys: {{tpm: [{key}]}}
deadline: 30s
"""

POLICY = """\
policy: web
version: 1
permit:
  - operations: [sign, read]
    when:
      tee: {{is: tpm}}
      platform_id: {{is: {caller}}}
{expected}
"""


class VirtualMachineTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.lab = Lab(start=False)
        cls.addClassCleanup(cls.lab.close)
        cls.vm_tpm, cls.vm_key = cls.enrolled("machine")
        cls.caller_tpm, cls.caller_key = cls.enrolled("caller")
        cls.vm_tpm.stop()  # from here on it is the machine's
        cls.vm = VirtualMachine(cls.lab, cls.vm_tpm.state)
        cls.lab.config.write_text(DAEMON_CONFIG)
        cls.initrd = build_image(cls.vm.dir, [cls.lab.config, cls.vm_key, cls.caller_key])
        try:
            cls.vm.boot(cls.initrd)
            cls.first = cls.registers()
            cls.call_by("admin")
            caller_9 = cls.caller_tpm.register(9)
            policy = POLICY.format(caller=fingerprint(cls.lab, cls.caller_key), expected=terms({9: caller_9}, indent=6))
            cls.lab.make_token("web", policy=policy)
            cls.older_disk = shutil.copy(cls.vm.disk, cls.vm.dir / "disk.older")  # as the host may at any time
            cls.lab.cli("key", "generate", "--token", "web", "--type", "ec:p256", "--label", "www")
            cls.lab.run([need("p11tool"), "--provider", PKCS11_MODULE, "--batch", "--export-pubkey", "--outfile", "www.pem",
                         "pkcs11:token=web;object=www;type=public"])
            cls.vm.power_off()
        except BaseException:
            cls.lab.print_logs()
            raise

    @classmethod
    def enrolled(cls, name):
        """A TPM and its attestation key's file; the TPM still runs."""
        tpm = SoftTpm()
        cls.lab.on_close(tpm.close)
        key = cls.lab.config_dir / f"{name}-ak.pem"
        cls.lab.cli("evidence", "enroll-tpm", "--tcti", tpm.tcti, "--ek-root", tpm.root, "--ek-intermediate", tpm.issuer,
                    "--out", key)
        return tpm, key

    def run(self, result=None):
        bad = len(result.failures) + len(result.errors)
        super().run(result)
        if len(result.failures) + len(result.errors) > bad:
            self.lab.print_logs()

    def tearDown(self):
        if self.vm.qemu is not None:
            self.vm.power_off()

    def assert_refused(self, expression):
        """keyclaved has ended, and said why."""
        self.assertTrue(self.vm.says("keyclaved ended with 1"))
        self.assertRegex(self.vm.log_text(), f"(?m)^keyclaved: {expression}$")

    @classmethod
    def registers(cls):
        found = cls.vm.registers()
        return {number: found[number] for number in MEASURED}

    @classmethod
    def call_by(cls, line, expected=None):
        """From here on the lab's programs call the machine by this line, and expect its boot: register 9 as anybody can compute
        it from the command line and the initial ramdisk, the others as they were at its first boot."""
        wanted = expected or cls.first | {9: register_9(cls.initrd)}
        cls.lab.client_config.write_text(CLIENT_CONFIG.format(
            endpoint=cls.vm.endpoint(line), machine=fingerprint(cls.lab, cls.vm_key), expected=terms(wanted),
            tcti=cls.caller_tpm.tcti, key=cls.vm_key))

    def assert_signs(self):
        self.lab.write("message", "signed in another machine\n")
        self.lab.pkcs11_tool("--sign", "--label", "www", "-m", "ECDSA-SHA256", "--signature-format", "openssl",
                             "-i", "message", "-o", "signature")
        self.lab.openssl("dgst", "-sha256", "-verify", "www.pem", "-signature", "signature", "message")

    def test_the_same_boot_has_the_same_registers_and_keys(self):
        self.vm.boot(self.initrd)
        self.assertTrue(self.vm.says("serving"))
        self.assertEqual(self.registers(), self.first)
        self.assertNotIn("0" * 64, self.first.values())
        self.call_by("caller")
        for _ in range(3):
            self.assert_signs()
        with self.assertRaisesRegex(CommandFailed, "operator"):
            self.lab.make_token("mine")
        # A caller who wants another boot of this machine is told which register it has otherwise.
        self.call_by("caller", self.first | {9: register_9(self.initrd, OTHER)})
        refused = self.lab.cli("status", check=False)
        self.assertNotEqual(refused.returncode, 0)
        self.assertIn("tpm.pcr9", refused.stderr)
        # And the enclave refuses a caller whose machine has changed.
        self.call_by("admin")
        self.caller_tpm.extend_pcr(9)
        with self.assertRaises(CommandFailed):
            self.assert_signs()
        self.assertIn("tpm.pcr9", self.lab.cli("explain", "--token", "web", "www", "--self").stdout)
        self.caller_tpm.restart()

    def test_another_command_line_does_not_get_the_root_secret(self):
        self.assertEqual(self.first[9], register_9(self.initrd))
        self.vm.boot(self.initrd, OTHER)
        registers = self.registers()
        self.assertEqual(registers, self.first | {9: register_9(self.initrd, OTHER)})
        self.assert_refused(rf".*: PCR 9 \(sha256\): wanted {self.first[9]}, got {registers[9]}")

    def test_a_disk_that_was_put_back_is_refused(self):
        newest = shutil.copy(self.vm.disk, self.vm.dir / "disk.newest")
        shutil.copy(self.older_disk, self.vm.disk)
        self.addCleanup(shutil.copy, newest, self.vm.disk)
        self.vm.boot(self.initrd)
        self.assertEqual(self.registers(), self.first)
        self.assert_refused(".* it was rolled back: .* the TPM's counter 0x01800001 stands at .*")


if __name__ == "__main__":
    main()
