#include "shoal/link/callback_scope.h"

namespace shoal {
namespace {

thread_local int callback_depth = 0;

}  // namespace

CallbackScope::CallbackScope() { ++callback_depth; }
CallbackScope::~CallbackScope() { --callback_depth; }
bool CallbackScope::IsInside() { return callback_depth > 0; }

}  // namespace shoal
