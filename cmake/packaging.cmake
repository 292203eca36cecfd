# What `cmake --install` puts where, and the Debian package that CPack makes of it (tools/package.sh, docs/install.md).
# The program finds its model in share/mezzotint/models above itself (src/pipeline/find_model.cpp).
include(GNUInstallDirs)
set(packaging ${CMAKE_SOURCE_DIR}/packaging)
set(rendered ${CMAKE_BINARY_DIR}/rendered)

# The program that is being installed prints its own manual and completions: they are never older than it.
install(CODE "
  file(MAKE_DIRECTORY \"${rendered}\")
  foreach(shell bash zsh fish)
    execute_process(COMMAND \"$<TARGET_FILE:mezzo>\" completions \${shell} OUTPUT_FILE \"${rendered}/\${shell}\" COMMAND_ERROR_IS_FATAL ANY)
  endforeach()
  execute_process(COMMAND \"$<TARGET_FILE:mezzo>\" manual COMMAND \"${MEZZO_GZIP}\" -9n OUTPUT_FILE \"${rendered}/mezzo.1.gz\" COMMAND_ERROR_IS_FATAL ANY)
")
install(FILES ${rendered}/mezzo.1.gz DESTINATION ${CMAKE_INSTALL_MANDIR}/man1)
install(FILES ${rendered}/bash DESTINATION share/bash-completion/completions RENAME mezzo)
install(FILES ${rendered}/fish DESTINATION share/fish/vendor_completions.d RENAME mezzo.fish)
install(DIRECTORY models/ DESTINATION share/mezzotint/models)
install(FILES README.md CHANGELOG.md DESTINATION ${CMAKE_INSTALL_DOCDIR})
install(DIRECTORY docs/ DESTINATION ${CMAKE_INSTALL_DOCDIR}/docs)
install(FILES ${packaging}/mezzotint.service DESTINATION lib/systemd/system)

# Where Debian wants something else than the others: one component for each.
install(FILES ${rendered}/zsh DESTINATION share/zsh/site-functions RENAME _mezzo COMPONENT generic)
install(FILES LICENSE DESTINATION ${CMAKE_INSTALL_DOCDIR} COMPONENT generic)
install(FILES ${rendered}/zsh DESTINATION share/zsh/vendor-completions RENAME _mezzo COMPONENT debian EXCLUDE_FROM_ALL)
string(TIMESTAMP now "%a, %d %b %Y %H:%M:%S +0000" UTC)
set(contact "Mezzotint maintainers <maintainers@mezzotint.example>")
file(CONFIGURE OUTPUT ${rendered}/changelog CONTENT
"mezzotint (${PROJECT_VERSION}) unstable; urgency=medium

  * See CHANGELOG.md.

 -- ${contact}  ${now}
")
install(CODE "execute_process(COMMAND \"${MEZZO_GZIP}\" -9nkf \"${rendered}/changelog\" COMMAND_ERROR_IS_FATAL ANY)"
        COMPONENT debian EXCLUDE_FROM_ALL)
install(FILES ${packaging}/debian/copyright ${rendered}/changelog.gz DESTINATION ${CMAKE_INSTALL_DOCDIR} COMPONENT debian EXCLUDE_FROM_ALL)

set(CPACK_GENERATOR DEB)
set(CPACK_INSTALL_CMAKE_PROJECTS ${CMAKE_BINARY_DIR} mezzotint Unspecified / ${CMAKE_BINARY_DIR} mezzotint debian /)
set(CPACK_PACKAGING_INSTALL_PREFIX /usr)
set(CPACK_PACKAGE_CONTACT ${contact})
set(CPACK_PACKAGE_DESCRIPTION_SUMMARY "pictures from text with Stable Diffusion, on the CPU")
set(CPACK_PACKAGE_DESCRIPTION
"The program mezzo draws pictures from text, changes pictures and repaints
parts of them with Stable Diffusion models, on the processors of this machine
and without a network: at the command line, in batches, or as a server with a
web page. A small model comes with it.")
set(CPACK_DEBIAN_FILE_NAME DEB-DEFAULT)
set(CPACK_DEBIAN_PACKAGE_SECTION graphics)
set(CPACK_DEBIAN_PACKAGE_SHLIBDEPS ON)
set(CPACK_DEBIAN_PACKAGE_CONTROL_STRICT_PERMISSION ON)
set(CPACK_DEBIAN_PACKAGE_CONTROL_EXTRA ${packaging}/debian/postinst ${packaging}/debian/prerm)
set(CPACK_STRIP_FILES ON)
include(CPack)
