#include "server/http_server.h"

#include <sys/socket.h>

#include <array>
#include <atomic>
#define BOOST_ASIO_NO_DEPRECATED
#include <boost/asio/awaitable.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/thread_pool.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/beast/core.hpp>
#include <boost/beast/http.hpp>
#include <thread>

#include <fmt/format.h>

#include "mezzotint/errors.h"

namespace mezzo::server {
namespace {

namespace net = boost::asio;
namespace beast = boost::beast;
namespace http = beast::http;
using Tcp = net::ip::tcp;
using ErrorCode = boost::system::error_code;

constexpr std::size_t kMaxHead = 16u << 10, kMaxBody = 64u << 20, kAllBodies = 256u << 20,
                      kAllAnswers = 1u << 30;
constexpr int kMaxConnections = 256;
constexpr int kHandlers = 24;  // most wait: for a question's turn, for the disk
constexpr auto kForHead = std::chrono::seconds(30), kForBody = std::chrono::seconds(120),
               kForAnswer = std::chrono::seconds(60), kHeartbeat = std::chrono::seconds(15),
               kToLinger = std::chrono::seconds(5);
/// A stream rests after each piece, the longer the more streams there are: 250 pieces a second for
/// all of them, however many events there are. What happens meanwhile goes together.
constexpr std::chrono::microseconds kRestPerStream{4'000}, kLongestRest{800'000};

std::string address_text(const Tcp::endpoint& endpoint) {
  const auto address = endpoint.address();
  if (address.is_v6() && address.to_v6().is_v4_mapped())
    return fmt::format("{}:{}",
                       net::ip::make_address_v4(net::ip::v4_mapped, address.to_v6()).to_string(),
                       endpoint.port());
  const std::string text = address.to_string();
  return fmt::format("{}:{}", address.is_v6() ? "[" + text + "]" : text, endpoint.port());
}

/// Throws ApiError for a target that is not understood.
Request request_of(const http::request_header<>& head, const std::string& local_address) {
  Request request;
  request.method = std::string(head.method_string());
  request.local_address = local_address;
  for (const auto& field : head) {
    const std::string name = ascii_lower(std::string(field.name_string()));
    auto& value = request.headers[name];
    if (name == "host" && !value.empty()) throw ApiError(400, "usage", "two Host headers");
    value += (value.empty() ? "" : ", ") + std::string(field.value());
  }
  const std::string_view target(head.target().data(), head.target().size());
  if (!target.starts_with('/')) throw ApiError(400, "usage", "the address does not begin with /");
  const auto question = std::min(target.find('?'), target.size());
  request.path = url_decoded(target.substr(0, question), false);
  request.query = parse_query(target.substr(std::min(question + 1, target.size())));
  return request;
}

/// Bytes of one body among all that are being read, or written.
class BodyShare {
 public:
  BodyShare(std::atomic<std::size_t>& all, std::size_t most) : all_(all), most_(most) {}
  ~BodyShare() { all_ -= mine_; }
  BodyShare(const BodyShare&) = delete;
  BodyShare& operator=(const BodyShare&) = delete;
  /// Instead of what was taken before. False: there is no room.
  bool take(std::size_t bytes) {
    const std::size_t all = all_ += bytes - mine_;
    mine_ = bytes;
    return all <= most_;
  }

 private:
  std::atomic<std::size_t>& all_;
  std::size_t most_, mine_ = 0;
};

/// Tells once when the client closes the connection, of which nothing is expected; as long as what
/// is returned lives.
[[nodiscard]] std::shared_ptr<void> when_gone(beast::tcp_stream& stream,
                                              std::function<void()> tell) {
  auto watch = std::make_shared<bool>(true);
  stream.socket().async_wait(
      Tcp::socket::wait_read,
      [&stream, tell = std::move(tell), watched = std::weak_ptr<bool>(watch)](ErrorCode error) {
        if (error || watched.expired()) return;
        char byte = 0;
        const auto n = ::recv(stream.socket().native_handle(), &byte, 1, MSG_PEEK | MSG_DONTWAIT);
        if (n <= 0) tell();  // else a pipelined request
      });
  return watch;
}

void take_address(Tcp::acceptor& acceptor, const std::string& host, unsigned short port,
                  bool listens) {
  ErrorCode error;
  const auto address = net::ip::make_address(host == "localhost" ? "127.0.0.1" : host, error);
  if (error)
    throw UsageError(
        fmt::format("host: \"{}\" is not an address; give one such as 127.0.0.1 or 0.0.0.0", host));
  const Tcp::endpoint endpoint(address, port);
  acceptor.open(endpoint.protocol(), error);
  if (!error) acceptor.set_option(net::socket_base::reuse_address(true), error);
  if (!error) acceptor.bind(endpoint, error);
  if (!error && listens) acceptor.listen(net::socket_base::max_listen_connections, error);
  if (error)
    throw DeviceError(fmt::format("cannot listen on {}:{}: {}; choose another --port", host, port,
                                  error.message()));
}

}  // namespace

struct HttpServer::State {
  HttpOptions options;
  net::io_context io{1};
  net::thread_pool handlers{kHandlers};
  Tcp::acceptor acceptor{io};
  std::atomic<int> connections = 0;
  int streams = 0;  // connections that are streams; of the network's thread
  std::atomic<std::size_t> bodies = 0, answers = 0;
  std::thread thread;

  net::awaitable<void> accept();
  net::awaitable<void> serve(Tcp::socket socket);
  net::awaitable<void> linger(beast::tcp_stream& stream);
  net::awaitable<bool> serve_one(beast::tcp_stream& stream, beast::flat_buffer& buffer);
  net::awaitable<Response> answer(std::function<Response()> make);
  net::awaitable<bool> write(beast::tcp_stream& stream, Response response, bool keep, bool head);
  net::awaitable<void> write_stream(beast::tcp_stream& stream, std::shared_ptr<Stream> source);
  net::awaitable<Response> wait_for(beast::tcp_stream& stream, std::shared_ptr<Later> later);
};

net::awaitable<void> HttpServer::State::accept() {
  net::steady_timer pause(io);
  for (ErrorCode error, ignored;;) {
    while (error || connections >= kMaxConnections) {  // out of descriptors, or too many: later
      error = {};
      pause.expires_after(std::chrono::milliseconds(20));
      co_await pause.async_wait(net::redirect_error(net::use_awaitable, ignored));
    }
    Tcp::socket socket =
        co_await acceptor.async_accept(net::redirect_error(net::use_awaitable, error));
    if (error == net::error::operation_aborted) co_return;
    if (!error) net::co_spawn(io, serve(std::move(socket)), net::detached);
  }
}

net::awaitable<void> HttpServer::State::serve(Tcp::socket socket) {
  ++connections;
  try {
    beast::tcp_stream stream(std::move(socket));
    beast::flat_buffer buffer(kMaxHead + (64u << 10));
    while (co_await serve_one(stream, buffer)) {
    }
    co_await linger(stream);
  } catch (const std::exception&) {  // the client has gone
  }
  --connections;
}

/// A client that is still sending what was refused would lose the answer if the connection closed
/// at once: for a while what it sends is thrown away.
net::awaitable<void> HttpServer::State::linger(beast::tcp_stream& stream) {
  ErrorCode error;
  stream.socket().shutdown(Tcp::socket::shutdown_send, error);
  stream.expires_after(kToLinger);
  std::array<char, 16384> nothing;
  while (!error)
    co_await stream.async_read_some(net::buffer(nothing),
                                    net::redirect_error(net::use_awaitable, error));
}

/// One request and its answer. False: the connection ends.
net::awaitable<bool> HttpServer::State::serve_one(beast::tcp_stream& stream,
                                                  beast::flat_buffer& buffer) {
  http::request_parser<http::string_body> parser;
  parser.header_limit(kMaxHead);
  parser.body_limit(kMaxBody);
  ErrorCode error;
  stream.expires_after(kForHead);
  co_await http::async_read_header(stream, buffer, parser,
                                   net::redirect_error(net::use_awaitable, error));
  if (error == http::error::header_limit)
    co_return co_await write(
        stream, error_response({431, "too_large", "the headers are longer than 16 KiB"}), false,
        false);
  if (error == http::error::body_limit)
    co_return co_await write(stream, error_response({413, "too_large", "the body is too large"}),
                             false, false);
  if (error) {
    if (error != http::error::end_of_stream &&
        error.category() == http::make_error_code(http::error::bad_method).category())
      co_await write(stream, error_response({400, "usage", "not a valid HTTP request"}), false,
                     false);
    co_return false;
  }
  Request request;
  std::optional<Response> refusal;
  try {
    request = request_of(parser.get(), address_text(stream.socket().local_endpoint()));
    refusal = options.refuse(request);
  } catch (const ApiError& e) {
    refusal = error_response(e);
  }
  const bool head = request.method == "HEAD";
  BodyShare share(bodies, kAllBodies);
  if (!refusal && !parser.is_done() && !share.take(parser.content_length().value_or(kMaxBody)))
    refusal = error_response({503, "memory", "too many uploads at once; try again"});
  if (refusal) co_return co_await write(stream, std::move(*refusal), false, head);

  stream.expires_after(kForBody);
  if (beast::iequals(parser.get()[http::field::expect], "100-continue")) {
    constexpr std::string_view kGoOn = "HTTP/1.1 100 Continue\r\n\r\n";
    co_await net::async_write(stream, net::buffer(kGoOn.data(), kGoOn.size()), net::use_awaitable);
  }
  co_await http::async_read(stream, buffer, parser, net::redirect_error(net::use_awaitable, error));
  if (error == http::error::body_limit)
    co_return co_await write(
        stream,
        error_response(
            {413, "too_large", fmt::format("the body is larger than {} MB", kMaxBody / 1'000'000)}),
        false, head);
  if (error) co_return false;
  const bool keep = parser.get().keep_alive();
  request.body = std::move(parser.get().body());
  share.take(request.body.size());  // of a chunked one all was taken that it may have

  Response response =
      co_await answer([this, &request] { return options.handle(std::move(request)); });
  if (response.later) response = co_await wait_for(stream, std::move(response.later));
  co_return co_await write(stream, std::move(response), keep, head);
}

net::awaitable<Response> HttpServer::State::answer(std::function<Response()> make) {
  co_return co_await net::co_spawn(
      handlers, [&make]() -> net::awaitable<Response> { co_return make(); }, net::use_awaitable);
}

/// Waits for another thread's answer; a client that goes meanwhile is told to whoever works for it.
net::awaitable<Response> HttpServer::State::wait_for(beast::tcp_stream& stream,
                                                     std::shared_ptr<Later> later) {
  stream.expires_never();
  auto timer = std::make_shared<net::steady_timer>(io, net::steady_timer::time_point::max());
  const std::shared_ptr<void> farewell(nullptr, [later](void*) { later->on_news(nullptr); });
  later->on_news([this, timer] { net::post(io, [timer] { timer->cancel(); }); });
  const auto watch = when_gone(stream, [later, timer] {
    later->abandon();
    timer->cancel();
  });
  for (;;) {
    if (auto make = later->take()) {
      stream.socket().cancel();
      co_return co_await answer(std::move(make));
    }
    if (later->abandoned()) throw DeviceError("the client has gone");
    ErrorCode cancelled;
    co_await timer->async_wait(net::redirect_error(net::use_awaitable, cancelled));
    timer->expires_at(net::steady_timer::time_point::max());
  }
}

net::awaitable<bool> HttpServer::State::write(beast::tcp_stream& stream, Response response,
                                              bool keep, bool head) {
  BodyShare share(answers, kAllAnswers);
  if (!share.take(response.body.size()))
    response = error_response({503, "memory", "too many downloads at once; try again"});
  http::response<http::string_body> message(static_cast<http::status>(response.status), 11);
  for (const auto& [name, value] : options.headers) message.set(name, value);
  for (const auto& [name, value] : response.headers) message.insert(name, value);
  if (!response.type.empty()) message.set(http::field::content_type, response.type);
  if (message.find(http::field::cache_control) == message.end())
    message.set(http::field::cache_control, "no-store");
  stream.expires_after(kForAnswer);
  if (response.stream && !head) {
    message.keep_alive(false);
    message.chunked(true);
    http::response_serializer<http::string_body> serializer(message);
    // Tells the source that nobody listens any more, whichever way this ends.
    ++streams;
    const std::shared_ptr<void> farewell(nullptr, [this, source = response.stream](void*) {
      --streams;
      source->abandon();
    });
    co_await http::async_write_header(stream, serializer, net::use_awaitable);
    co_await write_stream(stream, std::move(response.stream));
    co_return false;
  }
  message.keep_alive(keep);
  message.body() = std::move(response.body);
  message.prepare_payload();
  http::response_serializer<http::string_body> serializer(message);
  if (head) {
    co_await http::async_write_header(stream, serializer, net::use_awaitable);
    co_return keep;
  }
  while (!serializer.is_done()) {  // a slow client that takes something has time for more
    stream.expires_after(kForAnswer);
    co_await http::async_write_some(stream, serializer, net::use_awaitable);
  }
  co_return keep;
}

net::awaitable<void> HttpServer::State::write_stream(beast::tcp_stream& stream,
                                                     std::shared_ptr<Stream> source) {
  auto timer = std::make_shared<net::steady_timer>(io);
  timer->expires_after(kHeartbeat);
  source->on_news([this, timer] { net::post(io, [timer] { timer->cancel(); }); });
  auto rest = std::make_shared<net::steady_timer>(io);
  const auto watch = when_gone(stream, [source, timer, rest] {
    source->abandon();
    timer->cancel();
    rest->cancel();
  });
  for (;;) {
    if (source->abandoned()) co_return;  // perhaps while it rested
    auto [text, over] = source->take();
    if (text.empty() && !over) {
      ErrorCode woken;
      co_await timer->async_wait(net::redirect_error(net::use_awaitable, woken));
      if (!woken) text = ": still here\n\n";
      timer->expires_after(kHeartbeat);
      if (!woken || source->abandoned()) {
        if (text.empty()) co_return;
      } else {
        continue;
      }
    }
    stream.expires_after(kForAnswer);
    if (!text.empty())
      co_await net::async_write(stream, http::make_chunk(net::buffer(text)), net::use_awaitable);
    if (over) {
      co_await net::async_write(stream, http::make_chunk_last(), net::use_awaitable);
      co_return;
    }
    stream.expires_never();
    rest->expires_after(std::min(streams * kRestPerStream, kLongestRest));
    ErrorCode ignored;
    co_await rest->async_wait(net::redirect_error(net::use_awaitable, ignored));
  }
}

void HttpServer::check_address(const std::string& host, unsigned short port) {
  net::io_context io{1};
  Tcp::acceptor acceptor{io};
  take_address(acceptor, host, port, false);
}

HttpServer::HttpServer(HttpOptions options) : state_(std::make_unique<State>()) {
  state_->options = std::move(options);
  take_address(state_->acceptor, state_->options.host, state_->options.port, true);
  net::co_spawn(state_->io, state_->accept(), net::detached);
  state_->thread = std::thread([state = state_.get()] { state->io.run(); });
}

HttpServer::~HttpServer() {
  state_->io.stop();
  state_->thread.join();
  state_->handlers.join();
}

unsigned short HttpServer::port() const { return state_->acceptor.local_endpoint().port(); }

}  // namespace mezzo::server
