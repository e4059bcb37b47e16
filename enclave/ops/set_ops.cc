// Reference-value sets, and the history of documents.

#include "enclave/ops/documents.h"
#include "enclave/ops/handlers.h"

namespace keyclave::ops {
namespace {

constexpr size_t kMaxText = size_t{512} << 10;  // bytes
constexpr size_t kMaxSets = 256;                // of a token
constexpr size_t kMaxVersions = 4;              // in one reply

wire::SetInfo Describe(const keys::Document& document, const authz::SetDocument& set,
                       UnixTime now) {
  wire::SetInfo info;
  info.name = document.name;
  info.version = document.version;
  info.digest = ToBytes(document.digest);
  info.entries = set.entries().size();
  info.current = set.CountCurrent(now);
  info.applied = document.applied.value_or(0);
  info.by = SignersOf(document);
  return info;
}

Status CheckSuccessor(Call& call, const keys::Token& token, const keys::Document& former,
                      uint64_t version) {
  if (version <= former.version)
    return Fail(Code::kPolicyVersion, former.name + ": version " + std::to_string(version) +
                                          " after " + std::to_string(former.version));
  KC_ASSIGN(const auto before, authz::SetDocument::Parse(former.text, former.name));
  return RequireQuorum(call, token, before.change());
}

wire::DocumentVersion ToWire(const keys::Document& document) {
  return {document.name,
          document.version,
          document.text,
          document.digest,
          document.applied.value_or(0),
          document.authority};
}

// All versions of a document, newest first.
Result<std::vector<keys::Document>> Versions(const Call& call,
                                             const wire::ReadHistoryRequest& request) {
  std::vector<keys::Document> versions;
  const keys::ObjectStore& store = call.service.store;
  if (request.kind == wire::DocumentKind::kPolicy) {
    KC_ASSIGN(versions.emplace_back(), store.FindPolicy(request.token, request.name));
  } else {
    KC_ASSIGN(versions.emplace_back(), FindSet(store, request.token, request.name));
  }
  for (const auto& record : store.TokenRecords(request.token, keys::RecordType::kHistory)) {
    KC_ASSIGN(auto stored, wire::Decode<StoredVersion>(record.body));
    if (stored.kind == request.kind && stored.document.name == request.name)
      versions.push_back(std::move(stored.document));
  }
  std::sort(versions.begin(), versions.end(),
            [](const auto& a, const auto& b) { return a.version > b.version; });
  return versions;
}

}  // namespace

ReplyOf<Op::kApplySet> ApplySet(Call& call, const wire::ApplySetRequest& request,
                                const AuthorizedToken& proof) {
  if (request.text.size() > kMaxText) return Fail(Code::kTooLarge, "a set has at most 512 KiB");
  KC_ASSIGN(const auto set, authz::SetDocument::Parse(request.text, "set"));
  const keys::Token& token = proof.token();
  KC_CHECK_OK(CheckQuorumOwners(token, set.change()));
  const keys::Document document =
      NewDocument(call, set.name(), set.version(), request.text, set.digest());
  std::vector<keys::TokenRecord> records = {SetRecord(document)};
  const auto former = FindSet(call.service.store, token.id, set.name());
  if (former.ok()) {
    KC_CHECK_OK(CheckSuccessor(call, token, *former, set.version()));
    records.push_back(HistoryRecord(wire::DocumentKind::kSet, *former));
  } else if (call.service.store.TokenRecords(token.id, keys::RecordType::kSet).size() >= kMaxSets) {
    return Fail(Code::kTooLarge, "a token has at most 256 sets");
  }
  KC_CHECK_OK(call.service.store.ChangeTokenRecords(token.id, std::move(records)));
  call.audit_fields = {{"token", token.Serial()},
                       {"set", set.name()},
                       {"version", std::to_string(set.version())},
                       {"digest", ToHex(set.digest())}};
  return wire::ApplySetReply{Describe(document, set, call.now)};
}

ReplyOf<Op::kListSets> ListSets(Call& call, const wire::ListSetsRequest& request,
                                const InspectedToken& /*proof*/) {
  wire::ListSetsReply reply;
  for (const auto& record :
       call.service.store.TokenRecords(request.token, keys::RecordType::kSet)) {
    KC_ASSIGN(const auto document, wire::Decode<keys::Document>(record.body));
    KC_ASSIGN(const auto set, authz::SetDocument::Parse(document.text, document.name));
    reply.sets.push_back(Describe(document, set, call.now));
  }
  std::sort(reply.sets.begin(), reply.sets.end(),
            [](const auto& a, const auto& b) { return a.name < b.name; });
  return reply;
}

ReplyOf<Op::kShowSet> ShowSet(Call& call, const wire::ShowSetRequest& request,
                              const InspectedToken& /*proof*/) {
  KC_ASSIGN(const auto document, FindSet(call.service.store, request.token, request.name));
  KC_ASSIGN(const auto set, authz::SetDocument::Parse(document.text, document.name));
  return wire::ShowSetReply{Describe(document, set, call.now), document.text};
}

ReplyOf<Op::kReadHistory> ReadHistory(Call& call, const wire::ReadHistoryRequest& request,
                                      const InspectedToken& /*proof*/) {
  KC_ASSIGN(const auto versions, Versions(call, request));
  wire::ReadHistoryReply reply;
  for (const keys::Document& document : versions) {
    if (request.before != 0 && document.version >= request.before) continue;
    if (reply.versions.size() == kMaxVersions) {
      reply.more = true;
      break;
    }
    reply.versions.push_back(ToWire(document));
  }
  return reply;
}

}  // namespace keyclave::ops
