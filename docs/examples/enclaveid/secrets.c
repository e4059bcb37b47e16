// What create-secrets does. `secrets root` makes the root secret in the enclave, and derives an
// intermediate one from it (HKDF); `secrets volume NAME` derives the key of a volume from that, the
// same whenever it is asked for. Root and intermediate stay.

#include "token.h"

// PKCS#11 3.0, which older headers do not know.
#ifndef CKM_HKDF_DERIVE
#define CKM_HKDF_DERIVE 0x402aUL
#endif
#ifndef CKM_HKDF_KEY_GEN
#define CKM_HKDF_KEY_GEN 0x402cUL
#endif
#ifndef CKK_HKDF
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

// What is said of a new secret: one that others are derived from stays, a volume's may be released.
static void Describe(CK_ATTRIBUTE wanted[kAttributes], CK_KEY_TYPE* type, CK_ULONG* size,
                     char* label, int is_base) {
  static CK_BBOOL yes = CK_TRUE, no = CK_FALSE;
  static CK_OBJECT_CLASS secret = CKO_SECRET_KEY;
  const CK_ATTRIBUTE all[kAttributes] = {{CKA_CLASS, &secret, sizeof secret},
                                         {CKA_KEY_TYPE, type, sizeof *type},
                                         {CKA_VALUE_LEN, size, sizeof *size},
                                         {CKA_LABEL, label, strlen(label)},
                                         {CKA_TOKEN, &yes, 1},
                                         {CKA_PRIVATE, &yes, 1},
                                         {CKA_SENSITIVE, &yes, 1},
                                         {CKA_DERIVE, is_base ? &yes : &no, 1},
                                         {CKA_EXTRACTABLE, is_base ? &no : &yes, 1}};
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

// By HKDF, with the new secret's label.
static void Derive(const char* from, char* label, CK_KEY_TYPE type, CK_ULONG size, int is_base) {
  CK_ATTRIBUTE wanted[kAttributes];
  Hkdf hkdf = {.extract = CK_TRUE,
               .expand = CK_TRUE,
               .hash = CKM_SHA256,
               .salt_type = kNoSalt,
               .info = (CK_BYTE_PTR)label,
               .info_size = strlen(label)};
  CK_MECHANISM derive = {CKM_HKDF_DERIVE, &hkdf, sizeof hkdf};
  CK_OBJECT_HANDLE derived = 0;
  Describe(wanted, &type, &size, label, is_base);
  const CK_OBJECT_HANDLE base = Find(CKO_SECRET_KEY, from);
  Must(p11->C_DeriveKey(session, &derive, base, wanted, kAttributes, &derived), "C_DeriveKey");
  printf("derived %s from %s\n", label, from);
}

int main(int count, char** arguments) {
  OpenToken("mesh");
  if (count == 2 && strcmp(arguments[1], "root") == 0) {
    MakeRoot();
    Derive("root", "intermediate", CKK_HKDF, 32, 1);
  } else if (count == 3 && strcmp(arguments[1], "volume") == 0) {
    char label[128];
    snprintf(label, sizeof label, "volume/%s", arguments[2]);
    Derive("intermediate", label, CKK_GENERIC_SECRET, kVolumeKey, 0);
  } else {
    End("usage: secrets root | secrets volume NAME", "");
  }
  return 0;
}
