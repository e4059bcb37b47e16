#include "enclave/ctl/collateral_folder.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <filesystem>
#include <numeric>

#include "enclave/base/file.h"

namespace keyclave::ctl {
namespace {

namespace fs = std::filesystem;
using attest::CollateralItem;
using attest::ListRule;

// Held as long as this object lives.
class FolderLock {
 public:
  static Result<FolderLock> Take(const std::string& folder) {
    FolderLock lock(open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    if (lock.fd_ < 0) return ErrnoError(folder);
    while (flock(lock.fd_, LOCK_EX) != 0) {
      if (errno != EINTR) return ErrnoError(folder);
    }
    return lock;
  }
  FolderLock(FolderLock&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  FolderLock& operator=(FolderLock&&) = delete;
  ~FolderLock() {
    if (fd_ >= 0) close(fd_);
  }

 private:
  explicit FolderLock(int fd) : fd_(fd) {}
  int fd_;
};

bool IsFolder(const std::string& path) {
  std::error_code error;
  return fs::is_directory(path, error);
}

void ReadOne(const std::string& path, FolderContent& content) {
  const auto bytes = ReadFile(path, attest::kMaxCollateralFile);
  auto items = bytes.ok() ? attest::ReadCollateralItems(*bytes, path)
                          : Result<std::vector<CollateralItem>>(bytes.error());
  if (items.ok()) {
    const Status added = content.collateral.Add(*bytes, path);
    if (!added.ok()) items = added.error();
  }
  if (!items.ok()) {
    content.unreadable.push_back({path, items.error()});
    return;
  }
  for (CollateralItem& item : *items) {
    // A key set does not say whose it is; the file that it lies in does.
    if (item.kind == "jwks") item.name = item.subject = fs::path(path).filename();
    content.items.push_back(std::move(item));
  }
}

// One import, from what there is to what will be there.
class Plan {
 public:
  Plan(const std::string& folder, const ImportRules& rules, const FolderContent& incoming,
       const FolderContent& stored)
      : folder_(folder), rules_(rules), trust_(rules.trust), stored_(stored) {
    attest::Collateral all = stored.collateral;
    all.AddAll(incoming.collateral);
    trust_.collateral = std::make_shared<const attest::Collateral>(std::move(all));
    for (const CollateralItem& item : incoming.items)
      if (item.kind == "jwks") ++key_sets_;
  }

  ImportRow RowFor(const CollateralItem& found) {
    ImportRow row{.item = found, .action = ImportAction::kRefused, .reason = {}};
    const auto* certificate = std::get_if<attest::Certificate>(&found.content);
    if (certificate != nullptr && attest::IsRoot(*certificate, trust_)) {
      row.action = ImportAction::kRoot;
      return row;
    }
    const Status good = Verify(row.item);
    if (good.ok()) {
      Decide(row);
    } else {
      row.reason = good.error().Text();
    }
    return row;
  }

 private:
  Status Verify(CollateralItem& item) {
    if (item.kind == "jwks") {
      if (rules_.issuer.empty())
        return Fail(Code::kCollateralInvalid,
                    "a key set does not say whose it is: name its issuer with --issuer");
      if (key_sets_ > 1)
        return Fail(Code::kCollateralInvalid,
                    "--issuer names one issuer, and there are several key sets");
      item.subject = rules_.issuer;
      item.name = attest::KeySetFileName(rules_.issuer);
    }
    // A list may come later than what it is about; `verify` says if it never did.
    return CheckCollateralItem(item, trust_, rules_.now, ListRule::kWhereKnown);
  }

  void Decide(ImportRow& row) {
    const CollateralItem& item = row.item;
    const std::string path = folder_ + "/" + item.name;
    row.action = ImportAction::kNew;
    std::error_code error;
    if (fs::exists(path, error)) row.action = ImportAction::kReplaced;
    for (const auto* list : {&stored_.items, &std::as_const(planned_)}) {
      for (const CollateralItem& other : *list) {
        if (other.name != item.name) continue;
        if (other.kind != item.kind || (item.kind != "jwks" && other.subject != item.subject)) {
          row.action = ImportAction::kRefused;
          row.reason = other.source + " is about " + other.subject + ", and has its name";
          return;
        }
        const bool in_place = list == &planned_ || other.source == path;
        if (in_place && Equal(other.bytes, item.bytes)) row.action = ImportAction::kUnchanged;
        // Within one import, too: files come in no order that means anything.
        if (IsOlder(item, other) && (!rules_.allow_older || list == &planned_)) {
          row.action = ImportAction::kKept;
          row.reason = other.source + " is newer: " + FormatTime(other.issued) +
                       " (--allow-older takes this one all the same)";
          return;
        }
      }
    }
    if (row.action != ImportAction::kUnchanged) planned_.push_back(item);
  }

  std::string folder_;
  const ImportRules& rules_;
  attest::Trust trust_;
  const FolderContent& stored_;
  std::vector<CollateralItem> planned_;
  size_t key_sets_ = 0;
};

// The name appears whole: what reads the folder meanwhile passes hidden files over.
Status Write(const std::string& folder, const CollateralItem& item) {
  const std::string path = folder + "/" + item.name;
  const std::string hidden = folder + "/." + item.name;
  if (const auto old = ReadFile(path, attest::kMaxCollateralFile); old.ok()) {
    KC_CHECK_OK(ReplaceFile(hidden + ".previous", *old, 0644));
  } else if (old.code() != Code::kNotFound) {
    return old.error();
  }
  KC_CHECK_OK(ReplaceFile(hidden, item.bytes, 0644));
  return RenameFile(hidden, path);
}

Result<ImportReport> PlanImport(const FolderContent& incoming, const std::string& folder,
                                const ImportRules& rules) {
  FolderContent stored;
  if (IsFolder(folder)) {
    KC_ASSIGN(stored, ReadCollateral({folder}));
  }
  ImportReport report;
  report.unreadable = incoming.unreadable;
  Plan plan(folder, rules, incoming, stored);
  // The newest first, so that of two about one subject it is the newer that comes in.
  std::vector<size_t> order(incoming.items.size());
  std::iota(order.begin(), order.end(), 0);
  std::stable_sort(order.begin(), order.end(), [&](size_t a, size_t b) {
    const auto rank = [&](size_t i) {
      const CollateralItem& item = incoming.items[i];
      return std::pair(item.number.value_or(0), item.issued);
    };
    return rank(a) > rank(b);
  });
  for (const size_t i : order) report.rows.push_back(plan.RowFor(incoming.items[i]));
  return report;
}

}  // namespace

std::string_view ImportActionName(ImportAction action) {
  switch (action) {
    case ImportAction::kNew: return "new";
    case ImportAction::kReplaced: return "replaced";
    case ImportAction::kUnchanged: return "unchanged";
    case ImportAction::kKept: return "kept";
    case ImportAction::kRoot: return "root";
    case ImportAction::kRefused: return "refused";
  }
  return "";
}

bool ImportReport::Refused() const {
  return !unreadable.empty() || std::any_of(rows.begin(), rows.end(), [](const ImportRow& row) {
    return row.action == ImportAction::kRefused;
  });
}

bool ImportReport::Kept() const {
  return std::any_of(rows.begin(), rows.end(),
                     [](const ImportRow& row) { return row.action == ImportAction::kKept; });
}

Result<FolderContent> ReadCollateral(const std::vector<std::string>& paths) {
  FolderContent content;
  for (const std::string& path : paths) {
    std::error_code error;
    if (!fs::exists(path, error)) return Fail(Code::kNotFound, path);
    std::vector<std::string> files = {path};
    if (IsFolder(path)) {
      KC_ASSIGN(files, attest::CollateralFiles(path));
    }
    for (const std::string& file : files) ReadOne(file, content);
  }
  return content;
}

Result<ImportReport> ImportCollateral(const std::vector<std::string>& paths,
                                      const std::string& folder, const ImportRules& rules) {
  KC_ASSIGN(const FolderContent incoming, ReadCollateral(paths));
  if (!IsFolder(folder)) {
    KC_ASSIGN(ImportReport first, PlanImport(incoming, folder, rules));
    if (first.Refused()) return first;
    if (mkdir(folder.c_str(), 0755) != 0 && errno != EEXIST) return ErrnoError(folder);
  }
  KC_ASSIGN(const FolderLock lock, FolderLock::Take(folder));
  KC_ASSIGN(ImportReport report, PlanImport(incoming, folder, rules));
  if (report.Refused()) return report;
  for (const ImportRow& row : report.rows) {
    if (row.action != ImportAction::kNew && row.action != ImportAction::kReplaced) continue;
    KC_CHECK_OK(Write(folder, row.item));
    ++report.written;
  }
  return report;
}

}  // namespace keyclave::ctl
