#include "pkcs11/session_table.h"

#include "enclave/base/byte_reader.h"

namespace keyclave::pkcs11 {
namespace {

// Handles are not secrets. They are random so that a stale one of an earlier session or process
// does not hit another session, and have 31 bits because programs print and store them as int.
CK_SESSION_HANDLE RandomHandle() {
  const ByteArray<4> bytes = RandomArray<4>();
  return ByteReader(bytes).TakeLe<uint32_t>().value() & 0x7fffffffU;
}

}  // namespace

SessionPtr SessionTable::Open(SlotPtr slot, const wire::TokenId& token, bool read_write) {
  const WriterLock lock(mutex_);
  CK_SESSION_HANDLE handle = RandomHandle();
  while (handle == CK_INVALID_HANDLE || sessions_.contains(handle)) handle = RandomHandle();
  auto session = std::make_shared<Session>(handle, std::move(slot), token, read_write);
  sessions_.emplace(handle, session);
  return session;
}

Result<SessionPtr> SessionTable::Find(CK_SESSION_HANDLE handle) const {
  const ReaderLock lock(mutex_);
  const auto found = sessions_.find(handle);
  if (found == sessions_.end()) return Fail(Code::kP11SessionHandleInvalid);
  return found->second;
}

Result<SessionPtr> SessionTable::Remove(CK_SESSION_HANDLE handle) {
  const WriterLock lock(mutex_);
  const auto found = sessions_.find(handle);
  if (found == sessions_.end()) return Fail(Code::kP11SessionHandleInvalid);
  SessionPtr session = found->second;
  sessions_.erase(found);
  return session;
}

std::vector<SessionPtr> SessionTable::RemoveAll(const SlotPtr& slot) {
  std::vector<SessionPtr> removed;
  const WriterLock lock(mutex_);
  std::erase_if(sessions_, [&](const auto& entry) {
    if (slot != nullptr && entry.second->slot() != slot) return false;
    removed.push_back(entry.second);
    return true;
  });
  return removed;
}

}  // namespace keyclave::pkcs11
