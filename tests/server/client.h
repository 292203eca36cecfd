// A small HTTP/1.1 client for tests: one connection a request, and raw access to the socket.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include <nlohmann/json.hpp>

namespace mezzo::test {

using Json = nlohmann::json;
using Headers = std::vector<std::pair<std::string, std::string>>;

struct Answer {
  int status = 0;
  std::string head, body;
  Json json() const { return Json::parse(body, nullptr, false); }
  /// "" where it is missing; name in lower case.
  std::string header(const std::string& name) const;
};

class Client {
 public:
  explicit Client(int port) : port_(port) {}

  Answer get(const std::string& target, const Headers& headers = {}) const {
    return send("GET", target, "", headers);
  }
  Answer post(const std::string& target, const Json& body, const Headers& headers = {}) const;
  /// Without a Content-Type of its own; Host is added where it is not given.
  Answer send(const std::string& method, const std::string& target, const std::string& body,
              const Headers& headers) const;
  /// Exactly these bytes, and what comes back until the server closes or `enough` is in it.
  std::string raw(const std::string& bytes, const std::string& enough = "", int seconds = 30) const;
  /// A socket that has sent these bytes.
  int open(const std::string& bytes) const;

 private:
  int port_;
};

}  // namespace mezzo::test
