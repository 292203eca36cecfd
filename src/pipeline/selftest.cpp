// Proves build and machine: known random numbers and token ids, kernels against plain loops, and
// the shipped model's picture against the one that the reference implementation (diffusers) draws.
#include <algorithm>
#include <cmath>

#include "base/error.h"
#include "image/codec.h"
#include "mezzotint/files.h"
#include "ops/ops.h"
#include "sampling/random.h"
#include "text/clip_tokenizer.h"

extern "C" const unsigned char mezzo_selftest_picture[];
extern "C" const unsigned long long mezzo_selftest_picture_size;

namespace mezzo {
namespace {

using Line = std::function<void(bool, std::string_view)>;

constexpr double kLeastPsnr =
    30;  // decibels: the shipped file holds 8-bit weights, the reference picture 16-bit ones

bool check_random_numbers(const Line& line) {
  // The first normals of seed 0 as a CUDA GPU draws them (Philox 4x32-10), published with A1111's
  // generator.
  const auto x = sampling::make_generator(sampling::RandomSource::kPhilox, 0)->normal(4);
  const float known[] = {-0.92466259f, -0.42534415f, -2.6438457f, 0.14518388f};
  double worst = 0;
  for (std::size_t i = 0; i < 4; ++i)
    worst = std::max(worst, std::abs(static_cast<double>(x[i]) - static_cast<double>(known[i])));
  const bool ok = worst < 4e-6;
  line(ok, fmt::format("random numbers: within {:.1e} of the published ones", worst));
  return ok;
}

bool check_tokens(const Line& line) {
  const auto ids = ClipTokenizer::built_in().encode("a red apple");
  const bool ok = ids == std::vector<int>{49406, 320, 736, 3055, 49407};
  line(ok, "tokenizer: the ids of a known prompt");
  return ok;
}

/// A value pattern without structure that a wrong kernel could hide behind.
Tensor pattern(const Shape& shape, double scale) {
  Tensor t(host(), DType::kF32, shape);
  for (std::int64_t i = 0; i < t.numel(); ++i)
    t.data<float>()[i] = static_cast<float>(
        scale * std::sin(0.7 * static_cast<double>(i) + 0.3 * static_cast<double>(i % 11)));
  return t;
}

/// A 3x3 convolution against the definition, in double.
bool check_convolution(Backend& backend, const Line& line) {
  constexpr std::int64_t H = 9, W = 7, I = 20, O = 24;
  const Tensor x = pattern({1, H, W, I}, 1), w = pattern({O, I, 3, 3}, 0.1), b = pattern({O}, 1);
  const Conv2dConfig config{.in = I, .out = O};
  const auto packed = backend.pack_conv2d(w, b, config, Precision::kF32);
  const Tensor y = backend.download(ops::conv2d(backend.upload(x), *packed, config));
  double worst = 0;
  for (std::int64_t h = 0; h < H; ++h)
    for (std::int64_t c = 0; c < W; ++c)
      for (std::int64_t o = 0; o < O; ++o) {
        double sum = static_cast<double>(b.data<float>()[o]);
        for (std::int64_t k = 0; k < 9 * I; ++k) {
          const auto i = k / 9, dy = k % 9 / 3 - 1, dx = k % 3 - 1;
          if (h + dy < 0 || h + dy >= H || c + dx < 0 || c + dx >= W) continue;
          sum += static_cast<double>(x.data<float>()[((h + dy) * W + c + dx) * I + i]) *
                 static_cast<double>(w.data<float>()[o * 9 * I + k]);
        }
        worst = std::max(worst,
                         std::abs(sum - static_cast<double>(y.data<float>()[(h * W + c) * O + o])));
      }
  const bool ok = worst < 1e-5;
  line(ok, fmt::format("convolution: within {:.1e} of its definition", worst));
  return ok;
}

/// Attention against the definition, in double.
bool check_attention(Backend& backend, const Line& line) {
  constexpr std::int64_t L = 50, d = 40;
  const Tensor q = pattern({1, L, d}, 1), k = pattern({1, L, d}, 0.8), v = pattern({1, L, d}, 1.2);
  const float scale = 0.3f;
  const Tensor y = backend.download(ops::attention(
      backend.upload(q), backend.upload(k), backend.upload(v), {.heads = 1, .scale = scale}));
  double worst = 0;
  for (std::int64_t i = 0; i < L; ++i) {
    std::vector<double> weight(L), out(d);
    double total = 0;
    for (std::int64_t j = 0; j < L; ++j) {
      double dot = 0;
      for (std::int64_t c = 0; c < d; ++c)
        dot += static_cast<double>(q.data<float>()[i * d + c]) *
               static_cast<double>(k.data<float>()[j * d + c]);
      weight[static_cast<std::size_t>(j)] = std::exp(dot * static_cast<double>(scale));
      total += weight[static_cast<std::size_t>(j)];
    }
    for (std::int64_t c = 0; c < d; ++c) {
      double sum = 0;
      for (std::int64_t j = 0; j < L; ++j)
        sum += weight[static_cast<std::size_t>(j)] / total *
               static_cast<double>(v.data<float>()[j * d + c]);
      worst = std::max(worst, std::abs(sum - static_cast<double>(y.data<float>()[i * d + c])));
    }
  }
  const bool ok = worst < 1e-5;
  line(ok, fmt::format("attention: within {:.1e} of its definition", worst));
  return ok;
}

bool check_picture(const Line& line) {
  const auto reference =
      decode_image(std::as_bytes(std::span(mezzo_selftest_picture, mezzo_selftest_picture_size)))
          .image;
  EngineOptions exact;
  exact.precision = "f32";
  auto engine = Engine::open(find_model("", {}), exact);
  GenerateParams params;
  params.prompts = {"a red apple"};
  params.seed = 1;
  params.rng = "cpu";
  const Image picture = engine.generate(params).at(0).image;
  if (picture.pixels.size() != reference.pixels.size()) {
    line(false, "picture: has another size than the reference");
    return false;
  }
  double squares = 0;
  for (std::size_t i = 0; i < picture.pixels.size(); ++i) {
    const double d =
        static_cast<double>(picture.pixels[i]) - static_cast<double>(reference.pixels[i]);
    squares += d * d;
  }
  const double psnr = 10 * std::log10(255.0 * 255.0 * static_cast<double>(picture.pixels.size()) /
                                      std::max(squares, 1.0));
  const bool ok = psnr >= kLeastPsnr;
  line(ok, fmt::format("picture: \"a red apple\" at {:.1f} dB from the reference implementation's",
                       psnr));
  return ok;
}

}  // namespace

bool selftest(const Line& line) {
  const auto backend = make_cpu_backend();
  bool ok = true;
  const auto attempt = [&](const char* what, auto&& check) {
    try {
      ok = check() && ok;
    } catch (const Error& e) {
      line(false, fmt::format("{}: {}", what, e.what()));
      ok = false;
    }
  };
  attempt("random numbers", [&] { return check_random_numbers(line); });
  attempt("tokenizer", [&] { return check_tokens(line); });
  attempt("convolution", [&] { return check_convolution(*backend, line); });
  attempt("attention", [&] { return check_attention(*backend, line); });
  attempt("picture", [&] { return check_picture(line); });
  return ok;
}

}  // namespace mezzo
