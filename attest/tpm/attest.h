// TPMS_ATTEST of a quote: what a TPM signs (TPM 2.0 Library, Part 2 §10.12.8).
#pragma once

#include <map>
#include <vector>

#include "enclave/base/bytes.h"
#include "enclave/base/hash.h"

namespace keyclave::attest::tpm {

// A hash algorithm of PCRs: TPM_ALG_ID, the name that tpm2-tools uses, bytes of a value.
struct Bank {
  uint16_t id;
  std::string_view name;
  size_t size;
};
// In order of strength, strongest first.
std::span<const Bank> AllBanks();
const Bank* FindBank(uint16_t id);  // nullptr if it is not known
const Bank* FindBank(std::string_view name);

// TPMS_PCR_SELECTION: of one bank, the registers whose bit is set, ascending.
struct PcrSelection {
  uint16_t bank = 0;
  std::vector<unsigned> registers;
  Bytes bits;  // pcrSelect as it stands there
};

// What Attest::type says. Of the structures that a TPM signs only the quote is evidence.
inline constexpr uint16_t kAttestQuote = 0x8018;

struct Attest {
  Bytes qualified_signer;  // TPM2B_NAME
  Bytes extra_data;        // TPM2B_DATA: the caller's qualifying data
  uint64_t clock = 0;      // milliseconds
  uint32_t reset_count = 0;
  uint32_t restart_count = 0;
  bool safe = false;
  uint64_t firmware_version = 0;
  std::vector<PcrSelection> selections;  // TPML_PCR_SELECTION, in its order
  Bytes pcr_digest;
  Bytes quote_info;  // TPMS_QUOTE_INFO as it stands there: selections and digest
};

// kMalformed for a structure that no TPM made (magic), that is no quote (a CERTIFY and the others
// are named), that selects nothing, one bank twice or a bank that is not known; kTruncated,
// kTrailingBytes, kTooLarge.
inline constexpr size_t kMaxAttest = 1024;  // bytes; the largest quote has fewer than 400
Result<Attest> ParseAttest(ByteSpan bytes);

// "sha256:0,1,7+sha384:7", as tpm2_quote takes it.
std::string SelectionText(const std::vector<PcrSelection>& selections);

// Values of registers by bank and register.
using PcrValues = std::map<uint16_t, std::map<unsigned, Bytes>>;

// The digest that a quote over these registers has, if they hold these values: all of them in the
// order of the selections (Part 3 §18.4). kMalformed if one is missing.
Result<Bytes> PcrDigest(const std::vector<PcrSelection>& selections, const PcrValues& values,
                        HashAlgorithm hash);
// Drops the values that the quote does not select (files hold all 24 registers).
PcrValues OnlySelected(const std::vector<PcrSelection>& selections, const PcrValues& values);

}  // namespace keyclave::attest::tpm
