"""What the tests of PKCS#11 clients share: a lab with a token that evidence alone opens, and one that has PINs.

    class Client(ClientTest):              # runs on `open`
        …
    class ClientWithPins(OnPins, Client):  # and again on `pins`
        …
"""

import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "e2e"))

from lab import PERMISSIVE_POLICY, PKCS11_MODULE, Lab, LabTest, main, need  # found by the line above

__all__ = ["ClientTest", "Lab", "OnPins", "PIN", "PKCS11_MODULE", "POLICY", "SO_PIN", "main", "need"]

PIN, SO_PIN = "1234", "87654321"

# All that a client may ask of a token of its own: keys of the token may be wrapped under each other, too.
POLICY = PERMISSIVE_POLICY + """\
  - operations: [release]
    wrap: [token-key]
    when:
      tee: {is: simulated}
    allow_unattested: true
"""


class ClientTest(LabTest):
    """One lab per class, with both tokens; the tests use the one that is called `token`."""

    token, pin = "open", None

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.lab.make_token("open", POLICY)
        cls.lab.make_token("pins", POLICY, pin=PIN, so_pin=SO_PIN)

    @classmethod
    def tool(cls, *arguments, check=True, login=True, **more):
        """pkcs11-tool on the token; with login, if the token wants one."""
        user = ["--login", "--pin", cls.pin] if login and cls.pin else []
        return cls.lab.pkcs11_tool("--token-label", cls.token, *user, *arguments, check=check, **more)

    @classmethod
    def file(cls, name, content=None):
        """The content of a file of the lab; written first if `content` is given."""
        path = cls.lab.dir / name
        if content is not None:
            path.write_bytes(content)
        return path.read_bytes()


class OnPins:
    """Mixed in before a test class: the same tests on the token with PINs."""

    token, pin = "pins", PIN
