// How processes are started unless they say so themselves, as multiprocessing's set_start_method()
// and get_context().
//
// Ownership:     a Context is a value.
// Thread-safety: thread-safe.
#ifndef SHOAL_CLIENT_SHOAL_CONTEXT_H_
#define SHOAL_CLIENT_SHOAL_CONTEXT_H_

#include <memory>
#include <utility>

#include "shoal/process.h"
#include "shoal/process_options.h"

namespace shoal {

// For functions and subclasses that are started from now on without a method of their own. kSpawn
// at first; a child begins with that of its parent.
void SetStartMethod(StartMethod method);
StartMethod GetStartMethod();

// A start method, with whatever else its processes have in common:
//   shoal::Context warm(shoal::StartMethod::kForkServer, {.host = host});
//   auto process = warm.NewProcess(Square, "12");
class Context {
 public:
  explicit Context(StartMethod method, ProcessOptions options = {}) : options_(std::move(options)) {
    options_.start_method = method;
  }

  // To be added to: name, slot, ….
  const ProcessOptions& options() const { return options_; }

  // A function and its argument, if it has one, with these options.
  template <typename... What>
  std::unique_ptr<Process> NewProcess(What&&... what) const {
    return std::make_unique<Process>(std::forward<What>(what)..., options_);
  }

 private:
  ProcessOptions options_;
};

}  // namespace shoal

#endif  // SHOAL_CLIENT_SHOAL_CONTEXT_H_
