# Refuses to build with a library whose version has a hole that is known and mended: docs/dependencies.md lists them.
#
# A distribution mends without changing the library's own version, so on Debian 12 the packages' versions decide, as
# its changelogs tell. Elsewhere nothing is known but the library's own version; whose distribution has mended it all
# the same says so with -DKNOWN_HOLES_MENDED="libevent;curl".
#
# Also run by itself, `cmake -D... -P`: a test does, with a dpkg-query of its own.
cmake_minimum_required(VERSION 3.25)
set(KNOWN_HOLES_MENDED "" CACHE STRING "Libraries whose known holes the distribution has mended under another version")

# library | runtime package in Debian 12 | its first good version | the library's own first good version | what was mended
set(known_holes
    "libevent|libevent-core-2.1-7|2.1.12-stable-8+deb12u1|2.1.13|CVE-2026-63379, -63381 to -63385, -63387, -63388"
    "curl|libcurl4|7.88.1-10+deb12u15|8.4.0|CVE-2025-10148, -14524, -14819, CVE-2026-3783, -3784, -5773, -7168, and before 8.4.0 CVE-2023-38545"
    "openssl|libssl3|3.0.22-1~deb12u2|3.0.8|CVE-2026-35189, -54872, -75803, -75805, -75806, -77696, -84782, and before 3.0.8 CVE-2023-0286"
    "libjwt|libjwt0|1.10.2-1+deb12u1|1.17.0|CVE-2024-25189"
    "mariadb|libmariadb3|1:10.11.19-0+deb12u1||CVE-2026-47023, -60184, -60331, -60585, -60747, -61081"
    "json-c|libjson-c5||0.15|CVE-2020-12762")

find_program(DPKG dpkg)
find_program(DPKG_QUERY dpkg-query)
if(NOT DEFINED DISTRIBUTION)
    cmake_host_system_information(RESULT DISTRIBUTION QUERY DISTRIB_INFO)
    set(DISTRIBUTION "${DISTRIBUTION_ID} ${DISTRIBUTION_VERSION_ID}")
endif()

# What pkg-config said, by the names of the table.
foreach(pair libevent:libevent curl:curl openssl:OPENSSL libjwt:jwt mariadb:mariadb json-c:jsonc)
    string(REPLACE ":" ";" pair "${pair}")
    list(GET pair 0 library)
    list(GET pair 1 found)
    if(found STREQUAL "OPENSSL")
        set(own_${library} "${OPENSSL_VERSION}")
    else()
        set(own_${library} "${${found}_VERSION}")
    endif()
endforeach()

# The version of an installed package of Debian 12; empty: not that system, or the library came another way.
function(debian_version package out)
    set(${out} "" PARENT_SCOPE)
    if(NOT DISTRIBUTION STREQUAL "debian 12" OR NOT DPKG OR NOT DPKG_QUERY)
        return()
    endif()
    execute_process(COMMAND ${DPKG_QUERY} --show "--showformat=\${Version}\\n" ${package}
        OUTPUT_VARIABLE version RESULT_VARIABLE status ERROR_QUIET OUTPUT_STRIP_TRAILING_WHITESPACE)
    if(status EQUAL 0)
        string(REGEX REPLACE "\n.*" "" version "${version}") # the same for every architecture
        set(${out} "${version}" PARENT_SCOPE)
    endif()
endfunction()

# Whether one Debian version is before another.
function(debian_before version good out)
    execute_process(COMMAND ${DPKG} --compare-versions ${version} lt ${good} RESULT_VARIABLE status)
    if(status EQUAL 0)
        set(${out} TRUE PARENT_SCOPE)
    else()
        set(${out} FALSE PARENT_SCOPE)
    endif()
endfunction()

set(holes "")
foreach(row IN LISTS known_holes)
    string(REPLACE "|" ";" row "${row}")
    list(GET row 0 library)
    list(GET row 1 package)
    list(GET row 2 good_package)
    list(GET row 3 good_own)
    list(GET row 4 mended)
    if(library IN_LIST KNOWN_HOLES_MENDED)
        continue()
    endif()
    set(version "")
    set(old FALSE)
    if(good_package)
        debian_version(${package} version)
    endif()
    if(version)
        debian_before("${version}" "${good_package}" old)
        set(remedy "apt-get install --only-upgrade ${package}: ${good_package} or later")
    elseif(good_own AND own_${library})
        string(REGEX MATCH "^[0-9.]+" version "${own_${library}}")
        if(version VERSION_LESS good_own)
            set(old TRUE)
        endif()
        set(remedy "${good_own} or later; or -DKNOWN_HOLES_MENDED=${library}, if your distribution has mended it")
    endif()
    if(old)
        string(APPEND holes "  ${library} ${version} has known holes (${mended}): ${remedy}\n")
    endif()
endforeach()
if(holes)
    message(FATAL_ERROR "Libraries with known holes:\n${holes}")
endif()
