# SPDX-License-Identifier: GPL-3.0-or-later
# One set of compile flags for every target: mixing instruction sets between translation units that share
# inline templates breaks the one-definition rule.
set(CMAKE_CXX_STANDARD 20)
set(CMAKE_CXX_STANDARD_REQUIRED ON)
set(CMAKE_CXX_EXTENSIONS OFF)
set(CMAKE_EXPORT_COMPILE_COMMANDS ON)
set(CMAKE_POSITION_INDEPENDENT_CODE ON)
if(NOT CMAKE_BUILD_TYPE)
  set(CMAKE_BUILD_TYPE Release)
endif()
set(CMAKE_CXX_FLAGS_RELEASE "-O2 -DNDEBUG")

add_library(tamis_options INTERFACE)
add_library(tamis::options ALIAS tamis_options)
target_include_directories(tamis_options INTERFACE ${PROJECT_SOURCE_DIR})
target_compile_options(tamis_options INTERFACE -Wall -Wextra -Wpedantic -Wshadow -Wnon-virtual-dtor -Woverloaded-virtual
  -Wno-missing-field-initializers) # designated initialisers lean on default members
if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU" AND CMAKE_CXX_COMPILER_VERSION VERSION_LESS 13)
  target_compile_options(tamis_options INTERFACE -Wno-restrict) # false alarms on std::string in GCC 12 (its bug 105651)
endif()
if(TAMIS_WERROR)
  target_compile_options(tamis_options INTERFACE -Werror)
endif()
if(TAMIS_PORTABLE)
  target_compile_options(tamis_options INTERFACE -march=x86-64-v3)
else()
  target_compile_options(tamis_options INTERFACE -march=native)
endif()
if(TAMIS_SANITIZE)
  add_compile_options(-fsanitize=address,undefined -fno-sanitize-recover=undefined -fno-omit-frame-pointer)
  add_link_options(-fsanitize=address,undefined)
endif()
if(TAMIS_FUZZ)
  add_compile_options(-fsanitize=fuzzer-no-link,address,undefined -fno-sanitize-recover=undefined)
  add_link_options(-fsanitize=address,undefined)
endif()

find_program(TAMIS_CCACHE ccache)
if(TAMIS_CCACHE AND NOT CMAKE_CXX_COMPILER_LAUNCHER)
  # Every clone shares what one has compiled: paths count from the clone's own folder. A precompiled header counts by its content.
  set(CMAKE_C_COMPILER_LAUNCHER ${CMAKE_COMMAND} -E env CCACHE_BASEDIR=${PROJECT_SOURCE_DIR} CCACHE_NOHASHDIR=1
    CCACHE_SLOPPINESS=pch_defines,time_macros ${TAMIS_CCACHE})
  set(CMAKE_CXX_COMPILER_LAUNCHER ${CMAKE_C_COMPILER_LAUNCHER})
endif()
find_program(TAMIS_MOLD mold)
if(TAMIS_MOLD AND CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
  add_link_options(-fuse-ld=mold)
endif()
