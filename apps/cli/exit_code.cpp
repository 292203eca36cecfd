#include "cli/exit_code.h"

#include <algorithm>
#include <new>

#include <nlohmann/json.hpp>

#include "mezzotint/errors.h"

namespace mezzo::cli {
namespace {

std::string one_line(std::string text) {
  std::replace_if(
      text.begin(), text.end(), [](char c) { return c == '\n' || c == '\r'; }, ' ');
  return text;
}

}  // namespace

Failure describe(const std::exception_ptr& error) {
  try {
    std::rethrow_exception(error);
  } catch (const UsageError& e) {
    return {kUsage, "usage", one_line(e.what())};
  } catch (const LoadError& e) {
    return {kModelUnreadable, "load", one_line(e.what())};
  } catch (const OutOfMemory& e) {
    return {kNotEnoughMemory, "memory", one_line(e.what())};
  } catch (const Cancelled&) {
    return {kInterrupted, "cancelled", "interrupted; finished pictures are kept"};
  } catch (const DeviceError& e) {
    return {kFailed, "device", one_line(e.what())};
  } catch (const std::bad_alloc&) {
    return {kNotEnoughMemory, "memory",
            "the machine has no memory left; close other programs, or choose a smaller size or "
            "--max-ram"};
  } catch (const std::exception& e) {
    return {kFailed, "internal", one_line(e.what())};
  }
}

std::string to_json(const Failure& failure) {
  using Json = nlohmann::ordered_json;
  const Json json = {{"error", {{"kind", failure.kind}, {"message", failure.message}}}};
  return json.dump(2, ' ', false, Json::error_handler_t::replace);
}

}  // namespace mezzo::cli
