# The CMake package of an installed demask:
#
#     find_package(demask 0.1 REQUIRED)
#     target_link_libraries(program PRIVATE demask::demask)   # or demask::static
#
# `cargo cinstall` puts it at <prefix>/share/cmake/demask. Paths are found from there, so that the
# prefix may be moved, and what the static library needs from the pkg-config file.

get_filename_component(_demask_prefix "${CMAKE_CURRENT_LIST_DIR}/../../.." ABSOLUTE)
foreach(_demask_folder IN ITEMS "lib/${CMAKE_LIBRARY_ARCHITECTURE}" lib64 lib)
  set(_demask_libdir "${_demask_prefix}/${_demask_folder}")
  if(EXISTS "${_demask_libdir}/pkgconfig/demask.pc")
    break()
  endif()
endforeach()
foreach(_demask_file IN ITEMS "${_demask_prefix}/include/demask.h"
                              "${_demask_libdir}/pkgconfig/demask.pc")
  if(NOT EXISTS "${_demask_file}")
    set(demask_FOUND FALSE)
    set(demask_NOT_FOUND_MESSAGE "${_demask_file} is missing")
    return()
  endif()
endforeach()

# Each library that is there has its target.
set(_demask_file
    "${_demask_libdir}/${CMAKE_SHARED_LIBRARY_PREFIX}demask${CMAKE_SHARED_LIBRARY_SUFFIX}")
if(EXISTS "${_demask_file}" AND NOT TARGET demask::demask)
  add_library(demask::demask SHARED IMPORTED)
  set_target_properties(demask::demask PROPERTIES
    IMPORTED_LOCATION "${_demask_file}"
    INTERFACE_INCLUDE_DIRECTORIES "${_demask_prefix}/include")
endif()
set(_demask_file
    "${_demask_libdir}/${CMAKE_STATIC_LIBRARY_PREFIX}demask${CMAKE_STATIC_LIBRARY_SUFFIX}")
if(EXISTS "${_demask_file}" AND NOT TARGET demask::static)
  file(STRINGS "${_demask_libdir}/pkgconfig/demask.pc" _demask_private REGEX "^Libs\\.private:")
  string(REGEX REPLACE "^Libs\\.private: *" "" _demask_private "${_demask_private}")
  separate_arguments(_demask_private)
  add_library(demask::static STATIC IMPORTED)
  set_target_properties(demask::static PROPERTIES
    IMPORTED_LOCATION "${_demask_file}"
    INTERFACE_INCLUDE_DIRECTORIES "${_demask_prefix}/include"
    INTERFACE_LINK_LIBRARIES "${_demask_private}")
endif()
