#include "enclave/audit/audit_files.h"

#include <filesystem>

#include "enclave/base/file.h"

namespace keyclave::audit {
namespace {

Error Missing(const Mark& known, const std::string& found) {
  return Fail(Code::kAuditBroken,
              "checkpoint " + std::to_string(known.sequence) +
                  ", which this enclave wrote and remembers, is not there: " + found);
}

Result<uint64_t> FirstSequence(const std::string& path) {
  uint64_t first = 0;
  KC_ASSIGN(const size_t read, ForEachLine(path, [&](std::string_view text) -> Status {
              if (first != 0) return Done{};
              KC_ASSIGN(const Line line, ParseLine(text));
              first = line.sequence;
              return Done{};
            }));
  static_cast<void>(read);
  return first;
}

// Follows the chain from the mark on.
class Since {
 public:
  explicit Since(const Mark& known) : known_(known) {}

  Status Take(std::string_view text) {
    KC_ASSIGN(const Line line, ParseLine(text));
    if (found_) return Follow(end_, line);
    if (line.sequence < known_.sequence) return Done{};
    // Older files may be gone: then what comes next must name it.
    const bool next = line.sequence == known_.sequence + 1 && line.previous == known_.hash;
    if (line.sequence > known_.sequence && !next)
      return Missing(known_, "the log begins at record " + std::to_string(line.sequence));
    if (!next && (line.hash != known_.hash || line.computed != known_.hash))
      return Missing(known_,
                     "another record has its number: this is another log, or was rewritten");
    found_ = true;
    end_ = {known_.sequence + 1, known_.hash, true};
    return next ? Follow(end_, line) : Status();
  }
  bool found() const { return found_; }
  const ChainEnd& end() const { return end_; }

 private:
  const Mark& known_;
  bool found_ = false;
  ChainEnd end_;
};

}  // namespace

std::string FileName(uint64_t number) {
  std::string digits = std::to_string(number);
  return std::string(8 - std::min<size_t>(8, digits.size()), '0') + digits + ".jsonl";
}

std::vector<std::string> ListFiles(const std::string& directory) {
  std::vector<std::string> files;
  std::error_code ignored;
  for (const auto& entry : std::filesystem::directory_iterator(directory, ignored)) {
    if (entry.path().extension() == ".jsonl") files.push_back(entry.path().string());
  }
  std::sort(files.begin(), files.end());
  return files;
}

Result<uint64_t> FileNumber(const std::string& path) {
  const std::string stem = std::filesystem::path(path).stem().string();
  if (stem.empty() || stem.find_first_not_of("0123456789") != std::string::npos ||
      stem.size() > 18) {
    return Fail(Code::kAuditBroken, path + " is no audit file");
  }
  return std::stoull(stem);
}

Result<size_t> ForEachLine(const std::string& path,
                           const std::function<Status(std::string_view)>& visit) {
  KC_ASSIGN(const Bytes content, ReadFile(path, kMaxReadSize));
  std::string_view text = AsText(content);
  size_t whole = 0;
  for (size_t end = text.find('\n'); end != std::string_view::npos; end = text.find('\n')) {
    KC_CHECK_OK(visit(text.substr(0, end)));
    text.remove_prefix(end + 1);
    whole += end + 1;
  }
  return whole;
}

Status CheckSince(const std::vector<std::string>& files, const Mark& known, const ChainEnd& end) {
  if (end.next <= known.sequence)
    return Missing(known, "the log ends at record " + std::to_string(end.next - 1));
  // The newest file that begins at or before it.
  size_t start = files.size();
  while (start > 0) {
    --start;
    KC_ASSIGN(const uint64_t first, FirstSequence(files[start]));
    if (first != 0 && first <= known.sequence) break;
  }
  Since since(known);
  for (size_t i = start; i < files.size(); ++i) {
    KC_ASSIGN(const size_t read,
              ForEachLine(files[i], [&](std::string_view text) { return since.Take(text); }));
    static_cast<void>(read);
  }
  if (!since.found() || since.end().next != end.next || since.end().hash != end.hash)
    return Missing(known, "the files do not lead from it to the newest record");
  return Done{};
}

}  // namespace keyclave::audit
