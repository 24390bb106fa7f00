# shoal_precompile(NAME product|cli|tests): NAME reads the headers of precompiled/KIND.h from a precompiled form that all
# targets of its kind share. With clang only, where a source that includes gRPC takes a third of the time then; GCC
# gains little, and its trees, built without, show which includes a source forgot.
#
# Tests are compiled without optimization, which would cost as much time as all the rest.
option(SHOAL_PRECOMPILED "Precompile headers (clang)" ON)
if(SHOAL_PRECOMPILED AND CMAKE_CXX_COMPILER_ID STREQUAL "Clang")
  set(shoal_precompiled ON)
  # Position-independent code of one kind: a precompiled header serves libraries and programs.
  set(CMAKE_CXX_COMPILE_OPTIONS_PIE "-fPIC")
else()
  set(shoal_precompiled OFF)
endif()

function(shoal_test_options name)
  target_compile_options(${name} PRIVATE $<$<CONFIG:Debug>:-O0>)
endfunction()

# Makes the targets that hold the precompiled headers. Needs the generated sources' targets, not their compilation.
function(shoal_make_precompiled)
  if(NOT shoal_precompiled)
    return()
  endif()
  set(kinds product cli)
  if(SHOAL_TESTS)
    find_package(GTest REQUIRED)
    list(APPEND kinds tests)
  endif()
  foreach(kind IN LISTS kinds)
    set(holder shoal_precompiled_${kind})
    file(CONFIGURE OUTPUT "${CMAKE_CURRENT_BINARY_DIR}/${holder}.cc" CONTENT "")
    add_library(${holder} OBJECT "${CMAKE_CURRENT_BINARY_DIR}/${holder}.cc")
    target_include_directories(${holder} SYSTEM PRIVATE $<TARGET_PROPERTY:shoal_proto,INTERFACE_INCLUDE_DIRECTORIES>)
    target_link_libraries(${holder} PRIVATE shoal::dep_grpc)
    add_dependencies(${holder} shoal_generated)
    if(kind STREQUAL "tests")
      shoal_test_options(${holder})
      target_link_libraries(${holder} PRIVATE GTest::gmock)
    endif()
    if(kind STREQUAL "cli")
      target_link_libraries(${holder} PRIVATE CLI11::CLI11)
    endif()
    shoal_target(${holder} plain)
    target_precompile_headers(${holder} PRIVATE "${PROJECT_SOURCE_DIR}/deploy/cmake/precompiled/${kind}.h")
    # ccache compares what the header holds; with its time inside, no two would be the same.
    target_compile_options(${holder} PRIVATE "SHELL:-Xclang -fno-pch-timestamp")
  endforeach()
endfunction()

function(shoal_precompile name kind)
  if(kind STREQUAL "tests")
    shoal_test_options(${name})
  endif()
  if(shoal_precompiled)
    target_precompile_headers(${name} REUSE_FROM shoal_precompiled_${kind})
    target_compile_options(${name} PRIVATE "SHELL:-Xclang -fno-pch-timestamp")
    # ccache preprocesses the header itself. Where a target does not find all that it includes, that fails, and nothing
    # of the target is ever cached. Last of all, so that it hides nothing.
    target_compile_options(${name} PRIVATE "SHELL:-idirafter ${PROJECT_BINARY_DIR}/proto/gen")
  endif()
endfunction()
