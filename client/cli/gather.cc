#include "client/cli/gather.h"

#include <algorithm>
#include <map>

#include "absl/algorithm/container.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "client/cli/host_names.h"
#include "client/cli/table.h"
#include "common/escape.h"

namespace shoal::cli {
namespace {

struct Group {
  std::string text;
  std::vector<const RankAnswer*> members;
};

std::vector<Group> GroupByText(const std::vector<RankAnswer>& answers) {
  std::vector<Group> groups;
  std::map<absl::string_view, size_t> index;
  for (const RankAnswer& answer : answers) {
    auto [known, is_new] = index.emplace(answer.text, groups.size());
    if (is_new) groups.push_back({answer.text, {}});
    groups[known->second].members.push_back(&answer);
  }
  return groups;
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

std::string RenderGathered(const std::vector<RankAnswer>& answers, bool shows_controls) {
  std::map<std::string, int> ranks_of;
  for (const RankAnswer& answer : answers) ++ranks_of[answer.host];
  std::vector<Group> groups = GroupByText(answers);
  std::vector<std::string> labels;
  size_t width = 0;
  for (const Group& group : groups) {
    labels.push_back(LabelOf(group, ranks_of));
    width = std::max(width, DisplayWidth(labels.back()));
  }
  std::string out;
  for (size_t i = 0; i < groups.size(); ++i) {
    std::string label = labels[i];
    for (absl::string_view line : absl::StrSplit(absl::StripSuffix(groups[i].text, "\n"), '\n')) {
      const std::string shown =
          shows_controls ? ShowControls(absl::StripSuffix(line, "\r")) : std::string(line);
      absl::StrAppend(&out, line.empty() ? label : absl::StrCat(Pad(label, width), "  ", shown),
                      "\n");
      label.clear();
    }
  }
  return out;
}

}  // namespace shoal::cli
