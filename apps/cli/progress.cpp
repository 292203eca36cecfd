#include "cli/progress.h"

#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdlib>
#include <utility>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

namespace mezzo::cli {
namespace {

constexpr int kDefaultColumns = 80;
constexpr int kShortestBar = 6;  // characters; below that there is only text
constexpr int kLongestBar = 40;
constexpr auto kRedraw = std::chrono::milliseconds(50);

/// What people are told of a phase.
const char* text_of(Phase phase) {
  constexpr std::array kTexts = {"loading the model", "reading the prompt", "drawing", "decoding"};
  return kTexts[static_cast<std::size_t>(phase)];
}

double fraction(const Progress& p) {
  return p.steps > 0 ? std::clamp(static_cast<double>(p.step) / p.steps, 0.0, 1.0) : 0.0;
}

/// "picture 2/4 " where there are several.
std::string picture_text(const Progress& p) {
  if (p.pictures <= 1) return "";
  return fmt::format("picture {}/{} ", std::min(p.picture + 1, p.pictures), p.pictures);
}

/// "12/20  3.1 it/s  0:03 left": what is known of it.
std::string steps_text(const Progress& p) {
  std::string text = p.steps > 0 ? fmt::format("{}/{}", p.step, p.steps) : "";
  if (p.phase == Phase::kDenoise && p.seconds_per_step > 0)
    text += p.seconds_per_step < 1 ? fmt::format("  {:.2f} it/s", 1 / p.seconds_per_step)
                                   : fmt::format("  {:.2f} s/it", p.seconds_per_step);
  if (p.seconds_left > 0) text += fmt::format("  {} left", format_time(p.seconds_left));
  return text;
}

/// A bar of `width` cells, in eighths of a cell where the terminal can show them.
std::string draw_cells(double part, int width, bool utf8) {
  constexpr std::array<const char*, 8> kEighths = {"", "▏", "▎", "▍", "▌", "▋", "▊", "▉"};
  const int eighths = static_cast<int>(std::floor(part * width * 8));
  const int full = eighths / 8;
  std::string cells;
  for (int i = 0; i < full; ++i) cells += utf8 ? "█" : "#";
  int used = full;
  if (utf8 && eighths % 8 != 0) cells += kEighths[static_cast<std::size_t>(eighths % 8)], ++used;
  cells.append(static_cast<std::size_t>(width - used), utf8 ? ' ' : '.');
  return cells;
}

bool terminal_is_utf8() {
  for (const char* name : {"LC_ALL", "LC_CTYPE", "LANG"})
    if (const char* value = std::getenv(name); value != nullptr && *value != '\0') {
      const std::string_view text = value;
      return text.find("UTF-8") != text.npos || text.find("utf8") != text.npos ||
             text.find("UTF8") != text.npos;
    }
  return false;
}

bool is_terminal(std::FILE* file) {
  const char* term = std::getenv("TERM");
  return ::isatty(::fileno(file)) != 0 && (term == nullptr || std::string_view(term) != "dumb");
}

}  // namespace

ProgressMode progress_mode(std::string_view name) {
  constexpr std::array<std::pair<std::string_view, ProgressMode>, 5> kModes = {{
      {"auto", ProgressMode::kAuto},
      {"bar", ProgressMode::kBar},
      {"plain", ProgressMode::kPlain},
      {"json", ProgressMode::kJson},
      {"none", ProgressMode::kNone},
  }};
  for (const auto& [text, mode] : kModes)
    if (text == name) return mode;
  throw UsageError(fmt::format(
      "progress: \"{}\" is not known; choose one of auto, bar, plain, json, none", name));
}

std::string format_time(double seconds) {
  const auto s = static_cast<long long>(std::ceil(std::clamp(seconds, 0.0, 3.6e6)));
  if (s < 3600) return fmt::format("{}:{:02}", s / 60, s % 60);
  return fmt::format("{}:{:02}:{:02}", s / 3600, s / 60 % 60, s % 60);
}

std::string format_bar(const Progress& p, int columns, bool utf8) {
  const std::string head = picture_text(p) + text_of(p.phase);
  const std::string tail = steps_text(p);
  // Head and tail are ASCII: bytes are columns.
  const int text_width =
      static_cast<int>(head.size() + tail.size()) + 2;  // a space at each side of the bar
  const int bar = std::min(columns - text_width - 2, kLongestBar);  // without its brackets
  std::string line;
  if (p.steps > 0 && bar >= kShortestBar)
    line = fmt::format("{} [{}] {}", head, draw_cells(fraction(p), bar, utf8), tail);
  else
    line = (tail.empty() ? head : fmt::format("{} {}", head, tail))
               .substr(0, static_cast<std::size_t>(std::max(columns, 0)));
  return line;
}

std::string format_plain(const Progress& p) {
  // What is short has one line, at its start: a count would never be seen to reach its end.
  const std::string tail = p.phase == Phase::kDenoise ? steps_text(p) : "";
  return fmt::format("{}{}{}{}", picture_text(p), text_of(p.phase), tail.empty() ? "" : ": ", tail);
}

std::string format_json(const Progress& p) {
  const nlohmann::ordered_json json = {{"phase", name_of(p.phase)},
                                       {"step", p.step},
                                       {"steps", p.steps},
                                       {"picture", p.picture},
                                       {"pictures", p.pictures},
                                       {"seconds_per_step", p.seconds_per_step},
                                       {"seconds_left", p.seconds_left}};
  return json.dump();
}

ProgressPrinter::ProgressPrinter(ProgressMode mode, std::FILE* out) : mode_(mode), out_(out) {
  if (mode_ == ProgressMode::kAuto)
    mode_ = is_terminal(out) ? ProgressMode::kBar : ProgressMode::kPlain;
  utf8_ = terminal_is_utf8();
}

int ProgressPrinter::columns() const {
  winsize size{};
  if (::ioctl(::fileno(out_), TIOCGWINSZ, &size) == 0 && size.ws_col > 0) return size.ws_col - 1;
  return kDefaultColumns - 1;
}

/// A bar is drawn a few times a second at most; a plain line is written per phase and tenth of its
/// steps.
bool ProgressPrinter::is_due(const Progress& p) {
  if (mode_ == ProgressMode::kJson) return true;
  if (mode_ == ProgressMode::kBar) {
    const auto now = std::chrono::steady_clock::now();
    const bool last = p.steps > 0 && p.step == p.steps;
    if (!last && p.step > 0 && now - drawn_ < kRedraw) return false;
    drawn_ = now;
    return true;
  }
  const bool denoising = p.phase == Phase::kDenoise;
  // Loading and decoding are short: their start is enough.
  std::string key = fmt::format("{} {} {}", p.picture, static_cast<int>(p.phase),
                                denoising ? static_cast<int>(fraction(p) * 10) : 0);
  if (key == last_) return false;
  last_ = std::move(key);
  return true;
}

void ProgressPrinter::operator()(const Progress& p) {
  if (mode_ == ProgressMode::kNone || !is_due(p)) return;
  switch (mode_) {
    case ProgressMode::kBar:
      std::fputs(fmt::format("\r\x1b[K{}", format_bar(p, columns(), utf8_)).c_str(), out_);
      shown_ = true;
      break;
    case ProgressMode::kJson:
      std::fputs((format_json(p) + "\n").c_str(), out_);
      break;
    default:
      std::fputs((format_plain(p) + "\n").c_str(), out_);
  }
  std::fflush(out_);
}

void ProgressPrinter::clear() {
  if (!std::exchange(shown_, false)) return;
  std::fputs("\r\x1b[K", out_);
  std::fflush(out_);
}

}  // namespace mezzo::cli
