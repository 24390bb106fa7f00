// What nearly every source of agent, client and common reads, parsed once: see ShoalPrecompiled.cmake.
#include <grpcpp/alarm.h>
#include <grpcpp/grpcpp.h>

#include <algorithm>
#include <atomic>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/functional/any_invocable.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "shoal/v1/blob_service.grpc.pb.h"
#include "shoal/v1/error_detail.pb.h"
#include "shoal/v1/host_service.grpc.pb.h"
#include "shoal/v1/process_service.grpc.pb.h"
#include "shoal/v1/session_service.grpc.pb.h"
#include "shoal/v1/template_service.grpc.pb.h"
