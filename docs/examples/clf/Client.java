// A client of CLF, in Java with SunPKCS11: java Client CONFIG LARGE-FILE RESULT-FILE.
import java.io.*;
import java.nio.charset.StandardCharsets;
import java.security.*;
import java.util.Scanner;
import javax.crypto.*;
import javax.crypto.spec.IvParameterSpec;

public class Client {
    static final String MODE = "AES/CBC/PKCS5Padding";

    public static void main(String[] arguments) throws Exception {
        Provider token = Security.getProvider("SunPKCS11").configure(arguments[0]);
        KeyStore store = KeyStore.getInstance("PKCS11", token);
        store.load(null, null);
        Key key = store.getKey("files", null);
        if (key == null) throw new KeyStoreException("this program sees no key \"files\"");
        long lines = 0, sum = 0;
        try (InputStream file = new FileInputStream(arguments[1])) {
            Cipher cipher = Cipher.getInstance(MODE, token);
            cipher.init(Cipher.DECRYPT_MODE, key, new IvParameterSpec(file.readNBytes(16)));
            Scanner text = new Scanner(new CipherInputStream(new BufferedInputStream(file), cipher), StandardCharsets.US_ASCII);
            for (; text.hasNextLong(); lines++) sum += text.nextLong();
        }
        String result = "lines " + lines + ", sum " + sum + "\n";
        byte[] iv = new byte[16];
        SecureRandom.getInstance("PKCS11", token).nextBytes(iv);
        Cipher cipher = Cipher.getInstance(MODE, token);
        cipher.init(Cipher.ENCRYPT_MODE, key, new IvParameterSpec(iv));
        try (OutputStream file = new FileOutputStream(arguments[2])) {
            file.write(iv);
            file.write(cipher.doFinal(result.getBytes(StandardCharsets.US_ASCII)));
        }
        System.out.print(result);
    }
}
