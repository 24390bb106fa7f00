# shoal_man_pages(PROGRAM SECTION WORD): has PROGRAM, once it is built, write its manual pages into a directory, which is
# made anew, by `PROGRAM WORD DIR DATE`. Not a sanitizer's program, which may not run where it is built.
string(TIMESTAMP shoal_page_date "%Y-%m-%d" UTC)

function(shoal_man_pages program section word)
  if(SHOAL_SANITIZE)
    return()
  endif()
  set(directory "${PROJECT_BINARY_DIR}/man/man${section}")
  add_custom_command(TARGET ${program} POST_BUILD
    COMMAND "${CMAKE_COMMAND}" -E rm -rf "${directory}"
    COMMAND "${CMAKE_COMMAND}" -E make_directory "${directory}"
    COMMAND "$<TARGET_FILE:${program}>" ${word} "${directory}" "${shoal_page_date}"
    VERBATIM)
endfunction()
