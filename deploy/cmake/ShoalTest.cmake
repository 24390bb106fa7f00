# shoal_add_test(NAME LEVEL unit|shim|rpc|system [LABELS label…] SOURCES file… [LIBS library…] [TIMEOUT seconds])
#
# A GoogleTest executable: linked to GTest::gtest_main and `LIBS`, given the warnings and sanitizers of every
# target, its tests found when ctest starts and labelled LEVEL and LABELS (fault, core, …; plain: a sanitizer does not go
# with some of them). It is built by the targets <LEVEL>_tests and <label>_tests, so that a tree needs to build only what it
# runs.
#
# shoal_add_script_test(NAME LEVEL … [LABELS label…] COMMAND word… [DEPENDS target…] [TIMEOUT seconds])
#
# The same for a script: DEPENDS are the targets that it runs. Exit status 77 means skipped.
include(GoogleTest)

foreach(label unit shim rpc system fuzz fault core lint package bench-smoke)
  add_custom_target(${label}_tests)
endforeach()

function(shoal_label_targets labels)
  foreach(label IN LISTS labels)
    if(NOT TARGET ${label}_tests)
      add_custom_target(${label}_tests)
    endif()
    add_dependencies(${label}_tests ${ARGN})
  endforeach()
endfunction()

function(shoal_add_test name)
  cmake_parse_arguments(PARSE_ARGV 1 arg "" "LEVEL;TIMEOUT" "LABELS;SOURCES;LIBS")
  if(NOT arg_LEVEL OR NOT arg_SOURCES OR arg_UNPARSED_ARGUMENTS)
    message(FATAL_ERROR "shoal_add_test(${name}): LEVEL and SOURCES are needed; unknown: ${arg_UNPARSED_ARGUMENTS}")
  endif()
  if(NOT arg_TIMEOUT)
    set(arg_TIMEOUT 300)
  endif()
  set(labels ${arg_LEVEL} ${arg_LABELS})
  add_executable(${name} ${arg_SOURCES})
  target_link_libraries(${name} PRIVATE ${arg_LIBS} GTest::gmock GTest::gtest_main)
  shoal_target(${name} tests)
  shoal_label_targets("${labels}" ${name})
  if(SHOAL_SANITIZE AND arg_LEVEL STREQUAL "unit")
    # In four processes: a sanitizer takes longer to start than most tests.
    foreach(part RANGE 3)
      add_test(NAME ${name}.${part} COMMAND ${name})
      set_tests_properties(${name}.${part} PROPERTIES LABELS "${labels}" TIMEOUT 600
        ENVIRONMENT "GTEST_TOTAL_SHARDS=4;GTEST_SHARD_INDEX=${part}")
    endforeach()
    return()
  endif()
  gtest_discover_tests(${name} TEST_PREFIX "${name}." DISCOVERY_MODE PRE_TEST DISCOVERY_TIMEOUT 120
    TEST_LIST ${name}_found PROPERTIES TIMEOUT ${arg_TIMEOUT})
  # gtest_discover_tests loses all but the first item of a list property, so labels are set by a file of our own.
  set(labels_file "${CMAKE_CURRENT_BINARY_DIR}/${name}_labels.cmake")
  file(WRITE "${labels_file}" "if(${name}_found)
  set_tests_properties(\${${name}_found} PROPERTIES LABELS \"${labels}\")
endif()
")
  set_property(DIRECTORY APPEND PROPERTY TEST_INCLUDE_FILES "${labels_file}")
endfunction()

function(shoal_add_script_test name)
  cmake_parse_arguments(PARSE_ARGV 1 arg "" "LEVEL;TIMEOUT" "LABELS;COMMAND;DEPENDS")
  if(NOT arg_LEVEL OR NOT arg_COMMAND OR arg_UNPARSED_ARGUMENTS)
    message(FATAL_ERROR "shoal_add_script_test(${name}): LEVEL and COMMAND are needed; unknown: ${arg_UNPARSED_ARGUMENTS}")
  endif()
  if(NOT arg_TIMEOUT)
    set(arg_TIMEOUT 300)
  endif()
  set(labels ${arg_LEVEL} ${arg_LABELS})
  add_test(NAME ${name} COMMAND ${arg_COMMAND})
  set_tests_properties(${name} PROPERTIES LABELS "${labels}" TIMEOUT ${arg_TIMEOUT} SKIP_RETURN_CODE 77)
  if(arg_DEPENDS)
    shoal_label_targets("${labels}" ${arg_DEPENDS})
  endif()
endfunction()
