// What holds for every function that gives out bytes (v3.2 §5.2): a length is asked for as often as
// one likes, a buffer that is too small changes nothing, a delivery ends the operation, and so does
// every error. One table for all of them; a function that is not in it fails the test.
#include <functional>
#include <set>

#include "pkcs11/calls.h"
#include "pkcs11/rv_map.h"
#include "tests/unit/pkcs11/module_fixture.h"

namespace keyclave::pkcs11 {
namespace {

using testing::FakeEnclave;
using wire::Op;

CK_MECHANISM ecdsa{CKM_ECDSA_SHA256, nullptr, 0};
CK_MECHANISM rsa_pkcs{CKM_RSA_PKCS, nullptr, 0};
CK_MECHANISM sha256{CKM_SHA256, nullptr, 0};
CK_MECHANISM aes_gcm{CKM_AES_GCM, nullptr, 0};
CK_BYTE message[32] = {'m', 'e', 's', 's', 'a', 'g', 'e'};

// The module with a key of each kind, and what the rows call it with.
class Stage {
 public:
  CK_SESSION_HANDLE session = 0;
  CK_OBJECT_HANDLE ec = 0;
  CK_OBJECT_HANDLE aes = 0;
  CK_OBJECT_HANDLE rsa = 0;
  ByteArray<16> iv{};
  ByteArray<12> message_iv{};
  ByteArray<16> tag{};
  CK_MECHANISM aes_cbc{CKM_AES_CBC, iv.data(), iv.size()};
  CK_GCM_MESSAGE_PARAMS param{message_iv.data(), message_iv.size(), 0,
                              CKG_NO_GENERATE,   tag.data(),        tag.size() * 8};
  CK_MECHANISM gcm_of_message{CKM_AES_GCM, &param, sizeof(param)};

  CK_RV Encrypting() { return C_EncryptInit(session, &aes_cbc, aes); }
  CK_RV Decrypting() { return C_DecryptInit(session, &aes_cbc, aes); }
  CK_RV Digesting() { return C_DigestInit(session, &sha256); }
  CK_RV Signing() { return C_SignInit(session, &ecdsa, ec); }
  CK_RV Verifying() { return C_VerifyInit(session, &ecdsa, ec); }
  // A tag that the fake enclave takes for right.
  CK_RV DecryptingMessages() {
    tag.fill(static_cast<uint8_t>(~0x77));
    return C_MessageDecryptInit(session, &aes_gcm, aes);
  }
};

struct Row {
  const char* name;
  size_t size;                // of the output, bytes
  std::optional<Op> op = {};  // the request that makes it
  bool ends = true;           // whether the delivery ends the operation
  bool keeps = false;         // whether it stands outside of operations: an error ends nothing
  std::function<CK_RV(Stage&)> begin;
  std::function<CK_RV(Stage&, CK_BYTE*, CK_ULONG*)> call;
};

void PrintTo(const Row& row, std::ostream* out) { *out << row.name; }

constexpr auto kNothing = [](Stage&) { return CK_RV{CKR_OK}; };

const Row kRows[] = {
    {.name = "C_Sign",
     .size = 64,
     .op = Op::kSign,
     .begin = [](Stage& s) { return s.Signing(); },
     .call = [](Stage& s, auto* out, auto* n) { return C_Sign(s.session, message, 32, out, n); }},
    {.name = "C_SignFinal",
     .size = 64,
     .op = Op::kSign,
     .begin =
         [](Stage& s) { return s.Signing() | C_SignUpdate(s.session, message, sizeof(message)); },
     .call = [](Stage& s, auto* out, auto* n) { return C_SignFinal(s.session, out, n); }},
    {.name = "C_Encrypt",
     .size = 32,
     .op = Op::kEncrypt,
     .begin = [](Stage& s) { return s.Encrypting(); },
     .call = [](Stage& s, auto* out,
                auto* n) { return C_Encrypt(s.session, message, 32, out, n); }},
    {.name = "C_EncryptUpdate",
     .size = 32,
     .op = Op::kEncrypt,
     .ends = false,
     .begin = [](Stage& s) { return s.Encrypting(); },
     .call = [](Stage& s, auto* out,
                auto* n) { return C_EncryptUpdate(s.session, message, 32, out, n); }},
    {.name = "C_EncryptFinal",
     .size = 16,
     .op = Op::kEncrypt,
     .begin =
         [](Stage& s) {
           CK_MECHANISM padded{CKM_AES_CBC_PAD, s.iv.data(), s.iv.size()};
           CK_ULONG none = 0;
           CK_BYTE nowhere = 0;
           return C_EncryptInit(s.session, &padded, s.aes) |
                  C_EncryptUpdate(s.session, message, 5, &nowhere, &none);
         },
     .call = [](Stage& s, auto* out, auto* n) { return C_EncryptFinal(s.session, out, n); }},
    {.name = "C_Decrypt",
     .size = 32,
     .op = Op::kDecrypt,
     .begin = [](Stage& s) { return s.Decrypting(); },
     .call = [](Stage& s, auto* out,
                auto* n) { return C_Decrypt(s.session, message, 32, out, n); }},
    {.name = "C_DecryptUpdate",
     .size = 32,
     .op = Op::kDecrypt,
     .ends = false,
     .begin = [](Stage& s) { return s.Decrypting(); },
     .call = [](Stage& s, auto* out,
                auto* n) { return C_DecryptUpdate(s.session, message, 32, out, n); }},
    {.name = "C_DecryptFinal",
     .size = 5,
     .op = Op::kDecrypt,
     .begin =
         [](Stage& s) {
           CK_GCM_PARAMS gcm{s.message_iv.data(), 12, 96, nullptr, 0, 128};
           CK_MECHANISM mechanism{CKM_AES_GCM, &gcm, sizeof(gcm)};
           ByteArray<21> sealed{};
           std::fill(sealed.begin() + 5, sealed.end(), static_cast<uint8_t>(~0x77));
           CK_ULONG none = 0;
           CK_BYTE nowhere = 0;
           return C_DecryptInit(s.session, &mechanism, s.aes) |
                  C_DecryptUpdate(s.session, sealed.data(), sealed.size(), &nowhere, &none);
         },
     .call = [](Stage& s, auto* out, auto* n) { return C_DecryptFinal(s.session, out, n); }},
    {.name = "C_Digest",
     .size = 32,
     .begin = [](Stage& s) { return s.Digesting(); },
     .call = [](Stage& s, auto* out, auto* n) { return C_Digest(s.session, message, 32, out, n); }},
    {.name = "C_DigestFinal",
     .size = 32,
     .begin = [](Stage& s) { return s.Digesting(); },
     .call = [](Stage& s, auto* out, auto* n) { return C_DigestFinal(s.session, out, n); }},
    {.name = "C_DigestEncryptUpdate",
     .size = 32,
     .op = Op::kEncrypt,
     .ends = false,
     .begin = [](Stage& s) { return s.Digesting() | s.Encrypting(); },
     .call = [](Stage& s, auto* out,
                auto* n) { return C_DigestEncryptUpdate(s.session, message, 32, out, n); }},
    {.name = "C_DecryptDigestUpdate",
     .size = 32,
     .op = Op::kDecrypt,
     .ends = false,
     .begin = [](Stage& s) { return s.Digesting() | s.Decrypting(); },
     .call = [](Stage& s, auto* out,
                auto* n) { return C_DecryptDigestUpdate(s.session, message, 32, out, n); }},
    {.name = "C_SignEncryptUpdate",
     .size = 32,
     .op = Op::kEncrypt,
     .ends = false,
     .begin = [](Stage& s) { return s.Signing() | s.Encrypting(); },
     .call = [](Stage& s, auto* out,
                auto* n) { return C_SignEncryptUpdate(s.session, message, 32, out, n); }},
    {.name = "C_DecryptVerifyUpdate",
     .size = 32,
     .op = Op::kDecrypt,
     .ends = false,
     .begin = [](Stage& s) { return s.Verifying() | s.Decrypting(); },
     .call = [](Stage& s, auto* out,
                auto* n) { return C_DecryptVerifyUpdate(s.session, message, 32, out, n); }},
    {.name = "C_SignRecover",
     .size = 256,
     .op = Op::kSignRecover,
     .begin = [](Stage& s) { return C_SignRecoverInit(s.session, &rsa_pkcs, s.rsa); },
     .call = [](Stage& s, auto* out,
                auto* n) { return C_SignRecover(s.session, message, 32, out, n); }},
    {.name = "C_VerifyRecover",
     .size = 5,
     .op = Op::kVerifyRecover,
     .begin = [](Stage& s) { return C_VerifyRecoverInit(s.session, &rsa_pkcs, s.rsa); },
     .call =
         [](Stage& s, auto* out, auto* n) {
           static CK_BYTE signature[256];
           return C_VerifyRecover(s.session, signature, sizeof(signature), out, n);
         }},
    {.name = "C_EncapsulateKey",
     .size = 256,
     .op = Op::kEncapsulateKey,
     .ends = false,
     .keeps = true,
     .begin = kNothing,
     .call =
         [](Stage& s, auto* out, auto* n) {
           CK_OBJECT_HANDLE made = 0;
           return C_EncapsulateKey(s.session, &rsa_pkcs, s.rsa, nullptr, 0, out, n, &made);
         }},
    {.name = "C_WrapKey",
     .size = 40,
     .op = Op::kWrapKey,
     .ends = false,
     .keeps = true,
     .begin = kNothing,
     .call = [](Stage& s, auto* out,
                auto* n) { return C_WrapKey(s.session, &s.aes_cbc, s.aes, s.ec, out, n); }},
    {.name = "C_WrapKeyAuthenticated",
     .size = 24,  // the fake enclave's 40, less the tag
     .op = Op::kWrapKey,
     .ends = false,
     .keeps = true,
     .begin = kNothing,
     .call =
         [](Stage& s, auto* out, auto* n) {
           return C_WrapKeyAuthenticated(s.session, &s.gcm_of_message, s.aes, s.ec, nullptr, 0, out,
                                         n);
         }},
    {.name = "C_SignMessage",
     .size = 64,
     .op = Op::kSign,
     .ends = false,
     .keeps = true,
     .begin = [](Stage& s) { return C_MessageSignInit(s.session, &ecdsa, s.ec); },
     .call = [](Stage& s, auto* out,
                auto* n) { return C_SignMessage(s.session, nullptr, 0, message, 32, out, n); }},
    {.name = "C_EncryptMessage",
     .size = 32,
     .op = Op::kEncrypt,
     .ends = false,
     .keeps = true,
     .begin = [](Stage& s) { return C_MessageEncryptInit(s.session, &aes_gcm, s.aes); },
     .call =
         [](Stage& s, auto* out, auto* n) {
           return C_EncryptMessage(s.session, &s.param, sizeof(s.param), nullptr, 0, message, 32,
                                   out, n);
         }},
    {.name = "C_DecryptMessage",
     .size = 32,
     .op = Op::kDecrypt,
     .ends = false,
     .keeps = true,
     .begin = [](Stage& s) { return s.DecryptingMessages(); },
     .call =
         [](Stage& s, auto* out, auto* n) {
           return C_DecryptMessage(s.session, &s.param, sizeof(s.param), nullptr, 0, message, 32,
                                   out, n);
         }},
    {.name = "C_EncryptMessageNext",
     .size = 32,
     .op = Op::kEncrypt,
     .begin =
         [](Stage& s) {
           return C_MessageEncryptInit(s.session, &aes_gcm, s.aes) |
                  C_EncryptMessageBegin(s.session, &s.param, sizeof(s.param), nullptr, 0);
         },
     .call =
         [](Stage& s, auto* out, auto* n) {
           return C_EncryptMessageNext(s.session, &s.param, sizeof(s.param), message, 32, out, n,
                                       CKF_END_OF_MESSAGE);
         }},
    {.name = "C_DecryptMessageNext",
     .size = 32,
     .op = Op::kDecrypt,
     .begin =
         [](Stage& s) {
           return s.DecryptingMessages() |
                  C_DecryptMessageBegin(s.session, &s.param, sizeof(s.param), nullptr, 0);
         },
     .call =
         [](Stage& s, auto* out, auto* n) {
           return C_DecryptMessageNext(s.session, &s.param, sizeof(s.param), message, 32, out, n,
                                       CKF_END_OF_MESSAGE);
         }},
    {.name = "C_GetOperationState",
     .size = 32,
     .ends = false,
     .keeps = true,
     .begin = [](Stage& s) { return s.Digesting(); },
     .call = [](Stage& s, auto* out, auto* n) { return C_GetOperationState(s.session, out, n); }},
};

class ConventionsTest : public testing::ModuleTest, public ::testing::WithParamInterface<Row> {
 protected:
  void SetUp() override {
    ModuleTest::SetUp();
    stage_.session = OpenSession();
    stage_.ec = PlantEc(stage_.session);
    stage_.aes = PlantAes(stage_.session);
    wire::AttributeList rsa = testing::RsaKey();
    for (const CK_ATTRIBUTE_TYPE usage : {CKA_SIGN_RECOVER, CKA_VERIFY_RECOVER, CKA_ENCAPSULATE})
      rsa.SetBool(usage, true);
    enclave().Plant(rsa);
    stage_.rsa = FindOne(stage_.session, rsa);
    ASSERT_EQ(GetParam().begin(stage_), CKR_OK);
    before_ = Requests();
  }
  CK_RV Call(CK_BYTE* out, CK_ULONG* size) { return GetParam().call(stage_, out, size); }
  std::string Name(CK_BYTE* out, CK_ULONG* size) { return std::string(RvName(Call(out, size))); }
  static uint64_t Requests() {
    return GetParam().op.has_value() ? FakeEnclave::Get().Count(*GetParam().op) : 0;
  }

  Stage stage_;
  uint64_t before_ = 0;
};

TEST_P(ConventionsTest, LengthsAreFreeAndOneDeliveryEndsIt) {
  const Row& row = GetParam();
  Bytes out(row.size + 1, 0xee);
  for (int i = 0; i < 2; ++i) {
    CK_ULONG size = 77777;
    EXPECT_EQ(Name(nullptr, &size), "CKR_OK");
    EXPECT_GE(size, row.size);
    size = row.size - 1;
    EXPECT_EQ(Name(out.data(), &size), "CKR_BUFFER_TOO_SMALL");
    EXPECT_GE(size, row.size);
    EXPECT_EQ(out, Bytes(row.size + 1, 0xee)) << "something was written";
  }
  CK_ULONG size = row.size;
  EXPECT_EQ(Name(out.data(), &size), "CKR_OK");
  EXPECT_EQ(size, row.size);
  EXPECT_EQ(out.back(), 0xee) << "written behind the end";
  EXPECT_LE(Requests() - before_, 1U);
  size = row.size;
  EXPECT_EQ(Name(out.data(), &size), row.ends ? "CKR_OPERATION_NOT_INITIALIZED" : "CKR_OK");
}

TEST_P(ConventionsTest, NoPlaceForTheLengthIsAnArgumentError) {
  Bytes out(GetParam().size);
  EXPECT_EQ(Name(out.data(), nullptr), "CKR_ARGUMENTS_BAD");
  EXPECT_EQ(Requests(), before_);
  CK_ULONG size = out.size();
  EXPECT_EQ(Name(out.data(), &size), GetParam().keeps ? "CKR_OK" : "CKR_OPERATION_NOT_INITIALIZED");
}

// The rows that ask the enclave.
class RequestConventionsTest : public ConventionsTest {};

TEST_P(RequestConventionsTest, AnErrorEndsItAndTheSessionIsFreeAgain) {
  const Row& row = GetParam();
  Bytes out(row.size, 0xee);
  for (const auto& [code, rv] : {std::pair(Code::kUnreachable, "CKR_DEVICE_ERROR"),
                                 std::pair(Code::kDenied, "CKR_KEY_FUNCTION_NOT_PERMITTED")}) {
    FakeEnclave::Get().FailNext(*row.op, code);
    CK_ULONG size = out.size();
    EXPECT_EQ(Name(out.data(), &size), rv);
    EXPECT_EQ(out, Bytes(row.size, 0xee)) << "something was written";
    size = out.size();
    EXPECT_EQ(Name(out.data(), &size), row.keeps ? "CKR_OK" : "CKR_OPERATION_NOT_INITIALIZED");
    out.assign(row.size, 0xee);
    ASSERT_EQ(C_SessionCancel(stage_.session, ~CK_FLAGS{0}), CKR_OK);
    ASSERT_EQ(row.begin(stage_), CKR_OK);
  }
}

std::vector<Row> RowsWithRequests() {
  std::vector<Row> rows(std::begin(kRows), std::end(kRows));
  std::erase_if(rows, [](const Row& row) { return !row.op.has_value(); });
  return rows;
}

constexpr auto kNameOf = [](const auto& row) { return std::string(row.param.name); };
INSTANTIATE_TEST_SUITE_P(All, ConventionsTest, ::testing::ValuesIn(kRows), kNameOf);
INSTANTIATE_TEST_SUITE_P(All, RequestConventionsTest, ::testing::ValuesIn(RowsWithRequests()),
                         kNameOf);

// By their prototypes. Elsewhere: C_SignMessageNext, whose NULL for the length says that more parts
// follow (message_test.cc).
TEST(Conventions, EveryFunctionThatGivesOutBytesHasARow) {
  std::set<std::string, std::less<>> rows = {"C_SignMessageNext"};
  for (const Row& row : kRows) rows.insert(row.name);
#define KC_FUNCTION(name, parameters, arguments)                             \
  EXPECT_TRUE(rows.contains(#name) ||                                        \
              std::string_view(#parameters).find("CK_ULONG_PTR out_size") == \
                  std::string_view::npos)                                    \
      << #name;
#include "pkcs11/functions.inc"
}

}  // namespace
}  // namespace keyclave::pkcs11
