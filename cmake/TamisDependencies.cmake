# SPDX-License-Identifier: GPL-3.0-or-later
# Every outside library, found once and with its purpose.
include(FeatureSummary)
set(HDF5_PREFER_PARALLEL OFF)

find_package(TBB REQUIRED)
set_package_properties(TBB PROPERTIES TYPE REQUIRED PURPOSE "parallel loops in core")
find_package(Eigen3 3.4 REQUIRED NO_MODULE)
set_package_properties(Eigen3 PROPERTIES TYPE REQUIRED PURPOSE "small and reference linear algebra")
find_package(HDF5 REQUIRED COMPONENTS C)
set_package_properties(HDF5 PROPERTIES TYPE REQUIRED PURPOSE "calibration sets and result files")
if(HDF5_IS_PARALLEL)
  message(FATAL_ERROR "Tamis needs the serial HDF5 library (libhdf5-dev)")
endif()
find_package(nlohmann_json REQUIRED)
set_package_properties(nlohmann_json PROPERTIES TYPE REQUIRED PURPOSE "safetensors headers, plans, sessions, command-line JSON")
find_package(OpenSSL REQUIRED COMPONENTS Crypto)
set_package_properties(OpenSSL PROPERTIES TYPE REQUIRED PURPOSE "SHA-256 of checkpoints and calibration sets")
find_package(ZLIB REQUIRED)
set_package_properties(ZLIB PROPERTIES TYPE REQUIRED PURPOSE "compressed .npz members")
find_package(CLI11 REQUIRED)
set_package_properties(CLI11 PROPERTIES TYPE REQUIRED PURPOSE "command-line parsing of tamis-cli")

find_library(TAMIS_OPENBLAS NAMES openblas REQUIRED)
find_library(TAMIS_LAPACKE NAMES lapacke REQUIRED)
find_path(TAMIS_CBLAS_INCLUDE NAMES cblas.h PATH_SUFFIXES openblas-pthread x86_64-linux-gnu REQUIRED)
find_path(TAMIS_LAPACKE_INCLUDE NAMES lapacke.h REQUIRED)
add_library(tamis_blas INTERFACE)
add_library(tamis::blas ALIAS tamis_blas)
target_include_directories(tamis_blas SYSTEM INTERFACE ${TAMIS_CBLAS_INCLUDE} ${TAMIS_LAPACKE_INCLUDE})
target_link_libraries(tamis_blas INTERFACE ${TAMIS_LAPACKE} ${TAMIS_OPENBLAS})
add_feature_info(OpenBLAS ON "matrix products and LAPACK decompositions (pthread build)")

find_path(TAMIS_HNSWLIB_INCLUDE NAMES hnswlib/hnswlib.h)
add_feature_info(hnswlib TAMIS_HNSWLIB_INCLUDE "graph indexes of encoder.mips (libhnswlib-dev, header only)")

if(TAMIS_GUI AND NOT TAMIS_FUZZ)
  find_package(Qt6 6.4 REQUIRED COMPONENTS Core Gui Widgets OpenGL OpenGLWidgets Charts Svg Test)
  set_package_properties(Qt6 PROPERTIES TYPE REQUIRED PURPOSE "the window, charts and GUI tests")
  # Components must be named: without them VTK's configuration asks for Qt 5.
  find_package(VTK 9.1 REQUIRED COMPONENTS CommonCore CommonDataModel CommonExecutionModel CommonColor
    FiltersCore FiltersGeneral FiltersGeometry FiltersSources RenderingCore RenderingOpenGL2 RenderingAnnotation
    RenderingFreeType RenderingUI InteractionStyle IOImage ImagingCore)
  set_package_properties(VTK PROPERTIES TYPE REQUIRED PURPOSE "the 3-D spectrum landscape")
elseif(NOT TAMIS_FUZZ)
  find_package(Qt6 6.4 QUIET COMPONENTS Core Gui)
endif()
