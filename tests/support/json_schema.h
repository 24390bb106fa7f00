// Whether JSON is as a JSON Schema says, as far as client/cli/schema.json uses the language: a keyword that is not known
// here is an error, so that nothing passes unchecked.
//
// Thread-safety: thread-safe.
#ifndef SHOAL_TESTS_SUPPORT_JSON_SCHEMA_H_
#define SHOAL_TESTS_SUPPORT_JSON_SCHEMA_H_

#include <set>
#include <string>

#include "absl/strings/str_cat.h"
#include "nlohmann/json.hpp"

namespace shoal::testing {

class JsonSchema {
 public:
  explicit JsonSchema(nlohmann::json schema) : root_(std::move(schema)) {}

  // What is wrong with `value`, by the path to it; empty: nothing.
  std::string Check(const nlohmann::json& value) const { return Check(value, root_, "$"); }

 private:
  using Json = nlohmann::json;

  static bool HasType(const Json& value, const std::string& type) {
    if (type == "null") return value.is_null();
    if (type == "boolean") return value.is_boolean();
    if (type == "integer") return value.is_number_integer();
    if (type == "number") return value.is_number();
    if (type == "string") return value.is_string();
    if (type == "array") return value.is_array();
    return type == "object" && value.is_object();
  }

  std::string Check(const Json& value, const Json& schema, const std::string& path) const {
    for (const auto& [keyword, rule] : schema.items()) {
      std::string wrong = CheckKeyword(value, schema, keyword, rule, path);
      if (!wrong.empty()) return wrong;
    }
    return "";
  }

  std::string CheckKeyword(const Json& value, const Json& schema, const std::string& keyword,
                           const Json& rule, const std::string& path) const {
    static const std::set<std::string> kAbout = {"$schema", "$defs", "title", "description"};
    if (kAbout.count(keyword) > 0) return "";
    if (keyword == "$ref") {
      return Check(value, root_.at(Json::json_pointer(rule.get<std::string>().substr(1))), path);
    }
    if (keyword == "type") {
      bool fits = false;
      for (const Json& type : rule.is_array() ? rule : Json::array({rule})) {
        fits = fits || HasType(value, type);
      }
      return fits ? "" : absl::StrCat(path, " is ", value.dump(), ", not ", rule.dump());
    }
    if (keyword == "const") return value == rule ? "" : absl::StrCat(path, " is not ", rule.dump());
    if (keyword == "enum") {
      for (const Json& one : rule) {
        if (one == value) return "";
      }
      return absl::StrCat(path, " is ", value.dump(), ", none of ", rule.dump());
    }
    if (keyword == "oneOf" || keyword == "anyOf") return CheckChoice(value, rule, path);
    if (keyword == "required") return value.is_object() ? CheckRequired(value, rule, path) : "";
    if (keyword == "properties" || keyword == "additionalProperties") {
      return value.is_object() ? CheckMembers(value, schema, path) : "";
    }
    if (keyword == "items") {
      for (size_t i = 0; value.is_array() && i < value.size(); ++i) {
        std::string wrong = Check(value[i], rule, absl::StrCat(path, "[", i, "]"));
        if (!wrong.empty()) return wrong;
      }
      return "";
    }
    return absl::StrCat("the schema has a keyword that is not known: ", keyword);
  }

  std::string CheckChoice(const Json& value, const Json& choices, const std::string& path) const {
    std::string all;
    for (const Json& choice : choices) {
      const std::string wrong = Check(value, choice, path);
      if (wrong.empty()) return "";
      absl::StrAppend(&all, all.empty() ? "" : "; ", wrong);
    }
    return absl::StrCat(path, " fits no choice: ", all);
  }

  static std::string CheckRequired(const Json& value, const Json& rule, const std::string& path) {
    for (const Json& key : rule) {
      if (!value.contains(key)) return absl::StrCat(path, " lacks ", key.dump());
    }
    return "";
  }

  std::string CheckMembers(const Json& value, const Json& schema, const std::string& path) const {
    const Json known = schema.value("properties", Json::object());
    const Json rest = schema.value("additionalProperties", Json(true));
    for (const auto& [key, member] : value.items()) {
      const std::string place = absl::StrCat(path, ".", key);
      std::string wrong;
      if (known.contains(key)) {
        wrong = Check(member, known[key], place);
      } else if (rest.is_object()) {
        wrong = Check(member, rest, place);
      } else if (!rest) {
        wrong = absl::StrCat(place, " is not in the schema");
      }
      if (!wrong.empty()) return wrong;
    }
    return "";
  }

  const Json root_;
};

}  // namespace shoal::testing

#endif  // SHOAL_TESTS_SUPPORT_JSON_SCHEMA_H_
