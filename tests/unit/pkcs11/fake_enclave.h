// An enclave in memory in place of keyclave::client::Client, for tests of the module alone: tokens,
// PINs, objects, and key operations whose outputs show what was asked (no cryptography). It counts
// requests, and fails when told to.
#pragma once

#include <atomic>
#include <map>
#include <mutex>
#include <set>

#include "enclave/client/client.h"
#include "pkcs11/cryptoki3.h"

namespace keyclave::pkcs11::testing {

class FakeEnclave {
 public:
  static FakeEnclave& Get();

  // A fresh enclave with one token without PINs in slot 0.
  void Reset();
  Result<Bytes> Answer(wire::Op op, ByteSpan fields);
  Status Login(const wire::TokenId& token, wire::LoginState user, SecretBytes pin);
  Status Logout(const wire::TokenId& token);

  // ---- what tests arrange ----
  void SetPins(const std::string& user, const std::string& officer);  // of the first token
  void SetCanCreate(bool can_create);
  void SetUnreachable(bool unreachable);
  void FailNext(wire::Op op, Code code);  // the next request of this kind
  // A key or other object in the first token, made behind the module's back.
  wire::ObjectId Plant(wire::AttributeList attributes);
  void Change(const wire::ObjectId& id, uint64_t type, ByteSpan value);
  void Vanish(const wire::ObjectId& id);

  // ---- what tests look at ----
  uint64_t Count(wire::Op op);
  uint64_t Total();
  std::optional<wire::SignRequest>
  last_operation();  // of Sign, Encrypt, Decrypt; Verify without the signature
  size_t object_count();
  bool logged_in();

  uint64_t epoch() { return epoch_; }
  uint64_t generation() { return generation_; }
  void Restart();  // session objects go, the generation moves

 private:
  template <wire::Op op>
  Result<Bytes> Run(ByteSpan fields);
  template <wire::Op op>
  Result<typename wire::OpTraits<op>::Reply> Do(
      const typename wire::OpTraits<op>::Request& request);
  wire::ObjectInfo Insert(const wire::TokenId& token, wire::AttributeList attributes);
  Result<wire::ObjectInfo*> FindById(const wire::ObjectRef& ref);
  bool Visible(const wire::ObjectInfo& info) const;
  Status UseLogin(const wire::ObjectInfo& key, const wire::ObjectRef& ref);
  wire::TokenInfo* FindToken(const wire::TokenId& id);

  std::recursive_mutex mutex_;
  std::vector<wire::TokenInfo> tokens_;
  std::map<wire::TokenId, std::pair<std::string, std::string>> pins_;  // user, officer
  std::map<wire::TokenId, wire::LoginState> logins_;
  std::map<wire::ObjectId, wire::ObjectInfo> objects_;
  std::map<wire::Op, uint64_t> counts_;
  std::map<wire::Op, Code> failures_;
  std::optional<wire::SignRequest> last_;
  bool can_create_ = false;
  bool unreachable_ = false;
  // Read without the lock: a forked child asks while a thread that it does not have may hold it.
  std::atomic<uint64_t> epoch_{1};
  std::atomic<uint64_t> generation_{1};
  uint8_t next_id_ = 1;
  std::set<uint64_t> use_logins_;
};

// A PIN as text, for comparisons in tests.
std::string AsString(const SecretBytes& pin);

// Objects that tests begin with.
wire::AttributeList RsaKey();
wire::AttributeList EcKey();
wire::AttributeList AesKey();

}  // namespace keyclave::pkcs11::testing
