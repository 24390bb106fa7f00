// What a program does at the start of main() so that its functions can be processes.
//
//   int main(int argc, char** argv) {
//     shoal::Init(&argc, &argv);  // in a child: runs it, and does not return
//     …
//
// A child is this program, executed anew (or forked from a template of it), with the name of a
// function or subclass in its environment. Nothing should happen before Init(): in a child it
// happens, too.
//
// Thread-safety: on the first thread, before there is a second.
#ifndef SHOAL_CLIENT_SHOAL_INIT_H_
#define SHOAL_CLIENT_SHOAL_INIT_H_

#include <string>
#include <vector>

#include "absl/status/statusor.h"

namespace shoal {

// In a child runs its function or Run(), and ends as exit() does: with 0; or with 1 after an error
// or an uncaught exception, which goes to stderr (an exception with the stack of its throw) and to
// the caller that joins the process. A crash goes to stderr, too, with its stack, unless the program
// handles its signal before. stdout of a child is line-buffered.
//
// In a template (ProcessOptions::start_method kForkServer) runs the functions of SHOAL_PRELOAD and
// serves forks; each of them goes on here as a child does, or, if it is to run a command, returns
// with argc and argv of its own.
//
// Otherwise returns at once.
void Init(int* argc, char*** argv);

// Offers this process to be forked by its name or id (ProcessOptions::start_method kFork): with all
// its memory as of now, once for each request, until it is ended. A fork that is to run a
// function does so and does not return; in another this returns its argv. Here it returns only with
// an error. FAILED_PRECONDITION: no agent started this process. With more than one thread, as it
// has once it has started a process itself, every fork is refused.
absl::StatusOr<std::vector<std::string>> OfferForks();

namespace internal {

// A function that a template runs before it offers itself, for SHOAL_PRELOAD.
bool AddPreload(void (*function)());

}  // namespace internal
}  // namespace shoal

// Makes a template warm: reads models and tables, fills caches. It must leave no thread behind.
#define SHOAL_PRELOAD(function)                                 \
  [[maybe_unused]] static const bool shoal_preload_##function = \
      ::shoal::internal::AddPreload(&(function))

#endif  // SHOAL_CLIENT_SHOAL_INIT_H_
