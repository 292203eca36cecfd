// Requests and answers as the routes see them: no network types. An answer is complete (Response),
// comes later (Later), or goes on for as long as the client listens (Stream).
#pragma once

#include <chrono>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace mezzo::server {

/// What a client did wrong, or what it cannot have now; becomes the body that docs/http_api.md
/// shows.
struct ApiError : std::runtime_error {
  ApiError(int status_, std::string code_, const std::string& message, std::string field_ = "")
      : std::runtime_error(message),
        status(status_),
        code(std::move(code_)),
        field(std::move(field_)) {}
  int status;
  std::string code, field;
};

struct Request {
  std::string method, path;                    // path: decoded, without the query
  std::map<std::string, std::string> query;    // decoded
  std::map<std::string, std::string> headers;  // names in lower case
  std::string body;
  std::string local_address;        // of the connection, as Host may name it: "127.0.0.1:7860"
  std::vector<std::string> places;  // what stood for the {...} of the route

  /// "" where it is missing.
  const std::string& header(const std::string& name) const;
  const std::string& query_text(const std::string& name) const;
};

class Stream;
class Later;

struct Response {
  int status = 200;
  std::string type = "application/json";
  std::string body = {};
  std::vector<std::pair<std::string, std::string>> headers = {};
  std::shared_ptr<Stream> stream = {};  // its pieces follow the (empty) body
  std::shared_ptr<Later> later = {};    // this answer is only a promise of another
};

/// Something that wakes the connection which waits for it, and learns that the client has gone.
class Waited {
 public:
  virtual ~Waited() = default;
  /// Called (from any thread) whenever there is something new; once at once if there already is. It
  /// must neither block nor call back.
  void on_news(std::function<void()> wake);
  /// The connection's side: the client has gone.
  void abandon();
  bool abandoned() const;
  void on_abandoned(std::function<void()> told);

 protected:
  void wake();  // without mutex_
  virtual bool has_news() const = 0;
  mutable std::mutex mutex_;

 private:
  std::function<void()> wake_, told_;
  bool abandoned_ = false;
};

/// Pieces of a body from any thread to one connection.
class Stream : public Waited {
 public:
  static constexpr std::size_t kMaxWaiting = 16u << 20;

  /// A client that leaves more than `most` bytes waiting is cut off.
  explicit Stream(std::size_t most = kMaxWaiting) : most_(most) {}
  void push(std::string_view piece);
  void close();
  /// All that waits, and whether it is the end.
  std::pair<std::string, bool> take();

 protected:
  bool has_news() const override { return closed_ || !waiting_.empty(); }

 private:
  std::size_t most_;
  std::string waiting_;
  bool closed_ = false;
};

/// An answer that comes when another thread says how to make it; it is made on a handler's thread.
class Later : public Waited {
 public:
  void answer(std::function<Response()> make);
  std::function<Response()> take();

 protected:
  bool has_news() const override { return make_ != nullptr; }

 private:
  std::function<Response()> make_;
};

Response json_response(std::string body, int status = 200);
Response error_response(const ApiError& error);
/// Whatever was thrown, as ApiError: the library's errors have their rows in docs/http_api.md.
ApiError as_api_error(const std::exception_ptr& error);

/// "%41+b" -> "A b" (plus is a space in queries only). Throws ApiError for a broken escape.
std::string url_decoded(std::string_view text, bool query);
std::map<std::string, std::string> parse_query(std::string_view text);
/// A to Z made small; other bytes stay.
std::string ascii_lower(std::string_view text);
/// Base64, also as a data: URL. Throws ApiError naming `field`.
std::string base64_decoded(std::string_view text, const std::string& field);
std::string base64(std::string_view bytes);

}  // namespace mezzo::server
