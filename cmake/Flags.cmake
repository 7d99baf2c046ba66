# Warnings are errors with gcc and clang; hardening is on in every build that is not for a sanitizer.
add_compile_options(
    -Wall -Wextra -Wshadow -Wconversion -Werror -Wformat=2 -Wstrict-prototypes -Wmissing-prototypes
    -Wundef -Wpointer-arith -Wcast-qual -Wwrite-strings -fno-common -fstack-protector-strong
)
if(CMAKE_C_COMPILER_ID STREQUAL "GNU")
    add_compile_options(-Wlogical-op -Wduplicated-cond)
endif()
add_compile_definitions(_GNU_SOURCE PURCHASE_SYNC_VERSION="${PROJECT_VERSION}")

if(SANITIZE)
    add_compile_options(-fsanitize=${SANITIZE} -fno-omit-frame-pointer -fno-sanitize-recover=all)
    add_link_options(-fsanitize=${SANITIZE})
else()
    add_compile_definitions($<$<NOT:$<CONFIG:Debug>>:_FORTIFY_SOURCE=2>)
    add_link_options(-Wl,-z,relro,-z,now,-z,noexecstack)
endif()

# A fuzzer is blind in code that is not instrumented for it.
if(BUILD_FUZZERS)
    add_compile_options(-fsanitize=fuzzer-no-link)
endif()
