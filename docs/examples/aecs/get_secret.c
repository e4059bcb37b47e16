/* A program that gets its secret from the enclave, by PKCS#11: what aecs_client_get_secret_buffer
 * and aecs_client_create_ta_secret are in AECS.
 *
 *   get_secret TOKEN NAME              writes the secret to standard output
 *   get_secret --create TOKEN NAME     makes one of standard input, under the token's default
 * policy
 *
 * cc -o get_secret get_secret.c $(pkg-config --cflags p11-kit-1) -ldl
 *
 * The module proves what this program is, and the enclave decides by the secret's policy. Which
 * enclave it talks to, and what it expects that one to be, is in client.yaml (KEYCLAVE_CONFIG). */
#include <dlfcn.h>
#include <p11-kit/pkcs11.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { kMaxSecret = 1 << 20 };

static int Failed(const char* what, CK_RV rv) {
  fprintf(stderr, "get_secret: %s: 0x%lx\n", what, rv);
  return 1;
}

/* The slot of the token with this label, which PKCS#11 pads with blanks. */
static CK_RV FindToken(CK_FUNCTION_LIST* p11, const char* label, CK_SLOT_ID* slot) {
  CK_SLOT_ID slots[64];
  CK_ULONG count = 64;
  CK_RV rv = p11->C_GetSlotList(CK_TRUE, slots, &count);
  if (rv != CKR_OK) return rv;
  for (CK_ULONG i = 0; i < count; ++i) {
    CK_TOKEN_INFO info;
    unsigned char padded[sizeof info.label];
    memset(padded, ' ', sizeof padded);
    memcpy(padded, label, strnlen(label, sizeof padded));
    if (p11->C_GetTokenInfo(slots[i], &info) != CKR_OK) continue;
    if (memcmp(info.label, padded, sizeof padded) != 0) continue;
    *slot = slots[i];
    return CKR_OK;
  }
  return CKR_SLOT_ID_INVALID;
}

static int Get(CK_FUNCTION_LIST* p11, CK_SESSION_HANDLE session, char* name) {
  CK_OBJECT_CLASS data = CKO_DATA;
  CK_ATTRIBUTE wanted[] = {{CKA_CLASS, &data, sizeof data}, {CKA_LABEL, name, strlen(name)}};
  CK_OBJECT_HANDLE object = CK_INVALID_HANDLE;
  CK_ULONG found = 0;
  CK_RV rv = p11->C_FindObjectsInit(session, wanted, 2);
  if (rv == CKR_OK) rv = p11->C_FindObjects(session, &object, 1, &found);
  p11->C_FindObjectsFinal(session);
  if (rv != CKR_OK) return Failed("C_FindObjects", rv);
  if (found == 0) {
    fprintf(stderr, "get_secret: there is no %s here, or it is not for this program\n", name);
    return 1;
  }
  CK_ATTRIBUTE value = {CKA_VALUE, NULL, 0};
  rv = p11->C_GetAttributeValue(session, object, &value, 1);
  if (rv != CKR_OK) return Failed("C_GetAttributeValue", rv);
  value.pValue = malloc(value.ulValueLen + 1);
  if (value.pValue == NULL) return Failed("malloc", CKR_HOST_MEMORY);
  rv = p11->C_GetAttributeValue(session, object, &value, 1);
  if (rv == CKR_OK) fwrite(value.pValue, 1, value.ulValueLen, stdout);
  explicit_bzero(value.pValue, value.ulValueLen);
  free(value.pValue);
  return rv == CKR_OK ? 0 : Failed("C_GetAttributeValue", rv);
}

/* Whoever makes it is who may have it: the token's policy says `bind: self`. */
static int Create(CK_FUNCTION_LIST* p11, CK_SESSION_HANDLE session, char* name) {
  static unsigned char secret[kMaxSecret];
  const size_t size = fread(secret, 1, sizeof secret, stdin);
  CK_OBJECT_CLASS data = CKO_DATA;
  CK_BBOOL yes = CK_TRUE;
  CK_ATTRIBUTE made[] = {{CKA_CLASS, &data, sizeof data},
                         {CKA_TOKEN, &yes, sizeof yes},
                         {CKA_PRIVATE, &yes, sizeof yes},
                         {CKA_LABEL, name, strlen(name)},
                         {CKA_VALUE, secret, size}};
  CK_OBJECT_HANDLE object = CK_INVALID_HANDLE;
  const CK_RV rv = p11->C_CreateObject(session, made, 5, &object);
  explicit_bzero(secret, sizeof secret);
  return rv == CKR_OK ? 0 : Failed("C_CreateObject", rv);
}

int main(int argc, char** argv) {
  const int creates = argc == 4 && strcmp(argv[1], "--create") == 0;
  if (argc != 3 && !creates) {
    fprintf(stderr, "usage: get_secret [--create] TOKEN NAME\n");
    return 2;
  }
  const char* path = getenv("KEYCLAVE_PKCS11_MODULE");
  void* module = dlopen(path != NULL ? path : "keyclave-pkcs11.so", RTLD_NOW);
  if (module == NULL) {
    fprintf(stderr, "get_secret: %s\n", dlerror());
    return 1;
  }
  CK_C_GetFunctionList list = (CK_C_GetFunctionList)dlsym(module, "C_GetFunctionList");
  CK_FUNCTION_LIST* p11 = NULL;
  CK_SLOT_ID slot = 0;
  CK_SESSION_HANDLE session = CK_INVALID_HANDLE;
  CK_RV rv = list == NULL ? CKR_FUNCTION_NOT_SUPPORTED : list(&p11);
  if (rv == CKR_OK) rv = p11->C_Initialize(NULL);
  if (rv != CKR_OK) return Failed("C_Initialize", rv);
  rv = FindToken(p11, argv[argc - 2], &slot);
  if (rv == CKR_OK)
    rv = p11->C_OpenSession(slot, CKF_SERIAL_SESSION | CKF_RW_SESSION, NULL, NULL, &session);
  const int code = rv != CKR_OK ? Failed(argv[argc - 2], rv)
                   : creates    ? Create(p11, session, argv[3])
                                : Get(p11, session, argv[2]);
  p11->C_Finalize(NULL);
  return code;
}
