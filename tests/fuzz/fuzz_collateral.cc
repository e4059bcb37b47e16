// Collateral that an operator carried in: read before anybody knows who signed it.

#include <cstdlib>

#include "attest/collateral_item.h"
#include "attest/dcap/enclave_identity.h"
#include "attest/dcap/tcb_info.h"

using keyclave::Equal;
using keyclave::FromC;
using keyclave::attest::Collateral;
using keyclave::attest::Document;
using keyclave::attest::DocumentKind;
using keyclave::attest::ReadCollateralItems;
using keyclave::attest::dcap::ParseEnclaveIdentity;
using keyclave::attest::dcap::ParseTcbInfo;

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  Collateral collateral;
  if (!collateral.Add(FromC(data, size), "corpus").ok()) return 0;
  for (const Document& document : collateral.documents()) {
    if (!Equal(document.bytes(), FromC(data, size))) std::abort();
    // Whichever kind it says it is, both readers must answer.
    const auto info = ParseTcbInfo(document);
    if (info.ok() && (document.kind() != DocumentKind::kTcbInfo || info->levels.empty()))
      std::abort();
    const auto identity = ParseEnclaveIdentity(document);
    if (identity.ok() &&
        (document.kind() != DocumentKind::kEnclaveIdentity || identity->levels.empty()))
      std::abort();
  }
  // What is one thing is the same thing once it is stored.
  const auto items = ReadCollateralItems(FromC(data, size), "corpus");
  if (!items.ok()) return 0;
  for (const auto& item : *items) {
    const auto again = ReadCollateralItems(item.bytes, "stored");
    if (!again.ok() || again->size() != 1 || again->front().name != item.name) std::abort();
  }
  return 0;
}
