# SPDX-License-Identifier: GPL-3.0-or-later
# tamis_test(NAME tst_x SOURCES a.cpp... LIBRARIES l... [LABELS core|gui|...] [XVFB|OFFSCREEN] [TIMEOUT s])
# A test is a Qt Test program; without Qt the core tests cannot be built. XVFB runs it on a virtual X display,
# OFFSCREEN without any display. A test runs in the source tree, wherever it is started (tests/source_dir.cpp): TAMIS_SOURCE_DIR is
# "." and nothing that is compiled knows where the tree lies, so every clone finds what another has compiled in the compiler cache.
find_program(TAMIS_XVFB_RUN xvfb-run)
function(tamis_test)
  cmake_parse_arguments(T "XVFB;OFFSCREEN" "NAME;TIMEOUT" "SOURCES;LIBRARIES;LABELS" ${ARGN})
  if(NOT T_TIMEOUT)
    set(T_TIMEOUT 600) # ends a test that hangs; no statement about speed
  endif()
  add_executable(${T_NAME} ${T_SOURCES})
  foreach(source IN LISTS T_SOURCES)
    if(source MATCHES "(tst_[a-z0-9_]+)\\.cpp$") # its last line includes what moc makes of it
      set(moc ${CMAKE_CURRENT_BINARY_DIR}/${T_NAME}_moc/${CMAKE_MATCH_1}.moc)
      cmake_path(ABSOLUTE_PATH source)
      add_custom_command(OUTPUT ${moc} COMMAND Qt6::moc ${source} -o ${moc} DEPENDS ${source} VERBATIM)
      target_sources(${T_NAME} PRIVATE ${moc})
    endif()
  endforeach()
  file(MAKE_DIRECTORY ${CMAKE_CURRENT_BINARY_DIR}/${T_NAME}_moc)
  target_include_directories(${T_NAME} PRIVATE ${CMAKE_CURRENT_BINARY_DIR}/${T_NAME}_moc)
  target_compile_definitions(${T_NAME} PRIVATE TAMIS_SOURCE_DIR=".")
  target_link_libraries(${T_NAME} PRIVATE tamis::options tamis_source_dir Qt6::Test ${T_LIBRARIES})
  target_compile_options(${T_NAME} PRIVATE $<$<CONFIG:Release>:-O1>) # a fifth of a release build's time; what is tested keeps its own
  if(T_XVFB)
    add_test(NAME ${T_NAME} COMMAND ${TAMIS_XVFB_RUN} -a -s "-screen 0 1600x1000x24" $<TARGET_FILE:${T_NAME}>)
    set(platform "QT_QPA_PLATFORM=xcb")
  else()
    add_test(NAME ${T_NAME} COMMAND ${T_NAME})
    set(platform "QT_QPA_PLATFORM=offscreen")
  endif()
  set_tests_properties(${T_NAME} PROPERTIES TIMEOUT ${T_TIMEOUT} LABELS "${T_LABELS}"
    ENVIRONMENT "${platform};OPENBLAS_NUM_THREADS=1;LC_ALL=C.UTF-8;QT_LOGGING_RULES=*.debug=false")
endfunction()
