// A folder of collateral, and how files come into it: verified before anything is written, and
// never so that something newer is lost.
#pragma once

#include "attest/collateral_item.h"

namespace keyclave::ctl {

struct UnreadableFile {
  std::string path;
  Error why;
};

// What files hold, each by itself: one that is damaged hides no other.
struct FolderContent {
  std::vector<attest::CollateralItem> items;
  attest::Collateral collateral;  // the same, as verifiers take it
  std::vector<UnreadableFile> unreadable;
};

// Files, and all files of folders (attest::CollateralFiles). kNotFound, kTooLarge, kIo.
Result<FolderContent> ReadCollateral(const std::vector<std::string>& paths);

enum class ImportAction {
  kNew,
  kReplaced,   // the old file stays beside it, hidden: .NAME.previous
  kUnchanged,  // it is there already, byte for byte
  kKept,       // what is there is newer, and stays
  kRoot,       // a root: those count by trust, not by lying in a folder
  kRefused,
};
std::string_view ImportActionName(ImportAction action);

struct ImportRow {
  attest::CollateralItem item;
  ImportAction action = ImportAction::kRefused;
  std::string reason;  // of kKept and kRefused
};

struct ImportRules {
  attest::Trust trust;  // roots; its collateral is not used
  UnixTime now = 0;
  bool allow_older = false;
  std::string issuer;  // of the key set
};

struct ImportReport {
  std::vector<ImportRow> rows;
  std::vector<UnreadableFile> unreadable;  // of what was to be imported
  size_t written = 0;

  // Anything was refused, or could not be read: then nothing at all was written.
  bool Refused() const;
  bool Kept() const;
};

// Imports these files into the folder, which is made if it is not there (its parent must be). One
// import at a time: a second one waits.
Result<ImportReport> ImportCollateral(const std::vector<std::string>& paths,
                                      const std::string& folder, const ImportRules& rules);

}  // namespace keyclave::ctl
