#include <gtest/gtest.h>

#include "reference.h"

namespace mezzo {
namespace {

TEST(Copy, TurnsChannelsLastAndBack) {
  const auto backend = make_cpu_backend();
  for (const Shape& shape :
       {Shape{2, 3, 17, 19}, Shape{1, 64, 33, 40}, Shape{1, 1, 5, 1}, Shape{2, 4, 64, 64}}) {
    SCOPED_TRACE(to_string(shape));
    const Tensor nchw = backend->upload(test::random_tensor(shape, 1));
    const Tensor view = nchw.permute({0, 2, 3, 1});
    Tensor nhwc(*backend, DType::kF32, view.shape());
    backend->copy(view, nhwc);
    EXPECT_EQ(test::values(nhwc), test::values(view));
    Tensor back(*backend, DType::kF32, shape);
    backend->copy(nhwc.permute({0, 3, 1, 2}), back);
    EXPECT_EQ(test::values(back), test::values(nchw));
  }
}

TEST(Copy, ConcatenatesThroughSlices) {
  const auto backend = make_cpu_backend();
  const Tensor a = backend->upload(test::random_tensor({2, 5, 6, 7}, 1)),
               b = backend->upload(test::random_tensor({2, 5, 6, 4}, 2));
  Tensor both(*backend, DType::kF32, {2, 5, 6, 11});
  Tensor left = both.slice(-1, 0, 7), right = both.slice(-1, 7, 11);
  backend->copy(a, left);
  backend->copy(b, right);
  EXPECT_EQ(test::values(left), test::values(a));
  EXPECT_EQ(test::values(right), test::values(b));
  Tensor rows(*backend, DType::kF32, {2, 2, 6, 11});
  backend->copy(both.slice(1, 3, 5), rows);
  EXPECT_EQ(test::values(rows), test::values(both.slice(1, 3, 5)));
}

TEST(Upsample, TakesTheNearestPixel) {
  const auto backend = make_cpu_backend();
  const Tensor x = backend->upload(test::random_tensor({2, 3, 4, 5}, 1));
  for (const auto& [h, w] :
       std::vector<std::pair<std::int64_t, std::int64_t>>{{6, 8}, {5, 7}, {3, 4}, {2, 3}}) {
    Tensor out(*backend, DType::kF32, {2, h, w, 5});
    backend->upsample_nearest(x, out);
    for (std::int64_t b = 0; b < 2; ++b)
      for (std::int64_t i = 0; i < h; ++i)
        for (std::int64_t j = 0; j < w; ++j)
          for (std::int64_t c = 0; c < 5; ++c)
            ASSERT_EQ(out.data<float>()[((b * h + i) * w + j) * 5 + c],
                      x.data<float>()[((b * 3 + i * 3 / h) * 4 + j * 4 / w) * 5 + c]);
  }
}

}  // namespace
}  // namespace mezzo
