// What create-secrets does: `secrets root` makes the root secret in the enclave, where it stays;
// `secrets volume NAME` derives the key of a volume from it (HKDF, with the volume's name), the
// same whenever it is asked for.

#include "token.h"

#ifndef CKM_HKDF_DERIVE  // PKCS#11 3.0, which older headers do not know
#define CKM_HKDF_DERIVE 0x402aUL
#define CKM_HKDF_KEY_GEN 0x402cUL
#define CKK_HKDF 0x42UL
#endif
enum { kNoSalt = 1, kVolumeKey = 64 };

// CK_HKDF_PARAMS
typedef struct {
  CK_BBOOL extract;
  CK_BBOOL expand;
  CK_MECHANISM_TYPE hash;
  CK_ULONG salt_type;
  CK_BYTE_PTR salt;
  CK_ULONG salt_size;
  CK_OBJECT_HANDLE salt_key;
  CK_BYTE_PTR info;
  CK_ULONG info_size;
} Hkdf;

// Another build is another program, and has another measurement.
__attribute__((used)) static const char kRelease[] = "release " RELEASE;

enum { kAttributes = 9 };

// What is said of a new secret: a root is derived from and stays, what is derived may be released.
static void Describe(CK_ATTRIBUTE wanted[kAttributes], CK_KEY_TYPE* type, CK_ULONG* size,
                     char* label, int is_root) {
  static CK_BBOOL yes = CK_TRUE, no = CK_FALSE;
  static CK_OBJECT_CLASS secret = CKO_SECRET_KEY;
  const CK_ATTRIBUTE all[kAttributes] = {{CKA_CLASS, &secret, sizeof secret},
                                         {CKA_KEY_TYPE, type, sizeof *type},
                                         {CKA_VALUE_LEN, size, sizeof *size},
                                         {CKA_LABEL, label, strlen(label)},
                                         {CKA_TOKEN, &yes, 1},
                                         {CKA_PRIVATE, &yes, 1},
                                         {CKA_SENSITIVE, &yes, 1},
                                         {CKA_DERIVE, is_root ? &yes : &no, 1},
                                         {CKA_EXTRACTABLE, is_root ? &no : &yes, 1}};
  for (int i = 0; i < kAttributes; ++i) wanted[i] = all[i];
}

static void MakeRoot(void) {
  CK_ATTRIBUTE wanted[kAttributes];
  CK_KEY_TYPE type = CKK_HKDF;
  CK_ULONG size = 32;
  CK_MECHANISM generate = {CKM_HKDF_KEY_GEN, NULL, 0};
  CK_OBJECT_HANDLE root = 0;
  Describe(wanted, &type, &size, "root", 1);
  Must(p11->C_GenerateKey(session, &generate, wanted, kAttributes, &root), "C_GenerateKey");
}

static void DeriveVolume(const char* name) {
  char label[128];
  snprintf(label, sizeof label, "volume/%s", name);
  CK_ATTRIBUTE wanted[kAttributes];
  CK_KEY_TYPE type = CKK_GENERIC_SECRET;
  CK_ULONG size = kVolumeKey;
  Hkdf hkdf = {.extract = CK_TRUE,
               .expand = CK_TRUE,
               .hash = CKM_SHA256,
               .salt_type = kNoSalt,
               .info = (CK_BYTE_PTR)label,
               .info_size = strlen(label)};
  CK_MECHANISM derive = {CKM_HKDF_DERIVE, &hkdf, sizeof hkdf};
  CK_OBJECT_HANDLE volume = 0;
  Describe(wanted, &type, &size, label, 0);
  const CK_OBJECT_HANDLE root = Find(CKO_SECRET_KEY, "root");
  Must(p11->C_DeriveKey(session, &derive, root, wanted, kAttributes, &volume), "C_DeriveKey");
  printf("derived %s\n", label);
}

int main(int count, char** arguments) {
  OpenToken("mesh");
  if (count == 2 && strcmp(arguments[1], "root") == 0) {
    MakeRoot();
  } else if (count == 3 && strcmp(arguments[1], "volume") == 0) {
    DeriveVolume(arguments[2]);
  } else {
    End("usage: secrets root | secrets volume NAME", "");
  }
  return 0;
}
