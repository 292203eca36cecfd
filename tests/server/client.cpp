#include "client.h"

#include <arpa/inet.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <stdexcept>

namespace mezzo::test {

std::string Answer::header(const std::string& name) const {
  std::string lower = head;
  std::transform(lower.begin(), lower.end(), lower.begin(), ::tolower);
  const auto at = lower.find("\r\n" + name + ": ");
  if (at == lower.npos) return "";
  const auto begin = at + name.size() + 4;
  return head.substr(begin, head.find("\r\n", begin) - begin);
}

Answer Client::post(const std::string& target, const Json& body, const Headers& headers) const {
  Headers all = headers;
  all.emplace_back("Content-Type", "application/json");
  return send("POST", target, body.dump(), all);
}

Answer Client::send(const std::string& method, const std::string& target, const std::string& body,
                    const Headers& headers) const {
  std::string text = method + " " + target + " HTTP/1.1\r\nConnection: close\r\n";
  bool has_host = false;
  for (const auto& [name, value] : headers) {
    text += name + ": " + value + "\r\n";
    has_host = has_host || name == "Host";
  }
  if (!has_host) text += "Host: 127.0.0.1:" + std::to_string(port_) + "\r\n";
  if (!body.empty()) text += "Content-Length: " + std::to_string(body.size()) + "\r\n";
  const std::string all = raw(text + "\r\n" + body);
  Answer answer;
  const auto end = all.find("\r\n\r\n");
  if (all.size() < 12 || end == all.npos) return answer;
  answer.status = std::stoi(all.substr(9, 3));
  answer.head = all.substr(0, end + 2);
  answer.body = all.substr(end + 4);
  return answer;
}

int Client::open(const std::string& bytes) const {
  const int fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(static_cast<std::uint16_t>(port_));
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  if (::connect(fd, reinterpret_cast<sockaddr*>(&address), sizeof address) != 0) {
    ::close(fd);
    throw std::runtime_error("cannot connect to the server");
  }
  std::size_t at = 0;
  while (at < bytes.size()) {
    const ssize_t n = ::send(fd, bytes.data() + at, bytes.size() - at, MSG_NOSIGNAL);
    if (n <= 0) break;  // the server has answered already, and closed
    at += static_cast<std::size_t>(n);
  }
  return fd;
}

std::string Client::raw(const std::string& bytes, const std::string& enough, int seconds) const {
  const int fd = open(bytes);
  const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(seconds);
  std::string all;
  while (enough.empty() || all.find(enough) == all.npos) {
    const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(
        end - std::chrono::steady_clock::now());
    pollfd poll{.fd = fd, .events = POLLIN, .revents = 0};
    char part[65536];
    if (left.count() <= 0 || ::poll(&poll, 1, static_cast<int>(left.count())) <= 0) break;
    const ssize_t n = ::recv(fd, part, sizeof part, 0);
    if (n <= 0) break;
    all.append(part, static_cast<std::size_t>(n));
  }
  ::close(fd);
  return all;
}

}  // namespace mezzo::test
