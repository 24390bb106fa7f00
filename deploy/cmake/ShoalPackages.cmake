# The packages for Debian, by `cpack --config BUILD/CPackConfig.cmake -B DIR`: shoal (the command line), shoald (the
# agent, with its units) and libshoal-dev. Dependencies are those that dpkg-shlibdeps finds, and what a program that is
# built against the library needs.
set(CPACK_GENERATOR DEB)
set(CPACK_PACKAGE_NAME shoal)
set(CPACK_PACKAGE_VERSION "${PROJECT_VERSION}")
set(CPACK_PACKAGE_VENDOR Shoal)
set(CPACK_PACKAGE_DESCRIPTION_SUMMARY "processes on many machines, as if they were children of yours")
set(CPACK_STRIP_FILES ON)
# Units name their paths: staged below DESTDIR, for this prefix.
set(CPACK_SET_DESTDIR ON)
set(CPACK_INSTALL_PREFIX /usr)
set(CPACK_DEB_COMPONENT_INSTALL ON)
set(CPACK_COMPONENTS_ALL agent cli library)
set(CPACK_COMPONENTS_GROUPING IGNORE)

set(CPACK_DEBIAN_PACKAGE_MAINTAINER "Shoal <shoal@packages.invalid>" CACHE STRING "Who answers for the packages")
set(CPACK_DEBIAN_PACKAGE_SHLIBDEPS ON)
set(CPACK_DEBIAN_FILE_NAME DEB-DEFAULT)
set(CPACK_DEBIAN_PACKAGE_CONTROL_STRICT_PERMISSION ON)
set(shoal_debian "${PROJECT_SOURCE_DIR}/deploy/debian")

set(CPACK_DEBIAN_CLI_PACKAGE_NAME shoal)
set(CPACK_DEBIAN_CLI_PACKAGE_SECTION net)
set(CPACK_DEBIAN_CLI_PACKAGE_SUGGESTS "shoald, bash-completion")
set(CPACK_COMPONENT_CLI_DESCRIPTION "Starts, names, watches and ends processes on any number of hosts, each
with an agent (shoald), and shows their output, PIDs and exits.")

set(CPACK_DEBIAN_AGENT_PACKAGE_NAME shoald)
set(CPACK_DEBIAN_AGENT_PACKAGE_SECTION net)
set(CPACK_DEBIAN_AGENT_PACKAGE_RECOMMENDS shoal)
set(CPACK_DEBIAN_AGENT_PACKAGE_CONTROL_EXTRA
    "${shoal_debian}/conffiles;${shoal_debian}/postinst;${shoal_debian}/prerm;${shoal_debian}/postrm")
set(CPACK_COMPONENT_AGENT_DESCRIPTION "The agent of one host. It spawns, names, watches and ends processes for
clients, which reach it through a Unix socket or mutual TLS. Its processes
go on while it is upgraded or restarted; removing the package ends them.")

set(CPACK_DEBIAN_LIBRARY_PACKAGE_NAME libshoal-dev)
set(CPACK_DEBIAN_LIBRARY_PACKAGE_SECTION libdevel)
set(CPACK_DEBIAN_LIBRARY_PACKAGE_DEPENDS
    "libgrpc++-dev, libgrpc-dev, libprotobuf-dev, libabsl-dev, libssl-dev, libc-ares-dev, libre2-dev, zlib1g-dev")
set(CPACK_DEBIAN_LIBRARY_PACKAGE_SUGGESTS "shoald, cmake, pkg-config")
set(CPACK_COMPONENT_LIBRARY_DESCRIPTION "Headers, static library, CMake and pkg-config files of libshoal, the C++
client, with processes shaped as those of Python's multiprocessing.")

# Each package has its licence and its changes where Debian wants them. Only a package: `cmake --install` has no use for
# them.
foreach(component_and_package agent:shoald cli:shoal library:libshoal-dev)
  string(REPLACE ":" ";" pair "${component_and_package}")
  list(GET pair 0 component)
  list(GET pair 1 package)
  install(CODE "set(shoal_package ${package})
set(shoal_version ${PROJECT_VERSION})
set(shoal_maintainer [==[${CPACK_DEBIAN_PACKAGE_MAINTAINER}]==])
set(shoal_source_dir [==[${PROJECT_SOURCE_DIR}]==])" COMPONENT ${component})
  install(SCRIPT cmake/InstallPackageDocs.cmake COMPONENT ${component})
endforeach()
include(CPack)
