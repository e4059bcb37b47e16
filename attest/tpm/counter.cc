#include "attest/tpm/connection.h"
#include "enclave/base/byte_reader.h"

namespace keyclave::attest::tpm {
namespace {

constexpr UINT16 kCounterSize = 8;  // bytes, of every NV counter
constexpr uint32_t kFirstNvIndex = 0x0100'0000;
constexpr uint32_t kLastNvIndex = 0x01ff'ffff;

// Read and written by who names the index, with an empty password: who may use the TPM at all may
// raise the counter, and nobody can lower it. Not orderly: each value is in NV memory before the
// TPM answers, so that a power cut loses none.
constexpr TPMA_NV kAttributes = TPMA_NV_AUTHREAD | TPMA_NV_AUTHWRITE | TPMA_NV_NO_DA |
                                TPMA_NV{TPM2_NT_COUNTER} << TPMA_NV_TPM2_NT_SHIFT;

std::string Name(const DeviceConfig& config) {
  ByteWriter writer;
  writer.PutBe(config.counter_index);
  return "NV index 0x" + ToHex(writer.bytes());
}

TPM2B_NV_PUBLIC Template(const DeviceConfig& config) {
  TPM2B_NV_PUBLIC made{};
  made.nvPublic.nvIndex = config.counter_index;
  made.nvPublic.nameAlg = TPM2_ALG_SHA256;
  made.nvPublic.attributes = kAttributes;
  made.nvPublic.dataSize = kCounterSize;
  return made;
}

struct Counter {
  ESYS_TR handle = ESYS_TR_NONE;  // of esys alone: the TPM holds nothing for it
  bool written = false;
};

// The index, if it is there and of the kind that Define makes. Whoever rules the host can remove it
// and put something else in its place that holds a number of his choice.
Result<std::optional<Counter>> Find(Connection& tpm, const DeviceConfig& config) {
  if (config.counter_index < kFirstNvIndex || config.counter_index > kLastNvIndex)
    return Fail(Code::kInvalidArgument, Name(config) + " is none: 0x01000000 to 0x01ffffff");
  KC_ASSIGN(const std::vector<uint32_t> handles, HandlesFrom(tpm, config.counter_index, 1));
  if (handles.empty() || handles.front() != config.counter_index) return std::optional<Counter>();
  const Tss2& tss2 = tpm.tss2();
  Counter counter;
  KC_CHECK_OK(tpm.Check(tss2.Esys_TR_FromTPMPublic(tpm.esys(), config.counter_index, ESYS_TR_NONE,
                                                   ESYS_TR_NONE, ESYS_TR_NONE, &counter.handle),
                        "NV_ReadPublic"));
  Made<TPM2B_NV_PUBLIC> found(tpm);
  Made<TPM2B_NAME> name(tpm);
  Made<TPM2B_NAME> name_in_use(tpm);
  KC_CHECK_OK(
      tpm.Check(tss2.Esys_NV_ReadPublic(tpm.esys(), counter.handle, ESYS_TR_NONE, ESYS_TR_NONE,
                                        ESYS_TR_NONE, found.Receive(), name.Receive()),
                "NV_ReadPublic"));
  // What is checked here is what the session's HMAC covers later.
  KC_CHECK_OK(tpm.Check(tss2.Esys_TR_GetName(tpm.esys(), counter.handle, name_in_use.Receive()),
                        "TR_GetName"));
  const TPMS_NV_PUBLIC& area = found->nvPublic;
  counter.written = (area.attributes & TPMA_NV_WRITTEN) != 0;
  if (!Equal(ByteSpan(name->name, name->size), ByteSpan(name_in_use->name, name_in_use->size)) ||
      (area.attributes & ~TPMA_NV_WRITTEN) != kAttributes || area.dataSize != kCounterSize ||
      area.authPolicy.size != 0)
    return Fail(Code::kWitnessInvalid, Name(config) + " is no counter of Keyclave's");
  return std::optional(counter);
}

Result<Counter> Require(Connection& tpm, const DeviceConfig& config) {
  KC_ASSIGN(const std::optional<Counter> counter, Find(tpm, config));
  if (!counter.has_value()) return Fail(Code::kWitnessMissing, Name(config) + " is not there");
  return *counter;
}

Status Increment(Connection& tpm, const Counter& counter) {
  Transient session(tpm);
  KC_CHECK_OK(StartSession(tpm, SessionKind::kHmac, ESYS_TR_NONE, kPlain, session));
  return tpm.Check(tpm.tss2().Esys_NV_Increment(tpm.esys(), counter.handle, counter.handle,
                                                session.get(), ESYS_TR_NONE, ESYS_TR_NONE),
                   "NV_Increment");
}

Result<uint64_t> Read(Connection& tpm, const Counter& counter) {
  Transient session(tpm);
  KC_CHECK_OK(StartSession(tpm, SessionKind::kHmac, ESYS_TR_NONE, kPlain, session));
  Made<TPM2B_MAX_NV_BUFFER> data(tpm);
  KC_CHECK_OK(tpm.Check(
      tpm.tss2().Esys_NV_Read(tpm.esys(), counter.handle, counter.handle, session.get(),
                              ESYS_TR_NONE, ESYS_TR_NONE, kCounterSize, 0, data.Receive()),
      "NV_Read"));
  ByteReader reader(ByteSpan(data->buffer, std::min<size_t>(data->size, sizeof data->buffer)));
  KC_ASSIGN(const uint64_t value, reader.TakeBe<uint64_t>());
  return value;
}

}  // namespace

Result<uint64_t> DefineCounter(const DeviceConfig& config) {
  KC_CHECK_OK(WithTpm(config, [&](Connection& tpm) -> Status {
    KC_ASSIGN(const std::optional<Counter> there, Find(tpm, config));
    // One that was never written is of a definition that was cut off.
    if (there.has_value() && !there->written) return Done{};
    if (there.has_value()) return Fail(Code::kStoreExists, Name(config) + " is a counter already");
    const TPM2B_NV_PUBLIC wanted = Template(config);
    const TPM2B_AUTH no_password{};
    ESYS_TR handle = ESYS_TR_NONE;
    return tpm.Check(
        tpm.tss2().Esys_NV_DefineSpace(tpm.esys(), ESYS_TR_RH_OWNER, ESYS_TR_PASSWORD, ESYS_TR_NONE,
                                       ESYS_TR_NONE, &no_password, &wanted, &handle),
        "NV_DefineSpace");
  }));
  return IncrementCounter(config);
}

Result<uint64_t> ReadCounter(const DeviceConfig& config) {
  return WithTpm(config, [&](Connection& tpm) -> Result<uint64_t> {
    KC_ASSIGN(const Counter counter, Require(tpm, config));
    if (!counter.written)
      return Fail(Code::kWitnessMissing, Name(config) + " was defined, but never counted");
    return Read(tpm, counter);
  });
}

Result<uint64_t> IncrementCounter(const DeviceConfig& config) {
  // Apart, so that a busy TPM at reading does not make it count twice.
  KC_CHECK_OK(WithTpm(config, [&](Connection& tpm) -> Status {
    KC_ASSIGN(const Counter counter, Require(tpm, config));
    return Increment(tpm, counter);
  }));
  return ReadCounter(config);
}

Status RemoveCounter(const DeviceConfig& config) {
  return WithTpm(config, [&](Connection& tpm) -> Status {
    KC_ASSIGN(const Counter counter, Require(tpm, config));
    return tpm.Check(tpm.tss2().Esys_NV_UndefineSpace(tpm.esys(), ESYS_TR_RH_OWNER, counter.handle,
                                                      ESYS_TR_PASSWORD, ESYS_TR_NONE, ESYS_TR_NONE),
                     "NV_UndefineSpace");
  });
}

}  // namespace keyclave::attest::tpm
