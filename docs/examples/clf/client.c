// A client of CLF, in C: get_key, get_file_size, get_file_2_buff and put_result, over PKCS#11.
//
//   client LARGE-FILE

#include "token.h"

// Another build is another program, and has another measurement.
__attribute__((used)) static const char kRelease[] = "release " RELEASE;

enum { kPart = 256 * 1024, kBlock = 16 };

typedef struct {
  unsigned long lines, sum, number;
} Sums;

// Adds up the numbers of lines, which may be cut anywhere.
static void Add(Sums* sums, const unsigned char* text, size_t size) {
  for (size_t i = 0; i < size; ++i) {
    if (text[i] == '\n') {
      sums->lines += 1;
      sums->sum += sums->number;
      sums->number = 0;
    } else if (text[i] >= '0' && text[i] <= '9') {
      sums->number = 10 * sums->number + (text[i] - '0');
    }
  }
}

// A file of any length, decrypted in the enclave part by part.
static Sums AddFile(CK_OBJECT_HANDLE key, const char* path) {
  static unsigned char sealed[kPart], text[kPart + kBlock];
  unsigned char iv[kBlock];
  Sums sums = {0, 0, 0};
  CK_MECHANISM cbc = {CKM_AES_CBC_PAD, iv, sizeof iv};
  FILE* file = fopen(path, "rb");
  if (file == NULL || fread(iv, 1, sizeof iv, file) != sizeof iv) End("cannot be read: ", path);
  Must(p11->C_DecryptInit(session, &cbc, key), "C_DecryptInit");
  CK_ULONG size = 0;
  for (size_t got = 0; (got = fread(sealed, 1, sizeof sealed, file)) > 0;) {
    size = sizeof text;
    Must(p11->C_DecryptUpdate(session, sealed, got, text, &size), "C_DecryptUpdate");
    Add(&sums, text, size);
  }
  size = sizeof text;
  Must(p11->C_DecryptFinal(session, text, &size), "C_DecryptFinal");
  Add(&sums, text, size);
  fclose(file);
  return sums;
}

static void PutResult(char* label, char* text) {
  CK_OBJECT_CLASS class = CKO_DATA;
  CK_BBOOL yes = CK_TRUE;
  CK_ATTRIBUTE wanted[] = {{CKA_CLASS, &class, sizeof class},
                           {CKA_TOKEN, &yes, 1},
                           {CKA_PRIVATE, &yes, 1},
                           {CKA_LABEL, label, strlen(label)},
                           {CKA_VALUE, text, strlen(text)}};
  CK_OBJECT_HANDLE object = 0;
  Must(p11->C_CreateObject(session, wanted, 5, &object), "C_CreateObject");
}

int main(int count, char** arguments) {
  if (count != 2) End("usage: client LARGE-FILE", "");
  OpenToken("clf");
  CK_ULONG size = 0;
  ReadData("secret", &size);
  printf("key: %lu bytes\n", size);
  const unsigned char* model = ReadData("model.json", &size);
  printf("model.json: %lu bytes, begins with %.16s\n", size, (const char*)model);
  const Sums sums = AddFile(Find(CKO_SECRET_KEY, "files"), arguments[1]);
  char result[128];
  snprintf(result, sizeof result, "lines %lu, sum %lu\n", sums.lines, sums.sum);
  PutResult("result/c", result);
  printf("%s", result);
  return 0;
}
