"""A virtual machine with a TPM, for end-to-end tests: keyclaved inside, its callers outside.

QEMU emulates the processor (it never uses the host's), swtpm the TPM. The firmware is OVMF: it measures itself into PCR 0,
the state of Secure Boot into PCR 7 and the kernel into PCR 4; the kernel's EFI stub measures the command line and the initial
ramdisk into PCR 9. Nothing in the machine measures itself after it ran. (PCR 4 is of the kernel as QEMU hands it over, which
writes address and size of the ramdisk into its header.) The disk keeps keyclaved's state from boot to boot.
"""

import hashlib
import re
import shutil
import sys

from lab import end_process, is_socket, need, wait_until
from vm_image import firmware, kernel
from vm_line import Line, connect_if_listening

DISK_SIZE = 32 << 20
LINES = ("admin", "caller")  # relayed in the machine by root, and by a user who is nobody
# Linux checks for broken timers, which an emulator without time looks like: it would panic, or hang.
CONSOLE = "console=ttyS0 quiet panic=-1 no_timer_check"


class GuestPanicked(AssertionError):
    """The machine's kernel ended before it came to anything; an emulated one does so once in some thirty boots."""


class VirtualMachine:
    def __init__(self, lab, tpm_state):
        """`tpm_state`: swtpm's folder."""
        self.lab = lab
        self.dir = lab.dir / "vm"
        self.disk = self.dir / "disk"
        self.tpm_state = tpm_state
        self.log = None
        self.boots = 0
        self.qemu = None
        self.power = None
        self.lines = []
        self.dir.mkdir()
        with self.disk.open("wb") as out:
            out.truncate(DISK_SIZE)
        lab.run([need("mkfs.ext4"), "-q", "-E", "root_owner=0:0", self.disk])
        shutil.copy(firmware()[1], self.dir / "variables")
        lab.on_close(self._close)

    def endpoint(self, line):
        """The unix socket on the host that leads to keyclaved, by this line."""
        return self.dir / line

    def boot(self, initrd, extra=""):
        """Boots, with `extra` at the end of the kernel's command line, until keyclaved serves or has ended. The machine may
        panic once."""
        try:
            self._boot(initrd, extra)
        except GuestPanicked as panic:
            print(f"--- the virtual machine panicked; one more try\n{panic}", file=sys.stderr)
            self._boot(initrd, extra)

    def _boot(self, initrd, extra):
        assert self.qemu is None, "the machine is on already"
        self.boots += 1
        self.log = self.lab.dir / f"console-{self.boots}.log"
        self.log.touch()
        tpm = self.dir / "tpm.sock"
        for stale in (tpm, *self.dir.glob("*.port")):  # of the boot before
            stale.unlink(missing_ok=True)
        self.lab.spawn([need("swtpm"), "socket", "--tpm2", "--tpmstate", f"dir={self.tpm_state}", "--ctrl",
                        f"type=unixio,path={tpm}", "--terminate"], "swtpm.log")
        wait_until(lambda: is_socket(tpm), "swtpm to listen")
        self.qemu = self.lab.spawn(self._command(initrd, f"{CONSOLE} {extra}".strip(), tpm), "qemu.log")
        self.power = wait_until(lambda: connect_if_listening(self._port("power")), "QEMU to listen", process=self.qemu)
        self.lines = [Line(self.endpoint(name), self._port(f"{name}.data"), self._port(f"{name}.control")) for name in LINES]
        try:
            wait_until(lambda: self.says("serving|keyclaved ended with"), "the machine to boot", seconds=90, process=self.qemu)
        except AssertionError:
            self._close()
            if re.search(r"Kernel panic|X64 Exception", self.log_text()):
                raise GuestPanicked(self.log_text()[-2000:]) from None
            raise

    def _port(self, name):
        return self.dir / f"{name}.port"

    def _command(self, initrd, command_line, tpm):
        code = firmware()[0]
        command = [need("qemu-system-x86_64"), "-machine", "q35,accel=tcg", "-cpu", "max", "-m", "512", "-no-reboot",
                   "-nodefaults", "-display", "none", "-nic", "none", "-serial", f"file:{self.log}",
                   "-drive", f"if=pflash,unit=0,format=raw,readonly=on,file={code}",
                   "-drive", f"if=pflash,unit=1,format=raw,file={self.dir / 'variables'}",
                   "-kernel", kernel(), "-initrd", initrd, "-append", command_line,
                   "-drive", f"if=none,id=disk,format=raw,file={self.disk}", "-device", "virtio-blk-pci,drive=disk",
                   "-chardev", f"socket,id=tpm,path={tpm}", "-tpmdev", "emulator,id=tpm0,chardev=tpm",
                   "-device", "tpm-crb,tpmdev=tpm0", "-device", "virtio-rng-pci", "-device", "virtio-serial-pci"]
        # QEMU makes them in this order: once the last one listens, all do.
        for name in [f"{line}.{kind}" for line in LINES for kind in ("data", "control")] + ["power"]:
            command += ["-chardev", f"socket,id={name},path={self._port(name)},server=on,wait=off",
                        "-device", f"virtserialport,chardev={name},name={name}"]
        return command

    def power_off(self):
        """Asks the machine to stop keyclaved, unmount its disk and power off."""
        self.power.sendall(b"off\n")
        self.qemu.wait(timeout=60)
        assert self.says("off"), self.log_text()
        self._close()

    def _close(self):
        if self.qemu is not None:
            end_process(self.qemu)
            self.qemu = None
        if self.power is not None:
            self.power.close()
            self.power = None
        for line in self.lines:
            line.close()
        self.lines = []

    # ---- what it says ----

    def log_text(self):
        return self.log.read_text(errors="replace").replace("\r", "")

    def says(self, expression):
        """Whether guest_init.sh has said this on the console."""
        return re.search(rf"^guest: (?:{expression})", self.log_text(), re.M) is not None

    def registers(self):
        """The TPM's registers as the machine had them before it started anything: number -> SHA-256 in hexadecimal."""
        return {int(n): value.lower() for n, value in re.findall(r"^guest: pcr (\d+) (\w+)$", self.log_text(), re.M)}


def register_9(initrd, extra=""):
    """What PCR 9 must be: it is extended with the command line, as OVMF hands it over, and with the initial ramdisk."""
    line = f"{CONSOLE} {extra}".strip() + " initrd=initrd\0"
    register = bytes(32)
    for measured in (line.encode("utf-16-le"), initrd.read_bytes()):
        register = hashlib.sha256(register + hashlib.sha256(measured).digest()).digest()
    return register.hex()
