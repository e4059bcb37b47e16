"""What the provider's tests share: keys of the enclave with their references and certificates."""

import os
import subprocess

from processes import need

KINDS = {"rsa": "rsa:2048", "p256": "ec:p256", "p384": "ec:p384"}
TOKEN = "edge"
# Programs that must see the keys as any stranger does: OpenSSL without the provider.
PLAIN = {"OPENSSL_CONF": "/dev/null"}
# ML-DSA, SLH-DSA and ML-KEM: OpenSSL has them since 3.5, and an enclave that is built on it has them, too.
POST_QUANTUM = "ML-DSA-65" in subprocess.run([need("openssl"), "list", "-signature-algorithms"], env={**os.environ, **PLAIN},
                                             capture_output=True, text=True, check=True).stdout
# openssl.cnf with libp11's engine in place of the provider.
ENGINE_CONFIGURATION = """\
openssl_conf = init
[init]
engines = engines
[engines]
pkcs11 = pkcs11
[pkcs11]
engine_id = pkcs11
MODULE_PATH = {module}
{more}
[req]
distinguished_name = name
[name]
"""


def make_keys(lab, token=TOKEN, kinds=KINDS):
    """A token with a key of each kind: NAME.key (reference), NAME.crt (self-signed), NAME.pub in the lab's folder."""
    lab.make_token(token)
    for name, kind in kinds.items():
        lab.cli("key", "generate", "--token", token, "--type", kind, "--label", name)
        lab.cli("cert", "self-sign", "--token", token, name, "--subject", f"CN={name}", "--san", "localhost",
                "--out", lab.dir / f"{name}.crt")
        lab.cli("key", "reference", "--token", token, name, "--out", lab.dir / f"{name}.key")
        public = lab.openssl("x509", "-in", lab.dir / f"{name}.crt", "-noout", "-pubkey", env=PLAIN).stdout
        lab.write(f"{name}.pub", public)


def operations(lab):
    """How often each operation was answered so far, by name."""
    return lab.cli("status", json=True)["operations"]


def operations_during(lab, action):
    """What `action` made the daemon do: operations and counts, without those that asking costs."""
    first, second = operations(lab), operations(lab)
    asking = {name: second[name] - first.get(name, 0) for name in second}
    action()
    third = operations(lab)
    spent = {name: third[name] - second.get(name, 0) - asking.get(name, 0) for name in third}
    return {name: count for name, count in spent.items() if count}


def reference_pem(lab, uri):
    """A key reference as its format says (two strings in a sequence), made without our own code and with this URI as it is."""
    config = lab.write("reference.cnf", "asn1=SEQUENCE:r\n[r]\nd=VISIBLESTRING:PKCS\\#11 Provider URI v1.0\n"
                       f"u=FORMAT:UTF8,UTF8String:{uri}\n")
    der = lab.dir / "reference.der"
    lab.openssl("asn1parse", "-genconf", config, "-noout", "-out", der, env=PLAIN)
    body = lab.openssl("base64", "-in", der, env=PLAIN).stdout
    return f"-----BEGIN PKCS#11 PROVIDER URI-----\n{body}-----END PKCS#11 PROVIDER URI-----\n"
