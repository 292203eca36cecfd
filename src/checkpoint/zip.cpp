#include "checkpoint/zip.h"

#include <algorithm>
#include <cstring>

#include "base/checked.h"

namespace mezzo {
namespace {

constexpr std::uint32_t kLocal = 0x04034b50, kCentral = 0x02014b50, kEnd = 0x06054b50;
constexpr std::uint32_t kEnd64 = 0x06064b50, kLocator64 = 0x07064b50;
constexpr std::uint32_t kInExtra = 0xffffffff;  // a size that does not fit 32 bits
constexpr std::uint64_t kMaxMembers = 100'000;
constexpr std::uint64_t kMaxDirectory = 64ull << 20;

[[noreturn]] void damaged(const File& file, std::string_view what) {
  fail<LoadError>("{}: damaged zip archive: {}; copy or download it again", file.path().string(),
                  what);
}

template <class T>
T at(std::string_view bytes, std::size_t offset) {
  T v;
  std::memcpy(&v, bytes.data() + offset, sizeof(T));
  return v;
}

std::string read_range(const File& file, std::uint64_t offset, std::uint64_t size) {
  std::string s(size, '\0');
  file.read(offset, std::as_writable_bytes(std::span(s)));
  return s;
}

struct Directory {
  std::uint64_t count = 0, size = 0, offset = 0, end = 0;  // end: where the end records begin
};

// The 64-bit end record, when a locator lies right before the usual one.
bool read_end64(const File& file, std::uint64_t end, Directory& d) {
  if (end < 20) return false;
  const std::string locator = read_range(file, end - 20, 20);
  if (at<std::uint32_t>(locator, 0) != kLocator64) return false;
  const auto where = at<std::uint64_t>(locator, 8);
  if (where > end - 20 || end - 20 - where < 56) damaged(file, "the zip64 record lies outside");
  const std::string r = read_range(file, where, 56);
  if (at<std::uint32_t>(r, 0) != kEnd64) damaged(file, "no zip64 record where it should be");
  if (at<std::uint64_t>(r, 24) != at<std::uint64_t>(r, 32)) damaged(file, "it spans several disks");
  d = {at<std::uint64_t>(r, 32), at<std::uint64_t>(r, 40), at<std::uint64_t>(r, 48), where};
  return true;
}

Directory find_directory(const File& file) {
  if (file.size() < 22) damaged(file, "too short");
  const std::uint64_t tail_size = std::min<std::uint64_t>(file.size(), 22 + 65535);
  const std::string tail = read_range(file, file.size() - tail_size, tail_size);
  for (std::size_t i = tail.size() - 22 + 1; i-- > 0;) {
    if (at<std::uint32_t>(tail, i) != kEnd ||
        at<std::uint16_t>(tail, i + 20) != tail.size() - i - 22)
      continue;
    const std::uint64_t end = file.size() - tail_size + i;
    const std::string_view r = std::string_view(tail).substr(i, 22);
    if (at<std::uint16_t>(r, 4) != 0 || at<std::uint16_t>(r, 8) != at<std::uint16_t>(r, 10))
      damaged(file, "it spans several disks");
    Directory d{at<std::uint16_t>(r, 10), at<std::uint32_t>(r, 12), at<std::uint32_t>(r, 16), end};
    const Directory small = d;
    // The two records must tell the same story wherever the small one can hold it.
    const auto agree = [](std::uint64_t s, std::uint64_t limit, std::uint64_t l) {
      return s == limit || s == l;
    };
    if (read_end64(file, end, d) &&
        !(agree(small.count, 0xffff, d.count) && agree(small.size, 0xffffffff, d.size) &&
          agree(small.offset, 0xffffffff, d.offset)))
      damaged(file, "its two end records disagree");
    if (d.count > kMaxMembers) damaged(file, "too many members");
    if (d.offset > d.end || d.size != d.end - d.offset || d.size > kMaxDirectory ||
        d.size / 46 < d.count)
      damaged(file, "the directory does not fit");
    return d;
  }
  damaged(file, "it has no directory at its end (truncated?)");
}

struct Entry {
  std::string_view name;
  std::uint16_t flags, method;
  std::uint64_t packed, size, header;
};

// The 64-bit sizes from a header's extra fields, for those of the 32-bit ones that are all ones.
void widen(const File& file, std::string_view extra, Entry& e) {
  for (std::size_t i = 0; i + 4 <= extra.size();) {
    const std::size_t id = at<std::uint16_t>(extra, i), n = at<std::uint16_t>(extra, i + 2);
    if (n > extra.size() - i - 4)
      break;  // PyTorch's padding field may end short; only zip64 matters
    if (id == 1) {
      std::size_t p = i + 4;
      for (std::uint64_t* v : {&e.size, &e.packed, &e.header}) {
        if (*v != kInExtra) continue;
        if (p + 8 > i + 4 + n) damaged(file, "a zip64 field is too short");
        *v = at<std::uint64_t>(extra, p);
        p += 8;
      }
      return;
    }
    i += 4 + n;
  }
}

// Reads one central header at `pos` and moves on.
Entry next_entry(const File& file, std::string_view directory, std::size_t& pos) {
  if (directory.size() - pos < 46 || at<std::uint32_t>(directory, pos) != kCentral)
    damaged(file, "a directory entry is cut off");
  const std::string_view h = directory.substr(pos, 46);
  const std::size_t name = at<std::uint16_t>(h, 28), extra = at<std::uint16_t>(h, 30),
                    comment = at<std::uint16_t>(h, 32);
  if (directory.size() - pos - 46 < name + extra + comment)
    damaged(file, "a directory entry is cut off");
  Entry e{directory.substr(pos + 46, name), at<std::uint16_t>(h, 8),  at<std::uint16_t>(h, 10),
          at<std::uint32_t>(h, 20),         at<std::uint32_t>(h, 24), at<std::uint32_t>(h, 42)};
  widen(file, directory.substr(pos + 46 + name, extra), e);
  pos += 46 + name + extra + comment;
  return e;
}

// Where the member's data begins, after checking that its local header says what the directory
// says.
std::uint64_t data_offset(const File& file, const Entry& e, std::uint64_t limit) {
  const std::string h = read_range(file, e.header, 30 + e.name.size());
  if (at<std::uint32_t>(h, 0) != kLocal) damaged(file, "no member where the directory says");
  const std::size_t name = at<std::uint16_t>(h, 26), extra = at<std::uint16_t>(h, 28);
  if (name != e.name.size() || std::string_view(h).substr(30) != e.name ||
      at<std::uint16_t>(h, 6) != e.flags || at<std::uint16_t>(h, 8) != e.method)
    damaged(file, "a member's two headers disagree");
  const std::uint64_t begin = e.header + 30 + name + extra;
  if (begin > limit || e.packed > limit - begin) damaged(file, "a member is larger than the file");
  Entry local{e.name, e.flags, e.method, at<std::uint32_t>(h, 18), at<std::uint32_t>(h, 22), 0};
  if (local.packed == kInExtra || local.size == kInExtra)
    widen(file, read_range(file, e.header + 30 + name, extra), local);
  // With bit 3 the sizes follow the data, and the local header has zeros.
  const bool later = (e.flags & 8) && local.packed == 0 && local.size == 0;
  if (!later && (local.packed != e.packed || local.size != e.size))
    damaged(file, "a member's two headers disagree");
  return begin;
}

struct Range {
  std::uint64_t begin, end;
};

void refuse_overlaps(const File& file, std::vector<Range> ranges) {
  std::ranges::sort(ranges, {}, &Range::begin);
  for (std::size_t i = 1; i < ranges.size(); ++i)
    if (ranges[i].begin < ranges[i - 1].end) damaged(file, "members overlap");
}

// Every entry of the directory. By what it says alone members lie inside the file and apart, so
// that the work on local headers is at most one pass over the file.
std::vector<Entry> read_entries(const File& file, std::string_view directory, const Directory& d) {
  std::vector<Entry> entries;
  std::vector<Range> ranges;
  std::size_t pos = 0;
  for (std::uint64_t i = 0; i < d.count; ++i) {
    const Entry e = next_entry(file, directory, pos);
    if (e.flags & 1) damaged(file, "a member is encrypted");
    if (e.method == 0 && e.packed != e.size) damaged(file, "a stored member has two sizes");
    const std::uint64_t header = 30 + e.name.size();
    if (e.header > d.offset || d.offset - e.header < header) damaged(file, "a member lies outside");
    if (e.packed > d.offset - e.header - header) damaged(file, "a member is larger than the file");
    ranges.push_back({e.header, e.header + header + e.packed});
    entries.push_back(e);
  }
  if (pos != directory.size()) damaged(file, "the directory is longer than its entries");
  refuse_overlaps(file, std::move(ranges));
  return entries;
}

}  // namespace

Zip::Zip(std::shared_ptr<const File> file) : file_(std::move(file)) {
  const Directory d = find_directory(*file_);
  const std::string directory = read_range(*file_, d.offset, d.size);
  std::vector<Range> ranges;
  for (const Entry& e : read_entries(*file_, directory, d)) {
    const std::uint64_t begin = data_offset(*file_, e, d.offset);
    ranges.push_back({e.header, begin + e.packed});
    members_.push_back({std::string(e.name), begin, e.size, e.method == 0});
  }
  refuse_overlaps(*file_, std::move(ranges));
  std::ranges::sort(members_, {}, &Member::name);
  for (std::size_t i = 1; i < members_.size(); ++i)
    if (members_[i].name == members_[i - 1].name)
      damaged(*file_, "two members are named " + members_[i].name);
}

const Zip::Member* Zip::find(std::string_view name) const {
  const auto it = std::ranges::lower_bound(
      members_, name, {}, [](const Member& m) -> std::string_view { return m.name; });
  if (it == members_.end() || it->name != name) return nullptr;
  if (!it->stored)
    fail<LoadError>(
        "{}: member {} is compressed, PyTorch stores its files uncompressed; unpack and save it "
        "again with torch.save",
        file_->path().string(), name);
  return &*it;
}

std::string Zip::read(const Member& member, std::uint64_t limit) const {
  if (member.size > limit)
    fail<LoadError>("{}: member {} has {} bytes, at most {} are allowed", file_->path().string(),
                    member.name, member.size, limit);
  return read_range(*file_, member.offset, member.size);
}

}  // namespace mezzo
