#include "client/cli/table_options.h"

#include <vector>

#include "gtest/gtest.h"

namespace shoal::cli {
namespace {

struct Row {
  int size;
  std::string name;
};

std::string Sorted(absl::string_view sort) {
  std::vector<Row> rows = {{2, "b"}, {1, "a"}, {2, "a"}};
  SortRows(
      sort,
      [](const Row& row, const std::string& key) {
        return key == "size" ? SortValue{row.size, ""} : SortValue{0, row.name};
      },
      &rows);
  std::string text;
  for (const Row& row : rows) text += std::to_string(row.size) + row.name + " ";
  return text;
}

TEST(SortRows, GoesByEachKeyInTurn) {
  EXPECT_EQ(Sorted(""), "2b 1a 2a ");
  EXPECT_EQ(Sorted("size"), "1a 2b 2a ");
  EXPECT_EQ(Sorted("-size"), "2b 2a 1a ");
  EXPECT_EQ(Sorted("-size,name"), "2a 2b 1a ");
  EXPECT_EQ(Sorted("name,-size"), "2a 1a 2b ");
}

TEST(LabelsInTable, AreSortedByTheirKeys) {
  google::protobuf::Map<std::string, std::string> labels;
  EXPECT_EQ(LabelsInTable(labels), "–");
  labels["user"] = "ada";
  labels["job"] = "x";
  EXPECT_EQ(LabelsInTable(labels), "job=x,user=ada");
}

}  // namespace
}  // namespace shoal::cli
