#include "enclave/ctl/convert/draft.h"

#include <algorithm>

#include "enclave/authz/policy.h"

namespace keyclave::ctl::convert {
namespace {

using attest::Expression;

constexpr size_t kMaxName = 64;
constexpr size_t kMaxComment = 300;
constexpr size_t kMaxClaimText = 1024;

bool IsAlphanumeric(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

// What a policy may be called (docs/policy.md), as near to the source's name as can be.
std::string NameFrom(std::string_view text) {
  std::string name;
  for (const char c : text.substr(0, kMaxName))
    name += IsAlphanumeric(c) || c == '.' || c == '_' ? c : '-';
  if (name.empty()) return "converted";
  if (!IsAlphanumeric(name.front())) name.front() = 'x';
  return name;
}

// A line of comment: printable ASCII, so that no text of the source can end it.
std::string Comment(std::string_view indent, std::string_view text) {
  std::string line = std::string(indent) + "# ";
  for (const char c : text.substr(0, kMaxComment)) line += c >= ' ' && c <= '~' ? c : '?';
  return line.append(text.size() > kMaxComment ? "..." : "") + "\n";
}

std::string Listed(const std::vector<std::string>& words) {
  std::string text;
  for (const std::string& word : words) text.append(text.empty() ? "" : ", ").append(word);
  return text;
}

Result<Expression> ParseWhen(const Condition& when) {
  KC_ASSIGN(const YamlValue yaml, ParseYaml(when.Block(""), "when"));
  return Expression::Parse(yaml);
}

class Finisher {
 public:
  Finisher(Draft draft, const Options& options) : draft_(std::move(draft)), options_(options) {}

  Converted Run(std::string_view dialect, const std::string& file) {
    std::string permits;
    for (const DraftPermit& permit : draft_.permits) permits += PermitText(permit);
    Converted converted{.name = NameFrom(options_.name.empty() ? draft_.name : options_.name),
                        .text = std::nullopt,
                        .findings = draft_.findings.list()};
    if (permits.empty()) return converted;
    std::string text = Comment("", "Converted by keyclave policy convert --from " +
                                       std::string(dialect) + " from " + file);
    for (const Finding& finding : converted.findings) {
      if (finding.kind == Finding::Kind::kNote) continue;
      text += Comment(
          "", std::string(FindingName(finding.kind)) + ": " + finding.where + ": " + finding.what);
    }
    text += "policy: " + YamlText(converted.name) + "\nversion: 1\n";
    if (draft_.locked) text += "locked: true\n";
    text += "permit:\n" + permits;
    const auto parsed = authz::Policy::Parse(text, converted.name);
    if (parsed.ok()) {
      converted.text = std::move(text);
    } else {
      converted.findings.push_back(
          {Finding::Kind::kLeftOut, "", "the result is no policy: " + parsed.error().Text()});
    }
    return converted;
  }

 private:
  // Empty if the permit cannot stand.
  std::string PermitText(const DraftPermit& permit) {
    Condition when = permit.when;
    if (when.IsNever()) {
      draft_.findings.LeaveOut(permit.where, "the permit: nobody could satisfy what is left of it");
      return {};
    }
    if (when.IsAlways()) {
      draft_.findings.LeaveOut(permit.where, "the permit: it asks nothing of the caller");
      return {};
    }
    const auto expression = ParseWhen(when);
    if (!expression.ok()) {
      draft_.findings.LeaveOut(permit.where, "the permit: " + expression.error().Text());
      return {};
    }
    if (expression->MentionsDebug() || expression->MentionsSimulated()) {
      draft_.findings.LeaveOut(permit.where,
                               "the permit: it is for a TEE that its host can read; write it by "
                               "hand if that is meant");
      return {};
    }
    const bool unattested = !expression->RequiresAttested();
    if (unattested && !AllowUnattested(permit, when)) return {};
    std::string text = Comment("  ", permit.where);
    text += "  - operations: [" + Listed(permit.operations) + "]\n";
    if (!permit.wrap.empty()) text += "    wrap: [" + permit.wrap + "]\n";
    text += "    when:\n";
    text += when.Block("      ");
    if (unattested) text += "    allow_unattested: true\n";
    return text;
  }

  // A permit that names no workload, which Keyclave wants said in as many words. Then debug mode,
  // which allow_unattested lets in, is kept out by a term.
  bool AllowUnattested(const DraftPermit& permit, Condition& when) {
    if (!options_.allow_unattested) {
      draft_.findings.LeaveOut(permit.where,
                               "the permit: it does not name the workload, so that any program on "
                               "such a machine satisfies it; add the measurement to the source, or "
                               "say --allow-unattested");
      return false;
    }
    when = Condition::All({std::move(when), IsYaml("debug", "false")});
    draft_.findings.Attention(permit.where,
                              "it does not name the workload: allow_unattested says so in the "
                              "permit, and debug mode is kept out by a term");
    return true;
  }

  Draft draft_;
  const Options& options_;
};

Status CheckOptions(std::string_view dialect, const Options& options) {
  const auto check = [](const std::vector<std::string>& operations) -> Status {
    for (const std::string& name : operations) {
      const auto operation = authz::ParseOperation(name);
      if (!operation.has_value() || *operation == authz::Operation::kManage ||
          *operation == authz::Operation::kCreate) {
        return Fail(Code::kInvalidArgument,
                    "operation " + name + ": wanted one that uses a key, such as release or sign");
      }
    }
    return Done{};
  };
  KC_CHECK_OK(check(options.operations));
  for (const auto& [name, operations] : options.operation_names) KC_CHECK_OK(check(operations));
  for (const auto& [party, known] : options.parties) {
    const auto& [claim, text] = known;
    const bool certificate = claim == "tls.san" || claim == "tls.subject" || claim == "tls.issuer";
    if (party.empty() || !certificate || !IsClaimText(text))
      return Fail(Code::kInvalidArgument,
                  "--party: wanted ID=tls.san=NAME (or tls.subject, tls.issuer)");
  }
  const bool trustee = dialect == "trustee";
  if (!trustee && (!options.issuer.empty() || !options.resource.empty() || options.raw_evidence))
    return Fail(Code::kInvalidArgument,
                "--issuer, --resource and --raw-evidence are for --from trustee");
  if (options.raw_evidence && (!options.issuer.empty() || !options.operations.empty()))
    return Fail(Code::kInvalidArgument,
                "--raw-evidence: there is no token and so no --issuer; and whoever comes by "
                "`keyclave kbs` has things released, and nothing else");
  if (dialect != "capsulemanager" && (!options.parties.empty() || !options.operation_names.empty()))
    return Fail(Code::kInvalidArgument, "--party and --op are for --from capsulemanager");
  return Done{};
}

using Function = Result<std::vector<Draft>> (*)(const Source&);
struct Dialect {
  std::string_view name;
  Function function;
};
constexpr Dialect kDialects[] = {
#define KC_DIALECT(name, function) {name, function},
#include "enclave/ctl/convert/dialects.inc"
#undef KC_DIALECT
};

}  // namespace

std::string_view FindingName(Finding::Kind kind) {
  switch (kind) {
    case Finding::Kind::kLeftOut: return "left-out";
    case Finding::Kind::kAttention: return "attention";
    case Finding::Kind::kNote: return "note";
  }
  return "";
}

bool IsClaimText(std::string_view text) {
  const auto control = [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7f; };
  return !text.empty() && text.size() <= kMaxClaimText && IsUtf8(AsBytes(text)) &&
         std::none_of(text.begin(), text.end(), control);
}

std::optional<std::string> HexOf(std::string_view text) {
  const auto bytes = FromHex(text);
  if (!bytes.ok() || bytes->empty() || text.size() > kMaxClaimText) return std::nullopt;
  return ToHex(*bytes);
}

std::string StemOf(const std::string& file) {
  const size_t slash = file.rfind('/');
  const std::string name = slash == std::string::npos ? file : file.substr(slash + 1);
  const size_t dot = name.rfind('.');
  return dot == std::string::npos || dot == 0 ? name : name.substr(0, dot);
}

std::vector<std::string> OperationsOr(const Options& options, std::vector<std::string> usual) {
  return options.operations.empty() ? std::move(usual) : options.operations;
}

Converted Finish(Draft draft, std::string_view dialect, const std::string& file,
                 const Options& options) {
  return Finisher(std::move(draft), options).Run(dialect, file);
}

std::string KnownDialects() {
  std::string text;
  for (const Dialect& dialect : kDialects)
    text.append(text.empty() ? "" : ", ").append(dialect.name);
  return text;
}

Result<std::vector<Converted>> Convert(std::string_view dialect, std::string_view source,
                                       const std::string& file, const Options& options) {
  const auto* const found = std::find_if(std::begin(kDialects), std::end(kDialects),
                                         [&](const Dialect& one) { return one.name == dialect; });
  if (found == std::end(kDialects)) {
    return Fail(Code::kInvalidArgument,
                "no such dialect: " + std::string(dialect) + " (known: " + KnownDialects() + ")");
  }
  KC_CHECK_OK(CheckOptions(dialect, options));
  if (source.size() > kMaxSource) return Fail(Code::kTooLarge, file);
  KC_ASSIGN(std::vector<Draft> drafts, found->function({source, file, options}));
  if (drafts.size() > 1 && !options.name.empty()) {
    return Fail(Code::kInvalidArgument,
                "--name names one policy, and " + file + " holds " + std::to_string(drafts.size()));
  }
  std::vector<Converted> list;
  for (Draft& draft : drafts) list.push_back(Finish(std::move(draft), dialect, file, options));
  return list;
}

}  // namespace keyclave::ctl::convert
