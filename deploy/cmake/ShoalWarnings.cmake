# shoal_target(NAME): the warnings, sanitizers and include root that every target of Shoal has.
function(shoal_target name)
  target_include_directories(${name} PRIVATE "${PROJECT_SOURCE_DIR}")
  target_compile_options(${name} PRIVATE
    -Wall -Wextra -Wpedantic -Wshadow -Wnon-virtual-dtor -Woverloaded-virtual
    -Wimplicit-fallthrough -Wconversion
    $<$<CXX_COMPILER_ID:Clang>:-Wthread-safety>
    # At -O3 GCC 12 cries wolf at `"…" + std::string` (its bug 105651).
    $<$<AND:$<CXX_COMPILER_ID:GNU>,$<VERSION_LESS:$<CXX_COMPILER_VERSION>,13>,$<CONFIG:Release>>:-Wno-restrict>)
  if(SHOAL_FAILPOINTS)
    target_compile_definitions(${name} PRIVATE SHOAL_FAILPOINTS=1)
  endif()
  shoal_sanitize(${name})
endfunction()

function(shoal_sanitize name)
  if(SHOAL_SANITIZE STREQUAL "address")
    # vptr asks the kernel by way of a pipe, and cries wolf in a test that leaves no descriptor.
    set(flags -fsanitize=address,undefined -fno-sanitize=vptr -fno-sanitize-recover=all -fno-omit-frame-pointer)
  elseif(SHOAL_SANITIZE STREQUAL "thread")
    set(flags -fsanitize=thread)
  elseif(SHOAL_SANITIZE STREQUAL "fuzzer")
    set(flags -fsanitize=fuzzer-no-link,address,undefined -fno-sanitize=vptr -fno-sanitize-recover=all)
  else()
    return()
  endif()
  target_compile_options(${name} PRIVATE ${flags})
  target_link_options(${name} PRIVATE ${flags})
  get_target_property(type ${name} TYPE)
  if(SHOAL_SANITIZE STREQUAL "thread" AND type STREQUAL "EXECUTABLE")
    shoal_show_mutexes(${name})
  endif()
endfunction()

# A program under the thread sanitizer: see tests/support/tsan_mutex.cc.
function(shoal_show_mutexes name)
  set(mutex "_ZN4absl7debian35Mutex")
  set(variable "_ZN4absl7debian37CondVar")
  foreach(symbol
      ${mutex}4LockEv ${mutex}6UnlockEv ${mutex}7TryLockEv ${mutex}10ReaderLockEv ${mutex}12ReaderUnlockEv
      ${mutex}8LockWhenERKNS0_9ConditionE ${mutex}5AwaitERKNS0_9ConditionE
      ${mutex}16AwaitWithTimeoutERKNS0_9ConditionENS0_8DurationE
      ${mutex}17AwaitWithDeadlineERKNS0_9ConditionENS0_4TimeE
      ${variable}4WaitEPNS0_5MutexE ${variable}15WaitWithTimeoutEPNS0_5MutexENS0_8DurationE
      ${variable}16WaitWithDeadlineEPNS0_5MutexENS0_4TimeE)
    target_link_options(${name} PRIVATE "-Wl,--wrap=${symbol}")
  endforeach()
  target_sources(${name} PRIVATE "${PROJECT_SOURCE_DIR}/tests/support/tsan_mutex.cc")
endfunction()
