// A function that can be a process: how its argument and its result become bytes.
//
// Such a function takes nothing, bytes (std::string, absl::string_view) or a protobuf message, and
// returns absl::Status, or absl::StatusOr of bytes or of a message.
//
// Thread-safety: thread-safe.
// Errors:        INVALID_ARGUMENT: the bytes are not the message that was expected, or a message
//                cannot be made bytes.
#ifndef SHOAL_CLIENT_SHOAL_FUNCTION_H_
#define SHOAL_CLIENT_SHOAL_FUNCTION_H_

#include <google/protobuf/message_lite.h>

#include <functional>
#include <string>
#include <type_traits>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace shoal::internal {

// Any of them, typed no more.
using Function = std::function<absl::StatusOr<std::string>(const std::string& argument)>;
// Which one: never called as this.
using FunctionKey = void (*)();

// One with its argument.
struct BoundFunction {
  FunctionKey key = nullptr;
  Function function;
  std::string argument;
  absl::Status broken;  // why there is no argument
};

// INVALID_ARGUMENT: it lacks a required field, or is longer than a message may be.
absl::StatusOr<std::string> SerializeMessage(const google::protobuf::MessageLite& message);
// INVALID_ARGUMENT: the bytes are not one.
absl::Status ParseMessage(absl::string_view bytes, google::protobuf::MessageLite* message);

template <typename T>
inline constexpr bool kIsMessage = std::is_base_of_v<google::protobuf::MessageLite, T>;
template <typename T>
inline constexpr bool kIsBytes =
    std::is_same_v<T, std::string> || std::is_same_v<T, absl::string_view>;

// What a function that can be a process returns.
template <typename T>
inline constexpr bool kIsResult = std::is_same_v<T, absl::Status>;
template <typename T>
inline constexpr bool kIsResult<absl::StatusOr<T>> = kIsMessage<T> || kIsBytes<T>;
// Not: what else it does not compile for.
template <typename... T>
inline constexpr bool kNever = false;

// Each of these is one sentence of the compiler about a mistake, and REQUIRES that it was not made.
template <typename Returned, typename... Parameters>
constexpr void CheckFunction() {
  static_assert(kIsResult<Returned>,
                "the function of a process returns absl::Status, or absl::StatusOr of std::string "
                "or of a protobuf message");
  static_assert(sizeof...(Parameters) <= 1,
                "the function of a process has one parameter at most: several values are put into "
                "one protobuf message");
  static_assert(((kIsMessage<std::remove_cvref_t<Parameters>> ||
                  kIsBytes<std::remove_cvref_t<Parameters>>)&&...),
                "the parameter of the function of a process is bytes (std::string, "
                "absl::string_view) or a protobuf message");
}
template <typename Parameter, typename Argument>
constexpr void CheckArgument() {
  using Wanted = std::remove_cvref_t<Parameter>;
  // Of a function that takes neither, CheckFunction() complains.
  static_assert(kIsMessage<Wanted> ? std::is_same_v<Wanted, Argument>
                                   : !kIsBytes<Wanted> ||
                                         std::is_convertible_v<const Argument&, absl::string_view>,
                "the argument is not what the function takes: bytes, or that protobuf message");
}

template <typename T>
absl::StatusOr<std::string> ToBytes(const T& value) {
  if constexpr (kIsMessage<T>) {
    return SerializeMessage(value);
  } else if constexpr (std::is_convertible_v<const T&, absl::string_view>) {
    return std::string(absl::string_view(value));
  } else {
    static_assert(kNever<T>, "bytes or a protobuf message");
  }
}

// `bytes` outlives what is returned, if that is a view.
template <typename T>
absl::StatusOr<T> FromBytes(absl::string_view bytes) {
  static_assert(kIsMessage<T> || kIsBytes<T>, "bytes or a protobuf message");
  if constexpr (kIsMessage<T>) {
    T message;
    if (absl::Status parsed = ParseMessage(bytes, &message); !parsed.ok()) return parsed;
    return message;
  } else {
    return T(bytes);
  }
}

inline absl::StatusOr<std::string> ToResult(const absl::Status& status) {
  if (!status.ok()) return status;
  return std::string();
}
template <typename T>
absl::StatusOr<std::string> ToResult(absl::StatusOr<T> result) {
  if constexpr (std::is_same_v<T, std::string>) {
    return result;
  } else {
    if (!result.ok()) return result.status();
    return ToBytes(*result);
  }
}

template <typename Result>
Function Bind(Result (*function)()) {
  CheckFunction<Result>();
  if constexpr (kIsResult<Result>) {
    return [function](const std::string&) { return ToResult(function()); };
  } else {
    return nullptr;
  }
}
template <typename Result, typename Parameter, typename... More>
Function Bind(Result (*function)(Parameter, More...)) {
  CheckFunction<Result, Parameter, More...>();
  using Argument = std::remove_cvref_t<Parameter>;
  if constexpr (sizeof...(More) == 0 && kIsResult<Result> &&
                (kIsMessage<Argument> || kIsBytes<Argument>)) {
    return [function](const std::string& bytes) -> absl::StatusOr<std::string> {
      // Long bytes are not copied where the function does not take a copy.
      if constexpr (std::is_same_v<Parameter, const std::string&>) {
        return ToResult(function(bytes));
      } else {
        absl::StatusOr<Argument> argument = FromBytes<Argument>(bytes);
        if (!argument.ok()) return argument.status();
        return ToResult(function(*std::move(argument)));
      }
    };
  } else {
    return nullptr;
  }
}

template <typename Result, typename... Parameters>
FunctionKey KeyOf(Result (*function)(Parameters...)) {
  return reinterpret_cast<FunctionKey>(function);
}

// With the argument that it is to be called with.
template <typename Returned, typename Parameter, typename Argument>
BoundFunction BindWith(Returned (*function)(Parameter), const Argument& argument) {
  CheckArgument<Parameter, Argument>();
  BoundFunction bound{KeyOf(function), Bind(function), "", absl::OkStatus()};
  if constexpr (kIsMessage<Argument> || std::is_convertible_v<const Argument&, absl::string_view>) {
    absl::StatusOr<std::string> bytes = ToBytes(argument);
    if (bytes.ok()) {
      bound.argument = *std::move(bytes);
    } else {
      bound.broken = bytes.status();
    }
  }
  return bound;
}

}  // namespace shoal::internal

#endif  // SHOAL_CLIENT_SHOAL_FUNCTION_H_
