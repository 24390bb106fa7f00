// What nearly every test reads, parsed once: see ShoalPrecompiled.cmake.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "deploy/cmake/precompiled/product.h"
