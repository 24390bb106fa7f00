#include "shoal/context.h"

#include <atomic>

namespace shoal {
namespace {

std::atomic<StartMethod>& TheMethod() {
  static std::atomic<StartMethod> method{StartMethod::kSpawn};
  return method;
}

}  // namespace

void SetStartMethod(StartMethod method) { TheMethod() = method; }
StartMethod GetStartMethod() { return TheMethod(); }

}  // namespace shoal
