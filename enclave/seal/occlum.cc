// The key of EGETKEY, by Occlum. The versions that it is for stand beside what is sealed, so that a
// newer processor or enclave can open it too.
#include "enclave/base/byte_reader.h"
#include "enclave/seal/seal.h"

namespace keyclave::seal {
namespace {

class OcclumSealer final : public KeySealer {
 public:
  OcclumSealer(const attest::ProducerConfig& producer, attest::SgxIdentity identity)
      : producer_(producer), identity_(identity) {}
  std::string Name() const override { return "occlum"; }

 protected:
  Result<Bytes> BindingOfNow() const override {
    KC_ASSIGN(const attest::SgxSvn svn, attest::OcclumSvn(producer_));
    ByteWriter out;
    out.Put(svn.cpu);
    out.PutBe(svn.enclave);
    return std::move(out).Finish();
  }
  Result<SecretBytes> PlatformKey(ByteSpan binding) const override {
    ByteReader in(binding);
    attest::SgxSvn svn;
    KC_ASSIGN(svn.cpu, in.TakeArray<16>());
    KC_ASSIGN(svn.enclave, in.TakeBe<uint16_t>());
    KC_CHECK_OK(in.ExpectEnd());
    return attest::OcclumSealingKey(producer_, identity_, svn);
  }
  std::string Advice() const override {
    return identity_ == attest::SgxIdentity::kEnclave
               ? "it is bound to the processor and this very enclave (MRENCLAVE)"
               : "it is bound to the processor, the signer of the enclave and its product id";
  }

 private:
  const attest::ProducerConfig& producer_;
  const attest::SgxIdentity identity_;
};

}  // namespace

std::unique_ptr<keys::RootSealer> MakeOcclumSealer(const attest::ProducerConfig& producer,
                                                   attest::SgxIdentity identity) {
  return std::make_unique<OcclumSealer>(producer, identity);
}

}  // namespace keyclave::seal
