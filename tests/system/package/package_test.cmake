# Installs the library of BUILD into WORK, builds PROGRAM against it with nothing else of the tree, and runs it.
function(run)
  execute_process(COMMAND ${ARGV} COMMAND_ECHO STDOUT COMMAND_ERROR_IS_FATAL ANY)
endfunction()

file(REMOVE_RECURSE "${WORK}")
run("${CMAKE_COMMAND}" --install "${BUILD}" --component library --prefix "${WORK}/prefix")
run("${CMAKE_COMMAND}" -G Ninja -S "${PROGRAM}" -B "${WORK}/build" "-DCMAKE_PREFIX_PATH=${WORK}/prefix"
    "-DCMAKE_CXX_COMPILER=${COMPILER}" "-DCMAKE_CXX_FLAGS=${FLAGS}")
run("${CMAKE_COMMAND}" --build "${WORK}/build")
run("${WORK}/build/uses_shoal")
file(REMOVE_RECURSE "${WORK}")
