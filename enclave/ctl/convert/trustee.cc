// Trustee's resource policy, a subset of Rego: `allow` rules whose bodies compare paths of `input`
// (the claims of an EAR token) and of `data` (the request) with literals. Every other statement is
// refused with its line.
//
// There one document decides over all resources; here a policy belongs to a key. So the policy is
// converted for one resource, which Options::resource names.

#include <algorithm>
#include <map>

#include "attest/token/fields.h"
#include "enclave/ctl/convert/draft.h"
#include "enclave/ctl/convert/source_expression.h"

namespace keyclave::ctl::convert {
namespace {

using attest::token::FieldType;
using OperandKind = SourceOperand::Kind;

constexpr std::string_view kCpu = "input/submods/cpu0/";
constexpr std::string_view kEvidence = "ear.veraison.annotated-evidence/";
// Trustee's newer input has the token's claims at the end of this.
constexpr std::string_view kSummary = "input/trust_context/attestation_summary/";

// Of evidence that no service has appraised.
constexpr std::string_view kNoVerdict =
    "it is the verdict of Trustee's attestation service, which evidence has none of: say in the "
    "source which measurement is meant";

struct PathRow {
  std::string_view path;  // below kEvidence
  const char* tee;
  const char* claim;
  FieldType type;
};
constexpr PathRow kPaths[] = {
    {"snp/measurement", "sev-snp", "measurement", FieldType::kHex},
    {"snp/init_data", "sev-snp", "host_data", FieldType::kHex},
    {"snp/policy_debug_allowed", "sev-snp", "debug", FieldType::kBool},
    {"tdx/quote/body/mr_td", "tdx", "measurement", FieldType::kHex},
    {"tdx/quote/body/mr_config_id", "tdx", "token.mrconfigid", FieldType::kHex},
    {"tdx/quote/body/rtmr_0", "tdx", "token.rtmr0", FieldType::kHex},
    {"tdx/quote/body/rtmr_1", "tdx", "token.rtmr1", FieldType::kHex},
    {"tdx/quote/body/rtmr_2", "tdx", "token.rtmr2", FieldType::kHex},
    {"tdx/quote/body/rtmr_3", "tdx", "token.rtmr3", FieldType::kHex},
    {"tdx/td_attributes/debug", "tdx", "debug", FieldType::kBool},
    {"sgx/body/mr_enclave", "sgx", "measurement", FieldType::kHex},
    {"sgx/body/mr_signer", "sgx", "signer", FieldType::kHex}};

// token.ear_status is the worst of all submodules'. What of it says enough about cpu0's alone.
Condition OfStatus(const SourceExpression& comparison, bool differs) {
  const std::string& value = comparison.right.text;
  if (!differs) return value == "affirming" ? Is("token.ear_status", value) : Condition::Never();
  if (value == "contraindicated") return In("token.ear_status", {"affirming", "none", "warning"});
  if (value == "warning") return In("token.ear_status", {"affirming", "none"});
  return value == "none" ? Is("token.ear_status", "affirming") : Condition::Never();
}

class Reader {
 public:
  Reader(const Source& source, TokenReader& tokens) : source_(source), tokens_(tokens) {
    draft_.name = source.options.resource.empty() ? StemOf(source.file) : source.options.resource;
  }

  Result<std::vector<Draft>> Run() {
    for (tokens_.SkipNewlines(); tokens_.Peek().kind != TokenKind::kEnd; tokens_.SkipNewlines())
      KC_CHECK_OK(ReadTop());
    if (!denies_by_default_)
      return Fail(Code::kUnsupported, source_.file + ": `default allow = false` is missing");
    if (draft_.permits.empty())
      draft_.findings.LeaveOut("", "no allow rule: nobody is allowed anything");
    if (source_.options.issuer.empty() && !raw_) {
      draft_.findings.Attention("",
                                "Trustee believes its own attestation service only: name it "
                                "with --issuer, or configure no other issuer of such tokens");
    }
    std::vector<Draft> drafts;
    drafts.push_back(std::move(draft_));
    return drafts;
  }

 private:
  std::string Line(int line) const { return source_.file + ":" + std::to_string(line); }

  Status EndOfStatement() {
    if (tokens_.Peek().kind == TokenKind::kEnd || tokens_.Peek().kind == TokenKind::kNewline)
      return Done{};
    return tokens_.Bad("not in the subset that is read (docs/policy.md)");
  }

  Status ReadTop() {
    if (tokens_.TakeName("package")) {
      if (!tokens_.TakeName("policy")) return tokens_.Bad("wanted package policy");
      return EndOfStatement();
    }
    if (tokens_.TakeName("import")) return ReadImport();
    if (tokens_.TakeName("default")) return ReadDefault();
    if (tokens_.IsName("allow")) return ReadRule();
    return ReadAlias();
  }

  // rego.v1 and the keywords of later versions change nothing that is read here.
  Status ReadImport() {
    KC_ASSIGN(const SourceOperand what, ParseOperand(tokens_));
    const std::string path = what.PathText();
    if (path != "rego/v1" && path != "future/keywords" && !path.starts_with("future/keywords/"))
      return tokens_.Bad("only rego.v1 and future.keywords may be imported");
    return EndOfStatement();
  }

  Status ReadDefault() {
    if (!tokens_.TakeName("allow")) return tokens_.Bad("wanted default allow");
    if (!tokens_.TakeSign("=") && !tokens_.TakeSign(":=")) return tokens_.Bad("wanted = or :=");
    if (!tokens_.TakeName("false"))
      return tokens_.Bad("here nothing is allowed by default: wanted false");
    denies_by_default_ = true;
    return EndOfStatement();
  }

  // plugin = data.plugin
  Status ReadAlias() {
    if (tokens_.Peek().kind != TokenKind::kName)
      return tokens_.Bad("not in the subset that is read (docs/policy.md)");
    const Token name = tokens_.Take();
    if (!tokens_.TakeSign("=") && !tokens_.TakeSign(":="))
      return tokens_.Bad("rules other than allow are not read");
    KC_ASSIGN(const SourceOperand what, ParseOperand(tokens_));
    if (!what.IsPath() || name.text == "input" || name.text == "data")
      return tokens_.Bad("a name may stand for a path only");
    if (!aliases_.emplace(name.text, what.path).second)
      return tokens_.Bad(name.text + " is defined twice");
    return EndOfStatement();
  }

  // allow [= true] [if] { statements } or `allow if statement`.
  Status ReadRule() {
    const Token head = tokens_.Take();
    if (tokens_.TakeSign("=") || tokens_.TakeSign(":=")) {
      if (!tokens_.TakeName("true")) return tokens_.Bad("wanted true");
    }
    const bool worded = tokens_.TakeName("if");
    std::vector<SourceExpression> body;
    if (tokens_.TakeSign("{")) {
      KC_ASSIGN(body, ReadBody());
    } else if (worded) {
      KC_ASSIGN(SourceExpression statement, ParseRegoStatement(tokens_));
      body.push_back(std::move(statement));
    } else {
      return tokens_.Bad("a rule without conditions: wanted if or {");
    }
    KC_CHECK_OK(EndOfStatement());
    AddPermit(head.line, body);
    return Done{};
  }

  Result<std::vector<SourceExpression>> ReadBody() {
    std::vector<SourceExpression> body;
    while (true) {
      while (tokens_.Peek().kind == TokenKind::kNewline || tokens_.IsSign(";"))
        (void)tokens_.Take();
      if (tokens_.TakeSign("}")) break;
      KC_ASSIGN(SourceExpression statement, ParseRegoStatement(tokens_));
      body.push_back(std::move(statement));
      const bool ended =
          tokens_.Peek().kind == TokenKind::kNewline || tokens_.IsSign(";") || tokens_.IsSign("}");
      if (!ended) return tokens_.Bad("not in the subset that is read (docs/policy.md)");
    }
    if (body.empty()) return tokens_.Bad("a rule without conditions");
    return body;
  }

  void AddPermit(int line, const std::vector<SourceExpression>& body) {
    std::vector<Condition> parts;
    if (!raw_) parts = {Is("tee", "token"), Is("token.family", "trustee")};
    if (!source_.options.issuer.empty())
      parts.push_back(Is("token.issuer", source_.options.issuer));
    for (const SourceExpression& statement : body) {
      parts.push_back(Translate(statement, false, [&](const SourceExpression& leaf, bool negated) {
        return OfLeaf(leaf, negated);
      }));
    }
    const std::vector<std::string> operations =
        raw_ ? std::vector<std::string>{"release"}
             : OperationsOr(source_.options, {"release", "read"});
    draft_.permits.push_back(
        {Line(line), operations, Condition::All(std::move(parts)), raw_ ? "jwe" : ""});
  }

  Condition LeaveOut(const SourceExpression& leaf, std::string_view why) {
    return draft_.findings.LeaveOut(Line(leaf.line), leaf.text + ": " + std::string(why));
  }

  std::string PathOf(const SourceOperand& operand) const {
    SourceOperand whole = operand;
    if (const auto alias = aliases_.find(operand.path.front()); alias != aliases_.end()) {
      whole.path = alias->second;
      whole.path.insert(whole.path.end(), operand.path.begin() + 1, operand.path.end());
    }
    std::string path = whole.PathText();
    const std::string claims = std::string(kSummary) + "claims/";
    return path.starts_with(claims) ? "input/" + path.substr(claims.size()) : path;
  }

  Condition OfLeaf(const SourceExpression& leaf, bool negated) {
    if (const auto constant = Constant(leaf); constant.has_value())
      return *constant != negated ? Condition::Always() : Condition::Never();
    if (leaf.kind == SourceExpression::Kind::kBare) return OfBare(leaf, negated);
    const auto comparison = PathFirst(leaf);
    if (!comparison.has_value()) return LeaveOut(leaf, "wanted a path and a literal");
    const std::string path = PathOf(comparison->left);
    if (path.starts_with("data/")) return OfData(path, *comparison, negated);
    return OfInput(path, *comparison, negated);
  }

  Condition OfBare(const SourceExpression& leaf, bool negated) {
    if (!leaf.left.IsPath()) return LeaveOut(leaf, "no condition");
    const std::string path = PathOf(leaf.left);
    const std::string sample = std::string(kCpu) + std::string(kEvidence) + "sample";
    if (path == sample && negated) {
      draft_.findings.Note(Line(leaf.line), "taken as: evidence of SGX, SEV-SNP or TDX");
      return raw_ ? In("tee", {"sgx", "sev-snp", "tdx"})
                  : InCpu(In("token.tee", {"sgx", "sev-snp", "tdx"}));
    }
    if (path == std::string(kSummary) + "verification_result" && !negated) {
      return raw_ ? LeaveOut(leaf, kNoVerdict) : Is("token.ear_status", "affirming");
    }
    return LeaveOut(leaf, "no claim of Keyclave's holds it");
  }

  // What the token says is of cpu0, if it has one.
  static Condition InCpu(Condition condition) {
    return Condition::All({Is("token.submods", "cpu0"), std::move(condition)});
  }

  Condition OfData(const std::string& path, const SourceExpression& comparison, bool negated) {
    std::optional<bool> holds;
    const std::string& resource = source_.options.resource;
    if (path == "data/plugin") {
      holds = HoldsFor("resource", comparison);
    } else if (path.starts_with("data/resource-path") && resource.empty()) {
      return LeaveOut(comparison, "a policy here is one key's: say --resource PATH");
    } else if (path == "data/resource-path") {
      holds = HoldsForResource(comparison);
    } else if (path.starts_with("data/resource-path/")) {
      holds = HoldsFor(Segment(path.substr(path.rfind('/') + 1)), comparison);
    }
    if (!holds.has_value()) return LeaveOut(comparison, "nothing here corresponds to it");
    if (*holds == negated)
      draft_.findings.Note(Line(comparison.line), comparison.text + ": not so for this resource");
    return *holds != negated ? Condition::Always() : Condition::Never();
  }

  // A path is a text in older versions, and a list of its segments in newer ones.
  std::optional<bool> HoldsForResource(SourceExpression comparison) const {
    if (comparison.right.kind == OperandKind::kList && comparison.op != "in") {
      std::string joined;
      for (const std::string& one : comparison.right.list)
        joined.append(joined.empty() ? "" : "/").append(one);
      comparison.right.kind = OperandKind::kText;
      comparison.right.text = joined;
    }
    return HoldsFor(source_.options.resource, comparison);
  }

  std::string Segment(const std::string& index) const {
    std::string_view rest = source_.options.resource;
    for (int i = 0; index != std::to_string(i); ++i) {
      const size_t slash = rest.find('/');
      if (slash == std::string_view::npos) return {};
      rest.remove_prefix(slash + 1);
    }
    return std::string(rest.substr(0, rest.find('/')));
  }

  Condition OfInput(const std::string& path, const SourceExpression& comparison, bool negated) {
    if (comparison.op == "in") return OfAlternatives(path, comparison, negated);
    if (comparison.op != "==" && comparison.op != "!=")
      return LeaveOut(comparison, "of claims only ==, != and in are read");
    const bool differs = (comparison.op == "!=") != negated;
    const SourceOperand& value = comparison.right;
    const std::string cpu(kCpu);
    const std::string evidence = cpu + std::string(kEvidence);
    if (raw_ && !path.starts_with(evidence)) return LeaveOut(comparison, kNoVerdict);
    if (path == cpu + "ear.status") {
      const Condition status =
          value.kind == OperandKind::kText ? OfStatus(comparison, differs) : Condition::Never();
      if (!status.IsNever()) return InCpu(status);
      return LeaveOut(comparison,
                      "token.ear_status is the worst of all submodules, and says less of cpu0");
    }
    if (path == std::string(kSummary) + "verification_result") {
      if (value.kind == OperandKind::kFlag && value.flag != differs)
        return Is("token.ear_status", "affirming");
      return LeaveOut(comparison, "what the service did not affirm is refused here");
    }
    const bool text = value.kind == OperandKind::kText && IsClaimText(value.text);
    if (path == std::string(kSummary) + "issuer" && text)
      return Compared("token.issuer", YamlText(value.text), differs);
    if (path == cpu + "ear.appraisal-policy-id" && text)
      return InCpu(Compared("token.appraisal_policy_id", YamlText(value.text), differs));
    for (const PathRow& row : kPaths) {
      if (path == evidence + std::string(row.path)) return OfEvidence(row, comparison, differs);
    }
    return LeaveOut(comparison, "no claim of Keyclave's holds it");
  }

  static Condition Compared(const char* claim, std::string yaml, bool differs) {
    return Condition::Of({claim, "is", {std::move(yaml)}, differs});
  }

  Condition OfEvidence(const PathRow& row, const SourceExpression& comparison, bool differs) {
    const SourceOperand& value = comparison.right;
    std::optional<std::string> yaml;
    if (row.type == FieldType::kHex && value.kind == OperandKind::kText) {
      if (const auto hex = HexOf(value.text)) yaml = YamlText(*hex);
    } else if (row.type == FieldType::kBool && value.kind == OperandKind::kFlag) {
      yaml = value.flag ? "true" : "false";
    } else if (row.type == FieldType::kBool && value.kind == OperandKind::kText) {
      // Trustee writes some of its flags as texts.
      if (value.text == "0" || value.text == "false") yaml = "false";
      if (value.text == "1" || value.text == "true") yaml = "true";
    }
    if (!yaml.has_value()) return LeaveOut(comparison, "no value that this claim can have");
    if (raw_) {
      return Condition::All(
          {Is("tee", row.tee), Compared(RawClaim(row.claim).c_str(), *yaml, differs)});
    }
    return InCpu(Condition::All({Is("token.tee", row.tee), Compared(row.claim, *yaml, differs)}));
  }

  // As the TEE says it, and not a token: token.rtmr0 is tdx.rtmr0.
  static std::string RawClaim(std::string_view claim) {
    constexpr std::string_view kToken = "token.";
    return claim.starts_with(kToken) ? "tdx." + std::string(claim.substr(kToken.size()))
                                     : std::string(claim);
  }

  // path in {"a", "b"}
  Condition OfAlternatives(const std::string& path, const SourceExpression& comparison,
                           bool negated) {
    if (comparison.right.kind != OperandKind::kList || comparison.right.list.empty())
      return LeaveOut(comparison, "wanted a list of texts");
    std::vector<Condition> parts;
    for (const std::string& text : comparison.right.list) {
      SourceExpression one = comparison;
      one.op = "==";
      one.right.kind = OperandKind::kText;
      one.right.text = text;
      parts.push_back(OfInput(path, one, negated));
    }
    return negated ? Condition::All(std::move(parts)) : Condition::Any(std::move(parts));
  }

  const Source& source_;
  const bool raw_ = source_.options.raw_evidence;
  TokenReader& tokens_;
  Draft draft_;
  std::map<std::string, std::vector<std::string>, std::less<>> aliases_;
  bool denies_by_default_ = false;
};

}  // namespace

Result<std::vector<Draft>> FromTrustee(const Source& source) {
  if (!source.options.issuer.empty() && !IsClaimText(source.options.issuer))
    return Fail(Code::kInvalidArgument, "--issuer: wanted a text without control characters");
  KC_ASSIGN(std::vector<Token> list,
            Tokenize(source.text, source.file, {.hash_comments = true, .newlines = true}));
  TokenReader tokens(source.text, source.file, std::move(list));
  return Reader(source, tokens).Run();
}

}  // namespace keyclave::ctl::convert
