#include "server/events.h"

#include <algorithm>
#include <charconv>
#include <chrono>

#include <fmt/format.h>

namespace mezzo::server {
namespace {
constexpr std::size_t kKept = 1000, kKeptBytes = 16u << 20;
}

Events::Events()
    : epoch_(fmt::format("{:x}", std::chrono::system_clock::now().time_since_epoch().count())) {}

void Events::publish(const std::string& event, std::int64_t job, const std::string& data,
                     bool keep) {
  const std::scoped_lock lock(mutex_);
  std::string text = fmt::format("event: {}\ndata: {}\n\n", event, data);
  if (keep) {
    text = fmt::format("id: {}-{}\n{}", epoch_, next_, text);
    kept_.push_back({next_++, job, text});
    kept_bytes_ += text.size();
    while (kept_.size() > kKept || kept_bytes_ > kKeptBytes) {
      kept_bytes_ -= kept_.front().text.size();
      kept_.pop_front();
    }
  }
  std::erase_if(listeners_, [&](const Listener& l) {
    const auto stream = l.stream.lock();
    if (stream == nullptr || stream->abandoned()) return true;
    if (!l.job || *l.job == job) stream->push(text);
    return false;
  });
}

std::shared_ptr<Stream> Events::subscribe(const std::string& last_id,
                                          std::optional<std::int64_t> job) {
  auto stream = std::make_shared<Stream>();
  const std::scoped_lock lock(mutex_);
  stream->push(": hello\n\n");  // lets the client see at once that it is connected
  if (!last_id.empty()) {
    std::uint64_t last = 0;
    const bool ours = last_id.starts_with(epoch_ + "-");
    if (ours)
      std::from_chars(last_id.data() + epoch_.size() + 1, last_id.data() + last_id.size(), last);
    const std::uint64_t oldest = kept_.empty() ? next_ : kept_.front().number;
    if (!ours || last + 1 < oldest || last >= next_)
      stream->push("event: reset\ndata: {}\n\n");
    else
      for (const Event& e : kept_)
        if (e.number > last && (!job || *job == e.job)) stream->push(e.text);
  }
  listeners_.push_back({stream, job});
  return stream;
}

void Events::close() {
  const std::scoped_lock lock(mutex_);
  for (const Listener& l : listeners_)
    if (const auto stream = l.stream.lock()) stream->close();
  listeners_.clear();
}

std::size_t Events::listeners() const {
  const std::scoped_lock lock(mutex_);
  return static_cast<std::size_t>(
      std::count_if(listeners_.begin(), listeners_.end(), [](const Listener& l) {
        const auto stream = l.stream.lock();
        return stream != nullptr && !stream->abandoned();
      }));
}

}  // namespace mezzo::server
