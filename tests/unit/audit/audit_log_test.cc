#include "enclave/audit/audit_log.h"

#include <gnutls/abstract.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

#include "enclave/audit/line.h"

namespace keyclave::audit {
namespace {

class FixedClock final : public Clock {
 public:
  UnixTime Now() const override { return 1795000000; }
  std::chrono::steady_clock::time_point Steady() const override { return {}; }
};

// A P-256 key that signs checkpoints, as the enclave's does.
class Signer {
 public:
  Signer() {
    gnutls_privkey_init(&private_);
    gnutls_privkey_generate(private_, GNUTLS_PK_ECDSA,
                            GNUTLS_CURVE_TO_BITS(GNUTLS_ECC_CURVE_SECP256R1), 0);
    gnutls_pubkey_init(&public_);
    gnutls_pubkey_import_privkey(public_, private_, 0, 0);
  }
  Signer(const Signer&) = delete;
  Signer& operator=(const Signer&) = delete;
  ~Signer() {
    gnutls_privkey_deinit(private_);
    gnutls_pubkey_deinit(public_);
  }
  AuditLog::Sign Sign() {
    return [this](ByteSpan digest) -> Result<Bytes> {
      const gnutls_datum_t hash = {const_cast<uint8_t*>(digest.data()),
                                   static_cast<unsigned>(digest.size())};
      gnutls_datum_t signature{};
      if (gnutls_privkey_sign_hash(private_, GNUTLS_DIG_SHA256, 0, &hash, &signature) != 0) {
        return Fail(Code::kCryptoFailed);
      }
      Bytes bytes = ToBytes(FromC(signature.data, signature.size));
      gnutls_free(signature.data);
      return bytes;
    };
  }
  Bytes Spki() {
    gnutls_datum_t der{};
    gnutls_pubkey_export2(public_, GNUTLS_X509_FMT_DER, &der);
    Bytes bytes = ToBytes(FromC(der.data, der.size));
    gnutls_free(der.data);
    return bytes;
  }

 private:
  gnutls_privkey_t private_ = nullptr;
  gnutls_pubkey_t public_ = nullptr;
};

class AuditLogTest : public ::testing::Test {
 protected:
  void SetUp() override {
    std::string pattern = (std::filesystem::temp_directory_path() / "kc-audit-XXXXXX").string();
    ASSERT_NE(mkdtemp(pattern.data()), nullptr);
    directory_ = pattern;
  }
  void TearDown() override { std::filesystem::remove_all(directory_); }

  std::unique_ptr<AuditLog> Open() {
    auto log = AuditLog::Open(directory_, clock_, signer_.Sign());
    EXPECT_TRUE(log.ok()) << log.error().Text();
    return log.ok() ? std::move(log).value() : nullptr;
  }
  std::string NewestFile() const { return directory_ + "/00000001.jsonl"; }
  // Five records, a checkpoint, one record.
  std::vector<std::string> SampleLines() {
    auto log = Open();
    for (int i = 0; i < 5; ++i)
      EXPECT_TRUE(log->Write("denial", {{"key", std::to_string(i)}}).ok());
    EXPECT_TRUE(log->Checkpoint().ok());
    EXPECT_TRUE(log->Write("grant", {{"caller", "quote\" and \xff byte"}}).ok());
    return log->Read(1, 100).value();
  }

  std::string directory_;
  FixedClock clock_;
  Signer signer_;
};

TEST_F(AuditLogTest, ChainContinuesAfterReopening) {
  Open()->Write("start", {}).ok();
  {
    auto log = Open();
    EXPECT_EQ(log->next_sequence(), 2U);
    EXPECT_TRUE(log->Write("start", {}).ok());
  }
  const auto lines = Open()->Read(1, 10).value();
  ASSERT_EQ(lines.size(), 2U);
  EXPECT_TRUE(VerifyAuditLines(lines, {}).ok());
}

TEST_F(AuditLogTest, VerifiesChainAndCheckpointSignature) {
  const auto report = VerifyAuditLines(SampleLines(), signer_.Spki());
  ASSERT_TRUE(report.ok()) << report.error().Text();
  EXPECT_EQ(report->records, 7U);
  EXPECT_EQ(report->checkpoints, 1U);
  EXPECT_EQ(report->unsigned_tail, 1U);
}

TEST_F(AuditLogTest, FindsEveryTampering) {
  const auto good = SampleLines();
  const auto broken = [&](std::vector<std::string> lines) {
    const auto report = VerifyAuditLines(lines, signer_.Spki());
    return !report.ok() && report.code() == Code::kAuditBroken;
  };
  for (size_t i = 0; i + 1 < good.size(); ++i) {
    auto removed = good;
    removed.erase(removed.begin() + static_cast<ptrdiff_t>(i));
    EXPECT_TRUE(broken(removed)) << "removed " << i;
    auto swapped = good;
    std::swap(swapped[i], swapped[i + 1]);
    EXPECT_TRUE(broken(swapped)) << "swapped " << i;
  }
  for (size_t i = 0; i < good.size(); ++i) {
    for (size_t at = 0; at < good[i].size(); ++at) {
      auto edited = good;
      edited[i][at] = static_cast<char>(edited[i][at] ^ 1);
      EXPECT_TRUE(broken(edited)) << "line " << i << " byte " << at;
    }
  }
}

TEST_F(AuditLogTest, ALineIsReadToItsEnd) {
  const std::string good = SampleLines().front();
  ASSERT_TRUE(ParseLine(good).ok());
  // What stands behind a NUL would be hashed and not read.
  const std::string tail = good.substr(good.find(",\"hash\""));
  const auto bad = ParseLine(good + std::string(1, '\0') + "{\"more\":1" + tail);
  ASSERT_FALSE(bad.ok());
  EXPECT_EQ(bad.code(), Code::kAuditBroken);
}

TEST_F(AuditLogTest, AnotherKeysCheckpointIsRefused) {
  Signer other;
  EXPECT_EQ(VerifyAuditLines(SampleLines(), other.Spki()).code(), Code::kAuditBroken);
}

TEST_F(AuditLogTest, HalfLineOfACrashIsCutOff) {
  EXPECT_TRUE(Open()->Write("start", {}).ok());
  std::ofstream(NewestFile(), std::ios::app) << R"({"seq":2,"ti)";
  auto log = Open();
  ASSERT_NE(log, nullptr);
  EXPECT_TRUE(log->Write("start", {}).ok());
  EXPECT_TRUE(VerifyAuditLines(log->Read(1, 10).value(), {}).ok());
}

TEST_F(AuditLogTest, EditedFileIsRefusedAtOpen) {
  SampleLines();
  {
    std::fstream file(NewestFile());
    file.seekp(20);
    file.put('X');
  }
  const auto log = AuditLog::Open(directory_, clock_, signer_.Sign());
  ASSERT_FALSE(log.ok());
  EXPECT_EQ(log.code(), Code::kAuditBroken);
}

TEST_F(AuditLogTest, ReadsPagesFromASequenceNumber) {
  SampleLines();
  const auto lines = Open()->Read(3, 2).value();
  ASSERT_EQ(lines.size(), 2U);
  EXPECT_NE(lines[0].find("\"seq\":3"), std::string::npos);
}

}  // namespace
}  // namespace keyclave::audit
