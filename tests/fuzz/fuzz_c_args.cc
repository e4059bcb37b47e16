// The C interface with hostile arguments: the input is a program of C_ calls on two sessions, with
// handles, lengths, mechanisms and templates of its choice. Pointers are what C allows: NULL, or
// memory of at least the length that is given.
#include <unistd.h>

#include <cstdlib>
#include <fstream>

#include "enclave/base/byte_reader.h"
#include "tests/unit/pkcs11/fake_enclave.h"

namespace keyclave::pkcs11 {
namespace {

using testing::FakeEnclave;

constexpr size_t kRoom = 512;  // bytes of every buffer
constexpr CK_MECHANISM_TYPE kMechanisms[] = {
    CKM_RSA_PKCS,      CKM_SHA256_RSA_PKCS, CKM_RSA_PKCS_PSS, CKM_SHA256_RSA_PKCS_PSS,
    CKM_RSA_PKCS_OAEP, CKM_ECDSA,           CKM_AES_CBC,      CKM_AES_CBC_PAD,
    CKM_AES_CTR,       CKM_AES_GCM,         CKM_SHA256_HMAC,  CKM_ECDSA_SHA256,
    CKM_SHA256,        CKM_AES_KEY_GEN,     CKM_ECDH1_DERIVE, CKM_RSA_PKCS_KEY_PAIR_GEN,
    CKM_DES_ECB,
};
constexpr CK_ATTRIBUTE_TYPE kTypes[] = {
    CKA_CLASS, CKA_TOKEN,   CKA_PRIVATE,       CKA_LABEL,           CKA_VALUE,
    CKA_ID,    CKA_MODULUS, CKA_WRAP_TEMPLATE, CKA_UNWRAP_TEMPLATE, 0x12345678};

// The input, read as choices; zero when it is used up.
class Choices {
 public:
  explicit Choices(ByteSpan input) : reader_(input) {}
  bool empty() const { return reader_.remaining() == 0; }
  uint8_t Byte() {
    const auto byte = reader_.TakeLe<uint8_t>();
    return byte.ok() ? *byte : uint8_t{0};
  }
  template <class T, size_t N>
  T OneOf(const T (&list)[N]) {
    return list[Byte() % N];
  }
  CK_ULONG Number() {
    const CK_ULONG odd[] = {0,
                            1,
                            15,
                            16,
                            64,
                            255,
                            256,
                            kRoom,
                            kRoom + 1,
                            CK_UNAVAILABLE_INFORMATION,
                            CK_ULONG{1} << 40};
    return OneOf(odd);
  }

 private:
  ByteReader reader_;
};

// Everything that one call can point at.
struct Arguments {
  explicit Arguments(Choices& choices_in) : choices(choices_in) {
    for (size_t i = 0; i < 64; ++i) in[i] = choices.Byte();
    out_size = choices.Byte() * 4;
    MakeMechanism();
    MakeTemplate();
  }

  // A pointer that is NULL or has kRoom bytes, and a length that fits it; or NULL with any length.
  CK_BYTE* In(CK_ULONG* size) {
    const uint8_t choice = choices.Byte();
    *size = choice % 4 == 0 ? choices.Number() : choices.Byte();
    return choice % 4 == 0 ? nullptr : in.data();
  }
  CK_BYTE* Out() { return choices.Byte() % 4 == 0 ? nullptr : out.data(); }
  CK_ULONG* OutSize() {
    out_size = std::min<CK_ULONG>(out_size, kRoom * 2);
    return choices.Byte() % 16 == 0 ? nullptr : &out_size;
  }
  CK_MECHANISM* Mechanism() { return choices.Byte() % 16 == 0 ? nullptr : &mechanism; }

  void MakeMechanism() {
    mechanism = {choices.OneOf(kMechanisms), nullptr, 0};
    gcm = {in.data(), choices.Byte(), 96, in.data(), choices.Byte(), choices.Byte()};
    oaep = {choices.OneOf(kMechanisms), choices.Byte(), choices.Byte(), in.data(), choices.Byte()};
    ecdh = {choices.Byte(), choices.Byte(), in.data(), choices.Byte(), in.data()};
    switch (choices.Byte() % 8) {
      case 0:
        mechanism.pParameter = &gcm;
        mechanism.ulParameterLen = sizeof(gcm);
        break;
      case 1:
        mechanism.pParameter = &oaep;
        mechanism.ulParameterLen = sizeof(oaep);
        break;
      case 2:
        mechanism.pParameter = &ecdh;
        mechanism.ulParameterLen = sizeof(ecdh);
        break;
      case 3: mechanism.ulParameterLen = choices.Number(); break;
      case 4:
        mechanism.pParameter = in.data();
        mechanism.ulParameterLen = 16;
        break;
      // 40 and 48 bytes would be read as a structure with pointers.
      case 5:
        mechanism.pParameter = in.data();
        mechanism.ulParameterLen = choices.Byte() % 40;
        break;
      default: break;
    }
  }
  void MakeTemplate() {
    count = choices.Byte() % 5;
    for (CK_ATTRIBUTE& attribute : attributes) {
      attribute.type = choices.OneOf(kTypes);
      attribute.pValue = in.data();
      attribute.ulValueLen = choices.Byte();
      const bool nested =
          attribute.type == CKA_WRAP_TEMPLATE || attribute.type == CKA_UNWRAP_TEMPLATE;
      if (nested)
        attribute = {attribute.type, attributes.data(),
                     (choices.Byte() % 3) * sizeof(CK_ATTRIBUTE)};
      if (choices.Byte() % 8 == 0) attribute = {attribute.type, nullptr, choices.Number()};
    }
  }

  Choices& choices;
  std::vector<CK_BYTE> in = std::vector<CK_BYTE>(kRoom);
  std::vector<CK_BYTE> out = std::vector<CK_BYTE>(kRoom * 2);
  CK_ULONG out_size = 0;
  CK_MECHANISM mechanism{};
  CK_GCM_PARAMS gcm{};
  CK_RSA_PKCS_OAEP_PARAMS oaep{};
  CK_ECDH1_DERIVE_PARAMS ecdh{};
  std::array<CK_ATTRIBUTE, 5> attributes{};
  CK_ULONG count = 0;
};

void CallKeyUse(Choices& choices, Arguments& a, CK_SESSION_HANDLE s, CK_OBJECT_HANDLE key) {
  constexpr CK_RV (*kInit[])(CK_SESSION_HANDLE, CK_MECHANISM_PTR, CK_OBJECT_HANDLE) = {
      C_SignInit, C_VerifyInit, C_EncryptInit, C_DecryptInit};
  constexpr CK_RV (*kStep[])(CK_SESSION_HANDLE, CK_BYTE_PTR, CK_ULONG, CK_BYTE_PTR,
                             CK_ULONG_PTR) = {C_Sign,
                                              C_Encrypt,
                                              C_Decrypt,
                                              C_Digest,
                                              C_EncryptUpdate,
                                              C_DecryptUpdate,
                                              C_DigestEncryptUpdate,
                                              C_DecryptDigestUpdate,
                                              C_SignEncryptUpdate,
                                              C_DecryptVerifyUpdate};
  constexpr CK_RV (*kPart[])(CK_SESSION_HANDLE, CK_BYTE_PTR, CK_ULONG) = {
      C_SignUpdate, C_VerifyUpdate, C_DigestUpdate, C_VerifyFinal, C_SeedRandom};
  constexpr CK_RV (*kFinal[])(CK_SESSION_HANDLE, CK_BYTE_PTR, CK_ULONG_PTR) = {
      C_SignFinal, C_EncryptFinal, C_DecryptFinal, C_DigestFinal, C_GetOperationState};
  CK_ULONG size = 0;
  CK_BYTE* data = a.In(&size);
  switch (choices.Byte() % 6) {
    case 0: choices.OneOf(kInit)(s, a.Mechanism(), key); break;
    case 1: C_DigestInit(s, a.Mechanism()); break;
    case 2: choices.OneOf(kStep)(s, data, size, a.Out(), a.OutSize()); break;
    case 3: choices.OneOf(kPart)(s, data, size); break;
    case 4: choices.OneOf(kFinal)(s, a.Out(), a.OutSize()); break;
    default: {
      CK_ULONG signature_size = 0;
      CK_BYTE* signature = a.In(&signature_size);
      C_Verify(s, data, size, signature, signature_size);
    }
  }
}

// The parameter of a message: NULL, the structure, or a piece of it.
struct MessageParameter {
  MessageParameter(Choices& choices, Arguments& a)
      : value{a.in.data(),       choices.Byte(), choices.Byte(), choices.Byte() % CK_ULONG{6},
              a.in.data() + 256, choices.Byte()},
        size(choices.Byte() % 8 == 0 ? choices.Byte() % sizeof(value) : sizeof(value)),
        pointer(choices.Byte() % 8 == 0 ? nullptr : &value) {}
  CK_GCM_MESSAGE_PARAMS value;
  CK_ULONG size;
  CK_VOID_PTR pointer;
};

void CallMessages(Choices& choices, Arguments& a, CK_SESSION_HANDLE s, CK_OBJECT_HANDLE key) {
  constexpr CK_RV (*kInit[])(CK_SESSION_HANDLE, CK_MECHANISM_PTR, CK_OBJECT_HANDLE) = {
      C_MessageSignInit, C_MessageVerifyInit, C_MessageEncryptInit, C_MessageDecryptInit};
  constexpr CK_RV (*kWhole[])(CK_SESSION_HANDLE, CK_VOID_PTR, CK_ULONG, CK_BYTE_PTR, CK_ULONG,
                              CK_BYTE_PTR, CK_ULONG, CK_BYTE_PTR,
                              CK_ULONG_PTR) = {C_EncryptMessage, C_DecryptMessage};
  constexpr CK_RV (*kBegin[])(CK_SESSION_HANDLE, CK_VOID_PTR, CK_ULONG, CK_BYTE_PTR, CK_ULONG) = {
      C_EncryptMessageBegin, C_DecryptMessageBegin};
  constexpr CK_RV (*kNext[])(CK_SESSION_HANDLE, CK_VOID_PTR, CK_ULONG, CK_BYTE_PTR, CK_ULONG,
                             CK_BYTE_PTR, CK_ULONG_PTR,
                             CK_FLAGS) = {C_EncryptMessageNext, C_DecryptMessageNext};
  constexpr CK_RV (*kSign[])(CK_SESSION_HANDLE, CK_VOID_PTR, CK_ULONG, CK_BYTE_PTR, CK_ULONG,
                             CK_BYTE_PTR, CK_ULONG_PTR) = {C_SignMessage, C_SignMessageNext};
  constexpr CK_RV (*kVerify[])(CK_SESSION_HANDLE, CK_VOID_PTR, CK_ULONG, CK_BYTE_PTR, CK_ULONG,
                               CK_BYTE_PTR, CK_ULONG) = {C_VerifyMessage, C_VerifyMessageNext};
  constexpr CK_RV (*kEnd[])(CK_SESSION_HANDLE) = {C_MessageSignFinal, C_MessageVerifyFinal,
                                                  C_MessageEncryptFinal, C_MessageDecryptFinal,
                                                  C_VerifySignatureFinal};
  MessageParameter parameter(choices, a);
  CK_ULONG size = 0;
  CK_ULONG other_size = 0;
  CK_BYTE* data = a.In(&size);
  CK_BYTE* other = a.In(&other_size);
  const auto none = static_cast<CK_ULONG>(choices.Byte() % 8 == 0 ? 1 : 0);
  CK_OBJECT_HANDLE made = 0;
  switch (choices.Byte() % 14) {
    case 0: choices.OneOf(kInit)(s, a.Mechanism(), key); break;
    case 1: choices.OneOf(kEnd)(s); break;
    case 2:
    case 3:
      choices.OneOf(kWhole)(s, parameter.pointer, parameter.size, other, other_size, data, size,
                            a.Out(), a.OutSize());
      break;
    case 4: choices.OneOf(kBegin)(s, parameter.pointer, parameter.size, other, other_size); break;
    case 5:
      choices.OneOf(kNext)(s, parameter.pointer, parameter.size, data, size, a.Out(), a.OutSize(),
                           choices.Byte() % 2);
      break;
    case 6: C_SignMessageBegin(s, nullptr, none); break;
    case 7: choices.OneOf(kSign)(s, nullptr, none, data, size, a.Out(), a.OutSize()); break;
    case 8: C_VerifyMessageBegin(s, nullptr, none); break;
    case 9: choices.OneOf(kVerify)(s, nullptr, none, data, size, other, other_size); break;
    case 10: C_VerifySignatureInit(s, a.Mechanism(), key, other, other_size); break;
    case 11: C_VerifySignatureUpdate(s, data, size); break;
    default: {
      CK_MECHANISM gcm{CKM_AES_GCM, parameter.pointer, parameter.size};
      C_WrapKeyAuthenticated(s, &gcm, key, choices.Byte() % 8, other, other_size, a.Out(),
                             a.OutSize());
      C_UnwrapKeyAuthenticated(s, &gcm, key, data, size, a.attributes.data(), a.count, other,
                               other_size, &made);
    }
  }
}

void CallEncapsulation(Choices& choices, Arguments& a, CK_SESSION_HANDLE s, CK_OBJECT_HANDLE key) {
  CK_OBJECT_HANDLE made = 0;
  CK_OBJECT_HANDLE* handle = choices.Byte() % 8 == 0 ? nullptr : &made;
  CK_ULONG size = 0;
  CK_BYTE* data = a.In(&size);
  switch (choices.Byte() % 6) {
    case 0:
      C_EncapsulateKey(s, a.Mechanism(), key, a.attributes.data(), a.count, a.Out(), a.OutSize(),
                       handle);
      break;
    case 1:
      C_DecapsulateKey(s, a.Mechanism(), key, a.attributes.data(), a.count, data, size, handle);
      break;
    case 2: C_SignRecoverInit(s, a.Mechanism(), key); break;
    case 3: C_SignRecover(s, data, size, a.Out(), a.OutSize()); break;
    case 4: C_VerifyRecoverInit(s, a.Mechanism(), key); break;
    default: C_VerifyRecover(s, data, size, a.Out(), a.OutSize());
  }
}

void CallObjects(Choices& choices, Arguments& a, CK_SESSION_HANDLE s, CK_OBJECT_HANDLE key) {
  CK_OBJECT_HANDLE made[4] = {};
  CK_ULONG found = 0;
  CK_ATTRIBUTE* attributes = choices.Byte() % 16 == 0 ? nullptr : a.attributes.data();
  CK_ULONG size = 0;
  CK_BYTE* data = a.In(&size);
  switch (choices.Byte() % 12) {
    case 0: C_CreateObject(s, attributes, a.count, made); break;
    case 1: C_CopyObject(s, key, attributes, a.count, made); break;
    case 2: C_DestroyObject(s, key); break;
    case 3: C_SetAttributeValue(s, key, attributes, a.count); break;
    case 4: C_FindObjectsInit(s, attributes, a.count); break;
    case 5: C_FindObjects(s, made, choices.Byte() % 5, &found); break;
    case 6: C_FindObjectsFinal(s); break;
    case 7: C_GetObjectSize(s, key, &found); break;
    case 8: C_GenerateKey(s, a.Mechanism(), attributes, a.count, made); break;
    case 9: C_WrapKey(s, a.Mechanism(), key, choices.Byte(), a.Out(), a.OutSize()); break;
    case 10: C_UnwrapKey(s, a.Mechanism(), key, data, size, attributes, a.count, made); break;
    default:
      C_GenerateKeyPair(s, a.Mechanism(), attributes, a.count, attributes, a.count, made, made + 1);
  }
}

// Each attribute points to memory of its own: values are written there.
void CallGetAttributes(Choices& choices, CK_SESSION_HANDLE s, CK_OBJECT_HANDLE key) {
  std::array<std::vector<CK_BYTE>, 3> values;
  std::array<CK_ATTRIBUTE, 3> attributes{};
  for (size_t i = 0; i < attributes.size(); ++i) {
    values[i].resize(choices.Byte());
    attributes[i] = {choices.OneOf(kTypes), values[i].data(), values[i].size()};
    // A nested template is written as CK_ATTRIBUTEs: only asked for by length here.
    if (attributes[i].type == CKA_WRAP_TEMPLATE || attributes[i].type == CKA_UNWRAP_TEMPLATE ||
        choices.Byte() % 4 == 0)
      attributes[i].pValue = nullptr;
  }
  C_GetAttributeValue(s, key, attributes.data(), attributes.size());
}

void CallSessions(Choices& choices, Arguments& a, CK_SESSION_HANDLE s) {
  CK_SESSION_INFO info;
  CK_TOKEN_INFO token;
  CK_ULONG size = 0;
  CK_BYTE* pin = a.In(&size);
  switch (choices.Byte() % 8) {
    case 0: C_Login(s, choices.Byte() % 4, pin, size); break;
    case 1: C_Logout(s); break;
    case 2: C_GetSessionInfo(s, &info); break;
    case 3: C_SessionCancel(s, choices.Number()); break;
    case 4: C_SetPIN(s, pin, size, pin, size); break;
    case 5: C_InitPIN(s, pin, size); break;
    case 6: C_GetTokenInfo(choices.Byte() % 3, &token); break;
    default: C_GenerateRandom(s, a.out.data(), choices.Byte());
  }
}

void Configure() {
  const std::string path = "/tmp/keyclave-fuzz-c-args." + std::to_string(getpid()) + ".yaml";
  std::ofstream(path) << "endpoint: unix:/nonexistent/keyclaved.sock\nexpect: {tee: {is: "
                         "simulated}}\nevidence: none\n";
  setenv("KEYCLAVE_CONFIG", path.c_str(), 1);
  if (C_Initialize(nullptr) != CKR_OK || C_Finalize(nullptr) != CKR_OK) abort();
}

void RunProgram(ByteSpan input) {
  Choices choices(input);
  FakeEnclave& enclave = FakeEnclave::Get();
  enclave.Reset();
  if (choices.Byte() % 2 == 0) enclave.SetPins("1234", "87654321");
  wire::AttributeList rsa = testing::RsaKey();
  for (const CK_ATTRIBUTE_TYPE usage :
       {CKA_ENCAPSULATE, CKA_DECAPSULATE, CKA_SIGN_RECOVER, CKA_VERIFY_RECOVER})
    rsa.SetBool(usage, true);
  enclave.Plant(rsa);
  enclave.Plant(testing::EcKey());
  enclave.Plant(testing::AesKey());
  if (C_Initialize(nullptr) != CKR_OK) abort();
  CK_SESSION_HANDLE sessions[3] = {};
  C_OpenSession(0, CKF_SERIAL_SESSION | CKF_RW_SESSION, nullptr, nullptr, &sessions[0]);
  C_OpenSession(0, CKF_SERIAL_SESSION, nullptr, nullptr, &sessions[1]);
  if (C_FindObjectsInit(sessions[0], nullptr, 0) != CKR_OK ||
      C_FindObjectsFinal(sessions[0]) != CKR_OK)
    abort();
  for (int calls = 0; calls < 200 && !choices.empty(); ++calls) {
    const CK_SESSION_HANDLE session = choices.OneOf(sessions);
    const CK_OBJECT_HANDLE key = choices.Byte() % 8;
    Arguments arguments(choices);
    switch (choices.Byte() % 9) {
      case 0:
      case 1: CallKeyUse(choices, arguments, session, key); break;
      case 2:
      case 3: CallObjects(choices, arguments, session, key); break;
      case 4: CallGetAttributes(choices, session, key); break;
      case 5:
      case 6: CallMessages(choices, arguments, session, key); break;
      case 7: CallEncapsulation(choices, arguments, session, key); break;
      default: CallSessions(choices, arguments, session);
    }
  }
  // Whatever came before, the module still ends its run.
  if (C_Finalize(nullptr) != CKR_OK) abort();
}

}  // namespace
}  // namespace keyclave::pkcs11

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  static const bool kConfigured = (keyclave::pkcs11::Configure(), true);
  if (kConfigured) keyclave::pkcs11::RunProgram({data, size});
  return 0;
}
