// What Java programs do with SunPKCS11: `java SunPkcs11 CONFIG PIN`. Every check throws; "done" is the last line.
import java.io.File;
import java.security.*;
import java.security.cert.Certificate;
import java.security.spec.*;
import java.util.Arrays;
import java.util.Collections;
import javax.crypto.*;
import javax.crypto.spec.*;

public class SunPkcs11 {
    static final byte[] MESSAGE = "what is signed".getBytes();
    static Provider token;
    static KeyStore store;
    static char[] pin;

    static void check(boolean good, String what) {
        if (!good) throw new AssertionError(what);
        System.out.println(what);
    }

    public static void main(String[] arguments) throws Exception {
        token = Security.getProvider("SunPKCS11").configure(arguments[0]);
        pin = arguments[1].toCharArray();
        store = KeyStore.getInstance("PKCS11", token);
        store.load(null, pin);
        signWithStoredKeys();
        signWithNewKeys();
        decrypt();
        encryptWithAes();
        authenticate();
        agree();
        keepEntries();
        System.out.println("done");
    }

    // Signed by the token, verified by the token and by Java's own implementation.
    static void roundTrip(String algorithm, AlgorithmParameterSpec parameters, PrivateKey key, PublicKey publicKey, Provider other)
            throws Exception {
        Signature signer = Signature.getInstance(algorithm, token);
        if (parameters != null) signer.setParameter(parameters);
        signer.initSign(key);
        signer.update(MESSAGE, 0, 5);
        signer.update(MESSAGE, 5, MESSAGE.length - 5);
        byte[] signature = signer.sign();
        for (Provider provider : new Provider[] {token, other}) {
            PublicKey itsKey = provider == token ? publicKey
                : KeyFactory.getInstance(publicKey.getAlgorithm(), other).generatePublic(new X509EncodedKeySpec(publicKey.getEncoded()));
            Signature verifier = Signature.getInstance(algorithm, provider);
            if (parameters != null) verifier.setParameter(parameters);
            verifier.initVerify(itsKey);
            verifier.update(MESSAGE);
            check(verifier.verify(signature), algorithm + " verified by " + provider.getName());
            verifier.initVerify(itsKey);
            verifier.update((byte) 0);
            check(!verifier.verify(signature), algorithm + " refused by " + provider.getName());
        }
    }

    static void signWithStoredKeys() throws Exception {
        Provider rsa = Security.getProvider("SunRsaSign"), ec = Security.getProvider("SunEC");
        PrivateKey key = (PrivateKey) store.getKey("rsa", null);
        PublicKey publicKey = store.getCertificate("rsa").getPublicKey();
        for (String hash : new String[] {"SHA1", "SHA224", "SHA256", "SHA384", "SHA512"})
            roundTrip(hash + "withRSA", null, key, publicKey, rsa);
        for (String hash : new String[] {"SHA-256", "SHA-384", "SHA-512"}) {
            int salt = Integer.parseInt(hash.substring(4)) / 8;
            roundTrip("RSASSA-PSS", new PSSParameterSpec(hash, "MGF1", new MGF1ParameterSpec(hash), salt, 1), key, publicKey, rsa);
        }
        key = (PrivateKey) store.getKey("ec", null);
        publicKey = store.getCertificate("ec").getPublicKey();
        for (String hash : new String[] {"SHA1", "SHA224", "SHA256", "SHA384", "SHA512"}) {
            roundTrip(hash + "withECDSA", null, key, publicKey, ec);
            roundTrip(hash + "withECDSAinP1363Format", null, key, publicKey, ec);  // two halves of equal length
        }
    }

    static void signWithNewKeys() throws Exception {
        KeyPairGenerator generator = KeyPairGenerator.getInstance("RSA", token);
        generator.initialize(2048);
        KeyPair pair = generator.generateKeyPair();
        roundTrip("SHA256withRSA", null, pair.getPrivate(), pair.getPublic(), Security.getProvider("SunRsaSign"));
        for (String curve : new String[] {"secp256r1", "secp384r1", "secp521r1"}) {
            generator = KeyPairGenerator.getInstance("EC", token);
            generator.initialize(new ECGenParameterSpec(curve));
            pair = generator.generateKeyPair();
            roundTrip("SHA512withECDSA", null, pair.getPrivate(), pair.getPublic(), Security.getProvider("SunEC"));
        }
    }

    static void decrypt() throws Exception {
        PublicKey publicKey = store.getCertificate("rsa").getPublicKey();
        Cipher encrypt = Cipher.getInstance("RSA/ECB/PKCS1Padding", "SunJCE");
        encrypt.init(Cipher.ENCRYPT_MODE, publicKey);
        Cipher decrypt = Cipher.getInstance("RSA/ECB/PKCS1Padding", token);
        decrypt.init(Cipher.DECRYPT_MODE, store.getKey("rsa", null));
        check(Arrays.equals(decrypt.doFinal(encrypt.doFinal(MESSAGE)), MESSAGE), "RSA decryption");
    }

    static void encryptWithAes() throws Exception {
        KeyGenerator generator = KeyGenerator.getInstance("AES", token);
        generator.init(256);
        SecretKey made = generator.generateKey();
        byte[] value = new byte[16];
        Arrays.fill(value, (byte) 7);
        SecretKey known = new SecretKeySpec(value, "AES");
        IvParameterSpec iv = new IvParameterSpec(new byte[16]);
        byte[] text = new byte[1000];
        for (String mode : new String[] {"CBC/PKCS5Padding", "CTR/NoPadding", "GCM/NoPadding", "ECB/PKCS5Padding"}) {
            AlgorithmParameterSpec parameters = mode.startsWith("GCM") ? new GCMParameterSpec(128, new byte[12]) : iv;
            if (mode.startsWith("ECB")) parameters = null;
            Cipher cipher = Cipher.getInstance("AES/" + mode, token);
            cipher.init(Cipher.ENCRYPT_MODE, known, parameters);
            byte[] sealed = cipher.doFinal(text);
            Cipher other = Cipher.getInstance("AES/" + mode, "SunJCE");
            other.init(Cipher.DECRYPT_MODE, known, parameters);
            check(Arrays.equals(other.doFinal(sealed), text), "AES/" + mode + " opened by SunJCE");
            cipher.init(Cipher.ENCRYPT_MODE, made, parameters);
            sealed = cipher.doFinal(text);
            cipher.init(Cipher.DECRYPT_MODE, made, parameters);
            check(Arrays.equals(cipher.doFinal(sealed), text), "AES/" + mode + " with a key of the token");
        }
    }

    static void authenticate() throws Exception {
        SecretKey known = new SecretKeySpec("a key for the code".getBytes(), "Generic");
        for (String name : new String[] {"HmacSHA1", "HmacSHA224", "HmacSHA256", "HmacSHA384", "HmacSHA512"}) {
            Mac mac = Mac.getInstance(name, token), other = Mac.getInstance(name, "SunJCE");
            mac.init(known);
            other.init(known);
            check(Arrays.equals(mac.doFinal(MESSAGE), other.doFinal(MESSAGE)), name);
        }
        check(Arrays.equals(MessageDigest.getInstance("SHA-256", token).digest(MESSAGE),
            MessageDigest.getInstance("SHA-256", "SUN").digest(MESSAGE)), "SHA-256");
        byte[] random = new byte[64];
        SecureRandom.getInstance("PKCS11", token).nextBytes(random);
        check(!Arrays.equals(random, new byte[64]), "random bytes");
    }

    static void agree() throws Exception {
        ECGenParameterSpec curve = new ECGenParameterSpec("secp256r1");
        KeyPairGenerator ours = KeyPairGenerator.getInstance("EC", token), theirs = KeyPairGenerator.getInstance("EC", "SunEC");
        ours.initialize(curve);
        theirs.initialize(curve);
        KeyPair one = ours.generateKeyPair(), two = theirs.generateKeyPair();
        KeyAgreement here = KeyAgreement.getInstance("ECDH", token), there = KeyAgreement.getInstance("ECDH", "SunEC");
        here.init(one.getPrivate());
        here.doPhase(two.getPublic(), true);
        there.init(two.getPrivate());
        there.doPhase(one.getPublic(), true);
        check(Arrays.equals(here.generateSecret(), there.generateSecret()), "ECDH");
    }

    // Imported, listed, used and deleted by alias.
    static void keepEntries() throws Exception {
        KeyStore file = KeyStore.getInstance(new File("imported.p12"), "password".toCharArray());
        Certificate[] chain = file.getCertificateChain("imported");
        store.setKeyEntry("imported", file.getKey("imported", "password".toCharArray()), null, chain);
        byte[] value = new byte[32];
        Arrays.fill(value, (byte) 9);
        store.setKeyEntry("secret", new SecretKeySpec(value, "AES"), null, null);
        store = KeyStore.getInstance("PKCS11", token);
        store.load(null, pin);
        check(store.isKeyEntry("imported") && store.isKeyEntry("secret"), "entries are kept");
        check(store.getCertificateChain("imported")[0].equals(chain[0]), "a chain is kept");
        roundTrip("SHA256withRSA", null, (PrivateKey) store.getKey("imported", null), chain[0].getPublicKey(),
            Security.getProvider("SunRsaSign"));
        for (String alias : new String[] {"imported", "secret"}) store.deleteEntry(alias);
        store.load(null, pin);
        check(Collections.list(store.aliases()).size() == 2, "entries are deleted");
    }
}
