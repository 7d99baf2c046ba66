# Run by `cmake --install`: writes the units and the crontab with the programs' place, and installs them. The files
# themselves name the default one.
cmake_path(ABSOLUTE_PATH bindir BASE_DIRECTORY "${CMAKE_INSTALL_PREFIX}" NORMALIZE OUTPUT_VARIABLE programs)
file(GLOB files "${source}/*.service" "${source}/*.socket" "${source}/*.timer" "${source}/crontab")
foreach(file ${files})
    cmake_path(GET file FILENAME name)
    file(READ "${file}" text)
    string(REPLACE "/usr/local/bin/" "${programs}/" text "${text}")
    file(WRITE "${scratch}/${name}" "${text}")
    if(name STREQUAL "crontab")
        set(folder "${data_dir}")
    else()
        set(folder "${unit_dir}")
    endif()
    cmake_path(ABSOLUTE_PATH folder BASE_DIRECTORY "${CMAKE_INSTALL_PREFIX}" NORMALIZE)
    file(INSTALL DESTINATION "${folder}" TYPE FILE FILES "${scratch}/${name}"
        PERMISSIONS OWNER_READ OWNER_WRITE GROUP_READ WORLD_READ)
endforeach()
