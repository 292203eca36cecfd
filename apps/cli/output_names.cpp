#include "cli/output_names.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <cerrno>
#include <charconv>
#include <cstring>
#include <ctime>
#include <functional>

#include <fmt/chrono.h>
#include <fmt/format.h>

#include "cli/text.h"
#include "mezzotint/errors.h"

namespace mezzo::cli {
namespace {

constexpr std::size_t kPartBytes = 128;
constexpr std::size_t kNameBytes = 255;  // of a file's name on every usual file system
constexpr std::size_t kSlugBytes = 48;
constexpr std::string_view kRefused = "<>:\"/\\|?*";
constexpr std::array<std::string_view, 4> kExtensions = {".png", ".jpg", ".jpeg", ".webp"};

bool has_picture_extension(const fs::path& file) {
  return std::find(kExtensions.begin(), kExtensions.end(),
                   ascii_lower(file.extension().string())) != kExtensions.end();
}

/// At most `bytes` of a UTF-8 text, cut between characters.
std::string_view cut(std::string_view text, std::size_t bytes) {
  if (text.size() <= bytes) return text;
  while (bytes > 0 && (static_cast<unsigned char>(text[bytes]) & 0xC0) == 0x80) --bytes;
  return text.substr(0, bytes);
}

std::string with_underscores(std::string text) {
  std::replace(text.begin(), text.end(), ' ', '_');
  return text;
}

std::string first_words(std::string_view text, std::size_t count) {
  std::string words;
  std::size_t pos = 0;
  for (std::size_t n = 0; n < count; ++n) {
    pos = text.find_first_not_of(" \t\n,.;()[]", pos);
    if (pos == text.npos) break;
    const auto end = text.find_first_of(" \t\n,.;()[]", pos);
    if (!words.empty()) words += ' ';
    words += text.substr(pos, end == text.npos ? end : end - pos);
    if (end == text.npos) break;
    pos = end;
  }
  return words;
}

std::string local_time(const std::string& format) {
  const std::time_t now = std::time(nullptr);
  std::tm local{};
  ::localtime_r(&now, &local);
  std::array<char, 256> text{};
  const auto n = std::strftime(text.data(), text.size(), format.c_str(), &local);
  return {text.data(), n};
}

std::string number_text(const std::optional<double>& value) {
  return value ? fmt::format("{}", *value) : "";
}

/// One word of patterns: [seed]. `argument`: the text in <>, as in [datetime<%H%M>].
struct Word {
  std::string_view name;
  std::string (*value)(const NameFacts& facts, const std::string& argument);
};

constexpr std::size_t kPromptWords = 8;

const std::array kWords = {
    Word{"seed", [](const NameFacts& f, const std::string&) { return fmt::format("{}", f.seed); }},
    Word{"number", [](const NameFacts& f, const std::string&) { return fmt::format("{:05}", f.number); }},
    Word{"batch_number", [](const NameFacts& f, const std::string&) { return fmt::format("{}", f.number); }},
    Word{"generation_number", [](const NameFacts& f, const std::string&) { return fmt::format("{}", f.number); }},
    Word{"prompt", [](const NameFacts& f, const std::string&) { return with_underscores(file_name_part(f.prompt)); }},
    Word{"prompt_spaces", [](const NameFacts& f, const std::string&) { return file_name_part(f.prompt); }},
    Word{"prompt_words", [](const NameFacts& f, const std::string&) { return file_name_part(first_words(f.prompt, kPromptWords)); }},
    Word{"steps", [](const NameFacts& f, const std::string&) { return fmt::format("{}", f.params.steps); }},
    Word{"cfg", [](const NameFacts& f, const std::string&) { return number_text(f.params.guidance); }},
    Word{"width", [](const NameFacts& f, const std::string&) { return fmt::format("{}", f.params.width); }},
    Word{"height", [](const NameFacts& f, const std::string&) { return fmt::format("{}", f.params.height); }},
    Word{"sampler", [](const NameFacts& f, const std::string&) { return file_name_part(f.params.sampler); }},
    Word{"scheduler", [](const NameFacts& f, const std::string&) { return file_name_part(f.params.schedule); }},
    Word{"denoising", [](const NameFacts& f, const std::string&) { return number_text(f.params.strength); }},
    Word{"clip_skip", [](const NameFacts& f, const std::string&) { return fmt::format("{}", f.params.clip_skip); }},
    Word{"model_name", [](const NameFacts& f, const std::string&) { return file_name_part(f.model); }},
    Word{"date", [](const NameFacts&, const std::string&) { return local_time("%Y-%m-%d"); }},
    Word{"datetime",
         [](const NameFacts&, const std::string& format) {
           return file_name_part(local_time(format.empty() ? "%Y%m%d%H%M%S" : format));
         }},
    Word{"none", [](const NameFacts&, const std::string&) { return std::string(); }},
};

std::string known_words() {
  std::string text;
  for (const Word& w : kWords) text += fmt::format("{}[{}]", text.empty() ? "" : " ", w.name);
  return text;
}

std::string expand_word(std::string_view inside, const NameFacts& facts) {
  std::string argument;
  std::string_view name = inside;
  if (const auto open = inside.find('<'); open != inside.npos && inside.back() == '>') {
    name = inside.substr(0, open);
    argument = inside.substr(open + 1, inside.size() - open - 2);
  }
  for (const Word& w : kWords)
    if (w.name == name) return w.value(facts, argument);
  throw UsageError(
      fmt::format("output: [{}] is not known in a file name; use {}", inside, known_words()));
}

/// A name as a whole: no longer than a file system takes, and never hidden or empty.
fs::path bounded(const fs::path& path) {
  const std::string extension = path.extension().string();
  std::string stem = path.stem().string();
  stem =
      cut(stem, kNameBytes - extension.size() - 8);  // room for "-99999" and for a temporary name
  if (stem.empty() || stem.front() == '.') stem = fmt::format("_{}", stem);
  return path.parent_path() / (stem + extension);
}

/// One more than the highest leading number of the files in a folder.
std::size_t next_number(const fs::path& folder) {
  std::size_t highest = 0;
  std::error_code error;
  for (const auto& entry : fs::directory_iterator(folder, error)) {
    const std::string name = entry.path().filename().string();
    std::size_t n = 0;
    const auto [end, failed] = std::from_chars(name.data(), name.data() + name.size(), n);
    if (failed == std::errc() && end != name.data() + name.size() && *end == '-' && n < 100'000'000)
      highest = std::max(highest, n);
  }
  return highest + 1;
}

void make_folder(const fs::path& folder) {
  if (folder.empty()) return;
  std::error_code error;
  fs::create_directories(folder, error);
  if (error)
    throw DeviceError(fmt::format("cannot make the folder {}: {}; choose another place with -o",
                                  folder.string(), error.message()));
}

fs::path folder_of(const fs::path& file) {
  return file.has_parent_path() ? file.parent_path() : fs::path(".");
}

}  // namespace

std::string file_name_part(std::string_view text) {
  std::string part;
  for (const char c : text) {
    const bool refused =
        kRefused.find(c) != kRefused.npos || static_cast<unsigned char>(c) < 0x20 || c == 0x7f;
    part += refused ? '_' : c;
  }
  part = cut(part, kPartBytes);
  const auto begin = part.find_first_not_of(" .");
  const auto end = part.find_last_not_of(" .");
  return begin == part.npos ? "" : part.substr(begin, end - begin + 1);
}

std::string slug(std::string_view prompt) {
  std::string name;
  for (const char c : ascii_lower(prompt)) {
    const auto u = static_cast<unsigned char>(c);
    if (std::isalnum(u) || u >= 0x80)
      name += c;
    else if (!name.empty() && name.back() != '-')
      name += '-';
  }
  name = cut(name, kSlugBytes);
  while (!name.empty() && name.back() == '-') name.pop_back();
  return name.empty() ? "picture" : name;
}

std::string expand_pattern(std::string_view pattern, const NameFacts& facts) {
  std::string name;
  while (!pattern.empty()) {
    const auto open = pattern.find('[');
    const auto close = open == pattern.npos ? pattern.npos : pattern.find(']', open);
    if (close == pattern.npos) break;
    name += pattern.substr(0, open);
    name += expand_word(pattern.substr(open + 1, close - open - 1), facts);
    pattern.remove_prefix(close + 1);
  }
  return name + std::string(pattern);
}

bool is_pattern(std::string_view text) {
  const auto open = text.find('[');
  return open != text.npos && text.find(']', open) != text.npos;
}

void check_writable(const fs::path& folder) {
  const fs::path probe = folder / fmt::format(".mezzo-{}.tmp", ::getpid());
  const int fd = ::open(probe.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
  if (fd < 0)
    throw DeviceError(fmt::format("cannot write in {}: {}; choose another place with -o",
                                  folder.string(), std::strerror(errno)));
  ::close(fd);
  ::unlink(probe.c_str());
}

void check_extension(const fs::path& file) {
  if (!has_picture_extension(file))
    throw UsageError(
        fmt::format("output: {} is not the name of a picture; end it in .png, .jpg or .webp, or in "
                    "/ for a folder",
                    file.string()));
}

OutputNames::OutputNames(std::string output, std::size_t pictures, const GenerateParams& params)
    : output_(std::move(output)), pictures_(pictures) {
  std::error_code error;
  if (output_.empty()) {
    check_writable(".");
  } else if (output_.back() == '/' || fs::is_directory(output_, error)) {
    kind_ = Kind::kFolder;
    make_folder(output_);
    check_writable(output_);
    next_number_ = next_number(output_);
  } else if (is_pattern(output_)) {
    kind_ = Kind::kPattern;
    if (!has_picture_extension(output_)) output_ += ".png";
    expand_pattern(output_, {params, "prompt", 0, "model", 1});  // are all words known?
    // The folders whose names are already certain; those with words in them are made with their
    // pictures.
    const fs::path folder = folder_of(output_.substr(0, output_.find('[')) + "x");
    make_folder(folder);
    check_writable(folder);
  } else {
    kind_ = Kind::kFile;
    check_extension(output_);
    make_folder(fs::path(output_).parent_path());
    check_writable(folder_of(output_));
  }
}

fs::path OutputNames::free_name(const fs::path& wanted) {
  fs::path name = bounded(wanted);
  std::error_code error;
  for (int n = 2; given_.contains(name) || fs::exists(fs::symlink_status(name, error)); ++n) {
    const fs::path first = bounded(wanted);
    name = first.parent_path() /
           fmt::format("{}-{}{}", first.stem().string(), n, first.extension().string());
  }
  given_.insert(name);
  return name;
}

fs::path OutputNames::next(const NameFacts& facts) {
  switch (kind_) {
    case Kind::kDefault:
      return free_name(slug(facts.prompt) + ".png");
    case Kind::kFolder:
      return free_name(fs::path(output_) / fmt::format("{:05}-{}.png", next_number_++, facts.seed));
    case Kind::kPattern: {
      const fs::path name = expand_pattern(output_, facts);
      make_folder(name.parent_path());
      return free_name(name);
    }
    case Kind::kFile:
      break;
  }
  const fs::path file = output_;
  if (pictures_ <= 1) return file;
  return file.parent_path() /
         fmt::format("{}-{}{}", file.stem().string(), facts.number, file.extension().string());
}

}  // namespace mezzo::cli
