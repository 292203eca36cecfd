#include "image/codec.h"

#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <fstream>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <zlib.h>

#include "base/file.h"
#include "image/pixels.h"
#include "image/text_encoding.h"
#include "mezzotint/errors.h"
#include "support/goldens.h"

namespace mezzo {
namespace {

using testing::HasSubstr;

constexpr ImageFormat kAllFormats[] = {ImageFormat::kPng, ImageFormat::kJpeg, ImageFormat::kWebp};

/// A smooth picture, so that lossy formats keep it well.
Image gradient(int width, int height, int channels) {
  Image image{width, height, channels, {}};
  for (int y = 0; y < height; ++y)
    for (int x = 0; x < width; ++x)
      for (int c = 0; c < channels; ++c)
        image.pixels.push_back(
            static_cast<std::uint8_t>(c == 3 ? 255 - 2 * x : 40 * c + 2 * x + y));
  return image;
}

Metadata recipe() {
  Metadata m;
  m.parameters = "a caf\u00e9 with a \u732b\nSteps: 20, Sampler: Euler a, Seed: 1";
  m.request = R"({"prompt":"a café"})";
  return m;
}

std::string message_of(const std::vector<std::byte>& bytes) {
  try {
    decode_image(bytes);
  } catch (const UsageError& e) {
    return e.what();
  }
  return "";
}

std::vector<std::byte> bytes_of(std::string_view text) {
  const auto span = as_byte_span(text);
  return {span.begin(), span.end()};
}

TEST(Codec, LosslessFormatsKeepEveryPixel) {
  for (const int channels : {1, 3, 4}) {
    const Image image = gradient(37, 23, channels);
    EXPECT_EQ(decode_image(encode_image(image, ImageFormat::kPng)).image.pixels, image.pixels);
    const Image back =
        decode_image(encode_image(image, ImageFormat::kWebp, {}, {.lossless = true})).image;
    EXPECT_EQ(back.pixels, channels == 1 ? to_rgb(image).pixels : image.pixels);
  }
}

TEST(Codec, LossyFormatsStayClose) {
  for (const auto format : {ImageFormat::kJpeg, ImageFormat::kWebp}) {
    for (const int channels : {1, 3}) {
      const Image image = to_rgb(gradient(64, 48, channels));
      const Image back =
          to_rgb(decode_image(encode_image(image, format, {}, {.quality = 95})).image);
      int worst = 0;
      for (std::size_t i = 0; i < image.pixels.size(); ++i)
        worst = std::max(worst, std::abs(image.pixels[i] - back.pixels[i]));
      EXPECT_LE(worst, 16);
    }
  }
}

TEST(Codec, JpegPutsTransparencyOverWhite) {
  const Image clear{8, 8, 4, std::vector<std::uint8_t>(256, 0)};
  const Image back = decode_image(encode_image(clear, ImageFormat::kJpeg)).image;
  EXPECT_TRUE(std::ranges::all_of(back.pixels, [](int v) { return v >= 254; }));
}

TEST(Codec, EveryFormatCarriesTheRecipe) {
  for (const auto format : kAllFormats) {
    const DecodedImage back = decode_image(encode_image(gradient(16, 16, 3), format, recipe()));
    EXPECT_EQ(back.format, format);
    EXPECT_EQ(back.metadata.parameters, recipe().parameters);
    EXPECT_EQ(back.metadata.request, recipe().request);
  }
}

// Every cut of every format is refused; a PNG may lose its last chunk, which holds nothing.
TEST(Codec, RefusesTruncatedFiles) {
  for (const auto format : kAllFormats) {
    const auto whole = encode_image(gradient(24, 24, 3), format, recipe());
    const std::size_t tail = format == ImageFormat::kPng    ? 12
                             : format == ImageFormat::kJpeg ? 2
                                                            : 1;
    for (std::size_t n = 0; n < whole.size() - tail; ++n)
      EXPECT_NE(message_of({whole.begin(), whole.begin() + static_cast<std::ptrdiff_t>(n)}), "")
          << static_cast<int>(format) << " cut at " << n << " of " << whole.size();
  }
}

#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
/// Writes a JPEG with `spare` bytes of memory to be had, and ends the process: 0 unless it crashes.
[[noreturn]] void encode_within(rlim_t spare, const Image& image) {
  std::ifstream statm("/proc/self/statm");
  rlim_t pages = 0;
  statm >> pages;
  const rlim_t bytes = pages * static_cast<rlim_t>(sysconf(_SC_PAGESIZE)) + spare;
  const rlimit limit{bytes, bytes};
  setrlimit(RLIMIT_AS, &limit);
  try {
    encode_image(image, ImageFormat::kJpeg, {}, {.quality = 100});
  } catch (const std::exception&) {
    _exit(0);
  }
  _exit(0);
}

// Wherever memory ends while a picture is written, there is an error and no crash.
TEST(Codec, SurvivesTheEndOfMemory) {
  Image noise{512, 512, 3, std::vector<std::uint8_t>(std::size_t{512} * 512 * 3)};
  std::uint32_t state = 1;
  for (auto& v : noise.pixels) {
    state = state * 1664525 + 1013904223;
    v = static_cast<std::uint8_t>(state >> 24);
  }
  for (rlim_t spare = 0; spare < (8u << 20); spare += 128u << 10)
    ASSERT_EXIT(encode_within(spare, noise), testing::ExitedWithCode(0), "") << spare;
}
#endif

// No byte, whatever it becomes, does worse than an error of the right kind.
TEST(Codec, SurvivesDamage) {
  for (const auto format : kAllFormats) {
    const auto whole = encode_image(gradient(12, 12, 4), format, recipe());
    for (std::size_t i = 0; i < whole.size(); ++i) {
      for (const int bits : {0x01, 0x80, 0xFF}) {
        auto damaged = whole;
        damaged[i] ^= static_cast<std::byte>(bits);
        message_of(damaged);
      }
    }
  }
}

TEST(Codec, SaysWhatTheFileIs) {
  EXPECT_THAT(message_of({}), HasSubstr("is empty"));
  EXPECT_THAT(message_of(bytes_of("GIF89a......")), HasSubstr("is a GIF"));
  EXPECT_THAT(message_of(bytes_of("RIFF")), HasSubstr("is a text"));
  EXPECT_THAT(message_of(bytes_of("<!DOCTYPE html><html>not found")), HasSubstr("is a web page"));
  EXPECT_THAT(message_of(bytes_of(std::string_view("\0\0\0\x1C"
                                                   "ftypavif",
                                                   12))),
              HasSubstr("AVIF"));
  EXPECT_THAT(message_of(bytes_of("\x01\x02\x03")), HasSubstr("is not a picture"));
}

TEST(Codec, LimitsComeFromTheHeader) {
  const Image image = gradient(40, 30, 3);
  for (const auto format : kAllFormats) {
    const auto bytes = encode_image(image, format);
    EXPECT_THROW(decode_image(bytes, {.max_side = 39}), UsageError);
    EXPECT_THROW(decode_image(bytes, {.max_pixels = 1199}), UsageError);
    EXPECT_THROW(decode_image(bytes, {.max_bytes = bytes.size() - 1}), UsageError);
    EXPECT_NO_THROW(
        decode_image(bytes, {.max_bytes = bytes.size(), .max_pixels = 1200, .max_side = 40}));
  }
}

TEST(Codec, PngHeaderCannotPromiseMoreThanTheDataHold) {
  auto bytes = encode_image(gradient(8, 8, 3), ImageFormat::kPng);
  bytes[18] = bytes[22] = std::byte{0x1F};  // 7,944 x 7,944
  const auto sum = crc32(0, reinterpret_cast<const Bytef*>(bytes.data() + 12), 17);
  for (std::size_t i = 0; i < 4; ++i) bytes[29 + i] = static_cast<std::byte>(sum >> (24 - 8 * i));
  EXPECT_THAT(message_of(bytes), HasSubstr("cannot hold"));
}

TEST(Codec, RefusesWhatAFormatCannotHold) {
  EXPECT_THROW(encode_image({}, ImageFormat::kPng), UsageError);
  EXPECT_THROW(encode_image(gradient(16384, 1, 1), ImageFormat::kWebp), UsageError);
  EXPECT_THROW(encode_image(gradient(8, 8, 3), ImageFormat::kJpeg, {}, {.quality = 0}), UsageError);
  Metadata large;
  large.parameters = std::string(40000, 'x');
  EXPECT_FALSE(fits_metadata(ImageFormat::kJpeg, large));
  EXPECT_THROW(encode_image(gradient(8, 8, 3), ImageFormat::kJpeg, large), UsageError);
  EXPECT_EQ(
      decode_image(encode_image(gradient(8, 8, 3), ImageFormat::kWebp, large)).metadata.parameters,
      large.parameters);
}

TEST(Codec, FilesGoByExtensionAndBack) {
  const fs::path folder = test::scratch_dir("codec");
  for (const auto* name : {"a.png", "b.JPG", "c.jpeg", "d.webp"}) {
    write_image(folder / name, gradient(16, 16, 3), recipe());
    EXPECT_EQ(read_image(folder / name).metadata.parameters, recipe().parameters) << name;
  }
  EXPECT_THROW(write_image(folder / "e.gif", gradient(8, 8, 3)), UsageError);
  EXPECT_THROW(write_image(folder / "missing" / "f.png", gradient(8, 8, 3)), DeviceError);
}

TEST(Codec, LongRecipesOfAJpegGoBesideIt) {
  const fs::path folder = test::scratch_dir("codec_beside");
  Metadata large;
  large.parameters = std::string(40000, 'x');
  write_image(folder / "a.jpg", gradient(8, 8, 3), large);
  EXPECT_EQ(read_text_file(folder / "a.jpg.txt"), large.parameters);
  EXPECT_EQ(read_image(folder / "a.jpg").metadata.parameters, "");
}

TEST(Codec, SaysWhyAFileCannotBeRead) {
  const fs::path folder = test::scratch_dir("codec_missing");
  const auto message = [](const fs::path& path) {
    try {
      read_image(path);
    } catch (const UsageError& e) {
      return std::string(e.what());
    }
    return std::string();
  };
  EXPECT_THAT(message(folder / "none.png"), HasSubstr("No such file"));
  EXPECT_THAT(message(folder), HasSubstr("is a folder"));
}

}  // namespace
}  // namespace mezzo
