// The files of the gallery: written whole, and read again when the index is rebuilt.
#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <fstream>
#include <map>
#include <sstream>

#include <fmt/format.h>

#include "mezzotint/files.h"
#include "server/gallery.h"
#include "server/http.h"

namespace mezzo::server {
namespace {

namespace fs = std::filesystem;
constexpr std::uintmax_t kMaxFile = 64u << 20;  // bytes of a picture

[[noreturn]] void fail_writing(const fs::path& path) {
  const int code = errno;
  std::error_code error;
  const auto space = fs::space(path.parent_path(), error);
  throw DeviceError(fmt::format("{}: cannot be written: {}{}", path.string(), std::strerror(code),
                                error || code != ENOSPC
                                    ? ""
                                    : fmt::format(" ({} bytes are free); free some space and try "
                                                  "again",
                                                  space.available)));
}

/// An open file that is removed again unless it is kept.
struct Temporary {
  fs::path path;
  int fd;
  explicit Temporary(fs::path p)
      : path(std::move(p)),
        fd(::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644)) {}
  ~Temporary() {
    if (fd < 0) return;
    ::close(fd);
    ::unlink(path.c_str());
  }
  Temporary(const Temporary&) = delete;
  Temporary& operator=(const Temporary&) = delete;
};

void sync_folder(const fs::path& folder) {
  const int fd = ::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (fd < 0) return;
  ::fsync(fd);
  ::close(fd);
}

std::string utc_text(const fs::path& path) {
  struct stat status {};
  if (::stat(path.c_str(), &status) != 0) return time_text();
  std::tm parts{};
  ::gmtime_r(&status.st_mtime, &parts);
  char text[32];
  std::strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%S.000Z", &parts);
  return text;
}

/// A picture of ours, as the worker would have told it. Throws what the library throws.
Drawn drawn_from_file(const fs::path& path) {
  Drawn drawn{.png = read_file(path), .head = Json::object()};
  const auto bytes = std::as_bytes(std::span(drawn.png.data(), drawn.png.size()));
  const Image image = decode_picture(bytes, path.filename().string());
  const Recipe recipe = decode_recipe(bytes, path.filename().string());
  Json request = Json::parse(to_json(recipe.params));
  request["model"] = recipe.model;
  drawn.head = {{"width", image.width},
                {"height", image.height},
                {"recipe", dump(request)},
                {"infotext", recipe.infotext}};
  return drawn;
}

bool is_picture_name(const fs::path& path) {
  const std::string extension = path.extension().string();
  return extension == ".png" || extension == ".jpg" || extension == ".webp";
}

}  // namespace

bool write_new_file(const fs::path& path, std::string_view bytes) {
  static std::atomic<int> count = 0;
  const Temporary file(path.parent_path() /
                       fmt::format(".{}-{}.tmp", ::getpid(), count.fetch_add(1)));
  if (file.fd < 0) fail_writing(path);
  while (!bytes.empty()) {
    const ssize_t n = ::write(file.fd, bytes.data(), bytes.size());
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) fail_writing(path);
    bytes.remove_prefix(static_cast<std::size_t>(n));
  }
  if (::fsync(file.fd) != 0) fail_writing(path);
  // A link never replaces a file that is there.
  if (::link(file.path.c_str(), path.c_str()) != 0) {
    if (errno == EEXIST) return false;
    if (std::error_code error; fs::exists(path, error)) return false;
    if (::rename(file.path.c_str(), path.c_str()) != 0) fail_writing(path);  // no links here
  }
  sync_folder(path.parent_path());
  return true;
}

std::string read_file(const fs::path& path) {
  // A link may lead out of the folder: it is not followed.
  const int fd = ::open(path.c_str(), O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK);
  struct stat status {};
  const bool fine = fd >= 0 && ::fstat(fd, &status) == 0 && S_ISREG(status.st_mode) &&
                    static_cast<std::uintmax_t>(status.st_size) <= kMaxFile;
  std::string bytes;
  if (fine) bytes.resize(static_cast<std::size_t>(status.st_size));
  std::size_t at = 0;
  while (fine && at < bytes.size()) {
    const ssize_t n = ::read(fd, bytes.data() + at, bytes.size() - at);
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) break;
    at += static_cast<std::size_t>(n);
  }
  if (fd >= 0) ::close(fd);
  if (!fine || at < bytes.size())
    throw ApiError(404, "not_found",
                   fmt::format("{}: the file is not there any more; see mezzo gallery rebuild",
                               path.filename().string()));
  return bytes;
}

Gallery::Rebuilt Gallery::rebuild() {
  Rebuilt result;
  const auto lock = db_.lock();
  std::map<std::string, std::int64_t> known;
  {
    Statement s(db_, "SELECT file, id FROM images WHERE trashed IS NULL");
    while (s.step()) known.emplace(s.text(0), s.integer(1));
  }
  std::error_code error;
  std::map<std::string, bool> found;
  for (const auto& day : fs::directory_iterator(folder_, error)) {
    if (!day.is_directory(error) || day.is_symlink(error) ||
        day.path().filename().string().starts_with('.'))
      continue;
    for (const auto& entry : fs::directory_iterator(day.path(), error))
      if (entry.is_regular_file(error) && !entry.is_symlink(error) && is_picture_name(entry.path()))
        found.emplace(day.path().filename().string() + "/" + entry.path().filename().string(),
                      true);
  }
  for (const auto& [file, there] : found) {
    ++result.pictures;
    if (known.contains(file)) continue;
    try {
      insert(file, drawn_from_file(folder_ / file), utc_text(folder_ / file));
      ++result.added;
    } catch (const std::exception& e) {  // one bad file does not hide the others
      result.skipped.emplace_back(e.what());
    }
  }
  for (const auto& [file, id] : known) {
    if (found.contains(file)) continue;
    Statement(db_, "DELETE FROM images WHERE id = ?").bind(id).run();
    ++result.removed;
  }
  return result;
}

}  // namespace mezzo::server
