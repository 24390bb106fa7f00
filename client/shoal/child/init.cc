#include "shoal/init.h"

#include <cstdio>
#include <cstdlib>
#include <utility>

#include "absl/debugging/symbolize.h"
#include "common/standard_descriptors.h"
#include "common/status.h"
#include "shoal/child/child_main.h"
#include "shoal/error.h"
#include "shoal/fork/process_setup.h"
#include "shoal/fork_server.h"
#include "shoal/shipping/shipped_here.h"
#include "shoal/v1/fork_protocol.h"

namespace shoal {
namespace {

std::vector<void (*)()>& Preloads() {
  static auto* const kPreloads = new std::vector<void (*)()>;
  return *kPreloads;
}

// argc and argv of a forked process; they live as long as it does.
void SetArguments(std::vector<std::string> words, int* argc, char*** argv) {
  auto* const kept = new std::vector<std::string>(std::move(words));
  auto* const pointers = new std::vector<char*>;
  for (std::string& word : *kept) pointers->push_back(word.data());
  *argc = static_cast<int>(pointers->size());
  pointers->push_back(nullptr);
  *argv = pointers->data();
}

// Returns in forked processes only.
std::vector<std::string> ServeAsTemplate() {
  unsetenv(fork_protocol::kTemplateVariable);
  internal::NoteShippedFiles();
  KeepResultDescriptorFree();
  for (void (*preload)() : Preloads()) preload();
  absl::StatusOr<std::vector<std::string>> arguments = OfferForks();
  if (!arguments.ok()) std::exit(Fail(arguments.status()));
  return *std::move(arguments);
}

}  // namespace

void Init(int* argc, char*** argv) {
  OpenMissingDescriptors();
  forking::NoteIgnoredSignals();
  absl::InitializeSymbolizer(*argc > 0 ? (*argv)[0] : nullptr);
  if (std::getenv(fork_protocol::kTemplateVariable) != nullptr) {
    return SetArguments(ServeAsTemplate(), argc, argv);
  }
  internal::RunIfChild();
}

absl::StatusOr<std::vector<std::string>> OfferForks() {
  std::fflush(nullptr);  // or each fork would print it, too
  SHOAL_ASSIGN_OR_RETURN(ForkedProcess forked, ServeForks());
  internal::RunIfChild();
  return std::move(forked.argv);
}

namespace internal {

bool AddPreload(void (*function)()) {
  Preloads().push_back(function);
  return true;
}

}  // namespace internal
}  // namespace shoal
