// Throwing the errors of mezzotint/errors.h with formatted messages, and checks that do it.
#pragma once

#include <fmt/format.h>

#include "mezzotint/errors.h"

namespace mezzo {

/// Throws E with a message in fmt's notation: fail<LoadError>("{}: {} bytes are missing", name, n).
template <class E, class... Args>
[[noreturn]] void fail(fmt::format_string<Args...> text, Args&&... args) {
  throw E(fmt::format(text, std::forward<Args>(args)...));
}

/// Checks an invariant of our own code; never used on values from files, requests or users.
inline void check(bool ok, const char* what) {
  if (!ok) throw InternalError(std::string("internal error: ") + what + " (please report this)");
}
void check(const char*, const char*) = delete;  // a string is not a condition

}  // namespace mezzo
