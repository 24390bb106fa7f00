// Output of two ranks in chunks of any length: every byte comes out, in whole lines.
#include <map>
#include <string>

#include "absl/strings/match.h"
#include "absl/strings/str_replace.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "client/shoal/line_tagger.h"
#include "tests/fuzz/fuzz.h"

namespace {

constexpr size_t kMaxLine = 16;
constexpr char kMark[] = "\x01";  // not in what is put in

}  // namespace

// A chunk is a byte for its rank and its length, and as many bytes as there are.
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace shoal;
  LineTagger tagger({.tag = true, .max_line_bytes = kMaxLine, .continuation_mark = kMark},
                    [](int rank, v1::StreamKind) { return rank == 0 ? "0>" : "1>"; });
  std::map<char, std::string> in, out;
  std::string lines;
  for (size_t at = 0; at < size;) {
    int rank = data[at] & 1;
    size_t length = std::min<size_t>(data[at] >> 1, size - at - 1);
    std::string chunk(fuzz::ToText(data + at + 1, length));
    for (char& c : chunk) c = c == kMark[0] ? '.' : c;
    in[static_cast<char>('0' + rank)] += chunk;
    tagger.Append(rank, v1::STREAM_KIND_STDOUT, chunk, &lines);
    at += 1 + length;
  }
  tagger.FlushAll(&lines);
  fuzz::Require(lines.empty() || lines.back() == '\n', "only whole lines are given out");
  absl::string_view rest = lines;
  while (!rest.empty()) {
    size_t end = rest.find('\n');
    absl::string_view line = rest.substr(0, end);
    rest.remove_prefix(end + 1);
    fuzz::Require(line.size() >= 2 && line[1] == '>', "each line has its tag");
    char rank = line[0];
    line.remove_prefix(2);
    bool goes_on = absl::ConsumeSuffix(&line, kMark);
    absl::ConsumePrefix(&line, kMark);
    const size_t end_bytes = absl::EndsWith(line, "\r") ? 1 : 0;
    fuzz::Require(line.size() <= kMaxLine + end_bytes, "no line is longer than allowed");
    out[rank].append(line.data(), line.size());
    if (!goes_on) out[rank] += '\n';
  }
  for (auto& [rank, bytes] : in) {
    // A line that is written anew is a line of its own.
    bytes = absl::StrReplaceAll(bytes, {{"\r\n", "\r\n"}, {"\r", "\r\n"}});
    if (!bytes.empty() && bytes.back() != '\n') bytes += '\n';
    fuzz::Require(out[rank] == bytes, "every byte comes out, in order");
  }
  return 0;
}
