# The version is that of the installed header. Before 1.0 a new minor version may break the ABI, so
# that 0.1 asks for 0.1.x; from 1.0 on, a major version asks for itself, in this minor version or a
# later one.

set(PACKAGE_VERSION "")
file(STRINGS "${CMAKE_CURRENT_LIST_DIR}/../../../include/demask.h" _demask_lines
     REGEX "^#define DEMASK_VERSION_(MAJOR|MINOR|PATCH) [0-9]+$")
foreach(_demask_line IN LISTS _demask_lines)
  string(REGEX REPLACE "^.* " "." _demask_part "${_demask_line}")
  string(APPEND PACKAGE_VERSION "${_demask_part}")
endforeach()
string(REGEX REPLACE "^\\." "" PACKAGE_VERSION "${PACKAGE_VERSION}")

string(REGEX MATCH "^(0\\.)?[0-9]+" _demask_abi "${PACKAGE_VERSION}")
if(PACKAGE_FIND_VERSION_RANGE)
  # The caller knows a range of versions: the upper end may be meant or not.
  set(_demask_least "${PACKAGE_FIND_VERSION_MIN}")
  if(PACKAGE_VERSION VERSION_LESS PACKAGE_FIND_VERSION_MAX OR
     (PACKAGE_FIND_VERSION_RANGE_MAX STREQUAL "INCLUDE" AND
      PACKAGE_VERSION VERSION_EQUAL PACKAGE_FIND_VERSION_MAX))
    set(_demask_fits TRUE)
  else()
    set(_demask_fits FALSE)
  endif()
else()
  set(_demask_least "${PACKAGE_FIND_VERSION}")
  string(REGEX MATCH "^(0\\.)?[0-9]+" _demask_asked "${PACKAGE_FIND_VERSION}")
  if(_demask_asked STREQUAL _demask_abi)
    set(_demask_fits TRUE)
  else()
    set(_demask_fits FALSE)
  endif()
endif()

if(NOT _demask_fits OR PACKAGE_VERSION VERSION_LESS _demask_least)
  set(PACKAGE_VERSION_COMPATIBLE FALSE)
else()
  set(PACKAGE_VERSION_COMPATIBLE TRUE)
endif()
if(PACKAGE_VERSION VERSION_EQUAL PACKAGE_FIND_VERSION)
  set(PACKAGE_VERSION_EXACT TRUE)
endif()
