#include "pkcs11/mechanism_list.h"

#include "pkcs11/mechanism.h"
#include "pkcs11/message_param.h"

namespace keyclave::pkcs11 {
namespace {

// The message-based functions are this module's: each message is an operation of its own.
CK_FLAGS MessageFlags(const wire::MechanismInfo& info) {
  CK_FLAGS flags = 0;
  if ((info.flags & CKF_SIGN) != 0) flags |= CKF_MESSAGE_SIGN;
  if ((info.flags & CKF_VERIFY) != 0) flags |= CKF_MESSAGE_VERIFY;
  if (HasMessageParam(info.type)) {
    if ((info.flags & CKF_ENCRYPT) != 0) flags |= CKF_MESSAGE_ENCRYPT;
    if ((info.flags & CKF_DECRYPT) != 0) flags |= CKF_MESSAGE_DECRYPT;
  }
  return flags == 0 ? 0 : flags | CKF_MULTI_MESSAGE;
}

}  // namespace

Result<std::shared_ptr<const MechanismList::Infos>> MechanismList::All() {
  {
    const MutexLock lock(mutex_);
    if (infos_ != nullptr && generation_ == client_.generation()) return infos_;
  }
  auto reply = client_.Call<wire::Op::kListMechanisms>({});
  if (!reply.ok()) return reply.error();
  auto infos = std::make_shared<Infos>(std::move(reply->mechanisms));
  for (const CK_MECHANISM_TYPE type : DigestMechanisms()) {
    const auto found =
        std::find_if(infos->begin(), infos->end(),
                     [&](const wire::MechanismInfo& info) { return info.type == type; });
    if (found != infos->end()) {
      found->flags |= CKF_DIGEST;
    } else if (Hasher::Create(*HashOf(type)).ok()) {
      infos->push_back({type, 0, 0, CKF_DIGEST});
    }
  }
  for (wire::MechanismInfo& info : *infos) info.flags |= MessageFlags(info);
  const MutexLock lock(mutex_);
  infos_ = infos;
  generation_ = client_.generation();
  return infos_;
}

Result<wire::MechanismInfo> MechanismList::Find(CK_MECHANISM_TYPE type, CK_FLAGS function) {
  KC_ASSIGN(const auto infos, All());
  const auto found =
      std::find_if(infos->begin(), infos->end(),
                   [&](const wire::MechanismInfo& info) { return info.type == type; });
  if (found == infos->end() || (found->flags & function) != function)
    return Fail(Code::kMechanismInvalid);
  return *found;
}

}  // namespace keyclave::pkcs11
