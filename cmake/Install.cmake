# cmake --install BUILD [--prefix PREFIX]: the programs of production (the sandbox is none), systemd's units and the
# crontab, and the documents. Units and crontab name the programs by the prefix that they are installed under.
include(GNUInstallDirs)

set(SYSTEMD_UNIT_DIR lib/systemd/system CACHE STRING "Where systemd's units are installed, under the prefix")

install(TARGETS purchase-webhook purchase-worker purchasectl RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR})
install(CODE "set(bindir \"${CMAKE_INSTALL_BINDIR}\")
set(unit_dir \"${SYSTEMD_UNIT_DIR}\")
set(data_dir \"${CMAKE_INSTALL_DATADIR}/purchase-sync\")
set(source \"${CMAKE_SOURCE_DIR}/systemd\")
set(scratch \"${CMAKE_BINARY_DIR}/systemd\")")
install(SCRIPT ${CMAKE_SOURCE_DIR}/cmake/InstallUnits.cmake)
file(GLOB documents CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/docs/*.md)
install(FILES README.md ${documents} DESTINATION ${CMAKE_INSTALL_DOCDIR})
