// A log in a directory of its own, and the key that signs its checkpoints.
#pragma once

#include <gnutls/abstract.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

#include "enclave/audit/audit_files.h"
#include "enclave/audit/verify.h"

namespace keyclave::audit {

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
  // With the enclave's key, from the first record on.
  Result<VerifyReport> Verify(const std::vector<std::string>& lines,
                              std::vector<Mark> expected = {}, bool from_checkpoint = false) {
    return VerifyAuditLines(lines, {.public_key = signer_.Spki(),
                                    .from_checkpoint = from_checkpoint,
                                    .expected = std::move(expected)});
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

}  // namespace keyclave::audit
