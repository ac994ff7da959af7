# SPDX-License-Identifier: GPL-3.0-or-later
include(GNUInstallDirs)
foreach(program tamis-cli tamis)
  if(TARGET ${program})
    install(TARGETS ${program} RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR})
  endif()
endforeach()
install(DIRECTORY datasets/ DESTINATION ${CMAKE_INSTALL_DATADIR}/tamis/datasets)
install(DIRECTORY scripts/ DESTINATION ${CMAKE_INSTALL_DATADIR}/tamis/scripts FILES_MATCHING PATTERN "bench_torch_*.py")
