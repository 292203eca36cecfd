// Data that is built into the program, compressed with gzip.
#pragma once

#include <cstddef>
#include <string>

namespace mezzo {

/// The inflated bytes of embedded data (cmake/embed.cmake gives symbol and size); at most 1 MiB.
std::string inflate_embedded(const unsigned char* gzip, std::size_t size);

}  // namespace mezzo
