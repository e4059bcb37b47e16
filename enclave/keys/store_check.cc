#include "enclave/keys/store_check.h"

#include "enclave/keys/records.h"

namespace keyclave::keys {
namespace {

// Opening so many takes some milliseconds; commits wait for their reading only.
constexpr size_t kSlice = 1024;

constexpr std::string_view kMendRow =
    "put the newest backup of store.db back, with keyclaved stopped; until then this record is "
    "there only as long as it stays in memory";
constexpr std::string_view kMendExtra =
    "keyclaved refuses to start like this: somebody writes to store.db; put the newest backup back";
constexpr std::string_view kMendHead =
    "keyclaved does not start with it: put the newest backup of store.db back";
constexpr std::string_view kMendWitness =
    "put the witness back from where it was; changes are refused until it follows the store";

std::string_view TypeName(RecordType type) {
  switch (type) {
    case RecordType::kEnclave: return "audit mark";
    case RecordType::kToken: return "token";
    case RecordType::kPolicy: return "policy";
    case RecordType::kObject: return "object";
    case RecordType::kUsage: return "limit";
    case RecordType::kSet: return "reference-value set";
    case RecordType::kHistory: return "former version";
    case RecordType::kRevocation: return "revocation";
    case RecordType::kApproval: return "approval";
    case RecordType::kMember: return "member";
    case RecordType::kGeneration: return "generation of the root secret";
    case RecordType::kTombstone: break;
  }
  return "record";
}

// Both lists up to the last row of the one that may go on behind its end; what lies above comes
// with the next slice. nullopt: neither goes on.
std::optional<store::RowId> CutToOneEnd(Vault::Slice& slice) {
  std::optional<store::RowId> end;
  if (slice.known.size() == kSlice) end = slice.known.back().id;
  if (slice.stored.size() == 2 * kSlice && (!end || slice.stored.back().id < *end))
    end = slice.stored.back().id;
  if (!end) return end;
  std::erase_if(slice.known, [&](const Vault::KnownRow& row) { return *end < row.id; });
  std::erase_if(slice.stored, [&](const store::Row& row) { return *end < row.id; });
  return end;
}

StoreFinding RowFinding(const store::RowId& row, std::string what, std::string_view mend) {
  return {ToHex(row), "", std::move(what), std::string(mend)};
}

StoreFinding CheckExtra(Vault& vault, const store::Row& row) {
  const Result<Vault::FoundRow> found = vault.OpenRow(row);
  if (!found.ok())
    return RowFinding(row.id, "a row that this enclave did not write was added", kMendExtra);
  StoreFinding finding = RowFinding(row.id, "a row of another time was added", kMendExtra);
  finding.subject = SubjectOf(found->key);
  return finding;
}

std::optional<StoreFinding> CheckRow(Vault& vault, const Vault::KnownRow& known,
                                     const store::Row& row) {
  const Result<Vault::FoundRow> found = vault.OpenRow(row);
  if (!found.ok())
    return RowFinding(row.id, "the row was edited, or swapped with another", kMendRow);
  if (found->version == known.version && Equal(found->tag, known.tag)) return std::nullopt;
  const std::string versions =
      "version " + std::to_string(found->version) + " instead of " + std::to_string(known.version);
  StoreFinding finding =
      RowFinding(row.id,
                 found->version == known.version
                     ? "the row was exchanged for another of the same version: of another history"
                     : "the row was exchanged for one of another time: " + versions,
                 kMendRow);
  finding.subject = SubjectOf(found->key);
  return finding;
}

}  // namespace

std::string SubjectOf(const RecordKey& key) {
  const std::string type(TypeName(key.type));
  if (key.type == RecordType::kEnclave) return type;
  if (key.type == RecordType::kToken) return type + " " + ToHex(key.token);
  return type + " " + ToHex(key.id) + " of token " + ToHex(key.token);
}

StoreFinding FindingOf(const Error& error) {
  const bool of_witness = error.code() == Code::kWitnessMissing ||
                          error.code() == Code::kWitnessInvalid ||
                          error.code() == Code::kSealingKeyUnavailable;
  return {"", "", error.Text(), std::string(of_witness ? kMendWitness : kMendHead)};
}

Result<RowsChecked> CheckRowsOf(Vault& vault, const std::optional<store::RowId>& after) {
  KC_ASSIGN(Vault::Slice slice, vault.ReadSlice(after, kSlice));
  RowsChecked checked;
  checked.next = CutToOneEnd(slice);
  checked.all = vault.row_count();
  const auto add = [&](std::optional<StoreFinding> finding) {
    if (finding.has_value()) checked.findings.push_back(*std::move(finding));
  };
  auto known = slice.known.cbegin();
  for (const store::Row& row : slice.stored) {
    for (; known != slice.known.cend() && known->id < row.id; ++known)
      add(RowFinding(known->id, "the row was removed from the store", kMendRow));
    ++checked.rows;
    if (known == slice.known.cend() || row.id < known->id) {
      add(CheckExtra(vault, row));
    } else {
      add(CheckRow(vault, *known++, row));
    }
  }
  for (; known != slice.known.cend(); ++known)
    add(RowFinding(known->id, "the row was removed from the store", kMendRow));
  return checked;
}

}  // namespace keyclave::keys
