#include "shoal/wire/request_size.h"

#include <google/protobuf/descriptor.h>

#include <cstddef>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "shoal/v1/metadata.h"

namespace shoal {
namespace {

using google::protobuf::FieldDescriptor;
using google::protobuf::Message;
using google::protobuf::Reflection;

// A field, as the agent names it in what it refuses: "specs[0].env".
struct Part {
  std::string name;
  size_t bytes = 0;
};

Part LargestPart(const Message& message);

Part PartOf(std::string name, const Message& message) {
  const Part inner = LargestPart(message);
  if (!inner.name.empty()) absl::StrAppend(&name, ".", inner.name);
  return {std::move(name), inner.bytes};
}

// Numbers are never much.
Part PartOf(const Message& message, const FieldDescriptor* field) {
  const Reflection* reflection = message.GetReflection();
  const std::string& name = field->name();
  const int count = field->is_repeated() ? reflection->FieldSize(message, field) : 0;
  Part part{name, 0};
  if (field->cpp_type() == FieldDescriptor::CPPTYPE_STRING) {
    std::string scratch;
    if (!field->is_repeated()) {
      part.bytes = reflection->GetStringReference(message, field, &scratch).size();
    }
    for (int i = 0; i < count; ++i) {
      part.bytes += reflection->GetRepeatedStringReference(message, field, i, &scratch).size();
    }
  } else if (field->cpp_type() == FieldDescriptor::CPPTYPE_MESSAGE && !field->is_map()) {
    if (!field->is_repeated()) return PartOf(name, reflection->GetMessage(message, field));
    for (int i = 0; i < count; ++i) {
      const Part one = PartOf(absl::StrCat(name, "[", i, "]"),
                              reflection->GetRepeatedMessage(message, field, i));
      if (one.bytes > part.bytes) part = one;
    }
  }
  return part;
}

Part LargestPart(const Message& message) {
  std::vector<const FieldDescriptor*> fields;
  message.GetReflection()->ListFields(message, &fields);
  Part largest;
  for (const FieldDescriptor* field : fields) {
    Part part = PartOf(message, field);
    if (part.bytes > largest.bytes) largest = std::move(part);
  }
  return largest;
}

}  // namespace

absl::Status CheckRequestSize(const Message& request) {
  const size_t bytes = request.ByteSizeLong();
  if (bytes <= v1::kMaxRequestBytes) return absl::OkStatus();
  const Part largest = LargestPart(request);
  return absl::InvalidArgumentError(absl::StrCat(largest.name, largest.name.empty() ? "" : " has ",
                                                 largest.bytes, " bytes and the request ", bytes,
                                                 " in all, limit ", v1::kMaxRequestBytes));
}

}  // namespace shoal
