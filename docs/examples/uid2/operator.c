// The operator: answers `refresh` (reads its API token anew, as it would before it asks its core
// service) and `token WHOM` (an advertising token: whom it is for, encrypted under a key that stays
// in the enclave), a line each, until its input ends. What is refused it says, and goes on: that
// its allow-list has changed is no reason to stop serving what it still may.

#include "token.h"

// Another build is another program, and has another measurement.
__attribute__((used)) static const char kRelease[] = "release " RELEASE;

static void Print(const char* what, const unsigned char* data, size_t size) {
  printf("%s ", what);
  for (size_t i = 0; i < size; ++i) printf("%02x", data[i]);
  printf("\n");
}

// Shows that it has the token, and not the token.
static void Refresh(void) {
  CK_ULONG size = 0, length = 32;
  unsigned char digest[32];
  unsigned char* token = ReadData("core_api_token", &size);
  CK_MECHANISM sha256 = {CKM_SHA256, NULL, 0};
  Must(p11->C_DigestInit(session, &sha256), "C_DigestInit");
  Must(p11->C_Digest(session, token, size, digest, &length), "C_Digest");
  free(token);
  Print("core_api_token, SHA-256", digest, length);
}

static void Token(CK_OBJECT_HANDLE key, char* whom) {
  enum { kIv = 12 };
  unsigned char sealed[512];  // behind its initialisation vector
  CK_ULONG size = sizeof sealed - kIv;
  Must(p11->C_GenerateRandom(session, sealed, kIv), "C_GenerateRandom");
  CK_GCM_PARAMS gcm = {sealed, kIv, 8 * kIv, NULL, 0, 128};
  CK_MECHANISM mechanism = {CKM_AES_GCM, &gcm, sizeof gcm};
  Must(p11->C_EncryptInit(session, &mechanism, key), "C_EncryptInit");
  const CK_RV rv = p11->C_Encrypt(session, (unsigned char*)whom, strlen(whom), sealed + kIv, &size);
  if (rv != CKR_OK) {
    printf("refused 0x%lx\n", rv);
    return;
  }
  Print("token", sealed, kIv + size);
}

int main(void) {
  char line[256];
  setvbuf(stdout, NULL, _IOLBF, 0);
  OpenToken("operator");
  const CK_OBJECT_HANDLE key = Find(CKO_SECRET_KEY, "identity");
  Refresh();
  while (fgets(line, sizeof line, stdin) != NULL) {
    line[strcspn(line, "\n")] = 0;
    if (strcmp(line, "refresh") == 0) Refresh();
    if (strncmp(line, "token ", 6) == 0) Token(key, line + 6);
  }
  return 0;
}
