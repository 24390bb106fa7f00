#include "client/cli/gather.h"

#include <algorithm>
#include <map>
#include <tuple>
#include <utility>

#include "absl/algorithm/container.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "client/cli/host_names.h"
#include "client/cli/table.h"
#include "common/escape.h"

namespace shoal::cli {
namespace {

constexpr size_t kLeastShare = size_t{4} << 10;

struct Group {
  std::vector<const RankAnswer*> members;
};

// FNV-1a: answers are compared with each other alone.
uint64_t Digest(uint64_t digest, absl::string_view bytes) {
  for (const char byte : bytes) digest = (digest ^ static_cast<uint8_t>(byte)) * 0x100000001B3u;
  return digest;
}

std::vector<Group> GroupByAnswer(const std::vector<RankAnswer>& answers) {
  std::vector<Group> groups;
  std::map<std::tuple<absl::string_view, int64_t, uint64_t, absl::string_view>, size_t> index;
  for (const RankAnswer& answer : answers) {
    auto [known, is_new] = index.try_emplace(
        {answer.text, answer.more_bytes, answer.digest_of_more, answer.end}, groups.size());
    if (is_new) groups.emplace_back();
    groups[known->second].members.push_back(&answer);
  }
  return groups;
}

// What is shown of an answer, line by line.
std::vector<std::string> LinesOf(const RankAnswer& answer, bool shows_controls) {
  std::vector<std::string> lines;
  if (!answer.text.empty()) {
    for (absl::string_view line : absl::StrSplit(absl::StripSuffix(answer.text, "\n"), '\n')) {
      lines.push_back(shows_controls ? ShowControls(absl::StripSuffix(line, "\r"))
                                     : std::string(line));
    }
  }
  if (answer.more_bytes > 0) {
    lines.push_back(absl::StrCat("[", answer.more_bytes, " bytes more]"));
  }
  if (!answer.end.empty()) {
    lines.push_back(absl::StrCat("[", answer.end, "]"));
  } else if (lines.empty()) {
    lines.emplace_back("[no output]");
  }
  return lines;
}

// The hosts or ranks that gave the answer of `group`; `ranks_of` counts the ranks of each host.
std::string LabelOf(const Group& group, const std::map<std::string, int>& ranks_of) {
  std::map<std::string, int> here;
  std::vector<std::string> hosts;
  std::vector<int> ranks;
  for (const RankAnswer* member : group.members) {
    ++here[member->host];
    hosts.push_back(member->host);
    ranks.push_back(member->rank);
  }
  bool whole_hosts = absl::c_all_of(
      here, [&](const auto& entry) { return entry.second == ranks_of.at(entry.first); });
  if (whole_hosts) return FoldNames(hosts);
  return absl::StrCat(ranks.size() == 1 ? "rank " : "ranks ", FoldRanks(ranks));
}

}  // namespace

GatheredAnswers::GatheredAnswers(int world)
    : share_(std::max(kLeastShare, kMostGatheredBytes / static_cast<size_t>(std::max(1, world)))),
      answers_(static_cast<size_t>(world)) {
  for (int rank = 0; rank < world; ++rank) answers_[static_cast<size_t>(rank)].rank = rank;
}

void GatheredAnswers::Add(int rank, absl::string_view bytes) {
  RankAnswer& answer = answers_[static_cast<size_t>(rank)];
  const absl::string_view kept = bytes.substr(0, share_ - answer.text.size());
  absl::StrAppend(&answer.text, kept);
  bytes.remove_prefix(kept.size());
  if (bytes.empty()) return;
  answer.more_bytes += static_cast<int64_t>(bytes.size());
  answer.digest_of_more = Digest(answer.digest_of_more, bytes);
}

void GatheredAnswers::SetEnd(int rank, std::string end) {
  answers_[static_cast<size_t>(rank)].end = std::move(end);
}

std::vector<RankAnswer> GatheredAnswers::Take() { return std::move(answers_); }

std::string RenderGathered(const std::vector<RankAnswer>& answers, bool shows_controls) {
  std::map<std::string, int> ranks_of;
  for (const RankAnswer& answer : answers) ++ranks_of[answer.host];
  std::vector<Group> groups = GroupByAnswer(answers);
  std::vector<std::string> labels;
  size_t width = 0;
  for (const Group& group : groups) {
    labels.push_back(LabelOf(group, ranks_of));
    width = std::max(width, DisplayWidth(labels.back()));
  }
  std::string out;
  for (size_t i = 0; i < groups.size(); ++i) {
    std::string label = labels[i];
    for (const std::string& line : LinesOf(*groups[i].members.front(), shows_controls)) {
      absl::StrAppend(&out, line.empty() ? label : absl::StrCat(Pad(label, width), "  ", line),
                      "\n");
      label.clear();
    }
  }
  return out;
}

}  // namespace shoal::cli
