// keyclave evidence collateral: what an operator carries in for verification, kept in a folder.
#include <CLI/CLI.hpp>
#include <memory>

#include "attest/trust_config.h"
#include "enclave/ctl/cmd_evidence.h"
#include "enclave/ctl/collateral_folder.h"
#include "enclave/ctl/evidence_file.h"
#include "enclave/ctl/output.h"
#include "enclave/ctl/trust_file.h"

namespace keyclave::ctl {
namespace {

using attest::CollateralItem;

constexpr UnixTime kDay = 86'400;
constexpr UnixTime kSoon = 30 * kDay;  // from then on a list says how long it still is

struct CollateralOptions {
  std::string folder;  // --collateral
  std::string at;
  std::vector<std::string> trust;
  std::vector<std::string> paths;  // import
  std::string issuer;
  bool allow_older = false;
  std::string evidence;  // verify --for
};

Result<std::string> FolderOf(const CollateralOptions& options, const Globals& globals) {
  if (!options.folder.empty()) return options.folder;
  const auto yaml = ParseYamlFile(globals.config);
  if (!yaml.ok() && yaml.code() != Code::kConfigNotFound) return yaml.error();
  std::string folder;
  if (yaml.ok()) {
    KC_ASSIGN(YamlMap map, yaml->AsMap());
    KC_ASSIGN(folder, attest::CollateralFolder(map));
  }
  if (folder.empty())
    return Fail(
        Code::kInvalidArgument,
        "which folder? --collateral DIR, or `trust: {collateral: DIR}` in " + globals.config);
  return folder;
}

// Roots that a user names count for all types.
Result<attest::Trust> TrustOf(const CollateralOptions& options) {
  attest::Trust trust;
  KC_ASSIGN(const TrustFiles files, ReadTrustFiles(options.trust));
  if (!files.keys.empty() || !files.key_sets.empty())
    return Fail(Code::kInvalidArgument, "--trust: collateral is verified with root certificates");
  for (const attest::TeeType* type : attest::AllTeeTypes())
    trust.roots[std::string(type->name)] = files.roots;
  return trust;
}

Json TimeJson(UnixTime time) { return time == 0 ? Json(nullptr) : Json(FormatTime(time)); }
std::string TimeText(UnixTime time) { return time == 0 ? "-" : FormatTime(time); }

// What its dates say. Whether it is genuine, `verify` asks.
std::string StateOf(const CollateralItem& item, UnixTime now) {
  if (item.issued > now) return "not yet valid";
  if (item.expires == 0) return "ok";
  if (item.expires < now) return "expired";
  const UnixTime left = item.expires - now;
  if (left > kSoon) return "ok";
  if (left < kDay) return "expires today";
  return "expires in " + std::to_string(left / kDay) + (left < 2 * kDay ? " day" : " days");
}

Json ItemJson(const CollateralItem& item) {
  Json json = {{"kind", item.kind}, {"subject", item.subject}, {"file", item.source}};
  json["issued"] = TimeJson(item.issued);
  json["expires"] = TimeJson(item.expires);
  json["number"] = item.number.has_value() ? Json(*item.number) : Json(nullptr);
  return json;
}

Json UnreadableJson(const std::vector<UnreadableFile>& files) {
  Json list = Json::array();
  for (const UnreadableFile& file : files)
    list.push_back({{"file", file.path}, {"problem", file.why.Text()}});
  return list;
}

void PrintUnreadable(const std::vector<UnreadableFile>& files) {
  for (const UnreadableFile& file : files)
    PrintNote("keyclave: " + Harmless(file.why.Text()) + "\n");
}

void PrintImport(const ImportReport& report, const std::string& folder) {
  Table table({"KIND", "SUBJECT", "FILE", "OUTCOME"});
  for (const ImportRow& row : report.rows)
    table.Add({row.item.kind, Harmless(row.item.subject), Harmless(row.item.source),
               std::string(ImportActionName(row.action))});
  if (!table.empty()) Print(table.Text());
  for (const ImportRow& row : report.rows) {
    if (!row.reason.empty())
      PrintNote("keyclave: " + Harmless(row.item.source) + ": " + Harmless(row.reason) + "\n");
  }
  PrintUnreadable(report.unreadable);
  if (report.Refused()) {
    PrintNote("keyclave: nothing was written\n");
  } else {
    Print(std::to_string(report.written) + " written to " + Harmless(folder) + "\n");
  }
}

Result<int> Import(const CollateralOptions& options, const Globals& globals) {
  KC_ASSIGN(const std::string folder, FolderOf(options, globals));
  ImportRules rules;
  KC_ASSIGN(rules.trust, TrustOf(options));
  KC_ASSIGN(rules.now, VerificationTime(options.at));
  rules.allow_older = options.allow_older;
  rules.issuer = options.issuer;
  KC_ASSIGN(const ImportReport report, ImportCollateral(options.paths, folder, rules));
  if (globals.json) {
    Json rows = Json::array();
    for (const ImportRow& row : report.rows) {
      Json json = ItemJson(row.item);
      json["outcome"] = ImportActionName(row.action);
      json["name"] = row.item.name;
      json["reason"] = row.reason.empty() ? Json(nullptr) : Json(row.reason);
      rows.push_back(std::move(json));
    }
    PrintJson({{"folder", folder},
               {"written", report.written},
               {"items", rows},
               {"unreadable", UnreadableJson(report.unreadable)}});
  } else {
    PrintImport(report, folder);
  }
  return report.Refused() || report.Kept() ? kExitRefused : kExitOk;
}

Result<int> List(const CollateralOptions& options, const Globals& globals) {
  KC_ASSIGN(const std::string folder, FolderOf(options, globals));
  KC_ASSIGN(const UnixTime now, VerificationTime(options.at));
  KC_ASSIGN(const FolderContent content, ReadCollateral({folder}));
  Json rows = Json::array();
  Table table({"KIND", "SUBJECT", "ISSUED", "EXPIRES", "NUMBER", "STATE"});
  for (const CollateralItem& item : content.items) {
    const std::string state = StateOf(item, now);
    Json json = ItemJson(item);
    json["state"] = state;
    rows.push_back(std::move(json));
    table.Add({item.kind, Harmless(item.subject), TimeText(item.issued), TimeText(item.expires),
               item.number.has_value() ? std::to_string(*item.number) : "-", state});
  }
  if (globals.json) {
    PrintJson({{"folder", folder},
               {"at", FormatTime(now)},
               {"items", rows},
               {"unreadable", UnreadableJson(content.unreadable)}});
  } else {
    Print(table.Text());
    PrintUnreadable(content.unreadable);
  }
  return content.unreadable.empty() ? kExitOk : kExitRefused;
}

// One thing that was looked at, for both ways to verify.
struct Finding {
  std::string kind;
  std::string what;
  std::string file;
  std::string where;
  std::optional<Error> problem;
};

Result<int> PrintFindings(Json head, const std::vector<Finding>& findings,
                          const std::vector<UnreadableFile>& unreadable, bool json) {
  bool ok = unreadable.empty();
  for (const Finding& one : findings) ok = ok && !one.problem.has_value();
  if (json) {
    Json rows = Json::array();
    for (const Finding& one : findings) {
      Json row = {{"kind", one.kind}, {"subject", one.what}};
      row["file"] = one.file.empty() ? Json(nullptr) : Json(one.file);
      row["ok"] = !one.problem.has_value();
      row["code"] = one.problem ? Json(CodeName(one.problem->code())) : Json(nullptr);
      row["problem"] = one.problem ? Json(one.problem->Text()) : Json(nullptr);
      row["where"] = one.where;
      rows.push_back(std::move(row));
    }
    head["ok"] = ok;
    head["items"] = std::move(rows);
    head["unreadable"] = UnreadableJson(unreadable);
    PrintJson(head);
    return ok ? kExitOk : kExitRefused;
  }
  Table table({"KIND", "SUBJECT", "STATE"});
  for (const Finding& one : findings)
    table.Add({one.kind, Harmless(one.what),
               one.problem ? Paint(Colour::kBad, "bad") : Paint(Colour::kGood, "ok")});
  if (!table.empty()) Print(table.Text());
  for (const Finding& one : findings) {
    if (!one.problem.has_value()) continue;
    PrintNote("keyclave: " + Harmless(one.what) + ": " + Harmless(one.problem->Text()) +
              "\n  get it from: " + Harmless(one.where) + "\n");
  }
  PrintUnreadable(unreadable);
  if (findings.empty() && unreadable.empty()) Print("nothing to verify\n");
  return ok ? kExitOk : kExitRefused;
}

Result<int> VerifyFor(const EvidenceFile& file, attest::Trust trust, UnixTime now,
                      const FolderContent& content, bool json) {
  attest::Collateral all = content.collateral;
  all.AddAll(file.collateral);
  trust.collateral = std::make_shared<const attest::Collateral>(std::move(all));
  KC_ASSIGN(const attest::Unverified parsed, attest::ParseEvidence(file.type->name, file.bytes));
  std::vector<Finding> findings;
  for (attest::CollateralNeed& need :
       attest::CollateralNeeds(parsed, {trust, now, attest::ExpectedBinding::None()}))
    findings.push_back(
        {"needed", std::move(need.what), {}, std::move(need.where), std::move(need.problem)});
  if (findings.empty() && !json)
    Print("evidence of type " + std::string(file.type->name) + " needs no collateral\n");
  if (findings.empty() && !json) return content.unreadable.empty() ? kExitOk : kExitRefused;
  return PrintFindings(
      {{"evidence", file.source}, {"tee", file.type->name}, {"at", FormatTime(now)}}, findings,
      content.unreadable, json);
}

Result<int> Verify(const CollateralOptions& options, const Globals& globals) {
  KC_ASSIGN(const std::string folder, FolderOf(options, globals));
  KC_ASSIGN(const UnixTime now, VerificationTime(options.at));
  KC_ASSIGN(attest::Trust trust, TrustOf(options));
  KC_ASSIGN(const FolderContent content, ReadCollateral({folder}));
  if (!options.evidence.empty()) {
    KC_ASSIGN(const EvidenceFile file, ReadEvidence(options.evidence));
    return VerifyFor(file, std::move(trust), now, content, globals.json);
  }
  trust.collateral = std::make_shared<const attest::Collateral>(content.collateral);
  std::vector<Finding> findings;
  for (const CollateralItem& item : content.items) {
    Finding& one = findings.emplace_back();
    one.kind = item.kind;
    one.what = item.subject;
    one.file = item.source;
    one.where = item.where;
    const Status good = CheckCollateralItem(item, trust, now, attest::ListRule::kRequired);
    if (!good.ok()) one.problem = good.error();
  }
  return PrintFindings({{"folder", folder}, {"at", FormatTime(now)}}, findings, content.unreadable,
                       globals.json);
}

using Run = Result<int> (*)(const CollateralOptions&, const Globals&);

CLI::App* AddOne(CLI::App& group, const char* name, const char* help, Run run,
                 const std::shared_ptr<CollateralOptions>& options, Invocation& invocation) {
  CLI::App* command = group.add_subcommand(name, help);
  command
      ->add_option("--collateral", options->folder,
                   "the folder (default: `trust: collateral` of client.yaml)")
      ->type_name("DIR");
  command->add_option("--at", options->at, "as of this time (RFC 3339; default: now)");
  command->callback([run, options, &invocation] {
    invocation.action = [run, options, &invocation] { return run(*options, invocation.globals); };
  });
  return command;
}

void AddTrustOption(CLI::App& command, CollateralOptions& options) {
  command.add_option("--trust", options.trust, "trust these root certificates as well (PEM, DER)")
      ->type_name("FILE…");
}

}  // namespace

void AddEvidenceCollateral(CLI::App& group, Invocation& invocation) {
  CLI::App* collateral = group.add_subcommand("collateral", "files that evidence is verified with");
  collateral->require_subcommand(1);
  collateral->footer(
      "Nothing is ever fetched: files are carried in, and verified before they "
      "come into the folder.");
  auto options = std::make_shared<CollateralOptions>();
  CLI::App* import = AddOne(*collateral, "import", "verify files and put them into the folder",
                            Import, options, invocation);
  import
      ->add_option("path", options->paths,
                   "TCB infos, QE identities, revocation lists, certificates, a key set; folders "
                   "of them")
      ->required()
      ->type_name("PATH…");
  import->add_flag("--allow-older", options->allow_older,
                   "let what is older take the place of what is newer");
  import->add_option("--issuer", options->issuer, "whose the key set is: the `iss` of its tokens")
      ->type_name("URL");
  AddTrustOption(*import, *options);
  import->footer(
      "If anything is refused, nothing is written. What is replaced stays beside it, hidden\n"
      "(.NAME.previous). The exit code is 1 if anything was refused, or kept for being newer.");
  AddOne(*collateral, "list", "what the folder holds, and until when", List, options, invocation);
  CLI::App* verify = AddOne(*collateral, "verify", "whether all of it is genuine, and valid now",
                            Verify, options, invocation);
  verify
      ->add_option("--for", options->evidence,
                   "only what this evidence needs: is it there, and is it good?")
      ->type_name("PATH");
  AddTrustOption(*verify, *options);
}

}  // namespace keyclave::ctl
