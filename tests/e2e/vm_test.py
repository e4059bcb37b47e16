#!/usr/bin/env python3
"""keyclaved in a virtual machine whose boot is measured; its callers are outside, its state is on the machine's disk.

The enclave is still a simulated one: the registers are looked at, but nothing is sealed to them yet.
"""

# ctest: TIMEOUT=400

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
"""
# What decides what runs: the firmware, the kernel, Secure Boot's state, and command line with initial ramdisk.
MEASURED = (0, 4, 7, 9)


class VirtualMachineTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.lab = Lab(start=False, daemon_config=lambda _: DAEMON_CONFIG)
        cls.addClassCleanup(cls.lab.close)
        cls.vm = VirtualMachine(cls.lab)
        etc = cls.lab.config_dir
        cls.initrd = build_image(cls.vm.dir, [cls.lab.config, etc / "simulated-root.key", etc / "simulated-root.pub"])
        try:
            cls.boot()
            cls.first = cls.registers()
            cls.call_by("admin")
            cls.lab.make_token("web")
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

    @classmethod
    def boot(cls, extra=""):
        cls.vm.boot(cls.initrd, extra)
        if not cls.vm.says("serving"):
            raise AssertionError("keyclaved does not serve")

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
        self.boot()
        self.assertEqual(self.registers(), self.first)
        self.assertNotIn("0" * 64, self.first.values())
        self.call_by("caller")
        for _ in range(3):
            self.assert_signs()
        with self.assertRaisesRegex(CommandFailed, "operator"):
            self.lab.make_token("mine")

    def test_another_command_line_has_another_register(self):
        self.assertEqual(self.first[9], register_9(self.initrd))
        self.boot("systemd.debug-shell=1")
        registers = self.registers()
        self.assertEqual(registers.pop(9), register_9(self.initrd, "systemd.debug-shell=1"))
        self.assertNotEqual(register_9(self.initrd, "systemd.debug-shell=1"), self.first[9])
        self.assertEqual(registers, {number: self.first[number] for number in registers})


if __name__ == "__main__":
    main()
