# Run by `cmake --install`, and does something only where CPack makes a package: its copyright, changelog and news, and
# what the checker of packages is to pass over. Expects shoal_package, shoal_version, shoal_maintainer and
# shoal_source_dir.
if(NOT "$ENV{DESTDIR}" MATCHES "_CPack_Packages")
  return()
endif()
find_program(shoal_gzip gzip REQUIRED)
set(share "$ENV{DESTDIR}/usr/share")
set(directory "${share}/doc/${shoal_package}")
file(MAKE_DIRECTORY "${directory}")

configure_file("${shoal_source_dir}/deploy/debian/copyright" "${directory}/copyright" COPYONLY)
configure_file("${shoal_source_dir}/CHANGELOG.md" "${directory}/NEWS.md" COPYONLY)
string(TIMESTAMP date "%a, %d %b %Y %H:%M:%S +0000" UTC)
file(WRITE "${directory}/changelog" "shoal (${shoal_version}) stable; urgency=medium

  * What has changed is in NEWS.md.

 -- ${shoal_maintainer}  ${date}
")
execute_process(COMMAND "${shoal_gzip}" -9nf "${directory}/NEWS.md" "${directory}/changelog" COMMAND_ERROR_IS_FATAL ANY)
file(GLOB files "${directory}/*")

if(EXISTS "${shoal_source_dir}/deploy/debian/${shoal_package}.lintian-overrides")
  set(overrides "${share}/lintian/overrides/${shoal_package}")
  file(MAKE_DIRECTORY "${share}/lintian/overrides")
  configure_file("${shoal_source_dir}/deploy/debian/${shoal_package}.lintian-overrides" "${overrides}" COPYONLY)
  list(APPEND files "${overrides}")
endif()
file(CHMOD ${files} PERMISSIONS OWNER_READ OWNER_WRITE GROUP_READ WORLD_READ)
