// Files: opened once, read by offset, written so that a reader never sees half a file.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace mezzo {

namespace fs = std::filesystem;

/// True for a folder, or a link to one; false also where that cannot be found out.
bool is_existing_folder(const fs::path& path);

/// A regular file opened for reading. The size is taken once, when it is opened. Thread-safe: reads
/// carry their offset.
class File {
 public:
  /// Throws LoadError (missing, a folder, not a regular file, no permission), saying which.
  explicit File(const fs::path& path);
  ~File();
  File(const File&) = delete;
  File& operator=(const File&) = delete;

  const fs::path& path() const { return path_; }
  std::uint64_t size() const { return size_; }

  /// Fills `out` from `offset`. Throws LoadError when the range is not inside the file, or the file
  /// shrank meanwhile.
  void read(std::uint64_t offset, std::span<std::byte> out) const;

 private:
  fs::path path_;
  int fd_ = -1;
  std::uint64_t size_ = 0;
};

/// The whole file as text. Throws LoadError when it is larger than `limit` bytes.
std::string read_text_file(const fs::path& path, std::uint64_t limit = 64ull << 20);

/// Writes the bytes to a temporary file beside `path`, syncs it and renames it over `path`.
/// Throws DeviceError (disk full, no permission, no such folder) and leaves no partial file.
void write_file_atomically(const fs::path& path, std::span<const std::byte> bytes);

/// The same for a file written in pieces: nothing appears under `path` before commit().
class AtomicFile {
 public:
  explicit AtomicFile(fs::path path);
  ~AtomicFile();  // removes the temporary file when commit() was not reached
  AtomicFile(const AtomicFile&) = delete;
  AtomicFile& operator=(const AtomicFile&) = delete;

  void write(std::span<const std::byte> bytes);
  std::uint64_t written() const { return written_; }
  void commit();

 private:
  fs::path path_, temporary_;
  int fd_ = -1;
  std::uint64_t written_ = 0;
};

}  // namespace mezzo
