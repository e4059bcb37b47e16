// What the example programs share: the PKCS#11 module, one session with one token, and objects by
// their label. Any failure ends the program with the call's name and its return value. A caller
// whom no policy knows does not even see the token.
#pragma once

#include <dlfcn.h>
#include <p11-kit/pkcs11.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static CK_FUNCTION_LIST* p11;
static CK_SESSION_HANDLE session;

static inline void End(const char* what, const char* which) {
  fprintf(stderr, "%s%s\n", what, which);
  exit(1);
}

static inline void Must(CK_RV rv, const char* call) {
  if (rv == CKR_OK) return;
  fprintf(stderr, "%s: 0x%lx%s\n", call, rv,
          rv == CKR_KEY_FUNCTION_NOT_PERMITTED ? " (CKR_KEY_FUNCTION_NOT_PERMITTED)" : "");
  exit(1);
}

// Whether a padded label, as tokens have them, is this text.
static inline int HasLabel(const unsigned char* label, size_t size, const char* text) {
  const size_t length = strlen(text);
  if (length > size || strncmp((const char*)label, text, length) != 0) return 0;
  for (size_t i = length; i < size; ++i) {
    if (label[i] != ' ') return 0;
  }
  return 1;
}

static inline void OpenToken(const char* label) {
  const char* path = getenv("MODULE");
  void* module = dlopen(path != NULL ? path : "keyclave-pkcs11.so", RTLD_NOW);
  if (module == NULL) End("the module cannot be loaded: ", dlerror());
  CK_C_GetFunctionList list = (CK_C_GetFunctionList)dlsym(module, "C_GetFunctionList");
  if (list == NULL) End("no C_GetFunctionList: ", dlerror());
  Must(list(&p11), "C_GetFunctionList");
  Must(p11->C_Initialize(NULL), "C_Initialize");
  CK_SLOT_ID slots[64];
  CK_ULONG count = 64;
  Must(p11->C_GetSlotList(CK_TRUE, slots, &count), "C_GetSlotList");
  for (CK_ULONG i = 0; i < count; ++i) {
    CK_TOKEN_INFO info;
    if (p11->C_GetTokenInfo(slots[i], &info) != CKR_OK) continue;
    if (!HasLabel(info.label, sizeof info.label, label)) continue;
    const CK_FLAGS flags = CKF_SERIAL_SESSION | CKF_RW_SESSION;
    Must(p11->C_OpenSession(slots[i], flags, NULL, NULL, &session), "C_OpenSession");
    return;
  }
  End("this program sees no token ", label);
}

static inline CK_OBJECT_HANDLE Find(CK_OBJECT_CLASS class, const char* label) {
  CK_ATTRIBUTE wanted[] = {{CKA_CLASS, &class, sizeof class},
                           {CKA_LABEL, (void*)label, strlen(label)}};
  CK_OBJECT_HANDLE found[2];
  CK_ULONG count = 0;
  Must(p11->C_FindObjectsInit(session, wanted, 2), "C_FindObjectsInit");
  Must(p11->C_FindObjects(session, found, 2, &count), "C_FindObjects");
  Must(p11->C_FindObjectsFinal(session), "C_FindObjectsFinal");
  if (count != 1) End(count == 0 ? "no such object: " : "more than one object: ", label);
  return found[0];
}

// The value of a data object, in a buffer of its own.
static inline unsigned char* ReadData(const char* label, CK_ULONG* size) {
  const CK_OBJECT_HANDLE object = Find(CKO_DATA, label);
  CK_ATTRIBUTE value = {CKA_VALUE, NULL, 0};
  Must(p11->C_GetAttributeValue(session, object, &value, 1), "C_GetAttributeValue");
  value.pValue = malloc(value.ulValueLen + 1);
  if (value.pValue == NULL) End("no memory for ", label);
  Must(p11->C_GetAttributeValue(session, object, &value, 1), "C_GetAttributeValue");
  *size = value.ulValueLen;
  return value.pValue;
}
