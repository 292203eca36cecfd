// Whole models against goldens/pipelines: every form of one model holds the same tensors under the
// same names.
#include <cstring>
#include <fstream>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "checkpoint/bundle_gguf.h"
#include "checkpoint/diffusers_folder.h"
#include "checkpoint/inspect.h"
#include "checkpoint/require.h"
#include "support/goldens.h"
#include "tensor/convert.h"

namespace mezzo {
namespace {

using test::golden_paths;
using ::testing::HasSubstr;

std::vector<fs::path> folders(const fs::path& root) {
  std::vector<fs::path> found;
  for (const auto& e : fs::directory_iterator(root))
    if (e.is_directory() && is_diffusers_folder(e.path())) found.push_back(e.path());
  std::ranges::sort(found);
  return found;
}

// The single files that hold the model of a folder: NAME.ext beside NAME/, NAME_part_form.ext.
std::vector<fs::path> single_files(const fs::path& folder) {
  std::vector<fs::path> found;
  for (const auto& e : fs::directory_iterator(folder.parent_path()))
    if (e.is_regular_file() &&
        e.path().filename().string().starts_with(folder.filename().string() + "."))
      found.push_back(e.path());
  std::ranges::sort(found);
  return found;
}

bool is_identity(const Tensor& matrix) {
  const auto n = matrix.dim(0);
  if (matrix.rank() != 2 || matrix.dim(1) != n) return false;
  const Tensor values = cast(matrix, DType::kF32);
  for (std::int64_t i = 0; i < n * n; ++i)
    if (values.data<float>()[i] != (i % (n + 1) == 0 ? 1.0f : 0.0f)) return false;
  return true;
}

// The same names and, bit for bit after widening to float32, the same values. Single files of
// Stable Diffusion 3 leave out a projection that is the identity.
void expect_same(const TensorSource& a, const TensorSource& b) {
  std::size_t left_out = 0;
  for (const auto& t : a.tensors()) {
    SCOPED_TRACE(t.name);
    if (t.name == "text_projection.weight" && !b.has(t.name) && is_identity(a.load(t.name))) {
      ++left_out;
      continue;
    }
    ASSERT_TRUE(b.has(t.name)) << "missing in " << b.origin();
    const Tensor x = cast(a.load(t.name), DType::kF32), y = cast(b.load(t.name), DType::kF32);
    ASSERT_EQ(x.shape(), y.shape());
    ASSERT_EQ(std::memcmp(x.raw(), y.raw(), x.bytes()), 0);
  }
  EXPECT_EQ(a.tensors().size(), b.tensors().size() + left_out);
}

TEST(CheckpointGolden, FoldersOpen) {
  const auto roots = golden_paths("pipelines");
  if (roots.empty()) GTEST_SKIP() << "goldens/pipelines is not there";
  for (const auto& root : roots)
    for (const auto& folder : folders(root)) {
      SCOPED_TRACE(folder.string());
      const ModelBundle b = open_model(folder);
      EXPECT_EQ(b.form, "diffusers folder");
      EXPECT_TRUE(b.scheduler.is_object());
      EXPECT_TRUE(b.tokenizers.at("tokenizer").contains("vocab.json"));
      for (const auto& [name, c] : b.components) {
        EXPECT_TRUE(c.config.is_object()) << name;
        for (std::size_t i = 0; i < c.weights->tensors().size(); ++i)
          c.weights->load(c.weights->tensors()[i].name);
      }
      EXPECT_NO_THROW(require_components(b));
    }
}

TEST(CheckpointGolden, SingleFilesEqualTheirFolders) {
  const auto roots = golden_paths("pipelines");
  if (roots.empty()) GTEST_SKIP() << "goldens/pipelines is not there";
  int compared = 0;
  for (const auto& root : roots)
    for (const auto& folder : folders(root))
      for (const auto& file : single_files(folder)) {
        SCOPED_TRACE(file.string());
        const ModelBundle whole = open_model(folder);
        OpenOptions described;
        described.config = folder;
        const ModelBundle single = open_model(file, described);
        EXPECT_THAT(single.unknown, ::testing::IsEmpty());
        ASSERT_EQ(single.components.size(), whole.components.size());
        for (const auto& [name, c] : whole.components) {
          SCOPED_TRACE(name);
          expect_same(*c.weights, *single.components.at(name).weights);
          EXPECT_EQ(single.components.at(name).config, c.config);
        }
        EXPECT_EQ(single.tokenizers, whole.tokenizers);
        EXPECT_EQ(single.scheduler, whole.scheduler);
        EXPECT_NO_THROW(require_components(single));
        ++compared;
      }
  EXPECT_GE(compared, 2);
}

TEST(CheckpointGolden, VaeFilesReplaceTheVae) {
  int compared = 0;
  for (const auto& root : golden_paths("pipelines"))
    for (const auto& e : fs::directory_iterator(root)) {
      const std::string name = e.path().filename().string();
      const auto at = name.find("_vae");
      if (!e.is_regular_file() || at == std::string::npos) continue;
      SCOPED_TRACE(name);
      try {
        open_model(e.path());
        ADD_FAILURE() << "a VAE was taken for a model";
      } catch (const LoadError& error) {
        EXPECT_THAT(error.what(), HasSubstr("--vae"));
      }
      const fs::path folder = root / name.substr(0, at);
      const ModelBundle whole = open_model(folder);
      const ModelBundle other = open_model(folder, {.vae = e.path(), .clip = {}, .config = {}});
      EXPECT_EQ(other.components.at("vae").weights->origin(), e.path().string());
      expect_same(*whole.components.at("vae").weights, *other.components.at("vae").weights);
      EXPECT_EQ(inspect_file(e.path()).kind, "VAE");
      ++compared;
    }
  if (compared == 0) GTEST_SKIP() << "goldens/pipelines has no VAE files";
}

TEST(CheckpointGolden, BundlesRoundTrip) {
  const auto roots = golden_paths("pipelines");
  if (roots.empty()) GTEST_SKIP() << "goldens/pipelines is not there";
  const fs::path scratch = test::scratch_dir("bundles");
  for (const auto& root : roots)
    for (const auto& folder : folders(root)) {
      SCOPED_TRACE(folder.string());
      const ModelBundle whole = open_model(folder);
      const fs::path out = scratch / (folder.filename().string() + ".gguf");
      write_bundle(whole, out, [](const std::string&, const TensorInfo& t) { return t.dtype; });
      const ModelBundle back = open_model(out);
      EXPECT_EQ(back.form, "Mezzotint GGUF");
      ASSERT_EQ(back.components.size(), whole.components.size());
      for (const auto& [name, c] : whole.components) {
        SCOPED_TRACE(name);
        expect_same(*c.weights, *back.components.at(name).weights);
        EXPECT_EQ(back.components.at(name).config, c.config);
      }
      EXPECT_EQ(back.tokenizers, whole.tokenizers);
      EXPECT_EQ(back.scheduler, whole.scheduler);
      EXPECT_EQ(back.defaults, whole.defaults);
    }
  fs::remove_all(scratch);
}

TEST(CheckpointGolden, BundlesHoldQuantisedConvolutions) {
  const fs::path folder = golden_paths("pipelines/tiny_sd1").empty()
                              ? fs::path()
                              : golden_paths("pipelines/tiny_sd1")[0];
  if (folder.empty()) GTEST_SKIP() << "goldens/pipelines/tiny_sd1 is not there";
  const ModelBundle whole = open_model(folder);
  const fs::path scratch = test::scratch_dir("quantised"), out = scratch / "q8.gguf";
  const auto policy = [](const std::string&, const TensorInfo& t) {
    return t.shape.rank() >= 2 && GgufWriter::can_hold(DType::kQ8_0, t.shape) ? DType::kQ8_0
                                                                              : t.dtype;
  };
  write_bundle(whole, out, policy);
  const ModelBundle back = open_model(out);
  int convolutions = 0;
  for (const auto& [name, c] : whole.components) {
    const auto& b = *back.components.at(name).weights;
    ASSERT_EQ(c.weights->tensors().size(), b.tensors().size());
    for (const auto& t : b.tensors()) {
      if (t.dtype != DType::kQ8_0) continue;
      SCOPED_TRACE(name + "." + t.name);
      convolutions += t.shape.rank() == 4 && t.shape[3] == 3;
      const Tensor x = cast(c.weights->load(t.name), DType::kF32),
                   y = cast(b.load(t.name), DType::kF32);
      ASSERT_EQ(x.shape(), y.shape());
      for (std::int64_t i = 0; i < x.numel();
           i += 32) {  // each block to half a step of its own scale
        float largest = 0;
        for (std::int64_t j = i; j < i + 32; ++j)
          largest = std::max(largest, std::fabs(x.data<float>()[j]));
        for (std::int64_t j = i; j < i + 32; ++j)
          ASSERT_NEAR(x.data<float>()[j], y.data<float>()[j],
                      largest / 127 * 0.51f + largest * 0.001f)
              << j;
      }
    }
  }
  EXPECT_GT(convolutions, 10) << "3x3 convolutions must be among the quantised ones";
  fs::remove_all(scratch);
}

TEST(CheckpointGolden, GgufNetworksAloneAreFound) {
  int files = 0;
  for (const auto& root : golden_paths("formats/gguf")) {
    std::vector<std::vector<std::string>> names;
    for (const auto& e : fs::directory_iterator(root)) {
      if (e.path().extension() != ".gguf") continue;
      SCOPED_TRACE(e.path().string());
      const ModelBundle b = open_model(e.path());
      EXPECT_THAT(b.unknown, ::testing::IsEmpty());
      ASSERT_EQ(b.components.size(), 1u);
      names.emplace_back();
      for (const auto& t : b.components.at("unet").weights->tensors())
        names.back().push_back(t.name);
      EXPECT_EQ(names.back(), names.front()) << "diffusers and LDM names must become the same";
      EXPECT_THROW(require_components(b), LoadError);
      ++files;
    }
  }
  if (files == 0) GTEST_SKIP() << "goldens/formats/gguf is not there";
}

TEST(CheckpointGolden, RealFilesAreRecognised) {
  const fs::path real = test::shared_path("real");
  if (real.empty()) GTEST_SKIP() << "../shared/real is not there";
  for (const auto& e : fs::directory_iterator(real)) {
    SCOPED_TRACE(e.path().string());
    const std::string name = e.path().filename().string();
    const CheckpointReport r = inspect_file(e.path());
    if (name.starts_with("lora_")) {
      EXPECT_EQ(r.kind, "LoRA") << r.problem;
    } else if (name.starts_with("ti_")) {
      EXPECT_EQ(r.kind, "textual inversion embedding") << r.problem;
    } else {
      EXPECT_EQ(r.kind, "unreadable");
      EXPECT_NE(r.problem, "");
    }
    EXPECT_THROW(open_model(e.path()), LoadError);
  }
}

TEST(CheckpointGolden, DefaultModelOpens) {
  const fs::path model = test::shared_path("default-model");
  if (model.empty()) GTEST_SKIP() << "../shared/default-model is not there";
  const ModelBundle b = open_model(model);
  EXPECT_NO_THROW(require_components(b));
  EXPECT_TRUE(b.defaults.is_object());
}

std::string bytes_of(const fs::path& p) {
  std::ifstream f(p, std::ios::binary);
  return {std::istreambuf_iterator<char>(f), {}};
}

// Opens and reads a file cut off at `size`. Everything but a LoadError or success is a failure of
// the test.
bool cut_file_opens(const fs::path& cut, const std::string& bytes, std::size_t size) {
  std::ofstream(cut, std::ios::binary | std::ios::trunc)
      .write(bytes.data(), static_cast<std::streamsize>(size));
  try {
    const ModelBundle b = open_model(cut);
    for (const auto& [name, c] : b.components)
      for (const auto& t : c.weights->tensors()) c.weights->load(t.name);
    return true;
  } catch (const LoadError&) {
    return false;
  }
}

TEST(CheckpointGolden, TruncatedFilesAreAlwaysRefused) {
  std::vector<fs::path> files;
  for (const auto& root : golden_paths("pipelines"))
    for (const auto& e : fs::directory_iterator(root))
      if (e.is_regular_file() && e.path().filename().string().starts_with("tiny_sd1"))
        files.push_back(e.path());
  for (const auto& root : golden_paths("formats/gguf"))
    for (const auto& e : fs::directory_iterator(root))
      if (e.path().extension() == ".gguf") files.push_back(e.path());
  if (files.empty()) GTEST_SKIP() << "no goldens to cut off";
  const fs::path cut = test::scratch_dir("truncated") / "cut";
  for (const auto& file : files) {
    SCOPED_TRACE(file.string());
    const std::string bytes = bytes_of(file);
    // The padding that GGUF writers leave after the last tensor is not missed by anyone.
    const std::size_t all = bytes.size() - (file.extension() == ".gguf" ? 31 : 0);
    for (std::size_t size = 0; size < all; size += 1 + size / 8 + all / 200)
      EXPECT_FALSE(cut_file_opens(cut, bytes, size))
          << "opened with " << size << " of " << bytes.size() << " bytes";
    EXPECT_FALSE(cut_file_opens(cut, bytes, all - 1));
  }
  fs::remove_all(cut.parent_path());
}

}  // namespace
}  // namespace mezzo
