// A function that can be a process: how its argument and its result become bytes.
//
// Such a function takes nothing, bytes (std::string, absl::string_view) or a protobuf message, and
// returns absl::Status, or absl::StatusOr of bytes or of a message.
//
// Thread-safety: thread-safe.
// Errors:        INVALID_ARGUMENT: the bytes are not the message that was expected.
#ifndef SHOAL_CLIENT_SHOAL_FUNCTION_H_
#define SHOAL_CLIENT_SHOAL_FUNCTION_H_

#include <google/protobuf/message_lite.h>

#include <functional>
#include <string>
#include <type_traits>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"

namespace shoal::internal {

// Any of them, typed no more.
using Function = std::function<absl::StatusOr<std::string>(absl::string_view argument)>;
// Which one: never called as this.
using FunctionKey = void (*)();

// One with its argument.
struct BoundFunction {
  FunctionKey key = nullptr;
  Function function;
  std::string argument;
};

template <typename T>
inline constexpr bool kIsMessage = std::is_base_of_v<google::protobuf::MessageLite, T>;
template <typename T>
inline constexpr bool kIsBytes =
    std::is_same_v<T, std::string> || std::is_same_v<T, absl::string_view>;

template <typename T>
std::string ToBytes(const T& value) {
  if constexpr (kIsMessage<T>) {
    return value.SerializeAsString();
  } else {
    return std::string(absl::string_view(value));
  }
}

// `bytes` outlives what is returned, if that is a view.
template <typename T>
absl::StatusOr<T> FromBytes(absl::string_view bytes) {
  static_assert(kIsMessage<T> || kIsBytes<T>, "bytes or a protobuf message");
  if constexpr (kIsMessage<T>) {
    T message;
    if (message.ParseFromArray(bytes.data(), static_cast<int>(bytes.size()))) return message;
    return absl::InvalidArgumentError(
        absl::StrCat(bytes.size(), " bytes are not a message of type ", message.GetTypeName()));
  } else {
    return T(bytes);
  }
}

inline absl::StatusOr<std::string> ToResult(const absl::Status& status) {
  if (!status.ok()) return status;
  return std::string();
}
template <typename T>
absl::StatusOr<std::string> ToResult(const absl::StatusOr<T>& result) {
  if (!result.ok()) return result.status();
  return ToBytes(*result);
}

template <typename Result>
Function Bind(Result (*function)()) {
  return [function](absl::string_view) { return ToResult(function()); };
}
template <typename Result, typename Parameter>
Function Bind(Result (*function)(Parameter)) {
  using Argument = std::remove_cv_t<std::remove_reference_t<Parameter>>;
  return [function](absl::string_view bytes) -> absl::StatusOr<std::string> {
    absl::StatusOr<Argument> argument = FromBytes<Argument>(bytes);
    if (!argument.ok()) return argument.status();
    return ToResult(function(*std::move(argument)));
  };
}

template <typename Result, typename... Parameters>
FunctionKey KeyOf(Result (*function)(Parameters...)) {
  return reinterpret_cast<FunctionKey>(function);
}

}  // namespace shoal::internal

#endif  // SHOAL_CLIENT_SHOAL_FUNCTION_H_
