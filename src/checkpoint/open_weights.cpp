#include "checkpoint/open_weights.h"

#include <algorithm>
#include <array>
#include <cstring>

#include "base/ascii.h"
#include "base/utf8.h"
#include "checkpoint/bitsandbytes.h"
#include "checkpoint/float8_scales.h"
#include "checkpoint/gguf.h"
#include "checkpoint/safetensors.h"
#include "checkpoint/torch_pickle.h"

namespace mezzo {
namespace {

using namespace std::string_view_literals;

// Files that people give in place of a model, by how they begin.
struct Foreign {
  std::string_view magic;
  std::string_view what;
};
constexpr std::array kForeign = {
    Foreign{"version https://git-lfs"sv,
            "a Git LFS pointer, not the file itself: run \"git lfs pull\" or download the file"},
    Foreign{"\x89PNG"sv,
            "a PNG picture; a model file is needed here (pictures go to --init or --mask)"},
    Foreign{"\xff\xd8\xff"sv,
            "a JPEG picture; a model file is needed here (pictures go to --init or --mask)"},
    Foreign{"GIF8"sv, "a GIF picture; a model file is needed here"},
    Foreign{"7z\xbc\xaf\x27\x1c"sv, "a 7z archive: unpack it and give what is inside"},
    Foreign{"Rar!"sv, "a RAR archive: unpack it and give what is inside"},
    Foreign{"\x1f\x8b"sv, "a gzip archive: unpack it and give what is inside"},
    Foreign{"\xfd"
            "7zXZ"sv,
            "an xz archive: unpack it and give what is inside"},
    Foreign{"\x28\xb5\x2f\xfd"sv, "a zstd archive: unpack it and give what is inside"},
    Foreign{"%PDF"sv, "a PDF document"},
    Foreign{"\x7f"
            "ELF"sv,
            "a program"},
    Foreign{"MZ"sv, "a Windows program"},
    Foreign{"ggml"sv, "a GGML file, older than GGUF: get a GGUF or safetensors file"},
    Foreign{"lmgg"sv, "a GGML file, older than GGUF: get a GGUF or safetensors file"},
    Foreign{"FUGG"sv, "a byte-swapped GGUF file: convert it to little-endian"},
    Foreign{"\x93NUMPY"sv, "a NumPy array: save the weights as safetensors"},
    Foreign{"\x89HDF"sv, "an HDF5 file (Keras): get the safetensors or PyTorch weights"},
    Foreign{"PK\x05\x06"sv, "an empty zip archive"},
    Foreign{"SQLite format 3"sv, "an SQLite database"},
};

bool begins_like_web_page(std::string_view head) {
  const auto at = head.find_first_not_of(" \t\r\n\xef\xbb\xbf");
  if (at == std::string_view::npos || head[at] != '<') return false;
  const std::string tag = ascii_lower(head.substr(at, 32));
  return tag.starts_with("<!doctype") || tag.starts_with("<html") || tag.starts_with("<head") ||
         tag.starts_with("<?xml") || tag.starts_with("<!--");
}

// 8 bytes of length, then a JSON object. The length may read like the beginning of any format, so
// this is asked first; `whole`: the header lies inside the file.
bool begins_like_safetensors(std::string_view head, std::uint64_t file_size, bool whole) {
  if (head.size() < 9) return false;
  std::uint64_t n;
  std::memcpy(&n, head.data(), 8);
  const bool inside = n <= file_size - 8 && n < 100'000'000;
  return whole ? inside && head[8] == '{'
               : head[8] == '{' || (inside && (head[8] == ' ' || head[8] == '['));
}

}  // namespace

std::string_view name(FileFormat format) {
  constexpr std::array kNames = {"safetensors"sv, "PyTorch"sv, "GGUF"sv};
  return kNames[static_cast<std::size_t>(format)];
}

FileFormat detect_format(const fs::path& path) {
  const File file(path);
  const std::string where = path.string();
  if (file.size() == 0) fail<LoadError>("{}: is empty (0 bytes); download it again", where);
  std::string bytes(std::min<std::uint64_t>(file.size(), 512), '\0');
  file.read(0, std::as_writable_bytes(std::span(bytes)));
  const std::string_view head = bytes;
  if (begins_like_safetensors(head, file.size(), true)) return FileFormat::kSafetensors;
  for (const auto& f : kForeign)
    if (head.starts_with(f.magic)) fail<LoadError>("{}: is {}", where, f.what);
  if (begins_like_web_page(head))
    fail<LoadError>(
        "{}: is a web page, probably an error message saved by a download; download the file again",
        where);
  if (head.starts_with("GGUF")) return FileFormat::kGguf;
  if (head.starts_with("PK\x03\x04")) return FileFormat::kTorch;
  if (begins_like_safetensors(head, file.size(), false)) return FileFormat::kSafetensors;
  if (head[0] == '\x80' && head.size() > 1 && static_cast<unsigned char>(head[1]) <= 5)
    return FileFormat::kTorch;
  if (is_plain_text(head))
    fail<LoadError>(
        "{}: is a text file; a model is a .safetensors, .ckpt or .gguf file or a diffusers folder",
        where);
  fail<LoadError>(
      "{}: is no model file that can be recognised; it should be safetensors, a PyTorch checkpoint "
      "or GGUF",
      where);
}

std::shared_ptr<const TensorSource> open_weights(const fs::path& path) {
  switch (detect_format(path)) {
    case FileFormat::kSafetensors:
      return with_float8_scales(with_bitsandbytes(open_safetensors(path)));
    case FileFormat::kTorch:
      return with_float8_scales(with_bitsandbytes(open_torch(path)));
    case FileFormat::kGguf:
      return open_gguf(path);
  }
  fail<InternalError>("a file format without a reader");
}

}  // namespace mezzo
