// File formats and element types against goldens/formats: every case of its index files.
#include <bit>
#include <chrono>
#include <cmath>
#include <cstring>
#include <fstream>

#include <gtest/gtest.h>

#include "base/json.h"
#include "checkpoint/gguf.h"
#include "checkpoint/open_weights.h"
#include "checkpoint/safetensors.h"
#include "support/goldens.h"
#include "tensor/convert.h"

namespace mezzo {
namespace {

using test::golden_paths;

std::vector<float> floats(const TensorSource& source, std::string_view name) {
  const Tensor t = cast(source.load(name), DType::kF32);
  return {t.data<float>(), t.data<float>() + t.numel()};
}

// A line of /proc/self/status in kilobytes: VmRSS, VmHWM ...
long status_kilobytes(const std::string& key) {
  std::ifstream status("/proc/self/status");
  for (std::string word; status >> word;)
    if (long n = 0; word == key + ":" && status >> n) return n;
  return 0;
}

// Sets the high-water mark VmHWM back to what is in use now (proc(5), clear_refs).
void reset_peak() { std::ofstream("/proc/self/clear_refs") << 5; }

// Opens the file and reads every tensor: what a model load does with it.
void load_everything(const fs::path& path) {
  const auto source = open_weights(path);
  for (const auto& t : source->tensors()) source->load(t.name);
}

TEST(FormatsGolden, Malformed) {
  const auto roots = golden_paths("formats/malformed/index.json");
  if (roots.empty()) GTEST_SKIP() << "goldens/formats/malformed is not there";
  const fs::path before = fs::current_path();
  for (const auto& index : roots) {
    fs::current_path(test::scratch_dir("malformed"));
    int cases = 0;
    for (const auto& c : read_json_file(index)) {
      const std::string file = c.at("file"), must = c.at("must"), why = c.at("why");
      SCOPED_TRACE(file + ": " + why);
      const auto start = std::chrono::steady_clock::now();
      reset_peak();
      const long memory = status_kilobytes("VmRSS");
      std::string message;
      try {
        load_everything(index.parent_path() / file);
      } catch (const LoadError& e) {
        message = e.what();
        EXPECT_NE(message.find(file), std::string::npos)
            << "the message must name the file: " << message;
      }
      EXPECT_TRUE(must == "any" || message.empty() == (must == "accept")) << message;
      EXPECT_LT(std::chrono::steady_clock::now() - start, std::chrono::seconds(2));
      EXPECT_LT(status_kilobytes("VmHWM") - memory, 64 * 1024);
      EXPECT_FALSE(fs::exists("PWNED"));
      if (std::getenv("MEZZO_SHOW_MESSAGES") && !message.empty())
        std::printf("%s\n", message.c_str());
      ++cases;
    }
    EXPECT_GT(cases, 0);
    EXPECT_TRUE(fs::is_empty(fs::current_path())) << "a file was created";
    fs::current_path(before);
  }
}

void expect_close(const std::vector<float>& a, const std::vector<float>& b, float relative) {
  ASSERT_EQ(a.size(), b.size());
  for (std::size_t i = 0; i < a.size(); ++i)
    ASSERT_LE(std::fabs(a[i] - b[i]), relative * std::max(std::fabs(b[i]), 1e-30f))
        << "value " << i << ": " << a[i] << " " << b[i];
}

std::vector<float> decoded(const TensorSource& s, const std::string& blocks, DType t) {
  const Tensor raw = s.load(blocks);
  const auto n = raw.numel() / info(t).bytes * info(t).block;
  std::vector<float> out(static_cast<std::size_t>(n));
  to_float(t, raw.data<std::byte>(), n, out.data());
  return out;
}

// Bytes that differ after quantising `float_in`.
std::size_t differing_bytes(const TensorSource& s, const std::string& type, DType t) {
  const auto in = floats(s, type + ".float_in");
  const Tensor expected = s.load(type + ".blocks");
  std::vector<std::byte> out(expected.bytes());
  from_float(t, in.data(), static_cast<std::int64_t>(in.size()), out.data());
  std::size_t n = 0;
  for (std::size_t i = 0; i < out.size(); ++i) n += out[i] != expected.data<std::byte>()[i];
  return n;
}

TEST(FormatsGolden, QuantisedBlocks) {
  const auto roots = golden_paths("formats/gguf_blocks.safetensors");
  if (roots.empty()) GTEST_SKIP() << "goldens/formats/gguf_blocks.safetensors is not there";
  for (const auto& path : roots) {
    const auto s = open_safetensors(path);
    for (const auto& tensor : s->tensors()) {
      const auto dot = tensor.name.find('.');
      const std::string type = tensor.name.substr(0, dot), part = tensor.name.substr(dot + 1);
      SCOPED_TRACE(tensor.name);
      const auto t = dtype_named(type);
      ASSERT_TRUE(t) << "no such type";
      if (part == "blocks")
        expect_close(decoded(*s, tensor.name, *t), floats(*s, type + ".values"), 1e-6f);
      if (part == "random_blocks")
        expect_close(decoded(*s, tensor.name, *t), floats(*s, type + ".random_values"), 1e-6f);
      if (part == "float_in") {
        EXPECT_EQ(differing_bytes(*s, type, *t), 0u);
      }
    }
  }
}

TEST(FormatsGolden, ElementTypes) {
  const auto roots = golden_paths("formats/dtypes.safetensors");
  if (roots.empty()) GTEST_SKIP() << "goldens/formats/dtypes.safetensors is not there";
  for (const auto& path : roots) {
    const auto s = open_safetensors(path);
    const auto expected = open_safetensors(path.parent_path() / "dtypes_expected_f32.safetensors");
    int compared = 0;
    for (const auto& t : s->tensors()) {
      if (!expected->has(t.name)) continue;
      SCOPED_TRACE(t.name);
      auto got = floats(*s, t.name);
      const auto want = floats(*expected, t.name);
      const bool has_nan = expected->has(t.name + ".is_nan");
      const auto nan =
          has_nan ? floats(*expected, t.name + ".is_nan") : std::vector<float>(want.size(), 0);
      ASSERT_EQ(got.size(), want.size());
      for (std::size_t i = 0; i < got.size(); ++i) {
        EXPECT_EQ(std::isnan(got[i]), nan[i] != 0 || std::isnan(want[i])) << i;
        if (std::isnan(got[i])) continue;
        EXPECT_EQ(std::bit_cast<std::uint32_t>(got[i]), std::bit_cast<std::uint32_t>(want[i]))
            << i << ": " << got[i];
      }
      ++compared;
    }
    EXPECT_GE(compared, 8);
  }
}

TEST(FormatsGolden, CastsAreExactInEveryBit) {
  const auto roots = golden_paths("formats/dtypes_expected_f32.safetensors");
  if (roots.empty()) GTEST_SKIP() << "goldens/formats/dtypes_expected_f32.safetensors is not there";
  for (const auto& path : roots) {
    const auto s = open_safetensors(path);
    const auto in = floats(*s, "cast.float32_in");
    for (const auto& t : s->tensors()) {
      if (!t.name.starts_with("cast.") || !t.name.ends_with(".bits")) continue;
      SCOPED_TRACE(t.name);
      const auto type = dtype_named(t.name.substr(5, t.name.size() - 10));
      ASSERT_TRUE(type);
      const auto size = static_cast<std::size_t>(info(*type).bytes);
      std::vector<std::byte> out(in.size() * size), one(size);
      from_float(*type, in.data(), static_cast<std::int64_t>(in.size()), out.data());
      const Tensor bits = s->load(t.name);
      for (std::size_t i = 0; i < in.size(); ++i) {
        std::uint32_t got = 0;
        std::memcpy(&got, out.data() + i * size, size);
        const auto want = static_cast<std::uint32_t>(bits.data<std::int32_t>()[i]) &
                          (size == 2 ? 0xffffu : 0xffu);
        if (std::isnan(in[i])) {  // any NaN
          float back;
          to_float(*type, out.data() + i * size, 1, &back);
          EXPECT_TRUE(std::isnan(back)) << i;
        } else {
          EXPECT_EQ(got, want) << i << ": " << in[i];
        }
        // Alone, so through the code for the rest of a vector: the same bits.
        from_float(*type, &in[i], 1, one.data());
        EXPECT_EQ(std::memcmp(one.data(), out.data() + i * size, size), 0) << i << ": " << in[i];
      }
    }
  }
}

TEST(FormatsGolden, Gguf) {
  const auto roots = golden_paths("formats/gguf/expected.safetensors");
  if (roots.empty()) GTEST_SKIP() << "goldens/formats/gguf is not there";
  for (const auto& path : roots) {
    const auto expected = open_safetensors(path);
    int compared = 0;
    for (const auto& t : expected->tensors()) {  // weight.TYPE.NAME: the first rows of a matrix
      if (!t.name.starts_with("weight.")) continue;
      SCOPED_TRACE(t.name);
      const auto dot = t.name.find('.', 7);
      const auto file =
          open_gguf(path.parent_path() / ("tiny_unet_" + t.name.substr(7, dot - 7) + ".gguf"));
      EXPECT_EQ(file->string("general.architecture"), "sd1");
      EXPECT_EQ(file->integer("test.number"), 7);
      EXPECT_EQ(file->strings("test.array"), (std::vector<std::string>{"a", "b", "é"}));
      EXPECT_EQ(file->integer("no.such.key"), std::nullopt);
      auto got = floats(*file, t.name.substr(dot + 1));
      const auto want = floats(*expected, t.name);
      ASSERT_GE(got.size(), want.size());
      got.resize(want.size());
      expect_close(got, want, 1e-6f);
      ++compared;
    }
    EXPECT_GT(compared, 0);
  }
}

// The packed codes and factors as our blocks, and what those decode to.
std::vector<float> decoded_codes(const TensorSource& s, const std::string& variant, DType t) {
  const bool nested = s.has(variant + ".absmax_values");
  const auto absmax = floats(s, variant + (nested ? ".absmax_values" : ".absmax"));
  const Tensor packed = s.load(variant + ".packed");
  std::vector<std::byte> blocks(absmax.size() * 36);
  for (std::size_t i = 0; i < absmax.size(); ++i) {
    std::memcpy(&blocks[36 * i], &absmax[i], 4);
    std::memcpy(&blocks[36 * i + 4], packed.data<std::byte>() + 32 * i, 32);
  }
  std::vector<float> out(absmax.size() * 64);
  to_float(t, blocks.data(), static_cast<std::int64_t>(out.size()), out.data());
  return out;
}

TEST(FormatsGolden, FourBitCodes) {
  const auto roots = golden_paths("formats/bnb_4bit.safetensors");
  if (roots.empty()) GTEST_SKIP() << "goldens/formats/bnb_4bit.safetensors is not there";
  for (const auto& path : roots) {
    const auto s = open_safetensors(path);
    int compared = 0;
    for (const auto& tensor : s->tensors()) {
      if (!tensor.name.ends_with(".values")) continue;
      const auto variant = tensor.name.substr(0, tensor.name.size() - 7);
      SCOPED_TRACE(variant);
      const auto t = dtype_named(variant.substr(0, variant.find('_')));
      ASSERT_TRUE(t);
      EXPECT_EQ(decoded_codes(*s, variant, *t), floats(*s, tensor.name));
      ++compared;
      if (variant != "nf4") continue;  // the type that we write: the same codes and factors
      const auto in = floats(*s, "float_in"), absmax = floats(*s, "nf4.absmax");
      const Tensor packed = s->load("nf4.packed");
      std::vector<std::byte> blocks(absmax.size() * 36);
      from_float(DType::kNF4, in.data(), static_cast<std::int64_t>(in.size()), blocks.data());
      for (std::size_t i = 0; i < absmax.size(); ++i) {
        EXPECT_EQ(std::memcmp(&blocks[36 * i], &absmax[i], 4), 0) << i;
        EXPECT_EQ(std::memcmp(&blocks[36 * i + 4], packed.data<std::byte>() + 32 * i, 32), 0) << i;
      }
    }
    EXPECT_GE(compared, 4);
  }
}

TEST(FormatsGolden, FourBitCheckpoints) {
  const auto roots = golden_paths("formats/bnb_4bit_checkpoint_layout.safetensors");
  if (roots.empty()) GTEST_SKIP() << "goldens/formats/bnb_4bit_checkpoint_layout is not there";
  for (const auto& path : roots) {
    const auto s = open_weights(path);
    const auto expected = open_safetensors(path.parent_path() / "bnb_4bit.safetensors");
    EXPECT_GE(s->tensors().size(), 4u);
    for (const auto& t : s->tensors()) {
      SCOPED_TRACE(t.name);
      EXPECT_TRUE(t.dtype == DType::kNF4 || t.dtype == DType::kFP4);  // kept as they are
      const auto variant = t.name.substr(0, t.name.find('.'));
      EXPECT_EQ(floats(*s, t.name), floats(*expected, variant + ".values"));
    }
  }
}

}  // namespace
}  // namespace mezzo
