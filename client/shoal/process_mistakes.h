// What a Process cannot be made of, with one sentence of the compiler for each mistake: a lambda, a
// wrong number of arguments, types that do not travel.
//
// Thread-safety: nothing of this runs.
#ifndef SHOAL_CLIENT_SHOAL_PROCESS_MISTAKES_H_
#define SHOAL_CLIENT_SHOAL_PROCESS_MISTAKES_H_

#include <cstddef>
#include <type_traits>

#include "shoal/function.h"
#include "shoal/process_options.h"

namespace shoal {

class Process;

namespace internal {

// Whether a constructor of Process takes a function and these, or has no sentence about it. All
// types are decayed.
template <typename First, typename... Rest>
inline constexpr bool kIsMistake = std::is_member_function_pointer_v<First> ||
                                   (std::is_class_v<First> &&
                                    !std::is_convertible_v<First, ProcessOptions> &&
                                    !std::is_same_v<First, BoundFunction> &&
                                    !std::is_base_of_v<Process, First>);
template <typename Returned>
inline constexpr bool kIsMistake<Returned (*)()> = false;
template <typename Returned, typename Given, typename... More>
inline constexpr bool kIsMistake<Returned (*)(), Given, More...> =
    sizeof...(More) > 0 || !std::is_convertible_v<Given, ProcessOptions>;
template <typename Returned, typename Parameter>
inline constexpr bool kIsMistake<Returned (*)(Parameter)> = true;
template <typename Returned, typename Parameter, typename Given>
inline constexpr bool kIsMistake<Returned (*)(Parameter), Given> =
    std::is_same_v<Given, ProcessOptions>;
template <typename Returned, typename Parameter, typename Given, typename Second, typename... More>
inline constexpr bool kIsMistake<Returned (*)(Parameter), Given, Second, More...> =
    sizeof...(More) > 0 || !std::is_convertible_v<Second, ProcessOptions>;
template <typename Returned, typename First, typename Second, typename... More, typename... Given>
inline constexpr bool kIsMistake<Returned (*)(First, Second, More...), Given...> = true;

// REQUIRES: kIsMistake of the same types.
template <typename First, typename... Rest>
struct Refuse {
  static_assert(kNever<First>,
                "a process runs a function that is registered with SHOAL_REGISTER_FUNCTION, or "
                "Run() of a registered subclass: a lambda, another callable object or a member "
                "function cannot be found by another process, nor what it captures or belongs to");
};
template <typename Returned, typename... Given>
struct Refuse<Returned (*)(), Given...> {
  static_assert(kNever<Given...>, "the function of this process takes no argument");
};
template <typename Returned, typename Parameter, typename... Given>
struct Refuse<Returned (*)(Parameter), Given...> {
  static_assert(sizeof...(Given) > 1,
                "the function of this process takes an argument: Process(function, argument, "
                "options)");
  static_assert(sizeof...(Given) < 2,
                "the function of a process takes one argument at most, and options: several values "
                "are put into one protobuf message");
};
template <typename Returned, typename First, typename Second, typename... More, typename... Given>
struct Refuse<Returned (*)(First, Second, More...), Given...> {
  static_assert(kNever<First>,
                "the function of a process has one parameter at most: several values are put into "
                "one protobuf message");
};

}  // namespace internal
}  // namespace shoal

#endif  // SHOAL_CLIENT_SHOAL_PROCESS_MISTAKES_H_
