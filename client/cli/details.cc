#include "client/cli/details.h"

#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "absl/strings/string_view.h"
#include "absl/strings/strip.h"
#include "absl/time/time.h"
#include "client/cli/units.h"
#include "client/cli/wording.h"
#include "common/escape.h"
#include "google/protobuf/descriptor.h"

namespace shoal::cli {
namespace {

using google::protobuf::EnumValueDescriptor;
using google::protobuf::FieldDescriptor;
using google::protobuf::Message;
using google::protobuf::Reflection;

constexpr size_t kMaxValueBytes = 4096;

void AppendFields(const Message& message, size_t indent, std::string* out);

// "exited" for STATE_EXITED of enum State: what the other values share goes.
std::string WordOf(const EnumValueDescriptor& value) {
  const EnumValueDescriptor* zero = value.type()->FindValueByNumber(0);
  absl::string_view prefix = zero == nullptr ? "" : absl::string_view(zero->name());
  absl::ConsumeSuffix(&prefix, "UNSPECIFIED");
  absl::string_view word = value.name();
  absl::ConsumePrefix(&word, prefix);
  return absl::StrReplaceAll(absl::AsciiStrToLower(word), {{"_", " "}});
}

// Value `index` of a repeated field, or the value of a single one, where it is not a message.
std::string ScalarOf(const Message& message, const FieldDescriptor& field, int index) {
  const Reflection& reflection = *message.GetReflection();
  bool many = field.is_repeated();
  std::string scratch;
  switch (field.cpp_type()) {
    case FieldDescriptor::CPPTYPE_INT32:
      return absl::StrCat(many ? reflection.GetRepeatedInt32(message, &field, index)
                               : reflection.GetInt32(message, &field));
    case FieldDescriptor::CPPTYPE_INT64:
      return absl::StrCat(many ? reflection.GetRepeatedInt64(message, &field, index)
                               : reflection.GetInt64(message, &field));
    case FieldDescriptor::CPPTYPE_DOUBLE:
      return absl::StrCat(many ? reflection.GetRepeatedDouble(message, &field, index)
                               : reflection.GetDouble(message, &field));
    case FieldDescriptor::CPPTYPE_BOOL:
      return (many ? reflection.GetRepeatedBool(message, &field, index)
                   : reflection.GetBool(message, &field))
                 ? "yes"
                 : "no";
    case FieldDescriptor::CPPTYPE_ENUM:
      return WordOf(many ? *reflection.GetRepeatedEnum(message, &field, index)
                         : *reflection.GetEnum(message, &field));
    case FieldDescriptor::CPPTYPE_STRING: {
      const std::string& text =
          many ? reflection.GetRepeatedStringReference(message, &field, index, &scratch)
               : reflection.GetStringReference(message, &field, &scratch);
      return field.type() == FieldDescriptor::TYPE_BYTES
                 ? QuoteForDisplay(absl::string_view(text).substr(0, kMaxValueBytes))
                 : EscapeForMessage(text, kMaxValueBytes);
    }
    default:
      return "?";  // no proto of Shoal has another type
  }
}

// A time or a span as one word; empty for every other message.
std::string TimeOf(const Message& message) {
  if (message.GetDescriptor()->full_name() == "google.protobuf.Timestamp") {
    const auto& timestamp = static_cast<const google::protobuf::Timestamp&>(message);
    return absl::FormatTime("%Y-%m-%d %H:%M:%E3S %z", ToTime(true, timestamp),
                            absl::LocalTimeZone());
  }
  if (message.GetDescriptor()->full_name() == "google.protobuf.Duration") {
    return absl::FormatDuration(ToSpan(static_cast<const google::protobuf::Duration&>(message)));
  }
  return "";
}

void AppendMessage(absl::string_view name, const Message& message, size_t indent,
                   std::string* out) {
  std::string spaces(indent, ' ');
  if (std::string time = TimeOf(message); !time.empty()) {
    absl::StrAppend(out, spaces, name, ": ", time, "\n");
    return;
  }
  absl::StrAppend(out, spaces, name, ":\n");
  AppendFields(message, indent + 2, out);
}

// "key=value" of a map's entry.
std::string EntryOf(const Message& entry) {
  const google::protobuf::Descriptor& type = *entry.GetDescriptor();
  return absl::StrCat(ScalarOf(entry, *type.FindFieldByNumber(1), 0), "=",
                      ScalarOf(entry, *type.FindFieldByNumber(2), 0));
}

void AppendRepeated(const Message& message, const FieldDescriptor& field, size_t indent,
                    std::string* out) {
  const Reflection& reflection = *message.GetReflection();
  std::string line;
  for (int i = 0; i < reflection.FieldSize(message, &field); ++i) {
    if (field.is_map()) {
      absl::StrAppend(&line, " ", EntryOf(reflection.GetRepeatedMessage(message, &field, i)));
    } else if (field.cpp_type() == FieldDescriptor::CPPTYPE_MESSAGE) {
      AppendMessage(field.name(), reflection.GetRepeatedMessage(message, &field, i), indent, out);
    } else {
      bool words = field.cpp_type() == FieldDescriptor::CPPTYPE_ENUM;  // may have spaces
      absl::StrAppend(&line, words && !line.empty() ? ", " : " ", ScalarOf(message, field, i));
    }
  }
  if (!line.empty()) absl::StrAppend(out, std::string(indent, ' '), field.name(), ":", line, "\n");
}

void AppendFields(const Message& message, size_t indent, std::string* out) {
  const Reflection& reflection = *message.GetReflection();
  std::vector<const FieldDescriptor*> fields;
  reflection.ListFields(message, &fields);
  for (const FieldDescriptor* field : fields) {
    if (field->is_repeated()) {
      AppendRepeated(message, *field, indent, out);
    } else if (field->cpp_type() == FieldDescriptor::CPPTYPE_MESSAGE) {
      AppendMessage(field->name(), reflection.GetMessage(message, field), indent, out);
    } else {
      absl::StrAppend(out, std::string(indent, ' '), field->name(), ": ",
                      ScalarOf(message, *field, 0), "\n");
    }
  }
}

}  // namespace

std::string Details(const Message& message) {
  std::string out;
  AppendFields(message, 0, &out);
  return out;
}

}  // namespace shoal::cli
