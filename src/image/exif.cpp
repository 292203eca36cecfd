#include "image/exif.h"

#include <cstdint>
#include <optional>
#include <string_view>
#include <utility>

#include "image/text_encoding.h"

namespace mezzo {
namespace {

using namespace std::string_view_literals;

constexpr auto kPrefix = "Exif\0\0"sv;
constexpr auto kUnicode = "UNICODE\0"sv;
constexpr auto kAscii = "ASCII\0\0\0"sv;
constexpr auto kUndefined = "\0\0\0\0\0\0\0\0"sv;
constexpr auto kMakerName = "mezzotint\0"sv;

enum Tag : std::uint32_t {
  kOrientation = 0x0112,
  kExifIfd = 0x8769,
  kMakerNote = 0x927C,
  kUserComment = 0x9286,
};
enum Type : std::uint32_t { kAsciiType = 2, kShort = 3, kLong = 4, kUndefinedType = 7 };

/// Bounds-checked reading of a TIFF structure in either byte order.
class TiffReader {
 public:
  explicit TiffReader(std::string_view data) : data_(data), big_(data.starts_with("MM")) {}

  bool big_endian() const { return big_; }
  std::optional<std::uint32_t> number(std::uint64_t offset, int bytes) const {
    if (offset > data_.size() || data_.size() - offset < static_cast<std::size_t>(bytes))
      return std::nullopt;
    std::uint32_t v = 0;
    for (int i = 0; i < bytes; ++i) {
      const auto at =
          static_cast<std::size_t>(offset) + static_cast<std::size_t>(big_ ? i : bytes - 1 - i);
      v = v << 8 | static_cast<unsigned char>(data_[at]);
    }
    return v;
  }
  std::string_view bytes(std::uint64_t offset, std::uint64_t count) const {
    if (offset > data_.size() || count > data_.size() - offset) return {};
    return data_.substr(static_cast<std::size_t>(offset), static_cast<std::size_t>(count));
  }

  struct Entry {
    std::uint32_t type, count;
    std::uint64_t where;  // offset of its 4 bytes of value or value offset
  };
  /// The entry of that tag in the directory at `ifd`.
  std::optional<Entry> find(std::uint64_t ifd, std::uint32_t tag) const {
    const auto entries = number(ifd, 2).value_or(0);
    for (std::uint64_t i = 0; i < entries; ++i) {
      const std::uint64_t at = ifd + 2 + 12 * i;
      const auto found = number(at, 2), type = number(at + 2, 2), count = number(at + 4, 4);
      if (!count) return std::nullopt;
      if (*found == tag) return Entry{*type, *count, at + 8};
    }
    return std::nullopt;
  }
  /// A SHORT or LONG value.
  std::optional<std::uint32_t> value(std::uint64_t ifd, std::uint32_t tag) const {
    const auto e = find(ifd, tag);
    if (!e || e->count < 1 || (e->type != kShort && e->type != kLong)) return std::nullopt;
    return number(e->where, e->type == kShort ? 2 : 4);
  }
  /// The bytes of an UNDEFINED or ASCII value.
  std::string_view blob(std::uint64_t ifd, std::uint32_t tag) const {
    const auto e = find(ifd, tag);
    if (!e || (e->type != kUndefinedType && e->type != kAsciiType)) return {};
    return bytes(e->count <= 4 ? e->where : number(e->where, 4).value_or(0), e->count);
  }

 private:
  std::string_view data_;
  bool big_;
};

/// UTF-16 in either order: a byte order mark decides, else where the zero halves of ordinary
/// characters are, else the order of the TIFF structure.
std::string decode_utf16(std::string_view bytes, bool big_endian) {
  if (bytes.starts_with("\xFE\xFF")) return utf16_to_utf8(bytes.substr(2), true);
  if (bytes.starts_with("\xFF\xFE")) return utf16_to_utf8(bytes.substr(2), false);
  std::size_t zeros[2] = {0, 0};
  for (std::size_t i = 0; i < bytes.size(); ++i) zeros[i % 2] += bytes[i] == '\0';
  if (zeros[0] != zeros[1]) big_endian = zeros[0] > zeros[1];
  return utf16_to_utf8(bytes, big_endian);
}

std::string decode_comment(std::string_view blob, bool big_endian) {
  if (blob.starts_with(kUnicode)) return decode_utf16(blob.substr(kUnicode.size()), big_endian);
  if (blob.starts_with(kAscii) || blob.starts_with(kUndefined)) blob.remove_prefix(kAscii.size());
  while (blob.ends_with('\0')) blob.remove_suffix(1);
  return to_valid_utf8(blob);
}

/// Writes one directory of entries in big-endian order; values longer than 4 bytes follow it.
class TiffWriter {
 public:
  struct Entry {
    std::uint32_t tag, type;
    std::string value;
  };
  static std::string number(std::uint32_t v, int bytes) {
    std::string s;
    for (int i = bytes - 1; i >= 0; --i) s.push_back(static_cast<char>(v >> (8 * i) & 0xFF));
    return s;
  }
  /// The directory as it lies at `offset` of the block. Entries are in ascending order of tags.
  static std::string directory(std::uint32_t offset, const std::vector<Entry>& entries) {
    const auto count = static_cast<std::uint32_t>(entries.size());
    std::string head = number(count, 2), tail;
    const std::uint32_t tail_at = offset + 2 + 12 * count + 4;
    for (const auto& e : entries) {
      const std::uint32_t size = static_cast<std::uint32_t>(e.value.size());
      head += number(e.tag, 2) + number(e.type, 2) + number(e.type == kLong ? size / 4 : size, 4);
      if (size <= 4) {
        head += e.value + std::string(4 - size, '\0');
      } else {
        head += number(tail_at + static_cast<std::uint32_t>(tail.size()), 4);
        tail += e.value;
        if (tail.size() % 2) tail.push_back('\0');  // values start at even offsets
      }
    }
    return head + number(0, 4) + tail;
  }
};

}  // namespace

Exif read_exif(std::span<const std::byte> block) {
  std::string_view data = as_text(block);
  if (data.starts_with(kPrefix)) data.remove_prefix(kPrefix.size());
  if (!data.starts_with("MM\0*"sv) && !data.starts_with("II*\0"sv)) return {};
  const TiffReader tiff(data);
  const std::uint64_t ifd0 = tiff.number(4, 4).value_or(0);

  Exif exif;
  if (const auto o = tiff.value(ifd0, kOrientation).value_or(1); o >= 1 && o <= 8)
    exif.orientation = static_cast<int>(o);
  if (const auto ifd = tiff.value(ifd0, kExifIfd)) {
    exif.comment = decode_comment(tiff.blob(*ifd, kUserComment), tiff.big_endian());
    const auto note = tiff.blob(*ifd, kMakerNote);
    if (note.starts_with(kMakerName))
      exif.maker_note = to_valid_utf8(note.substr(kMakerName.size()));
  }
  return exif;
}

std::string write_exif(const Metadata& metadata) {
  if (metadata.empty()) return {};
  constexpr std::uint32_t kIfd0 = 8, kIfd0Bytes = 2 + 12 + 4;
  std::vector<TiffWriter::Entry> fields;
  if (!metadata.request.empty())
    fields.push_back({kMakerNote, kUndefinedType, std::string(kMakerName) + metadata.request});
  if (!metadata.parameters.empty())
    fields.push_back({kUserComment, kUndefinedType,
                      std::string(kUnicode) + utf8_to_utf16be(metadata.parameters)});
  return std::string("MM\0*"sv) + TiffWriter::number(kIfd0, 4) +
         TiffWriter::directory(kIfd0,
                               {{kExifIfd, kLong, TiffWriter::number(kIfd0 + kIfd0Bytes, 4)}}) +
         TiffWriter::directory(kIfd0 + kIfd0Bytes, fields);
}

Metadata to_metadata(Exif exif) {
  Metadata m;
  m.parameters = std::move(exif.comment);
  m.request = std::move(exif.maker_note);
  return m;
}

}  // namespace mezzo
