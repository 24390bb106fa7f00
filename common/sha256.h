// SHA-256, the name of a blob.
//
// Thread-safety: a Sha256 for one thread at a time; the functions are thread-safe.
// Blocking:      never blocks.
#ifndef SHOAL_COMMON_SHA256_H_
#define SHOAL_COMMON_SHA256_H_

#include <cstddef>
#include <memory>
#include <string>

#include "absl/strings/string_view.h"

struct evp_md_ctx_st;

namespace shoal {

inline constexpr size_t kSha256Bytes = 32;

class Sha256 {
 public:
  Sha256();
  void Update(absl::string_view bytes);
  // The 32 bytes. Once.
  std::string Finish();

 private:
  struct Free {
    void operator()(evp_md_ctx_st* context) const;
  };
  std::unique_ptr<evp_md_ctx_st, Free> context_;
};

std::string Sha256Of(absl::string_view bytes);

// 64 lower-case hexadecimal digits for 32 bytes, and back; "" for anything else than those.
std::string DigestToHex(absl::string_view sha256);
std::string DigestFromHex(absl::string_view hex);

}  // namespace shoal

#endif  // SHOAL_COMMON_SHA256_H_
