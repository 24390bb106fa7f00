// client/cli/schema.json tells what the lines of -o json are: it is made here, of the protos and of what the command line
// adds to them.
#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <fstream>
#include <iterator>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "google/protobuf/descriptor.h"
#include "google/protobuf/descriptor.pb.h"
#include "nlohmann/json.hpp"
#include "shoal/v1/host_service.pb.h"
#include "shoal/v1/process_service.pb.h"

namespace shoal::cli {
namespace {

using google::protobuf::Descriptor;
using google::protobuf::FieldDescriptor;
using Json = nlohmann::ordered_json;

// Adds what `type` refers to.
class Definitions {
 public:
  Json TypeOf(const FieldDescriptor& field) {
    Json type = ValueType(field);
    if (field.is_map()) return {{"type", "object"}, {"additionalProperties", {{"type", "string"}}}};
    if (field.is_repeated()) return {{"type", "array"}, {"items", type}};
    if (!field.has_presence()) return type;
    if (!type.contains("type")) return {{"anyOf", {{{"type", "null"}}, type}}};
    type["type"] = {type["type"], "null"};
    return type;
  }

  // `more` are members that the command line adds; those of the message follow.
  Json ObjectOf(const Descriptor& type, Json properties) {
    Json required = Json::array();
    for (const auto& [key, member] : properties.items()) required.push_back(key);
    for (int i = 0; i < type.field_count(); ++i) {
      const FieldDescriptor& field = *type.field(i);
      if (!properties.contains(field.name())) properties[field.name()] = TypeOf(field);
      const bool may_be_binary =
          field.type() == FieldDescriptor::TYPE_BYTES && field.name() != "sha256";
      if (may_be_binary) {
        properties[absl::StrCat(field.name(), "_base64")] = TypeOf(field);
      } else if (std::find(required.begin(), required.end(), field.name()) == required.end()) {
        required.push_back(field.name());
      }
    }
    return {{"type", "object"},
            {"properties", properties},
            {"required", required},
            {"additionalProperties", false}};
  }

  Json all = Json::object();

 private:
  Json ValueType(const FieldDescriptor& field) {
    switch (field.cpp_type()) {
      case FieldDescriptor::CPPTYPE_BOOL:
        return {{"type", "boolean"}};
      case FieldDescriptor::CPPTYPE_DOUBLE:
      case FieldDescriptor::CPPTYPE_FLOAT:
        return {{"type", "number"}};
      case FieldDescriptor::CPPTYPE_STRING:
        return {{"type", "string"}};
      case FieldDescriptor::CPPTYPE_ENUM: {
        Json names = Json::array();
        for (int i = 0; i < field.enum_type()->value_count(); ++i) {
          names.push_back(field.enum_type()->value(i)->name());
        }
        all[field.enum_type()->name()] = {{"enum", names}};
        return {{"$ref", absl::StrCat("#/$defs/", field.enum_type()->name())}};
      }
      case FieldDescriptor::CPPTYPE_MESSAGE:
        return MessageType(*field.message_type());
      default:
        return {{"type", "integer"}};
    }
  }

  Json MessageType(const Descriptor& type) {
    if (type.options().map_entry()) return Json::object();
    if (type.full_name() == "google.protobuf.Timestamp") {
      return {{"type", "string"}, {"description", "RFC 3339"}};
    }
    if (type.full_name() == "google.protobuf.Duration") {
      return {{"type", "number"}, {"description", "seconds"}};
    }
    if (!all.contains(type.name())) all[type.name()] = ObjectOf(type, Json::object());
    return {{"$ref", absl::StrCat("#/$defs/", type.name())}};
  }
};

Json Plain(const char* type) { return {{"type", type}}; }
Json OrNull(const char* type) { return {{"type", {type, "null"}}}; }

Json Object(const Json& properties, const std::vector<std::string>& optional = {}) {
  Json required = Json::array();
  for (const auto& [key, member] : properties.items()) {
    if (std::find(optional.begin(), optional.end(), key) == optional.end()) required.push_back(key);
  }
  return {{"type", "object"},
          {"properties", properties},
          {"required", required},
          {"additionalProperties", false}};
}

// Kind, and host, id, name and rank where it has them.
Json Head(const char* kind, const char* id_type) {
  Json id = std::string(id_type) == "string" ? Plain("string") : OrNull("string");
  return {{"kind", {{"const", kind}}},
          {"host", OrNull("string")},
          {"id", id},
          {"name", OrNull("string")},
          {"rank", OrNull("integer")}};
}

Json With(Json head, const Json& more) {
  for (const auto& [key, member] : more.items()) head[key] = member;
  return head;
}

// What `run` says at its end.
Json Summary() {
  const Json integers = {{"type", "array"}, {"items", Plain("integer")}};
  const Json texts = {{"type", "array"}, {"items", Plain("string")}};
  return Object({{"kind", {{"const", "summary"}}},
                 {"world_size", Plain("integer")},
                 {"succeeded", Plain("integer")},
                 {"failed", Plain("integer")},
                 {"failed_to_start", Plain("integer")},
                 {"unknown", Plain("integer")},
                 {"ended_by_us", Plain("integer")},
                 {"ended_before_start", Plain("integer")},
                 {"elapsed", Plain("number")},
                 {"halted", Plain("boolean")},
                 {"interrupted", Plain("boolean")},
                 {"detached", Plain("boolean")},
                 {"failed_ranks", integers},
                 {"survivor_ids", texts},
                 {"unproven_hosts", texts},
                 {"exit_status", Plain("integer")},
                 {"first_failed_rank", OrNull("integer")},
                 {"reason", OrNull("string")}});
}

// What `logs` and `run` show of output, into `kinds`.
void AddFrames(Definitions& definitions, Json* kinds) {
  const Json stream =
      definitions.TypeOf(*v1::ReadOutputResponse::descriptor()->FindFieldByName("stream"));
  const Json reason = definitions.TypeOf(*v1::Gap::descriptor()->FindFieldByName("reason"));
  // With --timestamps.
  const Json time =
      definitions.TypeOf(*v1::ReadOutputResponse::descriptor()->FindFieldByName("time"));
  const auto frame = [&](const char* kind, const Json& more) {
    Json head = Head(kind, "string");
    head["stream"] = stream;
    head["offset"] = Plain("integer");
    return With(head, more);
  };
  (*kinds)["output"] =
      Object(frame("output",
                   {{"time", time}, {"data", Plain("string")}, {"data_base64", Plain("string")}}),
             {"time", "data", "data_base64"});
  (*kinds)["gap"] = Object(frame("gap", {{"time", time},
                                         {"from", Plain("integer")},
                                         {"to", Plain("integer")},
                                         {"reason", reason}}),
                           {"time"});
  (*kinds)["end"] = Object(frame("end", {{"truncated", Plain("boolean")}}));
}

Json MakeSchema() {
  Definitions definitions;
  Json kinds = Json::object();
  kinds["process"] = definitions.ObjectOf(*v1::Process::descriptor(), Head("process", "string"));
  kinds["process"]["properties"]["story"] = Plain("string");
  kinds["host"] = definitions.ObjectOf(*v1::Host::descriptor(),
                                       {{"kind", {{"const", "host"}}}, {"host", Plain("string")}});
  kinds["check"] = definitions.ObjectOf(
      *v1::Check::descriptor(), {{"kind", {{"const", "check"}}}, {"host", Plain("string")}});
  kinds["promise"] =
      Object({{"kind", {{"const", "promise"}}},
              {"host", Plain("string")},
              {"name", Plain("string")},
              {"result", definitions.TypeOf(*v1::Check::descriptor()->FindFieldByName("result"))},
              {"because", Plain("string")}});
  const Json failure =
      definitions.TypeOf(*v1::RequestError::descriptor()->FindFieldByName("start_failure"));
  AddFrames(definitions, &kinds);
  kinds["deleted"] = Object(With(Head("deleted", "string"), {{"revision", Plain("integer")}}));
  kinds["synced"] = Object(
      {{"kind", {{"const", "synced"}}}, {"host", Plain("string")}, {"revision", Plain("integer")}});
  kinds["error"] = Object(With(Head("error", "null"), {{"code", Plain("string")},
                                                       {"message", Plain("string")},
                                                       {"exit_status", Plain("integer")},
                                                       {"start_failure", failure}}));
  kinds["summary"] = Summary();
  Json choices = Json::array();
  for (const auto& [kind, type] : kinds.items()) {
    definitions.all[absl::StrCat("kind_", kind)] = type;
    choices.push_back({{"$ref", absl::StrCat("#/$defs/kind_", kind)}});
  }
  return {
      {"$schema", "https://json-schema.org/draft/2020-12/schema"},
      {"title", "A line of shoal -o json"},
      {"description",
       "One object a line, told apart by kind. Bytes that are no UTF-8 are in base64 under the key "
       "with _base64 behind it, instead of the key."},
      {"oneOf", choices},
      {"$defs", definitions.all}};
}

TEST(Schema, IsThatOfTheProtosAndOfWhatIsAddedToThem) {
  std::ifstream file(SHOAL_JSON_SCHEMA);
  const std::string stored((std::istreambuf_iterator<char>(file)), {});
  const std::string made = absl::StrCat(MakeSchema().dump(2), "\n");
  if (made == stored) return;
  const std::string path = absl::StrCat("/tmp/shoal-schema-", getuid(), ".json");
  std::ofstream(path) << made;
  FAIL() << SHOAL_JSON_SCHEMA << " is of another time; what it is to be is in " << path;
}

}  // namespace
}  // namespace shoal::cli
