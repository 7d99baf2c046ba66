# All from Debian 12; docs/dependencies.md says why each is there.
find_package(PkgConfig REQUIRED)
find_package(OpenSSL 3.0 REQUIRED)
find_package(Threads REQUIRED)
pkg_check_modules(libevent REQUIRED IMPORTED_TARGET libevent_core>=2.1.12)
pkg_check_modules(curl REQUIRED IMPORTED_TARGET libcurl>=7.85)
pkg_check_modules(jsonc REQUIRED IMPORTED_TARGET json-c>=0.16)
pkg_check_modules(jwt REQUIRED IMPORTED_TARGET libjwt>=1.10.2)
pkg_check_modules(mariadb REQUIRED IMPORTED_TARGET libmariadb>=3.3)
