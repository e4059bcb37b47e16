// The least security version number that an enclave with these keys must have.
#include "enclave/keys/object_records.h"
#include "enclave/keys/object_store_impl.h"

namespace keyclave::keys {

uint64_t ObjectStore::minimum_version() const {
  const ReaderLock lock(impl_->state_mutex);
  return impl_->minimum_version;
}

Status ObjectStore::RequireVersion(uint64_t svn) {
  return impl_->Write([&]() KC_REQUIRES(impl_->write_mutex) -> Status {
    if (svn < minimum_version())
      return Fail(
          Code::kVersionTooLow,
          "the least version is " + std::to_string(minimum_version()) + ", and never falls");
    KC_CHECK_OK(impl_->vault->Commit({VersionChange({svn})}));
    const WriterLock lock(impl_->state_mutex);
    impl_->minimum_version = svn;
    impl_->Moved();
    return Done{};
  });
}

}  // namespace keyclave::keys
