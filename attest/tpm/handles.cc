#include "attest/tpm/handles.h"

#include "enclave/base/byte_reader.h"

namespace keyclave::attest::tpm {
namespace {

constexpr UINT16 kNvChunk = 512;  // bytes; every TPM reads so much at once

}  // namespace

std::string HexHandle(uint32_t handle) {
  ByteWriter writer;
  writer.PutBe(handle);
  return "0x" + ToHex(writer.bytes());
}

Result<bool> Exists(Connection& tpm, uint32_t handle) {
  KC_ASSIGN(const std::vector<uint32_t> handles, HandlesFrom(tpm, handle, 1));
  return !handles.empty() && handles.front() == handle;
}

Status OpenHandle(Connection& tpm, uint32_t handle, ESYS_TR& object) {
  return tpm.Check(tpm.tss2().Esys_TR_FromTPMPublic(tpm.esys(), handle, ESYS_TR_NONE, ESYS_TR_NONE,
                                                    ESYS_TR_NONE, &object),
                   HexHandle(handle));
}

Result<OpenedKey> OpenKey(Connection& tpm, uint32_t handle) {
  OpenedKey key;
  KC_CHECK_OK(OpenHandle(tpm, handle, key.handle));
  Made<TPM2B_PUBLIC> area(tpm);
  Made<TPM2B_NAME> name(tpm);
  Made<TPM2B_NAME> qualified(tpm);
  KC_CHECK_OK(tpm.Check(
      tpm.tss2().Esys_ReadPublic(tpm.esys(), key.handle, ESYS_TR_NONE, ESYS_TR_NONE, ESYS_TR_NONE,
                                 area.Receive(), name.Receive(), qualified.Receive()),
      "ReadPublic " + HexHandle(handle)));
  key.area = area->publicArea;
  key.name = ToBytes(ByteSpan(name->name, name->size));
  return key;
}

Result<Bytes> ReadIndex(Connection& tpm, uint32_t handle) {
  ESYS_TR index = ESYS_TR_NONE;
  KC_CHECK_OK(OpenHandle(tpm, handle, index));
  const Tss2& tss2 = tpm.tss2();
  Made<TPM2B_NV_PUBLIC> area(tpm);
  Made<TPM2B_NAME> name(tpm);
  KC_CHECK_OK(tpm.Check(tss2.Esys_NV_ReadPublic(tpm.esys(), index, ESYS_TR_NONE, ESYS_TR_NONE,
                                                ESYS_TR_NONE, area.Receive(), name.Receive()),
                        "NV_ReadPublic " + HexHandle(handle)));
  const bool by_index = (area->nvPublic.attributes & TPMA_NV_AUTHREAD) != 0;
  const ESYS_TR reader = by_index ? index : ESYS_TR{ESYS_TR_RH_OWNER};
  const size_t size = area->nvPublic.dataSize;
  Bytes content;
  while (content.size() < size) {
    const auto count = static_cast<UINT16>(std::min<size_t>(kNvChunk, size - content.size()));
    Made<TPM2B_MAX_NV_BUFFER> chunk(tpm);
    KC_CHECK_OK(tpm.Check(
        tss2.Esys_NV_Read(tpm.esys(), reader, index, ESYS_TR_PASSWORD, ESYS_TR_NONE, ESYS_TR_NONE,
                          count, static_cast<UINT16>(content.size()), chunk.Receive()),
        "NV_Read " + HexHandle(handle)));
    if (chunk->size == 0 || chunk->size > count) return tpm.Fails("NV_Read: another size");
    content.insert(content.end(), chunk->buffer, chunk->buffer + chunk->size);
  }
  return content;
}

}  // namespace keyclave::attest::tpm
