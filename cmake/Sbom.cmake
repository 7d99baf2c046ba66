# cmake --build BUILD --target sbom: BUILD/sbom.cdx.json, what the programs of production are made of.
find_package(Python3 3.11 COMPONENTS Interpreter)
if(Python3_FOUND)
    set(programs purchase-webhook purchase-worker purchasectl)
    list(TRANSFORM programs REPLACE "(.+)" "$<TARGET_FILE:\\1>" OUTPUT_VARIABLE files)
    add_custom_target(sbom
        COMMAND ${Python3_EXECUTABLE} ${CMAKE_SOURCE_DIR}/scripts/sbom --version ${PROJECT_VERSION}
            --output ${CMAKE_BINARY_DIR}/sbom.cdx.json ${files}
        COMMENT "Writing sbom.cdx.json" VERBATIM)
    add_dependencies(sbom ${programs})
endif()
