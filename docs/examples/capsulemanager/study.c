// The application of the study: opens the clinic's and the registry's records with their keys,
// which stay in the enclave, counts how often they agree, and writes the counts, sealed under a new
// key that is made of both.
//
//   study CLINIC-KEY CLINIC-FILE REGISTRY-KEY REGISTRY-FILE RESULT-KEY RESULT-FILE
//
// A sealed file is an initialisation vector of 16 bytes, then AES-CBC with padding.

#include "token.h"

// Another build is another program, and has another measurement.
__attribute__((used)) static const char kRelease[] = "release " RELEASE;

typedef struct {
  CK_OBJECT_HANDLE key;
  char* text;
} Records;

static CK_MECHANISM Cbc(unsigned char* iv) { return (CK_MECHANISM){CKM_AES_CBC_PAD, iv, 16}; }

static Records OpenRecords(const char* label, const char* path) {
  static unsigned char sealed[1 << 16];
  FILE* file = fopen(path, "rb");
  if (file == NULL) End("cannot be read: ", path);
  const size_t size = fread(sealed, 1, sizeof sealed, file);
  fclose(file);
  if (size < 32) End("too short: ", path);
  Records records = {Find(CKO_SECRET_KEY, label), calloc(1, size)};
  if (records.text == NULL) End("no memory for ", path);
  CK_MECHANISM cbc = Cbc(sealed);
  Must(p11->C_DecryptInit(session, &cbc, records.key), "C_DecryptInit");
  CK_ULONG length = size - 1;
  Must(p11->C_Decrypt(session, sealed + 16, size - 16, (unsigned char*)records.text, &length),
       "C_Decrypt");
  return records;
}

// A new AES key, made of both. What is made of keys answers to their policies, too: whoever uses it
// has to satisfy both.
static CK_OBJECT_HANDLE MakeResultKey(CK_OBJECT_HANDLE first, CK_OBJECT_HANDLE second,
                                      char* label) {
  char parents[128];
  snprintf(parents, sizeof parents, "%s, both parents", label);
  CK_OBJECT_CLASS class = CKO_SECRET_KEY;
  CK_KEY_TYPE generic = CKK_GENERIC_SECRET, aes = CKK_AES;
  CK_BBOOL yes = CK_TRUE, no = CK_FALSE;
  CK_ULONG size = 32;
  CK_ATTRIBUTE joined[] = {{CKA_CLASS, &class, sizeof class},
                           {CKA_KEY_TYPE, &generic, sizeof generic},
                           {CKA_TOKEN, &yes, 1},
                           {CKA_LABEL, parents, strlen(parents)},
                           {CKA_DERIVE, &yes, 1}};
  CK_MECHANISM join = {CKM_CONCATENATE_BASE_AND_KEY, &second, sizeof second};
  CK_OBJECT_HANDLE both = 0, result = 0;
  Must(p11->C_DeriveKey(session, &join, first, joined, 5, &both), "C_DeriveKey (join)");
  CK_ATTRIBUTE made[] = {{CKA_CLASS, &class, sizeof class},
                         {CKA_KEY_TYPE, &aes, sizeof aes},
                         {CKA_VALUE_LEN, &size, sizeof size},
                         {CKA_TOKEN, &yes, 1},
                         {CKA_PRIVATE, &yes, 1},
                         {CKA_SENSITIVE, &yes, 1},
                         {CKA_EXTRACTABLE, &yes, 1},
                         {CKA_ENCRYPT, &yes, 1},
                         {CKA_DECRYPT, &no, 1},
                         {CKA_LABEL, label, strlen(label)}};
  CK_MECHANISM hash = {CKM_SHA256_KEY_DERIVATION, NULL, 0};
  Must(p11->C_DeriveKey(session, &hash, both, made, 10, &result), "C_DeriveKey (hash)");
  return result;
}

static void WriteSealed(CK_OBJECT_HANDLE key, char* text, const char* path) {
  unsigned char iv[16], sealed[1 << 12];
  Must(p11->C_GenerateRandom(session, iv, sizeof iv), "C_GenerateRandom");
  CK_MECHANISM cbc = Cbc(iv);
  CK_ULONG size = sizeof sealed;
  Must(p11->C_EncryptInit(session, &cbc, key), "C_EncryptInit");
  Must(p11->C_Encrypt(session, (unsigned char*)text, strlen(text), sealed, &size), "C_Encrypt");
  FILE* file = fopen(path, "wb");
  if (file == NULL || fwrite(iv, 1, sizeof iv, file) != sizeof iv ||
      fwrite(sealed, 1, size, file) != size || fclose(file) != 0)
    End("cannot be written: ", path);
}

// How many persons of the first have a line, and how many the same line, in the second.
static void Count(char* first, const char* second, char* out, size_t room) {
  int known = 0, same = 0;
  for (char* line = strtok(first, "\n"); line != NULL; line = strtok(NULL, "\n")) {
    const char* comma = strchr(line, ',');
    if (comma == NULL) continue;
    char person[64], whole[128];
    snprintf(person, sizeof person, "%.*s,", (int)(comma - line), line);
    snprintf(whole, sizeof whole, "%s\n", line);
    known += strstr(second, person) != NULL;
    same += strstr(second, whole) != NULL;
  }
  snprintf(out, room, "known to both: %d\nof the same code: %d\n", known, same);
}

int main(int count, char** arguments) {
  if (count != 7) End("usage: study KEY FILE KEY FILE RESULT-KEY RESULT-FILE", "");
  OpenToken("study");
  const Records clinic = OpenRecords(arguments[1], arguments[2]);
  const Records registry = OpenRecords(arguments[3], arguments[4]);
  char counts[256];
  Count(clinic.text, registry.text, counts, sizeof counts);
  WriteSealed(MakeResultKey(clinic.key, registry.key, arguments[5]), counts, arguments[6]);
  printf("the result is in %s\n", arguments[6]);
  return 0;
}
