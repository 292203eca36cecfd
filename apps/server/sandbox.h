// What a worker gives up before it reads the first byte of a file: new privileges, core files,
// starting programs, the network. Linux's prctl(2) and seccomp(2).
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace mezzo::server {

/// Returns what this system does not allow to give up, in words; empty: all of it is given up.
std::vector<std::string> enter_sandbox();

/// The process gets no more memory than this and a quarter, files that are mapped for reading
/// aside: what asks for more fails with "out of memory" instead of pushing the machine into its
/// swap. False where the system does not allow it.
bool limit_memory(std::uint64_t bytes);

/// Whether the process may still make an internet socket: false in a worker.
bool can_open_sockets();

}  // namespace mezzo::server
