#include "base/file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <cstring>
#include <utility>

#include "base/error.h"

namespace mezzo {
namespace {

std::string why() { return std::strerror(errno); }

[[noreturn]] void fail_write(const fs::path& path, const char* doing) {
  const int code = errno;
  const char* remedy = code == ENOSPC || code == EDQUOT ? "free some space or choose another folder"
                       : code == EACCES || code == EPERM || code == EROFS
                           ? "choose a folder you can write to"
                           : "check the path";
  fail<DeviceError>("cannot {} {}: {}; {}", doing, path.string(), std::strerror(code), remedy);
}

}  // namespace

File::File(const fs::path& path) : path_(path) {
  struct stat st {};
  // Looked at before opening: opening a FIFO would wait for a writer.
  if (::stat(path.c_str(), &st) != 0)
    fail<LoadError>("{}: cannot be opened: {}; check the path", path.string(), why());
  if (S_ISDIR(st.st_mode)) fail<LoadError>("{}: is a folder, a file is needed here", path.string());
  if (!S_ISREG(st.st_mode))
    fail<LoadError>("{}: is not a regular file (a pipe, socket or device); give a file",
                    path.string());
  fd_ = ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  if (fd_ < 0)
    fail<LoadError>("{}: cannot be opened: {}; check its permissions", path.string(), why());
  if (::fstat(fd_, &st) != 0 || !S_ISREG(st.st_mode)) {
    ::close(fd_);
    fail<LoadError>("{}: changed while it was opened; try again", path.string());
  }
  size_ = static_cast<std::uint64_t>(st.st_size);
}

File::~File() {
  if (fd_ >= 0) ::close(fd_);
}

void File::read(std::uint64_t offset, std::span<std::byte> out) const {
  if (offset > size_ || out.size() > size_ - offset)
    fail<LoadError>(
        "{}: {} bytes at offset {} lie outside the file ({} bytes); it is truncated or damaged",
        path_.string(), out.size(), offset, size_);
  while (!out.empty()) {
    const ssize_t n = ::pread(fd_, out.data(), std::min<std::size_t>(out.size(), 1u << 30),
                              static_cast<off_t>(offset));
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) fail<LoadError>("{}: reading failed: {}", path_.string(), why());
    if (n == 0)
      fail<LoadError>("{}: became shorter while it was read; load it again", path_.string());
    out = out.subspan(static_cast<std::size_t>(n));
    offset += static_cast<std::uint64_t>(n);
  }
}

bool is_existing_folder(const fs::path& path) {
  std::error_code ignored;
  return fs::is_directory(path, ignored);
}

std::string read_text_file(const fs::path& path, std::uint64_t limit) {
  File f(path);
  if (f.size() > limit)
    fail<LoadError>("{}: {} bytes are more than the {} expected of such a file", path.string(),
                    f.size(), limit);
  std::string text(f.size(), '\0');
  f.read(0, std::as_writable_bytes(std::span(text)));
  return text;
}

AtomicFile::AtomicFile(fs::path path) : path_(std::move(path)) {
  static std::atomic<unsigned> counter = 0;
  temporary_ = path_;
  temporary_ += fmt::format(".{}-{}.tmp", ::getpid(), counter++);
  fd_ = ::open(temporary_.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
  if (fd_ < 0) fail_write(path_, "write");
}

AtomicFile::~AtomicFile() {
  if (fd_ >= 0) ::close(fd_);
  if (!temporary_.empty()) ::unlink(temporary_.c_str());
}

void AtomicFile::write(std::span<const std::byte> bytes) {
  written_ += bytes.size();
  while (!bytes.empty()) {
    const ssize_t n = ::write(fd_, bytes.data(), std::min<std::size_t>(bytes.size(), 1u << 30));
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) fail_write(path_, "write");
    bytes = bytes.subspan(static_cast<std::size_t>(n));
  }
}

void AtomicFile::commit() {
  // A failed fsync is a failed write: the data may be gone, so it is never tried again.
  if (::fsync(fd_) != 0) fail_write(path_, "write");
  const int fd = std::exchange(fd_, -1);
  if (::close(fd) != 0) fail_write(path_, "write");
  if (::rename(temporary_.c_str(), path_.c_str()) != 0) fail_write(path_, "write");
  temporary_.clear();
  const fs::path folder = path_.has_parent_path() ? path_.parent_path() : fs::path(".");
  if (const int dir = ::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC); dir >= 0) {
    ::fsync(dir);
    ::close(dir);
  }
}

void write_file_atomically(const fs::path& path, std::span<const std::byte> bytes) {
  AtomicFile f(path);
  f.write(bytes);
  f.commit();
}

}  // namespace mezzo
