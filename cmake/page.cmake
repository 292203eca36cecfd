# mezzo_page(target folder): links the files of a built web page into `target`, as they are and gzip'd, with a table
# of them (apps/server/page_files.h). Without the folder the table is empty.
find_program(MEZZO_GZIP gzip REQUIRED)

function(mezzo_page target folder)
  set(binary ${CMAKE_CURRENT_BINARY_DIR})
  file(GLOB_RECURSE files CONFIGURE_DEPENDS RELATIVE ${folder} ${folder}/*)
  set(asm ".section .rodata\n")
  set(names "")
  set(rows "")
  set(depends "")
  set(n 0)
  foreach(file ${files})
    file(SHA256 ${folder}/${file} hash)
    string(SUBSTRING ${hash} 0 20 etag)
    set(packed ${binary}/page/${hash}.gz)
    if(NOT EXISTS ${packed})
      file(MAKE_DIRECTORY ${binary}/page)
      execute_process(COMMAND ${MEZZO_GZIP} -9 -n -c ${folder}/${file} OUTPUT_FILE ${packed} COMMAND_ERROR_IS_FATAL ANY)
    endif()
    foreach(part bytes gzip)
      set(source ${folder}/${file})
      if(part STREQUAL gzip)
        set(source ${packed})
      endif()
      file(SIZE ${source} size)
      string(APPEND asm ".global mezzo_page_${n}_${part}\nmezzo_page_${n}_${part}:\n.incbin \"${source}\"\n.byte 0\n")
      string(APPEND names "extern \"C\" const char mezzo_page_${n}_${part}[];\n")
      set(view_${part} "{mezzo_page_${n}_${part}, ${size}}")
    endforeach()
    string(APPEND rows "    {\"/${file}\", \"${etag}\", ${view_bytes}, ${view_gzip}},\n")
    list(APPEND depends ${folder}/${file})
    math(EXPR n "${n} + 1")
  endforeach()
  string(APPEND asm ".section .note.GNU-stack,\"\",%progbits\n")
  set(table "  return {};\n")
  if(rows)
    set(table "  static const PageFile kFiles[] = {\n${rows}  };\n  return kFiles;\n")
  endif()
  file(CONFIGURE OUTPUT ${binary}/page_files.S CONTENT "${asm}" @ONLY)
  file(CONFIGURE OUTPUT ${binary}/page_files.cpp @ONLY CONTENT
"// Made by cmake/page.cmake.
#include \"server/page_files.h\"
${names}
namespace mezzo::server {
std::span<const PageFile> page_files() {
${table}}
}  // namespace mezzo::server
")
  set_source_files_properties(${binary}/page_files.S PROPERTIES OBJECT_DEPENDS "${depends}")
  set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS ${depends})
  target_sources(${target} PRIVATE ${binary}/page_files.S ${binary}/page_files.cpp)
endfunction()
