#include "base/file.h"

#include <sys/stat.h>

#include <array>
#include <fstream>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/error.h"
#include "support/goldens.h"

namespace mezzo {
namespace {

using testing::HasSubstr;
using testing::ThrowsMessage;

std::size_t entries(const fs::path& folder) {
  return static_cast<std::size_t>(
      std::distance(fs::directory_iterator(folder), fs::directory_iterator()));
}

TEST(File, ReadsRangesAndRefusesOthers) {
  const auto dir = test::scratch_dir("file");
  std::ofstream(dir / "a") << "0123456789";
  const File f(dir / "a");
  std::array<std::byte, 4> four;
  f.read(6, four);
  EXPECT_EQ(static_cast<char>(four[3]), '9');
  EXPECT_THROW(f.read(7, four), LoadError);
  EXPECT_THROW(f.read(UINT64_MAX, four), LoadError);
}

TEST(File, ShrinkingMeanwhileIsAnErrorNotGarbage) {
  const auto dir = test::scratch_dir("file-shrinks");
  std::ofstream(dir / "a") << std::string(100, 'x');
  const File f(dir / "a");
  fs::resize_file(dir / "a", 10);
  std::array<std::byte, 50> bytes;
  EXPECT_THAT([&] { f.read(0, bytes); }, ThrowsMessage<LoadError>(HasSubstr("became shorter")));
}

TEST(File, SaysWhatIsThereInstead) {
  const auto dir = test::scratch_dir("file-kinds");
  ASSERT_EQ(::mkfifo((dir / "pipe").c_str(), 0600), 0);
  EXPECT_THAT([&] { File f(dir); }, ThrowsMessage<LoadError>(HasSubstr("is a folder")));
  EXPECT_THAT([&] { File f(dir / "none"); }, ThrowsMessage<LoadError>(HasSubstr("No such file")));
  EXPECT_THAT([&] { File f(dir / "pipe"); },
              ThrowsMessage<LoadError>(HasSubstr("not a regular file")));
}

TEST(AtomicFile, AppearsOnlyWhenCommitted) {
  const auto dir = test::scratch_dir("atomic");
  const std::array<std::byte, 3> bytes = {std::byte{1}, std::byte{2}, std::byte{3}};
  {
    AtomicFile f(dir / "out");
    f.write(bytes);
    EXPECT_FALSE(fs::exists(dir / "out"));
  }
  EXPECT_EQ(entries(dir), 0u) << "an abandoned file leaves nothing";
  write_file_atomically(dir / "out", bytes);
  EXPECT_EQ(fs::file_size(dir / "out"), 3u);
  EXPECT_EQ(entries(dir), 1u);
}

TEST(AtomicFile, FailuresSayWhatToDo) {
  const auto dir = test::scratch_dir("atomic-fails");
  std::ofstream(dir / "file") << "x";
  EXPECT_THROW(AtomicFile(dir / "none" / "out"), DeviceError);
  EXPECT_THROW(AtomicFile(dir / "file" / "out"), DeviceError);
  fs::create_directory(dir / "taken");
  std::ofstream(dir / "taken" / "x") << "x";
  AtomicFile f(dir / "taken");
  EXPECT_THROW(f.commit(), DeviceError);
}

TEST(TextFile, HasALimit) {
  const auto dir = test::scratch_dir("text");
  std::ofstream(dir / "t") << "hello";
  EXPECT_EQ(read_text_file(dir / "t"), "hello");
  EXPECT_THROW(read_text_file(dir / "t", 4), LoadError);
}

TEST(Folder, IsToldFromFiles) {
  const auto dir = test::scratch_dir("folder");
  std::ofstream(dir / "file") << "x";
  fs::create_directory_symlink(dir, dir / "link");
  EXPECT_TRUE(is_existing_folder(dir));
  EXPECT_TRUE(is_existing_folder(dir / "link"));
  for (const auto* name : {"file", "missing", "file/below"})
    EXPECT_FALSE(is_existing_folder(dir / name)) << name;
}

}  // namespace
}  // namespace mezzo
