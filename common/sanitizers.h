// Whether this program is compiled with a sanitizer, by GCC or by clang.
//
// Thread-safety: constants.
#ifndef SHOAL_COMMON_SANITIZERS_H_
#define SHOAL_COMMON_SANITIZERS_H_

#ifndef __has_feature
#define __has_feature(feature) 0
#endif
#if defined(__SANITIZE_ADDRESS__) || __has_feature(address_sanitizer)
#define SHOAL_ADDRESS_SANITIZER 1
#endif
#if defined(__SANITIZE_THREAD__) || __has_feature(thread_sanitizer)
#define SHOAL_THREAD_SANITIZER 1
#endif

namespace shoal {

#if defined(SHOAL_ADDRESS_SANITIZER) || defined(SHOAL_THREAD_SANITIZER)
inline constexpr bool kIsSanitized = true;
#else
inline constexpr bool kIsSanitized = false;
#endif

}  // namespace shoal

#endif  // SHOAL_COMMON_SANITIZERS_H_
