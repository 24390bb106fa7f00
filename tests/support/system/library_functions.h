// What shoal_library_program runs in processes of its own.
#ifndef SHOAL_TESTS_SUPPORT_SYSTEM_LIBRARY_FUNCTIONS_H_
#define SHOAL_TESTS_SUPPORT_SYSTEM_LIBRARY_FUNCTIONS_H_

#include <cstdlib>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "shoal/shoal.h"
#include "shoal/v1/process.pb.h"

absl::Status Throw(const std::string& what);
absl::Status ThrowOnThread(const std::string& what);
absl::Status FailWithStack();
absl::Status FailWithout();
absl::Status Exit(const std::string& code);
// Closes what it has not opened, and opens a file in every place that is free.
absl::StatusOr<std::string> CloseDescriptors();
absl::Status Sleep();
absl::StatusOr<std::string> Large();
absl::StatusOr<std::string> Length(const std::string& text);
absl::StatusOr<shoal::v1::Survivor> Older(const shoal::v1::Survivor& survivor);
// What a program that is executed from here sees of our variables.
absl::StatusOr<std::string> Environment();
// What this one has open.
absl::StatusOr<std::string> CloseOnExec();
absl::Status Late();
// When nothing can be written into `pipe` any more.
absl::Status LateAfter(const std::string& pipe);
// Leaves a child to be joined by its end.
absl::Status LeaveChild();
// Where a program runs from, and what is left in its environment of how it came there.
absl::StatusOr<std::string> Executable();
// Of this one, and of two children on its own agent.
absl::StatusOr<std::string> Executables();
absl::StatusOr<std::string> LibraryPath();
absl::StatusOr<std::string> Method();
// Of this one, and of the child that it starts by it.
absl::StatusOr<std::string> Methods();
absl::Status StartFromDaemon();
absl::StatusOr<std::string> Fork();
// Is forked until it is ended. A fork that runs no function stays, or returns as a program may that
// offers itself.
absl::Status Load(const std::string& what);
absl::StatusOr<std::string> Ignores();
// Tells its name and what it has; changes what it has, which no other fork must see.
absl::StatusOr<std::string> Look();

// A member that travels, and one that does not.
class Add : public shoal::Process {
 public:
  using Process::Process;
  absl::StatusOr<std::string> Save() const override { return std::to_string(saved); }
  absl::Status Load(const std::string& bytes) override {
    saved = std::atoi(bytes.c_str());
    return absl::OkStatus();
  }
  absl::Status Run() override {
    SetResult(absl::StrCat(saved, " and ", left));
    return absl::OkStatus();
  }
  int saved = 0;
  int left = 0;
};

#endif  // SHOAL_TESTS_SUPPORT_SYSTEM_LIBRARY_FUNCTIONS_H_
