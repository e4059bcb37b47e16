// keyclave evidence collect: makes evidence about this machine or process and writes it to a file.
#include <CLI/CLI.hpp>
#include <memory>

#include "enclave/base/file.h"
#include "enclave/base/hash.h"
#include "enclave/client/config.h"
#include "enclave/ctl/cmd_evidence.h"
#include "enclave/ctl/output.h"

namespace keyclave::ctl {
namespace {

struct CollectOptions {
  std::string out;
  std::string type;
  std::string report_data;
};

Result<attest::ReportData> ReportDataFrom(const std::string& hex) {
  attest::ReportData data{};
  if (hex.empty()) {
    RandomFill(data);
    return data;
  }
  const auto bytes = FromHex(hex);
  if (!bytes.ok() || bytes->size() > data.size())
    return Fail(Code::kInvalidArgument, "--report-data: wanted at most 64 bytes in hexadecimal");
  std::copy(bytes->begin(), bytes->end(), data.begin());
  return data;
}

Result<int> Collect(const CollectOptions& options, const Globals& globals) {
  KC_ASSIGN(const client::ClientConfig config, client::LoadClientConfig(globals.config));
  const std::string& name = options.type.empty() ? config.evidence_type : options.type;
  if (name.empty())
    return Fail(Code::kEvidenceUnavailable, config.source + " says evidence: none; name a --type");
  const attest::TeeType* type = attest::FindTeeType(name);
  if (type == nullptr) return Fail(Code::kEvidenceUnknownType, name);
  KC_ASSIGN(const attest::ReportData data, ReportDataFrom(options.report_data));
  KC_ASSIGN(const Bytes evidence, type->produce(data, config.producer, SystemClock().Now()));
  KC_CHECK_OK(ReplaceFile(options.out, evidence, 0644));
  if (globals.json) {
    PrintJson({{"type", name},
               {"file", options.out},
               {"bytes", evidence.size()},
               {"report_data", ToHex(data)}});
  } else {
    Fields fields;
    fields.Add("type", name);
    fields.Add("file", options.out);
    fields.Add("bytes", std::to_string(evidence.size()));
    fields.Add("report data", ToHex(data));
    Print(fields.Text());
  }
  return kExitOk;
}

}  // namespace

void AddEvidenceCollect(CLI::App& group, Invocation& invocation) {
  auto options = std::make_shared<CollectOptions>();
  CLI::App* collect = group.add_subcommand("collect", "make evidence and write it to a file");
  collect->add_option("--out", options->out, "the file to write")->required()->type_name("FILE");
  collect->add_option("--type", options->type,
                      "kind of evidence (default: `evidence` of client.yaml)");
  collect
      ->add_option("--report-data", options->report_data,
                   "what it is bound to, up to 64 bytes in hexadecimal (default: random)")
      ->type_name("HEX");
  collect->callback([options, &invocation] {
    invocation.action = [options, &invocation] { return Collect(*options, invocation.globals); };
  });
}

}  // namespace keyclave::ctl
