// How much memory this process may still take.
#pragma once

#include <cstdint>

namespace mezzo {

/// Bytes that the process holds and those it can get without swapping, whichever is less of the
/// machine's and its control group's; 0 where the system does not tell.
std::uint64_t usable_memory();

/// Gives freed memory back to the system, which the heap mostly keeps for the next ones.
void return_freed_memory();
/// Makes the heap return large freed blocks at once from now on: slower, but what is held is what
/// was counted.
void keep_heap_small();

}  // namespace mezzo
