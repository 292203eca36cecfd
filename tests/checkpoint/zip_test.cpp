#include "checkpoint/zip.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "checkpoint/make_files.h"
#include "support/goldens.h"

namespace mezzo {
namespace {

using test::little_endian;
using ::testing::HasSubstr;

struct Made {
  std::string name, data;
  std::uint16_t method = 0, flags = 0;
};

std::string header(const Made& m, bool central) {
  return little_endian(m.flags, 2) + little_endian(m.method, 2) + std::string(8, '\0') +
         little_endian(m.data.size(), 4) + little_endian(m.data.size(), 4) +
         little_endian(m.name.size(), 2) + little_endian(0, 2) +
         (central ? std::string(10, '\0') : "");
}

std::string local(const Made& m) {
  return "PK\x03\x04" + little_endian(20, 2) + header(m, false) + m.name + m.data;
}

std::string archive(const std::vector<Made>& members) {
  std::string bytes, directory;
  for (const auto& m : members) {
    directory += "PK\x01\x02" + little_endian(20, 2) + little_endian(20, 2) + header(m, true) +
                 little_endian(bytes.size(), 4) + m.name;
    bytes += local(m);
  }
  const std::size_t at = bytes.size();
  return bytes + directory + "PK\x05\x06" + std::string(4, '\0') +
         little_endian(members.size(), 2) + little_endian(members.size(), 2) +
         little_endian(directory.size(), 4) + little_endian(at, 4) + little_endian(0, 2);
}

class ZipTest : public ::testing::Test {
 protected:
  Zip open(const std::string& bytes) {
    return Zip(std::make_shared<const File>(test::write_file(folder_ / "a.zip", bytes)));
  }
  std::string problem(const std::string& bytes) {
    return test::message_of([&] { open(bytes); });
  }
  fs::path folder_ = test::scratch_dir("zip");
};

TEST_F(ZipTest, ReadsStoredMembers) {
  const Zip zip = open(archive({{"b/data.pkl", "hello"}, {"b/data/0", "1234"}, {"empty", ""}}));
  ASSERT_NE(zip.find("b/data.pkl"), nullptr);
  EXPECT_EQ(zip.read(*zip.find("b/data.pkl"), 100), "hello");
  EXPECT_EQ(zip.find("b/data/0")->size, 4u);
  EXPECT_EQ(zip.find("no"), nullptr);
  EXPECT_THROW(zip.read(*zip.find("b/data.pkl"), 4), LoadError);
}

TEST_F(ZipTest, RefusesWhatTwoReadersSeeDifferently) {
  EXPECT_THAT(problem(archive({{"a", "1"}, {"a", "2"}})), HasSubstr("two members"));
  std::string other_name = archive({{"abc", "1"}});
  other_name[30] = 'x';  // in the local header only
  EXPECT_THAT(problem(other_name), HasSubstr("disagree"));
  std::string other_size = archive({{"abc", "12345678"}});
  other_size[18] = 4;
  EXPECT_THAT(problem(other_size), HasSubstr("disagree"));
  std::string overlap = archive({{"a", "11111111"}, {"a2", "22222222"}});
  const auto second = overlap.rfind("PK\x01\x02");
  overlap.replace(second + 42, 4,
                  little_endian(0, 4));  // the second entry points at the first member
  EXPECT_THAT(problem(overlap), HasSubstr("overlap"));  // before any local header is read
  EXPECT_THAT(problem(archive({{"a", "1", 0, 1}})), HasSubstr("encrypted"));
}

TEST_F(ZipTest, TakesSizesOfLargeMembersFromTheExtraField) {
  const std::string data = "12345678", all_ones(8, '\xff');
  const std::string sizes = little_endian(8, 8) + little_endian(8, 8);
  const std::string extra = little_endian(1, 2) + little_endian(16, 2) + sizes;
  std::string bytes = archive({{"a", data}});
  // The member's sizes become all ones in both headers, and follow in a zip64 field.
  const auto central = bytes.rfind("PK\x01\x02"), end = bytes.rfind("PK\x05\x06");
  std::string entry = bytes.substr(central, end - central);
  entry.replace(20, 8, all_ones).replace(30, 2, little_endian(extra.size(), 2));
  std::string member = bytes.substr(0, central);
  member.replace(18, 8, all_ones).replace(28, 2, little_endian(extra.size(), 2));
  member.insert(31, extra);
  entry += extra;
  std::string tail = bytes.substr(end);
  tail.replace(12, 8, little_endian(entry.size(), 4) + little_endian(member.size(), 4));
  const Zip zip = open(member + entry + tail);
  EXPECT_EQ(zip.read(*zip.find("a"), 100), data);
  member[31 + 4] = 9;  // another size in the local field
  EXPECT_THAT(problem(member + entry + tail), HasSubstr("disagree"));
}

TEST_F(ZipTest, RefusesCompressedMembersWhenTheyAreNeeded) {
  const Zip zip = open(archive({{"a", "x", 8}, {"b", "y"}}));
  EXPECT_NE(zip.find("b"), nullptr);
  EXPECT_THAT(test::message_of([&] { zip.find("a"); }), HasSubstr("compressed"));
}

TEST_F(ZipTest, EveryCutIsRefused) {
  const std::string bytes = archive({{"a/data.pkl", "hello"}, {"a/data/0", std::string(100, 'x')}});
  for (std::size_t n = 0; n < bytes.size(); ++n) EXPECT_NE(problem(bytes.substr(0, n)), "") << n;
}

TEST_F(ZipTest, NoByteFlipCrashes) {
  const std::string bytes = archive({{"a/data.pkl", "hello"}, {"a/data/0", std::string(20, 'x')}});
  for (std::size_t i = 0; i < bytes.size(); ++i)
    for (const int flip : {1, 0x80, 0xff}) {
      std::string changed = bytes;
      changed[i] = static_cast<char>(changed[i] ^ flip);
      try {
        const Zip zip = open(changed);
        for (const auto& m : zip.members()) zip.read(m, 1000);
      } catch (const LoadError&) {
        continue;
      }
    }
}

}  // namespace
}  // namespace mezzo
