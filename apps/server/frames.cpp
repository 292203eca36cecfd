#include "server/frames.h"

#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdint>

#include "mezzotint/errors.h"

namespace mezzo::server {
namespace {

using Clock = std::chrono::steady_clock;
using Milliseconds = std::chrono::milliseconds;
constexpr Milliseconds kWholeFrame{30'000};

void write_all(int fd, std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t n = ::send(fd, bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) throw DeviceError("the other process has ended");
    bytes.remove_prefix(static_cast<std::size_t>(n));
  }
}

/// 1: readable, 0: time is over, -1: broken.
int wait_readable(int fd, Clock::time_point until) {
  for (;;) {
    const auto left = std::chrono::duration_cast<Milliseconds>(until - Clock::now()).count();
    pollfd poll{.fd = fd, .events = POLLIN, .revents = 0};
    const int n = ::poll(&poll, 1, static_cast<int>(std::max<std::int64_t>(left, 0)));
    if (n < 0 && errno == EINTR) continue;
    return n;
  }
}

bool read_all(int fd, char* to, std::size_t size, Clock::time_point until) {
  while (size > 0) {
    if (wait_readable(fd, until) <= 0) return false;
    const ssize_t n = ::recv(fd, to, size, 0);
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) return false;
    to += n;
    size -= static_cast<std::size_t>(n);
  }
  return true;
}

/// The memory grows with what arrives: a length alone takes none.
bool read_text(int fd, std::string& to, std::size_t size, Clock::time_point until) {
  constexpr std::size_t kPiece = 1u << 20;
  to.clear();
  while (to.size() < size) {
    const std::size_t have = to.size(), piece = std::min(size - have, kPiece);
    to.resize(have + piece);
    if (!read_all(fd, to.data() + have, piece, until)) return false;
  }
  return true;
}

void put_length(std::string& out, std::size_t n) {
  for (int k = 0; k < 4; ++k) out += static_cast<char>(n >> (8 * k) & 0xFF);
}

std::size_t get_length(const char* bytes) {
  std::size_t n = 0;
  for (std::size_t k = 0; k < 4; ++k)
    n |= static_cast<std::size_t>(static_cast<unsigned char>(bytes[k])) << (8 * k);
  return n;
}

}  // namespace

void send_frame(int fd, const Json& head, std::string_view body) {
  const std::string text = dump(head);
  if (text.size() > kMaxFrameHead || body.size() > kMaxFrameBody)
    throw UsageError("the request or its pictures are too large");
  std::string start;
  put_length(start, text.size());
  put_length(start, body.size());
  write_all(fd, start + text);
  write_all(fd, body);
}

Received receive_frame(int fd, Frame& frame, Milliseconds wait) {
  const int ready = wait_readable(fd, Clock::now() + wait);
  if (ready <= 0) return ready == 0 ? Received::kNothing : Received::kEnd;
  const auto until = Clock::now() + kWholeFrame;
  std::array<char, 8> start{};
  if (!read_all(fd, start.data(), start.size(), until)) return Received::kEnd;
  const std::size_t head = get_length(start.data()), body = get_length(start.data() + 4);
  if (head > kMaxFrameHead || body > kMaxFrameBody) return Received::kEnd;
  std::string text;
  if (!read_text(fd, text, head, until) || !read_text(fd, frame.body, body, until))
    return Received::kEnd;
  frame.head = Json::parse(text, nullptr, false);
  return frame.head.is_object() ? Received::kFrame : Received::kEnd;
}

}  // namespace mezzo::server
