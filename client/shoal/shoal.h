// Everything that a program needs whose functions are processes.
#ifndef SHOAL_CLIENT_SHOAL_SHOAL_H_
#define SHOAL_CLIENT_SHOAL_SHOAL_H_

#include "shoal/context.h"          // IWYU pragma: export
#include "shoal/cpu_count.h"        // IWYU pragma: export
#include "shoal/error.h"            // IWYU pragma: export
#include "shoal/exit_on_signals.h"  // IWYU pragma: export
#include "shoal/fleet.h"            // IWYU pragma: export
#include "shoal/init.h"             // IWYU pragma: export
#include "shoal/map.h"              // IWYU pragma: export
#include "shoal/process.h"          // IWYU pragma: export
#include "shoal/process_info.h"     // IWYU pragma: export
#include "shoal/registry.h"         // IWYU pragma: export
#include "shoal/stack.h"            // IWYU pragma: export

#endif  // SHOAL_CLIENT_SHOAL_SHOAL_H_
