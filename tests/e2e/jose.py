"""JWK and JWE (RFC 7517, RFC 7516) by python3-cryptography, as far as Trustee's clients have them."""

import base64
import json
import sys

try:
    from cryptography.hazmat.primitives import hashes, keywrap
    from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM
    from cryptography.hazmat.primitives.kdf.concatkdf import ConcatKDFHash
except ImportError as error:
    sys.exit(f"{error}: apt-get install python3-cryptography")

CURVES = {"P-256": ec.SECP256R1, "P-384": ec.SECP384R1, "P-521": ec.SECP521R1}


def encode(data):
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def decode(text):
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def new_key(kind):
    """RSA, or the name of a curve."""
    return rsa.generate_private_key(65537, 2048) if kind == "RSA" else ec.generate_private_key(CURVES[kind]())


def public_jwk(private):
    """The members that RCAR has, in no particular order."""
    numbers = private.public_key().public_numbers()
    if isinstance(private, rsa.RSAPrivateKey):
        return {"kty": "RSA", "alg": "RSA-OAEP-256", "n": encode(numbers.n.to_bytes(private.key_size // 8, "big")), "e": "AQAB"}
    name = next(name for name, curve in CURVES.items() if isinstance(private.curve, curve))
    size = (private.curve.key_size + 7) // 8
    return {"kty": "EC", "crv": name, "alg": "ECDH-ES+A256KW", "x": encode(numbers.x.to_bytes(size, "big")),
            "y": encode(numbers.y.to_bytes(size, "big"))}


def content_key(header, private, sealed):
    if header["alg"] == "RSA-OAEP-256":
        return private.decrypt(sealed, padding.OAEP(mgf=padding.MGF1(hashes.SHA256()), algorithm=hashes.SHA256(), label=None))
    assert header["alg"] == "ECDH-ES+A256KW", header
    epk = header["epk"]
    assert epk["kty"] == "EC" and isinstance(private.curve, CURVES[epk["crv"]]), epk
    x, y = (int.from_bytes(decode(epk[name]), "big") for name in ("x", "y"))
    agreed = private.exchange(ec.ECDH(), ec.EllipticCurvePublicNumbers(x, y, private.curve).public_key())
    name = header["alg"].encode()
    # RFC 7518, section 4.6.2.
    info = len(name).to_bytes(4, "big") + name + bytes(4) + bytes(4) + (256).to_bytes(4, "big")
    return keywrap.aes_key_unwrap(ConcatKDFHash(algorithm=hashes.SHA256(), length=32, otherinfo=info).derive(agreed), sealed)


def open_jwe(jwe, private):
    """Of the compact serialization, or of the flattened one as a dictionary."""
    if isinstance(jwe, dict):
        jwe = ".".join(jwe[name] for name in ("protected", "encrypted_key", "iv", "ciphertext", "tag"))
    protected, key, iv, ciphertext, tag = jwe.split(".")
    header = json.loads(decode(protected))
    assert header["enc"] == "A256GCM", header
    return AESGCM(content_key(header, private, decode(key))).decrypt(decode(iv), decode(ciphertext) + decode(tag),
                                                                     protected.encode())
