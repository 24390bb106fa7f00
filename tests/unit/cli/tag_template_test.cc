#include "client/cli/tag_template.h"

#include "gtest/gtest.h"

namespace shoal::cli {
namespace {

TEST(TagTemplate, DefaultHasTheHostOnlyWhereThereAreSeveral) {
  EXPECT_EQ(TagTemplate::Default(true).Render({3, 1, "node1", "stdout"}, {2, 1, 6}),
            " 3 node1  │ ");
  EXPECT_EQ(TagTemplate::Default(false).Render({3, 1, "node1", "stdout"}, {1, 1, 6}), "3 │ ");
}

TEST(TagTemplate, FillsInEveryField) {
  absl::StatusOr<TagTemplate> tag = TagTemplate::Parse("[{host}:{local_rank}/{rank} {stream}]\\t");
  ASSERT_TRUE(tag.ok()) << tag.status();
  EXPECT_EQ(tag->Render({12, 4, "ant", "stderr"}, {}), "[ant:4/12 stderr]\t");
}

TEST(TagTemplate, RefusesAFieldThatDoesNotExistAndNamesThoseThatDo) {
  absl::StatusOr<TagTemplate> tag = TagTemplate::Parse("{foo}");
  EXPECT_EQ(tag.status(),
            absl::InvalidArgumentError(
                "--tag: there is no {foo}; known are {rank}, {local_rank}, {host} and "
                "{stream}"));
}

TEST(TagTemplate, AFieldThatDoesNotEndIsAnError) {
  for (const char* text : {"{rank", "{rank} {host", "{"}) {
    EXPECT_EQ(TagTemplate::Parse(text).status().code(), absl::StatusCode::kInvalidArgument) << text;
  }
  EXPECT_EQ(TagTemplate::Parse("{rank").status().message(),
            "--tag: {rank has no }; known are {rank}, {local_rank}, {host} and {stream}");
}

}  // namespace
}  // namespace shoal::cli
