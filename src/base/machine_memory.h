// How much memory this process may still take.
#pragma once

#include <cstdint>

namespace mezzo {

/// Bytes that the process holds and those it can get without swapping, whichever is less of the
/// machine's and its control group's; 0 where the system does not tell.
std::uint64_t usable_memory();

/// Makes the heap of this process give large freed blocks back to the system at once. Usually it
/// keeps them for the next ones: faster, but more than was counted. Call it before the work begins.
void give_back_freed_memory();

}  // namespace mezzo
