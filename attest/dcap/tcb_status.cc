#include "attest/dcap/tcb_status.h"

#include <array>

namespace keyclave::attest::dcap {
namespace {

struct Row {
  TcbStatus status;
  std::string_view intel;
  std::string_view claim;
};

constexpr std::array kRows = {
    Row{TcbStatus::kUpToDate, "UpToDate", "up-to-date"},
    Row{TcbStatus::kSwHardeningNeeded, "SWHardeningNeeded", "sw-hardening-needed"},
    Row{TcbStatus::kConfigurationNeeded, "ConfigurationNeeded", "configuration-needed"},
    Row{TcbStatus::kConfigurationAndSwHardeningNeeded, "ConfigurationAndSWHardeningNeeded",
        "configuration-and-sw-hardening-needed"},
    Row{TcbStatus::kOutOfDate, "OutOfDate", "out-of-date"},
    Row{TcbStatus::kOutOfDateConfigurationNeeded, "OutOfDateConfigurationNeeded",
        "out-of-date-configuration-needed"},
    Row{TcbStatus::kRevoked, "Revoked", "revoked"},
};

}  // namespace

std::optional<TcbStatus> TcbStatusFromIntel(std::string_view word) {
  for (const Row& row : kRows) {
    if (row.intel == word) return row.status;
  }
  return std::nullopt;
}

std::string_view TcbStatusClaim(TcbStatus status) {
  for (const Row& row : kRows) {
    if (row.status == status) return row.claim;
  }
  return "revoked";
}

TcbStatus Merge(TcbStatus platform, TcbStatus component) {
  if (platform == TcbStatus::kRevoked || component == TcbStatus::kRevoked)
    return TcbStatus::kRevoked;
  if (component == TcbStatus::kUpToDate) return platform;
  switch (platform) {
    case TcbStatus::kUpToDate:
    case TcbStatus::kSwHardeningNeeded: return TcbStatus::kOutOfDate;
    case TcbStatus::kConfigurationNeeded:
    case TcbStatus::kConfigurationAndSwHardeningNeeded:
      return TcbStatus::kOutOfDateConfigurationNeeded;
    case TcbStatus::kOutOfDate:
    case TcbStatus::kOutOfDateConfigurationNeeded:
    case TcbStatus::kRevoked: return platform;
  }
  return TcbStatus::kRevoked;
}

}  // namespace keyclave::attest::dcap
