#include "attest/collateral.h"

#include <filesystem>
#include <nlohmann/json.hpp>

#include "attest/strict_json.h"
#include "enclave/base/file.h"

namespace keyclave::attest {
namespace {

constexpr size_t kMaxFiles = 10'000;

bool LooksLikeJson(ByteSpan bytes) {
  const std::string_view text = AsText(bytes);
  const size_t first = text.find_first_not_of(" \t\r\n");
  return first != std::string_view::npos && text[first] == '{';
}

std::optional<DocumentKind> KindOf(ByteSpan bytes) {
  const auto json = ParseStrictJson(bytes);
  if (!json.ok()) return std::nullopt;
  if (json->contains("tcbInfo")) return DocumentKind::kTcbInfo;
  if (json->contains("enclaveIdentity")) return DocumentKind::kEnclaveIdentity;
  if (json->contains("keys") || json->contains("kty")) return DocumentKind::kKeySet;
  return std::nullopt;
}

}  // namespace

Status Collateral::Add(ByteSpan bytes, const std::string& source) {
  if (LooksLikeJson(bytes)) {
    const auto kind = KindOf(bytes);
    if (!kind.has_value())
      return Fail(Code::kCollateralInvalid,
                  source + ": JSON, but no TCB info, enclave identity or key set");
    documents_.emplace_back(*kind, source, ToBytes(bytes));
    return Done{};
  }
  auto list = RevocationList::From(bytes);
  if (list.ok()) {
    revocation_lists_.push_back(*std::move(list));
    return Done{};
  }
  // A list, but one that cannot be used.
  if (list.code() == Code::kCollateralInvalid) return std::move(list).error().In(source);
  auto certificates = Certificate::ListFrom(bytes);
  if (!certificates.ok() || certificates->empty())
    return Fail(
        Code::kCollateralInvalid,
        source + ": no certificates, revocation list, TCB info, enclave identity or key set");
  certificates_.insert(certificates_.end(), certificates->begin(), certificates->end());
  return Done{};
}

void Collateral::AddAll(const Collateral& other) {
  const auto append = [](auto& to, const auto& from) {
    to.insert(to.end(), from.begin(), from.end());
  };
  append(certificates_, other.certificates_);
  append(revocation_lists_, other.revocation_lists_);
  append(documents_, other.documents_);
}

Result<std::vector<std::string>> CollateralFiles(const std::string& folder) {
  namespace fs = std::filesystem;
  std::error_code error;
  if (!fs::is_directory(folder, error)) return Fail(Code::kNotFound, folder + " is no folder");
  std::vector<std::string> paths;
  for (fs::recursive_directory_iterator entry(folder, error), end; !error && entry != end;
       entry.increment(error)) {
    if (entry->path().filename().string().starts_with(".")) {
      entry.disable_recursion_pending();
    } else if (entry->is_regular_file(error)) {
      if (paths.size() == kMaxFiles) return Fail(Code::kTooLarge, folder + ": too many files");
      paths.push_back(entry->path().string());
    }
  }
  if (error) return Fail(Code::kIo, folder + ": " + error.message());
  std::sort(paths.begin(), paths.end());
  return paths;
}

Result<Collateral> Collateral::Load(const std::string& folder) {
  KC_ASSIGN(const std::vector<std::string> paths, CollateralFiles(folder));
  Collateral collateral;
  for (const std::string& path : paths) {
    KC_ASSIGN(const Bytes bytes, ReadFile(path, kMaxCollateralFile));
    KC_CHECK_OK(collateral.Add(bytes, path));
  }
  return collateral;
}

}  // namespace keyclave::attest
