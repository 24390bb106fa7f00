// What people write on a command line and into their configuration.
#include <string>

#include "client/cli/config.h"
#include "client/cli/tag_template.h"
#include "client/cli/units.h"
#include "client/shoal/halt_rule.h"
#include "common/span.h"
#include "tests/fuzz/fuzz.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace shoal;
  if (size == 0) return 0;
  absl::string_view text = fuzz::ToText(data + 1, size - 1);
  absl::Status told;
  switch (data[0] % 4) {
    case 0: {
      auto span = ParseSpan(text);
      if (span.ok()) fuzz::Require(*span >= absl::ZeroDuration(), "a span is not negative");
      told = span.status();
      break;
    }
    case 1: {
      auto rule = ParseHaltRule(text);
      if (rule.ok()) {
        auto again = ParseHaltRule(rule->ToString());
        fuzz::Require(again.ok() && again->ToString() == rule->ToString(), "a rule can be written");
      }
      told = rule.status();
      break;
    }
    case 2: {
      auto tag = cli::TagTemplate::Parse(text);
      if (tag.ok())
        tag->Render({.rank = 7, .local_rank = 1, .host = "ant", .stream = "stdout"}, {});
      told = tag.status();
      break;
    }
    default: {
      auto file = ParseToml(text, "config.toml");
      told = file.ok() ? cli::MakeConfig(*file).status() : file.status();
    }
  }
  fuzz::RequireReadable(told);
  return 0;
}
