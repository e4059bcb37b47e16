"""The laboratory of the benchmarks: one enclave as it would be run for speed, and a key of each kind in it and in a file."""

import contextlib
import dataclasses
import pathlib
import sys

from lab import BUILD_DIR, SOURCE_DIR, Lab

SIGN_BENCH = BUILD_DIR / "bin" / "sign_bench"
TOKEN = "bench"
PLAIN = {"OPENSSL_CONF": "/dev/null"}  # OpenSSL as it is, without our provider


@dataclasses.dataclass(frozen=True)
class Kind:
    """A kind of key, as each program calls it."""
    ours: str
    openssl: tuple
    pkcs11_tool: str = ""


KEYS = {"RSA-2048": Kind("rsa:2048", ("-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:2048"), "rsa:2048"),
        "RSA-4096": Kind("rsa:4096", ("-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:4096")),
        "P-256": Kind("ec:p256", ("-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256"), "EC:prime256v1"),
        "P-384": Kind("ec:p384", ("-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-384")),
        "Ed25519": Kind("ed25519", ("-algorithm", "ED25519"))}


def crypto_mb():
    """The folder of the multi-buffer library that `./run deps crypto-mb` has unpacked, or nothing."""
    found = sorted((SOURCE_DIR / "build" / "deps" / "crypto-mb").glob("usr/lib/*/libcrypto_mb.so.*"))
    return str(found[0].parent) if found else ""


@contextlib.contextmanager
def lab_with_keys(spin=0, kinds=tuple(KEYS)):
    """A daemon with the library, if there is one, and a key of each of the kinds in it and in a file."""
    with Lab(start=False, daemon_config=f"spin: {spin}\n") as lab:
        lab.env["LD_LIBRARY_PATH"] = crypto_mb()
        lab.client_config.write_text(lab.client_config.read_text() + f"spin: {spin}\n")
        lab.start_daemon()
        lab.make_token(TOKEN)
        for kind in kinds:
            lab.cli("key", "generate", "--token", TOKEN, "--type", KEYS[kind].ours, "--label", kind)
            lab.openssl("genpkey", *KEYS[kind].openssl, "-out", key_file(lab, kind), env=PLAIN)
        print(f"  signing by {lab.cli('status', json=True)['signing']['by']}", file=sys.stderr)
        yield lab


def key_file(lab, kind):
    return lab.dir / f"{kind}.pem"


def key_uri(kind):
    return f"pkcs11:token={TOKEN};object={kind};type=private"


def installed(pattern, package):
    """The one file of a Debian package in a folder of libraries, whatever machine this is."""
    found = sorted(path for folder in ("/usr/lib", SOURCE_DIR / "build" / "deps" / package / "usr" / "lib")
                   for path in pathlib.Path(folder).glob(pattern))
    if not found:
        raise AssertionError(f"{package} is missing: ./run deps bench")
    return found[0]
