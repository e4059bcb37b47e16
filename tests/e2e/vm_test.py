#!/usr/bin/env python3
"""keyclaved in a virtual machine whose boot is measured, its root secret sealed to that boot; its callers are outside.

The evidence of both ends is simulated: it is the sealing, the witness and the way across that are real here.
"""

# ctest: TIMEOUT=400

import shutil
import unittest

from lab import PKCS11_MODULE, CommandFailed, Lab, main, need
from vm import VirtualMachine, register_9
from vm_image import build_image

DAEMON_CONFIG = """\
state: /disk/state
listen:
  - unix:/run/keyclaved.sock
tee: simulated
simulated:
  key: /etc/keyclave/simulated-root.key
  root: /etc/keyclave/simulated-root.pub
operators: [0]
sealing:
  by: tpm
  pcrs:
    bank: sha256
    registers: [0, 4, 7, 9]
"""
# What decides what runs: the firmware, the kernel, Secure Boot's state, and command line with initial ramdisk.
MEASURED = (0, 4, 7, 9)
OTHER = "systemd.debug-shell=1"


class VirtualMachineTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.lab = Lab(start=False, daemon_config=lambda _: DAEMON_CONFIG)
        cls.addClassCleanup(cls.lab.close)
        cls.vm = VirtualMachine(cls.lab)
        etc = cls.lab.config_dir
        cls.initrd = build_image(cls.vm.dir, [cls.lab.config, etc / "simulated-root.key", etc / "simulated-root.pub"])
        try:
            cls.vm.boot(cls.initrd)
            cls.first = cls.registers()
            cls.call_by("admin")
            cls.lab.make_token("web")
            cls.older_disk = shutil.copy(cls.vm.disk, cls.vm.dir / "disk.older")  # as the host may at any time
            cls.lab.cli("key", "generate", "--token", "web", "--type", "ec:p256", "--label", "www")
            cls.lab.run([need("p11tool"), "--provider", PKCS11_MODULE, "--batch", "--export-pubkey", "--outfile", "www.pem",
                         "pkcs11:token=web;object=www;type=public"])
            cls.vm.power_off()
        except BaseException:
            cls.lab.print_logs()
            raise

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
    def call_by(cls, line):
        """From here on the lab's programs call the machine by this line."""
        text = cls.lab.client_config.read_text().splitlines()
        text = [f"endpoint: unix:{cls.vm.endpoint(line)}" if one.startswith("endpoint:") else one for one in text]
        cls.lab.client_config.write_text("\n".join(text) + "\n")

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
