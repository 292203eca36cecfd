// What supervisor and worker say to each other over their socket pair: frames of a JSON head and
// bytes. Format: two little-endian 32-bit lengths (head, body), then both.
#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <string_view>

#include "server/json.h"

namespace mezzo::server {

inline constexpr std::size_t kMaxFrameHead = 8u << 20;
inline constexpr std::size_t kMaxFrameBody = 256u << 20;

struct Frame {
  Json head;
  std::string body;
};

/// Throws DeviceError when the other side has gone.
void send_frame(int fd, const Json& head, std::string_view body = {});

enum class Received { kFrame, kNothing, kEnd };

/// Waits for a frame to begin for at most `wait`; one that has begun must be whole within 30
/// seconds. kEnd: the other side has gone, or broke the rules.
Received receive_frame(int fd, Frame& frame, std::chrono::milliseconds wait);

}  // namespace mezzo::server
