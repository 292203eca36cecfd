# mezzo_embed(target symbol file): links the bytes of `file` into `target`.
# In C++:  extern "C" const unsigned char symbol[];  extern "C" const unsigned long long symbol_size;
enable_language(ASM)
function(mezzo_embed target symbol file)
  get_filename_component(path ${file} ABSOLUTE)
  set(asm ${CMAKE_CURRENT_BINARY_DIR}/${symbol}.S)
  file(CONFIGURE OUTPUT ${asm} @ONLY CONTENT
".section .rodata
.global @symbol@
.balign 64
@symbol@:
.incbin \"@path@\"
.L@symbol@_end:
.balign 8
.global @symbol@_size
@symbol@_size:
.quad .L@symbol@_end - @symbol@
.section .note.GNU-stack,\"\",@progbits
")
  string(REPLACE "@progbits" "%progbits" _unused "")
  set_source_files_properties(${asm} PROPERTIES OBJECT_DEPENDS ${path})
  target_sources(${target} PRIVATE ${asm})
endfunction()
