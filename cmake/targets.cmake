# mezzo_library(name [deps...]): the static library mezzo_<name> from every .cpp below this folder.
# Headers are included as "folder/header.h" from src/; dependencies are folders further left (tools/check_layers.py).
function(mezzo_library name)
  file(GLOB_RECURSE sources CONFIGURE_DEPENDS ${CMAKE_CURRENT_SOURCE_DIR}/*.cpp)
  add_library(mezzo_${name} STATIC ${sources})
  target_include_directories(mezzo_${name} PUBLIC ${CMAKE_SOURCE_DIR}/src ${CMAKE_SOURCE_DIR}/include)
  list(TRANSFORM ARGN PREPEND mezzo_ OUTPUT_VARIABLE deps)
  target_link_libraries(mezzo_${name} PUBLIC ${deps})
endfunction()

# mezzo_test(name LABEL label SOURCES files... LIBS libs... [SHARDS n]): one test program, one ctest entry; or n of them,
# name_1 ... name_n, each with a part of the tests, for one that would run long after all others.
function(mezzo_test name)
  cmake_parse_arguments(T "" "LABEL;SHARDS" "SOURCES;LIBS" ${ARGN})
  add_executable(${name} ${T_SOURCES})
  target_link_libraries(${name} PRIVATE ${T_LIBS} mezzo_test_support GTest::gtest GTest::gmock GTest::gtest_main
                                        OpenMP::OpenMP_CXX)
  target_precompile_headers(${name} REUSE_FROM mezzo_test_headers)
  set(environment OMP_NUM_THREADS=2 OMP_WAIT_POLICY=PASSIVE)
  if(NOT T_SHARDS)
    add_test(NAME ${name} COMMAND ${name} WORKING_DIRECTORY ${CMAKE_CURRENT_BINARY_DIR})
    set_tests_properties(${name} PROPERTIES LABELS "${T_LABEL}" ENVIRONMENT "${environment}")
    return()
  endif()
  foreach(shard RANGE 1 ${T_SHARDS})
    math(EXPR index "${shard} - 1")
    add_test(NAME ${name}_${shard} COMMAND ${name} WORKING_DIRECTORY ${CMAKE_CURRENT_BINARY_DIR})
    set_tests_properties(${name}_${shard} PROPERTIES LABELS "${T_LABEL}"
                         ENVIRONMENT "${environment};GTEST_TOTAL_SHARDS=${T_SHARDS};GTEST_SHARD_INDEX=${index}")
  endforeach()
endfunction()
