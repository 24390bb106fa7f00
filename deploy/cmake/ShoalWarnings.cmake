# LLVM's linker takes a quarter of the time. Not for what is delivered, nor under a sanitizer, nor for the shim, which
# crashes at its start as that one lays out musl's static programs.
find_program(SHOAL_LLD ld.lld)
if(SHOAL_LLD AND CMAKE_BUILD_TYPE STREQUAL "Debug" AND NOT SHOAL_SANITIZE)
  set(shoal_links_with_lld ON)
endif()

# shoal_target(NAME [cli|tests|plain|gcc]): the warnings, sanitizers and include root that every target of Shoal has, and
# a precompiled header: that of what is delivered, of the command line, of tests, or none. gcc: none either, and it is
# compiled by GCC.
function(shoal_target name)
  target_include_directories(${name} PRIVATE "${PROJECT_SOURCE_DIR}")
  target_compile_options(${name} PRIVATE
    -Wall -Wextra -Wpedantic -Wshadow -Wnon-virtual-dtor -Woverloaded-virtual
    -Wimplicit-fallthrough -Wconversion
    # At -O3 GCC 12 cries wolf at `"…" + std::string` (its bug 105651).
    $<$<AND:$<CXX_COMPILER_ID:GNU>,$<VERSION_LESS:$<CXX_COMPILER_VERSION>,13>,$<CONFIG:Release>>:-Wno-restrict>)
  if(CMAKE_CXX_COMPILER_ID STREQUAL "Clang" AND NOT ARGN STREQUAL "gcc")
    # GCC's -Wconversion does not contain -Wsign-conversion in C++.
    target_compile_options(${name} PRIVATE -Wthread-safety -Wno-sign-conversion)
  endif()
  if(shoal_links_with_lld AND NOT ARGN STREQUAL "gcc")
    target_link_options(${name} PRIVATE -fuse-ld=lld)
  endif()
  if(SHOAL_FAILPOINTS)
    target_compile_definitions(${name} PRIVATE SHOAL_FAILPOINTS=1)
  endif()
  shoal_sanitize(${name})
  if(ARGN STREQUAL "")
    shoal_precompile(${name} product)
  elseif(ARGN MATCHES "^(cli|tests)$")
    shoal_precompile(${name} ${ARGN})
  endif()
endfunction()

function(shoal_sanitize name)
  if(SHOAL_SANITIZE STREQUAL "address")
    # vptr asks the kernel by way of a pipe, and cries wolf in a test that leaves no descriptor.
    set(flags -fsanitize=address,undefined -fno-sanitize=vptr -fno-sanitize-recover=all -fno-omit-frame-pointer)
    if(CMAKE_CXX_COMPILER_ID STREQUAL "Clang")
      target_compile_options(${name} PRIVATE -fsanitize=fuzzer-no-link)  # tests/fuzz
    endif()
  elseif(SHOAL_SANITIZE STREQUAL "thread")
    set(flags -fsanitize=thread)
    get_target_property(type ${name} TYPE)
    if(type STREQUAL "EXECUTABLE")
      # Else gRPC's library runs the instrumented copies that a program has of inline code that both use.
      target_link_options(${name} PRIVATE "-Wl,--version-script=${PROJECT_SOURCE_DIR}/deploy/cmake/no_exports.map")
    endif()
  elseif(SHOAL_SANITIZE STREQUAL "coverage")
    set(flags -fprofile-instr-generate -fcoverage-mapping)
  else()
    return()
  endif()
  target_compile_options(${name} PRIVATE ${flags})
  target_link_options(${name} PRIVATE ${flags})
endfunction()
