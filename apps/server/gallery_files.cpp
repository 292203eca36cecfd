// The files of the gallery: written whole, and read again when the index is rebuilt.
#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <fstream>
#include <iterator>
#include <set>
#include <sstream>

#include <fmt/format.h>

#include "mezzotint/files.h"
#include "server/gallery.h"
#include "server/http.h"

namespace mezzo::server {
namespace {

namespace fs = std::filesystem;
constexpr std::uintmax_t kMaxFile = 64u << 20;  // bytes of a picture
constexpr std::size_t kMostRecovered = 100;     // that are read before the server listens

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
  static inline std::atomic<int> count = 0;
  fs::path path;
  int fd;
  explicit Temporary(const fs::path& folder)
      : path(folder / fmt::format(".{}-{}.tmp", ::getpid(), count.fetch_add(1))),
        fd(::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644)) {}
  ~Temporary() {
    if (fd < 0) return;
    ::close(fd);
    ::unlink(path.c_str());
  }
  Temporary(const Temporary&) = delete;
  Temporary& operator=(const Temporary&) = delete;
};

void write_whole(const Temporary& file, const fs::path& path, std::string_view bytes) {
  if (file.fd < 0) fail_writing(path);
  while (!bytes.empty()) {
    const ssize_t n = ::write(file.fd, bytes.data(), bytes.size());
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) fail_writing(path);
    bytes.remove_prefix(static_cast<std::size_t>(n));
  }
  if (::fsync(file.fd) != 0) fail_writing(path);
}

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

bool is_picture_name(const fs::path& path) {
  const std::string extension = path.extension().string();
  return extension == ".png" || extension == ".jpg" || extension == ".webp";
}

/// The name of a Temporary: ".PID-N.tmp".
bool is_temporary_name(const std::string& name) {
  constexpr std::string_view kEnding = ".tmp";
  const std::string_view middle =
      name.size() > kEnding.size() && name.starts_with('.') && name.ends_with(kEnding)
          ? std::string_view(name).substr(1, name.size() - 1 - kEnding.size())
          : std::string_view();
  return middle.find('-') != middle.npos && middle.find_first_not_of("0123456789-") == middle.npos;
}

/// "2026-11-21": the folders that the gallery makes. Others in the same place are not its own.
bool is_day(const std::string& name) {
  if (name.size() != 10) return false;
  for (std::size_t i = 0; i < name.size(); ++i)
    if (i == 4 || i == 7 ? name[i] != '-' : name[i] < '0' || name[i] > '9') return false;
  return true;
}

/// Calls `use` with every file of the dated folders; links are left out.
void each_dated_file(const fs::path& folder,
                     const std::function<void(const fs::directory_entry&)>& use) {
  std::error_code error;
  for (const auto& day : fs::directory_iterator(folder, error)) {
    if (!day.is_directory(error) || day.is_symlink(error) ||
        !is_day(day.path().filename().string()))
      continue;
    for (const auto& entry : fs::directory_iterator(day.path(), error))
      if (entry.is_regular_file(error) && !entry.is_symlink(error)) use(entry);
  }
}

/// The pictures of the dated folders, such as "2026-11-21/00001-7.png".
std::set<std::string> pictures_in(const fs::path& folder) {
  std::set<std::string> files;
  each_dated_file(folder, [&](const fs::directory_entry& entry) {
    if (is_picture_name(entry.path()))
      files.insert(entry.path().lexically_relative(folder).generic_string());
  });
  return files;
}

/// What a writer that was killed left. Only while no other server uses the folder.
void remove_temporary_files(const fs::path& folder) {
  std::vector<fs::path> left;
  each_dated_file(folder, [&](const fs::directory_entry& entry) {
    if (is_temporary_name(entry.path().filename().string())) left.push_back(entry.path());
  });
  std::error_code error;
  for (const fs::path& file : left) fs::remove(file, error);
}

}  // namespace

bool write_new_file(const fs::path& path, std::string_view bytes) {
  const Temporary file(path.parent_path());
  write_whole(file, path, bytes);
  // A link never replaces a file that is there.
  if (::link(file.path.c_str(), path.c_str()) != 0) {
    if (errno == EEXIST) return false;
    if (std::error_code error; fs::exists(path, error)) return false;
    if (::rename(file.path.c_str(), path.c_str()) != 0) fail_writing(path);  // no links here
  }
  sync_folder(path.parent_path());
  return true;
}

void replace_file(const fs::path& path, std::string_view bytes) {
  const Temporary file(path.parent_path());
  write_whole(file, path, bytes);
  if (::rename(file.path.c_str(), path.c_str()) != 0) fail_writing(path);
  sync_folder(path.parent_path());
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

std::set<std::string> Gallery::known_files() {
  std::set<std::string> known;
  Statement s(db_, "SELECT file FROM images WHERE trashed IS NULL");
  while (s.step()) known.insert(s.text(0));
  return known;
}

Gallery::Rebuilt Gallery::add_unknown(const std::set<std::string>& files, const Reader& reader) {
  Rebuilt result{.pictures = files.size()};
  const auto known = known_files();
  for (const std::string& file : files) {
    if (known.contains(file)) continue;
    try {
      insert(file, reader(folder_ / file), utc_text(folder_ / file));
      ++result.added;
    } catch (const std::exception& e) {  // one bad file does not hide the others
      result.skipped.emplace_back(e.what());
    }
  }
  return result;
}

Gallery::Rebuilt Gallery::rebuild(const Reader& reader) {
  const auto lock = db_.lock();
  const auto files = pictures_in(folder_);
  Rebuilt result = add_unknown(files, reader);
  for (const std::string& file : known_files()) {
    if (files.contains(file)) continue;
    Statement(db_, "DELETE FROM images WHERE file = ?").bind(file).run();
    ++result.removed;
  }
  read_all_marks();
  return result;
}

void Gallery::finish_moves(const std::set<std::string>& files) {
  std::error_code error;
  const auto in_trash = [&](const std::string& file) {
    return fs::exists(trash_folder() / file, error);
  };
  std::vector<std::pair<std::int64_t, bool>> moved;  // and whether to the trash
  {
    Statement s(db_, "SELECT id, file, trashed IS NOT NULL FROM images");
    while (s.step()) {
      const std::string file = s.text(1);
      const bool trashed = s.integer(2) != 0, here = files.contains(file);
      if (trashed ? here && !in_trash(file) : !here && in_trash(file))
        moved.emplace_back(s.integer(0), !trashed);
    }
  }
  for (const auto& [id, to_trash] : moved)
    Statement(db_, to_trash ? "UPDATE images SET trashed = CAST(strftime('%s', 'now') AS INTEGER) "
                              "WHERE id = ?"
                            : "UPDATE images SET trashed = NULL WHERE id = ?")
        .bind(id)
        .run();
}

Gallery::Rebuilt Gallery::recover(const Reader& reader) {
  const auto lock = db_.lock();
  for (const fs::path& folder : {folder_, folder_ / ".thumbnails"}) remove_temporary_files(folder);
  const auto files = pictures_in(folder_);
  finish_moves(files);
  const auto known = known_files();
  std::set<std::string> unknown;
  std::ranges::set_difference(files, known, std::inserter(unknown, unknown.end()));
  if (unknown.size() > kMostRecovered)
    return {.pictures = files.size(),
            .skipped = {fmt::format("{} pictures are not in the gallery; make its index again "
                                    "with mezzo gallery rebuild",
                                    unknown.size())}};
  return add_unknown(unknown, reader);
}

}  // namespace mezzo::server
