// keyclave backup: make one while the enclave goes on, look at one, and give a recovery share to an
// enclave that is being restored.
#include <CLI/CLI.hpp>
#include <memory>

#include "enclave/base/file_pieces.h"
#include "enclave/ctl/enclave_link.h"
#include "enclave/ctl/key_file.h"
#include "enclave/ctl/output.h"
#include "enclave/ctl/recovery_key.h"
#include "enclave/wire/backup_file.h"

namespace keyclave::ctl {
namespace {

struct CreateOptions {
  std::string file;
};
struct VerifyOptions {
  std::string file;
  bool offline = false;
  RecoveryKeyChoice keys;
};
struct RestoreOptions {
  RecoveryKeyChoice keys;
};

Result<int> Create(const CreateOptions& options, const Globals& globals) {
  KC_ASSIGN(const auto file, NewFile::Create(options.file));
  KC_ASSIGN(const auto enclave, Enclave::Open(globals));
  KC_ASSIGN(const auto begun, enclave->Call<wire::Op::kBeginBackup>({}));
  uint64_t size = 0;
  for (bool done = false; !done;) {
    KC_ASSIGN(const auto piece, enclave->Call<wire::Op::kReadBackup>({begun.backup, size}));
    KC_CHECK_OK(file->Write(piece.bytes));
    size += piece.bytes.size();
    done = piece.done;
  }
  KC_CHECK_OK(file->Keep());
  if (globals.json) {
    PrintJson({{"file", options.file}, {"bytes", size}});
  } else {
    Print("Wrote " + Harmless(options.file) + ": " + std::to_string(size) +
          " bytes, sealed. Check it where it is kept: keyclave backup verify FILE\n");
  }
  return kExitOk;
}

struct Read {
  wire::BackupHeader header;
  uint64_t rows = 0;
};

// The file in pieces: to the reader, and to `also`.
Result<Read> ReadFileOf(const std::string& path,
                        const std::function<Status(uint64_t offset, ByteSpan, bool last)>& also) {
  Read read;
  wire::BackupReader reader({.header = [&](wire::BackupHeader header) -> Status {
                               read.header = std::move(header);
                               return Done{};
                             },
                             .row = [&](const auto& /*id*/, ByteSpan /*sealed*/) -> Status {
                               ++read.rows;
                               return Done{};
                             },
                             .end = [](const auto& /*end*/) -> Status { return Done{}; }});
  uint64_t offset = 0;
  const auto take = [&](ByteSpan bytes, bool last) -> Status {
    const Status taken = reader.Take(bytes);
    if (!taken.ok()) return taken.error().In(path);
    KC_CHECK_OK(also(offset, bytes, last));
    offset += bytes.size();
    return Done{};
  };
  KC_CHECK_OK(ReadInPieces(path, wire::kBackupChunk, take));
  const Status whole = reader.Finish();
  if (!whole.ok()) return whole.error().In(path);
  return read;
}

std::string HoldersText(const wire::BackupHeader& header) {
  if (!header.recovery.has_value()) return "none: only the platform that has root.key opens it";
  std::string text = std::to_string(header.recovery->threshold) + " of";
  for (const wire::RecoveryHolder& holder : header.recovery->holders) text += " " + holder.name;
  return text;
}

Json VerifiedJson(const Read& read, const wire::CheckBackupReply& checked, bool offline,
                  const std::vector<std::string>& opened) {
  Json document = {{"enclave", read.header.enclave_id},
                   {"created", FormatTime(read.header.created)},
                   {"version", read.header.version},
                   {"rows", read.rows},
                   {"opened", !offline},
                   {"holders_checked", opened}};
  if (checked.epoch.has_value()) {
    document["epoch"] = *checked.epoch;
    document["epoch_now"] = checked.epoch_now;
  }
  return document;
}

Result<int> Verify(const VerifyOptions& options, const Globals& globals) {
  std::unique_ptr<Enclave> enclave;
  if (!options.offline) {
    KC_ASSIGN(enclave, Enclave::Open(globals));
  }
  wire::CheckBackupReply checked;
  const auto check = [&](uint64_t offset, ByteSpan bytes, bool last) -> Status {
    if (enclave == nullptr) return Done{};
    KC_ASSIGN(checked, enclave->Call<wire::Op::kCheckBackup>({offset, ToBytes(bytes), last}));
    return Done{};
  };
  KC_ASSIGN(const Read read, ReadFileOf(options.file, check));
  std::vector<std::string> opened;
  if (!options.keys.keys.empty() && !read.header.recovery.has_value())
    return Fail(Code::kInvalidArgument, "the backup has no recovery holders: leave --key out");
  for (const std::string& spec : options.keys.keys) {
    KC_ASSIGN(const HolderShare share, OpenShare(*read.header.recovery, spec, options.keys));
    opened.push_back(share.holder);
  }
  if (globals.json) {
    PrintJson(VerifiedJson(read, checked, options.offline, opened));
    return kExitOk;
  }
  Fields fields;
  fields.Add("enclave", read.header.enclave_id);
  fields.Add("made", FormatTime(read.header.created) + " by version " + read.header.version);
  fields.Add("rows", std::to_string(read.rows));
  if (checked.epoch.has_value())
    fields.Add("epoch", std::to_string(*checked.epoch) + "; the enclave is at " +
                            std::to_string(checked.epoch_now));
  fields.Add("recovery", HoldersText(read.header));
  Print(fields.Text());
  for (const std::string& name : opened) Print(Harmless(name) + "'s key opens its share.\n");
  Print(options.offline
            ? Paint(Colour::kWarn, "The file is whole") +
                  "; whether its rows are genuine only the enclave can say (leave --offline out).\n"
            : Paint(Colour::kGood, "The backup is whole") +
                  ": the enclave has opened every row, and they are all of that epoch.\n");
  return kExitOk;
}

Result<int> Restore(const RestoreOptions& options, const Globals& globals) {
  KC_ASSIGN(const auto enclave, Enclave::Open(globals));
  KC_ASSIGN(const wire::RestoreStatusReply status, enclave->Call<wire::Op::kRestoreStatus>({}));
  PrintNote("Enclave " + Harmless(status.recovery.enclave_id) + ", to be as it was at " +
            FormatTime(status.created) + "; " + std::to_string(status.given.size()) + " of " +
            std::to_string(status.recovery.threshold) + " shares are there.\n");
  uint64_t missing = 0;
  std::vector<std::string> given;
  for (const std::string& spec : options.keys.keys) {
    KC_ASSIGN(HolderShare share, OpenShare(status.recovery, spec, options.keys));
    const wire::GiveRecoveryShareRequest request{share.holder, std::move(share.parts)};
    KC_ASSIGN(const auto reply, enclave->Call<wire::Op::kGiveRecoveryShare>(request));
    missing = reply.missing;
    given.push_back(share.holder);
    if (missing == 0) break;  // it is done with waiting
  }
  if (globals.json) {
    PrintJson({{"enclave", status.recovery.enclave_id}, {"given", given}, {"missing", missing}});
  } else {
    Print(missing == 0 ? Paint(Colour::kGood, "All shares are there") +
                             ": the enclave restores itself now; its log says how that ends.\n"
                       : std::to_string(missing) + " more holders are needed.\n");
  }
  return kExitOk;
}

void AddRestore(CLI::App& group, Invocation& invocation) {
  auto options = std::make_shared<RestoreOptions>();
  CLI::App* command = group.add_subcommand(
      "restore", "give your recovery share to an enclave that is being restored");
  AddRecoveryKeys(*command, options->keys, /*required=*/true);
  command->footer(
      "On the new machine an operator runs `keyclaved --restore FILE`, which waits. Each holder\n"
      "runs this, from anywhere, with a client.yaml whose `expect` says what that enclave must\n"
      "prove: the share goes to it over the channel that its evidence is bound to, and nowhere\n"
      "else. Example: keyclave backup restore --key ops=ops-recovery.pem");
  command->callback([options, &invocation] {
    invocation.action = [options, &invocation] { return Restore(*options, invocation.globals); };
  });
}

}  // namespace

void AddBackup(CLI::App& app, Invocation& invocation) {
  CLI::App* group = app.add_subcommand("backup", "backups: make, check, and restore with them");
  group->require_subcommand(1);

  auto create_options = std::make_shared<CreateOptions>();
  CLI::App* create = group->add_subcommand("create", "write a backup while the enclave goes on");
  create->add_option("file", create_options->file, "a new file")->required()->type_name("FILE");
  create->footer(
      "Everything about keys in it is sealed; it is of the moment when it was done. For "
      "operators.");
  create->callback([create_options, &invocation] {
    invocation.action = [create_options, &invocation] {
      return Create(*create_options, invocation.globals);
    };
  });

  auto verify_options = std::make_shared<VerifyOptions>();
  CLI::App* verify = group->add_subcommand("verify", "whether a backup is whole, and opens");
  verify->add_option("file", verify_options->file, "the backup")->required()->type_name("FILE");
  verify->add_flag("--offline", verify_options->offline,
                   "look at the file alone, without its enclave");
  AddRecoveryKeys(*verify, verify_options->keys, /*required=*/false);
  verify->footer(
      "The enclave opens every row and compares all of them with the epoch that they are of (for\n"
      "operators). With --key also: whether that holder's key still opens its share.");
  verify->callback([verify_options, &invocation] {
    invocation.action = [verify_options, &invocation] {
      return Verify(*verify_options, invocation.globals);
    };
  });
  AddRestore(*group, invocation);
}

}  // namespace keyclave::ctl
