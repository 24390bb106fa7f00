#include "shoal/child/function_call.h"

#include <errno.h>
#include <fcntl.h>
#include <google/protobuf/io/coded_stream.h>
#include <google/protobuf/io/zero_copy_stream_impl_lite.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <limits>
#include <utility>

#include "absl/strings/escaping.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "common/escape.h"
#include "common/status.h"
#include "common/unique_fd.h"
#include "shoal/v1/function_result.pb.h"

namespace shoal::internal {
namespace {

constexpr char kFunctionVariable[] = "SHOAL_FUNCTION";
constexpr char kArgumentVariable[] = "SHOAL_ARGUMENT";
constexpr char kParentVariable[] = "SHOAL_PARENT";
constexpr char kDaemonVariable[] = "SHOAL_DAEMON";
constexpr char kStartMethodVariable[] = "SHOAL_START_METHOD";
constexpr char kFilesVariable[] = "SHOAL_FILES";

// Tag and length, at most.
constexpr size_t kMaxHeadBytes = 16;
// What other readers of a FunctionResult can read.
constexpr size_t kMostReadable = std::numeric_limits<int>::max();
constexpr size_t kMaxResultBytes = kMostReadable - kMaxHeadBytes;
// Of FunctionResult.value: field 1, with a length.
constexpr uint32_t kValueTag = 1 << 3 | 2;

// Where the value begins of a FunctionResult that is nothing else.
std::optional<size_t> FindValue(const std::string& bytes) {
  google::protobuf::io::CodedInputStream coded(
      reinterpret_cast<const uint8_t*>(bytes.data()),
      static_cast<int>(std::min(bytes.size(), kMaxHeadBytes)));
  uint64_t length = 0;
  if (coded.ReadTag() != kValueTag || !coded.ReadVarint64(&length)) return std::nullopt;
  const auto head = static_cast<size_t>(coded.CurrentPosition());
  if (bytes.size() - head != length) return std::nullopt;
  return head;
}

std::optional<std::string> Take(const char* name) {
  const char* value = std::getenv(name);
  if (value == nullptr) return std::nullopt;
  std::string taken = value;
  unsetenv(name);
  return taken;
}

absl::StatusOr<std::string> ReadFile(const std::string& path) {
  UniqueFd file(open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!file) return ErrnoStatus(errno, absl::StrCat("open the argument ", path));
  std::string bytes;
  // A string that grows has all of it twice.
  struct stat facts {};
  if (fstat(file.get(), &facts) == 0 && S_ISREG(facts.st_mode)) {
    bytes.reserve(static_cast<size_t>(facts.st_size));
  }
  char buffer[64 << 10];
  while (true) {
    ssize_t got = read(file.get(), buffer, sizeof(buffer));
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return ErrnoStatus(errno, absl::StrCat("read the argument ", path));
    if (got == 0) return bytes;
    bytes.append(buffer, static_cast<size_t>(got));
  }
}

absl::StatusOr<std::string> DecodeArgument(const std::optional<std::string>& encoded) {
  if (!encoded.has_value()) {
    const char* files = std::getenv(kFilesVariable);
    if (files == nullptr) {
      return absl::InvalidArgumentError(absl::StrCat(
          "neither ", kArgumentVariable, " nor ", kFilesVariable, " is set: there is no argument"));
    }
    return ReadFile(absl::StrCat(files, "/", kArgumentFile));
  }
  std::string argument;
  if (absl::Base64Unescape(*encoded, &argument)) return argument;
  return absl::InvalidArgumentError(absl::StrCat(kArgumentVariable, ": it is not base64"));
}

constexpr std::pair<StartMethod, absl::string_view> kStartMethods[] = {
    {StartMethod::kSpawn, "spawn"},
    {StartMethod::kForkServer, "forkserver"},
    {StartMethod::kFork, "fork"}};

absl::string_view NameOf(StartMethod method) {
  for (const auto& [known, name] : kStartMethods) {
    if (known == method) return name;
  }
  return "";
}

absl::StatusOr<StartMethod> DecodeStartMethod(const std::string& text) {
  for (const auto& [method, name] : kStartMethods) {
    if (name == text) return method;
  }
  return absl::InvalidArgumentError(absl::StrCat(kStartMethodVariable, ": \"",
                                                 EscapeForMessage(text),
                                                 "\" is none of spawn, forkserver, fork"));
}

absl::StatusOr<ProcessInfo> DecodeParent(const std::string& text) {
  std::vector<std::string> words = absl::StrSplit(text, ' ');
  int pid = 0;
  if (words.size() == 3 && absl::SimpleAtoi(words[2], &pid)) {
    std::pair<std::string, std::string> where = absl::StrSplit(words[1], absl::MaxSplits('/', 1));
    return ProcessInfo(words[0], pid, where.first, where.second, /*daemon=*/false);
  }
  return absl::InvalidArgumentError(
      absl::StrCat(kParentVariable, ": \"", EscapeForMessage(text), "\" is not NAME HOST/ID PID"));
}

}  // namespace

std::vector<std::string> ToEnvironment(const FunctionCall& call) {
  const ProcessInfo& parent = call.parent;
  std::vector<std::string> env = {absl::StrCat(kFunctionVariable, "=", call.function),
                                  absl::StrCat(kParentVariable, "=", parent.name(), " ",
                                               parent.host(), "/", parent.id(), " ", parent.pid())};
  if (call.argument.has_value()) {
    env.push_back(absl::StrCat(kArgumentVariable, "=", absl::Base64Escape(*call.argument)));
  }
  if (call.start_method != StartMethod::kSpawn) {
    env.push_back(absl::StrCat(kStartMethodVariable, "=", NameOf(call.start_method)));
  }
  if (call.daemon) env.push_back(absl::StrCat(kDaemonVariable, "=1"));
  return env;
}

std::optional<absl::StatusOr<FunctionCall>> TakeFunctionCall() {
  // All of them in any case: a leftover of one must not meet the next call.
  std::optional<std::string> function = Take(kFunctionVariable);
  std::optional<std::string> argument = Take(kArgumentVariable);
  std::optional<std::string> parent = Take(kParentVariable);
  std::optional<std::string> daemon = Take(kDaemonVariable);
  std::optional<std::string> start_method = Take(kStartMethodVariable);
  if (!function.has_value()) return std::nullopt;
  FunctionCall call;
  call.function = *std::move(function);
  call.daemon = daemon.has_value();
  SHOAL_ASSIGN_OR_RETURN(call.start_method, DecodeStartMethod(start_method.value_or("spawn")));
  SHOAL_ASSIGN_OR_RETURN(call.parent, DecodeParent(parent.value_or("")));
  SHOAL_ASSIGN_OR_RETURN(call.argument, DecodeArgument(argument));
  return call;
}

absl::Status CheckResultSize(size_t bytes) {
  if (bytes <= kMaxResultBytes) return absl::OkStatus();
  return absl::ResourceExhaustedError(absl::StrCat("its result has ", bytes, " bytes, and ",
                                                   kMaxResultBytes, " at most can be returned"));
}

std::string HeadOfResult(size_t bytes) {
  std::string head;
  google::protobuf::io::StringOutputStream stream(&head);
  google::protobuf::io::CodedOutputStream coded(&stream);
  coded.WriteTag(kValueTag);
  coded.WriteVarint64(bytes);
  coded.Trim();
  return head;
}

std::string SerializeResult(absl::StatusOr<std::string> result) {
  if (result.ok()) {
    std::string bytes = *std::move(result);
    bytes.insert(0, HeadOfResult(bytes.size()));
    return bytes;
  }
  v1::FunctionResult message;
  message.mutable_error()->set_code(static_cast<int>(result.status().code()));
  message.mutable_error()->set_message(std::string(result.status().message()));
  return message.SerializeAsString();
}

std::optional<absl::StatusOr<std::string>> ParseResult(std::string bytes) {
  if (bytes.empty()) return std::nullopt;
  if (std::optional<size_t> head = FindValue(bytes)) {
    bytes.erase(0, *head);
    return bytes;
  }
  v1::FunctionResult message;
  if (bytes.size() > kMostReadable ||
      !message.ParseFromArray(bytes.data(), static_cast<int>(bytes.size()))) {
    return absl::DataLossError("its result was cut off");
  }
  switch (message.outcome_case()) {
    case v1::FunctionResult::kValue:
      return std::move(*message.mutable_value());
    case v1::FunctionResult::kError:
      if (message.error().code() == 0) break;
      return absl::Status(static_cast<absl::StatusCode>(message.error().code()),
                          message.error().message());
    case v1::FunctionResult::OUTCOME_NOT_SET:
      break;
  }
  return absl::DataLossError("its result is neither a value nor an error");
}

}  // namespace shoal::internal
