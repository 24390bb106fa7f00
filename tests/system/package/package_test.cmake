# Installs the library of BUILD into WORK, builds PROGRAM against it with nothing else of the tree, and runs it.
function(run)
  execute_process(COMMAND ${ARGV} COMMAND_ECHO STDOUT COMMAND_ERROR_IS_FATAL ANY)
endfunction()

file(REMOVE_RECURSE "${WORK}")
run("${CMAKE_COMMAND}" --install "${BUILD}" --component library --prefix "${WORK}/prefix")
foreach(file include/shoal/v1/fork_protocol.h share/shoal/python/shoal_template.py)
  if(NOT EXISTS "${WORK}/prefix/${file}")
    message(FATAL_ERROR "${file} is not installed")
  endif()
endforeach()
run("${CMAKE_COMMAND}" -G Ninja -S "${PROGRAM}" -B "${WORK}/build" "-DCMAKE_PREFIX_PATH=${WORK}/prefix"
    "-DCMAKE_CXX_COMPILER=${COMPILER}" "-DCMAKE_CXX_FLAGS=${FLAGS}")
run("${CMAKE_COMMAND}" --build "${WORK}/build")
run("${WORK}/build/uses_shoal")
# The same without CMake. A library with a sanitizer wants its flags.
file(GLOB_RECURSE pc "${WORK}/prefix/shoal.pc")
cmake_path(GET pc PARENT_PATH pc_directory)
run(sh -c "${COMPILER} -std=c++20 ${FLAGS} -o ${WORK}/uses_shoal ${PROGRAM}/main.cc \
  $(PKG_CONFIG_PATH=${pc_directory} pkg-config --cflags --libs shoal)")
run("${WORK}/uses_shoal")
file(REMOVE_RECURSE "${WORK}")
