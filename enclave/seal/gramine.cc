// The key that Gramine has of EGETKEY for the enclave as it is now. Which versions it is for cannot
// be asked for: after a TCB update of the processor, or with a new ISVSVN, it is another one.
#include "enclave/seal/seal.h"

namespace keyclave::seal {
namespace {

class GramineSealer final : public KeySealer {
 public:
  GramineSealer(const attest::ProducerConfig& producer, attest::SgxIdentity identity)
      : producer_(producer), identity_(identity) {}
  std::string Name() const override { return "gramine"; }

 protected:
  Result<Bytes> BindingOfNow() const override { return Bytes(); }
  Result<SecretBytes> PlatformKey(ByteSpan binding) const override {
    if (!binding.empty()) return Fail(Code::kMalformed, "the binding of a root secret");
    return attest::GramineSealingKey(producer_, identity_);
  }
  std::string Advice() const override {
    return identity_ == attest::SgxIdentity::kEnclave
               ? "it is bound to the processor, its microcode and this very enclave (MRENCLAVE)"
               : "it is bound to the processor, its microcode, the signer of the enclave, its "
                 "product id and its ISVSVN";
  }

 private:
  const attest::ProducerConfig& producer_;
  const attest::SgxIdentity identity_;
};

}  // namespace

std::unique_ptr<keys::RootSealer> MakeGramineSealer(const attest::ProducerConfig& producer,
                                                    attest::SgxIdentity identity) {
  return std::make_unique<GramineSealer>(producer, identity);
}

}  // namespace keyclave::seal
