# Run by `cmake --install`: puts manual pages, compressed, and the completions of the shells where they are looked for,
# which for zsh depends on the prefix. Expects shoal_deploy_dir, shoal_build_dir, shoal_datadir, shoal_mandir, and
# shoal_section, that of the pages: 1 those of shoal, with the completions, 8 that of shoald.
set(root "$ENV{DESTDIR}${CMAKE_INSTALL_PREFIX}")
find_program(shoal_gzip gzip REQUIRED)

file(GLOB pages "${shoal_build_dir}/man/man${shoal_section}/*")
set(directory "${root}/${shoal_mandir}/man${shoal_section}")
file(MAKE_DIRECTORY "${directory}")
foreach(page IN LISTS pages)
  get_filename_component(name "${page}" NAME)
  execute_process(COMMAND "${shoal_gzip}" -9nc "${page}" OUTPUT_FILE "${directory}/${name}.gz" COMMAND_ERROR_IS_FATAL ANY)
  message(STATUS "Installed: ${directory}/${name}.gz")
endforeach()

function(shoal_install_completion source place name)
  file(MAKE_DIRECTORY "${root}/${shoal_datadir}/${place}")
  set(file "${root}/${shoal_datadir}/${place}/${name}")
  configure_file("${shoal_deploy_dir}/completion/${source}" "${file}" COPYONLY)
  file(CHMOD "${file}" PERMISSIONS OWNER_READ OWNER_WRITE GROUP_READ WORLD_READ)
  message(STATUS "Installed: ${file}")
endfunction()

if(shoal_section EQUAL 1)
  if(CMAKE_INSTALL_PREFIX MATCHES "^/usr/?$")
    set(zsh vendor-completions)
  else()
    set(zsh site-functions)
  endif()
  shoal_install_completion(shoal.bash bash-completion/completions shoal)
  shoal_install_completion(_shoal "zsh/${zsh}" _shoal)
  shoal_install_completion(shoal.fish fish/vendor_completions.d shoal.fish)
endif()
