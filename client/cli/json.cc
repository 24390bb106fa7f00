#include "client/cli/json.h"

#include <utility>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "client/cli/exit_status.h"
#include "client/cli/wording.h"
#include "common/utf8.h"
#include "google/protobuf/descriptor.h"
#include "nlohmann/json.hpp"

namespace shoal::cli {
namespace {

using google::protobuf::EnumValueDescriptor;
using google::protobuf::FieldDescriptor;
using google::protobuf::Message;
using google::protobuf::Reflection;
using Json = nlohmann::ordered_json;

Json ValueOf(const Message& message);

std::string Standard(absl::string_view text) { return std::string(text); }

void SetBytes(absl::string_view key, absl::string_view bytes, Json* object) {
  if (key == "sha256") {
    (*object)[Standard(key)] = absl::BytesToHexString(bytes);
  } else if (IsUtf8(bytes)) {
    (*object)[Standard(key)] = Standard(bytes);
  } else {
    (*object)[absl::StrCat(key, "_base64")] = absl::Base64Escape(bytes);
  }
}

// One of these that is no text makes base64 of all, so that a key has one meaning.
void SetAllBytes(absl::string_view key, const std::vector<std::string>& all, Json* object) {
  bool are_text = true;
  for (const std::string& bytes : all) are_text = are_text && IsUtf8(bytes);
  Json list = Json::array();
  for (const std::string& bytes : all) list.push_back(are_text ? bytes : absl::Base64Escape(bytes));
  (*object)[are_text ? Standard(key) : absl::StrCat(key, "_base64")] = std::move(list);
}

Json EnumOf(const EnumValueDescriptor& value) { return value.name(); }

// Value `index` of a repeated field, or the value of a single one. REQUIRES: neither bytes nor a map.
Json ScalarOf(const Message& message, const FieldDescriptor& field, int index) {
  const Reflection& reflection = *message.GetReflection();
  const bool many = field.is_repeated();
  std::string scratch;
  switch (field.cpp_type()) {
    case FieldDescriptor::CPPTYPE_INT32:
      return many ? reflection.GetRepeatedInt32(message, &field, index)
                  : reflection.GetInt32(message, &field);
    case FieldDescriptor::CPPTYPE_UINT32:
      return many ? reflection.GetRepeatedUInt32(message, &field, index)
                  : reflection.GetUInt32(message, &field);
    case FieldDescriptor::CPPTYPE_INT64:
      return many ? reflection.GetRepeatedInt64(message, &field, index)
                  : reflection.GetInt64(message, &field);
    case FieldDescriptor::CPPTYPE_UINT64:
      return many ? reflection.GetRepeatedUInt64(message, &field, index)
                  : reflection.GetUInt64(message, &field);
    case FieldDescriptor::CPPTYPE_DOUBLE:
      return many ? reflection.GetRepeatedDouble(message, &field, index)
                  : reflection.GetDouble(message, &field);
    case FieldDescriptor::CPPTYPE_FLOAT:
      return many ? reflection.GetRepeatedFloat(message, &field, index)
                  : reflection.GetFloat(message, &field);
    case FieldDescriptor::CPPTYPE_BOOL:
      return many ? reflection.GetRepeatedBool(message, &field, index)
                  : reflection.GetBool(message, &field);
    case FieldDescriptor::CPPTYPE_ENUM:
      return EnumOf(many ? *reflection.GetRepeatedEnum(message, &field, index)
                         : *reflection.GetEnum(message, &field));
    case FieldDescriptor::CPPTYPE_STRING:
      return many ? reflection.GetRepeatedStringReference(message, &field, index, &scratch)
                  : reflection.GetStringReference(message, &field, &scratch);
    case FieldDescriptor::CPPTYPE_MESSAGE:
      return ValueOf(many ? reflection.GetRepeatedMessage(message, &field, index)
                          : reflection.GetMessage(message, &field));
  }
  return nullptr;
}

Json MapOf(const Message& message, const FieldDescriptor& field) {
  const Reflection& reflection = *message.GetReflection();
  nlohmann::json sorted = nlohmann::json::object();  // a map has no order of its own
  for (int i = 0; i < reflection.FieldSize(message, &field); ++i) {
    const Message& entry = reflection.GetRepeatedMessage(message, &field, i);
    const google::protobuf::Descriptor& type = *entry.GetDescriptor();
    const Json key = ScalarOf(entry, *type.FindFieldByNumber(1), 0);
    sorted[key.is_string() ? key.get<std::string>() : key.dump()] =
        ScalarOf(entry, *type.FindFieldByNumber(2), 0);
  }
  return sorted;
}

void SetField(const Message& message, const FieldDescriptor& field, Json* object) {
  const Reflection& reflection = *message.GetReflection();
  const bool is_bytes = field.type() == FieldDescriptor::TYPE_BYTES;
  std::string scratch;
  if (field.is_map()) {
    (*object)[field.name()] = MapOf(message, field);
  } else if (field.is_repeated() && is_bytes) {
    std::vector<std::string> all;
    all.reserve(static_cast<size_t>(reflection.FieldSize(message, &field)));
    for (int i = 0; i < reflection.FieldSize(message, &field); ++i) {
      all.push_back(reflection.GetRepeatedStringReference(message, &field, i, &scratch));
    }
    SetAllBytes(field.name(), all, object);
  } else if (field.is_repeated()) {
    Json list = Json::array();
    for (int i = 0; i < reflection.FieldSize(message, &field); ++i) {
      list.push_back(ScalarOf(message, field, i));
    }
    (*object)[field.name()] = std::move(list);
  } else if (field.has_presence() && !reflection.HasField(message, &field)) {
    (*object)[field.name()] = nullptr;
  } else if (is_bytes) {
    SetBytes(field.name(), reflection.GetStringReference(message, &field, &scratch), object);
  } else {
    (*object)[field.name()] = ScalarOf(message, field, 0);
  }
}

void SetFields(const Message& message, Json* object) {
  const google::protobuf::Descriptor& type = *message.GetDescriptor();
  for (int i = 0; i < type.field_count(); ++i) SetField(message, *type.field(i), object);
}

Json ValueOf(const Message& message) {
  const std::string& type = message.GetDescriptor()->full_name();
  if (type == "google.protobuf.Timestamp") {
    const auto& timestamp = static_cast<const google::protobuf::Timestamp&>(message);
    return absl::FormatTime("%Y-%m-%dT%H:%M:%E*SZ", ToTime(true, timestamp), absl::UTCTimeZone());
  }
  if (type == "google.protobuf.Duration") {
    return absl::ToDoubleSeconds(ToSpan(static_cast<const google::protobuf::Duration&>(message)));
  }
  Json object = Json::object();
  SetFields(message, &object);
  return object;
}

}  // namespace

struct JsonLine::Members {
  Json object;
};

Subject SubjectOf(const v1::Process& process) {
  Subject subject{process.host(), process.id(), process.name()};
  if (process.has_rank()) subject.rank = process.rank();
  return subject;
}

JsonLine::JsonLine(absl::string_view kind) : members_(std::make_unique<Members>()) {
  members_->object["kind"] = Standard(kind);
}

JsonLine::~JsonLine() = default;
JsonLine::JsonLine(JsonLine&&) noexcept = default;

JsonLine& JsonLine::About(const Subject& subject) {
  TextOrNull("host", subject.host).TextOrNull("id", subject.id).TextOrNull("name", subject.name);
  return subject.rank.has_value() ? Number("rank", *subject.rank) : Null("rank");
}

JsonLine& JsonLine::Text(absl::string_view key, absl::string_view bytes) {
  SetBytes(key, bytes, &members_->object);
  return *this;
}

JsonLine& JsonLine::TextOrNull(absl::string_view key, absl::string_view bytes) {
  return bytes.empty() ? Null(key) : Text(key, bytes);
}

JsonLine& JsonLine::Number(absl::string_view key, int64_t number) {
  members_->object[Standard(key)] = number;
  return *this;
}

JsonLine& JsonLine::Numbers(absl::string_view key, const std::vector<int>& numbers) {
  members_->object[Standard(key)] = numbers;
  return *this;
}

JsonLine& JsonLine::Texts(absl::string_view key, const std::vector<std::string>& texts) {
  members_->object[Standard(key)] = texts;
  return *this;
}

JsonLine& JsonLine::Seconds(absl::string_view key, double seconds) {
  members_->object[Standard(key)] = seconds;
  return *this;
}

JsonLine& JsonLine::Flag(absl::string_view key, bool flag) {
  members_->object[Standard(key)] = flag;
  return *this;
}

JsonLine& JsonLine::Null(absl::string_view key) {
  members_->object[Standard(key)] = nullptr;
  return *this;
}

JsonLine& JsonLine::Fields(const Message& message) {
  SetFields(message, &members_->object);
  return *this;
}

JsonLine& JsonLine::Object(absl::string_view key, const Message* message) {
  if (message == nullptr) return Null(key);
  members_->object[Standard(key)] = ValueOf(*message);
  return *this;
}

std::string JsonLine::ToString() const {
  return absl::StrCat(members_->object.dump(-1, ' ', false, Json::error_handler_t::replace), "\n");
}

std::string ProcessLine(const v1::Process& process, absl::string_view story) {
  JsonLine line("process");
  line.About(SubjectOf(process)).Fields(process);
  if (!story.empty()) line.Text("story", story);
  return line.ToString();
}

std::string HostLine(absl::string_view called, const v1::Host& host) {
  return JsonLine("host").Text("host", called).Fields(host).ToString();
}

std::string CheckLine(absl::string_view host, const v1::Check& check) {
  return JsonLine("check").Text("host", host).Fields(check).ToString();
}

std::string PromiseLine(absl::string_view host, const Promise& promise) {
  return JsonLine("promise")
      .Text("host", host)
      .Text("name", promise.name)
      .Text("result", v1::Check::Result_Name(promise.result))
      .Text("because", promise.because)
      .ToString();
}

std::string ErrorLine(const Subject& subject, const absl::Status& status, int exit_status,
                      const v1::StartFailure* start_failure) {
  return JsonLine("error")
      .About(subject)
      .Text("code", absl::StatusCodeToString(status.code()))
      .Text("message", ToSentence(status))
      .Number("exit_status", exit_status)
      .Object("start_failure", start_failure)
      .ToString();
}

}  // namespace shoal::cli
