// What nearly every source of the command line reads, parsed once: see ShoalPrecompiled.cmake.
#include <CLI/CLI.hpp>

#include "deploy/cmake/precompiled/product.h"
