"""Contenders in a Debian 13 tree: OpenSSL 3.5 by itself, and the pkcs11 provider that Debian 13 has, on its SoftHSM2.

Keyclave stays on this machine's OpenSSL: these rows say what one would have on a newer Debian instead. The load program is
this build's; the tree has its libraries. The tree lies where .ci/suite keeps its own, which it is a copy of.
"""

import os
import pathlib
import shutil
import subprocess
import tempfile

from lab import SOURCE_DIR
from labs import KEYS, PLAIN, SIGN_BENCH, TOKEN, key_uri
from signers import KINDS, PIN, PROVIDER_CONFIG, SO_PIN, Signer, generate

PROVIDER, IN_PROCESS = NAMES = ("pkcs11-provider on SoftHSM2 (Debian 13)", "OpenSSL in process (Debian 13)")
PACKAGES = ("softhsm2", "pkcs11-provider", "opensc", "openssl")
SUITES = pathlib.Path(os.environ.get("KEYCLAVE_SUITE_DIR") or "/var/tmp/keyclave-suites")
LIBRARIES = "/usr/lib/x86_64-linux-gnu"


def tree():
    """The tree with the packages; made once."""
    made, pristine = SUITES / "bench-trixie", SUITES / "trixie"
    if os.geteuid() != 0:
        raise AssertionError("--with trixie needs root, for chroot")
    if not (made / ".ready").exists():
        subprocess.run([SOURCE_DIR / ".ci" / "suite", "trixie", "help"], check=True, stdout=subprocess.DEVNULL)  # makes the pristine one
        shutil.rmtree(made, ignore_errors=True)
        subprocess.run(["cp", "-a", pristine, made], check=True)
        for command in (["apt-get", "-q", "update"], ["apt-get", "-q", "-y", "--no-install-recommends", "install", *PACKAGES]):
            inside(made, command, {"DEBIAN_FRONTEND": "noninteractive"})
        (made / ".ready").touch()
    return made


def inside(root, command, env):
    """Runs a command in the tree."""
    done = subprocess.run(["chroot", root, *map(str, command)], env={"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "HOME": "/root", **env},
                          stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=900, check=False)
    if done.returncode != 0:
        raise AssertionError(f"{command} in {root}: {done.returncode}\n{done.stdout[-2000:]}\n{done.stderr[-2000:]}")
    return done.stdout


def contenders(lab):
    root = tree()
    outside = pathlib.Path(tempfile.mkdtemp(prefix="keyclave-bench.", dir=root / "tmp"))
    lab.on_close(shutil.rmtree, outside, True)
    folder = pathlib.Path("/") / outside.relative_to(root)
    shutil.copy(SIGN_BENCH, outside / "sign_bench")
    (outside / "tokens").mkdir()
    (outside / "softhsm2.conf").write_text(f"directories.tokendir = {folder}/tokens\n")
    (outside / "pin").write_text(PIN + "\n")
    module = f"{LIBRARIES}/softhsm/libsofthsm2.so"
    (outside / "provider.cnf").write_text(PROVIDER_CONFIG.format(
        provider=f"{LIBRARIES}/ossl-modules/pkcs11.so", module=module, pin_file=folder / "pin"))
    env = {**PLAIN, "SOFTHSM2_CONF": str(folder / "softhsm2.conf")}
    inside(root, ["softhsm2-util", "--init-token", "--free", "--label", TOKEN, "--so-pin", SO_PIN, "--pin", PIN], env)
    for kind in KINDS:
        inside(root, ["pkcs11-tool", *generate(module, kind)], env)
        inside(root, ["openssl", "genpkey", *KEYS[kind].openssl, "-out", folder / f"{kind}.pem"], env)
    version = inside(root, ["openssl", "version"], env).partition(" (")[0].strip()
    more = {"program": ("chroot", root, folder / "sign_bench"), "note": f"theirs with {version.rsplit(' ', 3)[0]}"}
    return {PROVIDER: Signer(("--uri", key_uri("{kind}")), {**env, "OPENSSL_CONF": str(folder / "provider.cnf")}, **more),
            IN_PROCESS: Signer(("--uri", folder / "{kind}.pem"), env, **more)}
