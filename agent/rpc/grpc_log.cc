#include "agent/rpc/grpc_log.h"

#include <google/protobuf/stubs/logging.h>
#include <grpc/support/log.h>
#include <spdlog/spdlog.h>

#include <string>

#include "common/escape.h"

namespace shoal::agent {

void RedirectGrpcLog() {
  gpr_set_log_function([](gpr_log_func_args* args) {
    const auto level = args->severity == GPR_LOG_SEVERITY_ERROR  ? spdlog::level::err
                       : args->severity == GPR_LOG_SEVERITY_INFO ? spdlog::level::info
                                                                 : spdlog::level::debug;
    spdlog::log(level, "gRPC: {}", EscapeForMessage(args->message, 1024));
  });
  google::protobuf::SetLogHandler([](google::protobuf::LogLevel level, const char* /*file*/,
                                     int /*line*/, const std::string& message) {
    spdlog::log(
        level >= google::protobuf::LOGLEVEL_ERROR ? spdlog::level::err : spdlog::level::info,
        "protobuf: {}", EscapeForMessage(message, 1024));
  });
}

}  // namespace shoal::agent
