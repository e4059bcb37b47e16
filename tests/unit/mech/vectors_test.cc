// Every known answer of tests/vectors/mech; SOURCES.md there says where each is from and how a line
// is read.

#include <openssl/crypto.h>

#include <filesystem>
#include <fstream>
#include <map>
#include <set>
#include <sstream>

#include "enclave/base/hash.h"
#include "tests/fakes/paths.h"
#include "tests/unit/mech/mech_testing.h"

namespace keyclave::mech {
namespace {

uint64_t Number(const std::string& text) { return std::stoull(text, nullptr, 0); }
Bytes Value(const std::string& text) { return text == "-" ? Bytes() : Hex(text); }

class VectorFile {
 public:
  void Run(const std::string& line) {
    std::istringstream in(line);
    std::string command;
    in >> command;
    words_.clear();
    for (std::string word; in >> word;) words_.push_back(word);
    if (RunKey(command) || RunMechanism(command)) return;
    ++answers_;
    if (!HasAlgorithm()) return ExpectRefusal(command);
    if (command == "sign") {
      EXPECT_EQ(ToHex(Get(Sign(Key(), mechanism_, Arg(0)))), ToHex(Arg(1)));
    } else if (command == "verify") {
      ExpectCode(CodeOf(Verify(Key(), mechanism_, Arg(0), Arg(1))), words_.at(2));
    } else if (command == "encrypt") {
      EXPECT_EQ(ToHex(Get(Encrypt(Key(), mechanism_, Arg(0)))), ToHex(Arg(1)));
    } else if (command == "decrypt") {
      RunDecrypt();
    } else if (command == "derive") {
      RunDerive();
    } else {
      RunNewer(command);
    }
  }
  size_t answers() const { return answers_; }

 private:
  bool HasAlgorithm() const { return OpenSSL_version_num() >= since_; }

  // What an older OpenSSL lacks is refused, not computed otherwise.
  void ExpectRefusal(const std::string& command) {
    if (command == "sign") {
      EXPECT_EQ(CodeOf(Sign(Key(), mechanism_, Arg(0))), "MechanismParamInvalid");
    } else {
      ASSERT_EQ(command, "verify");
      EXPECT_EQ(CodeOf(Verify(Key(), mechanism_, Arg(0), Arg(1))), "MechanismParamInvalid");
    }
  }

  void RunNewer(const std::string& command) {
    if (command == "sign-sha256") {
      EXPECT_EQ(ToHex(Sha256(Get(Sign(Key(), mechanism_, Arg(0))))), ToHex(Arg(1)));
    } else if (command == "recover") {
      const auto recover = FamilyOf(mechanism_.type).verify_recover;
      EXPECT_EQ(ToHex(Get(recover(*Key(), mechanism_, Arg(0)))), ToHex(Arg(1)));
    } else if (command == "digest") {
      EXPECT_EQ(ToHex(Get(FamilyOf(mechanism_.type).digest(mechanism_, Arg(0)))), ToHex(Arg(1)));
    } else if (command == "decapsulate") {
      const Result<SecretBytes> secret =
          FamilyOf(mechanism_.type).decapsulate(*Key(), mechanism_, Arg(0), 0);
      ExpectCode(CodeOf(secret), words_.at(2));
      if (secret.ok()) {
        EXPECT_EQ(ToHex(secret->Expose(SecretAccess())), ToHex(Arg(1)));
      }
    } else {
      FAIL() << "unknown command";
    }
  }

  Bytes Arg(size_t i) const { return Value(words_.at(i)); }

  static void ExpectCode(const std::string& got, const std::string& wanted) {
    if (wanted == "fail") {
      EXPECT_NE(got, "ok");
    } else {
      EXPECT_EQ(got, wanted);
    }
  }

  bool RunKey(const std::string& command) {
    if (command == "key") {
      attributes_ = {};
      attributes_.SetUlong(CKA_CLASS, words_.at(0) == "public" ? CKO_PUBLIC_KEY : CKO_PRIVATE_KEY);
      const std::map<std::string, uint64_t> types = {{"rsa", CKK_RSA},
                                                     {"ec", CKK_EC},
                                                     {"edwards", CKK_EC_EDWARDS},
                                                     {"montgomery", CKK_EC_MONTGOMERY},
                                                     {"ml-dsa", CKK_ML_DSA},
                                                     {"ml-kem", CKK_ML_KEM},
                                                     {"slh-dsa", CKK_SLH_DSA},
                                                     {"sm2", kCkkSm2}};
      attributes_.SetUlong(CKA_KEY_TYPE, types.at(words_.at(1)));
      key_ = nullptr;
    } else if (command == "attr") {
      attributes_.Set(Number(words_.at(0)), Arg(1));
      key_ = nullptr;
    } else if (command == "pkcs8") {
      key_ = ToPair(Get(MaterialFromPkcs8(Arg(0)))).private_key;
    } else if (command == "secret") {
      const std::map<std::string, uint64_t> types = {{"aes", CKK_AES},
                                                     {"xts", CKK_AES_XTS},
                                                     {"hkdf", CKK_HKDF},
                                                     {"sm4", kCkkSm4},
                                                     {"generic", CKK_GENERIC_SECRET}};
      key_ = SecretKey(types.at(words_.at(0)), Arg(1));
    } else {
      return false;
    }
    return true;
  }

  bool RunMechanism(const std::string& command) {
    if (command == "since") {
      since_ = Number(words_.at(0));
    } else if (command == "mech") {
      mechanism_ = Mech(Number(words_.at(0)));
    } else if (command == "pss") {
      mechanism_.pss =
          wire::PssParam{Number(words_.at(0)), Number(words_.at(1)), Number(words_.at(2))};
    } else if (command == "oaep") {
      mechanism_.oaep = wire::OaepParam{Number(words_.at(0)), Number(words_.at(1)), Arg(2)};
    } else if (command == "iv") {
      mechanism_.bytes = Arg(0);
    } else if (command == "gcm") {
      mechanism_.gcm = wire::GcmParam{Arg(0), Arg(1), Number(words_.at(2))};
    } else if (command == "ctr") {
      mechanism_.ctr = wire::CtrParam{Number(words_.at(0)), {}};
      const Bytes block = Arg(1);
      std::copy(block.begin(), block.end(), mechanism_.ctr->block.begin());
    } else if (command == "ecdh") {
      mechanism_.ecdh = wire::EcdhParam{Number(words_.at(0)), Arg(1), Arg(2)};
    } else {
      return RunNewerMechanism(command);
    }
    return true;
  }

  bool RunNewerMechanism(const std::string& command) {
    if (command == "context") {
      mechanism_.sign_context =
          wire::SignContextParam{Number(words_.at(0)), Arg(1), Number(words_.at(2))};
    } else if (command == "ccm") {
      mechanism_.ccm = wire::CcmParam{Arg(0), Arg(1), Number(words_.at(2)), Number(words_.at(3))};
    } else if (command == "eddsa") {
      mechanism_.eddsa = wire::EddsaParam{Number(words_.at(0)) == 1, Arg(1)};
    } else if (command == "cbcdata") {
      mechanism_.cbc_data.emplace();
      const Bytes iv = Arg(0);
      std::copy(iv.begin(), iv.end(), mechanism_.cbc_data->iv.begin());
      mechanism_.cbc_data->data = Arg(1);
    } else if (command == "hkdf") {
      mechanism_.hkdf = wire::HkdfParam{Number(words_.at(0)) == 1, Number(words_.at(1)) == 1,
                                        Number(words_.at(2)), Arg(3), Arg(4)};
    } else if (command == "kbkdf") {
      mechanism_.kbkdf = wire::KbkdfParam{Number(words_.at(0)), Arg(1), {}};
    } else if (command == "field") {
      mechanism_.kbkdf->fields.push_back({Number(words_.at(0)), Arg(1), Number(words_.at(2)),
                                          Number(words_.at(3)) == 1, Number(words_.at(4))});
    } else {
      return false;
    }
    return true;
  }

  void RunDecrypt() {
    const Result<Bytes> plain = Decrypt(Key(), mechanism_, Arg(0));
    const std::string& wanted = words_.at(2);
    if (wanted == "differs") {
      EXPECT_TRUE(!plain.ok() || *plain != Arg(1));
      return;
    }
    ExpectCode(CodeOf(plain), wanted);
    if (plain.ok()) {
      EXPECT_EQ(ToHex(*plain), ToHex(Arg(1)));
    }
  }

  void RunDerive() {
    const Result<SecretBytes> secret =
        FamilyOf(mechanism_.type).derive(*Key(), mechanism_, Number(words_.at(0)));
    if (words_.at(1) == "fail") {
      EXPECT_FALSE(secret.ok());
      return;
    }
    EXPECT_EQ(ToHex(Get(secret.ok() ? Result<Bytes>(ToBytes(secret->Expose(SecretAccess())))
                                    : Result<Bytes>(secret.error()))),
              ToHex(Arg(1)));
  }

  const KeyPtr& Key() {
    if (key_ != nullptr) return key_;
    const uint64_t object_class = *attributes_.Ulong(CKA_CLASS);
    NewKey made = Get(MaterialFromTemplate(attributes_));
    key_ = Load(made.attributes, object_class, made.material);
    return key_;
  }

  std::vector<std::string> words_;
  wire::AttributeList attributes_;
  KeyPtr key_;
  wire::Mechanism mechanism_;
  uint64_t since_ = 0;  // the OpenSSL that has what the following lines need
  size_t answers_ = 0;
};

// `needs TYPE`, a file's first line: it is for an OpenSSL that has this mechanism.
bool IsForThisOpenssl(const std::filesystem::path& path) {
  std::ifstream in(path);
  std::string command;
  std::string number;
  in >> command >> number;
  return command != "needs" || FindMechanism(Number(number)).ok();
}

class Vectors : public testing::TestWithParam<std::string> {};

TEST_P(Vectors, AnswersAreTheKnownOnes) {
  std::ifstream in(GetParam());
  VectorFile file;
  size_t number = 0;
  for (std::string line; std::getline(in, line);) {
    SCOPED_TRACE(std::filesystem::path(GetParam()).filename().string() + ":" +
                 std::to_string(++number));
    const bool header = line.starts_with("needs ");
    if (!line.empty() && line.front() != '#' && !header) file.Run(line);
  }
  EXPECT_GE(file.answers(), 9U);
}

std::vector<std::string> VectorFiles() {
  std::vector<std::string> files;
  const std::string folder = fakes::SourcePath("tests/vectors/mech");
  for (const auto& entry : std::filesystem::directory_iterator(folder)) {
    if (entry.path().extension() == ".txt") files.push_back(entry.path().string());
  }
  std::sort(files.begin(), files.end());
  return files;
}

std::string StemOf(const testing::TestParamInfo<std::string>& file) {
  return std::filesystem::path(file.param).stem().string();
}
std::vector<std::string> FilesForThisOpenssl() {
  std::vector<std::string> files = VectorFiles();
  std::erase_if(files, [](const std::string& file) { return !IsForThisOpenssl(file); });
  return files;
}
INSTANTIATE_TEST_SUITE_P(Files, Vectors, testing::ValuesIn(FilesForThisOpenssl()), StemOf);

TEST(VectorFilesTest, EachHasItsSource) {
  std::ifstream in(fakes::SourcePath("tests/vectors/mech/SOURCES.md"));
  const std::string sources((std::istreambuf_iterator<char>(in)), std::istreambuf_iterator<char>());
  EXPECT_GE(VectorFiles().size(), 34U);
  for (const std::string& file : VectorFiles()) {
    const std::string name = std::filesystem::path(file).filename().string();
    EXPECT_NE(sources.find("| `" + name + "` |"), std::string::npos) << name;
  }
}

// The mechanisms that the files have answers for, whichever OpenSSL this is.
std::set<uint64_t> AnsweredByFiles() {
  std::set<uint64_t> answered;
  for (const std::string& path : VectorFiles()) {
    std::ifstream in(path);
    std::optional<uint64_t> current;
    for (std::string line; std::getline(in, line);) {
      const bool names = line.starts_with("mech ");
      if (names) {
        current = Number(line.substr(5));
      } else if (current.has_value() &&
                 (line.starts_with("sign") || line.starts_with("verify ") ||
                  line.starts_with("encrypt ") || line.starts_with("decrypt ") ||
                  line.starts_with("derive ") || line.starts_with("digest ") ||
                  line.starts_with("decapsulate "))) {
        answered.insert(*current);
      }
    }
  }
  return answered;
}

// Mechanisms for which nobody published an answer, and what stands in for one.
const std::map<uint64_t, std::string_view>& Unanswered() {
  static const std::map<uint64_t, std::string_view> reasons = {
      {CKM_SHA224_RSA_PKCS_PSS, "the padding as with SHA-256, the hash as in rsa_pkcs1_verify.txt"},
      {CKM_SHA3_224_RSA_PKCS_PSS, "the same"},
      {CKM_SHA3_256_RSA_PKCS_PSS, "the same"},
      {CKM_SHA3_384_RSA_PKCS_PSS, "the same"},
      {CKM_SHA3_512_RSA_PKCS_PSS, "the same"},
      {CKM_ECDSA_SHA3_224, "as with the other hashes; the hash as in rsa_pkcs1_verify.txt"},
      {CKM_CONCATENATE_BASE_AND_KEY, "takes a second key: tests/unit/ops/derive_test.cc"},
      {CKM_RSA_AES_KEY_WRAP, "OAEP of a random key, and RFC 5649 under it: both have answers"},
      {kCkmRsaPkcsTls, "answers at random to what is not well formed: rsa_test.cc"},
      {kCkmSm4CbcPad, "CBC as in sm4.txt, the padding as in aes_cbc_pad.txt"}};
  return reasons;
}

// A mechanism without a known answer would be trusted for its name.
TEST(VectorFilesTest, EachMechanismHasAnAnswerOrAReason) {
  const std::set<uint64_t> answered = AnsweredByFiles();
  for (const MechEntry& entry : EveryMechanism()) {
    if (entry.family->generate != nullptr) continue;  // what is made at random has no known answer
    const uint64_t type = entry.row->type;
    EXPECT_NE(answered.contains(type), Unanswered().contains(type))
        << entry.family->name << " 0x" << std::hex << type;
  }
}

}  // namespace
}  // namespace keyclave::mech
