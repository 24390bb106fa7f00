#include "client/cli/log_printer.h"

#include <optional>

#include "absl/strings/str_cat.h"
#include "client/cli/standard_output.h"
#include "client/cli/wording.h"
#include "common/escape.h"
#include "common/ids.h"

namespace shoal::cli {
namespace {

constexpr char kNoTime[] = "-                        ";  // as wide as a time

}  // namespace

LogPrinter::LogPrinter(LogLook look, const Invocation& invocation)
    : look_(look),
      invocation_(invocation),
      tagger_({.shows_controls = look.raw ? nullptr : IsTerminal},
              [this](int number, v1::StreamKind) { return tags_[static_cast<size_t>(number)]; }) {}

void LogPrinter::Learn(const std::string& host, const v1::Process& process) {
  auto [entry, is_new] = known_.try_emplace(process.id());
  if (!is_new) return;
  Known& known = entry->second;
  known.number = static_cast<int>(tags_.size());
  known.subject = SubjectOf(process);
  known.subject.host = host;
  std::string name = process.name();
  if (name.empty()) name = process.id().substr(0, kShortIdLength);
  known.subject.name = name;
  if (look_.several_hosts) name = absl::StrCat(host, "/", name);
  tags_.push_back(look_.tagged ? absl::StrCat(EscapeForMessage(name, name.size()), " │ ") : "");
}

int64_t LogPrinter::PositionOf(const std::string& id, v1::StreamKind stream) const {
  const auto at = positions_.find({id, stream});
  return at == positions_.end() ? -1 : at->second;
}

void LogPrinter::Write(v1::StreamKind stream, absl::string_view bytes) {
  static_cast<void>(stream == v1::STREAM_KIND_STDERR ? ForwardError(bytes) : WriteOutput(bytes));
}

void LogPrinter::Print(const v1::ReadOutputResponse& frame) {
  const Known& known = known_.at(frame.id());
  const StreamKey key = {frame.id(), frame.stream()};
  const int64_t had = PositionOf(frame.id(), frame.stream());
  int64_t position = frame.offset();
  if (frame.has_data()) position += static_cast<int64_t>(frame.data().size());
  if (frame.has_gap()) position = frame.gap().to();
  // What two selectors are about comes by both.
  if (frame.has_end() ? !over_.insert(key).second : position <= had) return;
  positions_[key] = position;
  if (look_.timestamps && !frame.has_end()) Stamp(known, frame);
  if (invocation_.json()) return PrintJson(known, frame);
  if (frame.has_data()) PrintData(known, frame);
  if (frame.has_gap()) PrintGap(known, frame);
  if (frame.has_end()) PrintEnd(known, frame);
}

void LogPrinter::Stamp(const Known& known, const v1::ReadOutputResponse& frame) {
  const std::string& host = known.subject.host;
  if (!frame.has_time() && timeless_.insert(host).second) {
    invocation_.Note(absl::StrCat(host, ": its agent does not tell when this was printed."));
  }
  if (invocation_.json()) {
    return frames_.Stamp(frame.has_time() ? std::make_optional(frame.time()) : std::nullopt);
  }
  tagger_.Stamp(known.number, frame.stream(),
                frame.has_time() ? absl::FormatTime("%Y-%m-%dT%H:%M:%E3SZ ",
                                                    ToTime(true, frame.time()), absl::UTCTimeZone())
                                 : kNoTime);
}

void LogPrinter::PrintJson(const Known& known, const v1::ReadOutputResponse& frame) {
  std::string lines;
  if (frame.has_data()) {
    frames_.Data(known.subject, frame.stream(), frame.offset(), frame.data(), &lines);
  } else if (frame.has_gap()) {
    frames_.Gap(known.subject, frame.stream(), frame.gap(), &lines);
  } else if (frame.has_end()) {
    frames_.End(known.subject, frame.stream(), frame.offset(), frame.end().truncated(), &lines);
  }
  cli::Print(lines);
}

void LogPrinter::PrintData(const Known& known, const v1::ReadOutputResponse& frame) {
  if (!IsByLine()) {
    return look_.whole_lines
               ? Write(frame.stream(), hold_.Take(frame.id(), frame.stream(), frame.data()))
               : Write(frame.stream(), frame.data());
  }
  std::string lines;
  tagger_.Append(known.number, frame.stream(), frame.data(), &lines);
  Write(frame.stream(), lines);
}

void LogPrinter::PrintGap(const Known& known, const v1::ReadOutputResponse& frame) {
  const std::string gap = DescribeGap(frame.stream(), frame.gap());
  if (!IsByLine()) {
    Write(frame.stream(), hold_.TakeRest(frame.id(), frame.stream()));
    return invocation_.TellLoss(absl::StrCat(known.subject.name, ": ", gap, "."));
  }
  std::string lines;
  tagger_.Insert(known.number, frame.stream(), absl::StrCat("[", gap, "]"), &lines);
  Write(frame.stream(), lines);
}

void LogPrinter::PrintEnd(const Known& known, const v1::ReadOutputResponse& frame) {
  std::string lines = hold_.TakeRest(frame.id(), frame.stream());
  tagger_.Flush(known.number, frame.stream(), &lines);
  Write(frame.stream(), lines);
  if (!frame.end().truncated()) return;
  invocation_.TellLoss(absl::StrCat(known.subject.name, ": its shim was lost; what of ",
                                    NameOfStream(frame.stream()),
                                    " it had not moved by then is missing."));
}

void LogPrinter::Tick() {
  for (v1::StreamKind stream : {v1::STREAM_KIND_STDOUT, v1::STREAM_KIND_STDERR}) {
    std::string lines;
    tagger_.Tick(stream, &lines);
    Write(stream, lines);
  }
}

void LogPrinter::Finish() {
  for (const auto& [id, known] : known_) {
    for (v1::StreamKind stream : {v1::STREAM_KIND_STDOUT, v1::STREAM_KIND_STDERR}) {
      std::string lines = hold_.TakeRest(id, stream);
      tagger_.Flush(known.number, stream, &lines);
      if (invocation_.json()) frames_.Flush(known.subject, stream, &lines);
      Write(invocation_.json() ? v1::STREAM_KIND_STDOUT : stream, lines);
    }
  }
}

void LogPrinter::TellPlaces(const std::string& host) const {
  for (const auto& [key, position] : positions_) {
    const Subject& subject = known_.at(key.first).subject;
    if (over_.count(key) > 0 || subject.host != host) continue;
    invocation_.Note(absl::StrCat(NameOfStream(key.second), " of ", subject.name, " goes on at ",
                                  host, "/", key.first, ":", position));
  }
}

}  // namespace shoal::cli
