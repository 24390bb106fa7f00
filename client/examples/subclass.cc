// A subclass with its own Run(): it gets an argument, and gives a result, both bytes here.
//
// Python: class Square(Process): def run(self): …
#include <cstdio>
#include <string>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "shoal/shoal.h"

class Square : public shoal::Process {
 public:
  using Process::Process;
  absl::Status Run() override {
    int number = 0;
    if (!absl::SimpleAtoi(argument(), &number)) {
      return absl::InvalidArgumentError(absl::StrCat("\"", argument(), "\" is not a number"));
    }
    SetResult(absl::StrCat(number * number));
    return absl::OkStatus();
  }
};
SHOAL_REGISTER_PROCESS(Square);

int main(int argc, char** argv) {
  shoal::Init(&argc, &argv);
  absl::StatusOr<shoal::Fleet> fleet = shoal::Fleet::Connect();
  if (!fleet.ok()) return shoal::Fail(fleet.status());

  for (const shoal::FleetHost& host : fleet->hosts()) {
    for (const char* number : {"12", "twelve"}) {
      Square square({.argument = number, .host = host.host});
      if (absl::Status started = square.Start(); !started.ok()) return shoal::Fail(started);
      if (auto joined = square.Join(); joined.ok()) {
        std::printf("%s: %s squared is %s\n", square.name().c_str(), number,
                    square.Result()->c_str());
      } else {
        std::printf("%s: %s\n", square.name().c_str(), joined.status().ToString().c_str());
      }
    }
  }
}
