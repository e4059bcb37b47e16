#include "enclave/session/caller_id.h"

#include <gtest/gtest.h>

namespace keyclave::session {
namespace {

attest::ClaimSet Claims(const std::vector<std::pair<std::string, std::string>>& claims) {
  attest::ClaimSet set;
  for (const auto& [name, value] : claims) set.Set(name, value);
  return set;
}

TEST(CallerId, IsTheWorkloadOnItsMachine) {
  const auto base =
      Claims({{"tee", "sev-snp"}, {"measurement", "aa"}, {"platform_id", "01"}, {"svn", "3"}});
  const CallerId id = CallerIdOf(base, true);
  EXPECT_EQ(id, CallerIdOf(Claims({{"tee", "sev-snp"},
                                   {"measurement", "aa"},
                                   {"platform_id", "01"},
                                   {"host_data", "77"}}),
                           true));
  for (const std::string name : {"tee", "measurement", "platform_id"}) {
    attest::ClaimSet other = base;
    other.Set(name, std::string("other"));
    EXPECT_NE(id, CallerIdOf(other, true)) << name;
  }
  EXPECT_NE(id, CallerIdOf(base, false));
}

TEST(CallerId, DoesNotChangeWithWhatTheCallerMayChange) {
  // Anybody in the guest may extend a PCR, and with it the measurement.
  EXPECT_EQ(
      CallerIdOf(Claims({{"tee", "tpm"}, {"measurement", "aa"}, {"platform_id", "01"}}), true),
      CallerIdOf(Claims({{"tee", "tpm"}, {"measurement", "bb"}, {"platform_id", "01"}}), true));
  attest::ClaimSet user = Claims({{"tee", "co-resident"}, {"measurement", "aa"}});
  user.Set("co-resident.uid", int64_t{33});
  attest::ClaimSet same = Claims({{"tee", "co-resident"}, {"measurement", "bb"}});
  same.Set("co-resident.uid", int64_t{33});
  EXPECT_EQ(CallerIdOf(user, true), CallerIdOf(same, true));
  same.Set("co-resident.uid", int64_t{34});
  EXPECT_NE(CallerIdOf(user, true), CallerIdOf(same, true));
}

TEST(CallerId, WithoutEvidenceIsAUserOrAnybody) {
  attest::ClaimSet one;
  one.Set("peer.uid", int64_t{1}, attest::Origin::kTransport);
  attest::ClaimSet two;
  two.Set("peer.uid", int64_t{2}, attest::Origin::kTransport);
  EXPECT_NE(CallerIdOf(one, false), CallerIdOf(two, false));
  EXPECT_NE(CallerIdOf(one, false), CallerIdOf({}, false));
  EXPECT_EQ(CallerIdOf({}, false), CallerIdOf({}, false));
}

}  // namespace
}  // namespace keyclave::session
