// pkcs11_load MODULE TOKEN KEY THREADS OPERATIONS: each thread does that many operations, of every
// kind, in a session of its own, and checks what comes back. Says which one was wrong, and ends
// with 1, at the first that was.
#include <dlfcn.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "pkcs11/cryptoki3.h"

namespace {

CK_FUNCTION_LIST* api = nullptr;
std::atomic<bool> wrong{false};
CK_SLOT_ID slot = 0;
CK_OBJECT_HANDLE private_key = 0;
CK_OBJECT_HANDLE public_key = 0;
CK_OBJECT_HANDLE aes_key = 0;
std::string key_label;

// Whether `what` did what it should; the first that did not is said.
bool Right(bool ok, const char* what, CK_RV rv = 0) {
  if (!ok && !wrong.exchange(true)) std::fprintf(stderr, "%s: 0x%lx\n", what, rv);
  return ok;
}
bool Ok(CK_RV rv, const char* what) { return Right(rv == CKR_OK, what, rv); }

using Digest = std::array<CK_BYTE, 32>;

void SignAndVerify(CK_SESSION_HANDLE session, Digest& data) {
  CK_MECHANISM ecdsa{CKM_ECDSA, nullptr, 0};
  std::array<CK_BYTE, 64> signature{};
  CK_ULONG size = signature.size();
  Ok(api->C_SignInit(session, &ecdsa, private_key), "C_SignInit");
  Ok(api->C_Sign(session, data.data(), data.size(), signature.data(), &size), "C_Sign");
  Ok(api->C_VerifyInit(session, &ecdsa, public_key), "C_VerifyInit");
  Ok(api->C_Verify(session, data.data(), data.size(), signature.data(), size), "C_Verify");
}

void EncryptAndDecrypt(CK_SESSION_HANDLE session, Digest& data) {
  std::array<CK_BYTE, 16> iv{};
  CK_MECHANISM cbc{CKM_AES_CBC, iv.data(), iv.size()};
  Digest cipher{};
  Digest plain{};
  CK_ULONG size = cipher.size();
  Ok(api->C_EncryptInit(session, &cbc, aes_key), "C_EncryptInit");
  Ok(api->C_Encrypt(session, data.data(), data.size(), cipher.data(), &size), "C_Encrypt");
  Ok(api->C_DecryptInit(session, &cbc, aes_key), "C_DecryptInit");
  Ok(api->C_DecryptUpdate(session, cipher.data(), 16, plain.data(), &size), "C_DecryptUpdate");
  size = 16;
  Ok(api->C_DecryptUpdate(session, cipher.data() + 16, 16, plain.data() + 16, &size),
     "C_DecryptUpdate");
  size = 0;
  Ok(api->C_DecryptFinal(session, plain.data(), &size), "C_DecryptFinal");
  Right(plain == data, "what was decrypted is not what was encrypted");
}

void MakeAndDestroy(CK_SESSION_HANDLE session, Digest& data) {
  CK_OBJECT_CLASS object_class = CKO_DATA;
  CK_ATTRIBUTE make[] = {{CKA_CLASS, &object_class, sizeof(object_class)},
                         {CKA_VALUE, data.data(), data.size()}};
  CK_OBJECT_HANDLE object = 0;
  if (!Ok(api->C_CreateObject(session, make, 2, &object), "C_CreateObject")) return;
  Digest read{};
  CK_ATTRIBUTE value{CKA_VALUE, read.data(), read.size()};
  Ok(api->C_GetAttributeValue(session, object, &value, 1), "C_GetAttributeValue");
  Right(read == data, "the object has another value");
  Ok(api->C_DestroyObject(session, object), "C_DestroyObject");
}

CK_OBJECT_HANDLE Find(CK_SESSION_HANDLE session, CK_OBJECT_CLASS object_class) {
  CK_ATTRIBUTE match[] = {{CKA_CLASS, &object_class, sizeof(object_class)},
                          {CKA_LABEL, key_label.data(), key_label.size()}};
  CK_OBJECT_HANDLE found[2] = {};
  CK_ULONG count = 0;
  Ok(api->C_FindObjectsInit(session, match, 2), "C_FindObjectsInit");
  Ok(api->C_FindObjects(session, found, 2, &count), "C_FindObjects");
  Ok(api->C_FindObjectsFinal(session), "C_FindObjectsFinal");
  Right(count == 1, "the key was not found once");
  return found[0];
}

void DigestTwice(CK_SESSION_HANDLE session, Digest& data) {
  CK_MECHANISM sha256{CKM_SHA256, nullptr, 0};
  Digest whole{};
  Digest parts{};
  CK_ULONG size = whole.size();
  Ok(api->C_DigestInit(session, &sha256), "C_DigestInit");
  Ok(api->C_Digest(session, data.data(), data.size(), whole.data(), &size), "C_Digest");
  Ok(api->C_DigestInit(session, &sha256), "C_DigestInit");
  Ok(api->C_DigestUpdate(session, data.data(), 5), "C_DigestUpdate");
  Ok(api->C_DigestUpdate(session, data.data() + 5, data.size() - 5), "C_DigestUpdate");
  Ok(api->C_DigestFinal(session, parts.data(), &size), "C_DigestFinal");
  Right(whole == parts, "the digest in parts is another one");
}

void ReadAttributes(CK_SESSION_HANDLE session) {
  CK_KEY_TYPE type = 0;
  CK_BBOOL sensitive = CK_FALSE;
  CK_ATTRIBUTE read[] = {{CKA_KEY_TYPE, &type, sizeof(type)},
                         {CKA_SENSITIVE, &sensitive, sizeof(sensitive)}};
  Ok(api->C_GetAttributeValue(session, private_key, read, 2), "C_GetAttributeValue");
  Right(type == CKK_EC && sensitive == CK_TRUE, "the key has other attributes");
}

void Work(CK_ULONG number, long operations) {
  CK_SESSION_HANDLE session = 0;
  if (!Ok(api->C_OpenSession(slot, CKF_SERIAL_SESSION | CKF_RW_SESSION, nullptr, nullptr, &session),
          "C_OpenSession"))
    return;
  Digest data{};
  for (long i = 0; i < operations && !wrong; ++i) {
    for (size_t at = 0; at < 8; ++at) {
      data.at(at) = static_cast<CK_BYTE>(number >> (8 * at));
      data.at(8 + at) = static_cast<CK_BYTE>(i >> (8 * at));
    }
    switch (i % 20) {
      case 0: SignAndVerify(session, data); break;
      case 4: EncryptAndDecrypt(session, data); break;
      case 8: MakeAndDestroy(session, data); break;
      case 12: Right(Find(session, CKO_PRIVATE_KEY) == private_key, "another key was found"); break;
      case 16: Ok(api->C_GenerateRandom(session, data.data(), 16), "C_GenerateRandom"); break;
      default: i % 2 == 0 ? ReadAttributes(session) : DigestTwice(session, data);
    }
  }
  Ok(api->C_CloseSession(session), "C_CloseSession");
}

bool Load(const char* path) {
  void* library = dlopen(path, RTLD_NOW | RTLD_LOCAL);
  if (library == nullptr) {
    std::fprintf(stderr, "%s\n", dlerror());
    return false;
  }
  void* const symbol = dlsym(library, "C_GetFunctionList");
  CK_C_GetFunctionList get = nullptr;
  std::memcpy(&get, &symbol, sizeof(get));
  return Ok(get(&api), "C_GetFunctionList") && Ok(api->C_Initialize(nullptr), "C_Initialize");
}

bool FindToken(const char* label) {
  std::array<CK_SLOT_ID, 64> slots{};
  CK_ULONG count = slots.size();
  if (!Ok(api->C_GetSlotList(CK_TRUE, slots.data(), &count), "C_GetSlotList")) return false;
  for (CK_ULONG i = 0; i < count; ++i) {
    CK_TOKEN_INFO info{};
    if (api->C_GetTokenInfo(slots.at(i), &info) != CKR_OK) continue;
    const std::string padded = std::string(label) + std::string(32 - std::strlen(label), ' ');
    if (!std::equal(padded.begin(), padded.end(), std::begin(info.label))) continue;
    slot = slots.at(i);
    return true;
  }
  return Right(false, "no such token");
}

void MakeAesKey(CK_SESSION_HANDLE session) {
  CK_MECHANISM generate{CKM_AES_KEY_GEN, nullptr, 0};
  CK_ULONG length = 32;
  CK_BBOOL yes = CK_TRUE;
  CK_ATTRIBUTE made[] = {{CKA_VALUE_LEN, &length, sizeof(length)},
                         {CKA_ENCRYPT, &yes, sizeof(yes)},
                         {CKA_DECRYPT, &yes, sizeof(yes)}};
  Ok(api->C_GenerateKey(session, &generate, made, 3, &aes_key), "C_GenerateKey");
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 6) {
    std::fprintf(stderr, "usage: pkcs11_load MODULE TOKEN KEY THREADS OPERATIONS\n");
    return 2;
  }
  key_label = argv[3];
  CK_SESSION_HANDLE session = 0;
  if (!Load(argv[1]) || !FindToken(argv[2])) return 1;
  if (!Ok(api->C_OpenSession(slot, CKF_SERIAL_SESSION | CKF_RW_SESSION, nullptr, nullptr, &session),
          "C_OpenSession"))
    return 1;
  private_key = Find(session, CKO_PRIVATE_KEY);
  public_key = Find(session, CKO_PUBLIC_KEY);
  MakeAesKey(session);
  std::vector<std::thread> threads;
  for (long i = 0; i < std::atol(argv[4]); ++i)
    threads.emplace_back(Work, static_cast<CK_ULONG>(i), std::atol(argv[5]));
  for (std::thread& thread : threads) thread.join();
  Ok(api->C_Finalize(nullptr), "C_Finalize");
  return wrong ? 1 : 0;
}
