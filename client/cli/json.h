// The lines of -o json: one object each, of which schema.json beside this file tells every member.
//
// The field names are those of the protos. Every field is there: without a value it is zero, empty or null. Text is
// text, and where bytes are no UTF-8 they stand in base64 under the key with "_base64" behind it; a SHA-256 is in
// hexadecimal. Numbers are numbers, spans of time numbers of seconds, points of time RFC 3339 in UTC, values of enums
// their names. `kind` is first.
//
// Ownership:     a value.
// Thread-safety: as a plain value.
// Blocking:      never blocks.
// Errors:        none: what is no UTF-8 where the protos demand it is replaced.
#ifndef SHOAL_CLIENT_CLI_JSON_H_
#define SHOAL_CLIENT_CLI_JSON_H_

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "client/cli/promises.h"
#include "google/protobuf/message.h"
#include "shoal/v1/host_service.pb.h"
#include "shoal/v1/process.pb.h"

namespace shoal::cli {

// What a line is about; empty and absent: it is about no host, or no process.
struct Subject {
  std::string host;
  std::string id;
  std::string name;
  std::optional<int> rank = std::nullopt;
};
Subject SubjectOf(const v1::Process& process);

// Makes one line, member by member; a member that is there already is replaced in its place.
class JsonLine {
 public:
  explicit JsonLine(absl::string_view kind);
  ~JsonLine();
  JsonLine(JsonLine&&) noexcept;

  // host, id, name and rank.
  JsonLine& About(const Subject& subject);
  JsonLine& Text(absl::string_view key, absl::string_view bytes);
  JsonLine& TextOrNull(absl::string_view key, absl::string_view bytes);  // null: it is empty
  JsonLine& Number(absl::string_view key, int64_t number);
  JsonLine& Numbers(absl::string_view key, const std::vector<int>& numbers);
  JsonLine& Texts(absl::string_view key, const std::vector<std::string>& texts);
  JsonLine& Seconds(absl::string_view key, double seconds);
  JsonLine& Flag(absl::string_view key, bool flag);
  JsonLine& Null(absl::string_view key);
  // Every field of `message` as a member of its own.
  JsonLine& Fields(const google::protobuf::Message& message);
  // `message` as one member; null: there is none.
  JsonLine& Object(absl::string_view key, const google::protobuf::Message* message);

  // With its newline.
  std::string ToString() const;

 private:
  struct Members;
  std::unique_ptr<Members> members_;
};

// The lines of kind "process", "host", "check", "promise" and "error". An error has the status code's name, the sentence that is
// told of it, and the exit status that goes with it. `story`: what `why` tells of it, null without.
std::string ProcessLine(const v1::Process& process, absl::string_view story = "");
std::string HostLine(absl::string_view called, const v1::Host& host);
std::string CheckLine(absl::string_view host, const v1::Check& check);
std::string PromiseLine(absl::string_view host, const Promise& promise);
std::string ErrorLine(const Subject& subject, const absl::Status& status, int exit_status,
                      const v1::StartFailure* start_failure = nullptr);

}  // namespace shoal::cli

#endif  // SHOAL_CLIENT_CLI_JSON_H_
