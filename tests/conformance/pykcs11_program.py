"""A program over PyKCS11, for Debian's Python: pykcs11_program.py MODULE TOKEN [PIN SO-PIN]. Run by pykcs11_test.py."""

import hashlib
import hmac
import os
import sys
import threading
import unittest

import PyKCS11
from PyKCS11 import LowLevel
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa, utils
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

MODULE, TOKEN = sys.argv[1:3]
PIN, SO_PIN = sys.argv[3:5] if len(sys.argv) > 3 else (None, None)
P256 = bytes.fromhex("06082a8648ce3d030107")
ED25519 = bytes.fromhex("06032b6570")
# PKCS#11 3.0, which PyKCS11 1.5 does not know.
EDWARDS_PAIR, CKM_EDDSA, CKK_EC_EDWARDS = 0x1055, 0x1057, 0x40
MESSAGE = b"what is signed"
RW = PyKCS11.CKF_SERIAL_SESSION | PyKCS11.CKF_RW_SESSION


class Session(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.library = PyKCS11.PyKCS11Lib()
        cls.library.load(MODULE)
        labels = {cls.library.getTokenInfo(slot).label.strip(): slot for slot in cls.library.getSlotList(tokenPresent=True)}
        cls.slot = labels[TOKEN]
        cls.session = cls.library.openSession(cls.slot, RW)
        if PIN:
            cls.session.login(PIN)

    @classmethod
    def tearDownClass(cls):
        if PIN:
            cls.session.logout()
        cls.session.closeSession()

    def assert_code(self, code, function, *arguments):
        with self.assertRaises(PyKCS11.PyKCS11Error) as caught:
            function(*arguments)
        self.assertEqual(str(caught.exception), str(PyKCS11.PyKCS11Error(code)))

    def aes(self, value, *more):
        return self.session.createObject([
            (PyKCS11.CKA_CLASS, PyKCS11.CKO_SECRET_KEY), (PyKCS11.CKA_KEY_TYPE, PyKCS11.CKK_AES), (PyKCS11.CKA_VALUE, value),
            (PyKCS11.CKA_ENCRYPT, True), (PyKCS11.CKA_DECRYPT, True), *more])

    def rsa_pair(self):
        public, private = self.session.generateKeyPair(
            [(PyKCS11.CKA_MODULUS_BITS, 2048), (PyKCS11.CKA_PUBLIC_EXPONENT, (1, 0, 1)), (PyKCS11.CKA_TOKEN, False)],
            [(PyKCS11.CKA_TOKEN, False), (PyKCS11.CKA_UNWRAP, True)])
        modulus, exponent = self.session.getAttributeValue(public, [PyKCS11.CKA_MODULUS, PyKCS11.CKA_PUBLIC_EXPONENT])
        numbers = rsa.RSAPublicNumbers(int.from_bytes(bytes(exponent), "big"), int.from_bytes(bytes(modulus), "big"))
        return public, private, numbers.public_key()

    def ec_pair(self):
        public, private = self.session.generateKeyPair(
            [(PyKCS11.CKA_EC_PARAMS, P256), (PyKCS11.CKA_TOKEN, False)],
            [(PyKCS11.CKA_TOKEN, False), (PyKCS11.CKA_DERIVE, True)], mecha=PyKCS11.MechanismECGENERATEKEYPAIR)
        point = bytes(self.session.getAttributeValue(public, [PyKCS11.CKA_EC_POINT])[0])
        self.assertEqual(point[:3], b"\x04\x41\x04")
        return public, private, ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), point[2:])

    def test_tells_what_it_is(self):
        flags = self.library.getTokenInfo(self.slot).flags2text()
        self.assertEqual("CKF_LOGIN_REQUIRED" in flags, PIN is not None)
        self.assertEqual("CKF_PROTECTED_AUTHENTICATION_PATH" in flags, PIN is None)
        self.assertEqual(self.session.getSessionInfo().state2text(),
                         "CKS_RW_USER_FUNCTIONS" if PIN else "CKS_RW_PUBLIC_SESSION")
        info = self.library.getMechanismInfo(self.slot, "CKM_RSA_PKCS")
        self.assertEqual((info.ulMinKeySize, info.ulMaxKeySize), (2048, 8192))
        # It knows no number of 3.2, which an enclave with OpenSSL 3.5 has: ML-KEM, ML-DSA, SLH-DSA.
        for number in (0x0f, 0x17, *range(0x1c, 0x3f + 1)):
            PyKCS11.CKM.setdefault(number, f"CKM_0x{number:x}")
        self.assertIn("CKM_ECDSA_SHA256", self.library.getMechanismList(self.slot))

    def test_signs(self):
        public, private, verifier = self.rsa_pair()
        signature = bytes(self.session.sign(private, MESSAGE, PyKCS11.Mechanism(PyKCS11.CKM_SHA256_RSA_PKCS)))
        verifier.verify(signature, MESSAGE, padding.PKCS1v15(), hashes.SHA256())
        pss = PyKCS11.RSA_PSS_Mechanism(PyKCS11.CKM_SHA384_RSA_PKCS_PSS, PyKCS11.CKM_SHA384, PyKCS11.CKG_MGF1_SHA384, 48)
        signature = self.session.sign(private, MESSAGE, pss)
        verifier.verify(bytes(signature), MESSAGE, padding.PSS(padding.MGF1(hashes.SHA384()), 48), hashes.SHA384())
        self.assertTrue(self.session.verify(public, MESSAGE, signature, pss))
        self.assertFalse(self.session.verify(public, b"other", signature, pss))
        public, private, verifier = self.ec_pair()
        ecdsa = PyKCS11.Mechanism(PyKCS11.CKM_ECDSA_SHA256)
        signature = bytes(self.session.sign(private, MESSAGE, ecdsa))
        der = utils.encode_dss_signature(int.from_bytes(signature[:32], "big"), int.from_bytes(signature[32:], "big"))
        verifier.verify(der, MESSAGE, ec.ECDSA(hashes.SHA256()))
        self.assertTrue(self.session.verify(public, MESSAGE, signature, ecdsa))

    def test_encrypts_with_rsa(self):
        public, private, other = self.rsa_pair()
        for numbers, algorithm in (((PyKCS11.CKM_SHA_1, PyKCS11.CKG_MGF1_SHA1), hashes.SHA1),
                                   ((PyKCS11.CKM_SHA256, PyKCS11.CKG_MGF1_SHA256), hashes.SHA256),
                                   ((PyKCS11.CKM_SHA512, PyKCS11.CKG_MGF1_SHA512), hashes.SHA512)):
            for label in (None, b"a label"):
                oaep = PyKCS11.RSAOAEPMechanism(*numbers, label)
                sealed = other.encrypt(MESSAGE, padding.OAEP(padding.MGF1(algorithm()), algorithm(), label))
                self.assertEqual(bytes(self.session.decrypt(private, sealed, oaep)), MESSAGE)
                sealed = self.session.encrypt(public, MESSAGE, oaep)
                self.assertEqual(bytes(self.session.decrypt(private, sealed, oaep)), MESSAGE)
        self.assert_code(PyKCS11.CKR_ENCRYPTED_DATA_INVALID, self.session.decrypt, private, bytes([1] * 256), oaep)

    def test_encrypts_with_aes(self):
        value, iv = bytes(range(32)), bytes(range(16))
        key = self.aes(value)
        text = bytes(48)
        for number, mode in ((PyKCS11.CKM_AES_CBC, modes.CBC(iv)), (PyKCS11.CKM_AES_ECB, modes.ECB())):
            use = PyKCS11.Mechanism(number, iv if number == PyKCS11.CKM_AES_CBC else None)
            encryptor = Cipher(algorithms.AES(value), mode).encryptor()
            sealed = bytes(self.session.encrypt(key, text, use))
            self.assertEqual(sealed, encryptor.update(text) + encryptor.finalize())
            self.assertEqual(bytes(self.session.decrypt(key, sealed, use)), text)
        gcm = PyKCS11.AES_GCM_Mechanism(iv[:12], b"beside", 128)
        sealed = bytes(self.session.encrypt(key, MESSAGE, gcm))
        self.assertEqual(sealed, AESGCM(value).encrypt(iv[:12], MESSAGE, b"beside"))
        self.assertEqual(bytes(self.session.decrypt(key, sealed, gcm)), MESSAGE)
        self.assert_code(PyKCS11.CKR_ENCRYPTED_DATA_INVALID, self.session.decrypt, key, sealed[:-1] + b"\0", gcm)

    def wrapping_key(self):
        kek = self.session.generateKey([
            (PyKCS11.CKA_CLASS, PyKCS11.CKO_SECRET_KEY), (PyKCS11.CKA_KEY_TYPE, PyKCS11.CKK_AES), (PyKCS11.CKA_VALUE_LEN, 32),
            (PyKCS11.CKA_TOKEN, True), (PyKCS11.CKA_LABEL, "kek"), (PyKCS11.CKA_WRAP, True), (PyKCS11.CKA_UNWRAP, True),
            (PyKCS11.CKA_SENSITIVE, True), (PyKCS11.CKA_EXTRACTABLE, False)], PyKCS11.MechanismAESGENERATEKEY)
        self.addCleanup(self.session.destroyObject, kek)
        return kek

    def test_wraps_and_unwraps_private_keys(self):
        """PKCS#8 within RFC 5649, also of Edwards keys, whose PKCS#8 is of no round length."""
        kek, use = self.wrapping_key(), PyKCS11.Mechanism(PyKCS11.CKM_AES_KEY_WRAP_PAD)
        for generate, parameters, key_type, sign in (
                (EDWARDS_PAIR, [(PyKCS11.CKA_EC_PARAMS, ED25519)], CKK_EC_EDWARDS, CKM_EDDSA),
                (PyKCS11.CKM_EC_KEY_PAIR_GEN, [(PyKCS11.CKA_EC_PARAMS, P256)], PyKCS11.CKK_EC, PyKCS11.CKM_ECDSA_SHA256),
                (PyKCS11.CKM_RSA_PKCS_KEY_PAIR_GEN, [(PyKCS11.CKA_MODULUS_BITS, 2048)], PyKCS11.CKK_RSA,
                 PyKCS11.CKM_SHA256_RSA_PKCS)):
            public, private = self.session.generateKeyPair(
                [(PyKCS11.CKA_TOKEN, False), *parameters],
                [(PyKCS11.CKA_TOKEN, False), (PyKCS11.CKA_EXTRACTABLE, True)], mecha=PyKCS11.Mechanism(generate))
            wrapped = self.session.wrapKey(kek, private, use)
            back = self.session.unwrapKey(kek, wrapped, [
                (PyKCS11.CKA_CLASS, PyKCS11.CKO_PRIVATE_KEY), (PyKCS11.CKA_KEY_TYPE, key_type), (PyKCS11.CKA_SIGN, True)], use)
            signature = self.session.sign(back, MESSAGE, PyKCS11.Mechanism(sign))
            self.assertTrue(self.session.verify(public, MESSAGE, signature, PyKCS11.Mechanism(sign)))

    def test_wraps_and_unwraps(self):
        kek = self.wrapping_key()
        key = self.aes(bytes(range(16)), (PyKCS11.CKA_EXTRACTABLE, True))
        template = [(PyKCS11.CKA_CLASS, PyKCS11.CKO_SECRET_KEY), (PyKCS11.CKA_KEY_TYPE, PyKCS11.CKK_AES),
                    (PyKCS11.CKA_ENCRYPT, True)]
        for number in (PyKCS11.CKM_AES_KEY_WRAP, PyKCS11.CKM_AES_KEY_WRAP_PAD):
            use = PyKCS11.Mechanism(number)
            wrapped = self.session.wrapKey(kek, key, use)
            self.assert_is(self.session.unwrapKey(kek, wrapped, template, use), bytes(range(16)))
            self.assert_code(PyKCS11.CKR_WRAPPED_KEY_INVALID, self.session.unwrapKey, kek, bytes(24), template, use)
        public, private, other = self.rsa_pair()
        oaep = PyKCS11.RSAOAEPMechanism(PyKCS11.CKM_SHA256, PyKCS11.CKG_MGF1_SHA256)
        wrapped = other.encrypt(bytes(range(16)), padding.OAEP(padding.MGF1(hashes.SHA256()), hashes.SHA256(), None))
        self.assert_is(self.session.unwrapKey(private, wrapped, template, oaep), bytes(range(16)))

    def assert_is(self, key, value):
        """That a key, which cannot be read, has this value."""
        block = Cipher(algorithms.AES(value), modes.ECB()).encryptor().update(bytes(16))
        self.assertEqual(bytes(self.session.encrypt(key, bytes(16), PyKCS11.Mechanism(PyKCS11.CKM_AES_ECB))), block)
        self.assertEqual(self.session.getAttributeValue(key, [PyKCS11.CKA_VALUE]), [None])

    def test_derives(self):
        _, private, public = self.ec_pair()
        peer = ec.generate_private_key(ec.SECP256R1())
        numbers = peer.public_key().public_numbers()
        point = b"\x04" + numbers.x.to_bytes(32, "big") + numbers.y.to_bytes(32, "big")
        template = [(PyKCS11.CKA_CLASS, PyKCS11.CKO_SECRET_KEY), (PyKCS11.CKA_KEY_TYPE, PyKCS11.CKK_GENERIC_SECRET),
                    (PyKCS11.CKA_VALUE_LEN, 32), (PyKCS11.CKA_SENSITIVE, False), (PyKCS11.CKA_EXTRACTABLE, True)]
        for form in (point, b"\x04\x41" + point):  # bare, and as a DER OCTET STRING
            derived = self.session.deriveKey(private, template, PyKCS11.ECDH1_DERIVE_Mechanism(form))
            self.assertEqual(bytes(self.session.getAttributeValue(derived, [PyKCS11.CKA_VALUE])[0]),
                             peer.exchange(ec.ECDH(), public))

    def test_digests(self):
        self.assertEqual(bytes(self.session.digest(MESSAGE, PyKCS11.Mechanism(PyKCS11.CKM_SHA256))),
                         hashlib.sha256(MESSAGE).digest())
        running = self.session.digestSession(PyKCS11.Mechanism(PyKCS11.CKM_SHA512))
        running.update(MESSAGE)
        running.update(MESSAGE)
        self.assertEqual(bytes(running.final()), hashlib.sha512(MESSAGE * 2).digest())

    def test_authenticates(self):
        key = self.session.createObject([
            (PyKCS11.CKA_CLASS, PyKCS11.CKO_SECRET_KEY), (PyKCS11.CKA_KEY_TYPE, PyKCS11.CKK_GENERIC_SECRET),
            (PyKCS11.CKA_VALUE, b"a key for the code"), (PyKCS11.CKA_SIGN, True)])
        tag = self.session.sign(key, MESSAGE, PyKCS11.Mechanism(PyKCS11.CKM_SHA256_HMAC))
        self.assertEqual(bytes(tag), hmac.digest(b"a key for the code", MESSAGE, "sha256"))
        self.assertEqual(len(bytes(self.session.generateRandom(100))), 100)

    def test_reads_every_attribute_of_every_object(self):
        self.aes(bytes(16))
        self.rsa_pair()
        self.ec_pair()
        known = sorted({value for name, value in vars(PyKCS11).items() if name.startswith("CKA_") and isinstance(value, int)})
        for handle in self.session.findObjects():
            values = self.session.getAttributeValue(handle, known, allAsBinary=True)
            self.assertEqual(len(values), len(known))
            self.assertIsNotNone(values[known.index(PyKCS11.CKA_CLASS)])
            self.assertTrue(handle.to_dict()["CKA_CLASS"])

    def test_changes_and_finds(self):
        handle = self.session.createObject([(PyKCS11.CKA_CLASS, PyKCS11.CKO_DATA), (PyKCS11.CKA_TOKEN, True),
                                            (PyKCS11.CKA_LABEL, "note"), (PyKCS11.CKA_VALUE, b"some data")])
        self.session.setAttributeValue(handle, [(PyKCS11.CKA_LABEL, "changed"), (PyKCS11.CKA_OBJECT_ID, b"\x06\x01\x00")])
        self.assertEqual(self.session.findObjects([(PyKCS11.CKA_LABEL, "note")]), [])
        found = self.session.findObjects([(PyKCS11.CKA_LABEL, "changed"), (PyKCS11.CKA_CLASS, PyKCS11.CKO_DATA)])
        self.assertEqual(len(found), 1)
        self.session.destroyObject(found[0])
        self.assert_code(PyKCS11.CKR_OBJECT_HANDLE_INVALID, self.session.getAttributeValue, handle, [PyKCS11.CKA_LABEL])

    def test_objects_come_and_go_while_others_search(self):
        """Sessions of several threads; SoftHSM2 2.6.1 loses objects here."""
        troubles = []

        def work(number):
            try:
                session = self.library.openSession(self.slot, RW)
                for turn in range(10):
                    label = f"{number}.{turn}"
                    made = session.createObject([(PyKCS11.CKA_CLASS, PyKCS11.CKO_DATA), (PyKCS11.CKA_TOKEN, True),
                                                 (PyKCS11.CKA_LABEL, label), (PyKCS11.CKA_VALUE, b"x")])
                    if len(session.findObjects([(PyKCS11.CKA_LABEL, label)])) != 1:
                        troubles.append(f"{label} is not found")
                    session.findObjects()
                    session.destroyObject(made)
                session.closeSession()
            except PyKCS11.PyKCS11Error as error:
                troubles.append(str(error))
        threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.assertEqual(troubles, [])

    def test_a_session_survives_threads(self):
        """One session for all threads is allowed, if unwise: calls may refuse, nothing may break."""
        _, private, _ = self.ec_pair()
        codes = set()

        def work():
            for _ in range(20):
                try:
                    self.session.sign(private, MESSAGE, PyKCS11.Mechanism(PyKCS11.CKM_ECDSA_SHA256))
                except PyKCS11.PyKCS11Error as error:
                    codes.add(error.value)
        threads = [threading.Thread(target=work) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.assertLessEqual(codes, {PyKCS11.CKR_OPERATION_ACTIVE, PyKCS11.CKR_OPERATION_NOT_INITIALIZED})
        self.session.sign(private, MESSAGE, PyKCS11.Mechanism(PyKCS11.CKM_ECDSA_SHA256))

    def test_forks(self):
        child = os.fork()
        if child == 0:
            low = self.library.lib
            answer = low.C_Initialize()
            slots = LowLevel.ckintlist()
            low.C_GetSlotList(1, slots)
            os._exit(0 if answer == PyKCS11.CKR_OK and self.slot in list(slots) else 1)
        self.assertEqual(os.waitpid(child, 0)[1], 0)
        self.assertEqual(len(bytes(self.session.generateRandom(8))), 8)

    def test_pins(self):
        if not PIN:
            self.assert_code(PyKCS11.CKR_USER_PIN_NOT_INITIALIZED, self.session.login, "1234")
            return
        self.assert_code(PyKCS11.CKR_USER_ALREADY_LOGGED_IN, self.session.login, PIN)
        self.session.setPin(PIN, "567890")
        self.session.logout()
        self.assert_code(PyKCS11.CKR_PIN_INCORRECT, self.session.login, PIN)
        self.session.login("567890")
        self.session.setPin("567890", PIN)

    def test_a_locked_pin_is_opened_by_the_security_officer(self):
        if not PIN:
            self.assert_code(PyKCS11.CKR_USER_PIN_NOT_INITIALIZED, self.session.login, "12345678", PyKCS11.CKU_SO)
            return
        self.session.logout()
        for _ in range(10):
            self.assert_code(PyKCS11.CKR_PIN_INCORRECT, self.session.login, "999999")
        self.assert_code(PyKCS11.CKR_PIN_LOCKED, self.session.login, PIN)
        self.assertIn("CKF_USER_PIN_LOCKED", self.library.getTokenInfo(self.slot).flags2text())
        self.session.login(SO_PIN, PyKCS11.CKU_SO)
        self.session.initPin(PIN)
        self.session.logout()
        self.session.login(PIN)
        self.assertNotIn("CKF_USER_PIN_LOCKED", self.library.getTokenInfo(self.slot).flags2text())

    def test_opens_many_sessions(self):
        sessions = [self.library.openSession(self.slot, RW) for _ in range(500)]
        for session in sessions:
            session.closeSession()
        self.assertEqual(self.library.getTokenInfo(self.slot).ulSessionCount, 1)


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1], verbosity=2)
