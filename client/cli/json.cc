#include "client/cli/json.h"

#include "absl/strings/str_cat.h"
#include "common/escape.h"
#include "google/protobuf/struct.pb.h"
#include "google/protobuf/util/json_util.h"

namespace shoal::cli {
namespace {

std::string ToJson(const google::protobuf::Message& message) {
  google::protobuf::util::JsonPrintOptions options;
  options.preserve_proto_field_names = true;
  std::string json;
  // Fails for Any with an unknown type and for times out of range only; the protos have no Any, and
  // what was printed until then is dropped.
  auto status = google::protobuf::util::MessageToJsonString(message, &json, options);
  return status.ok() ? json : "{}";
}

}  // namespace

std::string JsonLine(const google::protobuf::Message& message) {
  return absl::StrCat(ToJson(message), "\n");
}

std::string JsonLineFrom(absl::string_view host, const google::protobuf::Message& message) {
  std::string json = ToJson(message);
  bool no_members = json == "{}";
  return absl::StrCat("{\"host\":", JsonQuote(host), no_members ? "" : ",", json.substr(1), "\n");
}

std::string JsonQuote(absl::string_view text) {
  google::protobuf::Value value;
  value.set_string_value(EscapeForMessage(text, text.size()));
  return ToJson(value);
}

}  // namespace shoal::cli
