// The HTTP/1.1 server: Boost.Beast on one thread for the network, handlers on others. Limits come
// before work: headers 16 KiB, bodies 64 MiB (256 MiB for all at once), 256 connections, 30 seconds
// for a head.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "server/http.h"

namespace mezzo::server {

struct HttpOptions {
  std::string host = "127.0.0.1";
  unsigned short port = 7860;  // 0: any free one
  /// Judges the head of a request before its body is read.
  std::function<std::optional<Response>(const Request&)> refuse;
  std::function<Response(Request)> handle;                   // on several threads
  std::vector<std::pair<std::string, std::string>> headers;  // of every answer
};

class HttpServer {
 public:
  /// Listens. Throws DeviceError: the port is taken, the address is not this machine's.
  explicit HttpServer(HttpOptions options);
  /// Throws where listening would, and leaves nothing behind.
  static void check_address(const std::string& host, unsigned short port);
  ~HttpServer();  // closes every connection
  HttpServer(const HttpServer&) = delete;
  HttpServer& operator=(const HttpServer&) = delete;

  unsigned short port() const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace mezzo::server
