// The issuers whose tokens are understood, and what each family's tokens say of the TEE that they
// are about. One file each: maa.cc, ita.cc, google.cc, ear.cc.
//
// A token is bound to a session where one of these holds the report data (whole, or its first 32
// bytes or more). Each comes from inside the TEE: the hardware signed it, or the service compared
// its hash with what the hardware signed. A nonce that only the request to the service carried
// would not do: whoever has an old quote can ask again.
//
//   maa      x-ms-sgx-report-data, tdx_report_data or x-ms-sevsnpvm-reportdata (hexadecimal);
//            x-ms-sgx-ehd (base64url); x-ms-runtime.client-payload.nonce (base64)
//   ita      sgx_report_data or tdx_report_data (hexadecimal), attester_held_data (base64)
//   google   eat_nonce: a text or a list, hexadecimal or base64url (at most 74 characters:
//   hexadecimal
//            of the first 32 bytes)
//   trustee  eat_nonce, of the token or of a submodule, hexadecimal or base64url; report_data of
//            the submodule's annotated evidence (hexadecimal)
//
// Claims: token.tee, and where the family gives them measurement, signer, product_id, svn, debug,
// tcb_status, tcb_date, advisories, host_data; its own under `token.`.
#pragma once

#include <nlohmann/json_fwd.hpp>

#include "attest/claims.h"

namespace keyclave::attest::token {

struct Family {
  std::string_view name;
  // Whether these claims are a token of this family: by what such tokens always have.
  bool (*is)(const nlohmann::json& payload);
  // kEvidenceMalformed where what the family must say is missing or of another type; kEvidenceTcb
  // where the service itself says that the TEE is not to be trusted.
  Result<ClaimSet> (*claims)(const nlohmann::json& payload);
  // What the token is bound to, in each of the places and spellings above.
  std::vector<Bytes> (*bindings)(const nlohmann::json& payload);
};

// nullptr if it is of none of them.
const Family* FindFamily(const nlohmann::json& payload);

extern const Family kMaa;
extern const Family kIta;
extern const Family kGoogle;
extern const Family kEar;

}  // namespace keyclave::attest::token
