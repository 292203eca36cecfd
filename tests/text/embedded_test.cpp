#include "text/embedded.h"

#include <gtest/gtest.h>

#include "mezzotint/errors.h"
#include "text/clip_vocabulary.h"
#include "text/t5_vocabulary.h"

namespace mezzo {
namespace {

TEST(Embedded, InflatesWhatIsBuiltIn) {
  EXPECT_EQ(built_in_clip_merges().substr(0, 9), "#version:");
  EXPECT_EQ(built_in_t5_spiece().size(), 791656u);
}

TEST(Embedded, RefusesWhatIsDamaged) {
  const unsigned char bytes[] = {0x1F, 0x8B, 8, 0, 0, 0, 0, 0, 0, 3, 0xFF};
  EXPECT_THROW(inflate_embedded(bytes, sizeof bytes), InternalError);
}

}  // namespace
}  // namespace mezzo
