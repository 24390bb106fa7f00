// What a program tells the child that runs one of its functions, in the child's environment; and
// what the child answers on its descriptor 3.
//
// Thread-safety: thread-safe but for TakeFunctionCall(), which changes the environment.
#ifndef SHOAL_CLIENT_SHOAL_FUNCTION_CALL_H_
#define SHOAL_CLIENT_SHOAL_FUNCTION_CALL_H_

#include <cstddef>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "shoal/process_info.h"
#include "shoal/process_options.h"

namespace shoal::internal {

// A longer argument comes as a file that is sent along.
inline constexpr size_t kMaxInlineArgumentBytes = size_t{64} << 10;
// Its path below SHOAL_FILES.
inline constexpr char kArgumentFile[] = "argument";

struct FunctionCall {
  std::string function;  // registered name
  // Nothing: it is in the file.
  std::optional<std::string> argument;
  ProcessInfo parent;
  bool daemon = false;
  // What the parent's SetStartMethod() says.
  StartMethod start_method = StartMethod::kSpawn;
};

// SHOAL_FUNCTION, SHOAL_ARGUMENT (base64), SHOAL_PARENT ("NAME HOST/ID PID"), SHOAL_START_METHOD
// unless it is "spawn", and, for a daemon, SHOAL_DAEMON=1.
std::vector<std::string> ToEnvironment(const FunctionCall& call);

// The call that this process is to make, with its argument read; nothing: it is none. The variables
// are gone afterwards, so that no program that is executed from here believes itself to be meant.
// INVALID_ARGUMENT or a code of the file system: they make no sense. Blocking: reads the file.
std::optional<absl::StatusOr<FunctionCall>> TakeFunctionCall();

// A shoal.v1.FunctionResult, of a value or an error.
std::string SerializeResult(const absl::StatusOr<std::string>& result);
// What is in there; nothing: no byte was written. DATA_LOSS: it was cut off.
std::optional<absl::StatusOr<std::string>> ParseResult(absl::string_view bytes);

}  // namespace shoal::internal

#endif  // SHOAL_CLIENT_SHOAL_FUNCTION_CALL_H_
