// The least that a gRPC server can be: health and reflection on a Unix socket. What Shoal's agent
// at rest is measured against. Writes a byte to the descriptor READY when it serves.
//
//   shoal_bench_bare_server READY
#include <grpcpp/ext/proto_server_reflection_plugin.h>
#include <grpcpp/grpcpp.h>
#include <grpcpp/health_check_service_interface.h>
#include <stdlib.h>
#include <unistd.h>

#include <memory>
#include <string>

int main(int argc, char** argv) {
  grpc::EnableDefaultHealthCheckService(true);
  grpc::reflection::InitProtoReflectionServerBuilderPlugin();
  grpc::ServerBuilder builder;
  // An abstract name: nothing to clean up.
  builder.AddListeningPort("unix-abstract:shoal-bench-bare-" + std::to_string(getpid()),
                           grpc::InsecureServerCredentials());
  const std::unique_ptr<grpc::Server> server = builder.BuildAndStart();
  if (!server || argc != 2 || write(atoi(argv[1]), "r", 1) != 1) return 1;
  server->Wait();
}
