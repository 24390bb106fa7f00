#include "shoal/function.h"

#include <cstddef>
#include <limits>

#include "absl/strings/str_cat.h"

namespace shoal::internal {
namespace {

// What protobuf can write and read.
constexpr size_t kMaxMessageBytes = std::numeric_limits<int>::max();

}  // namespace

absl::StatusOr<std::string> SerializeMessage(const google::protobuf::MessageLite& message) {
  if (!message.IsInitialized()) {
    return absl::InvalidArgumentError(
        absl::StrCat("the message of type ", message.GetTypeName(),
                     " lacks what it requires: ", message.InitializationErrorString()));
  }
  std::string bytes;
  if (size_t size = message.ByteSizeLong();
      size > kMaxMessageBytes || !message.SerializeToString(&bytes)) {
    return absl::InvalidArgumentError(absl::StrCat("the message of type ", message.GetTypeName(),
                                                   " has ", size, " bytes, more than protobuf's ",
                                                   kMaxMessageBytes));
  }
  return bytes;
}

absl::Status ParseMessage(absl::string_view bytes, google::protobuf::MessageLite* message) {
  if (bytes.size() <= kMaxMessageBytes &&
      message->ParseFromArray(bytes.data(), static_cast<int>(bytes.size()))) {
    return absl::OkStatus();
  }
  return absl::InvalidArgumentError(
      absl::StrCat(bytes.size(), " bytes are not a message of type ", message->GetTypeName()));
}

}  // namespace shoal::internal
