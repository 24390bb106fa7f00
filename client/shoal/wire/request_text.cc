#include "shoal/wire/request_text.h"

#include <google/protobuf/descriptor.h>

#include <cstddef>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "common/escape.h"
#include "common/status.h"
#include "common/utf8.h"

namespace shoal {
namespace {

using google::protobuf::FieldDescriptor;
using google::protobuf::Message;
using google::protobuf::Reflection;

constexpr size_t kShownBytes = 128;

// `path`: of the message, with a dot behind it. Fields are named as the agent names them:
// "specs[0].name".
absl::Status Check(const Message& message, const std::string& path);

absl::Status CheckText(const std::string& text, const std::string& name) {
  if (IsUtf8(text)) return absl::OkStatus();
  return absl::InvalidArgumentError(
      absl::StrCat(name, " is not UTF-8: \"", EscapeForMessage(text, kShownBytes), "\""));
}

absl::Status CheckValue(const Message& message, const FieldDescriptor& field, int index,
                        const std::string& name) {
  const Reflection& reflection = *message.GetReflection();
  const bool many = field.is_repeated();
  if (field.type() == FieldDescriptor::TYPE_STRING) {
    std::string scratch;
    return CheckText(many ? reflection.GetRepeatedStringReference(message, &field, index, &scratch)
                          : reflection.GetStringReference(message, &field, &scratch),
                     name);
  }
  return Check(many ? reflection.GetRepeatedMessage(message, &field, index)
                    : reflection.GetMessage(message, &field),
               absl::StrCat(name, "."));
}

absl::Status Check(const Message& message, const std::string& path) {
  std::vector<const FieldDescriptor*> fields;
  message.GetReflection()->ListFields(message, &fields);
  for (const FieldDescriptor* field : fields) {
    const bool is_message = field->cpp_type() == FieldDescriptor::CPPTYPE_MESSAGE;
    if (!is_message && field->type() != FieldDescriptor::TYPE_STRING) continue;
    const std::string name = absl::StrCat(path, field->name());
    if (!field->is_repeated()) {
      SHOAL_RETURN_IF_ERROR(CheckValue(message, *field, 0, name));
      continue;
    }
    const int count = message.GetReflection()->FieldSize(message, field);
    for (int i = 0; i < count; ++i) {
      // The entries of a map have no order.
      SHOAL_RETURN_IF_ERROR(
          CheckValue(message, *field, i, field->is_map() ? name : absl::StrCat(name, "[", i, "]")));
    }
  }
  return absl::OkStatus();
}

}  // namespace

absl::Status CheckRequestText(const Message& request) { return Check(request, ""); }

}  // namespace shoal
