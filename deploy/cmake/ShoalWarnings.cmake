# shoal_target(NAME): the warnings, sanitizers and include root that every target of Shoal has.
function(shoal_target name)
  target_include_directories(${name} PRIVATE "${PROJECT_SOURCE_DIR}")
  target_compile_options(${name} PRIVATE
    -Wall -Wextra -Wpedantic -Wshadow -Wnon-virtual-dtor -Woverloaded-virtual
    -Wimplicit-fallthrough -Wconversion
    $<$<CXX_COMPILER_ID:Clang>:-Wthread-safety>)
  if(SHOAL_FAILPOINTS)
    target_compile_definitions(${name} PRIVATE SHOAL_FAILPOINTS=1)
  endif()
  shoal_sanitize(${name})
endfunction()

function(shoal_sanitize name)
  if(SHOAL_SANITIZE STREQUAL "address")
    set(flags -fsanitize=address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer)
  elseif(SHOAL_SANITIZE STREQUAL "thread")
    set(flags -fsanitize=thread)
  else()
    return()
  endif()
  target_compile_options(${name} PRIVATE ${flags})
  target_link_options(${name} PRIVATE ${flags})
endfunction()
