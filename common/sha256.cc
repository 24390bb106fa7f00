#include "common/sha256.h"

#include <openssl/evp.h>

#include "absl/strings/escaping.h"

namespace shoal {

void Sha256::Free::operator()(evp_md_ctx_st* context) const { EVP_MD_CTX_free(context); }

Sha256::Sha256() : context_(EVP_MD_CTX_new()) {
  EVP_DigestInit_ex(context_.get(), EVP_sha256(), nullptr);
}

void Sha256::Update(absl::string_view bytes) {
  EVP_DigestUpdate(context_.get(), bytes.data(), bytes.size());
}

std::string Sha256::Finish() {
  unsigned char digest[EVP_MAX_MD_SIZE];
  unsigned int size = 0;
  EVP_DigestFinal_ex(context_.get(), digest, &size);
  return std::string(reinterpret_cast<const char*>(digest), size);
}

std::string Sha256Of(absl::string_view bytes) {
  Sha256 hash;
  hash.Update(bytes);
  return hash.Finish();
}

std::string DigestToHex(absl::string_view sha256) {
  return sha256.size() == kSha256Bytes ? absl::BytesToHexString(sha256) : std::string();
}

std::string DigestFromHex(absl::string_view hex) {
  if (hex.size() != 2 * kSha256Bytes) return {};
  if (hex.find_first_not_of("0123456789abcdef") != absl::string_view::npos) return {};
  return absl::HexStringToBytes(hex);
}

}  // namespace shoal
