// The functions and subclasses of Process of this program, by name, so that another process of the
// same program finds them.
//
//   absl::StatusOr<std::string> Square(const std::string& number);
//   SHOAL_REGISTER_FUNCTION(Square);
//
//   class Simulate : public shoal::Process { … absl::Status Run() override; };
//   SHOAL_REGISTER_PROCESS(Simulate);
//
// The macros stand at namespace scope of a source file that is linked into the program: of a static
// library only the object files that something refers to are. The name is the text between the
// parentheses; the same twice ends the program at its start, and says so.
//
// Ownership:     one for the program, never destroyed.
// Thread-safety: filled before main(); thread-safe from then on.
#ifndef SHOAL_CLIENT_SHOAL_REGISTRY_H_
#define SHOAL_CLIENT_SHOAL_REGISTRY_H_

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <typeindex>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "shoal/function.h"
#include "shoal/process.h"

namespace shoal::internal {

class Registry {
 public:
  using Factory = std::function<std::unique_ptr<Process>(ProcessOptions)>;

  static Registry& Get();

  // ALREADY_EXISTS: the name is taken.
  absl::Status AddFunction(absl::string_view name, FunctionKey key, Function function);
  absl::Status AddClass(absl::string_view name, std::type_index type, Factory factory);

  // Empty: it is not registered.
  std::string NameOf(FunctionKey key) const;
  std::string NameOf(std::type_index type) const;

  // A Process whose Run() is that function or subclass. NOT_FOUND, with the names that there are.
  absl::StatusOr<std::unique_ptr<Process>> Make(absl::string_view name,
                                                ProcessOptions options) const;

 private:
  absl::Status Add(absl::string_view name, Factory factory);

  std::map<std::string, Factory> factories_;
  std::map<FunctionKey, std::string> functions_;
  std::map<std::type_index, std::string> classes_;
};

// For the macros: true, or the end of the program.
bool RegisterOrEnd(const absl::Status& status);

template <typename Class>
bool RegisterClass(const char* name) {
  constexpr bool kIsProcess = std::is_base_of_v<Process, Class>;
  constexpr bool kIsMade = std::is_constructible_v<Class, ProcessOptions>;
  static_assert(kIsProcess, "SHOAL_REGISTER_PROCESS is for a subclass of shoal::Process");
  static_assert(!kIsProcess || kIsMade,
                "the subclass needs a constructor from ProcessOptions, since another process makes "
                "it anew: using Process::Process;");
  if constexpr (kIsProcess && kIsMade) {
    return RegisterOrEnd(Registry::Get().AddClass(name, typeid(Class), [](ProcessOptions options) {
      return std::make_unique<Class>(std::move(options));
    }));
  }
  return false;
}

template <typename F>
bool RegisterFunction(const char* name, F* function) {
  static_assert(std::is_function_v<F>,
                "SHOAL_REGISTER_FUNCTION is for a function: a lambda or another object cannot be "
                "found by another process");
  if constexpr (std::is_function_v<F>) {
    return RegisterOrEnd(Registry::Get().AddFunction(name, KeyOf(function), Bind(function)));
  }
  return false;
}

}  // namespace shoal::internal

#define SHOAL_REGISTERED_INNER_(line) shoal_registered_##line
#define SHOAL_REGISTERED_(line) SHOAL_REGISTERED_INNER_(line)

#define SHOAL_REGISTER_PROCESS(Class)                              \
  [[maybe_unused]] static const bool SHOAL_REGISTERED_(__LINE__) = \
      ::shoal::internal::RegisterClass<Class>(#Class)

#define SHOAL_REGISTER_FUNCTION(function)                          \
  [[maybe_unused]] static const bool SHOAL_REGISTERED_(__LINE__) = \
      ::shoal::internal::RegisterFunction(#function, &(function))

#endif  // SHOAL_CLIENT_SHOAL_REGISTRY_H_
