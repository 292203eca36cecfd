// Any bytes as what a worker sends to its supervisor: frames with an object for a head, or the end
// of the conversation.
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <cstdlib>

#include "server/frames.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace mezzo::server;
  constexpr std::size_t kMost = 64u << 10;  // less than a socket holds: nobody reads meanwhile
  if (size > kMost) return 0;
  std::array<int, 2> ends{};
  if (::socketpair(AF_UNIX, SOCK_STREAM, 0, ends.data()) != 0) std::abort();
  if (::send(ends[0], data, size, MSG_DONTWAIT) != static_cast<ssize_t>(size)) std::abort();
  ::close(ends[0]);
  for (;;) {
    Frame frame;
    const Received got = receive_frame(ends[1], frame, std::chrono::milliseconds(0));
    if (got != Received::kFrame) break;
    if (!frame.head.is_object() || frame.body.size() > size) __builtin_trap();
  }
  ::close(ends[1]);
  return 0;
}
