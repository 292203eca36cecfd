// Every recorded random number of goldens/rng: torch's CPU generator, the Philox generator of GPUs,
// A1111's noise per image and torchsde's Brownian tree.
#include <cmath>
#include <fstream>
#include <iostream>

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "sampling/brownian.h"
#include "sampling/image_noise.h"
#include "sampling/random.h"
#include "support/goldens.h"
#include "support/safetensors_file.h"

namespace mezzo::sampling {
namespace {

using nlohmann::json;

// The README's tolerances.
constexpr double kNormal = 2e-6, kPhilox = 4e-6, kSlerp = 1e-5;

template <class Check>
void for_each_copy(const char* file, Check check_copy) {
  const auto paths = test::golden_paths(file);
  if (paths.empty()) GTEST_SKIP() << "no recorded " << file;
  for (const auto& path : paths) {
    SCOPED_TRACE(path.string());
    check_copy(json::parse(std::ifstream(path)), path);
  }
}

std::size_t count_of(const json& shape) {
  std::size_t n = 1;
  for (const json& d : shape) n *= d.get<std::size_t>();
  return n;
}

template <class T>
void expect_near(const std::vector<T>& got, const std::vector<double>& expected, double tolerance) {
  // Of long runs only the beginning is recorded.
  ASSERT_TRUE(got.size() == expected.size() ||
              (got.size() > expected.size() && expected.size() == 64));
  for (std::size_t i = 0; i < expected.size(); ++i)
    ASSERT_NEAR(got[i], expected[i], tolerance * std::max(1.0, std::abs(expected[i])))
        << "value " << i;
}

/// The recorded beginning, end and sums of a longer run of numbers.
template <class T>
void expect_summary(const std::vector<T>& got, const json& row, double tolerance) {
  const auto first = row["first"].get<std::vector<double>>(),
             last = row["last4"].get<std::vector<double>>();
  const auto n = static_cast<std::ptrdiff_t>(first.size()),
             k = static_cast<std::ptrdiff_t>(last.size());
  ASSERT_GE(got.size(), first.size());
  expect_near(std::vector<T>(got.begin(), got.begin() + n), first, tolerance);
  expect_near(std::vector<T>(got.end() - k, got.end()), last, tolerance);
  double sum = 0, squares = 0;
  for (T v : got) {
    sum += v;
    squares += static_cast<double>(v) * v;
  }
  const double allowed = tolerance * static_cast<double>(got.size());
  EXPECT_NEAR(sum, row["sum"].get<double>(), allowed);
  EXPECT_NEAR(squares, row["sum_sq"].get<double>(), 4 * allowed);
}

TEST(RngGolden, TorchCpu) {
  for_each_copy("rng/torch_cpu.json", [](const json& index, const auto&) {
    for (const json& row : index["float32"]) {
      SCOPED_TRACE(row["seed"].dump() + " " + row["shape"].dump());
      TorchCpuGenerator g(row["seed"].get<std::uint64_t>());
      expect_summary(g.normal(count_of(row["shape"])), row, kNormal);
    }
    for (const json& row : index["other_dtypes"]) {
      SCOPED_TRACE(row["seed"].dump() + " " + row["shape"].dump() + row["dtype"].dump());
      TorchCpuGenerator g(row["seed"].get<std::uint64_t>());
      const std::size_t n = count_of(row["shape"]);
      if (row["dtype"] == "float64") {
        expect_summary(g.normal_double(n), row, 1e-12);
      } else {
        // The float noise rounded: half of the last place, which the values' size sets.
        expect_summary(g.normal(n), row, row["dtype"] == "float16" ? 1e-3 : 8e-3);
      }
    }
  });
}

std::vector<double> drawn(TorchCpuGenerator& g, const std::string& kind, std::size_t n) {
  const auto widen = [](const auto& v) { return std::vector<double>(v.begin(), v.end()); };
  if (kind == "randn") return widen(g.normal(n));
  if (kind == "rand") return widen(g.uniform(n));
  if (kind == "randint_1000") return widen(g.integers(n, 1000));
  if (kind == "randperm") return widen(g.permutation(n));
  throw std::runtime_error("unknown call " + kind);
}

TEST(RngGolden, TorchSequences) {
  for_each_copy("rng/torch_cpu.json", [](const json& index, const auto&) {
    for (const json& sequence : index["sequences"]) {
      TorchCpuGenerator g(sequence["seed"].get<std::uint64_t>());
      for (const json& call : sequence["calls"]) {
        const std::string kind = call["kind"];
        SCOPED_TRACE(sequence["seed"].dump() + " " + kind + call["shape"].dump());
        expect_near(drawn(g, kind, count_of(call["shape"])),
                    call["values"].get<std::vector<double>>(), kind == "randn" ? kNormal : 1e-8);
      }
    }
  });
}

TEST(RngGolden, Philox) {
  for_each_copy("rng/nv_philox.json", [](const json& index, const auto&) {
    for (const json& row : index["philox_words"]) {
      const auto words = PhiloxGenerator::words(row["seed"], row["offset"], row["index"]);
      EXPECT_EQ(std::vector<std::uint32_t>(words.begin(), words.end()),
                row["words"].get<std::vector<std::uint32_t>>())
          << row.dump();
    }
    for (const json& row : index["normals"]) {
      SCOPED_TRACE(row["seed"].dump() + " call " + row["offset"].dump() + row["shape"].dump());
      PhiloxGenerator g(row["seed"].get<std::uint64_t>());
      const std::size_t n = count_of(row["shape"]);
      for (int skipped = 0; skipped < row["offset"].get<int>(); ++skipped) g.normal(n);
      expect_summary(g.normal(n), row, kPhilox);
    }
  });
}

TEST(RngGolden, ImageNoise) {
  for_each_copy("rng/image_rng.json", [](const json& index, const test::fs::path& path) {
    const test::SafetensorsFile tensors(path.parent_path() / "rng.safetensors");
    for (const json& row : index) {
      SCOPED_TRACE(row.dump());
      ImageNoiseConfig c;
      c.source = row["source"] == "CPU" ? RandomSource::kTorchCpu : RandomSource::kPhilox;
      c.channels = row["shape"][0];
      c.height = row["shape"][1];
      c.width = row["shape"][2];
      c.seeds = row["seeds"].get<std::vector<std::uint64_t>>();
      c.variation_seeds = row.value("subseeds", std::vector<std::uint64_t>());
      c.variation_strength = row.value("subseed_strength", 0.0);
      // In pixels of the picture, of which eight make a latent.
      c.from_height = row.value("seed_resize_from_h", 0) / 8;
      c.from_width = row.value("seed_resize_from_w", 0) / 8;
      c.eta_seed_delta = row.value("eta_noise_seed_delta", std::uint64_t{0});
      ImageNoise noise(c);
      for (const json& name : row["tensors"])
        expect_near(noise.next(), tensors.values(name), kSlerp);
    }
  });
}

TEST(RngGolden, BrownianTree) {
  for_each_copy("rng/brownian.json", [](const json& index, const auto&) {
    for (const json& c : index["cases"]) {
      const NoiseSource noise =
          brownian_noise(c["t0"], c["t1"], count_of(c["shape"]), {c["seed"].get<std::uint64_t>()});
      for (const json& q : c["queries"]) {
        SCOPED_TRACE(c["seed"].dump() + " " + q["t0"].dump() + ".." + q["t1"].dump());
        const Latents got = noise(q["t1"], q["t0"]);
        expect_near(std::vector<double>(got.values().begin(), got.values().end()),
                    q["normalised"].get<std::vector<double>>(), kSlerp);
      }
    }
  });
}

}  // namespace
}  // namespace mezzo::sampling
