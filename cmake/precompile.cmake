# Large headers that many files read, compiled once for all of them: half of a clean build's time went into reading
# them again. Files still include what they use: the tidy preset compiles without.
# GCC takes a precompiled header only where definitions and code generation (-fopenmp, -fPIC or -fPIE) are the same, so
# there is one set for libraries and one for tests, and a definition that few files need belongs to those files.
set(MEZZO_PRECOMPILED <algorithm> <array> <filesystem> <functional> <map> <memory> <optional> <set> <span> <string> <vector>
                      <fmt/format.h> <nlohmann/json.hpp>)

# mezzo_precompiled(name flag headers...): an empty library that holds the precompiled headers.
function(mezzo_precompiled name flag)
  file(CONFIGURE OUTPUT ${CMAKE_BINARY_DIR}/${name}.cpp CONTENT "")
  add_library(${name} OBJECT ${CMAKE_BINARY_DIR}/${name}.cpp)
  set_target_properties(${name} PROPERTIES POSITION_INDEPENDENT_CODE OFF)
  target_compile_options(${name} PRIVATE ${flag})
  target_link_libraries(${name} PRIVATE fmt::fmt nlohmann_json::nlohmann_json OpenMP::OpenMP_CXX)
  target_precompile_headers(${name} PRIVATE ${MEZZO_PRECOMPILED} ${ARGN})
endfunction()

mezzo_precompiled(mezzo_library_headers -fPIC)
if(MEZZO_TESTS)
  mezzo_precompiled(mezzo_test_headers -fPIE <gmock/gmock.h> <gtest/gtest.h> <fstream> <sstream>)
  target_link_libraries(mezzo_test_headers PRIVATE GTest::gtest GTest::gmock)
endif()
