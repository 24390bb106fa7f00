// What a program tells the child that runs one of its functions, in the child's environment; and
// what the child answers (result_pipe.h).
//
// Thread-safety: thread-safe but for TakeFunctionCall(), which changes the environment.
#ifndef SHOAL_CLIENT_SHOAL_CHILD_FUNCTION_CALL_H_
#define SHOAL_CLIENT_SHOAL_CHILD_FUNCTION_CALL_H_

#include <cstddef>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
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

// RESOURCE_EXHAUSTED: a value of so many bytes is more than a message can have.
absl::Status CheckResultSize(size_t bytes);
// A shoal.v1.FunctionResult, of a value or an error. REQUIRES: CheckResultSize() of the value.
std::string SerializeResult(absl::StatusOr<std::string> result);
// What stands in it before a value of so many bytes, which are all the rest.
std::string HeadOfResult(size_t bytes);
// What is in there; nothing: no byte was written. DATA_LOSS: it was cut off. Neither copies a
// value: it may be as large as half the memory.
std::optional<absl::StatusOr<std::string>> ParseResult(std::string bytes);

}  // namespace shoal::internal

#endif  // SHOAL_CLIENT_SHOAL_CHILD_FUNCTION_CALL_H_
