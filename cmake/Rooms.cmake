# room(NAME ROOMS other... LIBRARIES target...): lib/NAME as a static library that knows lib/ as its include root
# and nothing but the rooms named. Its sources are also linked as a shared object with every symbol required
# (NAME_closed), which fails on an arrow that is not declared.
function(room name)
    cmake_parse_arguments(ROOM "" "" "ROOMS;LIBRARIES" ${ARGN})
    file(GLOB sources CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/lib/${name}/*.c)
    add_library(${name} STATIC ${sources})
    target_include_directories(${name} PUBLIC ${CMAKE_SOURCE_DIR}/lib)
    target_link_libraries(${name} PUBLIC ${ROOM_ROOMS} PRIVATE ${ROOM_LIBRARIES})
    if(NOT SANITIZE AND NOT BUILD_FUZZERS)
        add_library(${name}_closed SHARED ${sources})
        target_include_directories(${name}_closed PRIVATE ${CMAKE_SOURCE_DIR}/lib)
        list(TRANSFORM ROOM_ROOMS APPEND _closed OUTPUT_VARIABLE closed)
        target_link_libraries(${name}_closed PRIVATE ${closed} ${ROOM_LIBRARIES})
        target_link_options(${name}_closed PRIVATE -Wl,-z,defs)
    endif()
endfunction()

# role(PROGRAM FOLDER ROOMS ... LIBRARIES ...): a thin program over the rooms.
function(role program folder)
    cmake_parse_arguments(ROLE "" "" "ROOMS;LIBRARIES;FILES" ${ARGN})
    file(GLOB sources CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/${folder}/*.c)
    if(NOT sources)
        return()
    endif()
    add_executable(${program} ${sources})
    target_include_directories(${program} PRIVATE ${CMAKE_SOURCE_DIR}/${folder})
    target_link_libraries(${program} PRIVATE ${ROLE_ROOMS} ${ROLE_LIBRARIES})
    if(EXISTS ${CMAKE_SOURCE_DIR}/${folder}/page)
        embed_files(${program} ${folder}/page ${ROLE_FILES})
    endif()
endfunction()

# embed_migrations(TARGET FOLDER): the numbered .sql files as the table `migrations` of db/migrate.h.
function(embed_migrations target folder)
    file(GLOB files CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/${folder}/*.sql)
    set(generated ${CMAKE_BINARY_DIR}/generated/migrations.c)
    add_custom_command(OUTPUT ${generated}
        COMMAND ${CMAKE_COMMAND} -DOUT=${generated} "-DFILES=${files}" -P ${CMAKE_SOURCE_DIR}/cmake/EmbedMigrations.cmake
        DEPENDS ${files} ${CMAKE_SOURCE_DIR}/cmake/EmbedMigrations.cmake VERBATIM)
    target_sources(${target} PRIVATE ${generated})
    if(TARGET ${target}_closed)
        target_sources(${target}_closed PRIVATE ${generated})
    endif()
endfunction()

# embed_files(TARGET FOLDER [FILE...]): the files of a page, and others, built into the program as the table of embedded.h.
function(embed_files target folder)
    file(GLOB files CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/${folder}/*)
    list(APPEND files ${ARGN})
    set(generated ${CMAKE_BINARY_DIR}/generated/${target}_page.c)
    add_custom_command(OUTPUT ${generated}
        COMMAND ${CMAKE_COMMAND} -DOUT=${generated} "-DFILES=${files}" -P ${CMAKE_SOURCE_DIR}/cmake/EmbedFiles.cmake
        DEPENDS ${files} ${CMAKE_SOURCE_DIR}/cmake/EmbedFiles.cmake VERBATIM)
    target_sources(${target} PRIVATE ${generated})
endfunction()
