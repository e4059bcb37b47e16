#include "pkcs11/mechanism_list.h"

#include "pkcs11/mechanism.h"

namespace keyclave::pkcs11 {

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
