#include "server/http.h"

#include <array>
#include <new>

#include "mezzotint/errors.h"
#include "mezzotint/params.h"
#include "server/json.h"

namespace mezzo::server {
namespace {

const std::string& find_or_empty(const std::map<std::string, std::string>& map,
                                 const std::string& name) {
  static const std::string kNone;
  const auto it = map.find(name);
  return it == map.end() ? kNone : it->second;
}

int hex_digit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

constexpr std::string_view kAlphabet =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

std::array<int, 256> base64_values() {
  std::array<int, 256> values;
  values.fill(-1);
  for (std::size_t i = 0; i < kAlphabet.size(); ++i)
    values[static_cast<unsigned char>(kAlphabet[i])] = static_cast<int>(i);
  values[static_cast<unsigned char>('-')] = 62;  // the URL-safe letters
  values[static_cast<unsigned char>('_')] = 63;
  return values;
}

/// The field that a message of the library begins with: "width: 100 is not ...".
std::string blamed_field(std::string_view message) {
  const auto colon = message.find(": ");
  if (colon == message.npos) return "";
  const std::string name(message.substr(0, colon));
  const bool known = find_field(name) != nullptr || name == "prompt" || name == "prompts";
  if (name == "init") return "init_image";
  if (name == "mask") return "mask_image";
  return known ? name : "";
}

}  // namespace

const std::string& Request::header(const std::string& name) const {
  return find_or_empty(headers, name);
}

const std::string& Request::query_text(const std::string& name) const {
  return find_or_empty(query, name);
}

void Waited::on_news(std::function<void()> wake) {
  const std::scoped_lock lock(mutex_);
  wake_ = std::move(wake);
  if (wake_ && has_news()) wake_();
}

// Under the mutex: after on_news(nullptr) nobody is woken any more.
void Waited::wake() {
  const std::scoped_lock lock(mutex_);
  if (wake_) wake_();
}

void Waited::abandon() {
  std::function<void()> told;
  {
    const std::scoped_lock lock(mutex_);
    abandoned_ = true;
    wake_ = nullptr;
    told = std::move(told_);
    told_ = nullptr;
  }
  if (told) told();
}

bool Waited::abandoned() const {
  const std::scoped_lock lock(mutex_);
  return abandoned_;
}

void Waited::on_abandoned(std::function<void()> told) {
  {
    const std::scoped_lock lock(mutex_);
    if (!abandoned_) {
      told_ = std::move(told);
      return;
    }
  }
  told();
}

void Stream::push(std::string_view piece) {
  {
    const std::scoped_lock lock(mutex_);
    if (closed_) return;
    const bool known = !waiting_.empty();  // the connection was woken for what is there already
    if (waiting_.size() + piece.size() > most_)
      closed_ = true;  // a listener of events comes back with Last-Event-ID
    else
      waiting_ += piece;
    if (known && !closed_) return;
  }
  wake();
}

void Stream::close() {
  {
    const std::scoped_lock lock(mutex_);
    closed_ = true;
  }
  wake();
}

std::pair<std::string, bool> Stream::take() {
  const std::scoped_lock lock(mutex_);
  return {std::exchange(waiting_, {}), closed_};
}

void Later::answer(std::function<Response()> make) {
  {
    const std::scoped_lock lock(mutex_);
    make_ = std::move(make);
  }
  wake();
}

std::function<Response()> Later::take() {
  const std::scoped_lock lock(mutex_);
  return std::exchange(make_, nullptr);
}

std::string ascii_lower(std::string_view text) {
  std::string small(text);
  for (char& c : small)
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  return small;
}

Response json_response(std::string body, int status) {
  return {.status = status, .body = std::move(body)};
}

Response error_response(const ApiError& error) {
  Json inner = {{"code", error.code}, {"message", error.what()}};
  if (!error.field.empty()) inner["field"] = error.field;
  Response response = json_response(dump(Json{{"error", inner}}), error.status);
  if (error.status == 429 || error.status == 503)
    response.headers.emplace_back("Retry-After", error.status == 429 ? "5" : "10");
  return response;
}

ApiError as_api_error(const std::exception_ptr& error) {
  try {
    std::rethrow_exception(error);
  } catch (const ApiError& e) {
    return e;
  } catch (const UsageError& e) {
    return {400, "usage", e.what(), blamed_field(e.what())};
  } catch (const LoadError& e) {
    return {422, "model", e.what()};
  } catch (const OutOfMemory& e) {
    return {503, "memory", e.what()};
  } catch (const std::bad_alloc&) {
    return {503, "memory", "the machine has no memory left; choose a smaller picture"};
  } catch (const DeviceError& e) {
    return {503, "device", e.what()};
  } catch (const std::exception& e) {
    return {500, "internal", e.what()};
  }
}

std::string url_decoded(std::string_view text, bool query) {
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '+' && query) {
      out += ' ';
    } else if (text[i] == '%') {
      const int high = i + 2 < text.size() ? hex_digit(text[i + 1]) : -1;
      const int low = high >= 0 ? hex_digit(text[i + 2]) : -1;
      if (low < 0) throw ApiError(400, "usage", "the address has a broken % escape");
      out += static_cast<char>(high * 16 + low);
      i += 2;
    } else {
      out += text[i];
    }
  }
  return out;
}

std::map<std::string, std::string> parse_query(std::string_view text) {
  std::map<std::string, std::string> query;
  while (!text.empty()) {
    const auto end = std::min(text.find('&'), text.size());
    const std::string_view pair = text.substr(0, end);
    const auto equals = std::min(pair.find('='), pair.size());
    if (!pair.empty())
      query[url_decoded(pair.substr(0, equals), true)] =
          url_decoded(pair.substr(std::min(equals + 1, pair.size())), true);
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return query;
}

std::string base64_decoded(std::string_view text, const std::string& field) {
  static const std::array<int, 256> kValues = base64_values();
  if (text.starts_with("http://") || text.starts_with("https://"))
    throw ApiError(400, "usage",
                   field + ": addresses are not fetched; send the picture itself as base64", field);
  if (text.starts_with("data:")) {
    const auto comma = text.find(',');
    if (comma == text.npos || text.substr(0, comma).find(";base64") == text.npos)
      throw ApiError(400, "usage", field + ": not a base64 data URL", field);
    text.remove_prefix(comma + 1);
  }
  std::string out;
  out.reserve(text.size() / 4 * 3);
  unsigned bits = 0;
  int count = 0;
  for (const char c : text) {
    if (c == '\n' || c == '\r' || c == '=') continue;
    const int value = kValues[static_cast<unsigned char>(c)];
    if (value < 0) throw ApiError(400, "usage", field + ": not base64", field);
    bits = bits << 6 | static_cast<unsigned>(value);
    if (++count == 4) {
      out += {static_cast<char>(bits >> 16), static_cast<char>(bits >> 8), static_cast<char>(bits)};
      bits = 0;
      count = 0;
    }
  }
  if (count == 1) throw ApiError(400, "usage", field + ": the base64 text is cut off", field);
  bits <<= 6 * (4 - count);
  if (count >= 2) out += static_cast<char>(bits >> 16);
  if (count == 3) out += static_cast<char>(bits >> 8);
  return out;
}

std::string base64(std::string_view bytes) {
  std::string out;
  out.reserve((bytes.size() + 2) / 3 * 4);
  for (std::size_t i = 0; i < bytes.size(); i += 3) {
    const auto at = [&](std::size_t k) {
      return i + k < bytes.size() ? static_cast<unsigned char>(bytes[i + k]) : 0u;
    };
    const unsigned bits = at(0) << 16 | at(1) << 8 | at(2);
    for (std::size_t k = 0; k < 4; ++k)
      out += i + k <= bytes.size() ? kAlphabet[bits >> (18 - 6 * k) & 63] : '=';
  }
  return out;
}

}  // namespace mezzo::server
