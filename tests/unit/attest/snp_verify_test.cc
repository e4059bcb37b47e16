// What an SEV-SNP report must have on its side to be believed, and what it then claims.

#include <gtest/gtest.h>

#include "tests/unit/attest/snp_testing.h"

namespace keyclave::attest {
namespace {

using test::Claim;
using test::ExamineSnp;
using test::FakeSnp;
using test::FakeSnpOptions;
using test::kNow;
using test::MakeTurin;
using test::MakeVlek;
using test::RefusedIf;
using test::RefusedWith;
using test::With;

TEST(SnpVerify, ClaimsAreTheReportsFields) {
  FakeSnp fake;
  FakeSnpOptions& options = fake.options();
  options.vmpl = 2;
  options.author_key_enabled = true;
  options.author_key_digest.fill(0xaa);
  const auto claims = ExamineSnp(fake);
  ASSERT_TRUE(claims.ok()) << claims.error().Text();
  EXPECT_EQ(Claim(*claims, "signer"), ToHex(options.id_key_digest));
  EXPECT_EQ(Claim(*claims, "product_id"), ToHex(options.family_id));
  EXPECT_EQ(Claim(*claims, "svn"), "3");
  EXPECT_EQ(Claim(*claims, "platform_id"), ToHex(options.chip_id));
  EXPECT_EQ(Claim(*claims, "host_data"), ToHex(options.host_data));
  EXPECT_EQ(Claim(*claims, "sev-snp.vmpl"), "2");
  EXPECT_EQ(Claim(*claims, "sev-snp.author_key_digest"), ToHex(options.author_key_digest));
  EXPECT_EQ(Claim(*claims, "sev-snp.policy_smt_allowed"), "true");
  EXPECT_EQ(Claim(*claims, "sev-snp.policy_migrate_ma"), "false");
  EXPECT_EQ(Claim(*claims, "sev-snp.platform_smt_enabled"), "true");
  EXPECT_EQ(Claim(*claims, "sev-snp.platform_tsme_enabled"), "false");
  EXPECT_EQ(Claim(*claims, "sev-snp.platform_alias_check_complete"), "true");
  EXPECT_EQ(Claim(*claims, "sev-snp.product"), "Milan");
  EXPECT_EQ(Claim(*claims, "sev-snp.signing_key"), "vcek");
  EXPECT_EQ(Claim(*claims, "sev-snp.reported_tcb_snp"), "23");
  EXPECT_EQ(Claim(*claims, "sev-snp.reported_tcb_fmc"), "(absent)");
}

// lesson 5: an identity that is absent is no identity. Digests of zeros make no claim.
TEST(SnpVerify, KeysThatAreNotThereMakeNoClaim) {
  FakeSnp fake(With([](FakeSnpOptions& options) { options.id_key_digest = {}; }));
  const auto claims = ExamineSnp(fake);
  ASSERT_TRUE(claims.ok());
  EXPECT_EQ(Claim(*claims, "signer"), "(absent)");
  EXPECT_EQ(Claim(*claims, "sev-snp.id_key_digest"), "(absent)");
  EXPECT_EQ(Claim(*claims, "sev-snp.author_key_digest"), "(absent)");
}

TEST(SnpVerify, TcbStatusTellsWhetherTheReportStandsForWhatRuns) {
  FakeSnp fake;
  EXPECT_EQ(Claim(*ExamineSnp(fake), "tcb_status"), "up-to-date");
  for (size_t i : {0U, 1U, 6U, 7U}) {
    fake.options() = FakeSnpOptions();
    ++fake.options().current_tcb.at(i);
    EXPECT_EQ(Claim(*ExamineSnp(fake), "tcb_status"), "out-of-date") << i;
  }
}

TEST(SnpVerify, EveryProductLineIsAccepted) {
  struct Row {
    std::string line;
    std::string product;
    SnpCpu cpu;
  };
  for (const Row& row :
       {Row{"Genoa", "Genoa", {0x19, 0x11, 1}}, Row{"Genoa", "Genoa-B1", {0x19, 0xa0, 2}},
        Row{"Genoa", "Siena-B0", {0x19, 0xa0, 2}}, Row{"Milan", "Milan", {0x19, 0x01, 1}}}) {
    const FakeSnp fake(With([&](FakeSnpOptions& options) {
      options.line = row.line;
      options.product = row.product;
      options.cpu = row.cpu;
    }));
    const auto claims = ExamineSnp(fake);
    ASSERT_TRUE(claims.ok()) << row.product << ": " << claims.error().Text();
    EXPECT_EQ(Claim(*claims, "sev-snp.product"), row.line);
  }
}

TEST(SnpVerify, TurinHasItsOwnTcbLayoutAndAShortChipId) {
  const auto claims = ExamineSnp(FakeSnp(With(MakeTurin)));
  ASSERT_TRUE(claims.ok()) << claims.error().Text();
  EXPECT_EQ(Claim(*claims, "sev-snp.reported_tcb_fmc"), "1");
  EXPECT_EQ(Claim(*claims, "sev-snp.reported_tcb_bootloader"), "2");
  EXPECT_EQ(Claim(*claims, "sev-snp.reported_tcb_tee"), "3");
  EXPECT_EQ(Claim(*claims, "sev-snp.reported_tcb_snp"), "4");
  EXPECT_EQ(Claim(*claims, "sev-snp.reported_tcb_microcode"), "82");
  EXPECT_EQ(RefusedIf([](FakeSnpOptions& options) {
              MakeTurin(options);
              options.chip_id[8] = 1;
            }),
            Code::kEvidenceIdentity);
  EXPECT_EQ(RefusedIf([](FakeSnpOptions& options) {
              MakeTurin(options);
              options.without_extension = "1.3.6.1.4.1.3704.1.3.9";
            }),
            Code::kEvidenceIdentity);
}

// lesson 42: the patch level of a report counts only as far as the certificate says the same.
TEST(SnpVerify, EveryByteOfTheReportedTcbIsTheCertificates) {
  for (const bool turin : {false, true}) {
    FakeSnp fake(turin ? With(MakeTurin) : FakeSnpOptions());
    const SnpTcb certified = fake.options().reported_tcb;
    for (size_t i = 0; i < certified.size(); ++i) {
      fake.options().reported_tcb = certified;
      ++fake.options().reported_tcb.at(i);
      const auto refused = ExamineSnp(fake);
      ASSERT_EQ(RefusedWith(refused), Code::kEvidenceIdentity) << i;
      ASSERT_TRUE(refused.error().mismatch().has_value());
      EXPECT_NE(refused.error().mismatch()->wanted, refused.error().mismatch()->got);
    }
  }
}

TEST(SnpVerify, EveryByteOfTheChipIdIsTheCertificates) {
  FakeSnp fake;
  const auto chip_id = fake.options().chip_id;
  for (size_t i = 0; i < chip_id.size(); ++i) {
    fake.options().chip_id = chip_id;
    fake.options().chip_id.at(i) ^= 1;
    EXPECT_EQ(RefusedWith(ExamineSnp(fake)), Code::kEvidenceIdentity) << i;
  }
}

TEST(SnpVerify, TheLeafIsOfTheCpusProduct) {
  const auto genoa_cpu = [](FakeSnpOptions& options) { options.cpu = {0x19, 0x11, 1}; };
  EXPECT_EQ(RefusedIf(genoa_cpu), Code::kEvidenceIdentity);
  EXPECT_EQ(RefusedIf([](FakeSnpOptions& options) {
              options.cpu = {0x1b, 0x01, 1};
            }),
            Code::kEvidenceIdentity);
}

TEST(SnpVerify, AMilanLeafUnderAGenoaRootIsRefused) {
  EXPECT_EQ(RefusedIf([](FakeSnpOptions& options) { options.line = "Genoa"; }),
            Code::kEvidenceIdentity);
  // Nor where the report does not tell its CPU.
  EXPECT_EQ(RefusedIf([](FakeSnpOptions& options) {
              options.line = "Genoa";
              options.version = 2;
            }),
            Code::kEvidenceIdentity);
}

TEST(SnpVerify, AVlekNamesNoChip) {
  const auto claims = ExamineSnp(FakeSnp(With(MakeVlek)));
  ASSERT_TRUE(claims.ok()) << claims.error().Text();
  EXPECT_EQ(Claim(*claims, "platform_id"), "(absent)");
  EXPECT_EQ(Claim(*claims, "sev-snp.signing_key"), "vlek");
  EXPECT_EQ(Claim(*claims, "sev-snp.csp_id"), "CN=cloud.example");
}

TEST(SnpVerify, TheKindOfKeyIsTheReports) {
  const auto vlek_says_vcek = [](FakeSnpOptions& options) {
    MakeVlek(options);
    options.signing_key = 0;
    options.chip_id.fill(1);
  };
  EXPECT_EQ(RefusedIf(vlek_says_vcek), Code::kEvidenceIdentity);
  EXPECT_EQ(RefusedIf([](FakeSnpOptions& options) { options.signing_key = 1; }),
            Code::kEvidenceIdentity);
  EXPECT_EQ(RefusedIf([](FakeSnpOptions& options) { options.signing_key = 7; }),
            Code::kEvidenceSignature);
}

TEST(SnpVerify, AMaskedChipUnderAVcekIsRefused) {
  for (const bool masked : {false, true}) {
    EXPECT_EQ(RefusedIf([&](FakeSnpOptions& options) {
                options.chip_id = {};
                options.mask_chip_key = masked;
              }),
              Code::kEvidenceIdentity);
  }
}

TEST(SnpVerify, TheSignatureIsOfTheReportAndOfNothingElse) {
  const FakeSnp fake;
  const Bytes good = fake.Evidence(ReportData{}, kNow, false);
  const Bytes report = fake.Report(ReportData{});
  const auto with = [&](ByteSpan r, ByteSpan s) {
    Bytes bad = FakeSnp::WithSignature(report, r, s);
    bad.insert(bad.end(), good.begin() + kSnpReportSize, good.end());
    return RefusedWith(ExamineSnp(bad, fake.OwnTrust()));
  };
  const auto parsed = ParseSnpReport(report);
  ASSERT_TRUE(parsed.ok());
  EXPECT_EQ(with(parsed->r, parsed->s), std::nullopt);
  EXPECT_EQ(with(parsed->s, parsed->r), Code::kEvidenceSignature);
  EXPECT_EQ(with(Bytes(48, 0), Bytes(48, 0)), Code::kEvidenceSignature);
  EXPECT_EQ(with(Bytes(48, 0xff), Bytes(48, 0xff)), Code::kEvidenceSignature);
  EXPECT_EQ(with(Bytes(parsed->r.rbegin(), parsed->r.rend()),
                 Bytes(parsed->s.rbegin(), parsed->s.rend())),
            Code::kEvidenceSignature);
}

TEST(SnpVerify, TheCertificatesExtensionsAreReadStrictly) {
  const std::string arc = "1.3.6.1.4.1.3704.1.";
  for (const char* missing : {"2", "3.1", "3.2", "3.3", "3.8", "4"}) {
    EXPECT_NE(
        RefusedIf([&](FakeSnpOptions& options) { options.without_extension = arc + missing; }),
        std::nullopt)
        << missing;
  }
  // What is reserved may be absent, and is zero then.
  EXPECT_EQ(RefusedIf([&](FakeSnpOptions& options) { options.without_extension = arc + "3.4"; }),
            std::nullopt);
  const auto spl = [&](Bytes value) {
    return RefusedIf([&](FakeSnpOptions& options) {
      options.without_extension = arc + "3.1";
      options.more_extensions = {{arc + "3.1", value}};
    });
  };
  EXPECT_EQ(spl({2, 1, 4}), std::nullopt);
  for (const Bytes& bad : {Bytes{2}, Bytes{2, 0}, Bytes{2, 1, 4, 0}, Bytes{2, 2, 4},
                           Bytes{2, 2, 0, 4}, Bytes{2, 2, 1, 4}, Bytes{2, 1, 0x84}, Bytes{4, 1, 4},
                           Bytes{2, 5, 0, 0, 0, 0, 4}, Bytes{2, 0x80, 4, 0, 0}})
    EXPECT_EQ(spl(bad), Code::kEvidenceIdentity) << ToHex(bad);
  for (const char* product : {"Rome", "", "milan"}) {
    EXPECT_EQ(RefusedIf([&](FakeSnpOptions& options) { options.product = product; }),
              Code::kEvidenceIdentity);
  }
  // Both a chip and a cloud provider.
  EXPECT_EQ(RefusedIf([&](FakeSnpOptions& options) {
              options.more_extensions = {{arc + "5", Bytes{0x16, 1, 'x'}}};
            }),
            Code::kEvidenceIdentity);
}

TEST(SnpVerify, AnHwidIsRawOrAnOctetStringOfItsLength) {
  const auto hwid = [](Bytes value, bool wrapped) {
    return RefusedIf([&](FakeSnpOptions& options) {
      options.wrapped_hwid = wrapped;
      options.certified_hwid = value;
    });
  };
  EXPECT_EQ(hwid(Bytes(64, 0xc1), false), std::nullopt);
  EXPECT_EQ(hwid(Bytes(64, 0xc1), true), std::nullopt);
  for (const size_t size : {0U, 1U, 8U, 63U, 65U}) {
    EXPECT_EQ(hwid(Bytes(size, 0xc1), true), Code::kEvidenceIdentity) << size;
    // GnuTLS writes no empty extension.
    if (size != 0) {
      EXPECT_EQ(hwid(Bytes(size, 0xc1), false), Code::kEvidenceIdentity) << size;
    }
  }
}

}  // namespace
}  // namespace keyclave::attest
