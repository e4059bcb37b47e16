"""Who signs: Keyclave and what it is compared with, each with a key of the same kinds, ready to be measured.

Contenders live in one laboratory and keep nothing outside its folder.
"""

import dataclasses

from lab import PKCS11_MODULE, SOURCE_DIR, is_socket, need, wait_until
from labs import KEYS, PLAIN, SIGN_BENCH, TOKEN, installed, key_file, key_uri
from tpm import SoftTpm

PIN = "24681357"
SO_PIN = "97531864"
KINDS = ("RSA-2048", "P-256")  # what everybody has
# SoftHSM2 does not survive being asked anything at a process's end, when its own destructors have run.
PROVIDER_CONFIG = """\
openssl_conf = init
[init]
providers = providers
[providers]
default = default_provider
pkcs11 = pkcs11_provider
[default_provider]
activate = 1
[pkcs11_provider]
module = {provider}
pkcs11-module-path = {module}
pkcs11-module-token-pin = file:{pin_file}
pkcs11-module-quirks = no-deinit
activate = 1
"""


@dataclasses.dataclass(frozen=True)
class Signer:
    """`options`: of sign_bench, with {kind} for the key's name; `watch`: name -> id of the processes that work for it."""

    options: tuple
    env: dict | None = None
    watch: dict = dataclasses.field(default_factory=dict)
    program: tuple = (SIGN_BENCH,)
    note: str | None = None

    def command(self, kind):
        return [*self.program, *(str(option).replace("{kind}", kind) for option in self.options)]


def generate(module, kind):
    """pkcs11-tool's arguments for a pair of keys that belong together by their CKA_ID."""
    return ["--module", module, "--token-label", TOKEN, "--login", "--pin", PIN, "--keypairgen",
            "--key-type", KEYS[kind].pkcs11_tool, "--label", kind, "--id", kind.encode().hex()]


def through_pkcs11(module, *options, **more):
    return Signer(("--module", module, "--token", TOKEN, "--label", "{kind}", *options), **more)


def keyclave(lab):
    daemon = {"daemon": lab.daemon.pid}
    return {"keyclave pkcs11": through_pkcs11(PKCS11_MODULE, watch=daemon),
            "keyclave provider": Signer(("--uri", key_uri("{kind}")), watch=daemon)}


def openssl(lab):
    return {"OpenSSL in process": Signer(("--uri", key_file(lab, "{kind}")), PLAIN)}


def softhsm(lab, pin_file):
    """SoftHSM2 in the caller's process, behind p11-kit's server, and beneath the pkcs11 provider for OpenSSL."""
    module = installed("**/softhsm/libsofthsm2.so", "softhsm2")
    client = installed("*/pkcs11/p11-kit-client.so", "p11-kit-modules")
    (lab.dir / "softhsm").mkdir()
    env = {**PLAIN, "SOFTHSM2_CONF": str(lab.write("softhsm2.conf", f"directories.tokendir = {lab.dir}/softhsm\n"))}
    lab.run([need("softhsm2-util"), "--init-token", "--free", "--label", TOKEN, "--so-pin", SO_PIN, "--pin", PIN], env=env)
    for kind in KINDS:
        lab.run([need("pkcs11-tool"), *generate(module, kind)], env=env)
    socket = lab.dir / "p11-kit.sock"
    server = lab.spawn([need("p11-kit"), "server", "--provider", module, "-f", "-n", socket, f"pkcs11:token={TOKEN}"],
                       "p11-kit.log", env=env)
    wait_until(lambda: is_socket(socket), "p11-kit server", process=server)
    provider = installed("*/ossl-modules/pkcs11.so", "pkcs11-provider")
    config = lab.write("pkcs11-provider.cnf", PROVIDER_CONFIG.format(provider=provider, module=module, pin_file=pin_file))
    unpacked = "the provider is Debian 13's, over this machine's OpenSSL" if SOURCE_DIR in provider.parents else None
    login = ("--pin-file", pin_file)
    return {"SoftHSM2 in process": through_pkcs11(module, *login, env=env),
            "SoftHSM2 over p11-kit": through_pkcs11(client, *login, watch={"p11-kit server": server.pid},
                                                    env={**env, "P11_KIT_SERVER_ADDRESS": f"unix:path={socket}"}),
            "pkcs11-provider on SoftHSM2": Signer(("--uri", key_uri("{kind}")), {**env, "OPENSSL_CONF": str(config)}, note=unpacked)}


def tpm(lab, pin_file):
    """tpm2-pkcs11 on a TPM in software. One process at a time: there is no resource manager between."""
    module = installed("*/pkcs11/libtpm2_pkcs11.so", "libtpm2-pkcs11-1")
    chip = SoftTpm()
    lab.on_close(chip.close)
    store = lab.dir / "tpm2-pkcs11"
    store.mkdir()
    env = {**PLAIN, "TPM2_PKCS11_STORE": str(store), "TPM2_PKCS11_TCTI": chip.tcti}
    tool = [need("pkcs11-tool"), "--module", module]
    lab.run([*tool, "--init-token", "--slot-index", "0", "--label", TOKEN, "--so-pin", SO_PIN], env=env)
    lab.run([*tool, "--token-label", TOKEN, "--init-pin", "--login", "--login-type", "so", "--so-pin", SO_PIN, "--pin", PIN],
            env=env)
    for kind in KINDS:
        lab.run([need("pkcs11-tool"), *generate(module, kind)], env=env)
    return {"tpm2-pkcs11 on swtpm": through_pkcs11(module, "--pin-file", pin_file, env=env, watch={"swtpm": chip.process.pid},
                                                   note="a TPM in software; chips are slower")}


def contenders(lab):
    pin_file = lab.write("bench-pin", PIN + "\n", 0o600)
    return {**keyclave(lab), **openssl(lab), **softhsm(lab, pin_file), **tpm(lab, pin_file)}
