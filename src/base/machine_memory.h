// How much memory this process may still take.
#pragma once

#include <cstdint>

namespace mezzo {

/// Bytes that the process holds and those it can get without swapping, whichever is less of the
/// machine's and its control group's; 0 where the system does not tell.
std::uint64_t usable_memory();

/// Gives memory that was freed back to the system, which allocators mostly keep for themselves.
void return_freed_memory();

}  // namespace mezzo
