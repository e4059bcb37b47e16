// The operations that a session can have under way, and the one place where they end.
#pragma once

#include <deque>

#include "enclave/client/signed_message.h"
#include "pkcs11/mechanism.h"
#include "pkcs11/object_cache.h"

namespace keyclave::pkcs11 {

// C_FindObjectsInit … C_FindObjectsFinal.
struct FindOperation {
  wire::FindObjectsRequest next;       // asks for the page after the last one
  bool more = true;                    // there may be such a page
  std::deque<CK_OBJECT_HANDLE> found;  // read, not yet handed out
};

struct DigestOperation {
  CK_MECHANISM_TYPE type = 0;
  size_t size = 0;               // bytes of the digest
  std::optional<Hasher> hasher;  // nullopt: the enclave computes it, of `input`
  Bytes input;
  bool multi_part = false;
  std::optional<Bytes> pending;

  // Adds a part; kDataLenRange above what one request can carry, where the enclave computes.
  Status Add(ByteSpan part);
};

// Sign, verify, encrypt, decrypt: what C_…Init fixed, and what the parts added.
struct KeyOperation {
  ObjectPtr key;
  std::optional<uint64_t> login;  // of C_Login(CKU_CONTEXT_SPECIFIC)
  wire::Mechanism mechanism;
  std::optional<PreHash> prehash;  // how a digest of `message` is signed
  std::optional<client::SignedMessage> message;
  std::optional<Bytes> signature;  // of C_VerifySignatureInit
  bool multi_part = false;
  Bytes input;                   // parts so far, where there is no `message`
  std::optional<Bytes> pending;  // output that was made and not yet handed out
  std::optional<ByteArray<32>>
      pending_for;         // SHA-256 of the whole message that it was made of, for one-part calls
  bool exhausted = false;  // the mechanism can take no further block (cipher_chunk.h)

  // Adds a part; kDataLenRange above what one request can carry.
  Status Add(ByteSpan part);
};

// C_MessageSignInit … C_MessageSignFinal and their like: messages, one after the other, under one
// key and mechanism. A message that came to nothing does not end the process.
struct MessageProcess {
  ObjectPtr key;
  CK_MECHANISM_TYPE type = 0;
  std::optional<uint64_t> login;        // for the next message
  wire::Mechanism mechanism;            // of signatures; ciphers have a parameter per message
  std::optional<KeyOperation> current;  // the message under way; in parts if `multi_part`
  uint64_t counter = 0;                 // of the initialisation vectors that were made of it
};

// What is active. Encryption or decryption may run beside a digest, encryption beside a signature,
// decryption beside a verification: the pairs of the dual-function calls. Nothing else runs beside
// anything (base §5.1.6, CKR_OPERATION_ACTIVE).
struct Operations {
  std::optional<FindOperation> find;
  std::optional<DigestOperation> digest;
  std::optional<KeyOperation> sign;
  std::optional<KeyOperation> verify;
  std::optional<KeyOperation> sign_recover;
  std::optional<KeyOperation> verify_recover;
  std::optional<KeyOperation> encrypt;
  std::optional<KeyOperation> decrypt;
  std::optional<MessageProcess> message_sign;
  std::optional<MessageProcess> message_verify;
  std::optional<MessageProcess> message_encrypt;
  std::optional<MessageProcess> message_decrypt;

  // Whether an operation of this kind may begin now: kP11OperationActive.
  Status MayBegin(CK_FLAGS kind) const;
  // The key with CKA_ALWAYS_AUTHENTICATE that an active operation uses, and where the login for it
  // goes: at most one, as of private keys only one is ever at work. kP11OperationNotInitialized.
  struct Waiting {
    ObjectPtr key;
    std::optional<uint64_t>* login = nullptr;
  };
  Result<Waiting> WaitingForLogin();
  CK_FLAGS Active() const;  // CKF_ENCRYPT, CKF_FIND_OBJECTS …
  // Ends those that CKF_ENCRYPT, CKF_FIND_OBJECTS … name.
  void Cancel(CK_FLAGS kinds);
};

// Ends an operation when its scope ends, unless a step said that it goes on. Every call that works
// on an active operation goes through here.
template <class Operation>
class OperationScope {
 public:
  // `slot` holds the operation: the caller has checked it with Require.
  explicit OperationScope(std::optional<Operation>& slot) : slot_(slot) {}
  ~OperationScope() {
    if (!goes_on_) slot_.reset();
  }
  OperationScope(const OperationScope&) = delete;
  OperationScope& operator=(const OperationScope&) = delete;

  Operation& operator*() { return *slot_; }
  Operation* operator->() { return &*slot_; }

  // The last step: the operation ends, unless only its length was asked for or the buffer was too
  // small (base §5.2).
  Status Finish(const Result<Delivery>& delivery) {
    if (!delivery.ok()) return Keep(delivery.code() == Code::kP11BufferTooSmall, delivery.error());
    return Keep(*delivery == Delivery::kLengthOnly, Done{});
  }
  // A step in between: the operation goes on, unless the step failed.
  Status Continue(const Status& step) {
    return Keep(step.ok() || step.code() == Code::kP11BufferTooSmall, step);
  }

 private:
  Status Keep(bool goes_on, Status status) {
    goes_on_ = goes_on;
    return status;
  }
  std::optional<Operation>& slot_;
  bool goes_on_ = false;
};

template <class Operation>
Status Require(const std::optional<Operation>& slot) {
  if (!slot.has_value()) return Fail(Code::kP11OperationNotInitialized);
  return Done{};
}

}  // namespace keyclave::pkcs11
