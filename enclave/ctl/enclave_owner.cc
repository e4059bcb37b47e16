// Requests under the signatures of a token's owners: logins for reading, statements for changes.
#include "enclave/base/clock.h"
#include "enclave/base/file.h"
#include "enclave/ctl/enclave_link.h"
#include "enclave/ctl/output.h"

namespace keyclave::ctl {
namespace {

constexpr int64_t kLoginLifetime = 600;  // seconds

}  // namespace

Result<bool> Enclave::Mend(Code refusal) {
  if (!token_) return false;
  if (refusal == Code::kNotLoggedIn && !logged_in_) {
    logged_in_ = true;
    KC_CHECK_OK(Login());
    return true;
  }
  const bool for_owners = refusal == Code::kOwnersOnly || refusal == Code::kOperatorOnly ||
                          refusal == Code::kNotAttested || refusal == Code::kDenied;
  if (!for_owners || is_owner_session_ || !token_->owners || signers_.empty()) return false;
  is_owner_session_ = true;
  KC_CHECK_OK(LogInAsOwner());
  return true;
}

// One owner is enough to read, and a login is one owner's.
Status Enclave::LogInAsOwner() {
  KC_ASSIGN(const client::SessionId session, client_.Session());
  const wire::OwnerLoginRequest login{
      .token = token_->id, .tls_key = session.tls_key, .session = session.session};
  const wire::Statement statement{
      .label = std::string(wire::kStatementLabel),
      .enclave_id = session.enclave_id,
      .token = token_->id,
      .sequence = 0,
      .expires = SystemClock().Now() + kLoginLifetime,
      .op = static_cast<uint64_t>(wire::Op::kOwnerLogin),
      .request = wire::OpCodec<wire::Op::kOwnerLogin>::EncodeRequest(login)};
  KC_ASSIGN(const wire::AdministerRequest request, signers_.SignAlone(statement));
  KC_ASSIGN(const Bytes done, Administer(request));
  return Done{};
}

Result<bool> Enclave::ChangesAreSigned() const {
  const bool has_owners = token_ && token_->owners.has_value();
  if (!choice_.owner.out.empty() && !has_owners)
    return Fail(Code::kInvalidArgument,
                "--out is for tokens that have owners: operators administer this one, and sign "
                "nothing");
  return has_owners && (!signers_.empty() || !choice_.owner.out.empty());
}

Result<wire::AdministerRequest> Enclave::SignNext(wire::Op op, const Bytes& fields) {
  KC_ASSIGN(const wire::ListOwnersReply owners, Call<wire::Op::kListOwners>({token_->id}));
  KC_ASSIGN(const client::SessionId session, client_.Session());
  KC_ASSIGN(const int64_t lifetime, LifetimeOf(choice_.owner));
  const wire::Statement statement{.label = std::string(wire::kStatementLabel),
                                  .enclave_id = session.enclave_id,
                                  .token = token_->id,
                                  .sequence = owners.sequence + requests_.items.size() + 1,
                                  .expires = SystemClock().Now() + lifetime,
                                  .op = static_cast<uint64_t>(op),
                                  .request = fields};
  return signers_.Sign(statement);
}

Result<std::optional<Bytes>> Enclave::SignedCall(wire::Op op, const Bytes& fields) {
  KC_ASSIGN(wire::AdministerRequest request, SignNext(op, fields));
  if (!choice_.owner.out.empty()) {
    KC_ASSIGN(RequestFile::Item item, MakeRequestItem(std::move(request)));
    requests_.items.push_back(std::move(item));
    return std::optional<Bytes>();
  }
  auto reply = Administer(request);
  if (!reply.ok() && reply.code() == Code::kSequence) {
    // Another owner's request was carried out meanwhile.
    KC_ASSIGN(request, SignNext(op, fields));
    reply = Administer(request);
  }
  if (!reply.ok()) return std::move(reply).error();
  return std::optional<Bytes>(*std::move(reply));
}

Result<Bytes> Enclave::Administer(const wire::AdministerRequest& request) {
  KC_ASSIGN(wire::AdministerReply reply,
            client_.Call<wire::Op::kAdminister>(request, measurement_));
  return std::move(reply.reply);
}

Result<int> Enclave::WriteRequests(bool json) {
  const std::string& path = choice_.owner.out;
  if (requests_.items.empty()) return Fail(Code::kInternal, "nothing to write");
  requests_.token_label = token_->label;
  KC_CHECK_OK(WriteNewFile(path, AsBytes(PrintRequestFile(requests_)), 0644));
  const auto& signatures = requests_.items.front().request.signatures;
  std::string by;
  for (const wire::OwnerSignature& signature : signatures)
    by.append(by.empty() ? "" : ", ").append(signature.owner);
  if (json) {
    Json names = Json::array();
    for (const wire::OwnerSignature& signature : signatures) names.push_back(signature.owner);
    PrintJson({{"request", path}, {"requests", requests_.items.size()}, {"signed_by", names}});
    return kExitOk;
  }
  Print("Wrote " + Harmless(path) + ", signed by " + (by.empty() ? "nobody yet" : by) +
        ". Nothing was changed.\n"
        "Others sign it with: keyclave request sign " +
        Harmless(path) + " --owner NAME=KEY\nIt is carried out by: keyclave request send " +
        Harmless(path) + "\n");
  return kExitOk;
}

}  // namespace keyclave::ctl
