"""What the virtual machine of vm.py boots: Debian's kernel, and an initial ramdisk with keyclaved and little else."""

import lzma
import os
import pathlib
import re
import shutil
import subprocess

from lab import KEYCLAVED, SOURCE_DIR, need

GUEST_DIR = SOURCE_DIR / "build" / "deps" / "guest"
INIT = pathlib.Path(__file__).resolve().parent / "guest_init.sh"

# Drivers that Debian's kernel has as modules or built in, each after those that it stands on. TPM and ext4 are built in.
MODULES = ["virtio/virtio_ring.ko", "virtio/virtio.ko", "virtio/virtio_pci_legacy_dev.ko", "virtio/virtio_pci_modern_dev.ko",
           "virtio/virtio_pci.ko", "block/virtio_blk.ko", "char/virtio_console.ko", "char/hw_random/virtio-rng.ko"]
# What the TPM's library loads by name while it runs, so that no program's list of libraries has it.
TSS_LIBRARIES = ["libtss2-esys.so.0", "libtss2-mu.so.0", "libtss2-tctildr.so.0", "libtss2-rc.so.0", "libtss2-tcti-device.so.0"]


def guest_file(pattern):
    """The one file below GUEST_DIR that matches; since Debian 13 packages have all in /usr."""
    found = sorted({*GUEST_DIR.glob(pattern), *GUEST_DIR.glob(f"usr/{pattern}")})
    if len(found) != 1:
        raise AssertionError(f"{GUEST_DIR}/{pattern}: {len(found)} files; `./run deps` unpacks them there, once")
    return found[0]


def kernel():
    return guest_file("boot/vmlinuz-*")


def firmware():
    """OVMF's code, and the empty store of its variables: of the smaller build, which starts two seconds sooner, where there is one."""
    size = "" if list(GUEST_DIR.glob("usr/share/OVMF/OVMF_CODE.fd")) else "_4M"
    return guest_file(f"usr/share/OVMF/OVMF_CODE{size}.fd"), guest_file(f"usr/share/OVMF/OVMF_VARS{size}.fd")


def library(name):
    """Where the dynamic linker finds a library."""
    cache = subprocess.run([need("ldconfig"), "-p"], capture_output=True, text=True, check=True).stdout
    found = re.search(rf"^\s*{re.escape(name)} \(libc6,x86-64.*=> (/\S+)$", cache, re.M)
    if not found:
        raise AssertionError(f"{name} is not installed: apt-get install libtss2-dev")
    return found.group(1)


def linked(program):
    """The libraries that a program is linked with, and its loader, as absolute paths."""
    listed = subprocess.run([need("ldd"), str(program)], capture_output=True, text=True, check=True).stdout
    if "not found" in listed:
        raise AssertionError(f"{program} lacks a library:\n{listed}")
    return set(re.findall(r"(?:=> |^\s+)(/\S+) \(0x", listed, re.M))


def add_modules(folder):
    """The drivers that are not built into the kernel, unpacked, and in `order` their names."""
    builtin = guest_file("lib/modules/*/modules.builtin").read_text()
    names = []
    for module in MODULES:
        if f"/{module}\n" not in builtin:
            file = guest_file(f"lib/modules/*/kernel/drivers/{module}*")
            names.append(pathlib.Path(module).name)
            with (lzma.open if file.suffix == ".xz" else open)(file, "rb") as packed:
                (folder / names[-1]).write_bytes(packed.read())
    (folder / "order").write_text("".join(f"{name}\n" for name in names))


def build_image(folder, configuration):
    """Makes FOLDER/initrd with keyclaved, and these files in /etc/keyclave. Returns its path."""
    root = folder / "initrd.d"
    for name in ("bin", "dev", "proc", "sys", "disk", "run", "modules", "etc/keyclave"):
        (root / name).mkdir(parents=True)
    shutil.copy(guest_file("bin/busybox"), root / "bin")
    (root / "bin" / "sh").symlink_to("busybox")
    shutil.copy(INIT, root / "init")
    (root / "init").chmod(0o755)
    for file in configuration:
        shutil.copy(file, root / "etc" / "keyclave")
    add_modules(root / "modules")
    programs = [str(KEYCLAVED), need("socat")]
    for program in programs:
        shutil.copy(program, root / "bin")
    # Firmware and kernel read, hash and unpack all of this in an emulated machine: no symbols.
    subprocess.run([need("strip"), str(root / "bin" / KEYCLAVED.name)], check=True)
    loaded = [library(name) for name in TSS_LIBRARIES]
    for path in set(loaded).union(*(linked(file) for file in programs + loaded)):
        target = root / path.lstrip("/")
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(path, target)
    return pack(root, folder / "initrd")


def pack(root, image):
    """The folder as an archive of the kind that the kernel unpacks, everything owned by root."""
    names = "".join(f"{os.path.relpath(path, root)}\n" for path in sorted(root.rglob("*")))
    with image.open("wb") as out:
        subprocess.run([need("cpio"), "--create", "--format=newc", "--owner=+0:+0", "--quiet"], cwd=root, input=names.encode(),
                       stdout=out, check=True)
    return image
