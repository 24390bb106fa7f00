# shoal::dep_grpc is gRPC, Protocol Buffers, Abseil and the libcrypto of gRPC: shared, or with SHOAL_STATIC the .a files of the same
# packages. The CMake packages name only the shared ones, and grpc++.pc omits protobuf; hence the group below.
# Both must never meet in one binary. Included by the build and, installed, by programs that use shoal::client.
find_package(Threads REQUIRED)
find_package(PkgConfig REQUIRED)
find_library(SHOAL_GRPCPP grpc++ REQUIRED)

add_library(shoal_dep_grpc INTERFACE)
add_library(shoal::dep_grpc ALIAS shoal_dep_grpc)
if(SHOAL_STATIC)
  # pkg_check_modules would ask fifteen times, a second each.
  execute_process(COMMAND "${PKG_CONFIG_EXECUTABLE}" --static --libs-only-l grpc++
    OUTPUT_VARIABLE libraries OUTPUT_STRIP_TRAILING_WHITESPACE COMMAND_ERROR_IS_FATAL ANY)
  separate_arguments(libraries UNIX_COMMAND "${libraries}")
  list(FILTER libraries EXCLUDE REGEX "^-l(pthread|m|rt|dl|c)$")
  list(REMOVE_DUPLICATES libraries)
  target_link_libraries(shoal_dep_grpc INTERFACE
    -Wl,-Bstatic -Wl,--start-group -lgrpc++_reflection -lprotobuf ${libraries} -Wl,--end-group -Wl,-Bdynamic
    Threads::Threads)
  target_link_options(shoal_dep_grpc INTERFACE -static-libstdc++ -static-libgcc)
else()
  find_package(absl REQUIRED)
  target_link_libraries(shoal_dep_grpc INTERFACE
    grpc++_reflection grpc++ grpc gpr protobuf crypto
    absl::status absl::statusor absl::strings absl::str_format absl::time absl::flat_hash_map
    absl::random_random absl::cord absl::any_invocable absl::symbolize absl::failure_signal_handler
    Threads::Threads)
endif()
